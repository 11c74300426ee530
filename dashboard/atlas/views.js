/** Views and the files that show them. A view is its middle, and map units a pixel; edges are [x0, x1, y0, y1]. */

function edgesOf({ x, y, unit }, w, h) {
  return [x - (w * unit) / 2, x + (w * unit) / 2, y - (h * unit) / 2, y + (h * unit) / 2];
}

/** The view of a canvas of w × h that holds these edges. */
function viewHolding([x0, x1, y0, y1], w, h, margin = 1) {
  return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, unit: Math.max((x1 - x0) / w, (y1 - y0) / h) * margin };
}

/** Fetch a file, which never changes under its address. */
async function fetched(url) {
  let response = await fetch(url, { cache: "force-cache" });
  if (!response.ok) response = await fetch(url, { cache: "reload" });
  if (!response.ok) throw new Error(`a part of the map could not be loaded (${response.status})`);
  return response;
}

const EXACTLY = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

/** Fetch and decode a picture. */
async function bitmapOf(url) {
  return createImageBitmap(await (await fetched(url)).blob(), EXACTLY);
}

/**
 * Cut a picture, beside its reconstruction if there is one, out of sheets as `core.sheets` lays them out.
 * @param {ImageBitmap[]} sheets
 * @param {{page: number, cols: number, w: number, h: number, reconstructions: boolean}} layout
 * @param {number} i  its place
 */
function cutCell(sheets, layout, i) {
  const step = layout.reconstructions ? 2 * layout.w : layout.w;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: step, height: layout.h });
  const cell = i % layout.page;
  const from = [(cell % layout.cols) * step, Math.floor(cell / layout.cols) * layout.h];
  const sheet = sheets[Math.floor(i / layout.page)];
  canvas.getContext("2d").drawImage(sheet, ...from, step, layout.h, 0, 0, step, layout.h);
  return { canvas, layout };
}
