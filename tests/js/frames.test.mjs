import assert from "node:assert/strict";
import { test } from "node:test";

import { bytesOf, dump, frame, frameRows, meaning } from "../../bindings/greetlab/views/widget/js/frames.js";
import { Model } from "../../bindings/greetlab/views/widget/js/model.js";
import { packed } from "./packed.mjs";

const SEEN = { sent: true, flags: 5, stream: 3, length: 300, payload: "00ff41".padEnd(256, "0"), type: "HEADERS" };
const MODEL = new Model(packed([
  [0, "client-1", "SubchannelCreated", { subchannel: 1, address: "10.244.0.1:50051" }],
  [1, "client-1", "ConnectStarted", { subchannel: 1, connection: 1, attempt: 1 }],
  [2, "client-1", "CallStarted", { call: 7, wait_for_ready: false }],
  [3, "client-1", "Picked", { call: 7, subchannel: 1, connection: 1 }],
  [4, "client-1", "FrameSeen", { ...SEEN, connection: 1, call: 7 }],
  [5, "client-1", "FrameSeen", { ...SEEN, connection: 1, call: 0, stream: 0, type: "SETTINGS" }],
]));

test("a frame's head is what went over the wire", () => {
  const { head, payload } = frame(MODEL, 4);
  assert.deepEqual(head, [0, 1, 44, 1, 5, 0, 0, 0, 3]);
  assert.equal(payload.length, 128); // an excerpt
  assert.deepEqual(payload.slice(0, 4), [0, 255, 65, 0]);
});

test("a call has its own frames, a connection all of them, as far as they have happened", () => {
  const { calls: [call], connections: [connection] } = MODEL;
  assert.deepEqual(frameRows(MODEL, { call }, 6), [4]);
  assert.deepEqual(frameRows(MODEL, { connection }, 6), [4, 5]);
  assert.deepEqual(frameRows(MODEL, { connection }, 5), [4]);
  assert.deepEqual(frameRows(MODEL, {}, 6), []);
});

test("bytes are hex and ASCII, sixteen a line; what is no digit is nothing", () => {
  const lines = dump([...new TextEncoder().encode("<script>alert(1)"), 0, 255]);
  assert.equal(lines.length, 2);
  assert.match(lines[0], /^0000 {2}3c 73 .* 29 {2}<script>alert\(1\)$/);
  assert.match(lines[1], /^0010 {2}00 ff +\.\.$/);
  assert.deepEqual(bytesOf("<img>zz41"), [0x41]);
});

test("numbers are told: settings, windows, errors", () => {
  const said = (type, hex) => meaning({ type, payload: bytesOf(hex) });
  assert.equal(said("SETTINGS", "000300000064" + "00ff00000001"),
    "MAX_CONCURRENT_STREAMS 100, setting 255 1");
  assert.equal(said("WINDOW_UPDATE", "0000ffff"), "65,535 bytes more may come");
  assert.equal(said("RST_STREAM", "00000008"), "CANCEL");
  assert.equal(said("GOAWAY", "0000000700000000"), "no stream after 7; NO_ERROR");
  assert.equal(said("DATA", "0000"), "");
});
