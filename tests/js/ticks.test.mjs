// Round moments below a timeline that is stretched here and compressed there.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ticks } from "../../bindings/greetlab/views/widget/js/ticks.js";

const SECOND = 1e9;
const wide = (text) => 6 * text.length;
const room = { wide, from: -20, to: 1020 };

test("an even timeline has moments of one step", () => {
  const x = (time) => time / (10 * SECOND) * 1000;
  const told = ticks({ first: 0, last: 10 * SECOND, x, ...room });
  assert.deepEqual(told.map(({ text }) => text),
    ["0 s", ...Array.from({ length: 20 }, (_, i) => `${(i + 1) / 2} s`)]);
  for (const { x: at, text } of told) assert.equal(at, x(parseFloat(text) * SECOND));
});

test("where it is stretched there are finer ones, and none on another", () => {
  // Half of the picture is the first five milliseconds.
  const x = (time) => time <= 5e6 ? time / 5e6 * 500 : 500 + (time - 5e6) / (10 * SECOND) * 500;
  const told = ticks({ first: 0, last: 10 * SECOND, x, ...room });
  const texts = told.map(({ text }) => text);
  for (const text of ["1 ms", "3 ms", "5 s", "9 s"]) assert.ok(texts.includes(text), texts.join());
  told.slice(1).forEach(({ x: at, text }, i) =>
    assert.ok(at - told[i].x >= (wide(text) + wide(told[i].text)) / 2, `${told[i].text} ${text}`));
});

test("what stands there already is left alone, and nothing is cut off", () => {
  const x = (time) => time / SECOND * 1000;
  const told = ticks({ first: 0, last: SECOND, x, ...room, from: 5, taken: [[500, 60]] });
  assert.ok(told.every(({ x: at, text }) => Math.abs(at - 500) > 60 && at - wide(text) / 2 >= 5));
  assert.ok(told.length > 3);
  assert.deepEqual(ticks({ first: 5, last: 5, x, ...room }), []);
});
