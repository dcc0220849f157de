// engine_speed.mjs SCRIPT: the page's engine in WebAssembly, as bench/probes/engine_speed.cc is
// natively.
import { readFileSync } from "node:fs";

import { Engine } from "../../bindings/greetlab/views/widget/js/engine.js";

const file = new URL("../../bindings/greetlab/views/play/engine.wasm", import.meta.url);
const engine = await Engine.load(readFileSync(file));
const world = engine.open(process.argv[2]);
const begun = performance.now();
while (!world.run(3600)) {
  // There is more to do.
}
const taken = (performance.now() - begun) * 1e6;
console.log(JSON.stringify({ nanoseconds: taken / world.figure("steps") }));
