// @ts-check
// --- The essay's scenes, as data: nothing here touches the page ----------------------------------
//
// A scene is a world in words (a link: cpp/wasm/script.h), in which a lever's value stands for its
// name in braces; what to guess; and what is claimed of it, which a test asks of the engine for
// every position of its levers.

import { LAST_CALL, LAST_FAILURE, LAST_TO_JOIN, SLOWEST_CALL } from "./chain.js";
import { crowd } from "./moment.js";
import { byChance, rateOf } from "./script.js";

/** @import { Example } from "./chain.js" */
/** @import { Now } from "./figures.js" */
/** @import { Deed, Moment } from "./moment.js" */

/** @typedef {Record<string, string>} Chosen a lever's name to its value */
/** @typedef {{ name: string, label: string, values: [value: string, label: string][] }} Lever
 * values: what it stands at, to what a person reads; the first is the usual one */
/** @typedef {{ title: string, script: string }} Told a world and what it is called */
/**
 * Something that can be done to the scene's running world.
 * @typedef {object} Act
 * @property {string} label
 * @property {(now: Now, moment: Moment, end: number) => Deed[]} deeds now: of the first world
 * @property {number} [until] seconds: as far as that the world goes then, at least,
 * @property {number} [lasts] and for so long after it
 * @property {string} because why it came out so
 * @property {(since: Now[], now: Now) => boolean} claim of the calls after it
 * @property {Example} [example]
 */
/**
 * @typedef {object} Scene
 * @property {string} title
 * @property {string[]} words
 * @property {string} watch
 * @property {string} ask
 * @property {string[]} bars what is guessed: pods, "failed"; with `p99`: the worlds by their titles
 * @property {number} most of a bar
 * @property {"calls" | "p99"} unit p99: milliseconds
 * @property {number} since seconds: calls before it do not count
 * @property {Told[]} worlds the first two are shown
 * @property {Lever[]} levers
 * @property {(now: Now[], chosen: Chosen) => string} came what came out, in words
 * @property {(now: Now[], chosen: Chosen) => boolean} claim
 * @property {string} because
 * @property {(chosen: Chosen) => string | null} [otherwise] in its place, where a lever has it so
 * @property {(chosen: Chosen) => Example} [example] whose causes are shown; without it the last call's
 * @property {(chosen: Chosen) => Act[]} [acts]
 */

const PODS = ["pod-1", "pod-2", "pod-3"];
const MORE = [...PODS, "pod-4", "pod-5"];
const SIXTY = "load+client-1+calls=60+interval=100ms;@6s";

/** @param {Now} now @param {string} pod */
const of = (now, pod) => now.answered.get(pod) ?? 0;
/** @param {Now} now */
const busy = (now) => [...now.answered].filter(([, calls]) => calls > 0).map(([pod]) => pod);
/** All to one pod, over one connection. @param {Now[]} now */
const alone = ([now]) => busy(now).length === 1 && now.opened === 1 && now.failed === 0;
/** @param {Now} now @param {number} by */
const even = ({ answered }, by) => {
  const counts = [...answered.values()];
  return Math.max(...counts) - Math.min(...counts) <= by;
};
/** @param {Now[]} now */
const cameAlone = ([now]) =>
  `${busy(now).join(" and ")} answered all ${now.ended} calls. Connections: ${now.opened}.`;
/** @param {Now} now */
const counts = ({ answered }) =>
  [...answered].map(([pod, calls]) => `${pod} ${calls}`).join(", ");
/** @param {Now} now */
const ofNew = (now) => of(now, "pod-4") + of(now, "pod-5");

/** The pod that answers, killed: there is another one then. @type {Act} */
const KILL_IT = {
  label: "kill the pod that answers",
  deeds: ({ latest }) => [["kill", [latest || "pod-1"], {}]],
  because: "",
  claim: ([since], { latest }) => busy(since).length === 1 && of(since, latest) === 0 && since.failed <= 1,
  example: LAST_FAILURE,
};
/** @param {string} label @param {string} because @param {Act["claim"]} claim @returns {Act} */
const scaled = (label, because, claim) =>
  ({ label, because, claim, deeds: () => [["scale", [/\d+/.exec(label)?.[0] ?? ""], {}]] });
const AFTER_COOLDOWN = 33; // seconds: by then the name may be looked up again

const SLOW = "v1+pods=3+seed=7+capacity=2+service_time=10ms+load_reports=true;" +
  "slow+pod-2+{longer};open+greetserver-headless+policy=";
const BY_CHANCE = ";load+client-1+calls=500+interval=exponential%2015ms;@12s";

/** @param {Now[]} now */
const p99s = (now) => ["round_robin", "least_request", "random", "weighted_round_robin"]
  .map((policy, i) => `${policy} ${Math.round(now[i].p99 * 1e3)} ms`).join(", ") + ".";

/** @type {Scene[]} */
export const SCENES = [
  {
    title: "One connection, one pod",
    words: [
      "Three pods serve greetserver, a Service as everybody has it: one name, one address.",
      "One client opens a channel with gRPC's defaults, and calls sixty times.",
    ],
    watch: "the line between the client and the pods: how many are there?",
    ask: "Of 60 calls, how many will each pod answer?",
    bars: PODS, most: 60, unit: "calls", since: 0,
    worlds: [{
      title: "ClusterIP · pick_first", script: `v1+pods=3+seed={seed};open+greetserver;${SIXTY}`,
    }],
    levers: [{
      name: "seed", label: "chance", values: [["7", "this once"], ["8", "once more"], ["11", "and again"]],
    }],
    came: cameAlone,
    claim: alone,
    because: "The ClusterIP chooses a pod when a connection is made, and never again. gRPC keeps " +
      "its connection, and puts every call on it. So the first choice, by chance, is the last.",
    acts: () => [{
      ...KILL_IT,
      because: "The connection broke, and at most one call with it. The client dialled again, and the " +
        "ClusterIP chose again: one pod, as before. (Here it knows at once that the other is dead; " +
        "kube-proxy has to hear of it, and may lead the client there once more.)",
    }],
  },
  {
    title: "round_robin changes nothing",
    words: [
      "The usual advice: set the policy to round_robin. The Service stays as it was.",
      "A policy takes turns among the addresses that it is given.",
    ],
    watch: "DNS's answer: how many addresses does the client get?",
    ask: "With round_robin, how many of 60 calls will each pod answer?",
    bars: PODS, most: 60, unit: "calls", since: 0,
    worlds: [{
      title: "ClusterIP · {policy}",
      script: `v1+pods=3+seed=7;open+greetserver+policy={policy};${SIXTY}`,
    }],
    levers: [{
      name: "policy", label: "policy",
      values: ["round_robin", "random", "least_request"].map((policy) => [policy, policy]),
    }],
    came: cameAlone,
    claim: alone,
    because: "A ClusterIP Service is one address in DNS. A client that knows one address has one " +
      "connection, whatever its policy: there is nothing to take turns among.",
    acts: () => [scaled("scale to 5 pods", "DNS has one address, as before, and the connection is well. " +
      "Nothing tells the client of two pods more.", alone)],
  },
  {
    title: "Headless, and pick_first",
    words: [
      "Now the Service is headless (clusterIP: None): DNS tells the client of every pod.",
      "The client's policy is gRPC's default, pick_first.",
    ],
    watch: "what the client does with the addresses that it does not need.",
    ask: "DNS has three addresses now. How many of 60 calls will each pod answer?",
    bars: PODS, most: 60, unit: "calls", since: 0,
    worlds: [{
      title: "headless · pick_first",
      script: "v1+pods=3+seed=7;open+greetserver-headless+policy=pick_first+" +
        `policy.shuffleAddressList={shuffle};${SIXTY}`,
    }],
    levers: [{
      name: "shuffle", label: "shuffleAddressList", values: [["false", "false"], ["true", "true"]],
    }],
    came: cameAlone,
    claim: alone,
    because: "pick_first tries one address after the other, and is content with the first that " +
      "connects. DNS gives them in any order, and with shuffleAddressList the client shuffles them " +
      "once more: that changes which pod it is, not how many.",
    acts: () => [{
      ...KILL_IT,
      because: "pick_first lost its connection, and at most one call with it. It tried its addresses " +
        "again: the next one that connects has all the calls now.",
    }],
  },
  {
    title: "Headless, and round_robin",
    words: [
      "The Service is headless, and the policy is round_robin. It takes both.",
    ],
    watch: "the connections before the first call, and the turns after it.",
    ask: "How many of 60 calls will each pod answer now?",
    bars: PODS, most: 60, unit: "calls", since: 0,
    worlds: [{
      title: "headless · round_robin",
      script: `v1+pods={pods}+seed=7;open+greetserver-headless+policy=round_robin;${SIXTY}`,
    }],
    levers: [{ name: "pods", label: "pods", values: [["3", "3"], ["2", "2"], ["5", "5"]] }],
    came: ([now]) => `${counts(now)}. Connections: ${now.opened}, one to each pod.`,
    claim: ([now], { pods }) => now.opened === Number(pods) && even(now, 3) && now.failed === 0,
    because: "DNS gave an address for each pod, round_robin connects to all of them and keeps the " +
      "connections, and each call is picked on its own. The first few go to whoever is READY first.",
    acts: () => [{
      label: "call five times as often",
      deeds: (_, moment, seconds) => crowd(moment, {
        clients: moment.setup.clients, rate: 5 * (rateOf(moment.setup) ?? 1), seconds,
        chance: byChance(moment.setup),
      }),
      because: "Each call is picked on its own, so more of them take the same turns, over the same " +
        "connections.",
      claim: ([since]) => even(since, 3) && since.failed === 0,
    }],
  },
  {
    title: "The cold cure",
    words: [
      "The same cure, on the day when everything starts: a pod is ready each 300 ms, as it is " +
        "after kubectl apply.",
      "The client begins as soon as there is somebody to call.",
    ],
    watch: "what DNS knows when the client asks, and whether it asks again.",
    ask: "Headless and round_robin, from the first pod on: who answers 60 calls?",
    bars: PODS, most: 60, unit: "calls", since: 0,
    worlds: [{
      title: "headless · round_robin",
      script: "v1+pods=3+seed=7+start_interval=300ms;" +
        "@{begins}+open+greetserver-headless+policy=round_robin;" +
        "load+client-1+calls=60+interval=100ms;@8500ms",
    }],
    levers: [{
      name: "begins", label: "the client begins",
      values: [["10ms", "with the first pod"], ["2s", "when all are ready"]],
    }],
    came: ([now]) => `${counts(now)}. Connections: ${now.opened}.`,
    claim: (now, { begins }) =>
      begins === "2s" ? even(now[0], 3) && now[0].opened === 3
        : alone(now) && of(now[0], "pod-1") === 60,
    because: "The client looked the name up when one pod was ready, and got one address. Its " +
      "connection is healthy, so it has no reason to ask again.",
    otherwise: ({ begins }) => begins !== "2s" ? null
      : "Now all three were ready when the client looked the name up, and it got three addresses. " +
        "It is the first lookup that counts.",
    acts: ({ begins }) => [begins === "2s" ? {
      label: "kill pod-1",
      deeds: () => [["kill", ["pod-1"], {}]],
      because: "It lost one of three connections, and at most one call with it. The turns go on among " +
        "the others.",
      claim: ([since]) => busy(since).join() === "pod-2,pod-3" && since.failed <= 1,
      example: LAST_FAILURE,
    } : {
      label: "kill pod-1",
      deeds: () => [["kill", ["pod-1"], {}]],
      until: AFTER_COOLDOWN,
      because: "It lost its only connection, and wants to look the name up again: but between two " +
        "lookups there have to be 30 s. Until then every call failed. Then it heard of the others.",
      claim: ([since]) => busy(since).join() === "pod-2,pod-3" && since.failed > 0,
      example: LAST_TO_JOIN,
    }],
  },
  {
    title: "3 → 5: nothing",
    words: [
      "Three pods are too few, so at four seconds you scale to five.",
      "The Service is headless, the policy is round_robin, and all is well.",
    ],
    watch: "the two new pods. DNS knows them at once.",
    ask: "Of the 100 calls after that, how many will each pod answer?",
    bars: MORE, most: 100, unit: "calls", since: 4.05,
    worlds: [{
      title: "3 → 5 pods",
      script: "v1+pods=3+seed=7;open+{name}+policy=round_robin;" +
        "load+client-1+calls=141+interval=100ms;@4s+scale+5;@14200ms",
    }],
    levers: [{
      name: "name", label: "it hears of pods from",
      values: [
        ["greetserver-headless", "DNS"],
        ["watch:///greetserver-headless", "a watch of the endpoints"],
      ],
    }],
    came: ([now]) => `${counts(now)}.`,
    claim: ([now], { name }) => name.startsWith("watch") ? even(now, 3) : ofNew(now) === 0,
    because: "gRPC looks a name up when a connection ends or fails, or after 30 idle minutes (C++: " +
      "since 1.60): not after 30 s, not after the TTL. A client that is well never hears of new pods.",
    otherwise: ({ name }) => !name.startsWith("watch") ? null
      : "Who watches the endpoints need not ask: it is told of each change, and connects at once.",
    example: ({ name }) => (name.startsWith("watch") ? LAST_TO_JOIN : LAST_CALL),
    acts: ({ name }) => [name.startsWith("watch") ? {
      label: "kill pod-1",
      deeds: () => [["kill", ["pod-1"], {}]],
      because: "It lost a connection, at most one call with it, and was told that the pod is gone. The " +
        "turns go on among the others.",
      claim: ([since]) => of(since, "pod-1") === 0 && since.failed <= 1 && ofNew(since) > 0,
      example: LAST_FAILURE,
    } : {
      label: "kill pod-1",
      deeds: () => [["kill", ["pod-1"], {}]],
      until: AFTER_COOLDOWN,
      because: "A connection was lost, so the client looked the name up again, 30 s after the last " +
        "time. Only then did it hear of the new pods. A pod had to die for it.",
      claim: ([since]) => of(since, "pod-4") > 0 && of(since, "pod-5") > 0 && since.failed <= 1,
      example: LAST_TO_JOIN,
    }],
  },
  {
    title: "An end to connections",
    words: [
      "The cure on the pods' side: they end a connection that has become old " +
        "(MAX_CONNECTION_AGE), politely, with a GOAWAY.",
      "At four seconds, you scale from three to five again.",
    ],
    watch: "the first lookup after a GOAWAY, and how long it takes to come.",
    ask: "Of the 360 calls after that, how many will each pod answer?",
    bars: MORE, most: 360, unit: "calls", since: 4.05,
    worlds: [{
      title: "3 → 5 pods, connections of at most {age}",
      script: "v1+pods=3+seed=7+max_connection_age={age};" +
        "open+greetserver-headless+policy=round_robin+cooldown={cooldown};" +
        "load+client-1+calls=401+interval=100ms;@4s+scale+5;@40200ms",
    }],
    levers: [
      {
        name: "age", label: "connection age",
        values: [["10s", "10 s"], ["none", "none"], ["3s", "3 s"]],
      },
      { name: "cooldown", label: "between lookups", values: [["30s", "30 s"], ["5s", "5 s"]] },
    ],
    came: ([now]) => `${counts(now)}. The price: ${now.opened} connections were made.`,
    claim: ([now], { age }) => age === "none" ? ofNew(now) === 0 && now.opened === 3
      : of(now, "pod-4") > 0 && of(now, "pod-5") > 0 && now.opened > 5,
    because: "A connection that ends makes the client connect again, and look the name up again. But " +
      "lookups are at least 30 s apart, and with 10 s or 3 s a connection has ended long before that: " +
      "here the shorter age buys reconnects, and no earlier news.",
    otherwise: ({ age, cooldown }) => {
      if (age === "none") return "No connection ends, so nobody asks again.";
      return cooldown === "30s" ? null
        : "A connection that ends makes the client connect again, and look the name up again: here at " +
          "most every 5 s. News come sooner, for more connections and more questions.";
    },
    example: () => LAST_TO_JOIN,
    acts: () => [scaled("scale back to 3 pods", "A pod that is deleted (and hears its SIGTERM) says " +
      "goodbye in the same way: a GOAWAY, after which it finishes what it has. No call fails here.",
    ([since]) => since.failed === 0)],
  },
  {
    title: "A pod dies; a pod falls silent",
    words: [
      "At four seconds pod-2 is gone. If its process dies, the connection is reset at once.",
      "If its machine is gone, there is nobody left to say so. A call may take one second.",
    ],
    watch: "how the client finds out.",
    ask: "Of the 90 calls after that, how many fail, and who answers the others?",
    bars: [...PODS, "failed"], most: 90, unit: "calls", since: 3.95,
    worlds: [{
      title: "headless · round_robin",
      script: "v1+pods=3+seed=7;open+greetserver-headless+policy=round_robin+" +
        "keepalive_time={keepalive}+keepalive_timeout=1s;" +
        "load+client-1+calls=130+interval=100ms+timeout=1s;@4s+{how}+pod-2;@14s",
    }],
    levers: [
      { name: "how", label: "pod-2", values: [["kill", "dies"], ["lose", "falls silent"]] },
      {
        name: "keepalive", label: "keepalive", values: [["0", "none"], ["1s", "a PING after 1 s, and 1 s for its answer"]],
      },
    ],
    came: ([now]) => `${now.failed} of ${now.ended} calls failed. The others: ${counts(now)}.`,
    claim: ([now], { how, keepalive }) => how === "kill" ? now.failed <= 3
      : keepalive === "0" ? now.failed >= 20 : now.failed >= 1 && now.failed <= 8,
    because: "A reset is news, and the turns go on among the others. Silence would be none (the lever " +
      "shows it): the connection would look READY, and every third call wait until its time is over.",
    otherwise: ({ how, keepalive }) => {
      if (how === "kill") return null;
      return keepalive === "0"
        ? "Silence is no news. The connection looks READY, so every third call is sent there, and waits " +
          "until its second is over. Only TCP will tell the client, after a quarter of an hour."
        : "Silence is no news, so keepalive asks with a PING, and has TCP wait only 1 s for a receipt of " +
          "what was sent. So the connection ends, and the calls on it; then the turns go on among the others. " +
          "(1 s is for the picture: Go and Java wait 10 s, and a server allows one PING in 5 minutes.)";
    },
    example: () => LAST_FAILURE,
    acts: ({ how }) => how !== "kill" ? [] : [{
      label: "start pod-2 again",
      deeds: () => [["restart", ["pod-2"], {}]],
      lasts: 15,
      because: "It is there again, at the same address. But the client dials that when its backoff is " +
        "over: about 1 s after the first failure, and 1.6 times as long after each further one.",
      claim: ([since]) => of(since, "pod-2") > 0 && since.failed === 0,
      example: LAST_TO_JOIN,
    }],
  },
  {
    title: "One slow pod, four policies",
    words: [
      "pod-2 takes 100 ms for a call, the others 10 ms, and each serves two at a time: more of " +
        "them wait in its queue.",
      "The same calls, with four policies. Equal turns are not equal waiting.",
    ],
    watch: "what stacks up in pod-2, and who goes on sending.",
    ask: "99 of 100 calls are answered within … ? Guess for each policy.",
    bars: ["round_robin", "random", "least_request", "weighted_round_robin"],
    most: 1500, unit: "p99", since: 0,
    worlds: [
      { title: "round_robin", script: `${SLOW}round_robin${BY_CHANCE}` },
      { title: "least_request", script: `${SLOW}least_request${BY_CHANCE}` },
      { title: "random", script: `${SLOW}random${BY_CHANCE}` },
      {
        title: "weighted_round_robin",
        script: `${SLOW}weighted_round_robin+policy.blackoutPeriod=1s${BY_CHANCE}`,
      },
    ],
    levers: [{
      name: "longer", label: "pod-2", values: [["90ms", "slow"], ["0", "like the others"]],
    }],
    came: p99s,
    claim: ([turns, least, chance, weighted], { longer }) =>
      longer === "0" ? [turns, least, chance, weighted].every(({ p99 }) => p99 < 0.1)
        : turns.p99 > 2 * least.p99 && chance.p99 > 2 * least.p99 && weighted.p99 < turns.p99 &&
          of(least, "pod-2") < of(turns, "pod-2"),
    because: "round_robin and random send a third to every pod, slow or not. least_request sees " +
      "that pod-2 has calls in flight; weighted_round_robin hears of it in the pods' reports.",
    otherwise: ({ longer }) => longer !== "0" ? null
      : "Nobody is slow now, so there is nothing to find out: each policy sends every pod a third.",
    example: () => SLOWEST_CALL,
    acts: ({ longer }) => [longer === "0" ? {
      label: "slow pod-2 down by 90 ms",
      deeds: () => [["slow", ["pod-2", "90ms"], {}]],
      because: "round_robin and random go on as before, and its queue grows. least_request sees that " +
        "its calls do not end; weighted_round_robin hears of it in the pods' reports.",
      claim: ([turns, least, chance]) => turns.p99 > 2 * least.p99 && chance.p99 > 2 * least.p99,
    } : {
      label: "pod-2 is quick again",
      deeds: () => [["slow", ["pod-2", "0"], {}]],
      because: "Its queue empties, and nobody has to be told: least_request sees that its calls end, " +
        "weighted_round_robin hears of it in the reports, and the others had never stopped sending.",
      claim: ([turns, least]) => of(least, "pod-2") > 0.2 * least.ended && turns.failed === 0,
    }],
  },
];

/** What came of the calls since something was done. @param {Scene} scene @param {Now[]} since */
export function cameSince({ unit }, since) {
  if (unit === "p99") return `99 of 100 calls within: ${p99s(since)}`;
  const { failed, ended } = since[0];
  return `${counts(since[0])}${failed ? `, and ${failed} of ${ended} calls failed` : ""}.`;
}

/** A scene's levers as they stand at first. @param {Scene} scene @returns {Chosen} */
export function usual({ levers }) {
  return Object.fromEntries(levers.map(({ name, values }) => [name, values[0][0]]));
}

/** A text with its levers' values. @param {string} text @param {Chosen} chosen */
export function filled(text, chosen) {
  return text.replace(/\{(\w+)\}/g, (_, name) => chosen[name]);
}
