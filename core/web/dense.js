/** Maps of very many dots: an image of how dense they lie, and over it no more of them than Plotly draws at ease. */

const FULL_VIEW = 1.06; // of what the dots take up, as Plotly leaves some room around them

/** Whether a map has more dots than are drawn one by one. */
function isDense({ header }) {
  return header.dim === 2 && header.n > header.dense.above;
}

/**
 * What part of a map is looked at, and how large it is on the screen.
 * @typedef {{x: [number, number], y: [number, number], px: [number, number], hidden: number[]}} Region
 */

/** The region that a plot shows. @returns {Region} */
function shownRegion(plot, frame) {
  const { xaxis, yaxis } = plot._fullLayout;
  const ends = (axis) => [...axis.range].sort((a, b) => a - b);
  return { x: ends(xaxis), y: ends(yaxis), px: [xaxis._length, yaxis._length], hidden: hiddenGroups(plot, frame) };
}

/** The region that will be shown first, about: all, or where the reader was before. @returns {Region} */
function firstRegion(plot, frame, view) {
  const [x, y] = view?.x && view?.y && view.key === frame.header.view_key ? [view.x, view.y] : ["x", "y"].map((name) => widened(frame.arrays[name]));
  const [wide, tall] = [x[1] - x[0], y[1] - y[0]];
  const unit = Math.min(Math.max(200, plot.offsetWidth - 150) / wide, Math.max(200, plot.offsetHeight - 60) / tall);
  return { x, y, px: [wide * unit, tall * unit], hidden: [] };
}

/** From the smallest to the largest value, with some room. */
function widened(values) {
  const [low, step] = cellsAlong(values, 1);
  const room = (step * (FULL_VIEW - 1)) / 2;
  return [low - room, low + step + room];
}

/** A number that looks random, the same for the same dot always. */
function lotOf(i) {
  let z = Math.imul(i ^ (i >>> 16), 0x45d9f3b);
  z = Math.imul(z ^ (z >>> 15), 0x2c1b3c6d);
  return (z ^ (z >>> 16)) >>> 0;
}

/**
 * Some of the dots, evenly: those with the smallest lots, so that fewer dots in view keep those drawn before.
 * @param {Uint32Array} points  frame indices
 * @param {number} most  exactly so many, where there are
 */
function chosenEvenly(points, most) {
  if (points.length <= most) return points;
  const counts = new Uint32Array(65536);
  for (let k = 0; k < points.length; k++) counts[lotOf(points[k]) >>> 16]++;
  let last = 0; // the last bucket of lots that is needed, in part
  let whole = 0; // dots before it
  while (whole + counts[last] < most) whole += counts[last++];
  let left = most - whole;
  const found = new Uint32Array(most);
  let n = 0;
  for (let k = 0; k < points.length && n < most; k++) {
    const bucket = lotOf(points[k]) >>> 16;
    if (bucket < last || (bucket === last && left-- > 0)) found[n++] = points[k];
  }
  return found;
}

/** An even choice that begins with the dots that are selected. */
function chosenDots(points, most, row, bits) {
  if (!bits) return chosenEvenly(points, most);
  const chosen = chosenEvenly(points.filter((i) => hasBit(bits, row[i])), most);
  const others = chosenEvenly(points.filter((i) => !hasBit(bits, row[i])), most - chosen.length);
  const both = new Uint32Array(chosen.length + others.length);
  both.set(chosen);
  both.set(others, chosen.length);
  return both.sort();
}

/**
 * What is drawn of a region of a dense map.
 * @param {Frame} frame
 * @param {{text: string, dark: boolean}} theme
 * @param {Uint8Array|null} bits  of the rows that are selected
 * @param {Region} region
 * @returns {{points: Uint32Array, drawn: Uint32Array, images: object[], note: string}} dots in view, those that Plotly
 *     draws, the image below them, and what a line on the map says
 */
function denseView(frame, theme, bits, region) {
  const { n, dense } = frame.header;
  const points = pointsInView(frame, region);
  if (points.length <= dense.above) return { points, drawn: points, images: [], note: "" };
  const drawn = chosenDots(points, dense.drawn, frame.arrays.row, bits);
  const counted = (value) => value.toLocaleString("en-US");
  const of = points.length < n ? `${counted(points.length)} of ${counted(n)} points in view` : `${counted(n)} points`;
  const note = `${of}: density, ${counted(drawn.length)} drawn; zoom in for every point`;
  return { points, drawn, images: [densityImage(frame, theme, bits, points, region)], note };
}

/** What stands for all that a dense drawing depends on. */
function denseKey(frame, theme, text, { x, y, px, hidden }) {
  return JSON.stringify([frame.header.key, theme.text, text, x, y, px.map(Math.round), hidden]);
}

/** A trace that nobody sees, which keeps the axes as wide as all dots, drawn or not. */
function cornerTrace({ arrays }) {
  const [x, y] = [arrays.x, arrays.y].map((values) => {
    const [low, step] = cellsAlong(values, 1);
    return [low, low + step];
  });
  return { type: "scattergl", mode: "markers", x, y, marker: { opacity: 0, size: 1 }, hoverinfo: "skip", showlegend: false };
}

/** The parts of traces that change with the region, as `Plotly.update` takes them. */
function tracesUpdate(traces) {
  const each = (part) => traces.map(part);
  const update = { x: each(({ x }) => x), y: each(({ y }) => y), selectedpoints: each(({ selectedpoints }) => selectedpoints) };
  for (const name of ["color", "symbol", "opacity"]) {
    if (traces.some(({ marker }) => marker[name] !== undefined)) update[`marker.${name}`] = each(({ marker }) => marker[name]);
  }
  update["unselected.marker.opacity"] = each(({ unselected }) => unselected.marker.opacity);
  return update;
}
