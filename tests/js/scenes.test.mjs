// Every scene's claim, asked of the engine, for every position of the scene's levers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { pulled } from "../../bindings/greetlab/views/widget/js/acts.js";
import { LAST_CALL, LAST_FAILURE, LAST_TO_JOIN, SLOWEST_CALL, chainOf } from "../../bindings/greetlab/views/widget/js/chain.js";
import { Engine } from "../../bindings/greetlab/views/widget/js/engine.js";
import { Figures, opened } from "../../bindings/greetlab/views/widget/js/figures.js";
import { SCENES, cameSince, filled, usual } from "../../bindings/greetlab/views/widget/js/scenes.js";

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

/** The scene's worlds, and what they have come to. */
function ran(scene, chosen) {
  return scene.worlds.map(({ script }) => {
    const world = opened(engine, filled(script, chosen));
    const ran = { link: world.link().slice(1), figures: new Figures(world) };
    world.free();
    return ran;
  });
}

for (const scene of SCENES.filter(({ acts }) => acts)) {
  test(`${scene.title}: what is done to the running world`, () => {
    for (const chosen of positions(scene)) {
      const worlds = ran(scene, chosen);
      const [{ figures: first }] = worlds;
      const last = first.times.at(-1);
      for (const act of scene.acts(chosen)) {
        // In the middle, after all that the scene's script does; and when it has come to its end.
        for (const now of [Math.max(last / 2, scene.since + 1), last]) {
          const before = first.at(first.position(now));
          const since = worlds.map(({ link, figures }) => {
            const world = pulled(engine, act, link, figures, now, before);
            const again = opened(engine, world.link());
            assert.equal(world.digest, again.digest, "it is its link's");
            const came = new Figures(world).at(undefined, now);
            for (const one of [world, again]) one.free();
            return came;
          });
          const told = `${JSON.stringify(chosen)} ${act.label} at ${now}: ${cameSince(scene, since)}`;
          assert.ok(since[0].ended >= 10, `too few calls after it: ${told}`);
          assert.ok(act.claim(since, before), told);
        }
      }
    }
  });
}

test("the call whose causes are shown", () => {
  const world = opened(engine, filled(SCENES[7].worlds[0].script, usual(SCENES[7])));
  const told = (example, since = 0) => {
    const { title, chain } = chainOf(world, example, since);
    return [title, ...chain.map(({ sentence }) => sentence)];
  };
  const failed = told(LAST_FAILURE);
  assert.equal(failed[0], "The last call that failed");
  assert.match(failed[1], /^call 41, sent to 10.244.0.3:50051, failed with UNAVAILABLE/);
  assert.equal(failed.at(-1), "pod-2 is killed");
  assert.equal(told(LAST_FAILURE, 5)[0], LAST_CALL.title); // none failed after that
  assert.match(told(LAST_CALL)[1], /^call 130 goes to/);
  assert.match(told(LAST_TO_JOIN)[1], /^the connection to \S+ is up/);
  assert.match(told(SLOWEST_CALL)[1], /^call \d was answered by/);
  world.free();
});

test("a scene's example is of what it is about", () => {
  const about = (number, lever = {}) => {
    const scene = SCENES[number - 1];
    const chosen = { ...usual(scene), ...lever };
    const world = opened(engine, filled(scene.worlds[0].script, chosen));
    const { chain } = chainOf(world, scene.example?.(chosen) ?? LAST_CALL, 0);
    world.free();
    return chain.map(({ sentence }) => sentence).join("\n");
  };
  assert.match(about(6), /the lookup found 3 addresses/);
  assert.match(about(6, { name: "watch:///greetserver-headless" }), /is told of 5 addresses|5 addresses/);
  assert.match(about(7), /the lookup found 5 addresses[^]*max_connection_age/);
  assert.match(about(8), /failed with UNAVAILABLE[^]*broke[^]*pod-2 is killed/);
  assert.match(about(8, { how: "lose" }), /failed with DEADLINE_EXCEEDED[^]*3 READY connections/);
  assert.match(about(8, { how: "lose", keepalive: "1s" }), /failed with UNAVAILABLE[^]*timed out/);
  assert.match(about(9), /answered by pod-2[^]*has waited for[^]*waits at pod-2/);
});

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
