// @ts-check
// --- Columns to pods, clients, connections and calls ------------------------------------------
//
// Made once, by going through the events once. Everything is kept as rows at which it changed
// (Track) or as lists that are sorted by row, so that any position can be shown directly.

import { Track, countBelow } from "./track.js";

/** @import { Packed } from "./unpack.js" */

/**
 * @typedef {object} Pod
 * @property {string} name
 * @property {string} address
 * @property {string} color
 * @property {string} marker
 * @property {number} number
 * @property {Track<string | null>} state
 * @property {number[]} answered
 */
/** @typedef {{ start: number, end: number, name: string, count: number, status: string }} Lookup */
/**
 * @typedef {object} Client
 * @property {string} name
 * @property {Track<string>} state
 * @property {Track<{ picker: string, ready: number }>} picker
 * @property {Track<string[]>} list
 * @property {string[]} pending
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
 * @property {Track<string>} state
 * @property {Track<number | null>} backoff
 * @property {Connection | null} connection
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
 * @property {number} calls
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
/** @typedef {Map<string, Call>} Open client and number to the call that has not ended */

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
      answered: [],
    }));
    this.podByName = new Map(this.pods.map((pod) => [pod.name, pod]));
    this.podByAddress = new Map(this.pods.map((pod) => [pod.address, pod]));
    this.virtual = new Set(header.virtual);
    /** @type {Map<string, Client>} */
    this.clientByName = new Map();
    /** @type {Map<number, Connection>} */
    this.connectionById = new Map();
    /** @type {Call[]} */
    this.calls = [];
    /** @type {Track<string[]>} */
    this.endpoints = new Track([]);
    /** @type {number[]} */
    this.failed = [];
    /** @type {number[]} */
    this.ended = [];
    const seen = header.kinds.map(() => 0);
    /** @type {Open} */
    const open = new Map(); // client and number to the call that has not ended
    for (let row = 0; row < this.length; ++row) {
      const kind = header.kinds[columns.kind[row]];
      this.place[row] = seen[columns.kind[row]]++;
      const handle = HANDLERS[kind];
      if (handle && columns.shown[row]) handle(this, row, (name) => this.field(row, name), open);
    }
    this.clients = [...this.clientByName.values()];
    this.connections = [...this.connectionById.values()];
    for (const connection of this.connections) {
      connection.pod ??= this.podByAddress.get(connection.endpoint ?? connection.address) ?? null;
    }
    this.callOfEnd = new Map(this.calls.map((call) => [call.end, call]));
    this.picked = this.calls.filter((call) => call.picked < NEVER);
    this.picked.sort((a, b) => a.picked - b.picked);
    this.pickedRows = this.picked.map((call) => call.picked);
    let last = -1;
    this.lastEnd = this.picked.map((call) => (last = Math.max(last, call.end)));
    this.viaProxy = this.connections.some((connection) => connection.proxied);
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
    const milliseconds = (this.columns.time[row] / 1e9) * 1e3;
    const certainty = this.header.certainties[this.columns.certainty[row]];
    const mark = certainty === "observed" ? "" : ` [${certainty}]`;
    return `${milliseconds.toFixed(3)} ms  ${this.sentence(row)}${mark}`;
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
        pending: [],
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

export const CALL_KINDS = new Set(["CallStarted", "CallQueued", "Picked", "CallEnded"]);

/** @param {string} text */
const split = (text) => (text ? text.split(",") : []);

/**
 * @param {Model} model @param {number} row @param {Field} field @param {Open} open
 * @returns {Call}
 */
function callOf(model, row, field, open) {
  const key = `${model.who(row)} ${field("call")}`;
  let call = open.get(key);
  if (!call) {
    const client = model.client(model.who(row));
    call = {
      client, number: field("call"), start: row, queued: NEVER, picked: NEVER, end: NEVER,
      connection: null, pod: null, code: "",
    };
    open.set(key, call);
    model.calls.push(call);
  }
  return call;
}

/** @type {Record<string, (model: Model, row: number, field: Field, open: Open) => void>} */
const HANDLERS = {
  PodChanged(model, row, field) {
    model.podByName.get(field("pod"))?.state.set(row, field("change"));
  },
  EndpointsChanged(model, row, field) {
    model.endpoints.set(row, split(field("addresses")));
  },
  ProxyRouted(model, row, field) {
    const connection = model.connectionById.get(field("connection"));
    if (!connection) return;
    connection.endpoint = field("endpoint");
    connection.routed = row;
  },
  GoAwaySent(model, row, field) {
    const connection = model.connectionById.get(field("connection"));
    if (connection) connection.goaway = row;
  },
  LookupStarted(model, row, field) {
    if (!isClient(model, row)) return;
    const client = model.client(model.who(row));
    client.lookups.push({ start: row, end: NEVER, name: field("name"), count: 0, status: "" });
    client.resolver.set(row, null);
  },
  LookupEnded(model, row, field) {
    const lookup = model.clientByName.get(model.who(row))?.lookups.at(-1);
    if (!lookup) return;
    Object.assign(lookup, { end: row, count: field("count"), status: field("status") });
  },
  CooldownStarted(model, row, field) {
    model.client(model.who(row)).resolver.set(row, { what: "cooldown", until: field("until") });
  },
  ResolverBackoffStarted(model, row, field) {
    model.client(model.who(row)).resolver.set(row, { what: "backoff", until: field("until") });
  },
  AddressListTaken(model, row, field) {
    const client = model.client(model.who(row));
    const addresses = split(field("addresses"));
    if (field("pending")) client.pending = addresses;
    else client.list.set(row, addresses);
  },
  ListSwapped(model, row) {
    const client = model.client(model.who(row));
    client.list.set(row, client.pending);
  },
  PickerPublished(model, row, field) {
    const client = model.client(model.who(row));
    client.picker.set(row, { picker: field("picker"), ready: field("ready") });
  },
  ChannelStateChanged(model, row, field) {
    model.client(model.who(row)).state.set(row, field("to"));
  },
  SubchannelCreated(model, row, field) {
    const client = model.client(model.who(row));
    const address = field("address");
    client.subchannels.set(field("subchannel"), {
      id: field("subchannel"), client, address, created: row,
      state: new Track("IDLE"), backoff: new Track(null), connection: null,
    });
    if (!client.addresses.includes(address)) client.addresses.push(address);
    client.live.set(row, client.live.at(row) + 1);
  },
  SubchannelStateChanged(model, row, field) {
    const client = model.client(model.who(row));
    const subchannel = client.subchannels.get(field("subchannel"));
    if (!subchannel) return;
    subchannel.state.set(row, field("to"));
    if (field("to") !== "SHUTDOWN") return;
    client.live.set(row, client.live.at(row) - 1);
    const connection = subchannel.connection;
    if (connection && connection.end === NEVER) {
      Object.assign(connection, { end: row, how: "closed" });
    }
  },
  ConnectStarted(model, row, field) {
    const client = model.client(model.who(row));
    const subchannel = client.subchannels.get(field("subchannel"));
    const address = subchannel?.address ?? "";
    const connection = {
      id: field("connection"), client, subchannel, address, proxied: model.virtual.has(address),
      endpoint: null, routed: NEVER, dial: row, up: NEVER, goaway: NEVER, end: NEVER, how: "",
      pod: null, calls: 0,
    };
    model.connectionById.set(connection.id, connection);
    if (subchannel) subchannel.connection = connection;
  },
  Connected(model, row, field) {
    const connection = model.connectionById.get(field("connection"));
    if (connection) connection.up = row;
  },
  ConnectFailed(model, row, field) {
    const connection = model.connectionById.get(field("connection"));
    if (connection) Object.assign(connection, { end: row, how: "failed" });
  },
  ConnectionLost(model, row, field) {
    const connection = model.connectionById.get(field("connection"));
    /** @type {"yes" | "no" | "unknown"} */
    const graceful = field("graceful");
    const how = { yes: "ended", no: "broke", unknown: "gone" }[graceful];
    if (connection) Object.assign(connection, { end: row, how });
  },
  BackoffStarted(model, row, field) {
    const client = model.client(model.who(row));
    client.subchannels.get(field("subchannel"))?.backoff.set(row, field("until"));
  },
  CallStarted: callOf,
  CallQueued(model, row, field, open) {
    const call = callOf(model, row, field, open);
    if (call.queued !== NEVER) return;
    call.queued = row;
    call.client.queue.push(call);
  },
  Picked(model, row, field, open) {
    const call = callOf(model, row, field, open);
    call.picked = row;
    call.connection = model.connectionById.get(field("connection")) ?? null;
    if (call.connection) call.connection.calls += 1;
    call.client.picks.push(row);
  },
  CallEnded(model, row, field, open) {
    const call = callOf(model, row, field, open);
    call.end = row;
    call.code = field("code");
    call.pod = model.podByName.get(field("pod")) ?? null;
    // A live ClusterIP tells nobody whom it chose: who answers shows it.
    if (call.pod && call.connection && !call.connection.endpoint) call.connection.pod ??= call.pod;
    if (call.code === "OK" && call.pod) call.pod.answered.push(row);
    else model.failed.push(row);
    model.ended.push(row);
    open.delete(`${model.who(row)} ${call.number}`);
  },
};

/** Somebody with a channel; lookups are made by others, too (`cluster.lookup`).
 * @param {Model} model @param {number} row
 */
function isClient(model, row) {
  return model.clientByName.has(model.who(row)) || model.who(row).startsWith("client");
}
