/**
 * Plotly traces of a frame: one a group with a constant colour, which draws several times faster than one with a colour
 * a point and gives a legend that toggles. Each comes with the frame's index of each of its points.
 */

const NO_VALUE = "#8c8c8c"; // points without a number
const SHAPES = ["circle", "diamond", "square", "cross", "x", "circle-open", "diamond-open", "square-open"]; // 2-D and 3-D

/** @returns {string} shape of symbol `i`; they repeat after eight */
const shapeOf = (i) => SHAPES[i % SHAPES.length];

/**
 * Values at some places.
 * @template {Float32Array|Int32Array|Uint8Array} T
 * @param {T} values
 * @param {Uint32Array} places
 * @returns {T}
 */
function take(values, places) {
  const out = new values.constructor(places.length);
  for (let i = 0; i < places.length; i++) out[i] = values[places[i]];
  return out;
}

/**
 * The places of each value 0..count-1.
 * @param {ArrayLike<number>} values
 * @param {number} count
 * @returns {Uint32Array[]}
 */
function placesOf(values, count) {
  const sizes = new Uint32Array(count);
  for (let i = 0; i < values.length; i++) sizes[values[i]]++;
  const places = Array.from(sizes, (size) => new Uint32Array(size));
  sizes.fill(0);
  for (let i = 0; i < values.length; i++) places[values[i]][sizes[values[i]]++] = i;
  return places;
}

/**
 * What the points of every trace have in common.
 * @param {Frame} frame
 * @param {Uint32Array} places
 * @param {object} marker
 */
function pointTrace({ header, arrays }, places, marker) {
  const solid = header.dim === 3; // 3-D points below opacity 1 are painted in draw order, not by depth
  const trace = {
    type: solid ? "scatter3d" : hasWebGL() ? "scattergl" : "scatter",
    mode: "markers",
    hoverinfo: "none", // the card shows it all; events still come
    x: take(arrays.x, places),
    y: take(arrays.y, places),
    marker: { size: header.point_size, opacity: solid ? 1 : header.opacity, line: { width: 0 }, ...marker },
  };
  if (solid) trace.z = take(arrays.z, places);
  else trace.unselected = { marker: { opacity: 0.12 } };
  if (header.symbol) trace.marker.symbol = Array.from(places, (i) => shapeOf(arrays.symbol[i]));
  return trace;
}

/** A trace a category, in the order of the names; empty ones stay out of the legend. */
function categoryTraces(frame) {
  const { color } = frame.header;
  const places = placesOf(frame.arrays.group, color.names.length);
  const traces = places.map((some, g) => ({
    ...pointTrace(frame, some, { color: color.colors[g] }),
    name: plain(color.names[g], 40),
    showlegend: some.length > 0,
  }));
  return { traces, places };
}

/** One trace with a colour bar, and a gray one for the points without a value. */
function numberTraces(frame) {
  const { color } = frame.header;
  const { value } = frame.arrays;
  const places = placesOf(Uint8Array.from(value, (v) => (Number.isNaN(v) ? 1 : 0)), 2);
  const marker = {
    color: take(value, places[0]),
    colorscale: color.scale,
    cmin: color.min,
    cmax: color.max,
    colorbar: { title: { text: plain(color.title), side: "right" }, thickness: 14, outlinewidth: 0 },
  };
  const traces = [
    { ...pointTrace(frame, places[0], marker), name: plain(color.title), showlegend: false },
    { ...pointTrace(frame, places[1], { color: NO_VALUE }), name: "no value", showlegend: places[1].length > 0 },
  ];
  return { traces, places };
}

/** Traces without points, for the legend of the shapes. */
function symbolKeys({ header }, ink) {
  if (!header.symbol) return [];
  const solid = header.dim === 3;
  return header.symbol.names.map((name, i) => ({
    type: solid ? "scatter3d" : "scatter",
    mode: "markers",
    hoverinfo: "skip",
    legend: "legend2",
    name: plain(name, 40),
    x: [null],
    y: [null],
    ...(solid ? { z: [null] } : {}),
    marker: { symbol: shapeOf(i), color: ink, size: 8 },
  }));
}

/**
 * All traces of a frame; `places[t]` are the frame's indices of the points of trace t.
 * @param {Frame} frame
 * @param {string} ink  colour of text
 * @returns {{traces: object[], places: Uint32Array[]}}
 */
function buildTraces(frame, ink) {
  const { traces, places } = frame.header.color.kind === "number" ? numberTraces(frame) : categoryTraces(frame);
  return { traces: [...traces, ...symbolKeys(frame, ink)], places };
}

/** @returns {boolean} whether this browser draws WebGL; without it 2-D maps are drawn as SVG */
function hasWebGL() {
  hasWebGL.known ??= Boolean(document.createElement("canvas").getContext("webgl"));
  return hasWebGL.known;
}
