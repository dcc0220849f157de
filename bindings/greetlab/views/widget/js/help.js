// @ts-check
// --- The keys ---------------------------------------------------------------------------------

/** @import { Player } from "./player.js" */

/**
 * What has keys.
 * @typedef {object} Keyed
 * @property {Player} player
 * @property {() => void} whyNow
 * @property {() => void} toggleHelp
 * @property {() => void} close
 */

export const KEYS = [
  ["Space", "play, pause"],
  ["← →", "one event back, forward"],
  ["Shift ← →", "to where more than a call's progress changes"],
  ["↑ ↓", "faster, slower"],
  ["Home End", "to the beginning, to the end"],
  ["W", "why? what led to the event at the playhead"],
  ["Esc", "close what is open"],
  ["?", "these keys"],
];

/** What a key does to the flow; undefined for keys that are not ours.
 * @param {KeyboardEvent} event @param {Keyed} flow @returns {(() => void) | undefined}
 */
export function keyAction(event, flow) {
  const { player } = flow;
  const turn = event.shiftKey;
  return {
    " ": () => player.toggle(),
    ArrowRight: () => (turn ? player.turn(1) : player.step(1)),
    ArrowLeft: () => (turn ? player.turn(-1) : player.step(-1)),
    ArrowUp: () => player.faster(1),
    ArrowDown: () => player.faster(-1),
    Home: () => player.toStart(),
    End: () => player.toEnd(),
    w: () => flow.whyNow(),
    "?": () => flow.toggleHelp(),
    Escape: () => flow.close(),
  }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
}
