/** What is drawn on the canvas: a picture where it lies in the view, or points, of few their pictures. */

const LARGEST = 32, SMALLEST = 12; // half a side of a point's picture, in px
const GAP = 3; // px between two pictures

/** Say whether a picture of half a side may lie at (x, y), and note that it does: none covers another. */
function places(half) {
  const taken = new Map(); // middles by the square of the canvas they lie in
  return (x, y) => {
    const [i, j] = [Math.floor(x / (2 * half)), Math.floor(y / (2 * half))];
    for (let u = i - 1; u <= i + 1; u++) {
      for (let v = j - 1; v <= j + 1; v++) {
        const near = taken.get(`${u} ${v}`) ?? [];
        if (near.some(([a, b]) => Math.abs(a - x) < 2 * half + GAP && Math.abs(b - y) < 2 * half + GAP)) return false;
      }
    }
    const key = `${i} ${j}`;
    taken.set(key, [...(taken.get(key) ?? []), [x, y]]);
    return true;
  };
}

function circle(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
}

function ring(context, theme, x, y, radius, width) {
  circle(context, x, y, radius);
  context.lineWidth = width + 2;
  context.strokeStyle = theme.dark ? "#000" : "#fff";
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = theme.text;
  context.stroke();
}

function paintPicture(context, scene) {
  const [x0, x1, y0, y1] = scene.picture.edges;
  const wide = (x1 - x0) / scene.view.unit;
  const same = Math.abs(wide - scene.w) < 1; // at rest: cells stay crisp
  context.imageSmoothingEnabled = !same;
  const at = [scene.px(x0), scene.py(y1)];
  context.drawImage(scene.picture.bitmap, ...(same ? at.map(Math.round) : at), wide, (y1 - y0) / scene.view.unit);
}

/** Draw points; returns where pictures lie: [x, y, half a side, number]. */
function paintPoints(context, scene, theme) {
  const { x, y, color, at } = scene.points;
  const { px, py, w, h, small } = scene;
  const inside = (i) => px(x[i]) > -40 && px(x[i]) < w + 40 && py(y[i]) > -40 && py(y[i]) < h + 40;
  const seen = at.map((_, i) => i).filter(inside);
  const half = Math.round(Math.max(SMALLEST, Math.min(LARGEST, 0.3 * Math.sqrt((w * h) / Math.max(1, seen.length)))));
  const free = places(half);
  const boxes = [];
  const size = at.length > 600 ? 3 : 4;
  for (const i of seen) {
    if (small.get(i) && free(px(x[i]), py(y[i]))) {
      boxes.push([px(x[i]), py(y[i]), half, i]);
      continue;
    }
    circle(context, px(x[i]), py(y[i]), size);
    context.fillStyle = color[i];
    context.fill();
    context.lineWidth = 1;
    context.strokeStyle = theme.dark ? "#14171c" : "#ffffff";
    context.stroke();
  }
  for (const [bx, by, side, i] of boxes) {
    const { canvas, layout } = small.get(i);
    context.fillStyle = color[i];
    context.fillRect(bx - side - 2, by - side - 2, 2 * side + 4, 2 * side + 4);
    context.imageSmoothingEnabled = 2 * side < layout.w;
    context.drawImage(canvas, 0, 0, layout.w, layout.h, bx - side, by - side, 2 * side, 2 * side);
  }
  return boxes;
}

/**
 * Paint all there is; returns where pictures of points lie.
 * @param {HTMLCanvasElement} canvas
 * @param {object} scene  what `mountAtlas` keeps
 */
function paintAtlas(canvas, scene, theme) {
  const { w, h, points, hovered, mark, px, py } = scene;
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const size = [Math.round(w * ratio), Math.round(h * ratio)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, w, h);
  if (!scene.view) return [];
  if (scene.picture) paintPicture(context, scene);
  const boxes = points ? paintPoints(context, scene, theme) : [];
  if (hovered >= 0 && points) {
    const box = boxes.find((each) => each[3] === hovered);
    ring(context, theme, px(points.x[hovered]), py(points.y[hovered]), box ? box[2] * 1.42 + 4 : 9, 2);
  }
  if (mark) ring(context, theme, px(mark[0]), py(mark[1]), boxes.length ? LARGEST * 1.42 + 10 : 16, 3);
  return boxes;
}
