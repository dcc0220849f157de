// @ts-check
// --- A world's trace as the flow plays it: what pack.py makes of one of Python's -----------------

/** @import { World } from "./engine.js" */
/** @import { Packed } from "./unpack.js" */

/** @typedef {{ color: string, marker: string }} Style how a pod is drawn */

/**
 * Everything that has happened in a world.
 * @param {World} world
 * @param {string} title
 * @param {Style[]} styles by a pod's number; after the last they begin again
 * @param {string} failed the colour of a call that no pod answered
 * @returns {Packed}
 */
export function recorded(world, title, styles, failed) {
  const { about } = world.engine;
  /** @type {Map<string, number>} */
  const words = new Map([["", 0]]);
  /** @param {string | number | boolean} word */
  const code = (word) => {
    const text = String(word);
    const known = words.get(text) ?? words.size;
    words.set(text, known);
    return known;
  };
  const length = world.length;
  /** @type {Record<string, number[]>} */
  const columns = { time: [], cause: [], who: [], kind: [], certainty: [], sentence: [], shown: [] };
  /** @type {Record<string, Record<string, boolean>>} */
  const fields = {};
  /** @type {Map<string, number>} */
  const sentences = new Map();
  /** @type {Map<string, string[]>} */
  const addresses = new Map(); // of each pod
  /** @type {Set<string>} */
  const virtual = new Set();
  // Thousands of rows: what there is to know of a kind is found out once.
  const kinds = about.kinds.map(({ name, fields: layout }) => ({
    name,
    fields: Object.entries(layout).map(([field, [width, offset, meaning]]) => ({
      field, width, offset, meaning, text: meaning === "word" || meaning in about.words,
      into: /** @type {number[]} */ ([]),
    })),
  }));
  /** @type {Map<number, number>} */
  const codes = new Map(); // of a symbol
  /** @param {number} symbol */
  const codeOf = (symbol) => {
    let known = codes.get(symbol);
    if (known === undefined) codes.set(symbol, (known = code(world.word(symbol))));
    return known;
  };
  const { engine, events } = world;
  for (let row = 0; row < length; ++row) {
    const { name, fields: layout } = kinds[events.get(row, "kind")];
    columns.time.push(events.get(row, "at"));
    columns.cause.push(events.get(row, "cause") - 1);
    columns.who.push(codeOf(events.get(row, "who")));
    columns.kind.push(events.get(row, "kind"));
    columns.certainty.push(events.get(row, "certainty"));
    columns.shown.push(1);
    const { sentence } = world.event(row);
    const known = sentences.get(sentence) ?? sentences.size;
    sentences.set(sentence, known);
    columns.sentence.push(known);
    const from = events.from + row * events.layout.stride;
    for (const { width, offset, meaning, text, into } of layout) {
      const number = engine.number(width, from + offset);
      if (meaning === "word") into.push(codeOf(number));
      else into.push(text ? code(world.value(number, meaning)) : number);
    }
    if (name === "PodChanged") {
      const told = world.event(row).fields;
      addresses.set(String(told.pod), String(told.address).split(","));
    }
    if (fields[name]) continue;
    fields[name] = {};
    for (const { field, text, into } of layout) {
      fields[name][field] = text;
      columns[`${name}.${field}`] = into;
    }
  }
  /** @type {Record<string, Record<string, string>>} */
  const tables = {};
  for (const { name: table, columns: layout } of about.tables) {
    if (!("start" in layout)) continue; // the others are no replay's
    const rows = world.table(table);
    tables[table] = {};
    for (const [name, [, , meaning]] of Object.entries(layout)) {
      const kind = ["row", "place", "word", "code"].includes(meaning) ? meaning : "number";
      tables[table][name] = kind;
      const text = kind === "word" || kind === "code";
      columns[`${table}.${name}`] = Array.from({ length: rows.rows }, (_, row) => {
        const number = rows.get(row, name);
        return text ? code(world.value(number, meaning)) : number;
      });
    }
  }
  const known = new Set([...addresses.values()].flat());
  const dialled = world.table("connections");
  for (let row = 0; row < dialled.rows; ++row) {
    const address = world.word(dialled.get(row, "address"));
    if (!known.has(address)) virtual.add(address);
  }
  /** @param {string} pod */
  const number = (pod) => Number(pod.split("-").at(-1)) - 1;
  const calls = world.table("calls").rows;
  return {
    header: {
      world: "SIM",
      title,
      summary: `${title}: ${calls} calls`,
      kinds: about.kinds.map((kind) => kind.name),
      certainties: about.words.certainty,
      fields,
      tables,
      words: [...words.keys()],
      sentences: [...sentences.keys()],
      pods: [...addresses].map(([name, its]) => ({
        name,
        addresses: its,
        ...styles[number(name) % styles.length],
      })),
      virtual: [...virtual].sort(),
      frame_types: about.words.frame_type,
      failed,
      dropped: world.figure("dropped"),
    },
    columns: Object.fromEntries(
      Object.entries(columns).map(([name, numbers]) => [name, Float64Array.from(numbers)]),
    ),
  };
}
