// @ts-check
// --- A value that changes with the events -----------------------------------------------------

/** How many of the sorted `list` are less than `value`.
 * @param {ArrayLike<number>} list @param {number} value
 */
export function countBelow(list, value) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What was set at which row. Asked for any position, forward or back, in no time.
 * @template T
 */
export class Track {
  /** @param {T} first */
  constructor(first) {
    this.first = first;
    /** @type {number[]} */
    this.rows = [];
    /** @type {T[]} */
    this.values = [];
  }
  /** @param {number} row @param {T} value */
  set(row, value) {
    this.rows.push(row);
    this.values.push(value);
  }
  /** The value when `position` events have happened.
   * @param {number} position @returns {T}
   */
  at(position) {
    const index = countBelow(this.rows, position);
    return index ? this.values[index - 1] : this.first;
  }
  /** The row of the last change before `position`; -1 if there was none.
   * @param {number} position
   */
  since(position) {
    const index = countBelow(this.rows, position);
    return index ? this.rows[index - 1] : -1;
  }
  /** The row of the next change from `position` on; Infinity if there is none.
   * @param {number} position
   */
  until(position) {
    return this.rows[countBelow(this.rows, position)] ?? Infinity;
  }
}
