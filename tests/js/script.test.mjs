// A link is taken apart for the levers, and put together again as it was.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  durationOf, endOf, linkOf, loaded, rateOf, secondsOf, setupOf,
} from "../../bindings/greetlab/views/widget/js/script.js";

const TWO = "v1+pods=3+seed=7;slow+pod-2+90ms;open+greetserver+policy=random;" +
  "open+greetserver+policy=random;load+client-1+calls=5+interval=exponential%20200ms;" +
  "load+client-2+calls=5+interval=exponential%20200ms;@4s+kill+pod-2;scale+5;@10s";

test("what is put together is what was taken apart", () => {
  for (const link of [TWO, "v1", "v1+pods=0", "v1;@1s+lookup+greetserver;@2s"]) {
    assert.equal(linkOf(setupOf(link)), link);
    assert.equal(linkOf(setupOf(`https://example.org/play.html#${link}`)), link);
  }
});

test("what the levers show of it", () => {
  const setup = setupOf(TWO);
  assert.equal(setup.clients, 2);
  assert.equal(setup.service, "greetserver");
  assert.deepEqual(setup.channel, { policy: "random" });
  assert.deepEqual(setup.others, ["slow+pod-2+90ms"]);
  assert.equal(rateOf(setup), 10);
  assert.equal(endOf(setup), 10);
  assert.equal(rateOf(setupOf("v1;open+greetserver;load+client-1+calls=5")), null);
});

test("another load keeps what is done later", () => {
  const setup = loaded({ ...setupOf(TWO), clients: 4 }, { rate: 20, seconds: 30, chance: false });
  const link = linkOf(setup);
  assert.match(link, /load\+client-4\+calls=150\+interval=200ms;@4s\+kill\+pod-2;scale\+5;@30s$/);
  assert.equal(link.match(/open\+/g).length, 4);
});

test("durations", () => {
  assert.deepEqual([0.05, 0.0125, 10, 1.5].map(durationOf), ["50ms", "12500us", "10s", "1500ms"]);
  assert.deepEqual(["50ms", "exponential 2m", "soon", undefined].map(secondsOf),
    [0.05, 120, null, null]);
});
