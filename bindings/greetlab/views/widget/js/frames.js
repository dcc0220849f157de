// @ts-check
// --- HTTP/2 frames and their bytes --------------------------------------------------------------
//
// A trace has them where they were asked for: channel(..., frames=True).

import { element } from "./elements.js";

/** @import { Call, Connection, Model } from "./model.js" */

/** How many frames of a connection are listed: its last ones. */
export const MOST = 40;
const LINE = 16; // bytes

/** SETTINGS by number (RFC 9113 6.5.2). */
const SETTINGS = [
  "", "HEADER_TABLE_SIZE", "ENABLE_PUSH", "MAX_CONCURRENT_STREAMS", "INITIAL_WINDOW_SIZE",
  "MAX_FRAME_SIZE", "MAX_HEADER_LIST_SIZE",
];
/** Error codes by number (RFC 9113 7). */
const ERRORS = [
  "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
  "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
  "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
];

/** The events that are frames of a call, or of a connection, before `position`.
 * @param {Model} model @param {{ call?: Call, connection?: Connection }} of
 * @param {number} position
 */
export function frameRows(model, { call, connection }, position) {
  if (!call && !connection) return [];
  const place = call ? model.calls.indexOf(call) : model.connections.indexOf(
    /** @type {Connection} */ (connection));
  return model.frames
    .filter((frame) => frame[call ? "call" : "connection"] === place && frame.start < position)
    .map((frame) => /** @type {number} */ (frame.start))
    .slice(-MOST);
}

/** The bytes of hex digits; what is none is left out, for a trace may come from anybody.
 * @param {string} digits
 */
export function bytesOf(digits) {
  return (digits.match(/[0-9a-f]{2}/g) ?? []).map((two) => parseInt(two, 16));
}

/** A frame as it went over the wire: its head (RFC 9113 4.1), and what the payload begins with.
 * @param {Model} model @param {number} row an event that is a frame
 */
export function frame(model, row) {
  const [type, flags, stream, length] = ["type", "flags", "stream", "length"].map((name) =>
    model.field(row, name));
  const payload = bytesOf(model.field(row, "payload"));
  const number = model.header.frame_types.indexOf(type);
  // The preface has no head, and of an extension's the trace has not the type.
  const head = number < 0 ? [] : [
    length >> 16, length >> 8, length, number, flags,
    stream >>> 24, stream >> 16, stream >> 8, stream,
  ].map((part) => part & 0xff);
  return { type, flags, stream, length, head, payload };
}

/** What the payload says, of those types that say it in numbers; "" for the others.
 * @param {{ type: string, payload: number[] }} frame
 */
export function meaning({ type, payload }) {
  /** @param {number} at @param {number} size */
  const number = (at, size) =>
    payload.slice(at, at + size).reduce((sum, byte) => sum * 256 + byte, 0);
  /** @param {number} at */
  const error = (at) => ERRORS[number(at, 4)] ?? `error ${number(at, 4)}`;
  if (type === "WINDOW_UPDATE") return `${number(0, 4).toLocaleString("en")} bytes more may come`;
  if (type === "RST_STREAM") return error(0);
  if (type === "GOAWAY") return `no stream after ${number(0, 4)}; ${error(4)}`;
  if (type !== "SETTINGS") return "";
  const told = [];
  for (let at = 0; at + 6 <= payload.length; at += 6) {
    const id = number(at, 2);
    told.push(`${SETTINGS[id] || `setting ${id}`} ${number(at + 2, 4).toLocaleString("en")}`);
  }
  return told.join(", ");
}

/** Lines of a dump: where, in hex, as ASCII.
 * @param {number[]} bytes
 */
export function dump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += LINE) {
    const part = bytes.slice(at, at + LINE);
    const hex = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = part.map((byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(3 * LINE - 1)}  ${text}`);
  }
  return lines;
}

/** A frame's bytes, and what they say.
 * @param {Model} model @param {number} row
 */
export function frameBytes(model, row) {
  const shown = frame(model, row);
  const missing = shown.length - shown.payload.length;
  const two = `0x${shown.flags.toString(16).padStart(2, "0")}`;
  const said = [`type ${shown.type}`, `flags ${two}`, `stream ${shown.stream}`,
    `length ${shown.length}`].join("  ");
  const lines = [
    ...(shown.head.length ? [`head: ${said}`, ...dump(shown.head)] : []),
    ...(shown.payload.length ? ["payload:", ...dump(shown.payload)] : []),
    ...(missing > 0 ? [`and ${missing.toLocaleString("en")} bytes more, not in the trace`] : []),
  ];
  return element("div", { class: "gl-frame" },
    ...[meaning(shown)].filter(Boolean).map((words) => element("p", {}, words)),
    element("pre", {}, lines.join("\n")));
}

/** Frames, one a line; a click shows the bytes, or hides them.
 * @param {Model} model @param {number[]} rows
 */
export function frameList(model, rows) {
  const items = rows.map((row) => {
    const line = model.line(row);
    const gap = line.indexOf("  ");
    const item = element("li", {});
    const head = element("button", { type: "button", title: "Its bytes", "aria-expanded": "false",
      onclick: () => {
        const open = item.children.length === 1;
        if (open) item.append(frameBytes(model, row));
        else item.lastChild?.remove();
        head.setAttribute("aria-expanded", String(open));
      } },
    element("span", { class: "gl-when" }, line.slice(0, gap)),
    element("span", {}, line.slice(gap + 2)));
    item.append(head);
    return item;
  });
  return element("div", { class: "gl-frames" },
    element("h4", {}, "Its frames: a click shows the bytes"), element("ol", {}, ...items));
}
