// @ts-check
// --- Your own policy: a picker in an editor, and five challenges for it ---------------------------
//
// What a person writes runs when a button is pressed and not before, in a worker that is made of the
// judge and of it. So it has neither the page nor a network, and can be ended.

import { CHALLENGES } from "./challenges.js";
import { element, set } from "./elements.js";
import { pace } from "./essay.js";
import { Flow } from "./flow.js";

/** @import { Palette } from "./essay.js" */
/** @import { News, Verdict } from "./judge.js" */

const PATIENCE = 8; // seconds without news: it will never end
const PLAYED = 12; // seconds that the picture plays, about
const YOURS = /^#?yours-(\d)(?:=(.*))?$/s;
/** Before the learner's first line, in the worker. */
const BEFORE = '\njudging.serve((random) => {\n"use strict";\n';

/** The challenge of an address, from 0, and the code in it. @param {string} hash
 * @returns {{ number: number, source: string | null } | null}
 */
export function linked(hash) {
  const [, number, code] = YOURS.exec(hash) ?? [];
  if (!number || !CHALLENGES[Number(number) - 1]) return null;
  try {
    return { number: Number(number) - 1, source: code === undefined ? null : decodeURIComponent(code) };
  } catch { // %-signs that stand for nothing
    return { number: Number(number) - 1, source: null };
  }
}

/** A verdict in words. @param {Verdict} verdict */
export function verdictInWords({ passed, of, worst }) {
  if (!worst) return `Passed, in ${passed} of ${of} worlds.`;
  if (worst.thrown) return `${worst.why}.`;
  return `Passed in ${passed} of ${of} worlds. The worst is that of seed ${worst.seed}: ${worst.why}.`;
}

export class Yours {
  /**
   * @param {string} judge the worker's script, but for the picker
   * @param {BufferSource} bytes of the engine
   * @param {Palette} palette
   * @param {{ say: (text: string) => void, went: (fragment: string, anew: boolean) => void }} page
   */
  constructor(judge, bytes, palette, page) {
    this.judge = judge;
    this.bytes = bytes;
    this.palette = palette;
    this.page = page;
    this.number = 0;
    this.sources = CHALLENGES.map(({ starter }) => starter);
    /** @type {Worker | null} */
    this.worker = null;
    /** @type {Flow | null} */
    this.flow = null;
    this.leaving = false; // Escape was pressed: Tab goes on to the next element
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.patience = undefined;
    this.editor = element("textarea", {
      class: "gl-editor", id: "gl-editor", rows: "9", spellcheck: "false", autocapitalize: "off",
      autocomplete: "off", "aria-describedby": "gl-editor-help",
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
      oninput: () => {
        this.sources[this.number] = this.editor.value;
      },
    });
    this.runButton = element("button", { type: "button", class: "gl-main", onclick: () => this.run() },
      "Run it in 100 worlds");
    this.stopButton = element("button", {
      type: "button", hidden: "", onclick: () => this.stop("Stopped."),
    }, "Stop");
    this.anew = element("button", { type: "button", onclick: () => this.begin() }, "Begin anew");
    this.outcome = element("p", { class: "gl-verdict" });
    this.stage = element("div", { class: "gl-stage" });
    this.text = element("div", { class: "gl-scene-text" });
    this.hint = element("details", { class: "gl-hint" });
    this.choices = element("nav", { class: "gl-scenes", "aria-label": "Challenges" });
    this.root = element("section", { class: "gl-yours", "aria-label": "Your own policy", hidden: "" },
      this.choices, this.text,
      element("div", { class: "gl-writing" },
        element("label", { for: "gl-editor" }, "Your picker, in JavaScript"),
        this.editor,
        element("p", { class: "gl-editor-help", id: "gl-editor-help" },
          "ready: the READY connections, each with number, in_flight, answered, failed, and in " +
          "seconds latency, mean, waiting. Return one of them, or null to have the call wait. " +
          "random() is chance. Escape, then Tab leaves the editor."),
        this.hint,
        element("div", { class: "gl-doing" }, this.runButton, this.stopButton, this.anew),
        this.outcome),
      this.stage);
  }

  /** @param {number} number from 0 @param {string | null} [source] of a link: shown, and not run */
  go(number, source = null) {
    this.leave();
    this.number = number;
    const { title, words, hint } = CHALLENGES[number];
    if (source !== null) this.sources[number] = source;
    this.editor.value = this.sources[number];
    this.choices.replaceChildren(...CHALLENGES.map((one, i) => element("button", {
      type: "button", title: one.title, "aria-label": `${i + 1}: ${one.title}`,
      ...(i === number ? { "aria-current": "step" } : {}),
      onclick: () => this.go(i),
    }, String(i + 1))));
    this.text.replaceChildren(element("h2", {}, title), ...words.map((one) => element("p", {}, one)));
    this.hint.replaceChildren(element("summary", {}, "A hint"), element("p", {}, hint));
    this.hint.removeAttribute("open");
    set(this.outcome, source === null ? "" : "This came with the link. Read it before you run it.");
    this.page.went(this.fragment(), true);
  }

  /** The address of what stands here. */
  fragment() {
    const source = this.sources[this.number];
    const code = source === CHALLENGES[this.number].starter ? "" : `=${encodeURIComponent(source)}`;
    return `yours-${this.number + 1}${code}`;
  }

  /** What is under way ends. */
  leave() {
    this.stop("");
    this.flow?.destroy();
    this.flow = null;
    this.stage.replaceChildren();
  }

  begin() {
    this.sources[this.number] = CHALLENGES[this.number].starter;
    this.go(this.number);
    this.editor.focus();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key === "Escape") this.leaving = true;
    else if (event.key === "Tab" && !this.leaving && !event.shiftKey) {
      event.preventDefault();
      this.editor.setRangeText("  ", this.editor.selectionStart, this.editor.selectionEnd, "end");
      this.sources[this.number] = this.editor.value;
    } else this.leaving = false;
  }

  run() {
    this.leave();
    this.page.went(this.fragment(), false);
    const text = `${this.judge}${BEFORE}${this.editor.value}\nreturn pick;\n});\n`;
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const worker = new Worker(address);
    URL.revokeObjectURL(address);
    this.worker = worker;
    const lines = `${this.judge}${BEFORE}`.split("\n").length - 1;
    worker.onerror = (event) => {
      event.preventDefault();
      const line = event.lineno > lines ? `, line ${event.lineno - lines}` : "";
      this.stop(`This is no JavaScript${line}: ${event.message || "it cannot be read"}`);
    };
    worker.onmessage = (/** @type {MessageEvent<News>} */ { data }) => this.hear(data);
    worker.postMessage({ bytes: this.bytes, number: this.number, palette: this.palette });
    this.runButton.hidden = true;
    this.stopButton.hidden = false;
    set(this.outcome, "Running …");
    this.await();
  }

  await() {
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.stop(
      `No answer for ${PATIENCE} seconds, so it was stopped: is there a loop that never ends?`),
    PATIENCE * 1e3);
  }

  /** @param {News} news */
  hear({ verdict, done, packed }) {
    if (!done) {
      this.await();
      set(this.outcome, `${verdict.of} of 100 worlds: passed in ${verdict.passed} …`);
      return;
    }
    this.stop(verdictInWords(verdict));
    this.outcome.classList.toggle("gl-passed", !verdict.worst);
    if (!packed) return;
    const flow = element("div", {});
    this.stage.replaceChildren(flow);
    this.flow = new Flow(flow, [packed]);
    pace(this.flow, PLAYED);
    if (!this.flow.player.calm) this.flow.player.play();
  }

  /** @param {string} why in words */
  stop(why) {
    clearTimeout(this.patience);
    this.worker?.terminate();
    this.worker = null;
    this.runButton.hidden = false;
    this.stopButton.hidden = true;
    this.outcome.classList.remove("gl-passed");
    set(this.outcome, why);
    if (why) this.page.say(why);
  }
}
