/** Turning a frame into Plotly traces: one a group with one colour, which draws several times faster than colour arrays. */

const SYMBOLS_2D = ["circle", "square", "diamond", "cross", "x", "triangle-up", "star", "pentagon", "hourglass", "triangle-down"];
const SYMBOLS_3D = ["circle", "square", "diamond", "cross", "x", "circle-open", "square-open", "diamond-open"];
const MISSING_COLOR = "#9a9a9a";

/** Values of an array at some indices, as the array's own type. */
function take(array, indices) {
  const out = new array.constructor(indices.length);
  for (let i = 0; i < indices.length; i++) out[i] = array[indices[i]];
  return out;
}

/** The trace of a point: its group, or of numbers 0, and 1 for a point without one. */
function traceOf({ header, arrays }) {
  if (header.color.kind === "number") return (i) => (Number.isFinite(arrays.value[i]) ? 0 : 1);
  return (i) => arrays.group[i];
}

/** How many points each trace has. */
function traceSizes(frame) {
  const { header, arrays } = frame;
  const trace = traceOf(frame);
  const sizes = new Uint32Array(header.color.kind === "number" ? 2 : header.color.names.length);
  for (let i = 0; i < arrays.x.length; i++) sizes[trace(i)]++;
  return sizes;
}

/** Indices of the points of each trace, of all points or of some. */
function membersOf(frame, sizes, some = null) {
  const trace = traceOf(frame);
  const found = Array.from(sizes, (size) => new Uint32Array(some ? Math.min(size, some.length) : size));
  const lengths = new Uint32Array(sizes.length);
  const length = some ? some.length : frame.arrays.x.length;
  for (let k = 0; k < length; k++) {
    const i = some ? some[k] : k;
    const number = trace(i);
    found[number][lengths[number]++] = i;
  }
  return found.map((indices, k) => indices.subarray(0, lengths[k]));
}

/** How the points of one trace look. */
function markerOf(frame, indices, color) {
  const { header, arrays } = frame;
  const flat = header.dim === 2;
  const marker = {
    size: flat ? header.point_size : Math.max(1, header.point_size * 0.5),
    color,
    opacity: flat ? header.opacity : 1, // below 1, WebGL paints 3-D points in draw order and not by depth
    line: { width: 0 },
  };
  if (header.symbol) {
    const shapes = flat ? SYMBOLS_2D : SYMBOLS_3D;
    marker.symbol = Array.from(indices, (i) => shapes[arrays.symbol[i] % shapes.length]);
  }
  return marker;
}

/** The part of a marker that shows numbers as colours, with the bar beside the map. */
function colorBar(frame, indices, theme) {
  const { scale, min, max, title } = frame.header.color;
  return {
    color: take(frame.arrays.value, indices),
    colorscale: scale,
    cmin: min,
    cmax: max > min ? max : min + 1,
    colorbar: { title: { text: plain(title), side: "right" }, thickness: 14, outlinewidth: 0, tickcolor: theme.text },
  };
}

/**
 * @param {Frame} frame
 * @param {{text: string, grid: string}} theme
 * @param {Uint8Array|null} bits  of the rows that are selected; null when none are
 * @param {Uint32Array|null} some  frame indices of the points that are drawn; null for all
 * @returns {{traces: object[], members: Uint32Array[]}} traces, and of each the frame indices of its points
 */
function buildTraces(frame, theme, bits = null, some = null) {
  const { header, arrays } = frame;
  const sizes = traceSizes(frame);
  const members = membersOf(frame, sizes, some);
  // Plotly switches a trace without points off; one none of whose points is drawn just now gets a point nowhere.
  const along = (axis, indices, k) => (indices.length || !sizes[k] ? take(arrays[axis], indices) : [null]);
  const traces = members.map((indices, k) => {
    const number = header.color.kind === "number";
    const name = number ? (k === 0 ? header.color.title : "(none)") : header.color.names[k];
    const trace = {
      type: header.dim === 3 ? "scatter3d" : "scattergl",
      mode: "markers",
      name: plain(name, 32),
      x: along("x", indices, k),
      y: along("y", indices, k),
      hoverinfo: "none",
      marker: markerOf(frame, indices, number ? MISSING_COLOR : header.color.colors[k]),
      showlegend: !number && sizes[k] > 0,
    };
    if (header.dim === 3) trace.z = take(arrays.z, indices);
    else {
      trace.unselected = { marker: { opacity: Math.min(0.12, header.opacity) } };
      trace.selectedpoints = bits ? selectedOf(indices, arrays.row, bits) : null;
    }
    if (number && k === 0) Object.assign(trace.marker, colorBar(frame, indices, theme));
    return trace;
  });
  return bits && header.dim === 3 ? faded(traces, members, arrays.row, bits, theme) : { traces, members };
}

/** Numbers of a trace's points that are selected. */
function selectedOf(indices, row, bits) {
  const found = [];
  for (let k = 0; k < indices.length; k++) if (hasBit(bits, row[indices[k]])) found.push(k);
  return found;
}

/** In 3-D, which knows no selected points: each trace as two, the rest of it in a faint colour. */
function faded(traces, members, row, bits, theme) {
  const bright = [], faint = [], own = [], rest = [];
  traces.forEach((trace, k) => {
    const chosen = selectedOf(members[k], row, bits);
    const inside = new Set(chosen);
    const others = Array.from(members[k].keys()).filter((i) => !inside.has(i));
    const of = (which, marker) => ({
      ...trace,
      ...Object.fromEntries(["x", "y", "z"].map((axis) => [axis, take(trace[axis], which)])),
      legendgroup: `group ${k}`,
      marker: { ...trace.marker, ...marker, ...(Array.isArray(trace.marker.symbol) && { symbol: which.map((i) => trace.marker.symbol[i]) }) },
    });
    const colors = ArrayBuffer.isView(trace.marker.color) ? { color: take(trace.marker.color, chosen) } : {};
    bright.push(of(chosen, colors));
    const { colorbar, colorscale, cmin, cmax, ...plainMarker } = of(others, { color: theme.dark ? "#454545" : "#dcdcdc" }).marker;
    faint.push({ ...of(others, {}), marker: plainMarker, showlegend: false });
    own.push(take(members[k], chosen));
    rest.push(take(members[k], others));
  });
  return { traces: [...bright, ...faint], members: [...own, ...rest] };
}

/** Traces that only explain the shapes in the legend. */
function symbolLegend(frame, theme) {
  const { symbol, dim } = frame.header;
  if (!symbol) return [];
  const shapes = dim === 2 ? SYMBOLS_2D : SYMBOLS_3D;
  return symbol.names.slice(0, 30).map((name, k) => ({
    type: dim === 3 ? "scatter3d" : "scattergl",
    mode: "markers",
    name: plain(name, 32),
    x: [null],
    y: [null],
    ...(dim === 3 ? { z: [null] } : {}),
    hoverinfo: "skip",
    legendgroup: "shapes",
    ...(k === 0 ? { legendgrouptitle: { text: plain(symbol.title) } } : {}),
    marker: { symbol: shapes[k % shapes.length], color: theme.text, size: 7 },
  }));
}

/** A star where something belongs that is not one of the images. */
function markTrace(frame, mark, theme) {
  if (!mark || mark.length !== frame.header.dim) return [];
  const [x, y, z] = mark;
  return [{
    type: frame.header.dim === 3 ? "scatter3d" : "scattergl",
    mode: "markers",
    name: "uploaded picture",
    x: [x],
    y: [y],
    ...(z === undefined ? {} : { z: [z] }),
    hoverinfo: "skip",
    marker: { symbol: frame.header.dim === 3 ? "diamond" : "star", size: frame.header.dim === 3 ? 9 : 20, color: theme.text, line: { width: 1.5, color: "#d55e00" } },
  }];
}
