// @ts-check
// --- Connections, and the calls in them -------------------------------------------------------

import { REQUEST } from "./clock.js";
import { cross, glyph } from "./glyphs.js";
import { MOST_CLIENTS } from "./layout.js";
import { DEAD } from "./lesson.js";
import { NEVER } from "./model.js";
import { countBelow } from "./track.js";

/** @import { Pen, Theme } from "./glyphs.js" */
/** @import { Layout, View, Way } from "./layout.js" */
/** @import { Call, Connection, Pod } from "./model.js" */

export const FAREWELL = 1.9; // seconds of the picture that a broken connection is still seen
const LEAST = 0.5; // ... that a call's mark is on its way at least, when many are made quickly

/** All connections that are there at this position, or have just broken.
 * @param {View} view @param {Pen} g @param {Theme} theme
 */
export function drawConnections(view, g, theme) {
  const { model, layout, position, u } = view;
  const thin = layout.grid || model.clients.length > MOST_CLIENTS;
  for (const connection of model.connections) {
    if (connection.dial >= position) continue;
    const gone = connection.end < position;
    const since = gone ? u - view.uOf(connection.end) : 0;
    if (gone && (since > FAREWELL || connection.how === "closed" || view.still && since > 0.05)) {
      continue;
    }
    const way = layout.path(connection);
    const fade = gone ? 1 - since / FAREWELL : 1;
    g.save();
    g.lineCap = "round";
    g.globalAlpha = fade;
    if (connection.up < position) drawPipe(view, g, theme, connection, way, thin, gone);
    else drawDial(view, g, theme, connection, way, thin, gone);
    g.restore();
    view.paths.push({ way, connection });
  }
}

/**
 * @param {View} view @param {Pen} g @param {Theme} theme
 * @param {Connection} connection @param {Way} way @param {boolean} thin @param {boolean} gone
 */
function drawPipe({ position }, g, theme, connection, way, thin, gone) {
  const color = connection.pod?.color ?? theme.quiet;
  const draining = connection.goaway < position;
  const spans = gone ? [[0, 0.47], [0.53, 1]] : [[0, 1]];
  const proxyless = connection.proxied && connection.routed === NEVER && !connection.pod;
  for (const [from, to] of proxyless ? [[0, way.proxyAt]] : spans) {
    way.trace(g, from, to);
    if (thin) {
      g.lineWidth = 1.4;
      g.strokeStyle = gone ? theme.bad : color;
      g.globalAlpha *= gone ? 0.8 : 0.42;
      g.stroke();
      continue;
    }
    g.lineWidth = 13;
    g.strokeStyle = theme.casing;
    g.stroke();
    g.lineWidth = 11;
    g.strokeStyle = theme.bg;
    g.stroke();
    g.save();
    g.globalAlpha *= Number(theme.pipe);
    if (draining) g.setLineDash([2, 9]);
    g.lineWidth = 9;
    g.strokeStyle = color === "#000000" ? theme.quiet : color;
    g.stroke();
    g.restore();
  }
  if (gone) cross(g, theme, ...way.at(0.5), thin ? 4 : 7);
}

/**
 * @param {View} view @param {Pen} g @param {Theme} theme
 * @param {Connection} connection @param {Way} way @param {boolean} thin @param {boolean} gone
 */
function drawDial({ u, position, uOf, still }, g, theme, connection, way, thin, gone) {
  const answer = Math.min(connection.up, connection.end);
  const [from, to] = [uOf(connection.dial), answer === NEVER ? u + 1 : uOf(answer)];
  let reach = gone ? 1 : still ? 0.5 : Math.min(1, (u - from) / Math.max(to - from, 1e-6) / 0.9);
  if (connection.proxied && connection.routed >= position) reach = Math.min(reach, way.proxyAt);
  g.setLineDash(thin ? [3, 4] : [5, 7]);
  g.lineWidth = thin ? 1 : 2.4;
  if (thin) g.globalAlpha *= 0.4;
  g.strokeStyle = gone ? theme.bad : theme.wait;
  way.trace(g, 0, Math.max(reach, 0.02));
  g.stroke();
  g.setLineDash([]);
  if (gone) cross(g, theme, ...way.at(0.97), thin ? 3 : 6);
  else if (!thin) {
    g.fillStyle = theme.wait;
    g.beginPath();
    g.arc(...way.at(Math.max(reach, 0.02)), 4, 0, 2 * Math.PI);
    g.fill();
  }
}

/** Every call on its way. Gives the pods that calls are arriving at, and how strongly.
 * @param {View} view @param {Pen} g @param {Theme} theme
 */
export function drawCalls(view, g, theme) {
  const { model, layout, position, u } = view;
  /** @type {Map<Pod, number>} */
  const arriving = new Map();
  const size = layout.busiest > 24 ? 3.6 : layout.busiest > 6 ? 5 : 6.6;
  for (const call of model.active(view)) {
    const { connection } = call;
    const journey = travel(view, call);
    if (!connection || journey === null) continue;
    const { share, back, atPod, alpha } = journey;
    const way = layout.path(connection);
    let [x, y] = way.at(share);
    if (layout.busiest > 6) y += (((call.number * 7919) % 13) - 6) * (layout.grid ? 0.5 : 0.7);
    const hidden = connection.proxied && inProxy(layout, x);
    const pod = call.pod ?? connection.pod;
    if (atPod && pod && !DEAD.has(pod.state.at(position))) {
      arriving.set(pod, Math.max(arriving.get(pod) ?? 0, atPod));
    }
    const failed = back && call.code && call.code !== "OK";
    if (!hidden) {
      if (failed) cross(g, theme, x, y, size * 0.85, alpha);
      else glyph(g, theme, pod, x, y, size, { hollow: back, alpha });
    }
    view.marks.push({ x, y, call });
  }
  for (const row of model.failed.slice(countBelow(model.failed, position - 400))) {
    if (row >= position) break;
    const age = u - view.uOf(row);
    if (age > FAREWELL || (view.still && age > 0.05)) continue;
    const call = model.callOfEnd.get(row);
    if (!call || call.picked !== NEVER) continue;
    const entry = layout.clients.find((one) => one.client === call.client) ?? layout.clients[0];
    const x = entry.box.x + entry.box.w + 14 + ((call.number * 7) % 22);
    const y = entry.box.y + entry.box.h - 14 + age * 22;
    cross(g, theme, x, y, 5, 1 - age / FAREWELL);
    view.marks.push({ x, y, call });
  }
  return arriving;
}

/** @param {Layout} layout @param {number} x */
const inProxy = ({ proxy }, x) => proxy && x > proxy.x - 4 && x < proxy.x + proxy.w + 4;

/** Where a call is: out, at the pod, or on its way back. null: not to be seen.
 *
 * When it reached the pod no client can see; the picture lets out and back take equally long.
 *
 * @param {View} view @param {Call} call
 */
function travel(view, call) {
  const begin = view.uOf(call.picked);
  const end = call.end === NEVER ? NEVER : view.uOf(call.end);
  const inFlight = call.end >= view.position;
  if (view.still) return inFlight ? { share: 0.5, back: false, atPod: 0, alpha: 1 } : null;
  const life = Math.max(end - begin, LEAST * view.scale);
  const age = view.u - begin;
  if (age > life) return null;
  const leg = Math.min(life * 0.46, REQUEST * 0.6);
  const alpha = inFlight ? 1 : 0.75;
  if (age < leg) return { share: ease(age / leg), back: false, atPod: 0, alpha };
  if (age <= life - leg) return { share: 1, back: false, atPod: 1, alpha };
  const left = life - age;
  return { share: ease(left / leg), back: true, atPod: Math.max(0, 2 * (left / leg) - 1), alpha };
}

/** @param {number} t */
export const ease = (t) => t * t * (3 - 2 * t);
