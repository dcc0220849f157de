// @ts-check
// --- A client: its state, its picker, its subchannels, its queue -------------------------------

import { box, glyph, stateColor, stateWord, write } from "./glyphs.js";
import { hostOf, tailOf } from "./model.js";
import { countBelow } from "./track.js";

/** @import { Box, Pen, Theme } from "./glyphs.js" */
/** @import { Entry, Point, View } from "./layout.js" */
/** @import { Client, Subchannel } from "./model.js" */

/** @type {Record<string, string>} */
const WITHOUT_CHOICE = { none: "no picker yet", queue: "calls wait", fail: "calls fail" };

/** @param {View} view @param {Pen} g @param {Theme} theme @param {Entry} entry */
export function drawClient(view, g, theme, entry) {
  const { position, layout } = view;
  const { client, box: place } = entry;
  const { x, y, w, h } = place;
  box(g, place, 10, theme.card, theme.line);
  if (!client) return drawCrowd(view, g, theme, place);
  const state = client.state.at(position);
  const faded = state === "SHUTDOWN";
  g.save();
  if (faded) g.globalAlpha = 0.5;
  const name = write(g, client.name, x + 12, y + 17, {
    size: layout.narrow ? 12 : 13, weight: 650, color: theme.ink,
  });
  stateWord(g, theme, state, x + w - 12, y + 17, w - name - 40);
  const picker = client.picker.at(position);
  const said = WITHOUT_CHOICE[picker.picker] ?? picker.picker;
  write(g, said === picker.picker ? `picker: ${said}` : said, x + 12, y + 38, {
    size: 12, color: theme.soft, width: w - 24,
  });
  const next = view.model.nextPick(client, position);
  if (entry.matrix) drawMatrix(view, g, theme, entry, client, next);
  else for (const address of entry.addresses) drawRow(view, g, theme, entry, client, address, next);
  drawWaiting(view, g, theme, client, place);
  g.restore();
  view.boxes.push({ x, y, w, h: 52, row: client.state.since(position) });
}

/** The subchannel to show for an address: a READY one first, then any living one, the newest.
 * @param {Client} client @param {string} address @param {number} position
 */
function subchannelAt(client, address, position) {
  /** @param {Subchannel} one @returns {number} */
  const rank = (one) => ({ READY: 2, SHUTDOWN: 0 })[one.state.at(position)] ?? 1;
  /** @type {Subchannel | null} */
  let found = null;
  for (const one of client.subchannels.values()) {
    if (one.address !== address || one.created >= position) continue;
    if (!found || rank(one) >= rank(found)) found = one;
  }
  return found;
}

/**
 * @param {View} view @param {Pen} g @param {Theme} theme
 * @param {Entry} entry @param {Client} client @param {string} address
 * @param {Subchannel | null} next
 */
function drawRow(view, g, theme, entry, client, address, next) {
  const { model, layout, position } = view;
  const { x, w } = entry.box;
  const y = entry.rows.get(address) ?? 0;
  const subchannel = subchannelAt(client, address, position);
  if (!subchannel) return; // it has not heard of this address yet
  const state = subchannel.state.at(position);
  const there = state !== "SHUTDOWN";
  if (next && next === subchannel) {
    box(g, { x: x + 6, y: y - 11, w: w - 12, h: 22 }, 6, theme.next);
  }
  const pod = model.podByAddress.get(address) ?? null;
  const alpha = there ? 1 : 0.35;
  glyph(g, theme, pod, x + 20, y, 4.6, { alpha, hollow: !there });
  const host = hostOf(address);
  const tail = host.replace(/^.*(\.\d+\.\d+|:\w*::?\w+)$/, "$1");
  const name = write(g, layout.compact ? tail : tailOf(host, 15), x + 32, y, {
    size: layout.compact ? 10.5 : 11, mono: true, width: layout.narrow ? 42 : 100,
    color: there ? theme.ink : theme.quiet,
  });
  if (there) {
    const until = subchannel.backoff.at(position);
    const left = state === "TRANSIENT_FAILURE" && until ? until - view.time : 0;
    const room = w - 32 - name - 12 - 16; // before the word there is its dot
    if (left > 0) {
      write(g, room < 90 ? seconds(left) : `retry in ${seconds(left)}`, x + w - 12, y, {
        size: 10.5, color: theme.bad, align: "right", width: room,
      });
    } else stateWord(g, theme, state, x + w - 12, y, room);
  }
  view.boxes.push({ x, y: y - 12, w, h: 24, row: subchannel.state.since(position) });
}

/** @param {number} nanoseconds */
export const seconds = (nanoseconds) => `${(nanoseconds / 1e9).toFixed(1)} s`;

/**
 * @param {View} view @param {Pen} g @param {Theme} theme
 * @param {Entry} entry @param {Client} client @param {Subchannel | null} next
 */
function drawMatrix(view, g, theme, entry, client, next) {
  const { position, layout } = view;
  const { x, y } = entry.box;
  entry.addresses.forEach((address, i) => {
    const subchannel = subchannelAt(client, address, position);
    /** @type {Point} */
    const at = [x + 18 + (i % layout.dots()) * 12, y + 58 + Math.floor(i / layout.dots()) * 12];
    const state = subchannel?.state.at(position) ?? "SHUTDOWN";
    if (next && next === subchannel) {
      box(g, { x: at[0] - 6.5, y: at[1] - 6.5, w: 13, h: 13 }, 3, theme.next, theme.accent);
    }
    g.fillStyle = stateColor(theme, state);
    g.strokeStyle = stateColor(theme, state);
    g.lineWidth = 1.2;
    g.beginPath();
    g.arc(...at, 3.2, 0, 2 * Math.PI);
    if (state === "READY") g.fill();
    else g.stroke();
  });
}

/**
 * @param {View} view @param {Pen} g @param {Theme} theme @param {Client} client
 * @param {Box} box
 */
function drawWaiting(view, g, theme, client, { x, y, w, h }) {
  const { position } = view;
  const waiting = client.queue.filter(
    (call) => call.queued < position && call.picked >= position && call.end >= position,
  );
  const at = y + h - 15;
  if (!waiting.length) {
    const picked = countBelow(client.picks, position);
    if (picked) write(g, `${picked} sent`, x + 12, at, { size: 11, color: theme.quiet });
    return;
  }
  const dots = Math.min(waiting.length, 8);
  for (let i = 0; i < dots; ++i) {
    g.fillStyle = theme.wait;
    g.beginPath();
    g.arc(x + 18 + i * 11, at, 4, 0, 2 * Math.PI);
    g.fill();
    view.marks.push({ x: x + 18 + i * 11, y: at, call: waiting[i] });
  }
  write(g, `${waiting.length} wait${waiting.length === 1 ? "s" : ""}`, x + w - 12, at, {
    size: 11, color: theme.soft, align: "right",
  });
}

/** More clients than can be shown one by one.
 * @param {View} view @param {Pen} g @param {Theme} theme @param {Box} box
 */
function drawCrowd(view, g, theme, { x, y, w, h }) {
  const { model, position } = view;
  const states = new Map();
  for (const client of model.clients) {
    const state = client.state.at(position);
    states.set(state, (states.get(state) ?? 0) + 1);
  }
  const title = `${model.clients.length} clients`;
  write(g, title, x + 12, y + 17, { size: 13, weight: 650, color: theme.ink });
  let line = y + 40;
  for (const [state, count] of states) {
    write(g, `${count}`, x + 36, line, { size: 12, color: theme.ink, align: "right" });
    write(g, state, x + 44, line, { size: 10.5, color: theme.soft, width: w - 56 });
    line += 15;
    if (line > y + h - 8) break;
  }
}
