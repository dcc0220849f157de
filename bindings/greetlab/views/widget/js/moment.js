// @ts-check
// --- A link's world at a moment: what holds then, and how another crowd is made of it -------------
//
// What its words do, the engine alone knows; here is only which of them have been said by then.

import { byChance, durationOf, endOf, rateOf, secondsOf, setupOf, statementOf } from "./script.js";

/** @import { Setup, Words } from "./script.js" */

/** Something to do: a verb, its words by place, and by name.
 * @typedef {[verb: string, given: string[], named: Words]} Deed
 */
/**
 * @typedef {object} Moment
 * @property {number} seconds
 * @property {Setup} setup as it is then: the options that were changed, the pods that are asked
 *   for, the calls that are made
 * @property {string[]} clients that are there, by name
 * @property {number} opened clients, ever
 * @property {string[]} loads that have not been stopped, by name
 * @property {Map<string, Words>} calling who calls, and how
 */

/** @param {string} link @param {number} seconds @returns {Moment} */
export function momentOf(link, seconds) {
  const setup = setupOf(link);
  let { world, load } = setup;
  const [, ...statements] = link.slice(link.indexOf("#") + 1).split(";");
  /** @type {Set<string>} */
  const clients = new Set();
  /** @type {Map<string, string>} a load to its client */
  const loads = new Map();
  /** @type {Map<string, Words>} */
  const calling = new Map();
  let opened = 0;
  let loaded = 0;
  for (const told of statements) {
    const timed = /^@([^+]+)(?:\+(.*))?$/s.exec(told);
    if (timed && (secondsOf(timed[1]) ?? 0) > seconds + 1e-9) break;
    const { verb, given, named } = statementOf(timed ? timed[2] ?? "" : told);
    if (verb === "change") world = { ...world, ...named };
    else if (verb === "scale") world = { ...world, pods: given[0] };
    else if (verb === "open") clients.add(`client-${++opened}`);
    else if (verb === "close") {
      clients.delete(given[0]);
      calling.delete(given[0]);
    }
    else if (verb === "load") {
      loads.set(`load-${++loaded}`, given[0]);
      calling.set(given[0], named);
      load = named;
    } else if (verb === "stop" || verb === "cancel") {
      const client = loads.get(given[0]) ?? "";
      loads.delete(given[0]);
      if (![...loads.values()].includes(client)) calling.delete(client);
    }
  }
  return {
    seconds, setup: { ...setup, world, load, clients: clients.size }, clients: [...clients], opened, calling,
    loads: [...loads].filter(([, client]) => clients.has(client)).map(([name]) => name),
  };
}

/** So many clients from now on, who call as often as that, in all, until the end. Calls in flight
 * go on, but those of a client that leaves.
 * @param {Moment} moment
 * @param {{ clients: number, rate: number | null, seconds: number, chance: boolean }} crowd
 *   rate: null: each call begins when one has ended
 * @returns {Deed[]}
 */
export function crowd({ seconds: now, setup, clients, opened, loads }, { clients: wanted, rate, seconds, chance }) {
  const here = clients.slice(0, wanted);
  const more = Array.from({ length: Math.max(0, wanted - clients.length) },
    (_, i) => `client-${opened + 1 + i}`);
  const load = { ...setup.load };
  if (rate !== null) {
    const calls = Math.round((rate * Math.max(seconds - now, 0)) / wanted);
    load.calls = String(Math.max(calls, 1));
    load.interval = `${chance ? "exponential " : ""}${durationOf(wanted / rate)}`;
  }
  return [
    ...loads.map((name) => /** @type {Deed} */ (["stop", [name], {}])),
    ...clients.slice(wanted).map((name) => /** @type {Deed} */ (["close", [name], {}])),
    ...more.map(() => /** @type {Deed} */ (["open", [setup.service], setup.channel])),
    ...[...here, ...more].map((name) => /** @type {Deed} */ (["load", [name], load])),
  ];
}
