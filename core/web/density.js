/** An image of how dense the dots of a region lie: their colours mixed in each bin, and stronger where more lie. */

const BIN_PX = 2; // a single dot can still be seen, and a bin holds enough to be mixed
const FAINT_BIN = 0.22; // opacity of a bin with one dot; of the fullest it is 1

/** Red, green and blue of "#rrggbb". */
function rgbOf(color) {
  const value = parseInt(color.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** The colour of a number on the scale of a frame. */
function scaleColor({ scale, min, max }, value) {
  const at = Math.max(0, Math.min(1, (value - min) / (max > min ? max - min : 1)));
  const next = Math.max(1, scale.findIndex(([stop]) => stop >= at));
  const [[from, low], [to, high]] = [scale[next - 1], scale[next]];
  const [a, b] = [rgbOf(low), rgbOf(high)];
  const part = (at - from) / (to - from);
  return a.map((channel, c) => channel + part * (b[c] - channel));
}

/**
 * The bin of each dot of a region.
 * @param {Region} region
 * @param {[number, number]} size  bins across and down, the first of them in the upper left corner
 */
function binsOf({ arrays: { x, y } }, points, region, [wide, tall]) {
  const [across, down] = [wide / (region.x[1] - region.x[0]), tall / (region.y[1] - region.y[0])];
  const bins = new Uint32Array(points.length);
  for (let k = 0; k < points.length; k++) {
    const column = Math.min(wide - 1, Math.max(0, Math.floor((x[points[k]] - region.x[0]) * across)));
    const line = Math.min(tall - 1, Math.max(0, Math.floor((region.y[1] - y[points[k]]) * down)));
    bins[k] = line * wide + column;
  }
  return bins;
}

/**
 * Mix the colours of some dots in their bins.
 * @param {(k: number) => boolean} taken  whether dot k of the region counts
 * @returns {{counts: Uint32Array, colors: Float32Array}} dots, and mean red, green and blue, of each bin
 */
function mixed(frame, points, bins, count, taken) {
  const { header, arrays } = frame;
  const [counts, colors] = [new Uint32Array(count), new Float32Array(3 * count)];
  const number = header.color.kind === "number";
  const missing = rgbOf(MISSING_COLOR);
  const palette = number ? [] : header.color.colors.map(rgbOf);
  const valued = number ? new Uint32Array(count) : null; // dots with a value: their mean is shown
  for (let k = 0; k < points.length; k++) {
    if (!taken(k)) continue;
    const bin = bins[k];
    counts[bin]++;
    if (number) {
      const value = arrays.value[points[k]];
      if (!Number.isFinite(value)) continue;
      colors[3 * bin] += value;
      valued[bin]++;
    } else for (let c = 0; c < 3; c++) colors[3 * bin + c] += palette[arrays.group[points[k]]][c];
  }
  for (let bin = 0; bin < count; bin++) {
    if (!counts[bin]) continue;
    if (number) colors.set(valued[bin] ? scaleColor(header.color, colors[3 * bin] / valued[bin]) : missing, 3 * bin);
    else for (let c = 0; c < 3; c++) colors[3 * bin + c] /= counts[bin];
  }
  return { counts, colors };
}

/** Opacity by the logarithm of a count: from that of one dot to that of the most. */
function binOpacity(count, most) {
  return FAINT_BIN + (1 - FAINT_BIN) * (most > 1 ? Math.log(count) / Math.log(most) : 1);
}

/**
 * The pixels of the image, RGBA. Of a selection, the selected dots keep their colours and the others are gray below them.
 * @returns {Uint8ClampedArray} (4 · bins)
 */
function densityPixels(frame, theme, bits, points, region, size) {
  const count = size[0] * size[1];
  const bins = binsOf(frame, points, region, size);
  const { row } = frame.arrays;
  const front = mixed(frame, points, bins, count, bits ? (k) => hasBit(bits, row[points[k]]) : () => true);
  const behind = bits ? mixed(frame, points, bins, count, (k) => !hasBit(bits, row[points[k]])) : null;
  const mostOf = (counts) => counts.reduce((most, value) => Math.max(most, value), 1);
  const most = Math.max(mostOf(front.counts), behind ? mostOf(behind.counts) : 1);
  const gray = rgbOf(theme.dark ? "#5a5a5a" : "#b9b9b9");
  const pixels = new Uint8ClampedArray(4 * count);
  for (let bin = 0; bin < count; bin++) {
    if (front.counts[bin]) {
      for (let c = 0; c < 3; c++) pixels[4 * bin + c] = front.colors[3 * bin + c];
      const opacity = binOpacity(front.counts[bin], most);
      pixels[4 * bin + 3] = 255 * (bits ? Math.max(0.7, opacity) : opacity);
    } else if (behind?.counts[bin]) {
      pixels.set(gray, 4 * bin);
      pixels[4 * bin + 3] = 255 * 0.85 * binOpacity(behind.counts[bin], most);
    }
  }
  return pixels;
}

/** The image as Plotly lays it below the dots of a map, where zoom and pan move it with them. */
function densityImage(frame, theme, bits, points, region) {
  const size = region.px.map((px) => Math.max(1, Math.round(px / BIN_PX)));
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: size[0], height: size[1] });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.putImageData(new ImageData(densityPixels(frame, theme, bits, points, region, size), ...size), 0, 0);
  return {
    source: canvas.toDataURL("image/png"),
    xref: "x",
    yref: "y",
    x: region.x[0],
    y: region.y[1],
    sizex: region.x[1] - region.x[0],
    sizey: region.y[1] - region.y[0],
    sizing: "stretch",
    layer: "above", // of the lines of the axes; the dots, on a canvas of their own, are above it
  };
}
