// @ts-check
// --- The sandbox: a world, or two side by side, and all that can be done to them ------------------

import { acted, goesOn } from "./acts.js";
import { Bars, shape } from "./bars.js";
import { element, set } from "./elements.js";
import { EngineError } from "./engine.js";
import { BETWEEN, pace, styleOf } from "./essay.js";
import { Figures, opened } from "./figures.js";
import { Flow } from "./flow.js";
import { DEAD, WELL } from "./lesson.js";
import { Levers, inhabited } from "./levers.js";
import { recorded } from "./recorded.js";
import { endOf, linkOf, setupOf } from "./script.js";

/** @import { Engine, Value, World } from "./engine.js" */
/** @import { Palette } from "./essay.js" */
/** @import { Deed } from "./moment.js" */

const HEADLESS = "greetserver-headless+policy=round_robin";
const CALLS = "load+client-1+calls=100+interval=100ms";
const CROWD = Array.from({ length: 200 }, (_, i) => i + 1);
/** @type {Record<string, string>} */
export const PRESETS = {
  sticky: `v1+pods=3+seed=7;open+greetserver;${CALLS};@10s`,
  cured: `v1+pods=3+seed=7;open+${HEADLESS};${CALLS};@10s`,
  "a pod killed": `v1+pods=3+seed=7;open+${HEADLESS};${CALLS};@4s+kill+pod-2;@10s`,
  overload: "v1+pods=3+seed=7+service_time=40ms+capacity=2;" +
    `open+greetserver;load+client-1+calls=600+interval=exponential%2016ms+timeout=1s;@10s`,
  "200 clients": ["v1+pods=3+seed=7", ...CROWD.map(() => "open+greetserver"),
    ...CROWD.map((i) => `load+client-${i}+calls=5+interval=exponential%202s`),
    "@4s+kill+pod-2", "@5s+restart+pod-2", "@10s"].join(";"),
};
/** What is to be seen in each of them. @type {Record<string, string>} */
const WATCH = {
  sticky: "the one connection: the ClusterIP chose its pod when it was dialled, and every call goes there.",
  cured: "three addresses from DNS, a connection to each of them, and calls that take turns.",
  "a pod killed": "what one call pays at 4 s, and what the client still tries after that: nobody told it " +
    "that the pod is off the list.",
  overload: "the queue in the one pod that the connection leads to. It grows, calls wait until their " +
    "second is over, and two pods have nothing to do.",
  "200 clients": "pod-2: it dies at 4 s and is back at 5 s, and hardly anybody comes back to it. Who has " +
    "a connection that is well keeps it.",
};
const NO_WORLD = "v1+pods=0";
const SIDES = ["A", "B"];
const GONE = new Set([...DEAD, "draining", "told to end", null]);
const MOST_SHOWN = 12; // pods by name; the picture shows more

/** What can be done to a pod. @type {[string, string, Value[]][]} */
const TO_A_POD = [
  ["kill", "kill: it is gone, and resets its connections", []],
  ["lose", "lose: its machine is gone, and nobody says so", []],
  ["drain", "drain: delete it, as Kubernetes does", []],
  ["slow", "slow: 100 ms more for each call", ["100ms"]],
  ["slow", "quick again", ["0"]],
  ["fail", "fail half of its calls", [0.5]],
  ["fail", "fail none", [0]],
  ["set_serving", "its health says: not serving", [false]],
  ["set_serving", "its health says: serving", [true]],
  ["restart", "restart: at the same address", []],
];

/** @typedef {{ link: string, figures: Figures, digest: string, name: string }} Side */

export class Sandbox {
  /**
   * @param {Engine} engine
   * @param {Palette} palette
   * @param {{ say: (text: string) => void, went: (fragment: string, anew: boolean) => void }} page
   */
  constructor(engine, palette, page) {
    this.engine = engine;
    this.palette = palette;
    this.page = page;
    /** @type {World[]} */
    this.worlds = [];
    /** @type {Figures[]} */
    this.figures = [];
    this.side = 0; // that the levers act on
    /** @type {Flow | null} */
    this.flow = null;
    this.told = 0;
    this.podsShown = "";
    this.menuOf = "";
    /** @type {Bars[]} */
    this.bars = [];
    /** @type {HTMLElement[]} */
    this.titles = [];
    this.levers = new Levers(engine.about, {
      moment: () => [this.worlds[this.side].link(), this.now()],
      another: (setup) => this.another(linkOf(setup)),
      act: (deeds, seconds) => this.act(deeds, seconds),
      end: () => this.goesOn() ?? endOf(setupOf(this.worlds[this.side].link())),
      scale: (pods) => this.scale(pods),
    });
    this.said = element("p", { class: "gl-said", role: "alert" });
    this.note = element("p", { class: "gl-note" });
    this.stage = element("div", { class: "gl-stage" });
    this.pods = element("div", { class: "gl-pods", role: "group", "aria-label": "Pods" });
    this.menu = element("div", { class: "gl-menu", role: "group", hidden: "",
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Escape") this.closeMenu();
      } });
    this.share = element("div", { class: "gl-shares" });
    this.table = element("table", { class: "gl-figures" });
    this.sides = element("fieldset", { class: "gl-choice", hidden: "" });
    this.forkButton = element("button", { type: "button", onclick: () => this.fork() }, "Fork");
    this.forkButton.title = "A second world, the same up to this moment, beside this one";
    this.root = element("section", { class: "gl-sandbox", "aria-label": "The sandbox" },
      element("h2", { class: "gl-hear", tabindex: "-1" }, "The sandbox"),
      element("div", { class: "gl-presets", role: "group", "aria-label": "Worlds to begin with" },
        ...Object.entries(PRESETS).map(([name, link]) => element("button", {
          type: "button", onclick: () => this.open(link),
        }, name))),
      this.said,
      element("div", { class: "gl-two" }, this.levers.root,
        element("div", { class: "gl-right" },
          element("div", { class: "gl-acts" },
            element("span", { class: "gl-moment" }, "At this moment:"), this.pods,
            element("button", { type: "button", onclick: () => this.act([["rollout", [], {}]]) }, "Roll out"),
            this.forkButton, this.sides),
          this.note, this.menu, this.stage,
          element("div", { class: "gl-told" }, this.share, this.table))));
  }

  /** The first of the worlds. */
  get world() {
    return this.worlds[0] ?? null;
  }

  /** A link, or two of them: from the beginning; of one that is none a sentence, and an empty world.
   * @param {string} link
   * @param {string} [watch] what is to be seen there; of a preset it is known
   */
  open(link, watch = watchFor(link)) {
    set(this.said, "");
    this.note.replaceChildren(...(watch ? [element("b", {}, "Watch for "), watch] : []));
    this.side = 0;
    /** @type {World[]} */
    const worlds = [];
    try {
      for (const one of link.replace(/^[^#]*#/, "").split(BETWEEN).slice(0, SIDES.length)) {
        worlds.push(opened(this.engine, one));
      }
      this.show(worlds, 0, true, true);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      for (const world of worlds) world.free();
      this.show([opened(this.engine, NO_WORLD)], 0, false, true);
      this.refused(`This link cannot be opened: ${error.message}`);
    }
  }

  /** @param {string} why */
  refused(why) {
    set(this.said, why);
  }

  /** The moment of the picture, in the world that the levers act on. */
  now() {
    const { flow, figures, side } = this;
    if (!flow) return 0;
    return figures[side].seconds(flow.clock.positions[side][flow.player.position]);
  }

  /** How far this world goes on if something is done to it now. */
  goesOn() {
    return goesOn(this.worlds[this.side].link(), this.figures[this.side], this.now());
  }

  /** Another world in the place of this one, at the same moment. @param {string} link */
  another(link) {
    const now = this.now();
    if (!this.replace(() => opened(this.engine, link)) || !this.flow || now <= 0) return;
    const told = "A running world cannot be told this. So this is another one, in which the same " +
      `was done, at ${now.toFixed(1)} s.`;
    set(this.note, told);
    this.page.say(told);
  }

  /** Something is done at the moment of the picture: the same world again up to there, and then
   * another one. At its end it goes on, so that there is something to be seen of it.
   * @param {Deed[]} deeds
   * @param {number} [until] seconds: it ends there, if that is not before its last command
   */
  act(deeds, until) {
    const now = this.now();
    const link = this.worlds[this.side].link();
    const on = until === undefined ? this.goesOn() : null;
    const end = until ?? on ?? endOf(setupOf(link));
    const done = this.replace(() => acted(this.engine, link, now, deeds, end, on !== null), on !== null);
    if (!done) return;
    const told = on === null ? ""
      : `It was as good as over: it goes on to ${on.toFixed(1)} s, so that you see what follows.`;
    if (told) set(this.note, told);
    this.page.say(`At ${now.toFixed(1)} s: ${inWords(deeds)}. ${told}`.trim());
  }

  /** At the beginning it is how many there are; later they come and go. @param {number} pods */
  scale(pods) {
    const setup = setupOf(this.worlds[this.side].link());
    if (this.now() > 0.001) this.act([["scale", [String(pods)], {}]]);
    else this.another(linkOf(inhabited({ ...setup, world: { ...setup.world, pods: String(pods) } })));
  }

  /** @param {() => World} make @param {boolean} [play] @returns {boolean} */
  replace(make, play = false) {
    const now = this.now();
    const played = play || (this.flow?.player.playing ?? false);
    set(this.said, "");
    set(this.note, "");
    this.closeMenu();
    try {
      const world = make();
      const worlds = this.worlds.map((old, side) => (side === this.side ? world : old));
      this.worlds[this.side].free();
      this.worlds = [];
      this.show(worlds, now, played || now === 0);
      return true;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.refused(error.message);
      this.levers.show(this.running());
      return false;
    }
  }

  /** A second world beside it; or only the one that the levers act on. */
  fork() {
    const now = this.now();
    if (this.worlds.length > 1) {
      const [other] = this.worlds.splice(1 - this.side, 1);
      other.free();
      const left = this.worlds;
      this.worlds = [];
      this.side = 0;
      this.show(left, now, false);
      set(this.note, "");
      this.page.say("One world again.");
      return;
    }
    const [first] = this.worlds;
    const second = opened(this.engine, first.link());
    this.worlds = [];
    this.side = 1;
    this.show([first, second], now, false);
    const told = `Two worlds, the same up to ${now.toFixed(1)} s. What you do is done to B.`;
    set(this.note, told);
    this.page.say(told);
  }

  /** @param {World[]} worlds @param {number} now seconds @param {boolean} play
   * @param {boolean} [anew] they do not come out of those that were here
   */
  show(worlds, now, play, anew = false) {
    for (const old of this.worlds) if (!worlds.includes(old)) old.free();
    this.worlds = worlds;
    this.figures = worlds.map((world) => new Figures(world));
    this.flow?.destroy();
    const speed = this.flow?.player.speed;
    this.flow = null;
    this.stage.replaceChildren();
    this.closeMenu();
    const { styles, failed } = this.palette;
    const two = worlds.length > 1;
    const there = worlds.every((world) => world.pods.length || world.clients.length);
    const packed = worlds.map((world, side) =>
      recorded(world, `${two ? `${SIDES[side]} · ` : ""}${title(world)}`, styles, failed));
    if (there) {
      const root = element("div");
      this.stage.append(root);
      this.flow = new Flow(root, packed);
      if (speed && now) this.flow.player.speed = speed;
      else pace(this.flow, 20);
      this.flow.drawn = () => this.drawn();
      this.flow.podClicked = (panel, pod, event) => {
        this.choose(panel);
        this.openMenu(pod, event.clientX, event.clientY);
      };
    } else {
      this.stage.append(element("p", { class: "gl-empty" },
        "An empty cluster. Choose a world above, or pull a lever."));
    }
    this.bars = worlds.map((_, side) =>
      new Bars(two ? `Who answered in ${SIDES[side]}` : "Who answered", "calls", false));
    this.titles = worlds.map(() => element("h3"));
    this.share.replaceChildren(...this.bars.map((bars, side) => element("div", {},
      this.titles[side], bars.root)));
    set(this.forkButton, two ? "One world" : "Fork");
    this.sides.hidden = !two;
    this.sides.replaceChildren(element("legend", {}, "levers act on"), ...(two ? SIDES : []).map(
      (name, side) => {
        const input = element("input", { type: "radio", name: "gl-side", value: name,
          onchange: () => this.choose(side) });
        input.checked = side === this.side;
        return element("label", {}, input, name);
      }));
    if (this.flow) {
      const { clock, player } = this.flow;
      const position = now > 0 ? this.figures[this.side].position(now) : 0;
      const at = clock.positions[this.side].findIndex((one) => one >= position);
      player.to(now > 0 ? at : 0);
      if (play && !player.calm) player.play();
    }
    this.page.went(worlds.map((world) => world.link().slice(1)).join(BETWEEN), anew);
    this.choose(this.side);
    this.drawn(true);
  }

  /** Which of the two is acted on. @param {number} side */
  choose(side) {
    this.side = side;
    for (const [i, input] of [...this.sides.querySelectorAll("input")].entries()) {
      input.checked = i === side;
    }
    this.levers.show(this.running());
    this.showPods();
  }

  /** The pods' states at this moment: its name to "ready", "killed", ... */
  states() {
    const model = this.flow?.models[this.side];
    const position = this.flow?.clock.positions[this.side][this.flow.player.position] ?? 0;
    // What comes before everything else, an event a pod, stands at the beginning: their start.
    const begun = Math.max(position, model?.pods.length ?? 0, 1);
    return new Map((model?.pods ?? []).map((pod) =>
      [pod.name, pod.state.at(begun) ?? (pod.state.since(Infinity) < 0 ? "started" : null)]));
  }

  /** How many pods there are that nobody has ended. */
  running() {
    return [...this.states().values()].filter((state) => !GONE.has(state)).length;
  }

  showPods() {
    const states = this.states();
    const shown = [...states].slice(0, MOST_SHOWN);
    const key = JSON.stringify([this.side, shown]);
    if (this.podsShown === key && this.pods.childElementCount) return;
    this.podsShown = key;
    const had = document.activeElement?.getAttribute("data-pod");
    this.pods.replaceChildren(...shown.map(([pod, state]) => {
      const good = state === null || WELL.has(state);
      return element("button", { type: "button", "data-pod": pod, "aria-haspopup": "true",
        "aria-label": `${pod}${good ? "" : `, ${state}`}: what is done to it?`,
        class: good ? "" : "gl-ill",
        onclick: (/** @type {MouseEvent} */ event) => {
          const { left, bottom } = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
          this.openMenu(pod, left, bottom);
        } }, shape(styleOf(this.palette, pod)), pod, ...(good ? [] : [` ${state}`]));
    }), ...(states.size > MOST_SHOWN ? [this.others([...states.keys()].slice(MOST_SHOWN))] : []));
    if (had) /** @type {HTMLElement | null} */ (this.pods.querySelector(`[data-pod="${CSS.escape(had)}"]`))?.focus();
  }

  /** @param {number} side @param {number} shown @param {number} all */
  sharesOf(side, shown, all) {
    const title = this.worlds.length > 1 ? `${SIDES[side]}: who answered` : "Who answered";
    return shown < all ? `${title}: the busiest ${shown} of ${all} pods` : title;
  }

  /** Those for which there is no button: by click in the picture, or here. @param {string[]} pods */
  others(pods) {
    const list = element("select", { "aria-label": "Another pod", onchange: () => {
      const { left, bottom } = list.getBoundingClientRect();
      const pod = list.value;
      list.value = "";
      this.openMenu(pod, left, bottom);
    } }, element("option", { value: "" }, `${pods.length} more …`),
    ...pods.map((pod) => element("option", { value: pod }, pod)));
    return list;
  }

  /** @param {string} pod @param {number} x @param {number} y of the window */
  openMenu(pod, x, y) {
    this.flow?.player.pause();
    const whose = this.worlds.length > 1 ? ` of ${SIDES[this.side]}` : "";
    const dead = DEAD.has(this.states().get(pod) ?? null);
    const deeds = TO_A_POD.filter(([verb]) => !dead || verb === "restart");
    this.menu.setAttribute("aria-label", `What is done to ${pod}`);
    this.menu.replaceChildren(
      element("p", {}, shape(styleOf(this.palette, pod)), element("b", {}, pod),
        `${whose} at ${this.now().toFixed(2)} s`),
      ...deeds.map(([verb, label, more]) => element("button", { type: "button",
        onclick: () => this.act([[verb, [pod, ...more.map(String)], {}]]) }, label)),
      element("button", { type: "button", onclick: () => this.closeMenu() }, "leave it"));
    this.menu.hidden = false;
    const width = Math.min(300, innerWidth - 24);
    this.menu.style.width = `${width}px`;
    this.menu.style.left = `${Math.max(8, Math.min(x, innerWidth - width - 16))}px`;
    const below = innerHeight - this.menu.offsetHeight - 8;
    this.menu.style.top = `${Math.max(8, Math.min(y + 6, below))}px`;
    this.menuOf = pod;
    /** @type {HTMLElement | null} */ (this.menu.querySelector("button"))?.focus();
  }

  closeMenu() {
    if (this.menu.hidden) return;
    const within = this.menu.contains(document.activeElement);
    this.menu.hidden = true;
    if (within) {
      /** @type {HTMLElement | null} */
      (this.pods.querySelector(`[data-pod="${CSS.escape(this.menuOf)}"]`))?.focus();
    }
  }

  /** The figures of this moment; ten times a second are enough. @param {boolean} [surely] */
  drawn(surely = false) {
    const time = performance.now();
    const { flow } = this;
    if (flow?.player.playing && !surely && time - this.told < 100) return;
    this.told = time;
    const now = this.figures.map((figures, side) =>
      figures.at(flow?.clock.positions[side][flow.player.position] ?? 0));
    this.bars.forEach((bars, side) => {
      const { answered, failed } = now[side];
      const values = new Map(answered);
      const names = [...values.keys()];
      if (names.length > MOST_SHOWN) {
        // Of so many the busiest; the picture has them all.
        names.sort((a, b) => (answered.get(b) ?? 0) - (answered.get(a) ?? 0));
        names.length = MOST_SHOWN;
      }
      set(this.titles[side], this.sharesOf(side, names.length, answered.size));
      if (failed) {
        names.push("failed");
        values.set("failed", failed);
      }
      bars.show(names.map((name) => ({ name, style: styleOf(this.palette, name) })),
        Math.max(...values.values(), 1));
      bars.fill(values);
    });
    /** @param {number} seconds */
    const ms = (seconds) => (Number.isNaN(seconds) ? "–" : `${(seconds * 1e3).toFixed(1)} ms`);
    /** @type {[name: string, of: (one: typeof now[0]) => string, more?: string][]} */
    const rows = [
      ["calls ended", (one) => one.ended.toLocaleString("en")],
      ["failed", (one) => one.failed.toLocaleString("en")],
      ["half within (p50)", (one) => ms(one.p50)],
      ["99 % within (p99)", (one) => ms(one.p99)],
      ["connections open", (one) => String(one.open)],
      ["connections made", (one) => String(one.opened)],
      ["lookups of the name", (one) => String(one.lookups)],
      ["questions to DNS", (one) => String(one.questions),
        "A lookup asks two: for IPv4 addresses (A), and for IPv6 ones (AAAA)."],
    ];
    const two = this.worlds.length > 1;
    this.table.replaceChildren(
      element("caption", {}, "Figures, up to this moment"),
      ...(two ? [element("tr", {}, element("td"), ...SIDES.map((side) =>
        element("th", { scope: "col" }, side)))] : []),
      ...rows.map(([name, of, more]) => element("tr", {},
        element("th", { scope: "row" }, name, ...(more ? [element("small", {}, more)] : [])),
        ...now.map((one) => element("td", {}, of(one))))));
    this.showPods();
    if (!flow?.player.playing) {
      this.levers.moved(this.running());
    }
  }

  leave() {
    this.flow?.player.pause();
    this.closeMenu();
  }
}

/** @param {string} link of a preset @returns {string} "" of any other */
function watchFor(link) {
  const script = link.replace(/^[^#]*#/, "");
  return WATCH[Object.keys(PRESETS).find((name) => PRESETS[name] === script) ?? ""] ?? "";
}

/** What was done, for those who hear it: of the same a few words are enough. @param {Deed[]} deeds */
function inWords(deeds) {
  if (deeds.length > 3) return "other calls from now on";
  return deeds.map(([verb, given, named]) => [verb, ...given,
    ...Object.entries(named).map(([name, value]) => `${name} ${value}`)].join(" ").replaceAll("_", " "))
    .join(", ");
}

/** The Service and the policy, as far as the link says. @param {World} world */
function title(world) {
  const { service, channel, clients } = setupOf(world.link());
  if (!service) return "a world";
  const many = clients > 1 ? ` · ${clients} clients` : "";
  return `${service.split("/").at(-1)} · ${channel.policy ?? "pick_first"}${many}`;
}
