/** A map in an element: draws frames, keeps zoom and camera, follows the element's size. */

const PRELOADED = 6; // sheets
const AROUND = 6; // dots around the pointer whose sheets are fetched before they are pointed at
const AROUND_PX = 40;
const NOTHING = { bits: null, mark: null, text: "" };

/** Wait until the browser has painted, so that a dragged slider skips to its newest frame. */
function painted() {
  return new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done));
    setTimeout(done, 500); // a hidden tab paints nothing
  });
}

/**
 * @param {HTMLElement} root  emptied and filled with the map
 * @param {{plotly: () => Promise<object>, sheet?: (page: number) => string, sheets?: object,
 *          select: ((selection: object) => void)|null}} options  `sheets` of `sheetLoader`, or else `sheet`, an address
 * @returns {{draw(frame: Frame, selected?: {bits: Uint8Array|null, text: string}): void, options: object, destroy(): void}}
 */
function mountMap(root, options) {
  const plot = document.createElement("div");
  const ring = document.createElement("div");
  const message = document.createElement("div");
  plot.className = "ee-plot";
  plot.tabIndex = 0;
  plot.setAttribute("aria-label", "Map of the images");
  ring.className = "ee-ring";
  ring.hidden = true;
  message.className = "ee-message";
  message.textContent = "Drawing the map …";
  const note = document.createElement("div");
  note.className = "ee-density";
  note.hidden = true;
  root.classList.add("ee-map");
  const sheets = options.sheets ?? sheetLoader((page) => options.sheet(page));
  const card = hoverCard(sheets);
  const layer = pictureLayer(plot, sheets);
  const finder = dotFinder(plot, () => shown);
  const lasso = flatLasso(plot);
  const lasso3d = screenLasso(plot, (pick) => select({ ...pick, hidden: hiddenGroups(plot, shown) }));
  root.replaceChildren(plot, layer.element, lasso.element, lasso3d.element, ring, note, message);

  let Plotly = null;
  let detach = null;
  let observer = null;
  let next = null; // newest frame that is not drawn yet
  let shown = null; // frame on screen
  let selected = NOTHING; // what the newest frame asks for
  let marked = null; // selection on screen; null when the plot shows one of its own
  let members = [];
  let drawnAs = null; // theme and selection that the plot shows
  let denseShown = ""; // what the drawing of a dense map was made for; empty for other maps
  let text = ""; // colour of the page's text when last drawn
  let chain = Promise.resolve();
  let gone = false;
  let zoomTimer = 0;
  let viewTimer = 0;

  const index = (point) => members[point.curveNumber]?.[point.pointNumber] ?? -1;
  /** The picture under the pointer, else the dot nearest to it. */
  const find = (place) => {
    const pictured = layer.at(place);
    return pictured >= 0 ? pictured : (finder.around(place)[0] ?? -1);
  };

  async function drawNewest() {
    if (gone || !next) return;
    const frame = next;
    next = null;
    const theme = themeOf(root);
    const wanted = selected;
    if (frame.header.key === shown?.header.key && theme.text === text && wanted.text === marked) return;
    Plotly ??= await options.plotly();
    text = theme.text;
    card.element.dataset.theme = theme.dark ? "dark" : "light";
    const same = shown?.header.view_key === frame.header.view_key && shown?.header.dim === frame.header.dim;
    const camera = same ? plot.layout?.scene?.camera : undefined;
    const region = frame.header.dim === 2 ? regionFor(frame, same) : null;
    const built = buildFor(frame, theme, wanted, region);
    card.hide();
    ring.hidden = true;
    layer.clear();
    lasso.clear();
    if (shown && shown.header.dim !== frame.header.dim) release();
    const traces = [...built.traces, ...symbolLegend(frame, theme), ...markTrace(frame, wanted.mark, theme), ...(isDense(frame) ? [cornerTrace(frame)] : [])];
    const layout = withView({ ...buildLayout(frame, theme, camera, wanted.text), images: built.images }, shown ? null : options.view, frame);
    await Plotly.react(plot, traces, layout, plotConfig(lasso3d.toggle, frame.header.dim));
    shown = frame;
    marked = wanted.text;
    drawnAs = { theme, wanted };
    members = built.members;
    if (!isDense(frame)) tellDense("", "");
    message.hidden = true;
    finder.prepare();
    attach();
    await followZoom();
    await painted();
    root.dataset.drawn = frame.header.key;
    root.dataset.selected = wanted.bits ? countBits(wanted.bits) : "";
  }

  /** The region of a flat map that will be in view once a frame is drawn, with as little left to be drawn anew as can be known. */
  function regionFor(frame, same) {
    if (!same || !shown) return firstRegion(plot, frame, shown ? null : options.view);
    const region = shownRegion(plot, shown);
    return sameLegend(frame, shown) ? region : { ...region, hidden: [] };
  }

  /** Traces of a frame, and of a dense map those of a region and an image, as faint as what is in view asks for. */
  function buildFor(frame, theme, { bits, text }, region) {
    const view = isDense(frame) ? denseView(frame, theme, bits, region) : { drawn: null, images: [] };
    const built = buildTraces(frame, theme, bits, view.drawn);
    if (region) withOpacity(built.traces, wantedOpacity(frame, (view.drawn ?? pointsInView(frame, region)).length));
    if (view.drawn) tellDense(denseKey(frame, theme, text, region), view.note);
    return { ...built, ...view };
  }

  function tellDense(key, text) {
    denseShown = key;
    note.textContent = text;
    note.hidden = !text;
    root.dataset.density = text ? "image" : "";
  }

  function wantedOpacity({ header }, count) {
    return header.crowd === false ? header.opacity : crowdOpacity(header.opacity, count);
  }

  /** Fit opacity and pictures, and of a dense map the image and the dots, to what is in view. */
  async function followZoom() {
    if (!shown || shown.header.dim !== 2) return layer.clear();
    const region = shownRegion(plot, shown);
    const points = isDense(shown) ? await followDense(region) : await followCrowd(pointsInView(shown, region));
    if (shown.header.pictures === false) layer.clear();
    else layer.draw(shown, points, selected.bits);
  }

  /** @returns {Uint32Array} the points in view */
  async function followCrowd(points) {
    const wanted = wantedOpacity(shown, points.length);
    if (Math.abs((plot.data[0]?.marker.opacity ?? wanted) - wanted) > 0.1 * wanted) {
      const traces = members.map((_, k) => k);
      await Plotly.restyle(plot, { "marker.opacity": wanted, "unselected.marker.opacity": Math.min(0.12, wanted / 3) }, traces);
    }
    root.dataset.opacity = wanted.toFixed(3);
    return points;
  }

  /** @returns {Uint32Array} the points in view */
  async function followDense(region) {
    const { theme, wanted } = drawnAs;
    if (denseKey(shown, theme, wanted.text, region) === denseShown) return pointsInView(shown, region);
    const built = buildFor(shown, theme, wanted, region);
    members = built.members;
    await Plotly.update(plot, tracesUpdate(built.traces), { images: built.images }, members.map((_, k) => k));
    root.dataset.opacity = wantedOpacity(shown, built.drawn.length).toFixed(3);
    return built.points;
  }

  /** After the last of several moves. */
  function zoomed(change) {
    layer.clear();
    clearTimeout(zoomTimer);
    zoomTimer = setTimeout(() => enqueueWork(followZoom), 150);
    clearTimeout(viewTimer);
    if (!Object.keys(change ?? {}).some((name) => /range|camera/.test(name))) return;
    viewTimer = setTimeout(() => shown && options.moved?.(viewOf(plot, shown)), 700);
  }

  /** Fetch the pictures once the pointer is near them, not with the first view of the page. */
  function preload() {
    if (shown && themeOf(root).text !== text) enqueue(shown); // the page has changed from light to dark
    const image = shown?.header.image;
    if (image) sheets.expect(Array.from({ length: Math.min(image.pages, PRELOADED) }, (_, page) => page));
  }

  /** Fetch the pictures of the dots around the pointer, so that the next card has them at once. */
  function expectAround(place) {
    const image = shown.header.image;
    if (image) sheets.expect(finder.around(place, AROUND, AROUND_PX).map((i) => Math.floor(shown.arrays.row[i] / image.page)));
  }

  /** Listen to the plot, once it is one. */
  function attach() {
    if (detach) return;
    const frame = () => shown;
    const radius = () => options.radius ?? 0;
    detach = attachPicking(plot, { frame, index, find, card, ring, lasso, select, radius, pointed: expectAround });
    observer = new ResizeObserver(() => {
      const full = plot._fullLayout;
      if (!full || !plot.offsetWidth) return;
      if (Math.abs(plot.offsetWidth - full.width) > 1 || Math.abs(plot.offsetHeight - full.height) > 1) {
        Plotly.Plots.resize(plot);
      }
    });
    observer.observe(plot);
    plot.on("plotly_relayout", zoomed);
    plot.on("plotly_relayouting", () => (layer.clear(), lasso.clear()));
    plot.on("plotly_restyle", (change) => "visible" in (change?.[0] ?? {}) && zoomed());
    plot.addEventListener("pointerenter", preload);
    window.addEventListener("ee-hover", follow);
  }

  /** Put the ring around the image that is pointed at on another map of the page. */
  function follow({ detail }) {
    if (detail.plot === plot || !shown || shown.header.dim !== 2) return;
    const i = detail.row < 0 ? -1 : shown.arrays.row.indexOf(detail.row);
    ring.hidden = i < 0;
    root.dataset.followed = i < 0 ? "" : detail.row;
    if (i >= 0) moveRing(ring, plot, shown, i);
  }

  /** Tell the page what was picked; the line drawn around it stays until the page answers. */
  function select(pick) {
    if (!options.select) lasso.clear();
    if (pick.kind === "clear" && !selected.bits) return;
    marked = null;
    options.select?.({ mode: options.mode ?? "replace", ...pick });
  }

  function enqueueWork(work) {
    chain = chain.then(() => (gone ? null : work())).catch(fail);
  }

  function enqueue(frame) {
    next = frame;
    enqueueWork(drawNewest);
  }

  function fail(error) {
    console.error(error);
    message.hidden = false;
    message.textContent = `The map could not be drawn: ${error.message}`;
  }

  function release() {
    detach?.();
    observer?.disconnect();
    plot.removeEventListener("pointerenter", preload);
    window.removeEventListener("ee-hover", follow);
    detach = observer = null;
    Plotly?.purge(plot);
  }

  root.eeMap = { gd: plot, pointOf: (row) => pointOf(members, shown, row), frame: () => shown };
  return {
    options,
    fail,
    draw(frame, marks = NOTHING) {
      selected = marks;
      if (frame.header.dim !== 3) lasso3d.stop();
      enqueue(frame);
    },
    destroy() {
      gone = true;
      release();
      sheets.clear();
      card.remove();
      root.replaceChildren();
    },
  };
}

/** Whether the legends of two frames are of the same groups, so that those switched off stay so. */
function sameLegend(one, other) {
  const [a, b] = [one, other].map(({ header: { color } }) => `${color.title} ${(color.names ?? []).length}`);
  return a === b;
}

/** Trace and point number of a row of the data set, or null when it is not drawn. */
function pointOf(members, frame, row) {
  const i = frame ? frame.arrays.row.indexOf(row) : -1;
  for (let curve = 0; i >= 0 && curve < members.length; curve++) {
    const point = members[curve].indexOf(i);
    if (point >= 0) return { curve, point };
  }
  return null;
}
