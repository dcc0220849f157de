// @ts-check
// --- Something is done to a running world ---------------------------------------------------------
//
// It is the same world again up to that moment, and then another one. Where there would be nothing
// left to be seen of it, for the calls are over, the world goes on, and so do they.

import { come } from "./figures.js";
import { momentOf } from "./moment.js";
import { endOf, lasting, secondsOf, setupOf } from "./script.js";

/** @import { Engine, World } from "./engine.js" */
/** @import { Figures, Now } from "./figures.js" */
/** @import { Deed } from "./moment.js" */
/** @import { Act } from "./scenes.js" */

const LATE = 1; // seconds before the last event: too few to see what follows
const GOES_ON = 5; // seconds

/** How far a world goes on, in seconds, if something is done to it then; null: as far as it would.
 * @param {string} link @param {Figures} figures of it @param {number} now seconds
 */
export function goesOn(link, figures, now) {
  const last = figures.times.at(-1) ?? 0;
  if (last - now >= Math.min(LATE, last / 10)) return null;
  return Math.max(now + GOES_ON, endOf(setupOf(link)));
}

/** The world to which that was done.
 * @param {Engine} engine @param {string} link @param {number} now seconds @param {Deed[]} deeds
 * @param {number} until seconds: it ends there, if that is not before its last command
 * @param {boolean} calling the same calls go on until then
 * @returns {World}
 */
export function acted(engine, link, now, deeds, until, calling) {
  const end = Math.max(until, now);
  const world = engine.open(lasting(link, end));
  try {
    come(world, now);
    for (const [verb, given, named] of deeds) world.follow(verb, given, named);
    if (calling && !deeds.some(([verb]) => verb === "load")) {
      for (const [verb, given, named] of sameCalls(link, now, end)) world.follow(verb, given, named);
    }
    return come(world, Math.max(end, world.end));
  } catch (error) {
    world.free();
    throw error;
  }
}

/** A scene's world to which something was done.
 * @param {Engine} engine @param {Act} act @param {string} link @param {Figures} figures of that world
 * @param {number} now seconds @param {Now} before of the first world, then
 */
export function pulled(engine, act, link, figures, now, before) {
  const [on, end] = [goesOn(link, figures, now), endOf(setupOf(link))];
  const until = Math.max(on ?? end, act.until ?? 0, now + (act.lasts ?? 0));
  const deeds = act.deeds(before, momentOf(link, now), until);
  return acted(engine, link, now, deeds, until, on !== null || until > end);
}

/** Each client calls as it did last, until then. @param {string} link @param {number} now
 * @param {number} seconds @returns {Deed[]}
 */
function sameCalls(link, now, seconds) {
  const { loads, calling } = momentOf(link, now);
  return [
    ...loads.map((name) => /** @type {Deed} */ (["stop", [name], {}])),
    ...[...calling].map(([client, words]) => {
      const every = secondsOf(words.interval);
      const calls = every ? String(Math.max(1, Math.round((seconds - now) / every))) : words.calls;
      return /** @type {Deed} */ (["load", [client], { ...words, ...(calls ? { calls } : {}) }]);
    }),
  ];
}
