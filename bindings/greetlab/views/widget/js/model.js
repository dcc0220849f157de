// @ts-check
// --- Columns to pods, clients, connections and calls ------------------------------------------
//
// What the events add up to comes with them, as tables: the core's replay (cpp/trace/replay.h). Here
// it becomes objects, and everything is kept as rows at which it changed (Track) or as lists that are
// sorted by row, so that any position can be shown directly.

import { Track, countBelow } from "./track.js";

/** @import { Packed } from "./unpack.js" */

/**
 * @typedef {object} Pod
 * @property {string} name
 * @property {string[]} addresses of each family one
 * @property {string} color
 * @property {string} marker
 * @property {number} number
 * @property {Track<string | null>} state
 * @property {Track<number>} waiting calls, in its queue
 * @property {number[]} answered
 */
/** @typedef {{ start: number, end: number, name: string, count: number, status: string }} Lookup */
/**
 * @typedef {object} Client
 * @property {string} name
 * @property {Track<string>} state
 * @property {Track<{ picker: string, ready: number }>} picker
 * @property {Track<string[]>} list
 * @property {Map<number, Subchannel>} subchannels
 * @property {string[]} addresses
 * @property {Lookup[]} lookups
 * @property {Track<{ what: string, until: number } | null>} resolver
 * @property {number[]} picks
 * @property {Call[]} queue calls that had to wait
 * @property {Track<number>} live subchannels that are not SHUTDOWN
 */
/**
 * @typedef {object} Subchannel
 * @property {number} id
 * @property {Client} client
 * @property {string} address
 * @property {number} created
 * @property {number} ended
 * @property {Track<string>} state
 * @property {Track<number | null>} backoff
 */
/**
 * @typedef {object} Connection
 * @property {number} id
 * @property {Client} client
 * @property {Subchannel | undefined} subchannel
 * @property {string} address
 * @property {boolean} proxied
 * @property {string | null} endpoint
 * @property {number} routed
 * @property {number} dial
 * @property {number} up
 * @property {number} goaway
 * @property {number} end
 * @property {string} how
 * @property {Pod | null} pod
 */
/**
 * @typedef {object} Call
 * @property {Client} client
 * @property {number} number
 * @property {number} start
 * @property {number} queued
 * @property {number} picked
 * @property {number} end
 * @property {Connection | null} connection
 * @property {Pod | null} pod
 * @property {string} code
 */
/** @typedef {(name: string) => any} Field a field of the event, by name */
/** @typedef {Record<string, any>} TableRow rows that never happened are NEVER, places -1 */

export const NEVER = Infinity;

export class Model {
  /** @param {Packed} packed */
  constructor({ header, columns }) {
    this.header = header;
    this.columns = columns;
    this.length = columns.time.length;
    this.place = new Int32Array(this.length); // the row among those of its kind
    /** @type {Pod[]} */
    this.pods = header.pods.map((pod, number) => ({
      ...pod,
      number,
      state: new Track(null),
      waiting: new Track(0),
      answered: [],
    }));
    this.podByName = new Map(this.pods.map((pod) => [pod.name, pod]));
    this.podByAddress = new Map(
      this.pods.flatMap((pod) => pod.addresses.map((address) => [address, pod])),
    );
    this.virtual = new Set(header.virtual);
    /** @type {Map<string, Client>} */
    this.clientByName = new Map();
    /** @type {Map<number, Track<string>>} */
    this.stateOf = new Map(); // subchannel to its state
    /** @type {Map<number, Track<number | null>>} */
    this.backoffOf = new Map();
    /** @type {Track<string[]>} */
    this.endpoints = new Track([]);
    const seen = header.kinds.map(() => 0);
    for (let row = 0; row < this.length; ++row) {
      const kind = header.kinds[columns.kind[row]];
      this.place[row] = seen[columns.kind[row]]++;
      if (columns.shown[row]) HANDLERS[kind]?.(this, row, (name) => this.field(row, name));
    }
    for (const list of this.table("lists")) {
      this.client(list.client).list.set(list.start, split(list.addresses));
    }
    this.subchannels = this.table("subchannels").map((row) => subchannelOf(this, row));
    countLive(this.subchannels);
    this.connections = this.table("connections").map((row) => connectionOf(this, row));
    this.calls = this.table("calls").map((row) => callOf(this, row));
    this.frames = this.table("frames"); // places in `connections` and `calls`
    for (const row of this.table("lookups")) {
      if (isClient(this, row.client)) this.client(row.client).lookups.push(lookupOf(row));
    }
    this.clients = [...this.clientByName.values()];
    const ended = this.calls.filter((call) => call.end < NEVER).sort((a, b) => a.end - b.end);
    this.ended = ended.map((call) => call.end);
    this.failed = ended.filter((call) => !isAnswered(call)).map((call) => call.end);
    for (const call of ended) if (isAnswered(call)) call.pod?.answered.push(call.end);
    for (const client of this.clients) client.queue.sort((a, b) => a.queued - b.queued);
    this.callOfEnd = new Map(this.calls.map((call) => [call.end, call]));
    this.picked = this.calls.filter((call) => call.picked < NEVER);
    this.picked.sort((a, b) => a.picked - b.picked);
    this.pickedRows = this.picked.map((call) => call.picked);
    let last = -1;
    this.lastEnd = this.picked.map((call) => (last = Math.max(last, call.end)));
    this.viaProxy = this.connections.some((connection) => connection.proxied);
  }

  /** A table of the replay.
   * @param {string} name @returns {TableRow[]}
   */
  table(name) {
    const kinds = Object.entries(this.header.tables[name]);
    return Array.from(this.columns[`${name}.start`], (_, i) => {
      /** @type {TableRow} */
      const made = {};
      for (const [column, kind] of kinds) {
        const value = this.columns[`${name}.${column}`][i];
        if (kind === "word" || kind === "code") made[column] = this.header.words[value];
        else made[column] = kind === "row" && value < 0 ? NEVER : value;
      }
      return made;
    });
  }
  /** @param {number} row */
  kind(row) {
    return this.header.kinds[this.columns.kind[row]];
  }
  /** @param {number} row */
  who(row) {
    return this.header.words[this.columns.who[row]];
  }
  /** A field of an event, as Python has it (enumerations are words).
   * @param {number} row @param {string} name @returns {any}
   */
  field(row, name) {
    const kind = this.kind(row);
    const value = this.columns[`${kind}.${name}`][this.place[row]];
    return this.header.fields[kind][name] ? this.header.words[value] : value;
  }
  /** What happened, in words: `sentence` in Python.
   * @param {number} row @returns {string}
   */
  sentence(row) {
    const template = this.header.sentences[this.columns.sentence[row]];
    return template.includes("\0") ? template.replaceAll("\0", this.field(row, "call")) : template;
  }
  /** str(event) in Python.
   * @param {number} row
   */
  line(row) {
    const since = this.columns.time[row] / 1e9;
    const moment = Math.abs(since) < 1 ? `${(since * 1e3).toFixed(3)} ms` : `${since.toFixed(6)} s`;
    const certainty = this.header.certainties[this.columns.certainty[row]];
    const mark = certainty === "observed" ? "" : ` [${certainty}]`;
    return `${moment}  ${this.sentence(row)}${mark}`;
  }
  /** The rows from an event back to what began it.
   * @param {number} row
   */
  causes(row) {
    const chain = [];
    for (let at = row; at >= 0; at = this.columns.cause[at]) chain.push(at);
    return chain;
  }
  /** A client; the channels that it has for one call each ("client-1.7") are that client.
   * @param {string} who @returns {Client}
   */
  client(who) {
    const name = who.replace(/(?<=.)\.\d+$/, "");
    let client = this.clientByName.get(name);
    if (!client) {
      client = {
        name,
        state: new Track("IDLE"),
        picker: new Track({ picker: "none", ready: 0 }),
        list: new Track([]),
        subchannels: new Map(),
        addresses: [],
        lookups: [],
        resolver: new Track(null),
        picks: [],
        queue: [], // calls that had to wait
        live: new Track(0), // subchannels that are not SHUTDOWN
      };
      this.clientByName.set(name, client);
    }
    return client;
  }
  /** The calls that may be on their way: picked, and not long ended.
   * @param {{ position: number, u: number, uOf: (row: number) => number, scale: number }} view
   */
  active({ position, u, uOf, scale }) {
    /** @type {Call[]} */
    const found = [];
    for (let i = countBelow(this.pickedRows, position) - 1; i >= 0; --i) {
      const last = this.lastEnd[i]; // of this call and of all before it
      if (last < position && uOf(last) + scale <= u) break;
      const call = this.picked[i];
      if (call.connection && (call.end >= position || uOf(call.end) + scale > u)) found.push(call);
    }
    return found.reverse();
  }
  /** The subchannel that the client's picker chooses next, if the trace goes on to tell.
   * @param {Client} client @param {number} position
   */
  nextPick(client, position) {
    const row = client.picks[countBelow(client.picks, position)];
    if (row === undefined || row > client.picker.until(position)) return null;
    return client.subchannels.get(this.field(row, "subchannel")) ?? null;
  }
}

/** What is only a call's progress, by the thousand. */
export const CALL_KINDS = new Set([
  "CallStarted", "CallQueued", "Picked", "PodServed", "CallEnded", "FrameSeen",
]);

/** @param {string} text */
const split = (text) => (text ? text.split(",") : []);

/** @param {TableRow} row @returns {Lookup} */
const lookupOf = ({ start, end, name, count, status }) => ({ start, end, name, count, status });

/** @param {Call} call */
const isAnswered = (call) => call.code === "OK" && call.pod !== null;

/** @param {Model} model @param {TableRow} row @returns {Subchannel} */
function subchannelOf(model, { id, client: who, address, start, end }) {
  const client = model.client(who);
  const found = {
    id, client, address, created: start, ended: end,
    state: model.stateOf.get(id) ?? new Track("IDLE"),
    backoff: model.backoffOf.get(id) ?? new Track(null),
  };
  client.subchannels.set(id, found);
  if (!client.addresses.includes(address)) client.addresses.push(address);
  return found;
}

/** How many of its subchannels a client has, at any time.
 * @param {Subchannel[]} subchannels
 */
function countLive(subchannels) {
  const changes = subchannels.flatMap(({ client, created, ended }) => [
    { client, row: created, by: 1 },
    { client, row: ended, by: -1 },
  ]);
  changes.sort((a, b) => a.row - b.row);
  for (const { client, row, by } of changes) {
    if (row < NEVER) client.live.set(row, client.live.at(row) + by);
  }
}

/** @param {Model} model @param {TableRow} row @returns {Connection} */
function connectionOf(model, row) {
  const end = Math.min(row.failed, row.lost, row.closed);
  const how = row.lost < NEVER ? HOW_LOST[row.graceful] : row.failed < NEVER ? "failed" : "closed";
  const endpoint = row.endpoint || null;
  // A live ClusterIP tells nobody whom it chose: who answers shows it.
  const answered = endpoint ? undefined : model.podByName.get(row.pod);
  return {
    id: row.id, client: model.client(row.client), subchannel: model.subchannels[row.subchannel],
    address: row.address, proxied: model.virtual.has(row.address), endpoint, routed: row.routed,
    dial: row.start, up: row.up, goaway: row.goaway, end, how: end < NEVER ? how : "",
    pod: answered ?? model.podByAddress.get(endpoint ?? row.address) ?? null,
  };
}

/** By the number that the core has for `graceful`: unknown, yes, no. */
const HOW_LOST = ["gone", "ended", "broke"];

/** @param {Model} model @param {TableRow} row @returns {Call} */
function callOf(model, row) {
  const call = {
    client: model.client(row.client), number: row.id, start: row.start, queued: row.queued,
    picked: row.picked, end: row.end, connection: model.connections[row.connection] ?? null,
    pod: model.podByName.get(row.pod) ?? null, code: row.end < NEVER ? row.code : "",
  };
  if (call.queued < NEVER) call.client.queue.push(call);
  return call;
}

/** What is set by an event, and needs no adding up.
 * @type {Record<string, (model: Model, row: number, field: Field) => void>}
 */
const HANDLERS = {
  PodChanged(model, row, field) {
    model.podByName.get(field("pod"))?.state.set(row, field("change"));
  },
  PodServed(model, row, field) {
    model.podByName.get(model.who(row))?.waiting.set(row, field("waiting"));
  },
  EndpointsChanged(model, row, field) {
    model.endpoints.set(row, split(field("addresses")));
  },
  LookupStarted(model, row) {
    if (isClient(model, model.who(row))) model.client(model.who(row)).resolver.set(row, null);
  },
  CooldownStarted(model, row, field) {
    model.client(model.who(row)).resolver.set(row, { what: "cooldown", until: field("until") });
  },
  ResolverBackoffStarted(model, row, field) {
    model.client(model.who(row)).resolver.set(row, { what: "backoff", until: field("until") });
  },
  PickerPublished(model, row, field) {
    const client = model.client(model.who(row));
    client.picker.set(row, { picker: field("picker"), ready: field("ready") });
  },
  ChannelStateChanged(model, row, field) {
    model.client(model.who(row)).state.set(row, field("to"));
  },
  SubchannelStateChanged(model, row, field) {
    track(model.stateOf, field("subchannel"), "IDLE").set(row, field("to"));
  },
  BackoffStarted(model, row, field) {
    track(model.backoffOf, field("subchannel"), null).set(row, field("until"));
  },
  CallStarted(model, row) {
    model.client(model.who(row));
  },
  Picked(model, row) {
    model.client(model.who(row)).picks.push(row);
  },
};

/**
 * @template Value
 * @param {Map<number, Track<Value>>} tracks @param {number} id @param {Value} first
 */
function track(tracks, id, first) {
  let found = tracks.get(id);
  if (!found) tracks.set(id, (found = new Track(first)));
  return found;
}

/** Somebody with a channel; lookups are made by others, too (`cluster.lookup`).
 * @param {Model} model @param {string} who
 */
function isClient(model, who) {
  return model.clientByName.has(who) || who.startsWith("client");
}

/** The address without its port, and without the brackets of an IPv6 one. @param {string} address */
export const hostOf = (address) => address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");

/** Of a host that is too long its end, which tells it from the others.
 * @param {string} host @param {number} most letters
 */
export const tailOf = (host, most) =>
  host.length <= most ? host : `…${host.slice(1 - most).replace(/^\w*(?=[:.])/, "")}`;
