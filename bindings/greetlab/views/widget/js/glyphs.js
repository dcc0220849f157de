// @ts-check
// --- The pods' shapes (palette.py's markers), and text that fits ------------------------------

/** @import { Pod } from "./model.js" */

/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Pen */
/** @typedef {Record<string, string>} Theme the style sheet's colours */
/** @typedef {{ x: number, y: number, w: number, h: number }} Box */
/**
 * @typedef {object} Style
 * @property {number} [size]
 * @property {string} color
 * @property {number} [weight]
 * @property {boolean} [mono]
 * @property {CanvasTextAlign} [align]
 * @property {number} [width]
 */

/** @type {Record<string, () => Path2D>} */
const SHAPES = {
  o: () => circle(1),
  "^": () => polygon([[0, -1.15], [1.1, 0.85], [-1.1, 0.85]]),
  s: () => polygon([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]),
  D: () => polygon([[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]]),
  v: () => polygon([[0, 1.15], [1.1, -0.85], [-1.1, -0.85]]),
  P: () => plus(1.15, 0.42),
  X: () => plus(1.3, 0.42, Math.PI / 4),
  none: () => circle(0.85),
};

/** @param {number} radius */
function circle(radius) {
  const path = new Path2D();
  path.arc(0, 0, radius, 0, 2 * Math.PI);
  return path;
}

/** @param {number[][]} points */
function polygon(points) {
  const path = new Path2D();
  for (const [x, y] of points) path.lineTo(x, y);
  path.closePath();
  return path;
}

/** @param {number} long @param {number} wide */
function plus(long, wide, turn = 0) {
  const corners = [];
  for (let arm = 0; arm < 4; ++arm) {
    for (const [x, y] of [[wide, -wide], [long, -wide], [long, wide]]) {
      const angle = (arm * Math.PI) / 2 + turn;
      corners.push([
        x * Math.cos(angle) - y * Math.sin(angle), x * Math.sin(angle) + y * Math.cos(angle),
      ]);
    }
  }
  return polygon(corners);
}

const PATHS = Object.fromEntries(Object.entries(SHAPES).map(([name, make]) => [name, make()]));

/** A pod's mark. hollow: an answer on its way back.
 * @param {Pen} g @param {Theme} theme @param {Pod | null} pod
 * @param {number} x @param {number} y @param {number} size
 */
export function glyph(g, theme, pod, x, y, size, { hollow = false, alpha = 1 } = {}) {
  g.save();
  g.globalAlpha *= alpha;
  g.translate(x, y);
  g.scale(size, size);
  const path = PATHS[pod?.marker ?? "none"];
  g.fillStyle = hollow ? theme.card : (pod?.color ?? theme.quiet);
  g.strokeStyle = hollow ? (pod?.color ?? theme.quiet) : theme.edge;
  if (hollow && pod?.color === "#000000") g.strokeStyle = theme.ink;
  g.lineWidth = (hollow ? 1.8 : 1) / size;
  g.fill(path);
  g.stroke(path);
  g.restore();
}

/** @param {Pen} g @param {Theme} theme @param {number} x @param {number} y @param {number} size */
export function cross(g, theme, x, y, size, alpha = 1) {
  g.save();
  g.globalAlpha *= alpha;
  g.strokeStyle = theme.bad;
  g.lineWidth = 2.4;
  g.lineCap = "round";
  g.beginPath();
  g.moveTo(x - size, y - size);
  g.lineTo(x + size, y + size);
  g.moveTo(x + size, y - size);
  g.lineTo(x - size, y + size);
  g.stroke();
  g.restore();
}

const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
const MONO = 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
/** @param {number} size @param {{ mono?: boolean, weight?: number }} style */
export const font = (size, { mono = false, weight = 400 } = {}) =>
  `${weight} ${size}px ${mono ? MONO : SANS}`;

/** Writes text, shortened to a width; gives the width that it took.
 * @param {Pen} g @param {string | number} text @param {number} x @param {number} y
 * @param {Style} style
 */
export function write(g, text, x, y, { size = 12, color, weight, mono, align = "left", width }) {
  g.font = font(size, { mono, weight });
  g.fillStyle = color;
  g.textAlign = align;
  g.textBaseline = "middle";
  let shown = String(text);
  if (width !== undefined && g.measureText(shown).width > width) {
    while (shown && g.measureText(`${shown}…`).width > width) shown = shown.slice(0, -1);
    shown = shown && `${shown}…`;
  }
  g.fillText(shown, x, y);
  return g.measureText(shown).width;
}

/**
 * @param {Pen} g @param {Box} place @param {number} radius @param {string} [fill]
 * @param {string} [stroke]
 * @param {number[]} dash
 */
export function box(g, { x, y, w, h }, radius, fill, stroke, dash = []) {
  g.beginPath();
  g.roundRect(x, y, w, h, radius);
  if (fill) {
    g.fillStyle = fill;
    g.fill();
  }
  if (stroke) {
    g.strokeStyle = stroke;
    g.lineWidth = 1;
    g.setLineDash(dash);
    g.stroke();
    g.setLineDash([]);
  }
}

/** A duration or a moment, in the unit that suits it.
 * @param {number} nanoseconds
 */
export function duration(nanoseconds, digits = 3) {
  const size = Math.abs(nanoseconds);
  if (size >= 1e9) return `${(nanoseconds / 1e9).toPrecision(digits)} s`;
  if (size >= 1e6) return `${(nanoseconds / 1e6).toPrecision(digits)} ms`;
  return `${(nanoseconds / 1e6).toFixed(2)} ms`;
}

/** @param {Theme} theme @param {string} state */
export function stateColor(theme, state) {
  return {
    READY: theme.good, CONNECTING: theme.wait, TRANSIENT_FAILURE: theme.bad,
  }[state] ?? theme.quiet;
}

/** A connectivity state: a dot that is full when READY, and the word.
 * @param {Pen} g @param {Theme} theme @param {string} state
 * @param {number} right @param {number} y @param {number} room
 */
export function stateWord(g, theme, state, right, y, room) {
  const color = stateColor(theme, state);
  const word = state === "TRANSIENT_FAILURE" && room < 112 ? "FAILURE" : state;
  const size = room < 70 ? 9 : room < 84 ? 9.5 : 10;
  const width = write(g, word, right, y, { size, weight: 550, color, align: "right", width: room });
  g.beginPath();
  g.arc(right - width - 8, y, 3.2, 0, 2 * Math.PI);
  g.fillStyle = g.strokeStyle = color;
  g.lineWidth = 1.4;
  if (state === "READY") g.fill();
  else g.stroke();
}
