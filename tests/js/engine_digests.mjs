// Runs worlds by their links, a JSON list of them in a file; prints {digest, events, link} of each,
// or {error}. For one link with --events: its events in words.
import { readFileSync } from "node:fs";

import { Engine } from "../../bindings/greetlab/views/widget/js/engine.js";

const [engineFile, linksFile, events] = process.argv.slice(2);
const engine = await Engine.load(readFileSync(engineFile));
const links = JSON.parse(readFileSync(linksFile, "utf8"));
const told = links.map((link) => {
  try {
    const world = engine.open(link);
    while (!world.run(world.end)) {
      // There is more to do.
    }
    const { digest, length } = world;
    const all = events
      ? Array.from({ length }, (_, i) => {
          const event = world.event(i);
          return [event.get("at"), event.get("cause"), event.who, event.kind, event.sentence];
        })
      : undefined;
    const answer = { digest, length, link: world.link(), events: all };
    world.free();
    return answer;
  } catch (error) {
    return { error: String(error.message) };
  }
});
console.log(JSON.stringify(told));
