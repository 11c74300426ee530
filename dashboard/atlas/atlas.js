/**
 * The map of an atlas: what is there moves at once with mouse and keys; once it rests, the server is asked for the new view.
 */

const LOOK_MS = 90; // on a point, before its pictures are asked for
const NEAR_PX = 12;
const MOST_LOOKED = 48; // pictures asked for at once
const MOST_CELLS = 4000; // pictures kept
const ZOOM_STEP = 1.6;
const atlases = new WeakMap();

function mountAtlas(root) {
  const parts = atlasParts(root);
  const { canvas, stage } = parts;
  let given = null; // what the page gave last: {data, send}
  let number = 0; // of the last question
  let boxes = []; // pictures drawn in place of points: [x, y, half a side, number]
  let [frame, looking, cardAt, shown] = [0, 0, null, null];
  const cells = new Map(); // pictures that were looked at, by row of the table
  let waiting = []; // what to call when they cannot be had
  const scene = {
    w: 0, h: 0, view: null,
    picture: null, // {bitmap, edges}
    points: null, // {at, x, y, id, color, fields}
    small: new Map(), // originals of points, by their number
    hovered: -1, mark: null,
    px: (x) => (x - scene.view.x) / scene.view.unit + scene.w / 2,
    py: (y) => scene.h / 2 - (y - scene.view.y) / scene.view.unit,
  };
  /** The pictures of a point that are here: with the reconstruction if it is, else the original alone. */
  const cellOf = (i) => cells.get(scene.points?.at[i]) ?? scene.small.get(i);
  const card = hoverCard({
    now: (i) => cellOf(i)?.canvas ?? null,
    load: () => new Promise((done, failed) => waiting.push(failed)), // once they are here the card is shown anew
  });
  const questions = asking(({ look, rested }) => {
    const { view, w, h } = scene;
    if (!view || !w) return 0;
    root.dataset.asked = number += 1;
    const size = { width: Math.round(w), height: Math.round(h) };
    given.send({ number, view: edgesOf(view, w, h), ...size, dark: themeOf(root).dark, look, rested });
    return number;
  });

  function draw() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => (boxes = paintAtlas(canvas, scene, themeOf(root))));
  }

  // ---- movements ------------------------------------------------------------------------------------------------

  function go(view, follow = true) {
    scene.view = view;
    point(-1);
    draw();
    questions.view({ follow });
  }

  function zoom(factor, [x, y] = [scene.w / 2, scene.h / 2]) {
    if (!scene.view) return;
    const whole = viewHolding(given.data.bounds, scene.w, scene.h).unit;
    const unit = Math.min(4 * whole, Math.max(1e-6 * whole, scene.view.unit / factor));
    const [dx, dy] = [x - scene.w / 2, y - scene.h / 2];
    const change = scene.view.unit - unit; // what is under the pointer stays there
    go({ x: scene.view.x + dx * change, y: scene.view.y - dy * change, unit });
  }

  function pan(dx, dy) {
    if (!scene.view) return;
    const [x0, x1, y0, y1] = given.data.bounds;
    const within = (value, low, high) => Math.min(high, Math.max(low, value));
    const { x, y, unit } = scene.view;
    go({ x: within(x - dx * unit, x0, x1), y: within(y + dy * unit, y0, y1), unit });
  }

  const everything = () => viewHolding(given.data.bounds, scene.w, scene.h, 1.03);
  const all = () => scene.view && go(everything());

  // ---- points ---------------------------------------------------------------------------------------------------

  /** The number of the point at a place of the canvas: of a picture that lies there, else of the nearest within reach; -1. */
  function at([x, y]) {
    const { points, px, py } = scene;
    if (!points) return -1;
    const box = boxes.findLast(([bx, by, half]) => Math.abs(x - bx) <= half && Math.abs(y - by) <= half);
    if (box) return box[3];
    let [found, least] = [-1, NEAR_PX ** 2];
    for (let i = 0; i < points.at.length; i++) {
      const away = (px(points.x[i]) - x) ** 2 + (py(points.y[i]) - y) ** 2;
      if (away <= least) [found, least] = [i, away];
    }
    return found;
  }

  /** Show the card of a point beside the pointer; -1 hides it. */
  function point(i, pointer = null) {
    cardAt = pointer;
    if (i === scene.hovered) return i < 0 ? undefined : card.follow(pointer);
    scene.hovered = i;
    draw();
    if (i < 0) return card.hide();
    card.element.dataset.theme = themeOf(root).dark ? "dark" : "light";
    showCard(i);
    clearTimeout(looking);
    if (given.data.pictures && !cells.has(scene.points.at[i])) looking = setTimeout(() => look(i), LOOK_MS);
  }

  function showCard(i) {
    const { points } = scene;
    const { w, h, reconstructions } = cellOf(i)?.layout ?? { w: 28, h: 28, reconstructions: false };
    const image = given.data.pictures ? { w, h, page: 1, cols: 1, reconstructions } : null;
    card.show({ row: i, id: points.id[i], fields: points.fields.map(([name, values]) => [name, values[i]]) }, image, cardAt);
    card.element.dataset.at = points.at[i];
    card.element.dataset.whole = cells.has(points.at[i]);
  }

  /** Ask for the pictures of a point and of those around it. */
  function look(i) {
    const { points, hovered } = scene;
    if (hovered !== i) return;
    const away = (j) => (points.x[j] - points.x[i]) ** 2 + (points.y[j] - points.y[i]) ** 2;
    const missing = points.at.map((_, j) => j).filter((j) => !cells.has(points.at[j]));
    const nearest = missing.sort((a, b) => away(a) - away(b)).slice(0, MOST_LOOKED);
    questions.look(nearest.map((j) => points.at[j]));
  }

  /** Show the card of the next point, from the left to the right, for who has no mouse. */
  function walk(step) {
    const { points, hovered, px, py } = scene;
    if (!points?.at.length) return;
    const order = points.at.map((_, i) => i).sort((a, b) => points.x[a] - points.x[b]);
    const from = hovered < 0 ? (step > 0 ? -1 : 0) : order.indexOf(hovered);
    const next = order.at((from + step) % order.length);
    const box = canvas.getBoundingClientRect();
    point(next, { x: box.left + px(points.x[next]), y: box.top + py(points.y[next]) });
  }

  // ---- answers --------------------------------------------------------------------------------------------------

  /** Take over the picture or the points of a view once they are here; what was drawn before stays until then. */
  async function take({ number: of, edges, picture, points, sheet, sheets }) {
    const name = `${picture ?? points} ${edges}`;
    if (shown === name) return;
    shown = name;
    const [first, ...more] = await Promise.all([
      picture ? bitmapOf(picture) : fetched(points).then((response) => response.json()), ...(sheets ?? []).map(bitmapOf),
    ]);
    if (shown !== name) return; // the newest answer is another one
    const small = sheet ? new Map(first.at.map((_, i) => [i, cutCell(more, sheet, i)])) : new Map();
    scene.picture?.bitmap.close();
    point(-1);
    Object.assign(scene, picture ? { picture: { bitmap: first, edges }, points: null } : { picture: null, points: first }, { small });
    Object.assign(root.dataset, { drawn: of, kind: picture ? "picture" : "points", points: scene.points?.at.length ?? 0 });
    draw();
  }

  /** Take over pictures that were looked at. */
  async function takeLook({ at: rows, sheet, sheets, problem }) {
    const now = waiting;
    waiting = [];
    if (problem) return now.forEach((failed) => failed(new Error(problem)));
    const bitmaps = await Promise.all(sheets.map(bitmapOf));
    rows.forEach((row, i) => cells.set(row, cutCell(bitmaps, sheet, i)));
    for (const row of [...cells.keys()].slice(0, Math.max(0, cells.size - MOST_CELLS))) cells.delete(row);
    if (scene.hovered >= 0 && cardAt && cells.has(scene.points.at[scene.hovered])) showCard(scene.hovered);
  }

  function say(problem) {
    parts.message.textContent = problem ?? "";
    parts.message.hidden = !problem;
  }

  function fail(error) {
    shown = null; // it may be asked for once more
    say(`This could not be drawn: ${error.message}`);
  }

  function start() {
    scene.view = given.data.view ? viewHolding(given.data.view, scene.w, scene.h) : everything();
    questions.view({ now: true });
    draw();
  }

  /** Show what the page gives now. */
  function call(data, send) {
    const other = given && given.data.key !== data.key;
    const turned = given && !other && given.data.turn !== data.turn;
    given = { data, send };
    number = Math.max(number, data.asked);
    scene.mark = data.mark;
    canvas.ariaLabel = data.label;
    root.dataset.theme = themeOf(root).dark ? "dark" : "light";
    parts.status.textContent = data.status;
    drawLegend(parts.legend, data.legend);
    say(data.problem);
    if (other) {
      point(-1);
      Object.assign(scene, { view: null, picture: null, points: null, small: new Map() });
      cells.clear();
      questions.forget();
      shown = null;
    }
    if (!scene.view && scene.w) start();
    if (turned) {
      go(viewHolding(data.view, scene.w, scene.h), false); // what was pressed in a panel stays there
      root.scrollIntoView({ block: "nearest" });
    }
    Promise.all([data.answer && take(data.answer), data.look && takeLook(data.look)])
      .catch(fail)
      .finally(() => {
        root.dataset.answered = data.asked;
        questions.answered(data.asked);
      });
    draw();
  }

  const resized = new ResizeObserver(() => {
    [scene.w, scene.h] = [stage.clientWidth, stage.clientHeight];
    if (!scene.w || !scene.h || !given) return;
    if (scene.view) go(scene.view);
    else start();
  });
  resized.observe(stage);
  listenForMoves(parts, { zoom, pan, all, point, at, walk, size: () => [scene.w, scene.h] });
  root.eeAtlas = { scene, boxes: () => boxes, edges: () => edgesOf(scene.view, scene.w, scene.h) };
  return {
    call,
    destroy() {
      resized.disconnect();
      questions.stop();
      clearTimeout(looking);
      card.remove();
    },
  };
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".ee-atlas");
  let map = atlases.get(root);
  if (!map) atlases.set(root, (map = mountAtlas(root)));
  map.call(data, (value) => setTriggerValue("ask", value));
  // Streamlit also cleans up after a call that newer data overtook: only tear down once the element has left the page.
  return () =>
    setTimeout(() => {
      if (!root.isConnected) {
        atlases.get(root)?.destroy();
        atlases.delete(root);
      }
    }, 0);
}
