// @ts-check
// --- The playground: the essay, and the sandbox; which of them, the address says ------------------

import { element, set } from "./elements.js";
import { Engine } from "./engine.js";
import { Essay } from "./essay.js";
import { PRESETS, Sandbox } from "./sandbox.js";
import { Yours, linked } from "./yours.js";

/** @import { Palette } from "./essay.js" */

const SCENE = /^#?scene-(\d+)$/;

class Playground {
  /** @param {HTMLElement} root @param {Engine} engine @param {Palette} palette
   * @param {BufferSource} bytes of the engine @param {string} judge a worker's script
   */
  constructor(root, engine, palette, bytes, judge) {
    this.live = element("p", { class: "gl-hear", role: "status", "aria-live": "polite" });
    const say = (/** @type {string} */ text) => set(this.live, text);
    this.essay = new Essay(engine, palette, {
      say, open: (link, watch) => this.sandboxOf(link, watch),
      preset: (name) => {
        this.sandboxOf(PRESETS[name]);
        this.sandbox.root.querySelector("h2")?.focus();
      },
      gone: (scene) => this.went(`scene-${scene + 1}`, true),
    });
    this.sandbox = new Sandbox(engine, palette,
      { say, went: (fragment, anew) => this.went(fragment, anew) });
    this.tabs = [
      element("button", { type: "button", onclick: () => this.scene(Math.max(this.essay.number, 0)) },
        "The essay"),
      element("button", { type: "button", onclick: () => this.sandboxOf("") }, "The sandbox"),
      element("button", { type: "button", onclick: () => this.challenge(this.yours.number) },
        "Your own policy"),
    ];
    this.yours = new Yours(judge, bytes, palette,
      { say, went: (fragment, anew) => this.went(fragment, anew) });
    // In a notebook's frame there is no address to be seen: here it can be copied.
    this.address = location.protocol === "about:"
      ? element("input", { class: "gl-address", readonly: "", "aria-label": "Link to what is shown" })
      : null;
    root.replaceChildren(
      element("nav", { class: "gl-tabs", "aria-label": "Parts" }, ...this.tabs,
        ...(this.address ? [this.address] : [])),
      this.live, this.essay.root, this.sandbox.root, this.yours.root);
    // Back and Forward, and a link that was typed: it stands in the history already.
    addEventListener("hashchange", () => {
      if (location.hash !== this.shown) this.follow(location.hash);
    });
    this.shown = "";
    this.follow(location.hash || (root.dataset.link ?? ""));
  }

  // What the tests and the console ask for.
  get world() {
    return this.sandbox.world;
  }
  get flow() {
    return [this.essay, this.sandbox, this.yours].find(({ root }) => !root.hidden)?.flow ?? null;
  }

  /** @param {string} hash */
  follow(hash) {
    this.following = true;
    const scene = SCENE.exec(hash)?.[1];
    const yours = linked(hash);
    if (scene) this.scene(Number(scene) - 1);
    else if (yours) this.challenge(yours.number, yours.source);
    else if (hash.length > 1) this.sandboxOf(hash);
    else this.scene(0);
    this.following = false;
  }

  /** @param {number} number from 0 */
  scene(number) {
    this.part(0);
    this.sandbox.leave();
    this.yours.leave();
    this.essay.go(number);
  }

  /** @param {number} number from 0 @param {string | null} [source] */
  challenge(number, source = null) {
    this.part(2);
    this.essay.leave();
    this.sandbox.leave();
    this.yours.go(number, source);
  }

  /** @param {string} link "": as it was left @param {string} [watch] */
  sandboxOf(link, watch) {
    this.part(1);
    this.essay.leave();
    this.yours.leave();
    if (link) this.sandbox.open(link, watch);
    else if (!this.world) this.sandbox.open(SANDBOX);
    else this.went(this.sandboxShown ?? "", true);
  }

  /** @param {number} which */
  part(which) {
    this.essay.root.hidden = which !== 0;
    this.sandbox.root.hidden = which !== 1;
    this.yours.root.hidden = which !== 2;
    this.tabs.forEach((tab, i) => {
      if (i === which) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    });
  }

  /** The address follows what was done.
   * @param {string} fragment
   * @param {boolean} anew somewhere to come back to: a scene, a preset; not each turn of a lever
   */
  went(fragment, anew) {
    if (!SCENE.test(fragment) && !linked(fragment)) this.sandboxShown = fragment;
    this.shown = `#${fragment}`;
    if (this.address) this.address.value = this.shown;
    else if (anew && !this.following && location.hash !== this.shown) {
      history.pushState(null, "", this.shown);
    } else {
      history.replaceState(null, "", this.shown);
    }
  }
}

const SANDBOX = "v1+pods=3+seed=7;open+greetserver;load+client-1+calls=100+interval=100ms;@10s";

/**
 * @param {HTMLElement} root its data: the palette, and the link to begin with
 * @param {BufferSource} bytes of the engine
 * @param {string} judge a worker's script, but for the learner's picker
 */
async function start(root, bytes, judge) {
  const engine = await Engine.load(bytes);
  const palette = JSON.parse(root.dataset.palette ?? "");
  return Object.assign(root, { play: new Playground(root, engine, palette, bytes, judge) });
}

export default { start };
