// @ts-check
// --- Bytes to columns: the other side of pack.py ---------------------------------------------

const READERS = {
  "|u1": Uint8Array,
  "<u2": Uint16Array,
  "<u4": Uint32Array,
  "<i4": Int32Array,
  "<f8": Float64Array,
};

/** The packed trace as `{header, columns}`; null for no bytes. */
export async function unpack(block) {
  const bytes = new Uint8Array(block.buffer ?? block, block.byteOffset ?? 0, block.byteLength);
  if (!bytes.length) return null;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = await new Response(stream).arrayBuffer();
  const length = new DataView(raw).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(raw, 8, length)));
  const start = Math.ceil((8 + length) / 8) * 8;
  const columns = {};
  for (const [name, [type, offset, count]] of Object.entries(header.columns)) {
    columns[name] = new READERS[type](raw, start + offset, count);
  }
  return { header, columns };
}
