// @ts-check
// --- Five challenges for a picker of one's own, as data -------------------------------------------
//
// The world is a script (cpp/wasm/script.h) in which {seed} is the seed, and {policy} the picker
// that is judged, or the one it is compared with.

/** @import { Figures } from "./figures.js" */

/**
 * @typedef {object} Challenge
 * @property {string} title
 * @property {string[]} words
 * @property {string} starter
 * @property {string} script
 * @property {string} [versus] a policy that the same world has, to compare with
 * @property {string} hint
 * @property {(mine: Figures, other: Figures | null) => Fault | null} wrong null: nothing
 */
/** Why not, and by how much: the more, the worse. @typedef {{ why: string, by: number }} Fault */

const THREE = "v1+pods=3+seed={seed}";
const CLIENT = "open+greetserver-headless+policy={policy}";
const CONNECTED = "@1s";
const COLD = 9; // calls

/** @param {Figures} figures @param {number} [since] seconds @returns {Map<string, number>} */
const shares = (figures, since = 0) => figures.at(undefined, since).answered;
/** @param {Figures} figures @returns {string[]} */
const turns = ({ calls }) => [...calls].sort((a, b) => a.start - b.start).map(({ pod }) => pod);
/** @param {string} why @param {number} by @returns {Fault} */
const fault = (why, by) => ({ why, by });
/** @param {Figures} figures */
const failures = (figures) => {
  const { failed, ended } = figures.at();
  return failed ? fault(`${failed} of ${ended} calls failed`, 1e6 + failed) : null;
};
/** @param {Map<string, number>} answered */
const told = (answered) => [...answered].map(([pod, calls]) => `${pod} ${calls}`).join(", ");

/** @type {Challenge[]} */
export const CHALLENGES = [
  {
    title: "At random",
    words: ["Each call goes to any of the pods, by chance: 300 calls, 100 each more or less."],
    starter: "function pick(ready, call) {\n  return ready[0];\n}\n",
    script: `${THREE};${CLIENT};${CONNECTED};load+client-1+calls=300+interval=20ms;@8s`,
    hint: "random() is a number from 0 up to 1, and ready.length says how many there are.",
    wrong: (mine) => {
      const answered = shares(mine);
      if (failures(mine)) return failures(mine);
      const off = Math.max(...[...answered.values()].map((calls) => Math.abs(calls - 100)));
      // The deviation is 8: 40 are not chance.
      if (off > 40) return fault(`that is not chance: ${told(answered)}`, 1e3 + off);
      const order = turns(mine);
      const again = order.filter((pod, i) => i > 0 && pod === order[i - 1]).length;
      return again > 50 ? null
        : fault(`chance has a pod twice in a row 100 times; here it was ${again} times`, 50 - again);
    },
  },
  {
    title: "In turns",
    words: ["round_robin: the first, the second, the third, and the first again. (Judged from the " +
      "tenth call on: the first go to whoever is READY by then.)"],
    starter: "let turn = 0;\n\nfunction pick(ready, call) {\n  return ready[turn];\n}\n",
    script: `${THREE};${CLIENT};${CONNECTED};load+client-1+calls=90+interval=20ms;@4s`,
    hint: "turn must go on, and begin again: % is the remainder of a division.",
    wrong: (mine) => {
      if (failures(mine)) return failures(mine);
      const order = turns(mine).slice(COLD);
      const three = order.findIndex((_, i) => i + 2 < order.length &&
        new Set(order.slice(i, i + 3)).size < 3);
      const went = order.slice(three, three + 3).join(", ");
      return three < 0 ? null
        : fault(`calls ${COLD + three + 1} to ${COLD + three + 3} went to ${went}`, order.length - three);
    },
  },
  {
    title: "The least busy",
    words: [
      "pod-2 is slow: 100 ms a call, where the others take 10, and each serves two at a time.",
      "In turns, it has a third of the calls, and they wait. Be quicker: p99 less than half of " +
        "round_robin's in the same world.",
    ],
    starter: "let turn = 0;\n\nfunction pick(ready, call) {\n  turn = (turn + 1) % ready.length;\n" +
      "  return ready[turn];\n}\n",
    script: `${THREE}+capacity=2+service_time=10ms;slow+pod-2+90ms;${CLIENT};${CONNECTED};` +
      "load+client-1+calls=400+interval=exponential%2015ms;@12s",
    versus: "round_robin",
    hint: "Each of ready has in_flight: how many of your calls it has now.",
    wrong: (mine, other) => {
      if (failures(mine)) return failures(mine);
      const [ours, theirs] = [mine.at().p99, other?.at().p99 ?? 0].map((s) => Math.round(s * 1e3));
      return ours < theirs / 2 ? null
        : fault(`p99 is ${ours} ms, and round_robin's is ${theirs} ms`, ours / theirs);
    },
  },
  {
    title: "Weighted by speed",
    words: [
      "A call takes pod-1 20 ms, pod-2 40, pod-3 80. Give each what its speed is worth: 4 to 2 to 1.",
      "Judged are the last 600 of 900 calls, within 7 of 100.",
    ],
    starter: "function pick(ready, call) {\n  const weights = ready.map((one) => 1);\n" +
      "  let left = random() * weights.reduce((a, b) => a + b);\n" +
      "  return ready.find((one, i) => (left -= weights[i]) < 0);\n}\n",
    script: `${THREE}+service_time=20ms;slow+pod-2+20ms;slow+pod-3+60ms;${CLIENT};${CONNECTED};` +
      "load+client-1+calls=900+interval=10ms;@12s",
    hint: "mean is how many seconds its answers took; 0: it has not answered yet.",
    wrong: (mine) => {
      if (failures(mine)) return failures(mine);
      const answered = [...shares(mine, 4).values()];
      const all = answered.reduce((a, b) => a + b);
      const off = Math.max(...[4, 2, 1].map((part, i) => Math.abs(answered[i] / all - part / 7)));
      const parts = answered.map((calls) => Math.round((calls / all) * 100)).join(" : ");
      return off > 0.07 ? fault(`of 100 calls it was ${parts}, and 57 : 29 : 14 is right`, off) : null;
    },
  },
  {
    title: "A pod falls silent",
    words: [
      "At two seconds pod-2's machine is gone, and nobody says so: the connection looks READY. A " +
        "call waits one second, and has failed then.",
      "In turns, every third call fails. Notice it: six failures at most, of 300 calls.",
    ],
    starter: "let turn = 0;\n\nfunction pick(ready, call) {\n  turn = (turn + 1) % ready.length;\n" +
      "  return ready[turn];\n}\n",
    script: `${THREE};${CLIENT};${CONNECTED};load+client-1+calls=300+interval=30ms+timeout=1s;` +
      "@2s+lose+pod-2;@12s",
    hint: "waiting is how many seconds its oldest call is without an answer; failed, how many failed.",
    wrong: (mine) => {
      const { failed, ended, answered } = mine.at();
      if (failed > 6) return fault(`${failed} of ${ended} calls failed`, failed);
      const served = [answered.get("pod-1") ?? 0, answered.get("pod-3") ?? 0];
      return Math.min(...served) > 60 ? null
        : fault(`of the pods that are well, each is to help: ${told(answered)}`, 1);
    },
  },
];
