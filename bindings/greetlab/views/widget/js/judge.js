// @ts-check
// --- The judge: a picker of one's own in a challenge's world, over many seeds ---------------------
//
// It runs in a worker, so that a picker that never ends can be ended (yours.js): what it posts are
// `News`. The learner's source stands in the worker's own, behind this; nothing is ever evaluated.

import { CHALLENGES } from "./challenges.js";
import { Engine, PICK_ROW } from "./engine.js";
import { Figures, opened } from "./figures.js";
import { recorded } from "./recorded.js";

/** @import { Challenge } from "./challenges.js" */
/** @import { Palette } from "./essay.js" */
/** @import { Packed } from "./unpack.js" */

/**
 * A READY connection. Times are seconds; `latency` and `mean` of its answers, 0: there was none.
 * @typedef {object} Ready
 * @property {number} number its subchannel's, in the trace: the same in the next list
 * @property {number} in_flight
 * @property {number} answered
 * @property {number} failed
 * @property {number} latency the last answer's
 * @property {number} mean the newer the answer, the more it counts
 * @property {number} waiting how long its oldest call in flight is without an answer
 */
/** @typedef {(ready: Ready[], call: number) => Ready | null} Pick */
/** The learner's source, begun anew for each client. @typedef {(random: () => number) => Pick} Make */
/** @typedef {{ seed: number, why: string, by: number, thrown: boolean }} Wrong */
/** @typedef {{ passed: number, of: number, worst: Wrong | null }} Verdict */
/** @typedef {{ verdict: Verdict, done: boolean, packed: Packed | null }} News */

export const SEEDS = 100;

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). @param {number} seed */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Anything at all, as a word. @param {unknown} thing */
function wordOf(thing) {
  try {
    return String(thing);
  } catch { // of an object that is none of Object's
    return "something that cannot be said";
  }
}

/** One run of a picker: its clients' pickers, and the first thing that went wrong in them. */
class Run {
  /** @param {Make} make @param {number} seed */
  constructor(make, seed) {
    /** @type {Map<number, Pick>} */
    const picks = new Map();
    this.thrown = "";
    /** @param {Float64Array} rows @param {number} call @param {number} client */
    this.choose = (rows, call, client) => {
      try {
        const pick = picks.get(client) ?? make(chance(seed * 1009 + client));
        picks.set(client, pick);
        const ready = Array.from({ length: rows.length / PICK_ROW }, (_, i) => {
          const [number, in_flight, answered, failed, latency, mean, waiting] =
            rows.subarray(i * PICK_ROW, (i + 1) * PICK_ROW);
          return Object.freeze({ number, in_flight, answered, failed, latency, mean, waiting });
        });
        const chosen = pick(ready, call);
        if (chosen === null) return -1;
        const row = ready.indexOf(chosen);
        if (row >= 0) return row;
        const what = chosen === undefined ? "nothing" : wordOf(chosen);
        this.thrown ||= `pick returned ${what}: it is to return one of ready, or null to wait`;
      } catch (error) {
        this.thrown ||= `pick threw ${wordOf(error)}`;
      }
      return -2;
    };
  }
}

/** The world of a challenge, come to its end. Free it. @param {Engine} engine
 * @param {Challenge} challenge @param {number} seed @param {string} policy
 */
function worldOf(engine, { script }, seed, policy) {
  return opened(engine, script.replace("{seed}", String(seed)).replace("{policy}", policy));
}

/** What is wrong with a picker in one world; null: nothing.
 * @param {Engine} engine @param {Challenge} challenge @param {Make} make @param {number} seed
 * @returns {Wrong | null}
 */
export function tried(engine, challenge, make, seed) {
  /** @param {string} policy */
  const figures = (policy) => {
    const world = worldOf(engine, challenge, seed, policy);
    const read = new Figures(world);
    world.free();
    return read;
  };
  const run = new Run(make, seed);
  engine.mine = run.choose;
  const mine = figures("mine");
  engine.mine = null;
  if (run.thrown) return { seed, why: run.thrown, by: Infinity, thrown: true };
  const fault = challenge.wrong(mine, challenge.versus ? figures(challenge.versus) : null);
  return fault && { seed, ...fault, thrown: false };
}

/** What happened in one world, for the picture.
 * @param {Engine} engine @param {Challenge} challenge @param {Make} make @param {number} seed
 * @param {Palette} palette
 */
export function shown(engine, challenge, make, seed, palette) {
  engine.mine = new Run(make, seed).choose;
  const world = worldOf(engine, challenge, seed, "mine");
  engine.mine = null;
  const packed = recorded(world, `your picker, seed ${seed}`, palette.styles, palette.failed);
  world.free();
  return packed;
}

/** Judges over the seeds; after each, `tell`. @param {Engine} engine @param {Challenge} challenge
 * @param {Make} make @param {(verdict: Verdict) => void} tell @returns {Verdict}
 */
export function judged(engine, challenge, make, tell = () => {}) {
  /** @type {Verdict} */
  const verdict = { passed: 0, of: 0, worst: null };
  for (let seed = 1; seed <= SEEDS; ++seed) {
    const wrong = tried(engine, challenge, make, seed);
    verdict.of = seed;
    if (!wrong) ++verdict.passed;
    else if (!verdict.worst || wrong.by > verdict.worst.by) verdict.worst = wrong;
    tell(verdict);
    if (wrong?.thrown) break; // it would be the same a hundred times
  }
  return verdict;
}

/** In a worker: one message asks, and the news are posted. @param {Make} make */
function serve(make) {
  const here = /** @type {{ onmessage: unknown, postMessage: (news: News) => void }} */ (
    /** @type {unknown} */ (globalThis)
  );
  here.onmessage = async (/** @type {MessageEvent} */ { data }) => {
    const { bytes, number, palette } = data;
    const engine = await Engine.load(bytes);
    const challenge = CHALLENGES[number];
    const verdict = judged(engine, challenge, make, (so_far) => {
      if (so_far.of % 5 === 0) here.postMessage({ verdict: so_far, done: false, packed: null });
    });
    const packed = shown(engine, challenge, make, verdict.worst?.seed ?? 1, palette);
    here.postMessage({ verdict, done: true, packed });
  };
}

export default { serve };
