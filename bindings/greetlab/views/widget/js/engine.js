// @ts-check
// --- The engine: the lab's own C++ core as WebAssembly (cpp/wasm), and its worlds -----------------
//
// What there is to know of its memory it says itself (`about`): no layout, fact, option or command
// is repeated here. It needs no system, so it runs from a page that was opened by a double click.

/**
 * The width of a number, its place in the row, what it stands for.
 * @typedef {[string, number, string]} Layout
 *
 * @typedef {{name: string, stride: number, columns: Record<string, Layout>}} TableLayout
 * @typedef {{name: string, certainty: string, fields: Record<string, Layout>}} KindLayout
 *
 * `usual`: its default, as a word.
 * @typedef {{name: string, type: string, usual: string, help: string}} Option
 *
 * `usual`: none, if it has to be given. Numbers as words: "3", "true", "10s", "1.5".
 * @typedef {{name: string, usual?: string, least: string, most: string}} PolicyField
 *
 * `child`: the policy of its child where none is given; "": it is no parent.
 * @typedef {{name: string, child: string, texts: string[], fields: PolicyField[]}} Policy
 *
 * @typedef {{name: string, given: string[], options: string, help: string}} CommandHelp
 *
 * @typedef {object} About
 * @property {string} version
 * @property {TableLayout[]} tables
 * @property {KindLayout[]} kinds
 * @property {Record<string, string[]>} words
 * @property {Record<string, Option[]>} options
 * @property {Policy[]} policies
 * @property {CommandHelp[]} commands
 *
 * A word, a number, a truth; null is "none".
 * @typedef {string | number | boolean | null} Value
 */

const ERROR = -1;

/** What a picker of one's own answers with where it has failed (cpp/wasm/host_policy.h). */
const NO_CHOICE = -2;
export const PICK_ROW = 7;

/**
 * Whom a call goes to, of the READY connections: its row, or -1, to wait. `rows` is seven numbers
 * each (cpp/wasm/host_policy.h), read where they lie. It must not throw, nor use the engine.
 * @typedef {(rows: Float64Array, call: number, client: number) => number} Choose
 */

/** What was asked for there is not: a sentence for people. */
export class EngineError extends Error {}

/** @param {Value} value @returns {string} */
function encoded(value) {
  const plain = /[\w.~:,/-]/;
  const bytes = new TextEncoder().encode(value === null ? "none" : String(value));
  return Array.from(bytes, (byte) => {
    const letter = String.fromCharCode(byte);
    return plain.test(letter) ? letter : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}

/**
 * A command as a word of a link: "load+client-1+calls=60".
 * @param {string} verb
 * @param {Value[]} given
 * @param {Record<string, Value | undefined>} options
 * @returns {string}
 */
export function statement(verb, given = [], options = {}) {
  const named = Object.entries(options).filter(([, value]) => value !== undefined);
  return [
    encoded(verb),
    ...given.map(encoded),
    ...named.map(([name, value]) => `${encoded(name)}=${encoded(/** @type {Value} */ (value))}`),
  ].join("+");
}

/** The engine, loaded once; makes worlds. */
export class Engine {
  /**
   * @param {BufferSource} bytes of engine.wasm
   * @returns {Promise<Engine>}
   */
  static async load(bytes) {
    /** @type {Engine} */
    let engine;
    const host = {
      pick: (/** @type {number[]} */ ...asked) => engine.pick(asked[0], asked[1], asked[2], asked[3]),
    };
    const { instance } = await WebAssembly.instantiate(bytes, { host });
    engine = new Engine(instance);
    return engine;
  }

  /** @param {WebAssembly.Instance} instance */
  constructor(instance) {
    this.exports = /** @type {Record<string, (...numbers: number[]) => number>} */ (
      /** @type {unknown} */ (instance.exports)
    );
    this.memory = /** @type {WebAssembly.Memory} */ (instance.exports.memory);
    /** What policy=mine does. @type {Choose | null} */
    this.mine = null;
    this.exports._initialize();
    this.bytes = new Uint8Array(this.memory.buffer);
    this.numbers = new DataView(this.memory.buffer);
    /** @type {About} */
    this.about = JSON.parse(this.text("gl_about"));
  }

  /**
   * A world from a script, a fragment or a whole link; how far it goes is its `end`. What is to be
   * done to it is, when its time comes.
   * @param {string} link
   * @returns {World}
   */
  open(link) {
    const number = this.call("gl_open", this.put(link));
    return new World(this, number);
  }

  /** @param {number} from @param {number} count @param {number} call @param {number} client */
  pick(from, count, call, client) {
    const rows = new Float64Array(this.memory.buffer, from, count * PICK_ROW);
    return this.mine ? this.mine(rows, call, client) : NO_CHOICE;
  }

  /**
   * Calls a function of the engine.
   * @param {string} name
   * @param {number[]} numbers
   * @returns {number}
   */
  call(name, ...numbers) {
    const answer = this.exports[name](...numbers);
    this.look();
    if (answer === ERROR) throw new EngineError(this.output());
    return answer;
  }

  /** Memory may have grown; what looked at it before looks at nothing then. */
  look() {
    if (this.bytes.buffer === this.memory.buffer) return;
    this.bytes = new Uint8Array(this.memory.buffer);
    this.numbers = new DataView(this.memory.buffer);
  }

  /** The text that a function answers with. @param {string} name @param {number[]} numbers */
  text(name, ...numbers) {
    return this.output(this.call(name, ...numbers));
  }

  /** @param {number} [size] none: up to the NUL. @returns {string} */
  output(size) {
    this.look();
    const from = this.exports.gl_output();
    const to = size === undefined ? this.bytes.indexOf(0, from) : from + size;
    return new TextDecoder().decode(this.bytes.subarray(from, to));
  }

  /** Writes a text where the engine reads it. @param {string} text @returns {number} its size. */
  put(text) {
    const bytes = new TextEncoder().encode(text);
    const to = this.exports.gl_input(bytes.length);
    if (to === 0) throw new EngineError(`a text of ${bytes.length} bytes is too long`);
    // Memory may have grown for it.
    new Uint8Array(this.memory.buffer).set(bytes, to);
    return bytes.length;
  }

  /**
   * The number at an address.
   * @param {string} width
   * @param {number} at
   * @returns {number}
   */
  number(width, at) {
    switch (width) {
      case "u8":
        return this.bytes[at];
      case "u16":
        return this.numbers.getUint16(at, true);
      case "u32":
        return this.numbers.getUint32(at, true);
      case "i32":
        return this.numbers.getInt32(at, true);
      case "u64":
        return this.numbers.getUint32(at, true) + this.numbers.getUint32(at + 4, true) * 2 ** 32;
      default: // i64; exact up to 2^53, which is 104 days of nanoseconds
        return this.numbers.getUint32(at, true) + this.numbers.getInt32(at + 4, true) * 2 ** 32;
    }
  }
}

/** A table of the engine's memory, read where it lies. Good until its world goes on. */
export class Table {
  /**
   * @param {Engine} engine
   * @param {TableLayout} layout
   * @param {number} from
   * @param {number} rows
   */
  constructor(engine, layout, from, rows) {
    this.engine = engine;
    this.layout = layout;
    this.from = from;
    this.rows = rows;
  }

  /**
   * A number of a row: a word is its symbol, a state its place among the words for states.
   * @param {number} row
   * @param {string} column
   * @returns {number}
   */
  get(row, column) {
    const [width, offset] = this.layout.columns[column];
    return this.engine.number(width, this.from + row * this.layout.stride + offset);
  }
}

/** Something that happened. What is asked of it is read then. */
export class TraceEvent {
  /** @param {World} world @param {number} index */
  constructor(world, index) {
    this.world = world;
    this.index = index;
  }

  /** @param {string} column */
  get(column) {
    return this.world.events.get(this.index, column);
  }
  /** Seconds since the world began. */
  get seconds() {
    return this.get("at") / 1e9;
  }
  get id() {
    return this.get("id");
  }
  get who() {
    return this.world.word(this.get("who"));
  }
  get kind() {
    return this.world.engine.about.kinds[this.get("kind")].name;
  }
  get certainty() {
    return this.world.engine.about.words.certainty[this.get("certainty")];
  }
  /** What its fact says, by the fields' names; times and durations in seconds. */
  get fields() {
    const { engine, events } = this.world;
    const { fields } = engine.about.kinds[this.get("kind")];
    const from = events.from + this.index * events.layout.stride;
    return Object.fromEntries(
      Object.entries(fields).map(([name, [width, offset, meaning]]) => [
        name,
        this.world.value(engine.number(width, from + offset), meaning),
      ]),
    );
  }
  /** In words. */
  get sentence() {
    return this.world.engine.text("gl_sentence", this.world.number, this.index);
  }
  /** Because of which event; null: of none. @returns {TraceEvent | null} */
  get cause() {
    const cause = this.get("cause");
    return cause === 0 ? null : this.world.event(cause - 1);
  }
  /** It, what it happened because of, and so on. @returns {TraceEvent[]} */
  why() {
    /** @type {TraceEvent[]} */
    const chain = [];
    for (let event = /** @type {TraceEvent | null} */ (this); event; event = event.cause) {
      chain.push(event);
    }
    return chain;
  }
}

/** A virtual cluster and its clients. Times are seconds since it began. */
export class World {
  /** @param {Engine} engine @param {number} number */
  constructor(engine, number) {
    this.engine = engine;
    this.number = number;
    /** @type {Map<number, string>} */
    this.known = new Map();
    this.events = this.table("events");
  }

  // Time.

  get seconds() {
    return this.figure("now") / 1e9;
  }
  /** How far its script goes. */
  get end() {
    return this.figure("end") / 1e9;
  }
  /**
   * Lets time come to a moment, with all that happens until then.
   * @param {number} seconds
   * @param {number} steps after so many it stops.
   * @returns {boolean} whether it has come there; false: call again.
   */
  run(seconds, steps = 1e6) {
    const come = this.engine.call("gl_run", this.number, Math.round(seconds * 1e9), steps) === 1;
    this.events = this.table("events");
    return come;
  }

  // What is done to it.

  /**
   * Does something to it now. What there is to do: `engine.about.commands`.
   * @param {string} verb
   * @param {Value[]} given
   * @param {Record<string, Value | undefined>} options
   */
  follow(verb, given = [], options = {}) {
    const size = this.engine.put(statement(verb, given, options));
    this.engine.call("gl_follow", this.number, size);
    this.events = this.table("events");
  }

  /** @param {number} pods */
  scale(pods) {
    this.follow("scale", [pods]);
  }
  /** @param {string} pod */
  kill(pod) {
    this.follow("kill", [pod]);
  }
  /** @param {string} pod */
  lose(pod) {
    this.follow("lose", [pod]);
  }
  /** @param {string} pod */
  restart(pod) {
    this.follow("restart", [pod]);
  }
  /** @param {string} pod */
  drain(pod) {
    this.follow("drain", [pod]);
  }
  /** @param {{max_surge?: number, max_unavailable?: number}} options */
  rollout(options = {}) {
    this.follow("rollout", [], options);
  }
  /** @param {string} pod @param {string} longer "20ms", "5ms..20ms" */
  slow(pod, longer) {
    this.follow("slow", [pod, longer]);
  }
  /** @param {string} pod @param {number} rate */
  fail(pod, rate) {
    this.follow("fail", [pod, rate]);
  }
  /** @param {string} pod @param {boolean} serving */
  setServing(pod, serving) {
    this.follow("set_serving", [pod, serving]);
  }
  /**
   * @param {string} service
   * @param {Record<string, Value | undefined>} options policy among them
   * @returns {string} the client's name.
   */
  open(service, options = {}) {
    this.follow("open", [service], options);
    const clients = this.table("clients");
    return this.word(clients.get(clients.rows - 1, "name"));
  }
  /** @param {string} client */
  close(client) {
    this.follow("close", [client]);
  }
  /** @param {string} client @param {Record<string, Value | undefined>} options */
  load(client, options = {}) {
    this.follow("load", [client], options);
  }
  /** @param {string} load */
  cancel(load) {
    this.follow("cancel", [load]);
  }

  // What it shows.

  /** @param {string} name @returns {Table} */
  table(name) {
    const index = this.engine.about.tables.findIndex((one) => one.name === name);
    const rows = this.engine.call("gl_table", this.number, index);
    return new Table(this.engine, this.engine.about.tables[index], this.engine.exports.gl_output(), rows);
  }
  /** A figure of its own: "steps", "dropped", ... @param {string} name */
  figure(name) {
    return this.table("world").get(0, name);
  }
  /** @param {number} symbol @returns {string} */
  word(symbol) {
    let word = this.known.get(symbol);
    if (word === undefined) {
      word = this.engine.text("gl_word", this.number, symbol);
      this.known.set(symbol, word);
    }
    return word;
  }
  /**
   * What a number of a column means.
   * @param {number} number
   * @param {string} meaning
   * @returns {string | number | boolean}
   */
  value(number, meaning) {
    const words = this.engine.about.words[meaning];
    if (words) return words[number];
    if (meaning === "word") return this.word(number);
    if (meaning === "truth") return number !== 0;
    return meaning === "time" || meaning === "duration" ? number / 1e9 : number;
  }
  /** A row of a table with its values. @param {Table} table @param {number} row */
  row(table, row) {
    return Object.fromEntries(
      Object.entries(table.layout.columns).map(([name, [, , meaning]]) => [
        name,
        this.value(table.get(row, name), meaning),
      ]),
    );
  }
  get pods() {
    const pods = this.table("pods");
    return Array.from({ length: pods.rows }, (_, row) => this.row(pods, row));
  }
  get clients() {
    const clients = this.table("clients");
    return Array.from({ length: clients.rows }, (_, row) => this.row(clients, row));
  }
  /** How many events there are. */
  get length() {
    return this.events.rows;
  }
  /** @param {number} index from 0 @returns {TraceEvent} */
  event(index) {
    return new TraceEvent(this, index);
  }
  /** The same for the same events. */
  get digest() {
    return this.engine.text("gl_digest", this.number);
  }

  // Itself as a link.

  /** What it was made of and what was done to it. @param {string} page before the "#" */
  link(page = "") {
    return `${page}#${this.engine.text("gl_script", this.number)}`;
  }
  /** Ends it. */
  free() {
    this.engine.call("gl_close", this.number);
  }
}
