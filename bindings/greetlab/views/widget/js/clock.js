// @ts-check
// --- The trace's time, and the time that the picture takes ------------------------------------
//
// A request takes half a millisecond and a cooldown half a minute. So the picture has a time of its
// own, in seconds at speed 1: a usual request takes REQUEST; what changes the world is given DWELL
// to be read, in which the trace's clock stands still; and a stretch in which nothing happens is
// compressed, and shown as such. Every event has a place in it, never before the one before it.

import { CALL_KINDS, NEVER } from "./model.js";
import { countBelow } from "./track.js";

/** @import { Model } from "./model.js" */

export const REQUEST = 0.7;
const DWELL = 0.45;
const LONGEST = 80; // the whole of it; more is scaled down to that
const STRETCH = 3; // seconds, the longest before a call's progress
const IDLE = 4; // usual requests after which a silence counts as idle

export class Clock {
  /** models: one, or two side by side, each counted from its client's first event.
   * @param {Model[]} models
   */
  constructor(models) {
    this.models = models;
    this.origins = models.map((model) => (models.length > 1 ? firstOfClient(model) : 0));
    const merged = merge(models, this.origins);
    this.panel = merged.panel;
    this.row = merged.row;
    this.events = merged.row.length;
    this.time = merged.time; // nanoseconds after the origin
    this.u = new Float64Array(this.events); // place of each event, in seconds of the picture
    this.moved = new Float64Array(this.events); // ... of which the trace's clock runs, before it
    /** @type {{ from: number, to: number, seconds: number }[]} */
    this.idle = []; // {from, to, seconds}: what was compressed
    this.scale = 1;
    this.length = 0; // of the picture
    // For each panel: the rows that have happened when so many events have.
    this.positions = models.map(() => new Int32Array(this.events + 1));
    this.rowU = models.map((model) => new Float64Array(model.length));
    this.place();
  }

  place() {
    const usual = usualCall(this.models);
    const dwell = dwells(this);
    const idle = [];
    let at = 0;
    for (let i = 0; i < this.events; ++i) {
      // What was before the beginning takes no time.
      const gap = i ? Math.max(this.time[i], 0) - Math.max(this.time[i - 1], 0) : 0;
      const calls = gap / usual;
      const from = at;
      at += calls <= 2 ? calls * REQUEST : (2 + 0.15 * Math.log2(calls / 2)) * REQUEST;
      if (calls > IDLE) idle.push({ event: i, seconds: gap / 1e9 });
      this.moved[i] = at - from;
      at += dwell[i];
    }
    const begins = new Float64Array(this.events); // of the gap before each
    at = this.shorten(dwell, begins);
    this.idle = idle.map(({ event, seconds }) => (
      { from: begins[event], to: this.u[event], seconds }));
    this.scale = Math.min(1, LONGEST / at);
    this.length = (at + REQUEST / 2) * this.scale;
    for (let i = 0; i < this.events; ++i) {
      this.u[i] *= this.scale;
      this.moved[i] *= this.scale;
      this.rowU[this.panel[i]][this.row[i]] = this.u[i];
      for (const positions of this.positions) positions[i + 1] = positions[i];
      this.positions[this.panel[i]][i + 1] = this.row[i] + 1;
    }
    for (const span of this.idle) {
      span.from *= this.scale;
      span.to *= this.scale;
    }
  }

  /** Places the events: what lies before a call's progress, such as all that has to happen before
   * the first one, takes no longer than STRETCH, or a quarter of what each is given to read. Gives
   * the length.
   * @param {Float64Array} dwell @param {Float64Array} begins
   */
  shorten(dwell, begins) {
    let at = 0;
    let first = 0;
    for (let i = 0; i < this.events; ++i) {
      const last = i === this.events - 1;
      const kind = this.models[this.panel[i]].kind(this.row[i]);
      const progress = kind === "Picked" || kind === "CallEnded";
      if (!last && !progress) continue;
      let taken = 0;
      let least = 0;
      for (let j = first; j <= i; ++j) {
        taken += this.moved[j] + dwell[j];
        least += dwell[j] / 4;
      }
      const share = progress ? Math.min(1, Math.max(STRETCH, least) / (taken || 1)) : 1;
      for (let j = first; j <= i; ++j) {
        this.moved[j] *= share;
        begins[j] = at;
        at += this.moved[j];
        this.u[j] = at;
        at += dwell[j] * share;
      }
      first = i + 1;
    }
    return at;
  }

  /** How many events have happened at `u`.
   * @param {number} u
   */
  positionAt(u) {
    let low = 0;
    let high = this.events;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.u[middle] <= u) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  /** The place of an event of a panel among all events.
   * @param {number} panel @param {number} row
   */
  indexOf(panel, row) {
    return countBelow(this.positions[panel], row + 1) - 1;
  }
  /** Nanoseconds after the origin, at `u`.
   * @param {number} u
   */
  timeAt(u) {
    const next = this.positionAt(u);
    if (!next) return Math.max(this.time[0], 0);
    if (next >= this.events) return this.time[this.events - 1];
    const begin = this.u[next] - this.moved[next];
    const share = this.moved[next] ? Math.max(0, (u - begin) / this.moved[next]) : 1;
    return this.time[next - 1] + (this.time[next] - this.time[next - 1]) * share;
  }
  /** Where a moment has its place: what `timeAt` is backwards, the first such place.
   * @param {number} time nanoseconds after the origin
   */
  placeOf(time) {
    const next = countBelow(this.time, time);
    if (!next) return this.u[0] - this.moved[0];
    if (next >= this.events) return this.u[this.events - 1];
    const [before, after] = [Math.max(this.time[next - 1], 0), this.time[next]];
    const share = after > before ? Math.max(0, (time - before) / (after - before)) : 1;
    return this.u[next] - this.moved[next] * (1 - share);
  }
  /** @param {number} u */
  idleAt(u) {
    return this.idle.find((span) => u > span.from && u < span.to) ?? null;
  }
}

/** @param {Model} model */
function firstOfClient(model) {
  const names = new Set(model.clients.map((client) => client.name));
  for (let row = 0; row < model.length; ++row) {
    if (names.has(model.who(row)) && model.columns.shown[row]) return model.columns.time[row];
  }
  return model.columns.time[0];
}

/** All events of all panels in order: time after its own origin, then panel, then row.
 * @param {Model[]} models @param {number[]} origins
 */
function merge(models, origins) {
  const rows = models.map(({ columns }) =>
    Array.from(columns.shown.keys()).filter((row) => columns.shown[row]));
  const total = rows.reduce((sum, list) => sum + list.length, 0);
  const merged = {
    panel: new Uint8Array(total), row: new Int32Array(total), time: new Float64Array(total),
  };
  const next = models.map(() => 0);
  /** @param {number} panel */
  const when = (panel) => models[panel].columns.time[rows[panel][next[panel]]] - origins[panel];
  for (let i = 0; i < total; ++i) {
    let first = -1;
    for (let panel = 0; panel < models.length; ++panel) {
      if (next[panel] >= rows[panel].length) continue;
      if (first < 0 || when(panel) < when(first)) first = panel;
    }
    merged.panel[i] = first;
    merged.time[i] = when(first);
    merged.row[i] = rows[first][next[first]++];
  }
  return merged;
}

/** The median time that a call is on its way, in nanoseconds.
 * @param {Model[]} models
 */
function usualCall(models) {
  const taken = [];
  for (const model of models) {
    const time = model.columns.time;
    for (const call of model.calls) {
      if (call.end < NEVER && call.picked < NEVER) taken.push(time[call.end] - time[call.picked]);
    }
  }
  taken.sort((a, b) => a - b);
  return Math.max(taken[taken.length >> 1] ?? 1e6, 1e3);
}

/** How long each event is given to be read: less each where many of a kind happen at once.
 * @param {Clock} clock
 */
function dwells(clock) {
  const dwell = new Float64Array(clock.events);
  const usual = usualCall(clock.models);
  /** @type {number[][]} */
  const groups = [];
  const current = new Map(); // kind to the group that it is in
  for (let i = 0; i < clock.events; ++i) {
    const model = clock.models[clock.panel[i]];
    const kind = model.kind(clock.row[i]);
    if (CALL_KINDS.has(kind) && kind !== "CallQueued") continue;
    if (clock.models.length > 1 && clock.time[i] < 0) continue;
    const key = `${clock.panel[i]} ${kind}`;
    const group = current.get(key);
    if (group && clock.time[i] - clock.time[group[0]] < usual) {
      group.push(i);
      continue;
    }
    const started = [i];
    current.set(key, started);
    groups.push(started);
  }
  for (const group of groups) {
    for (const i of group) dwell[i] = (DWELL * (1 + 0.5 * Math.log2(group.length))) / group.length;
  }
  return dwell;
}
