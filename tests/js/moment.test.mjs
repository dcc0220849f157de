// What holds in a world at a moment, and how a lever acts from there on.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { acted, goesOn } from "../../bindings/greetlab/views/widget/js/acts.js";
import { Engine } from "../../bindings/greetlab/views/widget/js/engine.js";
import { Figures, opened } from "../../bindings/greetlab/views/widget/js/figures.js";
import { configured } from "../../bindings/greetlab/views/widget/js/levers.js";
import { crowd, momentOf } from "../../bindings/greetlab/views/widget/js/moment.js";
import { alike, lasting, setupOf } from "../../bindings/greetlab/views/widget/js/script.js";

const WASM = new URL("../../bindings/greetlab/views/play/engine.wasm", import.meta.url);
const LINK = "v1+pods=3+endpoint_lag=1s;open+greetserver+policy=random;" +
  "load+client-1+calls=100+interval=100ms+timeout=1s;@4s+change+endpoint_lag=2s;" +
  "stop+load-1;open+greetserver+policy=random;load+client-1+calls=30+interval=200ms;" +
  "load+client-2+calls=30+interval=200ms;@6s+close+client-1;@10s";

test("what has been said by then holds, and no more", () => {
  const before = momentOf(LINK, 3.999);
  assert.equal(before.setup.world.endpoint_lag, "1s");
  assert.deepEqual([before.clients, before.loads], [["client-1"], ["load-1"]]);
  assert.equal(before.setup.load.timeout, "1s");
  const then = momentOf(LINK, 4);
  assert.equal(then.setup.world.endpoint_lag, "2s");
  assert.deepEqual([then.clients, then.loads], [["client-1", "client-2"], ["load-2", "load-3"]]);
  assert.equal(then.setup.load.interval, "200ms");
  const after = momentOf(LINK, 7);
  assert.deepEqual([after.clients, after.loads], [["client-2"], ["load-3"]]);
  assert.equal(after.opened, 2);
});

test("a client whose other load goes on calls on", () => {
  const both = "v1;open+greetserver;load+client-1+calls=9;load+client-1+calls=90;@1s+stop+load-1;@2s";
  const { loads, calling } = momentOf(both, 1.5);
  assert.deepEqual([loads, [...calling.keys()]], [["load-2"], ["client-1"]]);
  assert.deepEqual([...momentOf(`${both};stop+load-2`, 2).calling.keys()], []);
});

test("what is done when the calls are over: each client calls again, as it did", async () => {
  const engine = await Engine.load(readFileSync(WASM));
  const link = "v1+pods=3+seed=7;open+greetserver;open+greetserver;open+greetserver;" +
    "load+client-1+calls=20+interval=100ms+timeout=1s;load+client-2+calls=4;@2s";
  const world = opened(engine, link);
  const figures = new Figures(world);
  assert.equal(goesOn(link, figures, 1), null);
  const last = figures.times.at(-1);
  assert.equal(goesOn(link, figures, last), last + 5);
  const after = acted(engine, link, 1.95, [["scale", ["5"], {}]], 7, true).link();
  assert.match(after, /;@1950ms\+scale\+5;stop\+load-1;stop\+load-2;load\+client-1\+calls=50\+interval=100ms\+timeout=1s;load\+client-2\+calls=4;@7s$/);
  assert.doesNotMatch(acted(engine, link, 1, [["scale", ["5"], {}]], 2, false).link(), /stop/);
});

test("another crowd: the calls of before stop, and others begin, until the end", () => {
  const moment = momentOf(LINK, 5);
  assert.deepEqual(crowd(moment, { clients: 3, rate: 30, seconds: 10, chance: true }), [
    ["stop", ["load-2"], {}], ["stop", ["load-3"], {}],
    ["open", ["greetserver"], { policy: "random" }],
    ...[1, 2, 3].map((n) => ["load", [`client-${n}`], { calls: "50", interval: "exponential 100ms" }]),
  ]);
  const fewer = crowd(moment, { clients: 1, rate: 10, seconds: 10, chance: false });
  assert.deepEqual(fewer.slice(2), [
    ["close", ["client-2"], {}], ["load", ["client-1"], { calls: "50", interval: "100ms" }],
  ]);
  const closed = crowd(momentOf("v1;open+greetserver;load+client-1+calls=9", 1),
    { clients: 1, rate: null, seconds: 10, chance: false });
  assert.deepEqual(closed.at(-1), ["load", ["client-1"], { calls: "9" }]);
});

test("who comes later is as those at the beginning", () => {
  const setup = alike({ ...setupOf(LINK), service: "greetserver-headless", channel: {} });
  assert.equal(setup.later.filter((told) => told.includes("open+")).join(), "open+greetserver-headless");
});

test("as far as that", () => {
  assert.ok(lasting(LINK, 12.5).endsWith("@6s+close+client-1;@12500ms"));
  assert.equal(lasting("#v1;@1s+scale+2", 3), "v1;@1s+scale+2;@3s");
});

test("a part of a service config has all that it needs, or is not there", () => {
  const retried = configured({ policy: "random" }, "retryPolicy.maxAttempts", "4");
  assert.deepEqual(retried, {
    policy: "random", "retryPolicy.maxAttempts": "4", "retryPolicy.initialBackoff": "10ms",
    "retryPolicy.maxBackoff": "1s", "retryPolicy.backoffMultiplier": "2",
    "retryPolicy.retryableStatusCodes": "UNAVAILABLE",
  });
  assert.deepEqual(configured(retried, "retryPolicy.maxBackoff", ""), { policy: "random" });
  const hedged = configured(retried, "hedgingPolicy.hedgingDelay", "20ms");
  assert.deepEqual(hedged, { policy: "random", "hedgingPolicy.maxAttempts": "3",
    "hedgingPolicy.hedgingDelay": "20ms" });
  assert.deepEqual(configured(hedged, "hedgingPolicy.hedgingDelay", ""),
    { policy: "random", "hedgingPolicy.maxAttempts": "3" });
  const asked = configured({}, "healthCheckConfig.serviceName", "true");
  assert.deepEqual(asked, { "healthCheckConfig.serviceName": "" });
  assert.deepEqual(configured(asked, "healthCheckConfig.serviceName", "false"), {});
});
