// @ts-check
// --- The playground: a world of the engine, its levers, and the flow that shows it ----------------

import { element } from "./elements.js";
import { Engine, EngineError } from "./engine.js";
import { Flow } from "./flow.js";
import { recorded } from "./recorded.js";

/** @import { World } from "./engine.js" */
/** @import { Style } from "./recorded.js" */

const SECONDS = 10; // that a world of the levers goes on
/** What a world of the levers is: its pods, its client, how fast that calls. */
const PRESETS = {
  sticky: { pods: 3, service: "greetserver", policy: "pick_first", rate: 10 },
  cured: { pods: 3, service: "greetserver-headless", policy: "round_robin", rate: 10 },
  "a pod killed": {
    pods: 3, service: "greetserver-headless", policy: "round_robin", rate: 10, then: "@4s+kill+pod-2",
  },
};
const SERVICES = ["greetserver", "greetserver-headless", "watch:///greetserver-headless"];
const NO_WORLD = "v1+pods=0";

/** @typedef {{ pods: number, service: string, policy: string, rate: number, then?: string }} Levers */

class Playground {
  /**
   * @param {HTMLElement} root
   * @param {Engine} engine
   * @param {{ styles: Style[], failed: string }} palette
   */
  constructor(root, engine, palette) {
    this.engine = engine;
    this.palette = palette;
    /** @type {World | null} */
    this.world = null;
    /** @type {Flow | null} */
    this.flow = null;
    const policies = engine.about.policies
      // One that has to be told more than its name has no lever yet.
      .filter((policy) => policy.fields.every((field) => field.usual !== undefined))
      .map((policy) => policy.name);
    this.pods = element("input", { type: "range", min: "1", max: "7", "aria-label": "Pods" });
    this.service = choice("Service", SERVICES);
    this.policy = choice("Policy", policies);
    this.rate = element("input", { type: "range", min: "1", max: "40", "aria-label": "Calls a second" });
    this.said = element("p", { class: "gl-said", role: "status" });
    this.share = element("ul", { class: "gl-share", "aria-label": "Who answered" });
    this.doing = element("p", { class: "gl-doing" });
    this.stage = element("div");
    for (const lever of [this.pods, this.service, this.policy, this.rate]) {
      lever.addEventListener("change", () => this.open(script(this.levers())));
    }
    root.replaceChildren(
      element("div", { class: "gl-levers" },
        ...Object.entries(PRESETS).map(([name, levers]) =>
          element("button", { type: "button", onclick: () => this.preset(levers) }, name)),
        labelled("pods", this.pods), labelled("Service", this.service),
        labelled("policy", this.policy), labelled("calls/s", this.rate)),
      this.said, this.doing, this.stage, this.share,
    );
    addEventListener("hashchange", () => {
      if (location.hash !== this.shown) this.open(location.hash);
    });
    this.shown = "";
    this.preset(PRESETS.sticky, location.hash.length > 1 ? location.hash : undefined);
  }

  /** The levers as they say, and their world, or another one.
   * @param {Levers} levers @param {string} [link]
   */
  preset(levers, link = script(levers)) {
    this.pods.value = String(levers.pods);
    this.service.value = levers.service;
    this.policy.value = levers.policy;
    this.rate.value = String(levers.rate);
    this.open(link);
  }

  /** @returns {Levers} */
  levers() {
    return {
      pods: Number(this.pods.value),
      service: this.service.value,
      policy: this.policy.value,
      rate: Number(this.rate.value),
    };
  }

  /**
   * A world, from its beginning; a link that is none: a sentence, and an empty world.
   * @param {string} link
   */
  open(link) {
    this.said.textContent = "";
    try {
      this.show(this.whole(this.engine.open(link)), 0);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.show(this.engine.open(NO_WORLD), 0);
      this.said.textContent = `This link cannot be opened: ${error.message}`;
    }
  }

  /** @param {World} world */
  whole(world) {
    while (!world.run(Math.max(world.end, 0.001))) {
      // There is more to do.
    }
    return world;
  }

  /**
   * Something is done at the moment of the picture: the same world again up to there, and then
   * another one.
   * @param {string} verb
   * @param {string[]} given
   */
  act(verb, given) {
    const { world, flow } = this;
    if (!world || !flow || !world.length) return;
    const { position } = flow.player;
    const end = world.end;
    const now = position ? world.event(position - 1).seconds : 0;
    const again = this.engine.open(world.link());
    this.said.textContent = "";
    try {
      while (!again.run(now)) {
        // There is more to do.
      }
      again.follow(verb, given);
      while (!again.run(end)) {
        // There is more to do.
      }
    } catch (error) {
      again.free();
      if (!(error instanceof EngineError)) throw error;
      this.said.textContent = error.message;
      return;
    }
    this.show(again, position);
  }

  /** @param {World} world @param {number} position that the picture begins at */
  show(world, position) {
    this.world?.free();
    this.world = world;
    this.shown = world.link();
    history.replaceState(null, "", this.shown);
    this.flow?.destroy();
    this.flow = null;
    this.stage.replaceChildren();
    const { styles, failed } = this.palette;
    const pods = world.pods;
    this.doing.replaceChildren("at this moment: ",
      ...pods.map((pod) => element("button", {
        type: "button", onclick: () => this.act("kill", [String(pod.name)]),
      }, `kill ${pod.name}`)),
      element("button", { type: "button", onclick: () => this.act("scale", ["5"]) }, "scale to 5"),
      element("button", { type: "button", onclick: () => this.act("rollout", []) }, "roll out"));
    if (!world.length) return;
    const root = element("div");
    this.stage.append(root);
    this.flow = new Flow(root, [recorded(world, title(world), styles, failed)]);
    this.flow.player.to(position);
    this.flow.player.play();
    this.tell(world);
  }

  /** Who answered how many, all in all. @param {World} world */
  tell(world) {
    const calls = world.table("calls");
    /** @type {Map<string, number>} */
    const counts = new Map(world.pods.map((pod) => [String(pod.name), 0]));
    let failed = 0;
    for (let row = 0; row < calls.rows; ++row) {
      const pod = world.word(calls.get(row, "pod"));
      if (pod && calls.get(row, "code") === 0) counts.set(pod, (counts.get(pod) ?? 0) + 1);
      else if (calls.get(row, "end") >= 0) ++failed;
    }
    const all = [...counts, ...(failed ? [["failed", failed]] : [])];
    this.share.replaceChildren(...all.map(([name, count]) =>
      element("li", {}, `${name}: ${count} of ${calls.rows}`)));
  }
}

/** A link of what the levers say. @param {Levers} levers */
function script({ pods, service, policy, rate, then }) {
  return [
    `v1+pods=${pods}+seed=7`,
    `open+${service}+policy=${policy}`,
    `load+client-1+calls=${rate * SECONDS}+interval=${Math.round(1000 / rate)}ms`,
    ...(then ? [then] : []),
    `@${SECONDS}s`,
  ].join(";");
}

/** The names that were looked up and the policies in use, as far as the link says. @param {World} world */
function title(world) {
  const [open] = world.link().match(/open\+[^;]*/) ?? [""];
  const [, service = "", ...words] = open.split("+");
  const policy = words.find((word) => word.startsWith("policy="))?.slice(7) ?? "pick_first";
  return service ? `${service.split("/").at(-1)} · ${policy}` : "a world";
}

/** @param {string} label @param {string[]} names */
function choice(label, names) {
  return element("select", { "aria-label": label },
    ...names.map((name) => element("option", { value: name }, name)));
}

/** @param {string} text @param {HTMLElement} lever */
function labelled(text, lever) {
  return element("label", {}, text, lever);
}

/**
 * @param {HTMLElement} root
 * @param {BufferSource} bytes of the engine
 * @param {{ styles: Style[], failed: string }} palette
 */
async function start(root, bytes, palette) {
  const engine = await Engine.load(bytes);
  return Object.assign(root, { play: new Playground(root, engine, palette) });
}

export default { start };
