// Calls the engine with nonsense: each answer is a number, and nothing ends it. A seed, how often.
import { readFileSync } from "node:fs";

import { Engine } from "../../bindings/greetlab/views/widget/js/engine.js";

const [engineFile, seed, times] = process.argv.slice(2);
const engine = await Engine.load(readFileSync(engineFile));
let state = Number(seed);
function below(bound) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * bound);
}
const one = (list) => list[below(list.length)];
const numbers = [0, 1, 2, 3, -1, 0.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32 - 1, 2 ** 53, 1e300];
const { commands, options, policies } = engine.about;
const names = [
  ...commands.map((command) => command.name),
  ...Object.values(options).flat().map((option) => option.name),
  ...policies.flatMap((policy) => policy.fields.map((field) => `policy.${field.name}`)),
  "policy", "policy.childPolicy", "metadata.x", "v1", "@1s", "",
];
const values = [
  "1", "0", "-1", "pod-1", "client-1", "load-1", "true", "none", "never", "5ms", "1h", "1ms..2ms",
  "exponential%2010ms", "99999999999999999999", "nan", "%", "%00", "%zz", "=", "\u{1f600}",
  "greetserver", "greetserver-headless", "watch:///greetserver", ...policies.map((one) => one.name),
];
function nonsense() {
  const word = () => one([
    () => one(names), () => one(values), () => `${one(names)}=${one(values)}`,
    () => "policy.childPolicy.".repeat(below(200)),
    () => String.fromCharCode(...Array.from({ length: below(20) }, () => below(0xd000))),
  ])();
  const parts = Array.from({ length: below(8) }, word);
  const text = parts.join(one(["+", "+", "+", ";", "", ";@1s+"]));
  const world = "v1+pods=2+trace_capacity=2000";
  return one([text, text, `${world};${text}`, `${world}+${text}`, world]);
}
const counts = { answers: 0, errors: 0, worlds: 0 };
for (let i = 0; i < Number(times); i++) {
  const { exports } = engine;
  let answer;
  switch (below(5)) {
    case 0: {
      const name = one(Object.keys(exports).filter((key) => /^gl_(?!output|input)/.test(key)));
      answer = exports[name](one(numbers), one(numbers), below(20000));
      break;
    }
    case 1:
      answer = exports.gl_open(engine.put(nonsense()));
      if (answer > 0) counts.worlds++;
      break;
    case 2:
      answer = exports.gl_follow(below(20), engine.put(nonsense()));
      break;
    case 3:
      answer = exports.gl_run(below(20), one([1e6, 1e8, 1e9, 3e9, ...numbers]), below(5000));
      break;
    default:
      if (below(2)) exports.gl_close(below(20));
      engine.exports.gl_input(one([0, 5, 2 ** 20, 2 ** 20 + 1, -1, NaN]));
      continue;
  }
  if (typeof answer !== "number" || Number.isNaN(answer)) throw new Error(`answered ${answer}`);
  counts.answers++;
  if (answer === -1) {
    counts.errors++;
    if (engine.output().length === 0) throw new Error("an error without a sentence");
  }
}
for (let world = 0; world < Number(times); world++) engine.exports.gl_close(world);
for (const link of ["v1+trace_capacity=4294967295", "v1+trace_capacity=60000000"]) {
  try {
    engine.open(link);
    throw new Error(`${link} was opened`);
  } catch (error) {
    if (!/no memory/.test(error.message)) throw error;
  }
}
console.log(JSON.stringify(counts));
