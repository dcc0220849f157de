// @ts-check
// --- The sandbox's levers: every option that the engine tells of, in groups that fold -------------

import { element, set } from "./elements.js";
import { crowd, momentOf } from "./moment.js";
import { POLICY_HELP, POLICY_OPTION_HELP } from "./policies.js";
import { alike, byChance, endOf, loaded, rateOf, setupOf } from "./script.js";

/** @import { About, Option } from "./engine.js" */
/** @import { Deed, Moment } from "./moment.js" */
/** @import { Setup, Words } from "./script.js" */
/** @typedef {"world" | "channel" | "load" | "config"} Whose config: its words stand in the channel's */

export const SERVICES = ["greetserver", "greetserver-headless", "watch:///greetserver-headless"];
/** What a person calls them. @type {Record<string, string>} */
const SERVICE_NAMES = {
  greetserver: "ClusterIP",
  "greetserver-headless": "headless",
  "watch:///greetserver-headless": "headless, watch",
};
/** What the levers mean that are no option of the engine's. */
const HELP = {
  service: "ClusterIP: DNS has one address, which stands for all the pods. headless (clusterIP: None): " +
    "DNS has the address of each. watch: the client asks no DNS, the cluster tells it of each change",
  pods: "how many are asked for, as in a Deployment's spec.replicas. In Kubernetes, a container that " +
    "dies is started again, and a pod that is deleted is replaced by another one. Here nobody does " +
    "that, so that you see what it means to the clients: restart it, or ask for another number, and " +
    "so many will run",
  clients: "how many programs call, each with a channel of its own",
  rate: "of all clients together",
  arrival: "each after the same time; or by chance, as they come from many people (exponential gaps)",
  seconds: "how long the world runs",
};
const AT_FIRST = 0.001; // seconds: before it a lever is of the beginning
const MOST_CALLS = 20_000; // the picture keeps every one

/** Of the engine's options, what stands where; of what is in none the page has no lever.
 * @type {{ title: string, of: Whose, names: string[] }[]}
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
  { title: "Retries and health", of: "config", names: [
    "retryPolicy.maxAttempts", "retryPolicy.initialBackoff", "retryPolicy.maxBackoff",
    "retryPolicy.backoffMultiplier", "retryPolicy.retryableStatusCodes",
    "hedgingPolicy.maxAttempts", "hedgingPolicy.hedgingDelay", "hedgingPolicy.nonFatalStatusCodes",
    "retryThrottling.maxTokens", "retryThrottling.tokenRatio", "healthCheckConfig.serviceName"] },
  { title: "DNS and chance", of: "world", names: [
    "dns_ttl", "dns_cache", "dns_round_trip", "ip", "seed"] },
];

/** Of a part of a service config, what is said with any of it (gRFC A6: all of them are needed).
 * @type {Record<string, Words>}
 */
const NEEDED = {
  retryPolicy: {
    maxAttempts: "3", initialBackoff: "10ms", maxBackoff: "1s", backoffMultiplier: "2",
    retryableStatusCodes: "UNAVAILABLE",
  },
  hedgingPolicy: { maxAttempts: "3" },
  retryThrottling: { maxTokens: "10", tokenRatio: "0.1" },
};
/** A call has one of them. @type {Record<string, string>} */
const INSTEAD = { retryPolicy: "hedgingPolicy", hedgingPolicy: "retryPolicy" };
const HEALTH = "healthCheckConfig.serviceName"; // "": the server as a whole

export class Levers {
  /**
   * @param {About} about
   * @param {object} does
   * @param {() => [link: string, seconds: number]} does.moment of the picture
   * @param {(setup: Setup) => void} does.another world, with the same story
   * @param {(deeds: Deed[], seconds?: number) => void} does.act now; until then at least
   * @param {() => number} does.end seconds to which the world goes if something is done to it now
   * @param {(pods: number) => void} does.scale
   */
  constructor(about, does) {
    this.about = about;
    this.does = does;
    /** @type {Moment | null} */
    this.moment = null;
    this.shown = "";
    const live = (/** @type {HTMLElement} */ lever) => (lever.classList.add("gl-now"), lever);
    this.pods = element("input", { type: "range", min: "1", max: "20", "aria-label": "Pods",
      oninput: () => this.tell(), onchange: () => does.scale(Number(this.pods.value)) });
    this.service = choice("Service", SERVICES.map((one) => [one, SERVICE_NAMES[one]]));
    this.policy = choice("Policy", about.policies.map(({ name }) => [name, name]));
    this.clients = number("Clients", 1, 1000);
    this.rate = number("Calls a second", 0.1, 2000);
    this.seconds = number("Seconds", 1, 3600);
    this.arrival = choice("Arrival", [["even", "evenly"], ["chance", "by chance"]]);
    this.said = element("output", { class: "gl-number" });
    this.running = element("p", { class: "gl-aside" });
    this.fields = element("div", { class: "gl-fields" });
    this.service.addEventListener("change", () => this.change({ service: this.service.value }));
    this.policy.addEventListener("change", () => this.change({ channel: this.policyWords() }));
    for (const one of [this.clients, this.rate, this.seconds, this.arrival]) {
      one.addEventListener("change", () => this.load(one === this.seconds));
    }
    /** @type {{ option: Option, of: Whose, input: HTMLInputElement }[]} */
    this.options = [];
    this.policyLever = lever("policy", POLICY_HELP.pick_first, this.policy);
    const pods = lever("pods", HELP.pods, this.pods, this.said);
    pods.querySelector(".gl-help-text")?.before(this.running);
    this.root = element("form", { class: "gl-sandbox-levers", "aria-label": "Levers",
      onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
      element("p", { class: "gl-legend" }, element("span", { class: "gl-now" }, "Underlined"),
        ": acts from this moment on. The others make another world, with the same commands."),
      folded("Service and policy", true, lever("Service", HELP.service, this.service),
        this.policyLever, this.fields),
      folded("Pods and calls", true,
        ...[pods, lever("clients", HELP.clients, this.clients),
          lever("calls a second", HELP.rate, this.rate), lever("they come", HELP.arrival, this.arrival),
          lever("seconds", HELP.seconds, this.seconds)].map(live)),
      ...GROUPS.filter(({ of }) => about.options[of]).map(({ title, of, names }) => folded(title, false,
        ...about.options[of].filter(({ name }) => names.includes(name))
          .sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name))
          .map((option) => this.option(option, of)))));
  }

  /** Whether it acts on the running world. @param {Option} option @param {Whose} of */
  lives({ name }, of) {
    return of === "load" || (of === "world" && this.about.options.change.some((one) => one.name === name));
  }

  /** @param {Option} option @param {Whose} of */
  option(option, of) {
    const truth = option.type === "truth" || option.name === HEALTH;
    const input = element("input", truth ? { type: "checkbox" }
      : { type: "text", placeholder: option.usual === "0h" ? "0" : option.usual, spellcheck: "false", autocomplete: "off" });
    input.addEventListener("change", () => {
      const value = truth ? String(input.checked) : input.value.trim();
      this.turn(option, of, value);
    });
    this.options.push({ option, of, input });
    const made = lever(option.name, option.help, input);
    if (this.lives(option, of)) made.classList.add("gl-now");
    return made;
  }

  /** The world at its beginning, and at the moment of the picture; null there: it has not begun. */
  now() {
    const [link, seconds] = this.does.moment();
    const setup = setupOf(link);
    return { setup, moment: seconds > AT_FIRST && setup.clients ? momentOf(link, seconds) : null };
  }

  /** @param {Option} option @param {Whose} of @param {string} value */
  turn(option, of, value) {
    const { setup, moment } = this.now();
    const { name, usual } = option;
    if (of === "config") return this.change({ channel: configured(setup.channel, name, value) });
    if (!moment || !this.lives(option, of)) {
      return this.change({ [of]: worded(setup[of], name, value, usual) });
    }
    if (of === "world") return this.does.act([["change", [], { [name]: value || usual }]]);
    const load = worded(moment.setup.load, name, value, usual);
    this.again({ ...moment, setup: { ...moment.setup, load } }, {});
  }

  /** Its calls begin anew, with other words. @param {Moment} moment
   * @param {Partial<Parameters<typeof crowd>[1]>} other
   */
  again(moment, other) {
    const { setup } = moment;
    const seconds = other.seconds ?? this.does.end();
    this.does.act(crowd(moment, {
      clients: setup.clients, rate: rateOf(setup), seconds, chance: byChance(setup), ...other,
    }), other.seconds);
  }

  /** @param {Partial<Setup>} part */
  change(part) {
    const { setup } = this.now();
    this.does.another(alike(inhabited({ ...setup, ...part })));
  }

  /** @param {boolean} lasting whether it is how long the world runs that is another one now */
  load(lasting) {
    const { setup: first, moment } = this.now();
    const rate = Number(this.rate.value) || 10;
    const seconds = Number(this.seconds.value) || 10;
    const clients = Math.min(Math.max(Math.round(Number(this.clients.value)) || 1, 1), 1000);
    const chance = this.arrival.value === "chance";
    const bounded = Math.min(rate, MOST_CALLS / seconds);
    if (moment) {
      return this.again(moment, { clients, rate: bounded, chance, ...(lasting ? { seconds } : {}) });
    }
    const setup = inhabited(first);
    this.does.another(loaded({ ...setup, clients }, { rate: bounded, seconds, chance }));
  }

  /** The policy's own options, and all the others of the channel. @returns {Words} */
  policyWords() {
    const kept = Object.entries(this.now().setup.channel)
      .filter(([name]) => name !== "policy" && !name.startsWith("policy."));
    const type = this.about.policies.find(({ name }) => name === this.policy.value);
    const needed = (type?.fields ?? []).filter(({ usual }) => usual === undefined)
      .map(({ name }) => [`policy.${name}`, "2"]);
    const texts = (type?.texts ?? []).filter((name) => name === "requestHashHeader")
      .map((name) => [`policy.${name}`, "user-id"]);
    return Object.fromEntries([["policy", this.policy.value], ...needed, ...texts, ...kept]);
  }

  /** As the link says. @param {number} running pods, now */
  show(running) {
    const [link, seconds] = this.does.moment();
    const { setup } = momentOf(link, seconds);
    const end = endOf(setup);
    this.shown = JSON.stringify(setup);
    this.count(setup, running);
    this.service.value = setup.service || SERVICES[0];
    const policy = setup.channel.policy ?? "pick_first";
    if (this.policy.value !== policy || !this.fields.childElementCount) this.policy.value = policy;
    this.clients.value = String(Math.max(setup.clients, 1));
    const rate = rateOf(setup);
    this.rate.value = rate === null ? "" : String(Number(rate.toPrecision(3)));
    this.seconds.value = String(Math.max(Number(end.toPrecision(6)), 1));
    this.arrival.value = byChance(setup) ? "chance" : "even";
    for (const { option, of, input } of this.options) {
      const value = setup[of === "config" ? "channel" : of][option.name];
      if (option.name === HEALTH) input.checked = value !== undefined;
      else if (option.type === "truth") input.checked = (value ?? option.usual) === "true";
      else input.value = value ?? "";
    }
    const type = this.about.policies.find(({ name }) => name === policy);
    set(/** @type {Element} */ (this.policyLever.querySelector(".gl-help-text")), POLICY_HELP[policy] ?? "");
    this.fields.replaceChildren(...(type?.texts ?? []).map((name) => this.field(name, "", setup)),
      ...(type?.fields ?? []).map(({ name, usual, least, most }) =>
        this.field(name, usual ?? "", setup, [least, most])));
  }

  /** The picture has gone to another moment, where others may hold. @param {number} running pods */
  moved(running) {
    const [link, seconds] = this.does.moment();
    const { setup } = momentOf(link, seconds);
    if (JSON.stringify(setup) !== this.shown) this.show(running);
    else this.count(setup, running);
  }

  /** @param {string} name @param {string} usual @param {Setup} setup
   * @param {[least: string, most: string]} [bounds]
   */
  field(name, usual, setup, bounds) {
    const word = `policy.${name}`;
    const truth = bounds?.[1] === "true";
    const input = element("input", { ...(truth ? { type: "checkbox" }
      : { type: "text", placeholder: usual, spellcheck: "false", autocomplete: "off" }),
    onchange: () => {
      const value = truth ? String(input.checked) : input.value.trim();
      this.change({ channel: worded(this.now().setup.channel, word, value, usual) });
    } });
    const value = setup.channel[word];
    if (truth) input.checked = (value ?? usual) === "true";
    else input.value = value ?? "";
    const help = POLICY_OPTION_HELP[name] ?? "";
    return lever(name, bounds && !truth ? `${help}: ${bounds.join(" to ")}` : help, input);
  }

  /** How many are asked for, and how many there are. @param {Setup} setup @param {number} running */
  count(setup, running) {
    const asked = setup.world.pods ?? this.about.options.world.find(({ name }) => name === "pods")?.usual;
    this.pods.max = String(Math.max(20, Number(asked)));
    this.pods.value = String(asked);
    set(this.running, running === Number(asked) ? "" : `${running} running now`);
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

/** With another word of a service config: with it comes what it needs, and goes what it replaces;
 * without one that is needed the others go, too.
 * @param {Words} channel @param {string} name "retryPolicy.maxAttempts" @param {string} value
 * @returns {Words}
 */
export function configured(channel, name, value) {
  const [part, field] = name.split(".");
  if (name === HEALTH) {
    const { [HEALTH]: _, ...others } = channel;
    return value === "true" ? { ...others, [HEALTH]: "" } : others;
  }
  const needed = NEEDED[part];
  /** @param {string} one */
  const of = (one) => (/** @type {[string, string]} */ [word]) => word.startsWith(`${one}.`);
  const all = Object.entries(channel);
  const others = all.filter((word) => !of(part)(word) && !of(INSTEAD[part] ?? part)(word));
  if (!value && field in needed) return Object.fromEntries(others);
  const said = Object.fromEntries(all.filter(of(part)));
  for (const [one, usual] of Object.entries(needed)) said[`${part}.${one}`] ??= usual;
  if (value) said[name] = value;
  else delete said[name];
  return { ...Object.fromEntries(others), ...said };
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

/** With its explanation: whoever hears the page is told, others ask for it, by touch or by key.
 * @param {string} name @param {string} help @param {HTMLElement[]} inputs
 */
function lever(name, help, ...inputs) {
  const id = `gl-help-${name.replaceAll(" ", "-")}`;
  const told = element("p", { class: "gl-help-text", id, hidden: "" }, help);
  const ask = element("button", { type: "button", class: "gl-help-ask", "aria-expanded": "false",
    "aria-controls": id, "aria-label": `${name}: what is it?`, onclick: () => {
      told.hidden = !told.hidden;
      ask.setAttribute("aria-expanded", String(!told.hidden));
    } }, "?");
  inputs[0].setAttribute("aria-describedby", id);
  // A long name may be broken where its words end.
  const parts = name.split(/(?<=[_.])|(?<=[a-z])(?=[A-Z])/).flatMap((part) => [part, element("wbr")]);
  return element("div", { class: "gl-lever" },
    element("label", {}, element("span", {}, ...parts), ...inputs), ask, told);
}

/** @param {string} title @param {boolean} open @param {HTMLElement[]} levers */
function folded(title, open, ...levers) {
  return element("details", open ? { open: "" } : {}, element("summary", {}, title), ...levers);
}
