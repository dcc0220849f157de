// Every scene's claim, asked of the engine, for every position of the scene's levers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Engine } from "../../bindings/greetlab/views/widget/js/engine.js";
import { Figures, opened } from "../../bindings/greetlab/views/widget/js/figures.js";
import { SCENES, filled, usual } from "../../bindings/greetlab/views/widget/js/scenes.js";

const WASM = new URL("../../bindings/greetlab/views/play/engine.wasm", import.meta.url);
const engine = await Engine.load(readFileSync(WASM));

/** Every position of the levers. */
function positions({ levers }) {
  return levers.reduce(
    (all, { name, values }) =>
      values.flatMap(([value]) => all.map((chosen) => ({ ...chosen, [name]: value }))),
    [{}],
  );
}

function told(scene, chosen) {
  return scene.worlds.map(({ script }) => {
    const world = opened(engine, filled(script, chosen));
    assert.equal(world.link(), `#${filled(script, chosen)}`, "a scene's link is written plainly");
    const now = new Figures(world).at(undefined, scene.since);
    world.free();
    return now;
  });
}

test("there are nine scenes", () => assert.equal(SCENES.length, 9));

for (const scene of SCENES) {
  test(scene.title, () => {
    for (const chosen of positions(scene)) {
      const now = told(scene, chosen);
      const came = scene.came(now, chosen);
      assert.ok(scene.claim(now, chosen), `${JSON.stringify(chosen)}: ${came}`);
      assert.doesNotMatch(came, /NaN|undefined/);
    }
    // A scene is short: its words are read before anything moves.
    assert.ok(scene.words.length <= 3 && scene.levers.length <= 2);
    for (const { name } of scene.levers) {
      assert.ok(scene.worlds.some(({ script }) => script.includes(`{${name}}`)), name);
    }
  });
}

test("a lever that is a cure changes what comes out", () => {
  const cures = SCENES.slice(3).filter(({ levers }) => levers.length);
  for (const scene of cures) {
    const came = positions(scene).map((chosen) => scene.came(told(scene, chosen), chosen));
    assert.ok(new Set(came).size > 1, scene.title);
  }
});

test("figures at a moment", () => {
  const world = opened(engine, filled(SCENES[5].worlds[0].script, usual(SCENES[5])));
  const figures = new Figures(world);
  world.free();
  const then = figures.at(figures.position(4));
  assert.equal(then.ended, 40);
  assert.equal(then.failed, 0);
  assert.equal(then.open, 3);
  assert.equal(then.questions, 2); // A and AAAA
  assert.ok(then.p50 <= then.p99);
  assert.equal(figures.at(0).ended, 0);
  assert.ok(Number.isNaN(figures.at(0).p50));
  const { answered } = figures.at();
  assert.equal([...answered.values()].reduce((sum, one) => sum + one), figures.calls.length);
});
