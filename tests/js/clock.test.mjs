import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, REQUEST } from "../../bindings/greetlab/views/widget/js/clock.js";
import { Model } from "../../bindings/greetlab/views/widget/js/model.js";
import { ONE_CALL, packed } from "./packed.mjs";

const clockOf = (...traces) => new Clock(traces.map((events) => new Model(packed(events))));
const killed = (milliseconds) =>
  [milliseconds, "pod-1", "PodChanged", { pod: "pod-1", change: "killed" }];
const near = (value, expected) => assert.ok(Math.abs(value - expected) < 1e-9,
  `${value} is not ${expected}`);

test("no event has its place before the one before it, and each has happened there", () => {
  const clock = clockOf([...ONE_CALL, killed(30_000)]);
  assert.equal(clock.events, 14);
  for (let i = 0; i < clock.events; ++i) {
    if (i) assert.ok(clock.u[i] >= clock.u[i - 1]);
    assert.ok(clock.positionAt(clock.u[i]) > i);
    assert.equal(clock.indexOf(0, i), i);
    assert.equal(clock.rowU[0][i], clock.u[i]);
  }
  assert.ok(clock.length > clock.u[13]);
  assert.equal(clock.positionAt(clock.length), 14);
  assert.equal(clock.positionAt(-1), 0);
});

test("a usual request takes its time", () => {
  const clock = clockOf(ONE_CALL);
  near(clock.u[12] - clock.u[11], REQUEST);
});

test("a crowd of events before the first call is hurried through", () => {
  const before = Array.from({ length: 40 }, (_, i) => killed(10 * i));
  const call = ONE_CALL.slice(1).map(([milliseconds, ...rest]) => [milliseconds + 400, ...rest]);
  const clock = clockOf([ONE_CALL[0], ...before, ...call]);
  const picked = clock.events - 2;
  assert.ok(clock.u[picked] <= 40 * 0.45 / 4 + 2, `${clock.u[picked]}`);
  near(clock.u[picked + 1] - clock.u[picked], REQUEST);
});

test("a silence is compressed, and shown as such", () => {
  const clock = clockOf([...ONE_CALL, killed(30_003)]);
  assert.equal(clock.idle.length, 1);
  const [{ from, to, seconds }] = clock.idle;
  near(seconds, 30);
  assert.deepEqual([from, to], [clock.u[12], clock.u[13]]);
  assert.ok(to - from < 5 * REQUEST);
  assert.equal(clock.idleAt((from + to) / 2).seconds, seconds);
  assert.equal(clock.idleAt(to), null);
  near(clock.timeAt((from + to) / 2) / 1e9, 15.003);
});

test("a moment's place is where its time is", () => {
  const clock = clockOf([...ONE_CALL, killed(30_003)]);
  for (const time of [0, 400_000, 1e6, 2e6, 3e6, 15e9, 30e9, 30.003e9]) {
    const place = clock.placeOf(time);
    near(clock.timeAt(place) / 1e9, Math.min(time, clock.time[13]) / 1e9);
    assert.ok(place <= clock.length);
  }
  assert.equal(clock.placeOf(1e12), clock.u[13]);
});

test("a longer silence takes longer", () => {
  const takes = (milliseconds) => {
    const { u } = clockOf([...ONE_CALL, killed(milliseconds)]);
    return u[13] - u[12];
  };
  assert.ok(takes(3) < takes(4));
  assert.ok(takes(1_000) < takes(60_000));
});

test("while one reads what changed, the trace's clock stands still", () => {
  const clock = clockOf(ONE_CALL);
  const connected = 8;
  const later = clock.u[connected] + 1e-6;
  assert.ok(clock.u[11] > later);
  near(clock.timeAt(later), 2e6);
  near(clock.timeAt(clock.u[11]), 2e6);
});

test("a call's progress is not given time to be read, but that it waits is", () => {
  const quick = (kind) => clockOf([
    ...ONE_CALL, [3, "client-1", kind, { call: 2 }], [3, "client-1", "CallStarted", { call: 3 }],
  ]);
  const dwell = ({ u }) => u[14] - u[13];
  assert.equal(dwell(quick("CallStarted")), 0);
  assert.ok(dwell(quick("CallQueued")) > 0.1);
});

test("of many at once each is given less", () => {
  const times = Array.from({ length: 50 }, () => killed(5));
  const one = clockOf([...ONE_CALL, killed(5), [5, "client-1", "CallStarted", { call: 2 }]]);
  const many = clockOf([...ONE_CALL, ...times]);
  assert.ok(many.u[14] - many.u[13] < 0.2 * (one.u[14] - one.u[13]));
});

test("the whole is never longer than one stays", () => {
  const events = Array.from({ length: 300 }, (_, i) => killed(100 * i));
  const clock = clockOf([...ONE_CALL, ...events.slice(1)]);
  assert.ok(clock.scale < 1);
  assert.ok(clock.length <= 80 + REQUEST);
  assert.ok(clock.u[clock.events - 1] <= clock.length);
});

test("two traces are in step from each client's first event on", () => {
  const later = ONE_CALL.map(([milliseconds, ...rest]) => [milliseconds + 500, ...rest]);
  later[0] = ONE_CALL[0]; // the pod was there before the client
  const clock = clockOf(ONE_CALL, later);
  assert.deepEqual(clock.origins, [0, 5e8]);
  // Of what is at the same time the first panel's comes first; what was before is the first of all.
  assert.deepEqual([clock.panel[0], clock.row[0], clock.time[0]], [1, 0, -5e8]);
  const ends = [clock.indexOf(0, 12), clock.indexOf(1, 12)];
  assert.deepEqual(ends, [24, 25]);
  near(clock.u[24], clock.u[25]);
  assert.deepEqual(clock.positions.map((rows) => rows[clock.events]), [13, 13]);
});
