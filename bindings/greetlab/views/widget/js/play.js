// @ts-check
// --- The playground: the essay, and the sandbox; which of them, the address says ------------------

import { element, set } from "./elements.js";
import { Engine } from "./engine.js";
import { Essay } from "./essay.js";
import { Sandbox } from "./sandbox.js";

/** @import { Palette } from "./essay.js" */

const SCENE = /^#?scene-(\d+)$/;

class Playground {
  /** @param {HTMLElement} root @param {Engine} engine @param {Palette} palette */
  constructor(root, engine, palette) {
    this.live = element("p", { class: "gl-hear", role: "status", "aria-live": "polite" });
    const say = (/** @type {string} */ text) => set(this.live, text);
    this.essay = new Essay(engine, palette, {
      say, open: (link) => this.sandboxOf(link), gone: (scene) => this.went(`scene-${scene + 1}`),
    });
    this.sandbox = new Sandbox(engine, palette, { say, went: (fragment) => this.went(fragment) });
    this.tabs = [
      element("button", { type: "button", onclick: () => this.scene(Math.max(this.essay.number, 0)) },
        "The essay"),
      element("button", { type: "button", onclick: () => this.sandboxOf("") }, "The sandbox"),
    ];
    // In a notebook's frame there is no address to be seen: here it can be copied.
    this.address = location.protocol === "about:"
      ? element("input", { class: "gl-address", readonly: "", "aria-label": "Link to what is shown" })
      : null;
    root.replaceChildren(
      element("nav", { class: "gl-tabs", "aria-label": "Parts" }, ...this.tabs,
        ...(this.address ? [this.address] : [])),
      this.live, this.essay.root, this.sandbox.root);
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
    return this.essay.root.hidden ? this.sandbox.flow : this.essay.flow;
  }

  /** @param {string} hash */
  follow(hash) {
    const scene = SCENE.exec(hash)?.[1];
    if (scene) this.scene(Number(scene) - 1);
    else if (hash.length > 1) this.sandboxOf(hash);
    else this.scene(0);
  }

  /** @param {number} number from 0 */
  scene(number) {
    this.part(0);
    this.sandbox.leave();
    this.essay.go(number);
  }

  /** @param {string} link "": as it was left */
  sandboxOf(link) {
    this.part(1);
    this.essay.leave();
    if (link) this.sandbox.open(link);
    else if (!this.world) this.sandbox.open(SANDBOX);
    else this.went(this.sandboxShown ?? "");
  }

  /** @param {number} which */
  part(which) {
    this.essay.root.hidden = which !== 0;
    this.sandbox.root.hidden = which !== 1;
    this.tabs.forEach((tab, i) => {
      if (i === which) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    });
  }

  /** The address follows what was done. @param {string} fragment */
  went(fragment) {
    if (!SCENE.test(fragment)) this.sandboxShown = fragment;
    this.shown = `#${fragment}`;
    if (this.address) this.address.value = this.shown;
    else history.replaceState(null, "", this.shown);
  }
}

const SANDBOX = "v1+pods=3+seed=7;open+greetserver;load+client-1+calls=100+interval=100ms;@10s";

/**
 * @param {HTMLElement} root its data: the palette, and the link to begin with
 * @param {BufferSource} bytes of the engine
 */
async function start(root, bytes) {
  const engine = await Engine.load(bytes);
  const palette = JSON.parse(root.dataset.palette ?? "");
  return Object.assign(root, { play: new Playground(root, engine, palette) });
}

export default { start };
