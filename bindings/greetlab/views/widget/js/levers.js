// @ts-check
// --- The sandbox's levers: every option that the engine tells of, in groups that fold -------------

import { element, set } from "./elements.js";
import { endOf, loaded, rateOf } from "./script.js";

/** @import { About, Option } from "./engine.js" */
/** @import { Setup, Words } from "./script.js" */

export const SERVICES = ["greetserver", "greetserver-headless", "watch:///greetserver-headless"];
/** What a person calls them. @type {Record<string, string>} */
const SERVICE_NAMES = {
  greetserver: "ClusterIP",
  "greetserver-headless": "headless",
  "watch:///greetserver-headless": "headless, watch",
};
const MOST_CALLS = 20_000; // the picture keeps every one

/** Of the engine's options, what stands where; of what is in none the page has no lever.
 * @type {{ title: string, of: "world" | "channel" | "load", names: string[] }[]}
 */
const GROUPS = [
  { title: "How pods serve", of: "world", names: [
    "service_time", "capacity", "queue", "max_concurrent_streams", "load_reports"] },
  { title: "Pods come and go", of: "world", names: [
    "start_interval", "readiness_delay", "endpoint_lag", "watch_lag", "pre_stop", "grace"] },
  { title: "An end to connections", of: "world", names: [
    "max_connection_age", "max_connection_age_grace", "latency"] },
  { title: "Clients' connections", of: "channel", names: [
    "cooldown", "keepalive_time", "keepalive_timeout", "keepalive_without_calls", "idle_timeout",
    "connection_per_call"] },
  { title: "Calls", of: "load", names: [
    "timeout", "wait_for_ready", "concurrency", "key_header", "keys"] },
  { title: "DNS and chance", of: "world", names: [
    "dns_ttl", "dns_cache", "dns_round_trip", "ip", "seed"] },
];

export class Levers {
  /**
   * @param {About} about
   * @param {(setup: Setup) => void} changed another world, with the same story
   * @param {(pods: number) => void} scaled at the moment of the picture
   */
  constructor(about, changed, scaled) {
    this.about = about;
    this.changed = changed;
    /** @type {Setup | null} */
    this.setup = null;
    this.pods = element("input", { type: "range", min: "1", max: "20", "aria-label": "Pods",
      oninput: () => this.tell(), onchange: () => scaled(Number(this.pods.value)) });
    this.service = choice("Service", SERVICES.map((one) => [one, SERVICE_NAMES[one]]));
    this.policy = choice("Policy", about.policies.map(({ name }) => [name, name]));
    this.clients = number("Clients", 1, 1000);
    this.rate = number("Calls a second", 0.1, 2000);
    this.seconds = number("Seconds", 1, 3600);
    this.arrival = choice("Arrival", [["even", "evenly"], ["chance", "by chance"]]);
    this.said = element("output", { class: "gl-number" });
    this.fields = element("div", { class: "gl-fields" });
    this.service.addEventListener("change", () => this.change({ service: this.service.value }));
    this.policy.addEventListener("change", () => this.change({ channel: this.policyWords() }));
    for (const lever of [this.clients, this.rate, this.seconds, this.arrival]) {
      lever.addEventListener("change", () => this.load());
    }
    /** @type {{ option: Option, of: "world" | "channel" | "load", input: HTMLInputElement }[]} */
    this.options = [];
    this.root = element("form", { class: "gl-sandbox-levers", "aria-label": "Levers",
      onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
      folded("Service and policy", true,
        labelled("Service", this.service), labelled("policy", this.policy), this.fields),
      folded("Pods and calls", true,
        labelled("pods, from this moment on", this.pods, this.said),
        labelled("clients", this.clients), labelled("calls a second", this.rate),
        labelled("they come", this.arrival), labelled("seconds", this.seconds)),
      ...GROUPS.map(({ title, of, names }) => folded(title, false,
        ...about.options[of].filter(({ name }) => names.includes(name))
          .sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name))
          .map((option) => this.lever(option, of)))));
  }

  /** @param {Option} option @param {"world" | "channel" | "load"} of */
  lever(option, of) {
    const truth = option.type === "truth";
    const input = element("input", truth ? { type: "checkbox" }
      : { type: "text", placeholder: option.usual === "0h" ? "0" : option.usual, spellcheck: "false", autocomplete: "off" });
    input.addEventListener("change", () => {
      if (!this.setup) return;
      const value = truth ? String(input.checked) : input.value.trim();
      this.change({ [of]: worded(this.setup[of], option.name, value, option.usual) });
    });
    this.options.push({ option, of, input });
    return helped(labelled(option.name, input), option.help);
  }

  /** @param {Partial<Setup>} part */
  change(part) {
    if (!this.setup) return;
    this.changed(inhabited({ ...this.setup, ...part }));
  }

  load() {
    if (!this.setup) return;
    const rate = Number(this.rate.value) || 10;
    const seconds = Number(this.seconds.value) || 10;
    const clients = Math.min(Math.max(Math.round(Number(this.clients.value)) || 1, 1), 1000);
    const setup = inhabited(this.setup);
    const chance = this.arrival.value === "chance";
    const bounded = Math.min(rate, MOST_CALLS / seconds);
    this.changed(loaded({ ...setup, clients }, { rate: bounded, seconds, chance }));
  }

  /** The policy's own options, and all the others of the channel. @returns {Words} */
  policyWords() {
    const kept = Object.entries(this.setup?.channel ?? {})
      .filter(([name]) => name !== "policy" && !name.startsWith("policy."));
    const type = this.about.policies.find(({ name }) => name === this.policy.value);
    const needed = (type?.fields ?? []).filter(({ usual }) => usual === undefined)
      .map(({ name }) => [`policy.${name}`, "2"]);
    const texts = (type?.texts ?? []).filter((name) => name === "requestHashHeader")
      .map((name) => [`policy.${name}`, "user-id"]);
    return Object.fromEntries([["policy", this.policy.value], ...needed, ...texts, ...kept]);
  }

  /** As the link says. @param {Setup} setup @param {number} pods that there are now */
  show(setup, pods) {
    this.setup = setup;
    this.count(pods);
    this.service.value = setup.service || SERVICES[0];
    const policy = setup.channel.policy ?? "pick_first";
    if (this.policy.value !== policy || !this.fields.childElementCount) this.policy.value = policy;
    this.clients.value = String(Math.max(setup.clients, 1));
    const rate = rateOf(setup);
    this.rate.value = rate === null ? "" : String(Number(rate.toPrecision(3)));
    this.seconds.value = String(Math.max(endOf(setup), 1));
    this.arrival.value = (setup.load.interval ?? "").startsWith("exponential") ? "chance" : "even";
    for (const { option, of, input } of this.options) {
      const value = setup[of][option.name];
      if (option.type === "truth") input.checked = (value ?? option.usual) === "true";
      else input.value = value ?? "";
    }
    const type = this.about.policies.find(({ name }) => name === policy);
    this.fields.replaceChildren(...(type?.texts ?? []).map((name) => this.field(name, "")),
      ...(type?.fields ?? []).map(({ name, usual, least, most }) =>
        helped(this.field(name, usual ?? ""), `${least} to ${most}`)));
    this.tell();
  }

  /** @param {string} name @param {string} usual */
  field(name, usual) {
    const word = `policy.${name}`;
    const input = element("input", { type: "text", placeholder: usual, spellcheck: "false",
      autocomplete: "off", onchange: () => {
        if (this.setup) this.change({ channel: worded(this.setup.channel, word, input.value.trim(), usual) });
      } });
    input.value = this.setup?.channel[word] ?? "";
    return labelled(name, input);
  }

  /** @param {number} pods that there are now */
  count(pods) {
    this.pods.max = String(Math.max(20, pods));
    this.pods.value = String(pods);
    this.tell();
  }

  tell() {
    set(this.said, this.pods.value);
  }
}

/** A lever that is pulled in an empty world makes one in which it can be seen.
 * @param {Setup} setup @returns {Setup}
 */
export function inhabited(setup) {
  if (setup.clients) return setup;
  const pods = setup.world.pods === "0" ? "3" : setup.world.pods ?? "3";
  return loaded({
    ...setup, clients: 1, service: setup.service || SERVICES[0], world: { ...setup.world, pods },
  }, { rate: 10, seconds: Math.max(endOf(setup), 10), chance: false });
}

/** With another value of an option; as usual: without it.
 * @param {Words} words @param {string} name @param {string} value @param {string} usual
 */
function worded(words, name, value, usual) {
  const others = Object.entries(words).filter(([one]) => one !== name);
  return Object.fromEntries(value === "" || value === usual ? others : [...others, [name, value]]);
}

/** @param {string} label @param {[string, string][]} values */
function choice(label, values) {
  return element("select", { "aria-label": label },
    ...values.map(([value, text]) => element("option", { value }, text)));
}

/** @param {string} label @param {number} min @param {number} max */
function number(label, min, max) {
  return element("input", { type: "number", min, max, step: "any", "aria-label": label });
}

/** @param {string} text @param {HTMLElement[]} levers */
function labelled(text, ...levers) {
  // A long name may be broken after its underscores.
  const parts = text.split(/(?<=_)/).flatMap((part) => [part, element("wbr")]);
  return element("label", { class: "gl-lever" }, element("span", {}, ...parts), ...levers);
}

/** @param {HTMLElement} lever @param {string} help */
function helped(lever, help) {
  lever.title = help;
  return lever;
}

/** @param {string} title @param {boolean} open @param {HTMLElement[]} levers */
function folded(title, open, ...levers) {
  return element("details", open ? { open: "" } : {}, element("summary", {}, title), ...levers);
}
