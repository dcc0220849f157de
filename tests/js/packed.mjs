// What unpack() gives, made by hand: the tests' own traces. What their events add up to is the core's
// to say: the first run of a test file writes down which traces it wants, and test_javascript.py gives
// it their tables for the next.

import { appendFileSync, readFileSync } from "node:fs";

const REPLAYED = JSON.parse(readFileSync(process.env.REPLAYED, "utf8"));

function replayed(events) {
  const key = JSON.stringify(events);
  if (key in REPLAYED) return REPLAYED[key];
  appendFileSync(process.env.WANTED, `${key}\n`);
  throw new Error("the core has not been asked yet");
}

/** events: [milliseconds, who, kind, fields, cause], in order of time. */
export function packed(events, { pods = 2, virtual = [] } = {}) {
  const words = [""];
  const code = (word) => {
    if (!words.includes(word)) words.push(word);
    return words.indexOf(word);
  };
  const kinds = [...new Set(events.map(([, , kind]) => kind))];
  const columns = {
    time: Float64Array.from(events, ([milliseconds]) => milliseconds * 1e6),
    who: Uint16Array.from(events, ([, who]) => code(who)),
    kind: Uint8Array.from(events, ([, , kind]) => kinds.indexOf(kind)),
    cause: Int32Array.from(events, ([, , , , cause = -1]) => cause),
    certainty: new Uint8Array(events.length),
    sentence: Uint8Array.from(events, ([, , , { call }]) => (call === undefined ? 0 : 1)),
    shown: new Uint8Array(events.length).fill(1),
  };
  const fields = {};
  for (const kind of kinds) {
    const of = events.filter((event) => event[2] === kind).map((event) => event[3]);
    fields[kind] = {};
    for (const [name, first] of Object.entries(of[0])) {
      const text = typeof first === "string";
      fields[kind][name] = text;
      columns[`${kind}.${name}`] = Float64Array.from(of, (one) =>
        text ? code(one[name]) : Number(one[name]));
    }
  }
  const { kinds: tables, columns: shown } = replayed(events);
  for (const [table, of] of Object.entries(tables)) {
    for (const [name, kind] of Object.entries(of)) {
      const text = kind === "word" || kind === "code";
      const values = shown[table][name];
      columns[`${table}.${name}`] = Float64Array.from(values, (one) => (text ? code(one) : one));
    }
  }
  const header = {
    tables,
    world: "SIM", title: "by hand", summary: "", kinds, certainties: ["observed", "inferred"],
    frame_types: ["DATA", "HEADERS"],
    fields, words, sentences: ["something happens", "call \0 goes on"],
    pods: Array.from({ length: pods }, (_, i) => ({
      name: `pod-${i + 1}`, addresses: [address(i + 1)], color: "#123456", marker: "o",
    })),
    virtual, failed: "#ff0000", dropped: 0,
  };
  return { header, columns };
}

export const address = (number) => `10.244.0.${number + 1}:50051`;

/** A client that looks up two pods, dials the first, and makes a call; rows 0 to 12. */
export const ONE_CALL = [
  [0, "pod-1", "PodChanged", { pod: "pod-1", change: "ready" }],
  [0, "client-1", "CallStarted", { call: 1 }],
  [0, "client-1", "LookupStarted", { name: "greetserver-headless" }, 1],
  [0, "client-1", "CallQueued", { call: 1 }, 1],
  [1, "client-1", "LookupEnded", { count: 2, status: "ok" }, 2],
  [1, "client-1", "AddressListTaken", {
    addresses: `${address(1)},${address(2)}`, pending: false,
  }, 4],
  [1, "client-1", "SubchannelCreated", { subchannel: 1, address: address(1) }, 5],
  [1, "client-1", "ConnectStarted", { subchannel: 1, connection: 7 }, 6],
  [2, "client-1", "Connected", { connection: 7 }, 7],
  [2, "client-1", "SubchannelStateChanged", { subchannel: 1, to: "READY" }, 8],
  [2, "client-1", "PickerPublished", { picker: "round_robin", ready: 1 }, 9],
  [2, "client-1", "Picked", { call: 1, subchannel: 1, connection: 7 }, 10],
  [3, "client-1", "CallEnded", { call: 1, connection: 7, pod: "pod-1", code: "OK" }, 11],
];

/** The same through a ClusterIP, which chooses the second pod; that is row 8 of now 0 to 13. */
export const VIRTUAL = "10.96.0.1:50051";
export const VIA_PROXY = ONE_CALL.map(([milliseconds, who, kind, fields]) => [
  milliseconds, who, kind, {
    AddressListTaken: { addresses: VIRTUAL, pending: false },
    SubchannelCreated: { subchannel: 1, address: VIRTUAL },
    CallEnded: { call: 1, connection: 7, pod: "pod-2", code: "OK" },
  }[kind] ?? fields,
]).toSpliced(8, 0, [1, "proxy", "ProxyRouted", { connection: 7, endpoint: address(2) }]);
