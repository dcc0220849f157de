// @ts-check
// --- Which moments are written below a timeline that is not even ----------------------------------
//
// The picture's time is stretched here and compressed there, so what stands at equal distances is no
// round number. So the moments are round, and each stands where it is. Most of them are of one
// step; where that leaves room, because the picture goes slowly there, finer ones are between them.

/** @typedef {{ x: number, text: string }} Tick */

const GAP = 18; // pixels between two
const WIDE = 150; // room in which a finer one is missed
const MOST_TRIED = 2000; // are tried of a step

/**
 * @param {object} of
 * @param {number} of.first nanoseconds
 * @param {number} of.last
 * @param {(time: number) => number} of.x where a moment stands; never before an earlier one
 * @param {(text: string) => number} of.wide
 * @param {number} of.from where the first may begin
 * @param {number} of.to where the last may end
 * @param {[x: number, half: number][]} [of.taken] what stands there already
 * @returns {Tick[]} in their order
 */
export function ticks({ first, last, x, wide, from, to, taken = [] }) {
  const range = last - first;
  if (!(range > 0)) return [];
  const there = [...taken];
  /** @type {(Tick & { time: number })[]} */
  const placed = [];
  /** @param {number} time */
  const place = (time) => {
    const text = roundMoment(time, range);
    const [at, half] = [x(time), wide(text) / 2];
    if (at - half < from || at + half > to) return;
    if (there.some(([other, its]) => Math.abs(at - other) < half + its + GAP)) return;
    there.push([at, half]);
    placed.push({ x: at, text, time });
  };
  const steps = stepsBelow(range);
  const even = steps.findLast((step) => mostFit(step, first, last, x, wide, range)) ?? steps[0];
  multiples(even, first, last).forEach(place);
  for (const step of steps.filter((one) => one < even)) {
    const ends = [first, ...placed.map(({ time }) => time), last].sort((a, b) => a - b);
    for (let i = 1; i < ends.length; ++i) {
      if (x(ends[i]) - x(ends[i - 1]) < WIDE) continue;
      multiples(step, ends[i - 1], ends[i]).forEach(place);
    }
  }
  return placed.sort((a, b) => a.time - b.time).map(({ x: at, text }) => ({ x: at, text }));
}

/** 1, 2 and 5 times a power of ten, the largest first. @param {number} range */
function stepsBelow(range) {
  const steps = [];
  for (let ten = 10 ** Math.ceil(Math.log10(range)); ten >= 1e3 && ten > range / 1e5; ten /= 10) {
    steps.push(ten, ten / 2, ten / 5);
  }
  return steps;
}

/** Whether, of a step's moments, eight of ten have room beside the one before.
 * @param {number} step @param {number} first @param {number} last @param {(time: number) => number} x
 * @param {(text: string) => number} wide @param {number} range
 */
function mostFit(step, first, last, x, wide, range) {
  const all = multiples(step, first, last);
  if (all.length < 2) return false;
  const room = Math.max(...all.slice(-2).map((time) => wide(roundMoment(time, range)))) + GAP;
  const fit = all.filter((time, i) => i && x(time) - x(all[i - 1]) >= room).length;
  return fit >= 0.8 * (all.length - 1);
}

/** Those of a step, both ends included; none where there are too many. @param {number} step
 * @param {number} from @param {number} to
 */
function multiples(step, from, to) {
  const [first, last] = [Math.ceil(from / step), Math.floor(to / step)];
  if (last - first >= MOST_TRIED) return [];
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

/** A round moment, with no more digits than it has. @param {number} time @param {number} range */
function roundMoment(time, range) {
  const unit = range >= 1e9 && (time >= 1e8 || time === 0) ? "s" : time >= 1e6 || time === 0 ? "ms" : "µs";
  return `${Number((time / { s: 1e9, ms: 1e6, "µs": 1e3 }[unit]).toPrecision(9))} ${unit}`;
}
