// @ts-check
// --- What a world comes to: who answered, how long it took, what it cost -------------------------

import { countBelow } from "./track.js";

/** @import { Engine, World } from "./engine.js" */

/**
 * Figures at a moment. Times are seconds.
 * @typedef {object} Now
 * @property {Map<string, number>} answered each pod's calls
 * @property {string} latest the pod that answered last; "": none has
 * @property {number} ended calls, well or not
 * @property {number} failed
 * @property {number} p50 of the calls that ended, as p99; NaN: none did
 * @property {number} p99
 * @property {number} open connections
 * @property {number} opened connections, up to now
 * @property {number} lookups of a name
 * @property {number} questions to DNS: A and AAAA are two
 */
/** @typedef {{ start: number, end: number, seconds: number, pod: string, ok: boolean }} Ended */

const BEGUN = 1e-9; // a world goes on at least for so long: at 0 nothing has happened

/** A world from a link, come to its end.
 * @param {Engine} engine @param {string} link @returns {World}
 */
export function opened(engine, link) {
  const world = engine.open(link);
  try {
    come(world, world.end);
  } catch (error) {
    world.free();
    throw error;
  }
  return world;
}

/** @param {World} world @param {number} seconds @returns {World} */
export function come(world, seconds) {
  while (!world.run(Math.max(seconds, BEGUN))) {
    // There is more to do.
  }
  return world;
}

/** Read once; it does not need the world afterwards. */
export class Figures {
  /** @param {World} world */
  constructor(world) {
    this.length = world.length;
    this.times = Float64Array.from({ length: this.length }, (_, row) => world.event(row).seconds);
    /** @type {string[]} */
    this.pods = world.pods.map((pod) => String(pod.name));
    const calls = world.table("calls");
    /** @type {Ended[]} */
    const ended = [];
    for (let row = 0; row < calls.rows; ++row) {
      const end = calls.get(row, "end");
      if (end < 0) continue;
      const start = this.times[calls.get(row, "start")];
      const ok = world.value(calls.get(row, "code"), "code") === "OK";
      const pod = world.word(calls.get(row, "pod"));
      ended.push({ start, end, seconds: this.times[end] - start, pod, ok: ok && pod !== "" });
    }
    this.calls = ended.sort((a, b) => a.end - b.end);
    this.all = calls.rows;
    const connections = world.table("connections");
    /** @type {number[]} */
    const up = [];
    /** @type {number[]} */
    const down = [];
    for (let row = 0; row < connections.rows; ++row) {
      const began = connections.get(row, "up");
      if (began < 0) continue;
      up.push(began);
      const ends = ["lost", "closed", "failed"].map((how) => connections.get(row, how));
      down.push(...ends.filter((end) => end >= 0).slice(0, 1));
    }
    this.up = up.sort((a, b) => a - b);
    this.down = down.sort((a, b) => a - b);
    const { kinds } = world.engine.about;
    /** @param {string} name */
    const rowsOf = (name) => {
      const kind = kinds.findIndex((one) => one.name === name);
      return [...this.times.keys()].filter((row) => world.events.get(row, "kind") === kind);
    };
    this.lookups = rowsOf("LookupStarted");
    this.questions = rowsOf("QueryAnswered");
  }

  /** The moment at which so many events have happened. @param {number} position */
  seconds(position) {
    return position > 0 ? this.times[Math.min(position, this.length) - 1] : 0;
  }

  /** How many events have happened by a moment. @param {number} seconds */
  position(seconds) {
    const after = this.times.findIndex((time) => time > seconds);
    return after < 0 ? this.length : after;
  }

  /**
   * @param {number} [position] so many events have happened; all
   * @param {number} [since] seconds: only calls that began then or later
   * @returns {Now}
   */
  at(position = this.length, since = 0) {
    const answered = new Map(this.pods.map((pod) => [pod, 0]));
    // Ten times a second, while a picture of some thousand calls plays: numbers sort as numbers here.
    const all = new Float64Array(this.calls.length);
    let many = 0;
    let failed = 0;
    let latest = "";
    for (const { start, end, seconds, pod, ok } of this.calls) {
      if (end >= position) break;
      if (start < since) continue;
      all[many++] = seconds;
      if (ok) answered.set((latest = pod), (answered.get(pod) ?? 0) + 1);
      else ++failed;
    }
    const took = all.subarray(0, many).sort();
    /** @param {number} share the least that so large a share is not above */
    const quantile = (share) => took[Math.ceil(took.length * share) - 1] ?? NaN;
    const up = countBelow(this.up, position);
    return {
      answered, latest, failed, ended: took.length, p50: quantile(0.5), p99: quantile(0.99),
      opened: up, open: up - countBelow(this.down, position),
      lookups: countBelow(this.lookups, position), questions: countBelow(this.questions, position),
    };
  }
}
