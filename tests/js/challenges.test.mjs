// The five challenges: each starter fails, a solution passes, and known wrong ones have a sentence.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { CHALLENGES } from "../../bindings/greetlab/views/widget/js/challenges.js";
import { Engine } from "../../bindings/greetlab/views/widget/js/engine.js";
import { chance, judged, shown, tried } from "../../bindings/greetlab/views/widget/js/judge.js";

const WASM = new URL("../../bindings/greetlab/views/play/engine.wasm", import.meta.url);
const engine = await Engine.load(readFileSync(WASM));

const made = (source) => new Function("random", `"use strict";\n${source}\nreturn pick;`);

const IN_TURNS = "let turn = 0; function pick(ready) { return ready[turn++ % ready.length]; }";
const BY_CHANCE = "function pick(ready) { return ready[Math.floor(random() * ready.length)]; }";
const LEAST = `function pick(ready) {
  const least = Math.min(...ready.map((one) => one.in_flight));
  const all = ready.filter((one) => one.in_flight === least);
  return all[Math.floor(random() * all.length)];
}`;
const BY_SPEED = CHALLENGES[3].starter.replace("(one) => 1", "(one) => 1 / (one.mean || 0.03)");
const NOTICES = `let turn = 0;
function pick(ready) {
  const well = ready.filter((one) => one.waiting < 0.2 && one.failed === 0);
  const all = well.length ? well : ready;
  return all[turn++ % all.length];
}`;
const SOLUTIONS = [BY_CHANCE, IN_TURNS, LEAST, BY_SPEED, NOTICES];
const WRONG = [
  [0, IN_TURNS, /twice in a row 100 times; here it was 0 times/],
  [1, BY_CHANCE, /^calls \d+ to \d+ went to pod-/],
  [2, BY_CHANCE, /^p99 is \d+ ms, and round_robin's is \d+ ms/],
  [3, IN_TURNS, /^of 100 calls it was 33 : 33 : 33/],
  [3, LEAST, /^of 100 calls it was \d+ : /],
  [4, BY_CHANCE, /^\d+ of 300 calls failed/],
  [4, "function pick(ready) { return ready[0]; }", /each is to help|calls failed/],
];

test("there are five", () => assert.equal(CHALLENGES.length, 5));

CHALLENGES.forEach((challenge, number) => {
  test(`${challenge.title}: the starter fails, and a solution passes a hundred times`, () => {
    assert.ok(tried(engine, challenge, made(challenge.starter), 1));
    const verdict = judged(engine, challenge, made(SOLUTIONS[number]));
    assert.deepEqual(verdict, { passed: 100, of: 100, worst: null });
  });
});

for (const [number, source, sentence] of WRONG) {
  test(`${CHALLENGES[number].title}: ${source.slice(0, 40)} is told why not`, () => {
    assert.match(tried(engine, CHALLENGES[number], made(source), 1)?.why ?? "", sentence);
  });
}

test("what throws, and what is no connection, is told once and in words", () => {
  const thrown = judged(engine, CHALLENGES[0], made("function pick() { throw new Error('no'); }"));
  assert.equal(thrown.worst.why, "pick threw Error: no");
  for (const odd of ["Object.create(null)", "Symbol('x')", "undefined"]) {
    const wrong = tried(engine, CHALLENGES[0], made(`function pick() { throw ${odd}; }`), 1);
    assert.match(wrong.why, /^pick threw /);
  }
  assert.equal(thrown.of, 1);
  for (const [answer, what] of [["undefined", "nothing"], ["7", "7"], ["{}", "[object Object]"]]) {
    const wrong = tried(engine, CHALLENGES[0], made(`function pick() { return ${answer}; }`), 1);
    assert.equal(wrong.why, `pick returned ${what}: it is to return one of ready, or null to wait`);
  }
  const waits = tried(engine, CHALLENGES[0], made("function pick() { return null; }"), 1);
  assert.match(waits.why, /calls failed|not chance/);
});

test("the worst of the worlds is the one that is told", () => {
  const { worst, of } = judged(engine, CHALLENGES[4], made(BY_CHANCE));
  const all = Array.from({ length: of }, (_, i) => tried(engine, CHALLENGES[4], made(BY_CHANCE), i + 1));
  assert.equal(worst.by, Math.max(...all.map((one) => one?.by ?? 0)));
});

test("the same seed is the same world", () => {
  assert.deepEqual([1, 2, 3].map(chance(7)), [1, 2, 3].map(chance(7)));
  const once = shown(engine, CHALLENGES[0], made(BY_CHANCE), 3, { styles: [{}], failed: "" });
  const again = shown(engine, CHALLENGES[0], made(BY_CHANCE), 3, { styles: [{}], failed: "" });
  assert.deepEqual(once, again);
});

test("without a picker its calls fail, and the engine goes on", () => {
  const world = engine.open("v1+pods=3;open+greetserver-headless+policy=mine;load+client-1+calls=3;@1s");
  while (!world.run(1));
  const calls = world.table("calls");
  assert.equal(calls.rows, 3);
  assert.equal(world.row(calls, 0).code, "INTERNAL");
  world.free();
});
