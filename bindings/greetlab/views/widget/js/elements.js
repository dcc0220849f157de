// @ts-check
// --- Elements, icons, and the theme's colours --------------------------------------------------

/** @type {Record<string, string>} */
export const ICONS = {
  start: "M5 4v12M16 4l-8 6 8 6z",
  back: "M14 4l-8 6 8 6z",
  play: "M6 3.5l11 6.5-11 6.5z",
  pause: "M6 4h3v12H6zM11 4h3v12h-3z",
  forward: "M6 4l8 6-8 6z",
  end: "M15 4v12M4 4l8 6-8 6z",
};

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, any>} attributes @param {(Node | string)[]} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** @param {string} name */
export function icon(name) {
  const made = document.createElement("template");
  made.innerHTML = `<svg viewBox="0 0 20 20" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
  return /** @type {Node} */ (made.content.firstChild);
}

/** @type {Record<string, string>} */
export const WORLDS = {
  SIM: "A simulated world: our load-balancing core on a virtual clock",
  LOCAL: "Real processes and sockets on one machine",
  KUBE: "A Kubernetes cluster",
};

/** @param {number} speed */
export function fraction(speed) {
  return { 0.125: "⅛×", 0.25: "¼×", 0.5: "½×" }[speed] ?? `${speed}×`;
}

/** @param {Element} target @param {string} text */
export function set(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} width @param {number} height @param {number} ratio
 */
export function fit(canvas, width, height, ratio) {
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
}

/** A notebook's own theme goes before the system's.
 * @param {MediaQueryList} system
 */
export function isDark(system) {
  const { body } = document;
  const lab = body.dataset.jpThemeLight;
  if (lab) return lab === "false";
  if (body.classList.contains("vscode-dark")) return true;
  if (body.classList.contains("vscode-light")) return false;
  return system.matches;
}

/** The style sheet's colours, for the canvas.
 * @param {Element} root @returns {Record<string, string>}
 */
export function readTheme(root) {
  const style = getComputedStyle(root);
  const names = ["bg", "card", "ink", "soft", "quiet", "line", "casing", "edge", "accent", "next",
    "good", "wait", "bad", "veil", "hatch", "pipe"];
  return Object.fromEntries(
    names.map((name) => [name, style.getPropertyValue(`--gl-${name}`).trim()]),
  );
}
