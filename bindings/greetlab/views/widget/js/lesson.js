// @ts-check
// --- What there is to learn at this moment ----------------------------------------------------

import { countBelow } from "./track.js";

/** @import { Connection, Model, Pod } from "./model.js" */

/** One sentence about what the picture shows now; "" where there is nothing to say yet.
 * @param {Model} model @param {number} position @returns {string}
 */
export function lesson(model, position) {
  const clients = model.clients.filter((client) => client.state.at(position) !== "SHUTDOWN");
  const client = clients.length === 1 ? clients[0] : null;
  const open = model.connections.filter((c) => c.up < position && c.end >= position);
  const ended = countBelow(model.ended, position);
  if (!client) {
    if (!model.viaProxy || !ended) return "";
    return "The ClusterIP chooses a pod for each connection; the calls on it do not move.";
  }
  const state = client.state.at(position);
  const picker = client.picker.at(position);
  const list = client.list.at(position);
  const lookup = client.lookups.findLast((one) => one.start < position);
  if (!lookup) return state === "IDLE" ? "Nothing happens before the first call." : "";
  if (lookup.end >= position && !list.length) return "First it asks DNS: where does the name live?";
  const dead = model.pods.filter((pod) => DEAD.has(pod.state.at(position)));
  const stale = dead.filter((pod) => pod.addresses.some((one) => list.includes(one)));
  const unlisted = model.endpoints
    .at(position)
    .filter((address) => !list.includes(address))
    .flatMap((address) => model.podByAddress.get(address) ?? []);
  const unseen = [...new Set(unlisted)];
  if (state === "TRANSIENT_FAILURE") return "No connection can be made: calls fail at once.";
  if (model.viaProxy) return proxyLesson(open, ended);
  const silent = stale.filter((pod) => open.some((one) => one.pod === pod));
  if (silent.length) {
    const who = named(silent, "is", "are");
    return `${who} silent, and the connection still looks READY: a call that goes there waits.`;
  }
  if (stale.length) {
    const who = named(stale, "is", "are");
    return `${who} dead, but still on the client's list: it dials, and waits ever longer.`;
  }
  if (unseen.length && list.length && ended) {
    const who = named(unseen, "can", "can");
    return `${who} serve, but the client has not looked the name up since: no calls there.`;
  }
  if (state === "CONNECTING") return "It dials: until a connection is READY, calls wait.";
  if (picker.picker === "pick_first" && list.length > 1) {
    return `DNS told of ${list.length} pods, but pick_first is content with one connection.`;
  }
  if (picker.ready < list.length && picker.ready) {
    return `Only ${picker.ready} of ${list.length} connections are READY: calls go there alone.`;
  }
  if (picker.ready > 1 && picker.picker in TAKEN) {
    const pods = new Set(list.map((address) => model.podByAddress.get(address) ?? address)).size;
    return pods < picker.ready
      ? `To DNS each address is an endpoint: ${picker.ready} connections to ${pods} pods.`
      : `A connection to each of ${picker.ready} pods, and ${TAKEN[picker.picker]}.`;
  }
  return "";
}

/** How a policy chooses. @type {Record<string, string>} */
const TAKEN = {
  round_robin: "the calls take turns",
  random: "each call goes to one of them by chance",
  least_request: "of some that it draws, the one with the fewest calls in flight",
  weighted_round_robin: "the calls take turns, more of them where the weight is more",
};

/** A few pods by name, more by their number, with the verb.
 * @param {Pod[]} pods @param {string} one @param {string} several
 */
function named(pods, one, several) {
  if (pods.length === 1) return `${pods[0].name} ${one}`;
  const who = pods.length === 2 ? `${pods[0].name} and ${pods[1].name}` : `${pods.length} pods`;
  return `${who} ${several}`;
}

/** @type {Set<string | null>} */
export const DEAD = new Set(["killed", "lost", "stopped"]);
/** @type {Set<string | null>} */
export const WELL = new Set(["started", "ready", "SERVING", "fast again", "well again"]);

/** @param {Connection[]} open @param {number} ended */
function proxyLesson(open, ended) {
  if (!open.length) return "Whoever dials the ClusterIP is sent to one pod, by chance.";
  const pod = open[0].pod;
  if (open.length > 1 || !pod) return "The ClusterIP balances connections, not requests.";
  if (ended < 3) return `One connection, so one pod: the ClusterIP has chosen ${pod.name}.`;
  return `Balanced once, when it was dialled: ${pod.name} gets every call on this connection.`;
}
