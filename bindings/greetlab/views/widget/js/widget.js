// @ts-check
// --- The widget: packed traces, played ----------------------------------------------------------

import { Flow } from "./flow.js";
import { unpack } from "./unpack.js";

/** @param {{ model: { get: (name: string) => any }, el: HTMLElement }} widget */
async function render({ model, el }) {
  const blocks = [model.get("data"), model.get("other")].filter((block) => block?.byteLength);
  const packed = (await Promise.all(blocks.map(unpack))).filter((one) => one !== null);
  const root = document.createElement("div");
  el.append(root);
  const flow = new Flow(root, packed);
  Object.assign(root, { flow }); // for those who look into it from the console
  return () => flow.destroy();
}

export default { render };
