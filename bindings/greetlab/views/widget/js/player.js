// @ts-check
// --- Play, pause, step ------------------------------------------------------------------------

import { countBelow } from "./track.js";

/** @import { Clock } from "./clock.js" */

export const SPEEDS = [0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 64, 250, 1000];

/** Where we are: `position` events have happened, and `u` is the moment of the picture. */
export class Player {
  /** @param {Clock} clock @param {number[]} turns @param {() => void} changed */
  constructor(clock, turns, changed) {
    this.clock = clock;
    this.turns = turns;
    this.changed = changed;
    this.u = 0;
    this.position = 0;
    this.speed = 1;
    this.playing = false;
    /** @type {number | null} */
    this.last = null; // moment of a frame
    this.calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  play() {
    if (this.position >= this.clock.events) this.toStart();
    this.playing = true;
    this.last = null;
    requestAnimationFrame((now) => this.frame(now));
    this.changed();
  }
  pause() {
    this.playing = false;
    this.changed();
  }
  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** @param {number} now */
  frame(now) {
    if (!this.playing) return;
    const passed = this.last === null ? 0 : Math.min((now - this.last) / 1e3, 0.1);
    this.last = now;
    this.u = Math.min(this.u + passed * this.speed, this.clock.length);
    const position = Math.max(this.position, this.clock.positionAt(this.u));
    const moved = position !== this.position;
    this.position = position;
    if (this.u >= this.clock.length) this.playing = false;
    if (moved || !this.calm || !this.playing) this.changed();
    if (this.playing) requestAnimationFrame((next) => this.frame(next));
  }

  /** To where `position` events have happened.
   * @param {number} position
   */
  to(position) {
    this.playing = false;
    this.position = Math.min(Math.max(position, 0), this.clock.events);
    this.u = this.position ? this.clock.u[this.position - 1] : 0;
    this.changed();
  }
  /** @param {number} events */
  step(events) {
    this.to(this.position + events);
  }
  /** To the next event, forward or back, that is more than a call's progress.
   * @param {number} direction
   */
  turn(direction) {
    const index = countBelow(this.turns, this.position);
    const next = direction > 0 ? this.turns[index] : this.turns[index - 2];
    if (next === undefined) this.to(direction > 0 ? this.clock.events : 0);
    else this.to(next + 1);
  }
  toStart() {
    this.to(0);
  }
  toEnd() {
    this.to(this.clock.events);
    this.u = this.clock.length;
    this.changed();
  }
  /** @param {number} u */
  scrub(u) {
    this.playing = false;
    this.u = Math.min(Math.max(u, 0), this.clock.length);
    this.position = this.clock.positionAt(this.u);
    this.changed();
  }
  /** @param {number} direction */
  faster(direction) {
    const index = SPEEDS.indexOf(this.speed) + direction;
    this.speed = SPEEDS[Math.min(Math.max(index, 0), SPEEDS.length - 1)];
    this.changed();
  }
}
