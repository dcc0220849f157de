// @ts-check
// --- Bytes to columns: the other side of pack.py ---------------------------------------------

/** @typedef {Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array} Column */
/** @typedef {{ header: Header, columns: Record<string, Column> }} Packed */
/**
 * What pack.py writes before the columns.
 * @typedef {object} Header
 * @property {string} world
 * @property {string} title
 * @property {string} summary
 * @property {string[]} kinds
 * @property {string[]} certainties
 * @property {Record<string, Record<string, boolean>>} fields of a kind: is it a word?
 * @property {Record<string, Record<string, string>>} tables their columns, and what those hold: a
 *   "row" (-1: never), a "place" in another table (-1: none), a "word", a "code", a "number"
 * @property {string[]} words
 * @property {string[]} sentences
 * @property {{ name: string, addresses: string[], color: string, marker: string }[]} pods
 * @property {string[]} virtual
 * @property {string[]} frame_types by their number on the wire
 * @property {string} failed
 * @property {number} dropped
 */

/** @type {Record<string, new (raw: ArrayBuffer, at: number, length: number) => Column>} */
const READERS = {
  "|u1": Uint8Array,
  "<u2": Uint16Array,
  "<u4": Uint32Array,
  "<i4": Int32Array,
  "<f8": Float64Array,
};

/** The packed trace as `{header, columns}`; null for no bytes.
 * @param {{ buffer?: ArrayBuffer, byteOffset?: number, byteLength: number }} block
 * @returns {Promise<Packed | null>}
 */
export async function unpack(block) {
  const whole = /** @type {ArrayBuffer} */ (block.buffer ?? block);
  const bytes = new Uint8Array(whole, block.byteOffset ?? 0, block.byteLength);
  if (!bytes.length) return null;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = await new Response(stream).arrayBuffer();
  const length = new DataView(raw).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(raw, 8, length)));
  const start = Math.ceil((8 + length) / 8) * 8;
  /** @type {Record<string, Column>} */
  const columns = {};
  for (const [name, [type, offset, count]] of Object.entries(header.columns)) {
    columns[name] = new READERS[type](raw, start + offset, count);
  }
  return { header, columns };
}
