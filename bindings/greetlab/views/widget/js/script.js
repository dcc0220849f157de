// @ts-check
// --- A link, taken apart into what the levers say, and put together again ------------------------
//
// What it means, the engine alone knows (cpp/wasm/script.h): here are only its words. What was done
// to the world after its beginning is kept as it stands.

/** @typedef {Record<string, string>} Words an option's name to its value, as words */
/**
 * @typedef {object} Setup
 * @property {Words} world
 * @property {string} service
 * @property {Words} channel policy among them
 * @property {Words} load
 * @property {number} clients that are alike
 * @property {string[]} others what else is done at the beginning
 * @property {string[]} later what is done after it, and the end
 */

const UNITS = { ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };

/** Of "100ms" or "exponential 20ms"; null: of neither. @param {string | undefined} text */
export function secondsOf(text) {
  const found = /^(?:exponential )?(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)$/.exec(text ?? "");
  return found ? Number(found[1]) * UNITS[/** @type {keyof UNITS} */ (found[2])] : null;
}

/** @param {number} seconds */
export function durationOf(seconds) {
  const us = Math.round(seconds * 1e6);
  if (us % 1e6 === 0) return `${us / 1e6}s`;
  return us % 1e3 === 0 ? `${us / 1e3}ms` : `${us}us`;
}

/** @param {string} word */
const percent = (word) =>
  encodeURIComponent(word).replaceAll("%2F", "/").replaceAll("%3A", ":").replaceAll("%2C", ",");

/** @param {string} word */
function plainly(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word; // the engine says what is wrong with it
  }
}

/** @param {string} statement @returns {{ verb: string, given: string[], named: Words }} */
export function statementOf(statement) {
  const [verb = "", ...words] = statement.split("+");
  /** @type {string[]} */
  const given = [];
  /** @type {Words} */
  const named = {};
  for (const word of words) {
    const at = word.indexOf("=");
    if (at < 0) given.push(plainly(word));
    else named[plainly(word.slice(0, at))] = plainly(word.slice(at + 1));
  }
  return { verb: plainly(verb), given, named };
}

/** @param {string} verb @param {string[]} given @param {Words} named */
function written(verb, given, named) {
  return [verb, ...given.map(percent),
    ...Object.entries(named).map(([name, value]) => `${percent(name)}=${percent(value)}`)].join("+");
}

/** @param {string} link @returns {Setup} */
export function setupOf(link) {
  const [first, ...statements] = link.slice(link.indexOf("#") + 1).split(";");
  const begun = statements.findIndex((statement) => statement.startsWith("@"));
  const atOnce = begun < 0 ? statements : statements.slice(0, begun);
  /** @type {Setup} */
  const setup = {
    world: statementOf(first).named, service: "", channel: {}, load: {}, clients: 0, others: [],
    later: begun < 0 ? [] : statements.slice(begun),
  };
  for (const statement of atOnce) {
    const { verb, given, named } = statementOf(statement);
    if (verb === "open") {
      if (!setup.clients++) Object.assign(setup, { service: given[0] ?? "", channel: named });
    } else if (verb === "load") {
      if (given[0] === "client-1") setup.load = named;
    } else {
      setup.others.push(statement);
    }
  }
  return setup;
}

/** @param {Setup} setup @returns {string} a link's script */
export function linkOf({ world, service, channel, load, clients, others, later }) {
  const opens = Array.from({ length: clients }, () => written("open", [service], channel));
  const loads = Array.from({ length: Object.keys(load).length ? clients : 0 },
    (_, i) => written("load", [`client-${i + 1}`], load));
  return [written("v1", [], world), ...others, ...opens, ...loads, ...later].join(";");
}

/** Clients that come later are as those at the beginning. @param {Setup} setup @returns {Setup} */
export function alike(setup) {
  return {
    ...setup,
    later: setup.later.map((told) => told.replace(/^(@[^+]+\+)?open\+.*$/s,
      (_, when = "") => when + written("open", [setup.service], setup.channel))),
  };
}

/** How many calls a second all of them make; null: each begins when one has ended.
 * @param {Setup} setup
 */
export function rateOf({ load, clients }) {
  const every = secondsOf(load.interval);
  return every ? clients / every : null;
}

/** Whether the calls come by chance. @param {Setup} setup */
export const byChance = ({ load }) => (load.interval ?? "").startsWith("exponential");

/** How far it goes, in seconds. @param {Setup} setup */
export function endOf({ later }) {
  const last = /^@([^+]+)/.exec(later.at(-1) ?? "")?.[1];
  return secondsOf(last) ?? 0;
}

/** The same, as far as that. @param {string} link @param {number} seconds @returns {string} */
export function lasting(link, seconds) {
  const statements = link.slice(link.indexOf("#") + 1).split(";");
  if (/^@[^+]+$/.test(statements.at(-1) ?? "")) statements.pop();
  return [...statements, `@${durationOf(seconds)}`].join(";");
}

/** Calls as often as that, in all, until the end.
 * @param {Setup} setup
 * @param {{ rate: number, seconds: number, chance: boolean }} load
 * @returns {Setup}
 */
export function loaded(setup, { rate, seconds, chance }) {
  const every = setup.clients / rate;
  const before = setup.later.filter((statement) => statement.includes("+") || !statement.startsWith("@"));
  return {
    ...setup,
    load: {
      ...setup.load,
      calls: String(Math.max(1, Math.round((rate * seconds) / Math.max(setup.clients, 1)))),
      interval: `${chance ? "exponential " : ""}${durationOf(every)}`,
    },
    later: [...before, `@${durationOf(seconds)}`],
  };
}
