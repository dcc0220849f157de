import assert from "node:assert/strict";
import { test } from "node:test";

import { Track, countBelow } from "../../bindings/greetlab/views/widget/js/track.js";

test("how many are below a value, which is not one of them", () => {
  const list = [2, 3, 3, 7];
  assert.deepEqual([0, 2, 3, 4, 7, 8].map((value) => countBelow(list, value)), [0, 0, 1, 3, 3, 4]);
  assert.equal(countBelow([], 1), 0);
});

test("what an event sets is there as soon as it has happened, and not before", () => {
  const track = new Track("first");
  track.set(3, "third");
  track.set(5, "fifth");
  // At position 4, the events of the rows 0 to 3 have happened.
  const values = [0, 3, 4, 5, 6, 99].map((position) => track.at(position));
  assert.deepEqual(values, ["first", "first", "third", "third", "fifth", "fifth"]);
});

test("of two changes at one row the last one counts", () => {
  const track = new Track(0);
  track.set(3, 1);
  track.set(3, 2);
  assert.equal(track.at(4), 2);
});

test("since when it is so, and until when", () => {
  const track = new Track(null);
  track.set(3, "a");
  track.set(5, "b");
  assert.deepEqual([0, 3, 4, 6].map((position) => track.since(position)), [-1, -1, 3, 5]);
  assert.deepEqual([0, 3, 4, 6].map((position) => track.until(position)), [3, 3, 5, Infinity]);
});
