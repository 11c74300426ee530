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
  return { header, arrays: withRows(arrays, header.n) };
}

let countedRows = new Int32Array(0); // 0, 1, 2, …: those of the map drawn last

/** Arrays with `row`, which is not sent where it is 0, 1, …, n - 1. */
function withRows(arrays, n) {
  if (arrays.row) return arrays;
  if (countedRows.length !== n) {
    countedRows = new Int32Array(n);
    for (let i = 0; i < n; i++) countedRows[i] = i;
  }
  return { ...arrays, row: countedRows };
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

const KEPT_ARRAYS = 96; // of those fetched before
const fetchedArrays = new Map();

/** Fetch a file of an array or of JSON once; the file's name stands for its content. */
function fetchOnce(url, read) {
  if (!fetchedArrays.has(url)) {
    const loading = fetch(url, { cache: "force-cache" }).then(async (kept) => {
      const response = kept.ok ? kept : await fetch(url, { cache: "reload" }); // it may be there by now
      if (!response.ok) throw new Error(`${url} (${response.status})`);
      return read(response);
    });
    loading.catch(() => fetchedArrays.delete(url));
    fetchedArrays.set(url, loading);
    if (fetchedArrays.size > KEPT_ARRAYS) fetchedArrays.delete(fetchedArrays.keys().next().value);
  }
  return fetchedArrays.get(url);
}

/**
 * Complete a frame whose arrays and ids lie in files; those that are here already are not fetched again.
 * @param {object} header  as `Frame`'s, each array with its `file`, and `ids` perhaps one, too
 * @param {(file: string) => string} urlOf
 * @returns {Promise<Frame>}
 */
async function fetchFrame(header, urlOf) {
  const names = Object.keys(header.arrays);
  const buffers = names.map((name) => fetchOnce(urlOf(header.arrays[name].file), (r) => r.arrayBuffer()));
  const ids = header.ids?.file ? fetchOnce(urlOf(header.ids.file), (r) => r.json()) : header.ids;
  const arrays = {};
  for (const [k, buffer] of (await Promise.all(buffers)).entries()) {
    arrays[names[k]] = new ARRAY_TYPES[header.arrays[names[k]].dtype](buffer);
  }
  return { header: { ...header, ids: await ids }, arrays: withRows(arrays, header.n) };
}

/** Bits in base64, the first in the lowest bit of the first byte, as `core.selection.packed` writes them; null for none. */
function decodeBits(text) {
  return text ? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)) : null;
}

/** How many bits are set. */
function countBits(bits) {
  let count = 0;
  for (let byte of bits) for (; byte; byte &= byte - 1) count++;
  return count;
}

/** Whether a row's bit is set. */
function hasBit(bits, row) {
  return (bits[row >> 3] >> (row & 7)) & 1;
}
