/** What follows the zoom of a 2-D map: points are fainter where many are in view, and pictures take their place where few are. */

const CROWD = 4000; // points in view that are drawn as opaque as was asked for
const FAINTEST = 0.06;
const FEW = 600; // points in view below which pictures are drawn
const PICTURE_PX = 36;
const MOST_SHEETS = 48; // that are fetched for pictures

/** Opacity of points of which `count` are in view. */
function crowdOpacity(asked, count) {
  return count <= CROWD ? asked : Math.max(FAINTEST, asked * Math.pow(CROWD / count, 0.6));
}

/** Let traces be drawn with an opacity, and what is not selected fainter. */
function withOpacity(traces, opacity) {
  for (const { marker, unselected } of traces) {
    marker.opacity = opacity;
    unselected.marker.opacity = Math.min(0.12, opacity / 3);
  }
}

/** Frame indices of the points in a region whose group is not switched off. */
function pointsInView(frame, { x: [x0, x1], y: [y0, y1], hidden }) {
  const off = new Uint8Array(Math.max(1, ...hidden.map((group) => group + 1)));
  for (const group of hidden) off[group] = 1;
  const { x, y, group } = frame.arrays;
  const found = new Uint32Array(x.length);
  let n = 0;
  for (let i = 0; i < x.length; i++) {
    if (x[i] >= x0 && x[i] <= x1 && y[i] >= y0 && y[i] <= y1 && !(group && off[group[i]])) found[n++] = i;
  }
  return found.slice(0, n);
}

/**
 * Choose points whose pictures do not cover one another.
 * @param {Iterable<number>} points  frame indices, those that matter most first
 * @param {(i: number) => [number, number]} place  middle of a point's picture, in px
 * @param {number} w
 * @param {number} h
 * @returns {{i: number, x: number, y: number}[]}
 */
function withoutOverlap(points, place, w, h) {
  const cells = new Map();
  const found = [];
  for (const i of points) {
    const [x, y] = place(i);
    const [cx, cy] = [Math.floor(x / w), Math.floor(y / h)];
    let free = true;
    for (let dx = -1; dx <= 1 && free; dx++) {
      for (let dy = -1; dy <= 1 && free; dy++) {
        const other = cells.get(`${cx + dx} ${cy + dy}`);
        free = !other || Math.abs(other.x - x) >= w || Math.abs(other.y - y) >= h;
      }
    }
    if (!free) continue;
    const kept = { i, x, y };
    cells.set(`${cx} ${cy}`, kept);
    found.push(kept);
  }
  return found;
}

/**
 * A canvas over the plot with the pictures of the points in view, when there are few.
 * @param {HTMLElement} plot
 * @param {{load: (page: number) => Promise<ImageBitmap>, now: (page: number) => ImageBitmap|null}} sheets
 */
function pictureLayer(plot, sheets) {
  const canvas = document.createElement("canvas");
  canvas.className = "ee-layer";
  let turn = 0;
  let painted = []; // pictures that are seen: index, and px of the middle on the plot
  let size = [0, 0];
  const clear = () => {
    turn++;
    painted = [];
    canvas.hidden = true;
    canvas.dataset.rows = "";
  };
  const paint = (frame, kept, w, h) => {
    const { xaxis, yaxis, width, height } = plot._fullLayout;
    const ratio = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: width * ratio, height: height * ratio, hidden: false });
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.imageSmoothingEnabled = false;
    context.beginPath();
    context.rect(xaxis._offset, yaxis._offset, xaxis._length, yaxis._length);
    context.clip();
    const { image, color } = frame.header;
    const rows = [];
    size = [w, h];
    for (const { i, x, y } of kept) {
      const row = frame.arrays.row[i];
      const sheet = sheets.now(Math.floor(row / image.page));
      if (!sheet) continue;
      const cell = row % image.page;
      const step = image.reconstructions ? 2 * image.w : image.w;
      const from = [(cell % image.cols) * step, Math.floor(cell / image.cols) * image.h];
      context.drawImage(sheet, ...from, image.w, image.h, x - w / 2, y - h / 2, w, h);
      context.lineWidth = 2;
      context.strokeStyle = color.kind === "category" ? color.colors[frame.arrays.group[i]] : "#8888";
      context.strokeRect(x - w / 2 + 1, y - h / 2 + 1, w - 2, h - 2);
      rows.push(row);
      painted.push({ i, x, y });
    }
    canvas.dataset.rows = rows.join(" ");
  };
  return {
    element: canvas,
    clear,
    /** Frame index of the picture at a place in client px, -1 without one. */
    at(place) {
      const on = painted.length ? placeOnAxes(plot, place) : null;
      if (!on) return -1;
      const { xaxis, yaxis } = plot._fullLayout;
      const [px, py] = [on.x + xaxis._offset, on.y + yaxis._offset];
      return painted.find(({ x, y }) => Math.abs(x - px) <= size[0] / 2 && Math.abs(y - py) <= size[1] / 2)?.i ?? -1;
    },
    /** Draw the pictures of these points, selected ones first; none when they are too many. */
    async draw(frame, points, bits) {
      clear();
      const { image } = frame.header;
      if (!image || points.length === 0 || points.length > FEW) return;
      const mine = turn;
      const { xaxis, yaxis } = plot._fullLayout;
      const scale = PICTURE_PX / Math.max(image.w, image.h);
      const [w, h] = [image.w * scale + 4, image.h * scale + 4];
      const place = (i) => [xaxis._offset + xaxis.l2p(frame.arrays.x[i]), yaxis._offset + yaxis.l2p(frame.arrays.y[i])];
      const chosen = bits ? points.filter((i) => hasBit(bits, frame.arrays.row[i])) : [];
      const inside = new Set(chosen);
      const kept = withoutOverlap([...chosen, ...points.filter((i) => !inside.has(i))], place, w, h);
      const pages = [...new Set(kept.map(({ i }) => Math.floor(frame.arrays.row[i] / image.page)))].slice(0, MOST_SHEETS);
      await Promise.allSettled(pages.map((page) => sheets.load(page)));
      if (mine === turn) paint(frame, kept, w, h);
    },
  };
}
