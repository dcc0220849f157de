// @ts-check
// --- Bars: a guess that is drawn, and what came out beside it -------------------------------------
//
// A bar to guess with is the browser's own slider: it is dragged, touched, or moved by keys, and a
// screen reader knows what it is.

import { element, set } from "./elements.js";

/** @import { Style } from "./recorded.js" */

/** @typedef {{ name: string, style: Style }} Bar */

/** matplotlib's markers, as the flow draws them. @type {Record<string, string>} */
const OUTLINES = {
  "o": "M8 1a7 7 0 1 0 .01 0z",
  "^": "M8 1l7.5 13.5h-15z",
  "s": "M2 2h12v12h-12z",
  "D": "M8 .5l7.5 7.5-7.5 7.5-7.5-7.5z",
  "v": "M8 15L.5 1.5h15z",
  "P": "M5.5 1h5v4.5h4.5v5h-4.5v4.5h-5v-4.5h-4.5v-5h4.5z",
  "X": "M4 1l4 4 4-4 3 3-4 4 4 4-3 3-4-4-4 4-3-3 4-4-4-4z",
  "x": "M2.5 1L8 6.5 13.5 1 15 2.5 9.5 8 15 13.5 13.5 15 8 9.5 2.5 15 1 13.5 6.5 8 1 2.5z",
};

/** A pod's mark. @param {Style} style */
export function shape({ color, marker }) {
  const made = document.createElement("template");
  const fill = color === "#000000" ? "currentColor" : color;
  made.innerHTML = `<svg class="gl-shape" viewBox="0 0 16 16" aria-hidden="true"><path/></svg>`;
  const path = /** @type {SVGPathElement} */ (made.content.querySelector("path"));
  path.setAttribute("d", OUTLINES[marker] ?? OUTLINES.o);
  path.style.fill = fill; // as an attribute, a strict policy of a host would refuse it
  return /** @type {Node} */ (made.content.firstChild);
}

export class Bars {
  /**
   * @param {string} label
   * @param {string} unit of the numbers: "calls", "ms"
   * @param {boolean} guessed whether there are sliders
   */
  constructor(label, unit, guessed) {
    this.unit = unit;
    this.guessed = guessed;
    this.most = 1;
    this.root = element("div", { class: "gl-bars", role: "group", "aria-label": label });
    /** @type {Map<string, { row: HTMLElement, slider: HTMLInputElement, fill: HTMLElement, said: HTMLElement }>} */
    this.rows = new Map();
    /** @type {Set<string>} */
    this.moved = new Set();
    this.moves = () => {};
  }

  /** What bars there are. A guess that was made stays. @param {Bar[]} bars @param {number} most */
  show(bars, most) {
    this.most = Math.max(most, 1);
    const names = new Set(bars.map(({ name }) => name));
    this.root.classList.toggle("gl-long", bars.some(({ name }) => name.length > 12));
    for (const [name, { row }] of this.rows) {
      if (names.has(name)) continue;
      row.remove();
      this.rows.delete(name);
    }
    for (const { name, style } of bars) {
      let row = this.rows.get(name);
      if (!row) this.rows.set(name, (row = this.row(name, style)));
      row.slider.max = String(this.most);
      this.root.append(row.row);
      this.level(name);
    }
  }

  /** @param {string} name @param {Style} style */
  row(name, style) {
    const slider = element("input", {
      type: "range", min: "0", max: String(this.most), step: this.most > 600 ? "10" : "1",
      value: "0", "aria-label": `${name}: your guess, in ${this.unit}`,
      oninput: () => {
        this.moved.add(name);
        this.level(name);
        this.moves();
      },
    });
    const fill = element("span", { class: "gl-fill" });
    const said = element("output", { class: "gl-number" });
    const row = element("div", { class: "gl-barrow" },
      element("span", { class: "gl-name" }, shape(style), name),
      element("span", { class: "gl-track" }, ...(this.guessed ? [slider] : []), fill), said);
    row.style.setProperty("--pod", style.color === "#000000" ? "currentColor" : style.color);
    return { row, slider, fill, said };
  }

  /** @param {string} name */
  level(name) {
    const row = this.rows.get(name);
    if (!row) return;
    row.slider.style.setProperty("--at", `${(100 * Number(row.slider.value)) / this.most}%`);
    if (!row.row.classList.contains("gl-came")) set(row.said, this.moved.has(name) ? row.slider.value : "");
  }

  /** @returns {Map<string, number> | null} null: nothing was guessed. */
  guess() {
    if (!this.moved.size) return null;
    return new Map([...this.rows].map(([name, { slider }]) => [name, Number(slider.value)]));
  }

  /** What came out, beside the guess. @param {Map<string, number>} values */
  fill(values) {
    const all = [...values.values()].reduce((sum, value) => sum + value, 0) || 1;
    for (const [name, { row, slider, fill, said }] of this.rows) {
      const value = values.get(name) ?? 0;
      row.classList.add("gl-came");
      fill.style.width = `${Math.min(100, (100 * value) / this.most)}%`;
      const shown = value.toLocaleString("en");
      const share = this.guessed ? "" : ` · ${Math.round((100 * value) / all)} %`;
      set(said, this.moved.size ? `${shown} · you: ${slider.value}` : shown + share);
    }
  }

  /** Only the guess again. */
  empty() {
    for (const [name, { row, fill }] of this.rows) {
      row.classList.remove("gl-came");
      fill.style.width = "0";
      this.level(name);
    }
  }
}
