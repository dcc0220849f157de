// @ts-check
// --- The essay: one scene at a time: guess, run, see what came out, and why ----------------------

import { pulled } from "./acts.js";
import { Bars } from "./bars.js";
import { LAST_CALL, chainOf } from "./chain.js";
import { element, set } from "./elements.js";
import { Figures, opened } from "./figures.js";
import { Flow } from "./flow.js";
import { SPEEDS } from "./player.js";
import { recorded } from "./recorded.js";
import { SCENES, cameSince, filled, usual } from "./scenes.js";

/** @import { Engine, World } from "./engine.js" */
/** @import { Now } from "./figures.js" */
/** @import { Style } from "./recorded.js" */
/** @import { Act, Chosen, Scene } from "./scenes.js" */

/** @typedef {{ styles: Style[], failed: string }} Palette */

const SHOWN = 2; // worlds, side by side
/** Two worlds in a fragment: neither's words have one. */
export const BETWEEN = "!";
const LASTS = 12; // seconds that a scene plays, about

/** How a bar is drawn: a pod as everywhere, by its number; others by their place.
 * @param {Palette} palette @param {string} name @param {number} [place] @returns {Style}
 */
export function styleOf({ styles }, name, place = 0) {
  if (name === "failed") return { color: "var(--pg-bad)", marker: "x" };
  const number = /^pod-(\d+)$/.exec(name)?.[1];
  // No pod: no pod's colour.
  if (!number) return { color: "#000000", marker: styles[place % styles.length].marker };
  return styles[(Number(number) - 1) % styles.length];
}

/** The speed at which a flow lasts about so long. @param {Flow} flow @param {number} seconds */
export function pace(flow, seconds) {
  const speed = flow.player.clock.length / seconds;
  flow.player.speed = SPEEDS.findLast((one) => one <= Math.max(speed, 0.5)) ?? 1;
}

export class Essay {
  /**
   * @param {Engine} engine
   * @param {Palette} palette
   * @param {{ say: (text: string) => void, open: (link: string, watch: string) => void,
   *   preset: (name: string) => void, gone: (scene: number) => void }} page
   */
  constructor(engine, palette, page) {
    this.engine = engine;
    this.palette = palette;
    this.page = page;
    this.root = element("section", { class: "gl-essay", "aria-label": "The essay" });
    this.number = -1;
    /** @type {Flow | null} */
    this.flow = null;
    /** @type {Chosen} */
    this.chosen = {};
    /** @type {Figures[]} */
    this.figures = [];
    /** @type {string[]} */
    this.links = []; // of the worlds
    /** What was done to them last, and when. @type {{ act: Act, now: number, before: Now } | null} */
    this.done = null;
  }

  /** @returns {Scene} */
  get scene() {
    return SCENES[this.number];
  }

  /** @param {number} number from 0 @param {boolean} [focus] on its title: somebody went there */
  go(number, focus = false) {
    this.leave();
    this.number = Math.min(Math.max(number, 0), SCENES.length - 1);
    const { scene } = this;
    this.chosen = usual(scene);
    this.bars = new Bars(scene.ask, scene.unit === "p99" ? "ms" : "calls", true);
    this.bars.show(this.barsOf(scene.bars), scene.most);
    this.bars.moves = () => this.count();
    this.counted = element("p", { class: "gl-counted" });
    this.runButton = element("button", {
      type: "button", class: "gl-main", onclick: () => this.run(),
    }, "Run it");
    this.came = element("p", { class: "gl-outcome" });
    this.why = element("div", { class: "gl-because", hidden: "" });
    this.result = element("div", { class: "gl-result" }, this.came, this.why);
    this.stage = element("div", { class: "gl-stage" });
    this.levers = element("div", { class: "gl-levers" },
      element("p", {}, "In another world:"),
      ...scene.levers.map((lever) => element("fieldset", { class: "gl-choice" },
        element("legend", {}, lever.label),
        ...lever.values.map(([value, label]) => {
          const input = element("input", {
            type: "radio", name: `gl-${lever.name}`, value,
            onchange: () => this.turn(lever.name, value),
          });
          input.checked = value === this.chosen[lever.name];
          return element("label", {}, input, label);
        }))));
    this.acts = element("div", { class: "gl-levers", role: "group", "aria-label": "At this moment" });
    this.levers.hidden = this.acts.hidden = true;
    const title = element("h2", { tabindex: "-1" }, scene.title);
    const last = this.number === SCENES.length - 1;
    this.root.replaceChildren(
      element("nav", { class: "gl-scenes", "aria-label": "Scenes" }, ...SCENES.map((one, i) =>
        element("button", {
          type: "button", title: one.title, "aria-label": `${i + 1}: ${one.title}`,
          ...(i === this.number ? { "aria-current": "step" } : {}),
          onclick: () => this.go(i, true),
        }, String(i + 1)))),
      element("div", { class: "gl-scene-text" }, title,
        ...scene.words.map((words) => element("p", {}, unbroken(words))),
        element("p", { class: "gl-watch" }, element("b", {}, "Watch for "), scene.watch)),
      element("div", { class: "gl-guess" },
        element("p", { class: "gl-ask" }, element("b", {}, scene.ask), " Drag the bars."),
        this.bars.root, this.counted,
        element("div", { class: "gl-doing" }, this.runButton, this.levers, this.acts)),
      this.stage, this.result,
      element("div", { class: "gl-onwards" },
        ...(this.number ? [element("button", { type: "button",
          onclick: () => this.go(this.number - 1, true) }, "← Back")] : []),
        element("button", { type: "button", class: "gl-take", hidden: "",
          onclick: () => this.page.open(this.links.slice(0, SHOWN).join(BETWEEN), scene.watch) },
          "Take it to the sandbox"),
        last ? element("button", { type: "button",
          onclick: () => this.page.preset("200 clients") }, "Next: two hundred clients, in the sandbox →")
          : element("button", { type: "button",
            onclick: () => this.go(this.number + 1, true) }, `Next: ${SCENES[this.number + 1].title} →`)),
    );
    this.count();
    this.page.gone(this.number);
    if (focus) {
      title.focus();
      title.scrollIntoView({ block: "nearest" });
    }
    this.page.say(`Scene ${this.number + 1} of ${SCENES.length}: ${scene.title}.`);
  }

  /** @param {string[]} names */
  barsOf(names) {
    return names.map((name, place) => ({ name, style: styleOf(this.palette, name, place) }));
  }

  /** How many calls the guess has handed out. */
  count() {
    const { scene, bars, counted } = this;
    if (!bars || !counted) return;
    const guess = bars.guess();
    const none = this.flow ? "" : "Or run it without a guess.";
    if (scene.unit === "p99") return set(counted, guess ? "milliseconds" : none);
    const sum = [...(guess?.values() ?? [])].reduce((all, one) => all + one, 0);
    set(counted, guess ? `handed out: ${sum} of ${scene.most} calls` : none);
  }

  /** @param {string} name @param {string} value */
  turn(name, value) {
    this.chosen = { ...this.chosen, [name]: value };
    this.run();
  }

  /** Makes the scene's worlds, and plays them. */
  run() {
    const { scene, chosen, engine } = this;
    this.done = null;
    this.show(scene.worlds.map(({ script }) => opened(engine, filled(script, chosen))), 0);
    this.page.say("It runs.");
  }

  /** The moment of the picture. */
  get now() {
    const { flow, figures } = this;
    return flow ? figures[0].seconds(flow.clock.positions[0][flow.player.position]) : 0;
  }

  /** Whether it can be done now: once, and not before what the scene is about. @param {string} label */
  can(label) {
    return label !== this.done?.act.label && this.now >= this.scene.since;
  }

  /** Something is done to the worlds, at the moment of the picture. @param {Act} act */
  pull(act) {
    const { engine, figures, flow, now } = this;
    if (!flow || !this.can(act.label)) return;
    const before = figures[0].at(figures[0].position(now));
    const worlds = this.links.map((link, i) => pulled(engine, act, link, figures[i], now, before));
    this.done = { act, now, before };
    this.show(worlds, now);
    this.page.say(`At ${now.toFixed(1)} s: ${act.label}.`);
  }

  /** @param {World[]} worlds they are freed @param {number} now seconds: where it plays from */
  show(worlds, now) {
    const { scene, chosen, palette, done } = this;
    if (!this.bars || !this.stage || !this.levers || !this.acts) return;
    this.leave();
    this.bars.empty();
    this.levers.hidden = false;
    const acts = scene.acts?.(chosen) ?? [];
    this.acts.hidden = !acts.length;
    if (!done) {
      this.acts.replaceChildren(element("p", {}, "At this moment:"), ...acts.map((act) =>
        element("button", { type: "button", onclick: () => this.pull(act) }, act.label)));
    }
    set(/** @type {Element} */ (this.runButton), "Run it again");
    this.figures = worlds.map((world) => new Figures(world));
    this.links = worlds.map((world) => world.link().slice(1));
    const packed = worlds.slice(0, SHOWN).map((world, i) =>
      recorded(world, filled(scene.worlds[i].title, chosen), palette.styles, palette.failed));
    const example = done ? done.act.example : scene.example?.(chosen);
    this.because = chainOf(worlds[0], example ?? LAST_CALL, done?.now ?? 0);
    for (const world of worlds) world.free();
    const others = this.figures[0].pods.filter((pod) => !scene.bars.includes(pod));
    if (scene.unit === "calls") {
      const there = new Set(this.figures[0].pods);
      const last = this.values(this.figures.map((figures) => figures.at(undefined, scene.since)));
      const failed = last.get("failed") && !scene.bars.includes("failed") ? ["failed"] : [];
      const names = [...scene.bars, ...others, ...failed].filter((name) => name === "failed" ||
        there.has(name) || this.bars?.moved.has(name));
      this.bars.show(this.barsOf(names.sort(failedLast)), Math.max(scene.most, ...last.values()));
    }
    const root = element("div");
    this.stage.replaceChildren(root);
    this.flow = new Flow(root, packed);
    pace(this.flow, LASTS);
    this.over = false;
    this.count();
    set(/** @type {Element} */ (this.came), "");
    if (this.why) this.why.hidden = true;
    this.flow.drawn = () => this.drawn();
    // All of it that there is room for; in one column from its top on.
    this.stage.scrollIntoView({ block: isNarrow() ? "start" : "nearest" });
    const { clock, player } = this.flow;
    if (player.calm) return player.toEnd();
    const position = this.figures[0].position(now);
    if (now > 0) player.to(clock.positions[0].findIndex((one) => one >= position));
    player.play();
  }

  /** The bars as far as the picture is; at its end, what came out and why. */
  drawn() {
    const { flow, scene, bars } = this;
    if (!flow || !bars) return;
    const ended = flow.player.position >= flow.clock.events;
    const now = this.figures.map((figures, panel) => {
      // Worlds that are not shown go on at the pace of the first.
      const place = flow.clock.positions[Math.min(panel, SHOWN - 1)];
      const position = place?.[flow.player.position] ?? 0;
      const shown = panel < SHOWN ? position
        : figures.position(this.figures[0].seconds(flow.clock.positions[0][flow.player.position]));
      return figures.at(ended ? figures.length : shown, scene.since);
    });
    bars.fill(this.values(now));
    for (const button of this.acts?.querySelectorAll("button") ?? []) {
      // Not `disabled`, which would take the focus from whoever has just pressed it.
      button.setAttribute("aria-disabled", String(!this.can(button.textContent ?? "")));
    }
    if (!ended || this.over) return;
    this.over = true;
    const { came, why } = this;
    if (!came || !why) return;
    const { told, because } = this.outcome(now);
    set(came, unbroken(told));
    why.hidden = false;
    const { title = "", chain = [] } = this.because ?? {};
    const which = scene.worlds.length > 1 ? ` (${scene.worlds[0].title})` : "";
    why.replaceChildren(
      element("h3", {}, "Why it happened"), element("p", {}, unbroken(because)),
      element("details", {},
        element("summary", {}, `${title}${which}, and what led to it`),
        element("ol", {}, ...chain.map(({ seconds, sentence }, depth) =>
          element("li", {}, element("span", { class: "gl-at" }, `${seconds.toFixed(3)} s`),
            element("span", {}, `${depth ? "because " : ""}${sentence}`))))));
    /** @type {HTMLElement | null} */ (this.root.querySelector(".gl-take"))?.removeAttribute("hidden");
    this.page.say(`${told} ${because}`);
    this.result?.scrollIntoView({ block: "nearest" });
  }

  /** What came out, and why. @param {Now[]} now */
  outcome(now) {
    const { scene, chosen, done, figures } = this;
    if (done) {
      const since = figures.map((one) => one.at(undefined, done.now));
      return { told: `Since ${done.now.toFixed(1)} s: ${cameSince(scene, since)}`, because: done.act.because };
    }
    return {
      told: `${scene.came(now, chosen)}${this.distance(now)}`,
      because: scene.otherwise?.(chosen) ?? scene.because,
    };
  }

  /** What the bars show. @param {Now[]} now @returns {Map<string, number>} */
  values(now) {
    const { scene } = this;
    if (scene.unit === "p99") {
      return new Map(scene.worlds.map(({ title }, i) => [title, Math.round((now[i].p99 || 0) * 1e3)]));
    }
    return new Map([...now[0].answered, ["failed", now[0].failed]]);
  }

  /** How far the guess is from it, in words. @param {Now[]} now */
  distance(now) {
    const guess = this.bars?.guess();
    if (!guess || this.scene.unit === "p99") return "";
    const values = this.values(now);
    const off = [...guess].reduce((sum, [name, one]) => sum + Math.abs(one - (values.get(name) ?? 0)), 0);
    const sum = [...guess.values()].reduce((all, one) => all + one, 0);
    const { ended } = now[0];
    if (Math.abs(sum - ended) > ended / 20) return ` Your guess was for ${sum} of ${ended}.`;
    const calls = Math.round(off / 2);
    return calls ? ` ${calls} of ${now[0].ended} went elsewhere than you guessed.` : " As you guessed.";
  }

  /** What moves is stopped. */
  leave() {
    this.flow?.destroy();
    this.flow = null;
  }
}

/** Whether all stands in one column, and what comes next may be out of sight. */
const isNarrow = () => innerWidth < 1000;

/** A name is not to be broken at its hyphen. @param {string} text */
const unbroken = (text) => text.replaceAll("pod-", "pod\u2011");

/** @param {string} a @param {string} b */
const failedLast = (a, b) => Number(a === "failed") - Number(b === "failed") || (a < b ? -1 : 1);
