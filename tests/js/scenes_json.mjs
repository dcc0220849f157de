// What scenes.json is to have: the scenes' words, and their worlds as the levers stand at first.
import { SCENES, filled, usual } from "../../bindings/greetlab/views/widget/js/scenes.js";

const told = SCENES.map((scene) => {
  const { title, words, watch, ask, because, worlds } = scene;
  const links = worlds.map(({ script }) => `#${filled(script, usual(scene))}`);
  return { title, words, watch, ask, because, links };
});
process.stdout.write(`${JSON.stringify(told, null, 2)}\n`);
