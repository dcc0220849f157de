// @ts-check
// --- Why it happened: one event of a world, and what led to it ------------------------------------

/** @import { World } from "./engine.js" */

/**
 * The event that tells most. Where there is none such, it is the last call.
 * @typedef {object} Example
 * @property {string} title
 * @property {(world: World, since: number) => number} of the event; -1: there is none after that moment
 */

/** A table's rows that began after that. @param {World} world @param {string} name @param {number} since */
function rowsSince(world, name, since) {
  const table = world.table(name);
  return Array.from({ length: table.rows }, (_, row) => (/** @type {string} */ column) => table.get(row, column))
    .filter((row) => world.event(row("start")).seconds >= since);
}

/** @type {Example} */
export const LAST_CALL = {
  title: "The last of these calls",
  of: (world, since) => Math.max(-1, ...rowsSince(world, "calls", since).map((row) => row("picked"))),
};
/** @type {Example} */
export const LAST_FAILURE = {
  title: "The last call that failed",
  of: (world, since) => rowsSince(world, "calls", since)
    .findLast((row) => row("end") >= 0 && world.value(row("code"), "code") !== "OK")?.("end") ?? -1,
};
/** @type {Example} */
export const SLOWEST_CALL = {
  title: "The slowest of these calls",
  of: (world, since) => {
    /** @param {number} event */
    const at = (event) => world.event(event).seconds;
    const ended = rowsSince(world, "calls", since).filter((row) => row("end") >= 0)
      .map((row) => ({ end: row("end"), took: at(row("end")) - at(row("start")) }));
    return ended.sort((a, b) => b.took - a.took)[0]?.end ?? -1;
  },
};
/** Of each address's first connection, the last one. @type {Example} */
export const LAST_TO_JOIN = {
  title: "The connection to the pod that came last",
  of: (world, since) => {
    const up = rowsSince(world, "connections", since).filter((row) => row("up") >= 0);
    return Math.max(-1, ...new Map(up.reverse().map((row) => [row("address"), row("up")])).values());
  },
};

/** @param {World} world @param {Example} example @param {number} since seconds
 * @returns {{ title: string, chain: { seconds: number, sentence: string }[] }}
 */
export function chainOf(world, example, since) {
  for (const { title, of } of [example, LAST_CALL]) {
    const event = of(world, since);
    if (event < 0) continue;
    return { title, chain: world.event(event).why().map(({ seconds, sentence }) => ({ seconds, sentence })) };
  }
  return { title: "", chain: [] };
}
