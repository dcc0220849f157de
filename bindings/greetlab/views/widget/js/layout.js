// @ts-check
// --- Where things stand -----------------------------------------------------------------------
//
//     DNS                                pod-1
//      |                               /
//     client  ====  (ClusterIP)  ====+-- pod-2
//
// Fixed for a trace and a width: nothing jumps while it plays.

import { NEVER } from "./model.js";
import { countBelow } from "./track.js";

/** @import { Box, Pen } from "./glyphs.js" */
/** @import { Call, Client, Connection, Lookup, Model, Pod } from "./model.js" */

/** @typedef {[x: number, y: number]} Point */
/** @typedef {{ pod: Pod, box: Box }} Placed */
/**
 * A client's card; without a client it stands for all of them.
 * @typedef {object} Entry
 * @property {Client | null} client
 * @property {Box} box
 * @property {Map<string, number>} rows an address to where its line is
 * @property {string[]} addresses
 * @property {boolean} matrix too many for a line each
 */
/**
 * A panel at its position, and what was drawn in it, to be found again by the pointer.
 * @typedef {object} View
 * @property {Model} model
 * @property {Layout} layout
 * @property {number} position how many events have happened
 * @property {number} u the moment of the picture
 * @property {number} time ... of the trace
 * @property {(row: number) => number} uOf
 * @property {number} scale
 * @property {boolean} still without motion
 * @property {{ x: number, y: number, call: Call }[]} marks
 * @property {{ way: Way, connection: Connection }[]} paths
 * @property {(Box & { row: number, lookup?: Lookup })[]} boxes
 */

const MARGIN = 12;
const BESIDE = 10; // between the ClusterIP and what is left and right of it
const SIDE = 5; // left and right: the title begins there, too
export const MOST_CARDS = 12; // more pods, or addresses, are shown as a grid
export const MOST_CLIENTS = 4; // more are shown as one

export class Layout {
  /** @param {Model} model @param {number} width */
  constructor(model, width) {
    this.model = model;
    this.width = width;
    this.compact = width < 640;
    this.height = 0;
    this.grid = model.pods.length > MOST_CARDS;
    /** @type {Map<Connection, Way>} */
    this.paths = new Map();
    this.narrow = width < 480;
    /** @type {Placed[]} */
    this.pods = [];
    /** @type {Map<Pod, Box>} */
    this.podAt = new Map();
    /** @type {Box | null} */
    this.proxy = null;
    this.busiest = 0; // calls at once
    this.dns = { x: SIDE, y: MARGIN, w: this.leftWidth(), h: 62 };
    this.clients = this.clientBoxes();
    const last = this.clients.at(-1)?.box ?? this.dns;
    this.needs = Math.max(last.y + last.h + MARGIN, this.podsHeight() + 2 * MARGIN, 276);
  }

  /** Spreads it over a height, which is `needs` or more.
   * @param {number} height
   */
  settle(height) {
    const { model } = this;
    this.height = height;
    const last = this.clients.at(-1)?.box ?? this.dns;
    const down = (height - MARGIN - last.y - last.h) / 2;
    this.dns.y += down;
    for (const entry of this.clients) {
      entry.box.y += down;
      for (const [address, y] of entry.rows) entry.rows.set(address, y + down);
    }
    this.pods = this.grid ? this.podTiles() : this.podCards();
    this.podAt = new Map(this.pods.map((entry) => [entry.pod, entry.box]));
    this.proxy = model.viaProxy ? this.proxyBox() : null;
    this.busiest = mostAtOnce(model);
  }

  leftWidth() {
    if (this.compact) return this.narrow ? 154 : 180;
    return Math.min(300, Math.max(228, this.width * 0.24));
  }

  /** @returns {Entry[]} */
  clientBoxes() {
    const { model } = this;
    const many = model.clients.length > MOST_CLIENTS;
    const shown = many ? [null] : model.clients;
    let y = this.dns.y + this.dns.h + 34;
    return shown.map((client) => {
      const addresses = client ? [...client.addresses].sort((a, b) => this.order(a, b)) : [];
      const matrix = addresses.length > MOST_CARDS;
      const lines = matrix ? Math.ceil(addresses.length / this.dots()) * 12 : addresses.length * 24;
      const box = { x: SIDE, y, w: this.leftWidth(), h: 52 + Math.max(lines, 24) + 30 };
      const rows = new Map(addresses.map((address, i) => [
        address, matrix ? box.y + box.h / 2 : box.y + 52 + i * 24 + 12,
      ]));
      y += box.h + 12;
      return { client, box, rows, addresses, matrix };
    });
  }
  /** Subchannels in a line of the matrix. */
  dots() {
    return Math.floor((this.leftWidth() - 24) / 12);
  }
  /** @param {string} a @param {string} b */
  order(a, b) {
    /** @param {string} address */
    const number = (address) => this.model.podByAddress.get(address)?.number ?? -1;
    return number(a) - number(b) || (a < b ? -1 : 1);
  }

  podsHeight() {
    const count = this.model.pods.length;
    if (this.grid) return Math.ceil(count / this.columns()) * this.tile().h;
    return count * Math.min(84, Math.max(40, 340 / count));
  }
  columns() {
    return this.narrow ? 4 : this.compact ? 6 : 10;
  }
  tile() {
    return this.compact ? { w: 24, h: 26 } : { w: 34, h: 32 };
  }
  /** @returns {Placed[]} */
  podTiles() {
    const { w, h } = this.tile();
    const left = this.width - SIDE - this.columns() * w;
    const top = (this.height - this.podsHeight()) / 2;
    return this.model.pods.map((pod, i) => ({
      pod,
      box: {
        x: left + (i % this.columns()) * w + 2, y: top + Math.floor(i / this.columns()) * h + 2,
        w: w - 4, h: h - 4,
      },
    }));
  }
  /** @returns {Placed[]} */
  podCards() {
    const count = this.model.pods.length;
    const wide = Math.min(240, Math.max(190, this.width * 0.2));
    const w = this.narrow ? 108 : this.compact ? 124 : wide;
    const pitch = (this.height - 2 * MARGIN + 8) / Math.max(count, 1);
    const h = Math.min(pitch - 8, 86);
    return this.model.pods.map((pod, i) => ({
      pod,
      box: {
        x: this.width - SIDE - w, y: MARGIN - 4 + i * pitch + (pitch - h) / 2, w, h,
      },
    }));
  }

  proxyBox() {
    const from = SIDE + this.leftWidth();
    const to = this.pods[0]?.box.x ?? this.width - SIDE;
    const usual = this.compact ? (this.narrow ? 76 : 96) : 146;
    const w = Math.max(Math.min(usual, to - from - 2 * (this.narrow ? 4 : BESIDE)), 24);
    const rows = this.clients.flatMap((entry) => [...entry.rows.values()]);
    const y = rows.length ? (Math.min(...rows) + Math.max(...rows)) / 2 : this.height / 2;
    return { x: (from + to) / 2 - w / 2, y: y - 33, w, h: 66 };
  }

  /** The way of a connection, from the client to its pod.
   * @param {Connection} connection @returns {Way}
   */
  path(connection) {
    let way = this.paths.get(connection);
    if (!way) this.paths.set(connection, (way = this.makePath(connection)));
    return way;
  }
  /** @param {Connection} connection */
  makePath(connection) {
    const entry = this.clients.find((one) => one.client === connection.client) ?? this.clients[0];
    const y = entry.rows.get(connection.address) ?? entry.box.y + entry.box.h / 2;
    const beside = this.beside(connection, entry);
    /** @type {Point} */
    const start = [entry.box.x + entry.box.w, entry.client ? y : y + beside];
    const { pod } = connection;
    const place = pod && this.podAt.get(pod);
    const end = pod && place && this.arrival(pod, place);
    if (!connection.proxied || !this.proxy) return new Way(curve(start, end ?? this.nowhere(y)));
    const middle = this.proxy.y + this.proxy.h / 2 + beside;
    const points = curve(start, [this.proxy.x, middle]);
    const way = new Way(points);
    if (!end) return way;
    const whole = new Way([...points, ...curve([this.proxy.x + this.proxy.w, middle], end)]);
    whole.proxyAt = way.length / whole.length; // as far as the proxy
    return whole;
  }
  /** How far from the middle a connection runs, so that those of many clients lie side by side.
   * @param {Connection} connection @param {Entry} entry
   */
  beside(connection, entry) {
    const { clients, connections } = this.model;
    const index = entry.client ? clients.indexOf(connection.client)
      : connections.indexOf(connection);
    const lines = Math.min((entry.client ? clients : connections).length, 12);
    return ((index % lines) - (lines - 1) / 2) * Math.min(12, 44 / lines);
  }
  /** Where a connection meets its pod; in a grid, at the edge of the pod's line.
   * @param {Pod} pod @param {Box} box @returns {Point}
   */
  arrival(pod, { x, y, h }) {
    if (!this.grid) return [x, y + h / 2];
    const column = this.pods.findIndex((entry) => entry.pod === pod) % this.columns();
    return [this.pods[0].box.x - 6, y + h / 2 + (column - (this.columns() - 1) / 2) * 2];
  }
  /** Where a connection ends whose other end is not known.
   * @param {number} y @returns {Point}
   */
  nowhere(y) {
    return [(this.pods[0]?.box.x ?? this.width - SIDE) - 20, y];
  }
}

/** Points on the curve from one place to another, that leaves and arrives level.
 * @param {Point} from @param {Point} to
 */
function curve([x0, y0], [x1, y1]) {
  /** @type {Point[]} */
  const points = [];
  const bend = (x1 - x0) * 0.5;
  for (let i = 0; i <= 32; ++i) {
    const t = i / 32;
    const [a, b, c, d] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3];
    points.push([
      a * x0 + b * (x0 + bend) + c * (x1 - bend) + d * x1, (a + b) * y0 + (c + d) * y1,
    ]);
  }
  return points;
}

/** A line through points, with the place at each share of its length. */
export class Way {
  /** @param {Point[]} points */
  constructor(points) {
    this.points = points;
    this.proxyAt = 1;
    this.far = [0];
    for (let i = 1; i < points.length; ++i) {
      const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]];
      this.far.push(this.far[i - 1] + Math.hypot(x1 - x0, y1 - y0));
    }
    this.length = this.far.at(-1) ?? 0;
  }
  /** @param {number} share @returns {Point} */
  at(share) {
    const far = Math.min(1, Math.max(0, share)) * this.length;
    const i = Math.max(1, Math.min(countBelow(this.far, far), this.points.length - 1));
    const part = (far - this.far[i - 1]) / (this.far[i] - this.far[i - 1] || 1);
    const [[x0, y0], [x1, y1]] = [this.points[i - 1], this.points[i]];
    return [x0 + (x1 - x0) * part, y0 + (y1 - y0) * part];
  }
  /** Draws it, from one share of its length to another.
   * @param {Pen} g
   */
  trace(g, from = 0, to = 1) {
    g.beginPath();
    g.moveTo(...this.at(from));
    this.points.forEach((point, i) => {
      const share = this.far[i] / this.length;
      if (share > from && share < to) g.lineTo(...point);
    });
    g.lineTo(...this.at(to));
  }
}

/** The most calls that are on their way at the same time.
 * @param {Model} model
 */
function mostAtOnce(model) {
  const ends = model.calls.map((call) => call.end).sort((a, b) => a - b);
  let most = 0;
  let ended = 0;
  let begun = 0;
  for (const row of model.calls.map((call) => call.picked).sort((a, b) => a - b)) {
    if (row === NEVER) break;
    begun += 1;
    while (ends[ended] < row) ended += 1;
    most = Math.max(most, begun - ended);
  }
  return most;
}
