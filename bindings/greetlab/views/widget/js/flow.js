// @ts-check
// --- The flow: all of the above put together ----------------------------------------------------

import { Clock } from "./clock.js";
import { ICONS, WORLDS, element, fit, fraction, icon, isDark, readTheme, set } from "./elements.js";
import { frameBytes, frameList, frameRows } from "./frames.js";
import { duration } from "./glyphs.js";
import { KEYS, keyAction } from "./help.js";
import { Lanes } from "./lanes.js";
import { Layout } from "./layout.js";
import { lesson } from "./lesson.js";
import { CALL_KINDS, Model, NEVER } from "./model.js";
import { Player, SPEEDS } from "./player.js";
import { drawScene } from "./scene.js";
import { countBelow } from "./track.js";

/** @import { Box, Pen, Theme } from "./glyphs.js" */
/** @import { View } from "./layout.js" */
/** @import { Call, Connection, Lookup } from "./model.js" */
/** @import { Packed } from "./unpack.js" */

/**
 * One of the traces, and the elements that it is shown in.
 * @typedef {object} Panel
 * @property {Model} model
 * @property {number} number
 * @property {HTMLCanvasElement} scene
 * @property {HTMLCanvasElement} lanes
 * @property {HTMLElement} says
 * @property {HTMLElement} section
 * @property {Lanes} strip
 * @property {Layout} layout
 * @property {number} ratio
 * @property {View} view
 */
/** @typedef {{ panel: Panel, row: number, call?: Call, connection?: Connection }} Found
 * what the pointer is on */

export class Flow {
  /** @param {HTMLElement} root @param {Packed[]} packed */
  constructor(root, packed) {
    this.root = root;
    // What goes on beside the flow: it is told of each picture, and of a click on a pod.
    this.drawn = () => {};
    /** @type {((panel: number, pod: string, event: MouseEvent) => void) | null} */
    this.podClicked = null;
    this.width = 0;
    this.zoom = 1;
    /** @type {Theme} */
    this.theme = {};
    /** @type {number | undefined} */
    this.asked = undefined; // the frame in which it is drawn
    this.models = packed.map((one) => new Model(one));
    this.clock = new Clock(this.models);
    /** @type {number[]} */
    const turns = [];
    for (let i = 0; i < this.clock.events; ++i) {
      const kind = this.models[this.clock.panel[i]].kind(this.clock.row[i]);
      if (!CALL_KINDS.has(kind)) turns.push(i);
    }
    this.turns = turns;
    this.player = new Player(this.clock, turns, () => this.ask());
    this.panels = this.models.map((model, number) => this.panel(model, number));
    const titles = this.models.map((model) => model.header.title);
    const short = titles.map((title) => title.split(" · ")[0]);
    this.names = new Set(short).size === short.length ? short : titles;
    /** @type {Found | null} */
    this.chosen = null;
    this.playButton = button("play", "Play (Space)", () => this.player.toggle());
    this.speed = element("select", { "aria-label": "Speed", title: "Speed (↑ ↓)",
      onchange: () => {
        this.player.speed = Number(this.speed.value);
        this.ask();
      } }, ...SPEEDS.map((speed) => element("option", { value: speed }, fraction(speed))));
    this.readout = element("output", { class: "gl-time" });
    this.story = element("p", { class: "gl-story" });
    this.progress = element("p", { class: "gl-progress" });
    this.chain = element("section", { class: "gl-chain", hidden: "", "aria-label": "Why" });
    this.help = element("dl", { class: "gl-help", hidden: "" },
      ...KEYS.flatMap(([key, does]) => [element("dt", {}, key), element("dd", {}, does)]),
      element("dt", {}, "hatched"), element("dd", {},
        "nothing happens: the picture hurries, so the times below it stand unevenly"));
    this.tip = element("div", { class: "gl-tip", hidden: "" });
    this.watched = new ResizeObserver(() => this.resize());
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.repaint = () => requestAnimationFrame(() => this.resize(true));
    this.themes = new MutationObserver(this.repaint);
    this.build();
    this.listen();
    this.resize();
  }

  // Elements.

  /** @param {Model} model @param {number} number */
  panel(model, number) {
    const scene = element("canvas", { class: "gl-scene" });
    const lanes = element("canvas", {
      class: "gl-lanes", role: "slider", tabindex: "0", "aria-valuemin": "0",
      "aria-label": `Place in ${model.header.title}`,
      title: "Drag to go there. Hatched: nothing happens, and the picture hurries",
    });
    const says = element("p", { class: "gl-lesson" });
    const title = element("h3", {}, model.header.title);
    const section = element(
      "section", { class: "gl-panel", "aria-label": model.header.summary }, title, says, scene,
      lanes,
    );
    const strip = new Lanes(model, number, this.clock);
    // What is missing comes with the size, and with the first picture.
    /** @type {Panel} */
    const panel = /** @type {any} */ ({ model, number, scene, lanes, says, section, strip });
    scene.addEventListener("pointermove", (event) => this.hover(panel, event));
    scene.addEventListener("pointerleave", () => (this.tip.hidden = true));
    scene.addEventListener("click", (event) => this.click(panel, event));
    /** @param {PointerEvent} event */
    const drag = (event) => {
      if (event.buttons & 1) this.player.scrub(panel.strip.u(event.offsetX / this.zoom));
    };
    lanes.addEventListener("pointerdown", (event) => {
      lanes.setPointerCapture(event.pointerId);
      drag(event);
    });
    lanes.addEventListener("pointermove", drag);
    return panel;
  }

  build() {
    const { player } = this;
    const worlds = [...new Set(this.models.map((model) => model.header.world))];
    const dropped = this.models.reduce((sum, model) => sum + model.header.dropped, 0);
    const lost = dropped ? `${dropped.toLocaleString("en")} later events are not in the trace` : "";
    this.root.className = "gl-flow";
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "group");
    // JupyterLab takes keys before anybody else, except within this: "x" would cut the cell.
    this.root.setAttribute("data-lm-suppress-shortcuts", "true");
    this.root.setAttribute("aria-roledescription", "animated request flow");
    this.root.setAttribute("aria-label",
      this.models.map((model) => model.header.summary).join(" "));
    this.root.replaceChildren(
      element("div", { class: "gl-panels" }, ...this.panels.map((panel) => panel.section)),
      element("div", { class: "gl-caption", "aria-live": "off" }, this.story, this.progress),
      element("div", { class: "gl-bar" },
        button("start", "To the beginning (Home)", () => player.toStart()),
        button("back", "One event back (←)", () => player.step(-1)),
        this.playButton,
        button("forward", "One event forward (→)", () => player.step(1)),
        button("end", "To the end (End)", () => player.toEnd()),
        this.speed, this.readout,
        element("span", { class: "gl-lost" }, lost),
        element("span", { class: "gl-space" }),
        element("span", { class: "gl-hint" }, "click a request or a connection: why?"),
        element("span", { class: "gl-hint gl-asleep" }, "click in here, and Space plays"),
        button("keys", "Keys (?)", () => this.toggleHelp()),
        ...worlds.map((world) => element("span", { class: "gl-badge",
          title: WORLDS[world] ?? world }, world))),
      this.help, this.chain, this.tip,
    );
  }

  listen() {
    this.root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target === this.speed) return;
      if (event.key === " " && event.target instanceof HTMLButtonElement) return;
      event.stopPropagation(); // other notebooks have keys of their own, too
      const act = keyAction(event, this);
      if (!act) return;
      event.preventDefault();
      act();
    });
    this.watched.observe(this.root);
    this.dark.addEventListener("change", this.repaint);
    const attributeFilter = ["data-jp-theme-light", "class"];
    this.themes.observe(document.body, { attributes: true, attributeFilter });
  }

  destroy() {
    this.player.playing = false;
    this.watched.disconnect();
    this.themes.disconnect();
    this.dark.removeEventListener("change", this.repaint);
  }

  resize(anew = false) {
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    const width = this.panels[0].section.clientWidth;
    const theme = isDark(this.dark) ? "dark" : "light";
    // Hidden while the theme changes, as in JupyterLab: it is painted when it is seen again.
    const same = width === this.width && theme === this.root.dataset.theme;
    if (!width || (same && !anew)) return;
    this.width = width;
    this.root.dataset.theme = theme;
    this.theme = readTheme(this.root);
    // On a stage all of it is larger, not only longer.
    const zoom = Math.min(1.45, Math.max(1, width / 1150));
    this.zoom = zoom;
    this.root.style.fontSize = `${14 * zoom}px`;
    const layouts = this.panels.map(({ model }) => new Layout(model, width / zoom));
    const height = Math.max(...layouts.map((layout) => layout.needs));
    for (const layout of layouts) layout.settle(height);
    this.panels.forEach((panel, i) => {
      panel.layout = layouts[i];
      fit(panel.scene, width, height * zoom, ratio);
      fit(panel.lanes, width, panel.strip.height * zoom, ratio);
      panel.strip.prepare(width / zoom, this.theme, ratio * zoom);
      panel.lanes.setAttribute("aria-valuemax", String(this.clock.events));
      panel.ratio = ratio * zoom;
    });
    this.draw();
  }

  // Drawing.

  ask() {
    if (this.player.playing) return this.draw();
    this.asked ??= requestAnimationFrame(() => {
      this.asked = undefined;
      this.draw();
    });
  }

  /** @param {Panel} panel @returns {View} */
  view(panel) {
    const { clock, player } = this;
    const still = player.calm;
    const u = still && player.position ? clock.u[player.position - 1] : player.u;
    const rowU = clock.rowU[panel.number];
    return {
      model: panel.model, layout: panel.layout, u, still, scale: clock.scale,
      position: clock.positions[panel.number][player.position],
      time: clock.timeAt(u) + clock.origins[panel.number],
      uOf: (row) => (row === NEVER ? NEVER : rowU[row]),
      marks: [], paths: [], boxes: [],
    };
  }

  draw() {
    if (!this.width) return;
    for (const panel of this.panels) {
      const view = (panel.view = this.view(panel));
      const g = /** @type {Pen} */ (panel.scene.getContext("2d"));
      g.setTransform(panel.ratio, 0, 0, panel.ratio, 0, 0);
      drawScene(view, g, this.theme);
      if (this.chosen?.panel === panel) this.ring(view, g, this.chosen.call);
      const strip = /** @type {Pen} */ (panel.lanes.getContext("2d"));
      strip.setTransform(panel.ratio, 0, 0, panel.ratio, 0, 0);
      panel.strip.draw(strip, this.theme, view.u);
      // A name is not to be broken at its hyphen.
      set(panel.says, lesson(panel.model, view.position).replaceAll("-", "\u2011"));
    }
    this.tell();
    this.drawn();
  }

  /** @param {View} view @param {Pen} g @param {Call | undefined} call */
  ring(view, g, call) {
    const mark = view.marks.find((one) => one.call === call);
    if (!mark) return;
    g.strokeStyle = this.theme.accent;
    g.lineWidth = 2;
    g.beginPath();
    g.arc(mark.x, mark.y, 12, 0, 2 * Math.PI);
    g.stroke();
  }

  /** The caption, the clock, the button. */
  tell() {
    const { player, clock } = this;
    const at = player.position - 1;
    const turn = this.turns[countBelow(this.turns, player.position) - 1];
    const idle = player.playing && clock.idleAt(player.u);
    set(this.story, this.sentence(turn) ||
      (player.position ? "" : "Press ▶ and the story begins with the first event."));
    this.story.classList.toggle("gl-now", turn === at && at >= 0);
    const waits = idle && idle.seconds >= 0.1 ? `${duration(idle.seconds * 1e9)} pass quickly` : "";
    set(this.progress, waits || (at >= 0 && turn !== at ? this.sentence(at) : "") || this.tally());
    // Each world's own time, as its timeline has it: they may be counted from different moments.
    const moments = new Set(clock.origins.map((origin) => {
      const now = clock.timeAt(player.u) + origin;
      return now >= 1e9 ? `${(now / 1e9).toFixed(3)} s` : `${(now / 1e6).toFixed(2)} ms`;
    }));
    set(this.readout, `${[...moments].join(" and ")}  ·  event ${player.position.toLocaleString("en")} of ${
      clock.events.toLocaleString("en")}`);
    this.speed.value = String(player.speed);
    if (!player.playing) {
      for (const { lanes } of this.panels) {
        lanes.setAttribute("aria-valuenow", String(player.position));
        lanes.setAttribute("aria-valuetext", this.story.textContent);
      }
    }
    if (this.playButton.dataset.playing !== String(player.playing)) {
      this.playButton.dataset.playing = String(player.playing);
      const label = player.playing ? "Pause (Space)" : "Play (Space)";
      this.playButton.replaceChildren(icon(player.playing ? "pause" : "play"));
      this.playButton.title = label;
      this.playButton.setAttribute("aria-label", label);
      this.story.parentElement?.setAttribute("aria-live", player.playing ? "off" : "polite");
    }
  }

  /** @param {number | undefined} index */
  sentence(index) {
    if (index === undefined || index < 0) return "";
    const panel = this.panels[this.clock.panel[index]];
    const row = this.clock.row[index];
    const sentence = panel.model.sentence(row);
    const name = panel.model.who(row);
    const several = panel.model.clients.length > 1 && panel.model.clients.some(
      (client) => client.name === name);
    const who = `${this.panels.length > 1 ? `${this.names[panel.number]}: ` : ""}${
      several && !sentence.startsWith(name) ? `${name}: ` : ""}`;
    // A sentence has a capital, but a name ("pod-1") keeps its own letters.
    const named = panel.model.header.words.includes(sentence.split(" ", 1)[0]);
    return who || named ? who + sentence : sentence[0].toUpperCase() + sentence.slice(1);
  }

  tally() {
    return this.panels.map(({ model }) => {
      const position = this.clock.positions[this.models.indexOf(model)][this.player.position];
      const failed = countBelow(model.failed, position);
      const ended = countBelow(model.ended, position);
      if (!ended) return "";
      return `${ended.toLocaleString("en")} calls ended${failed ? `, ${failed} failed` : ""}`;
    }).filter(Boolean).join("  ·  ");
  }

  // Why.

  /** @param {Panel} panel @param {MouseEvent} event @returns {Found | null} */
  hit(panel, event) {
    const [x, y] = [event.offsetX / this.zoom, event.offsetY / this.zoom];
    const { marks, paths, boxes, position } = panel.view;
    const near = nearest(marks, (mark) => Math.hypot(mark.x - x, mark.y - y), 13);
    if (near) return { panel, call: near.call, row: lastRow(position, callRows(near.call)) };
    const inside = boxes.findLast((one) => within(one, x, y));
    if (inside) {
      const row = inside.lookup ? lastRow(position, lookupRows(inside.lookup)) : inside.row;
      return row >= 0 && row < position ? { panel, row } : null;
    }
    const way = nearest(paths, ({ way: one }) =>
      Math.min(...one.points.map(([a, b]) => Math.hypot(a - x, b - y))), 11);
    if (!way) return null;
    const { dial, up, goaway, end } = way.connection;
    return {
      panel, row: lastRow(position, [dial, up, goaway, end]), connection: way.connection,
    };
  }

  /** @param {Panel} panel @param {PointerEvent} event */
  hover(panel, event) {
    if (event.pointerType === "touch") return;
    const found = this.hit(panel, event);
    panel.scene.style.cursor = found ? "pointer" : "";
    this.tip.hidden = !found;
    if (!found) return;
    this.tip.textContent = panel.model.sentence(found.row);
    const place = this.root.getBoundingClientRect();
    const x = event.clientX - place.left;
    const right = x > place.width / 2;
    this.tip.style.left = right ? "" : `${x + 14}px`;
    this.tip.style.right = right ? `${place.width - x + 14}px` : "";
    this.tip.style.top = `${event.clientY - place.top + 14}px`;
  }

  /** @param {Panel} panel @param {MouseEvent} event */
  click(panel, event) {
    this.root.focus({ preventScroll: true });
    const [x, y] = [event.offsetX / this.zoom, event.offsetY / this.zoom];
    const pod = this.podClicked && panel.layout.pods.find(({ box }) => within(box, x, y));
    if (pod) return this.podClicked?.(panel.number, pod.pod.name, event);
    const found = this.hit(panel, event);
    if (!found) return this.close();
    this.chosen = found;
    this.why(panel, found.row);
  }

  whyNow() {
    if (!this.player.position) return;
    const index = this.player.position - 1;
    this.chosen = null;
    this.why(this.panels[this.clock.panel[index]], this.clock.row[index]);
  }

  /** Shows what led to an event: the sentences of event.why().
   * @param {Panel} panel @param {number} row
   */
  why(panel, row) {
    this.player.pause();
    const { model } = panel;
    const items = model.causes(row).map((cause, depth) => {
      const line = model.line(cause);
      const gap = line.indexOf("  ");
      return element("li", {},
        element("button", { type: "button", title: "Go there",
          onclick: () => this.player.to(this.clock.indexOf(panel.number, cause) + 1) },
          element("span", { class: "gl-when" }, line.slice(0, gap)),
          element("span", {}, `${depth ? "because " : ""}${line.slice(gap + 2)}`)));
    });
    const position = this.clock.positions[panel.number][this.player.position];
    const frames = frameRows(model, this.chosen ?? {}, position);
    this.chain.replaceChildren(
      element("header", {}, element("h4", {}, "Why?"),
        element("button", { type: "button", class: "gl-close", "aria-label": "Close",
          onclick: () => this.close() }, "×")),
      ...(model.kind(row) === "FrameSeen" ? [frameBytes(model, row)] : []),
      element("ol", {}, ...items),
      ...(frames.length ? [frameList(model, frames)] : []));
    this.chain.hidden = false;
    this.chain.scrollIntoView({ block: "nearest" }); // where it was asked, not below the fold
    this.ask();
  }

  close() {
    this.chain.hidden = true;
    this.help.hidden = true;
    this.chosen = null;
    this.ask();
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
  }
}

/** @param {string} name @param {string} label @param {() => void} act */
function button(name, label, act) {
  return element("button", {
    type: "button", class: `gl-${name}`, title: label, "aria-label": label, onclick: act,
  }, ICONS[name] ? icon(name) : "?");
}

/** @param {Box} box @param {number} x @param {number} y */
const within = (box, x, y) =>
  x >= box.x && x <= box.x + box.w && y >= box.y && y <= box.y + box.h;

/** @param {Call} call */
const callRows = ({ start, queued, picked, end }) => [start, queued, picked, end];
/** @param {Lookup} lookup */
const lookupRows = ({ start, end }) => [start, end];
/** @param {number} position @param {number[]} rows */
const lastRow = (position, rows) => Math.max(...rows.filter((row) => row < position));

/**
 * @template One
 * @param {One[]} list @param {(one: One) => number} distance @param {number} limit
 */
function nearest(list, distance, limit) {
  /** @type {One | null} */
  let found = null;
  let least = limit;
  for (const one of list) {
    const far = distance(one);
    if (far <= least) [found, least] = [one, far];
  }
  return found;
}
