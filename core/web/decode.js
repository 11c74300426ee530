/**
 * A drawing, as `core.figures.encode` writes it:
 * [u32 little-endian L][L bytes of JSON][buffers, each aligned to 4 bytes].
 *
 * @typedef {object} Frame
 * @property {object} header  the JSON: n, dim, key, view_key, axes, color, symbol, image, fields, …
 * @property {Object<string, Float32Array|Int32Array|Uint8Array>} arrays  by name: x, y, z, row, group, …
 */

const ARRAY_TYPES = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

/**
 * Read a frame; the arrays are views of its bytes.
 * @param {Uint8Array} bytes
 * @returns {Frame}
 */
function decodeFrame(bytes) {
  const data = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const length = view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + length)));
  const start = data.byteOffset + 4 + length;
  const arrays = {};
  for (const [name, a] of Object.entries(header.arrays)) {
    arrays[name] = new ARRAY_TYPES[a.dtype](data.buffer, start + a.offset, a.length);
  }
  return { header, arrays };
}

/**
 * Text that Plotly shows as it is: its titles and names would read tags and entities.
 * @param {string} text
 * @param {number} [limit]  most characters shown
 * @returns {string}
 */
function plain(text, limit = 60) {
  const all = String(text).replace(/\s+/g, " ");
  const short = all.length > limit ? all.slice(0, limit - 1) + "…" : all;
  return short.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/**
 * A number in the few digits a reader needs.
 * @param {number} value
 * @returns {string}
 */
function shortNumber(value) {
  if (!Number.isFinite(value)) return "–";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/**
 * What is known of one point, as texts.
 * @param {Frame} frame
 * @param {number} i  index of the point in the frame
 * @returns {{row: number, id: string, fields: [string, string][]}}
 */
function describePoint(frame, i) {
  const { header, arrays } = frame;
  const row = arrays.row[i];
  const fields = header.fields.map((field) => {
    const value = arrays[field.array][i];
    const text = field.kind === "number" ? shortNumber(value) : (field.names[value] ?? "–");
    return [field.title, String(text)];
  });
  return { row, id: header.ids ? String(header.ids[i]) : String(row), fields };
}
