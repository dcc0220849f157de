// @ts-check
// --- DNS, connections and calls over time: the picture's memory, and what one scrubs with ------

import { box, cross, duration, font, glyph, write } from "./glyphs.js";
import { MOST_CARDS } from "./layout.js";
import { WELL } from "./lesson.js";
import { NEVER } from "./model.js";
import { ticks } from "./ticks.js";

/** @import { Clock } from "./clock.js" */
/** @import { Pen, Style, Theme } from "./glyphs.js" */
/** @import { Call, Connection, Model, Pod } from "./model.js" */

const MOST_MARKS = 240; // calls; more are shown as a histogram

export class Lanes {
  /** @param {Model} model @param {number} panel @param {Clock} clock */
  constructor(model, panel, clock) {
    this.model = model;
    this.panel = panel;
    this.clock = clock;
    this.width = 0;
    this.left = 0;
    this.still = new OffscreenCanvas(1, 1); // everything but the playhead
    this.height = 112;
    /** @type {{ x: number, text: string }[]} */
    this.times = []; // what stands below the lanes, and where
  }

  /** Where a moment of the picture is, across.
   * @param {number} u
   */
  x(u) {
    return this.left + (u / this.clock.length) * (this.width - this.left - 10);
  }
  /** @param {number} x */
  u(x) {
    const share = (x - this.left) / (this.width - this.left - 10);
    return Math.min(1, Math.max(0, share)) * this.clock.length;
  }

  /** Draws everything but the playhead once.
   * @param {number} width @param {Theme} theme @param {number} ratio
   */
  prepare(width, theme, ratio) {
    this.width = width;
    this.left = width < 640 ? 58 : 92;
    this.still = new OffscreenCanvas(Math.round(width * ratio), Math.round(this.height * ratio));
    const g = /** @type {Pen} */ (this.still.getContext("2d"));
    g.scale(ratio, ratio);
    this.drawIdle(g, theme);
    this.drawLookups(g, theme, 4, 16);
    this.drawConnections(g, theme, 26, 30);
    this.drawCalls(g, theme, 62, 28);
    this.drawPodChanges(g, theme);
    this.drawTimes(g, theme, 102);
    /** @type {Style} */
    const label = { size: 11, color: theme.quiet, align: "right" };
    const x = this.left - 10;
    write(g, "DNS", x, 12, label);
    write(g, width < 640 ? "conns" : "connections", x, 41, label);
    write(g, "calls", x, 76, label);
  }

  /** The prepared picture, the future pale, and the playhead.
   * @param {Pen} g @param {Theme} theme @param {number} u
   */
  draw(g, theme, u) {
    g.clearRect(0, 0, this.width, this.height);
    g.drawImage(this.still, 0, 0, this.width, this.height);
    const x = this.x(u);
    g.fillStyle = theme.veil;
    g.fillRect(x, 0, this.width - x, 94);
    g.fillStyle = g.strokeStyle = theme.accent;
    g.lineWidth = 1.6;
    g.beginPath();
    g.moveTo(x, 2);
    g.lineTo(x, 94);
    g.stroke();
    g.beginPath();
    g.arc(x, 94, 4.5, 0, 2 * Math.PI);
    g.fill();
  }

  /** @param {number} row */
  rowU(row) {
    return row === NEVER ? this.clock.length : this.clock.rowU[this.panel][row];
  }

  /** @param {Pen} g @param {Theme} theme */
  drawIdle(g, theme) {
    for (const { from, to } of this.clock.idle) {
      const [a, b] = [this.x(from), this.x(to)];
      if (b - a < 3) continue;
      g.save();
      g.beginPath();
      g.rect(a, 2, b - a, 90);
      g.clip();
      g.strokeStyle = theme.hatch;
      g.lineWidth = 1;
      g.beginPath();
      for (let x = a - 90; x < b; x += 7) {
        g.moveTo(x, 92);
        g.lineTo(x + 90, 2);
      }
      g.stroke();
      g.restore();
    }
  }

  /** @param {Pen} g @param {Theme} theme @param {number} y @param {number} h */
  drawLookups(g, theme, y, h) {
    g.fillStyle = theme.wait;
    for (const client of this.model.clients) {
      for (const { start, end } of client.lookups) {
        const [a, b] = [this.x(this.rowU(start)), this.x(this.rowU(end))];
        box(g, { x: a, y: y + 2, w: Math.max(b - a, 3), h: h - 6 }, 2, theme.wait);
      }
      const { rows, values } = client.resolver;
      rows.forEach((row, i) => {
        if (!values[i]) return;
        const [a, b] = [this.x(this.rowU(row)), this.x(this.rowU(rows[i + 1] ?? NEVER))];
        box(g, { x: a, y: y + h / 2 - 2, w: Math.max(b - a, 2), h: 2 }, 1, theme.wait);
      });
    }
  }

  /** @param {Pen} g @param {Theme} theme @param {number} y @param {number} h */
  drawConnections(g, theme, y, h) {
    const shown = this.model.connections;
    const lanes = packed(shown);
    const pitch = Math.min(9, h / Math.max(lanes.count, 1));
    const first = y + (h - lanes.count * pitch) / 2;
    shown.forEach((connection, i) => {
      const top = first + lanes.of[i] * pitch;
      const thick = Math.max(pitch - 2, pitch * 0.7);
      const [dial, up, end] = [connection.dial, connection.up, connection.end].map((row) =>
        this.x(this.rowU(row)));
      const color = connection.pod?.color ?? theme.quiet;
      const failed = connection.up === NEVER;
      g.fillStyle = failed && connection.end < NEVER ? theme.bad : theme.wait;
      g.globalAlpha = pitch < 4 ? 0.3 : 1;
      g.fillRect(dial, top + thick / 2 - 0.75, Math.max((failed ? end : up) - dial, 2), 1.5);
      g.globalAlpha = 1;
      if (failed) return;
      box(g, { x: up, y: top, w: Math.max(end - up, 2), h: thick }, Math.min(3, thick / 2),
        color === "#000000" ? theme.ink : color);
      if (["broke", "gone"].includes(connection.how) && pitch > 4) {
        cross(g, theme, end, top + thick / 2, 3);
      }
    });
  }

  /** @param {Pen} g @param {Theme} theme @param {number} y @param {number} h */
  drawCalls(g, theme, y, h) {
    const { model } = this;
    const calls = model.calls.filter((call) => call.end < NEVER);
    if (calls.length > MOST_MARKS || model.pods.length > MOST_CARDS) {
      return this.drawHistogram(g, theme, y, h, calls);
    }
    const pitch = h / Math.max(model.pods.length, 1);
    const size = Math.min(3.4, Math.max(pitch / 2.4, 1.8));
    for (const call of calls) {
      const x = this.x(this.rowU(call.end));
      if (call.code !== "OK" || !call.pod) cross(g, theme, x, y + h / 2, 3);
      else glyph(g, theme, call.pod, x, y + (call.pod.number + 0.5) * pitch, size);
    }
  }

  /**
   * @param {Pen} g @param {Theme} theme @param {number} y @param {number} h
   * @param {Call[]} calls
   */
  drawHistogram(g, theme, y, h, calls) {
    /** @type {Map<number, Map<Pod | null, number>>} */
    const bins = new Map(); // pixel to the count per pod
    for (const call of calls) {
      const x = Math.floor(this.x(this.rowU(call.end)) / 2) * 2;
      let bin = bins.get(x);
      if (!bin) bins.set(x, (bin = new Map()));
      const who = call.code === "OK" && call.pod ? call.pod : null;
      bin.set(who, (bin.get(who) ?? 0) + 1);
    }
    // A crowd that all came at once is cut off, else nobody would see the others.
    const totals = [...bins.values()].map((bin) => [...bin.values()].reduce((sum, n) => sum + n, 0));
    totals.sort((a, b) => a - b);
    const most = Math.min(totals.at(-1) ?? 1, 2 * (totals[Math.floor(totals.length * 0.95)] ?? 1));
    for (const [x, bin] of bins) {
      let bottom = y + h;
      for (const pod of [...this.model.pods, null]) {
        const tall = Math.min(((bin.get(pod) ?? 0) / most) * h, bottom - y);
        if (!tall) continue;
        g.fillStyle = pod ? (pod.color === "#000000" ? theme.ink : pod.color) : theme.bad;
        g.fillRect(x, bottom - tall, 2, tall);
        bottom -= tall;
      }
    }
  }

  /** A pod's end, or its return: a line through all lanes.
   * @param {Pen} g @param {Theme} theme
   */
  drawPodChanges(g, theme) {
    for (const pod of this.model.pods) {
      pod.state.rows.forEach((row, i) => {
        if (this.model.columns.time[row] === this.model.columns.time[0]) return;
        const x = this.x(this.rowU(row));
        const bad = !WELL.has(pod.state.values[i]);
        g.strokeStyle = bad ? theme.bad : theme.good;
        g.lineWidth = 1;
        g.setLineDash([2, 3]);
        g.beginPath();
        g.moveTo(x, 10);
        g.lineTo(x, 92);
        g.stroke();
        g.setLineDash([]);
        if (bad) cross(g, theme, x, 6, 3);
        else glyph(g, theme, pod, x, 6, 3.4);
      });
    }
  }

  /** @param {Pen} g @param {Theme} theme @param {number} y */
  drawTimes(g, theme, y) {
    g.font = font(10);
    /** @param {string} text */
    const wide = (text) => g.measureText(text).width;
    const { clock, width } = this;
    const origin = clock.origins[this.panel];
    const first = Math.max(clock.time[0] ?? 0, 0) + origin;
    const last = (clock.time[clock.events - 1] ?? 0) + origin;
    /** @type {{ x: number, text: string, color: string, tick: boolean }[]} */
    const labels = [];
    for (const { from, to, seconds: passed } of clock.idle) {
      const text = `${duration(passed * 1e9)} pass`;
      const [a, b] = [this.x(from), this.x(to)];
      if (passed * 1e9 < (last - first) / 10 || b - a < wide(text) + 12) continue;
      labels.push({ x: (a + b) / 2, text, color: theme.soft, tick: false });
    }
    const moments = ticks({
      first, last, x: (time) => this.x(clock.placeOf(time - origin)), wide,
      from: this.left - 14, to: width, taken: labels.map(({ x, text }) => [x, wide(text) / 2]),
    });
    labels.push(...moments.map((one) => ({ ...one, color: theme.quiet, tick: true })));
    this.times = labels;
    for (const { x, text, color, tick } of labels) {
      write(g, text, x, y, { size: 10, color, align: "center" });
      if (!tick) continue;
      g.fillStyle = color;
      g.fillRect(x - 0.5, y - 10, 1, 4);
    }
  }
}

/** A line for each connection: the first that is free again.
 * @param {Connection[]} connections
 */
function packed(connections) {
  /** @type {number[]} */
  const free = [];
  const of = connections.map(({ dial, end }) => {
    let lane = free.findIndex((until) => until < dial);
    if (lane < 0) lane = free.length;
    free[lane] = end;
    return lane;
  });
  return { of, count: free.length };
}
