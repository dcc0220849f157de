import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Clock } from "../../bindings/greetlab/views/widget/js/clock.js";
import { Model } from "../../bindings/greetlab/views/widget/js/model.js";
import { unpack } from "../../bindings/greetlab/views/widget/js/unpack.js";

// test_javascript.py packs a trace, and says what Python knows of it.
const packed = readFileSync(process.env.PACKED_TRACE);
const python = JSON.parse(readFileSync(`${process.env.PACKED_TRACE}.json`, "utf-8"));

test("what Python packed is here as Python has it", async () => {
  const model = new Model(await unpack(packed));
  const lines = Array.from({ length: model.length }, (_, row) => model.line(row));
  assert.deepEqual(lines, python.lines);
  const answered = model.pods.map((pod) => [pod.name, pod.answered.length]);
  assert.deepEqual(Object.fromEntries(answered), python.answered);
  assert.equal(model.failed.length, python.failed);
  assert.equal(model.causes(model.ended.at(-1)).length, python.depth);
});

test("every event of it has its place in the picture", async () => {
  const clock = new Clock([new Model(await unpack(packed))]);
  assert.equal(clock.events, python.lines.length);
  assert.equal(clock.positionAt(clock.length), clock.events);
});

test("a view of other bytes is read as such, and no bytes are no trace", async () => {
  const wide = new Uint8Array(packed.length + 9);
  wide.set(packed, 5);
  const { header } = await unpack(new DataView(wide.buffer, 5, packed.length));
  assert.equal(header.world, "SIM");
  assert.equal(await unpack(new DataView(new ArrayBuffer(0))), null);
});
