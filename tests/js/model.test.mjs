import assert from "node:assert/strict";
import { test } from "node:test";

import { Model, NEVER, hostOf, tailOf } from "../../bindings/greetlab/views/widget/js/model.js";
import { ONE_CALL, VIA_PROXY, VIRTUAL, address, packed } from "./packed.mjs";

const made = (more = [], options = {}) => new Model(packed([...ONE_CALL, ...more], options));

test("a call has the row of each of its steps, and the pod that answered", () => {
  const model = made();
  const [call] = model.calls;
  assert.deepEqual([call.start, call.queued, call.picked, call.end], [1, 3, 11, 12]);
  assert.equal(call.pod, model.pods[0]);
  assert.equal(call.connection, model.connections[0]);
  assert.deepEqual(model.pods.map((pod) => pod.answered), [[12], []]);
  assert.deepEqual([model.ended, model.failed], [[12], []]);
});

test("a call that fails, and one that never ends", () => {
  const model = made([
    [4, "client-1", "CallStarted", { call: 2 }],
    [4, "client-1", "CallEnded", { call: 2, pod: "", code: "UNAVAILABLE" }],
    [5, "client-1", "CallStarted", { call: 2 }], // a number may come again
  ]);
  assert.deepEqual(model.calls.map((call) => call.end), [12, 14, NEVER]);
  assert.deepEqual([model.ended, model.failed], [[12, 14], [14]]);
  assert.deepEqual(model.pods[0].answered, [12]);
});

test("text comes back as words, numbers as they are, a sentence with its call", () => {
  const model = made();
  assert.equal(model.field(4, "status"), "ok");
  assert.equal(model.field(4, "count"), 2);
  assert.equal(model.sentence(11), "call 1 goes on");
  assert.equal(model.line(12), "3.000 ms  call 1 goes on");
  model.columns.certainty[12] = 1;
  assert.equal(model.line(12), "3.000 ms  call 1 goes on [inferred]");
});

test("a field is the one of this event, not of another of its kind", () => {
  const model = made([[4, "client-1", "LookupEnded", { count: 0, status: "nxdomain" }]]);
  assert.deepEqual([4, 13].map((row) => model.field(row, "status")), ["ok", "nxdomain"]);
});

test("the causes go back to what began it", () => {
  assert.deepEqual(made().causes(12), [12, 11, 10, 9, 8, 7, 6, 5, 4, 2, 1]);
});

test("a channel that is there for one call only is its client", () => {
  const model = made([[4, "client-1.7", "CallStarted", { call: 2 }],
    [4, "client-2", "CallStarted", { call: 1 }]]);
  assert.deepEqual(model.clients.map((client) => client.name), ["client-1", "client-2"]);
  assert.deepEqual(model.calls.map((call) => call.client.name),
    ["client-1", "client-1", "client-2"]);
});

test("somebody else's lookup makes no client", () => {
  const model = made([[4, "cluster", "LookupStarted", { name: "greetserver" }]]);
  assert.deepEqual(model.clients.map((client) => client.name), ["client-1"]);
  assert.equal(model.clients[0].lookups.length, 1);
});

test("a connection to a pod is that pod's; to a ClusterIP it is whose the proxy says", () => {
  assert.equal(made().connections[0].pod.name, "pod-1");
  assert.equal(made().viaProxy, false);
  const model = new Model(packed(VIA_PROXY.slice(0, -1), { virtual: [VIRTUAL] }));
  assert.ok(model.viaProxy);
  const [{ pod, routed }] = model.connections;
  assert.deepEqual([pod.name, routed], ["pod-2", 8]);
});

test("where no proxy tells, who answers shows whose the connection is", () => {
  const untold = VIA_PROXY.toSpliced(8, 1);
  const podOf = (events) => new Model(packed(events, { virtual: [VIRTUAL] })).connections[0].pod;
  assert.equal(podOf(untold.slice(0, -1)), null);
  assert.equal(podOf(untold).name, "pod-2");
});

test("how a connection ended", () => {
  const lost = (graceful) => made([
    [4, "client-1", "ConnectionLost", { connection: 7, graceful }],
    // The subchannel goes later: that is not why.
    [5, "client-1", "SubchannelStateChanged", { subchannel: 1, to: "SHUTDOWN" }],
  ]).connections[0];
  const hows = ["yes", "no", "unknown"].map((word) => lost(word).how);
  assert.deepEqual(hows, ["ended", "broke", "gone"]);
  assert.equal(lost("no").end, 13);
  const shut = [4, "client-1", "SubchannelStateChanged", { subchannel: 1, to: "SHUTDOWN" }];
  const { how, end } = made([shut]).connections[0];
  assert.deepEqual([how, end], ["closed", 13]);
});

test("a pending list is the client's only when it is swapped", () => {
  const model = made([
    [4, "client-1", "AddressListTaken", { addresses: address(2), pending: true }],
    [5, "client-1", "ListSwapped", {}],
  ]);
  const { list } = model.clients[0];
  assert.deepEqual([5, 6, 14, 15].map((position) => list.at(position).length), [0, 2, 2, 1]);
});

test("the calls that are on their way at a position", () => {
  const model = made();
  const numbers = (position, u = position) =>
    model.active({ position, u, uOf: (row) => row, scale: 1 }).map((call) => call.number);
  assert.deepEqual(numbers(11), []); // the pick has not happened
  assert.deepEqual(numbers(12), [1]);
  assert.deepEqual(numbers(13, 12.5), [1]); // it has ended, but its mark still comes back
  assert.deepEqual(numbers(13, 14), []);
});

test("a call that has long ended is not on its way, though an earlier one still is", () => {
  const model = new Model(packed([
    ...ONE_CALL.slice(0, -1), // the first call does not end
    [4, "client-1", "CallStarted", { call: 2 }],
    [4, "client-1", "Picked", { call: 2, subchannel: 1, connection: 7 }],
    [5, "client-1", "CallEnded", { call: 2, pod: "pod-1", code: "OK" }],
  ]));
  const numbers = (u) => model.active({ position: 15, u, uOf: (row) => row, scale: 1 })
    .map((call) => call.number);
  assert.deepEqual(numbers(14.5), [1, 2]);
  assert.deepEqual(numbers(16), [1]);
});

test("which subchannel the picker chooses next, as long as it is that picker", () => {
  const model = made([
    [4, "client-1", "PickerPublished", { picker: "queue", ready: 0 }],
    [5, "client-1", "Picked", { call: 2, subchannel: 1, connection: 7 }],
  ]);
  const [client] = model.clients;
  const next = (position) => model.nextPick(client, position)?.id ?? null;
  assert.deepEqual([10, 11, 12, 13, 14, 15].map(next), [null, 1, null, null, 1, null]);
});

test("an address that is too long is cut where it is like the others", () => {
  assert.equal(hostOf("[fd00:10:244::2]:50051"), "fd00:10:244::2");
  assert.equal(hostOf("10.244.0.2:50051"), "10.244.0.2");
  assert.equal(tailOf("fd00:10:244::2", 14), "fd00:10:244::2");
  assert.equal(tailOf("fd00:10:244::2", 12), "…:10:244::2");
  assert.equal(tailOf("10.244.0.2", 8), "….0.2");
});
