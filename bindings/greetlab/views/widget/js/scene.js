// @ts-check
// --- The topology: DNS, clients, the ClusterIP, pods ------------------------------------------

import { drawClient, seconds } from "./client.js";
import { box, cross, glyph, write } from "./glyphs.js";
import { DEAD, WELL } from "./lesson.js";
import { NEVER, hostOf, tailOf } from "./model.js";
import { FAREWELL, drawCalls, drawConnections, ease } from "./pipes.js";
import { countBelow } from "./track.js";

/** @import { Box, Pen, Theme } from "./glyphs.js" */
/** @import { View } from "./layout.js" */
/** @import { Model, Pod } from "./model.js" */

/** Draws a panel at its position.
 * @param {View} view @param {Pen} g @param {Theme} theme
 */
export function drawScene(view, g, theme) {
  g.clearRect(0, 0, view.layout.width, view.layout.height);
  drawDns(view, g, theme);
  for (const entry of view.layout.clients) drawClient(view, g, theme, entry);
  drawConnections(view, g, theme);
  const arriving = drawCalls(view, g, theme);
  if (view.layout.proxy) drawProxy(view, g, theme, view.layout.proxy);
  for (const { pod, box: place } of view.layout.pods) {
    const strength = arriving.get(pod) ?? 0;
    if (view.layout.grid) drawTile(view, g, theme, pod, place, strength);
    else drawPod(view, g, theme, pod, place, strength);
  }
}

/** @param {View} view @param {Pen} g @param {Theme} theme */
function drawDns(view, g, theme) {
  const { model, layout, position } = view;
  const { dns } = layout;
  const client = lastToLookUp(model, position);
  const lookup = client?.lookups.findLast((one) => one.start < position);
  const asking = lookup && lookup.end >= position;
  const links = layout.clients.map((entry) => entry.box);
  g.strokeStyle = theme.line;
  g.lineWidth = 1.4;
  g.setLineDash([2, 5]);
  g.beginPath();
  g.moveTo(dns.x + 22, dns.y + dns.h);
  g.lineTo(dns.x + 22, links[0]?.y ?? dns.y + dns.h);
  g.stroke();
  g.setLineDash([]);
  box(g, dns, 10, theme.card, asking ? theme.wait : theme.line);
  const { x, y, w } = dns;
  write(g, "DNS", x + 12, y + 17, { size: 13, weight: 650, color: theme.ink });
  const name = lookup ? lookup.name.split(".")[0] : "";
  const resolver = client?.resolver.at(position);
  const left = resolver ? resolver.until - view.time : 0;
  let said = "nobody has asked";
  if (asking) said = "asked…";
  else if (lookup) said = lookup.count ? answer(lookup.count) : lookup.status.toUpperCase();
  if (client && resolver && !asking && left > 0) {
    const from = model.columns.time[client.resolver.since(position)];
    const share = Math.min(1, left / Math.max(resolver.until - from, 1));
    write(g, `next lookup in ${seconds(left)}`, x + 12, y + 38, { size: 12, color: theme.soft });
    box(g, { x: x + 12, y: y + 52, w: (w - 24) * share, h: 3 }, 1.5, theme.wait);
  } else {
    write(g, name, x + 12, y + 39, { size: 11, mono: true, color: theme.soft, width: w - 20 });
  }
  write(g, said, x + w - 12, y + 17, {
    size: 11.5, color: asking ? theme.wait : theme.quiet, align: "right", width: w - 58,
  });
  view.boxes.push({ ...dns, row: lookup ? Math.min(lookup.end, lookup.start) : -1, lookup });
  if (asking && links.length && !view.still) {
    const from = view.uOf(lookup.start);
    const to = lookup.end === NEVER ? view.u + 1 : view.uOf(lookup.end);
    const t = Math.min(1, (view.u - from) / Math.max(to - from, 1e-6));
    const share = ease(t < 0.5 ? 2 * t : 2 - 2 * t);
    const at = links[0].y + (dns.y + dns.h - links[0].y) * share;
    letter(g, theme, dns.x + 22, at, t < 0.5 ? "?" : "!");
  }
}

/** @param {number} count */
const answer = (count) => `${count} address${count === 1 ? "" : "es"}`;

/**
 * @param {Pen} g @param {Theme} theme @param {number} x @param {number} y
 * @param {string} text
 */
function letter(g, theme, x, y, text) {
  box(g, { x: x - 9, y: y - 8, w: 18, h: 16 }, 4, theme.wait, theme.edge);
  write(g, text, x, y + 0.5, { size: 11, weight: 700, color: theme.bg, align: "center" });
}

/** @param {Model} model @param {number} position */
function lastToLookUp(model, position) {
  let found = null;
  let last = -1;
  for (const client of model.clients) {
    const lookup = client.lookups.findLast((one) => one.start < position);
    if (lookup && lookup.start > last) [found, last] = [client, lookup.start];
  }
  return found;
}

/** @param {View} view @param {Pen} g @param {Theme} theme @param {Box} proxy */
function drawProxy(view, g, theme, proxy) {
  const { layout, model, position } = view;
  const { compact } = layout;
  const { x, y, w } = proxy;
  const latest = model.connections.findLast((c) => c.proxied && c.routed < position);
  const fresh = latest ? view.u - view.uOf(latest.routed) : NEVER;
  box(g, proxy, 10, theme.card, fresh < FAREWELL ? theme.accent : theme.line);
  const middle = x + w / 2;
  write(g, "ClusterIP", middle, y + 17, {
    size: 13, weight: 650, color: theme.ink, align: "center", width: w - 8,
  });
  const address = [...model.virtual][0]?.replace(/:\d+$/, "") ?? "";
  write(g, address, middle, y + 35, {
    size: compact ? 10 : 11, mono: true, color: theme.soft, align: "center", width: w - 6,
  });
  write(g, compact ? "chooses once" : "chooses per connection", middle, y + 52, {
    size: compact ? 10 : 10.5, color: theme.quiet, align: "center", width: w - 6,
  });
  const row = latest?.routed ?? model.connections.findLast((c) => c.dial < position)?.dial ?? -1;
  view.boxes.push({ ...proxy, row });
}

/**
 * @param {View} view @param {Pen} g @param {Theme} theme
 * @param {Pod} pod @param {Box} place @param {number} strength
 */
function drawPod(view, g, theme, pod, place, strength) {
  const { position, model, layout } = view;
  const { x, y, w, h } = place;
  const state = pod.state.at(position);
  const dead = DEAD.has(state);
  const there = state !== null || pod.answered.length > 0 || pod.addresses.length > 0;
  const count = countBelow(pod.answered, position);
  const ended = Math.max(countBelow(model.ended, position), 1);
  g.save();
  if (!there) g.globalAlpha = 0.4;
  if (strength > 0) halo(g, place, pod, strength);
  const waiting = dead ? 0 : pod.waiting.at(position);
  box(g, place, 10, theme.card, dead || waiting ? theme.bad : theme.line, dead ? [4, 4] : []);
  if (waiting) redden(g, theme, place, 10, waiting);
  const small = h < 58;
  const line = small ? y + h / 2 - 2 : y + Math.min(24, h * 0.36);
  const from = layout.narrow ? x + 30 : x + 36;
  glyph(g, theme, pod, from - 17, line, small ? 6 : 8, { alpha: dead ? 0.35 : 1 });
  const size = small || layout.compact ? 14 : 19;
  const margin = layout.narrow ? 8 : 12;
  const total = write(g, count.toLocaleString("en"), x + w - margin, line, {
    size, weight: 650, align: "right", color: count ? theme.ink : theme.quiet,
  });
  const room = x + w - margin - 4 - from - total;
  const name = write(g, pod.name, from, line, {
    size: layout.narrow ? 11 : 13, weight: 650, color: dead ? theme.quiet : theme.ink, width: room,
  });
  const well = !state || WELL.has(state);
  const note = waiting ? `${waiting} waiting` : well ? "" : String(state);
  const letters = Math.floor((w - 44) / 6.4);
  const [host = "", second] = pod.addresses.map((address) => tailOf(hostOf(address), letters));
  if (small) {
    const text = layout.compact ? note : note || host;
    write(g, text, x + 44 + name, line, {
      size: 10.5, color: note ? theme.bad : theme.quiet, mono: !note, width: room - name - 6,
    });
  } else {
    const text = note && layout.compact ? note : note ? `${host}  ${note}` : host;
    write(g, text, x + 36, line + 18, {
      size: 10.5, color: note ? theme.bad : theme.quiet, mono: !note, width: w - 44,
    });
    if (second && h >= 80) {
      write(g, second, x + 36, line + 32, {
        size: 10.5, color: theme.quiet, mono: true, width: w - 44,
      });
    }
  }
  const bar = { x: x + 12, y: y + h - (small ? 7 : 14), w: w - 24, h: small ? 3 : 5 };
  box(g, bar, 2.5, theme.casing);
  const share = count / ended;
  const fill = pod.color === "#000000" ? theme.ink : pod.color;
  if (share > 0) box(g, { ...bar, w: Math.max(bar.w * share, 3) }, 2.5, fill);
  g.restore();
  view.boxes.push({ ...place, row: pod.state.since(position) });
}

const RED = 20; // calls that wait: it gets no redder

/** A pod in which calls wait. @param {Pen} g @param {Theme} theme @param {Box} place
 * @param {number} radius @param {number} waiting
 */
function redden(g, theme, place, radius, waiting) {
  g.save();
  g.globalAlpha *= 0.08 + 0.32 * Math.min(1, waiting / RED);
  box(g, place, radius, theme.bad);
  g.restore();
}

/** @param {Pen} g @param {Box} place @param {Pod} pod @param {number} strength */
function halo(g, { x, y, w, h }, pod, strength) {
  g.save();
  g.globalAlpha *= 0.3 * strength;
  g.strokeStyle = pod.color;
  g.lineWidth = 7;
  g.beginPath();
  g.roundRect(x - 1, y - 1, w + 2, h + 2, 11);
  g.stroke();
  g.restore();
}

/** A pod among many: its mark, and how many calls it has answered.
 * @param {View} view @param {Pen} g @param {Theme} theme
 * @param {Pod} pod @param {Box} place @param {number} strength
 */
function drawTile(view, g, theme, pod, place, strength) {
  const { x, y, w, h } = place;
  const { position, model } = view;
  const count = countBelow(pod.answered, position);
  const dead = DEAD.has(pod.state.at(position));
  const most = Math.max(...model.pods.map((one) => one.answered.length), 1);
  if (strength > 0) halo(g, place, pod, strength * 0.7);
  const waiting = dead ? 0 : pod.waiting.at(position);
  box(g, place, 4, theme.card, dead || waiting ? theme.bad : theme.line, dead ? [3, 3] : []);
  if (waiting) redden(g, theme, place, 4, waiting);
  g.save();
  g.globalAlpha = dead ? 0.1 : 0.3;
  const fill = pod.color === "#000000" ? theme.quiet : pod.color;
  const level = (h - 2) * (count / most);
  box(g, { x: x + 1, y: y + h - 1 - level, w: w - 2, h: level }, 3, fill);
  g.restore();
  glyph(g, theme, pod, x + w / 2, y + 8, 3.4, { alpha: dead ? 0.3 : 1 });
  if (dead) cross(g, theme, x + w / 2, y + h - 8, 3);
  else {
    write(g, brief(count), x + w / 2, y + h - 7, {
      size: 9, color: count ? theme.ink : theme.quiet, align: "center", width: w - 2,
    });
  }
  view.boxes.push({ ...place, row: pod.state.since(position) });
}

/** @param {number} count */
const brief = (count) =>
  count < 1000 ? count : `${(count / 1000).toFixed(count < 9950 ? 1 : 0)}k`;
