/**
 * The map: draws frames with Plotly, shows a card at the hovered point, reports what is selected.
 */

/** Wait until the browser has painted, so that a slider that is dragged draws only its newest state. */
function painted() {
  return new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done));
    setTimeout(done, 1000); // a page in the background has no animation frames
  });
}

/** Call `work` when the browser has nothing else to do. */
function whenIdle(work) {
  if (window.requestIdleCallback) window.requestIdleCallback(work, { timeout: 3000 });
  else setTimeout(work, 500);
}

/** The elements of a map inside `root`: the graph, a message, and the ring around the hovered point. */
function mapElements(root, height) {
  const make = (className) => {
    const element = document.createElement("div");
    element.className = className;
    return element;
  };
  const [gd, message, ring] = ["ee-plot", "ee-message", "ee-ring"].map(make);
  gd.tabIndex = 0;
  gd.setAttribute("role", "group");
  message.textContent = "Loading the map …";
  ring.hidden = true;
  root.classList.add("ee-map");
  if (height) root.style.height = `${height}px`;
  root.replaceChildren(gd, message, ring);
  return { gd, message, ring };
}

/**
 * Show the hovered point: card beside the pointer, ring around the point.
 * @param {object} map  state of `mountMap`
 */
function hovering(map) {
  const { gd, ring, card } = map;
  let pointer = { x: 0, y: 0 };
  const hide = () => {
    map.hovered = -1;
    ring.hidden = true;
    card.hide();
  };
  const track = (e) => {
    pointer = { x: e.clientX, y: e.clientY };
  };
  const show = (event) => {
    const point = event.points?.[0];
    const i = point ? map.places[point.curveNumber]?.[point.pointNumber] : undefined;
    if (i === undefined) return;
    map.hovered = i;
    card.show(describePoint(map.frame, i), map.frame.header.image, pointer);
    const at = pointPosition(gd, point);
    ring.hidden = !at;
    if (at) Object.assign(ring.style, { left: `${at.x}px`, top: `${at.y}px` });
  };
  gd.addEventListener("pointermove", track, true);
  gd.addEventListener("pointerleave", hide);
  gd.addEventListener("wheel", hide, { passive: true, capture: true });
  gd.on("plotly_hover", show);
  gd.on("plotly_unhover", hide);
  map.hideCard = hide;
}

/** Report clicks, lasso and box to `options.select`; Escape clears. */
function selecting(map) {
  const { gd, options } = map;
  const send = (selection) => {
    map.selection = selection.kind;
    options.select(selection);
  };
  map.clearSelection = () => {
    if (map.selection !== "none") send({ kind: "none" });
  };
  const pick = (i) => send({ kind: "point", row: map.frame.arrays.row[i] });
  onPointClick(gd, () => (map.frame.header.dim === 3 ? map.hovered : -1), pick);
  gd.on("plotly_click", (event) => {
    const point = event.points?.[0];
    const i = point && map.places[point.curveNumber]?.[point.pointNumber];
    if (map.frame.header.dim === 2 && i !== undefined) pick(i);
  });
  gd.on("plotly_selected", (event) => {
    const { color } = map.frame.header;
    const selection = selectionOf(event, color.kind === "number" ? [] : hiddenGroups(gd, color.names.length));
    if (selection) send(selection);
  });
  gd.on("plotly_deselect", map.clearSelection);
  gd.addEventListener("keydown", async (e) => {
    if (e.key !== "Escape" || map.selection === "none") return;
    await map.plotly.update(gd, { selectedpoints: null }, { selections: [] });
    map.clearSelection();
  });
}

/** Keep the graph as large as its place, and in the colours of the page. */
function following(map) {
  const fit = () => {
    const { width, height } = map.gd._fullLayout ?? {};
    const [w, h] = [map.gd.offsetWidth, map.gd.offsetHeight];
    if (w && h && (Math.abs(w - width) > 2 || Math.abs(h - height) > 2)) map.plotly.Plots.resize(map.gd);
  };
  const observer = new ResizeObserver(() => requestAnimationFrame(fit));
  observer.observe(map.gd);
  const recolor = () => map.frame && themeKey(pageTheme(map.root)) !== map.themeKey && map.enqueue(map.frame);
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", recolor);
  map.root.addEventListener("pointerenter", recolor);
  return () => {
    observer.disconnect();
    scheme.removeEventListener("change", recolor);
    map.root.removeEventListener("pointerenter", recolor);
  };
}

/** @returns {string} a text that changes when the theme does */
const themeKey = (theme) => `${theme.ink} ${theme.paper}`;

/** Draw one frame, unless it is what is there already. */
async function drawFrame(map, frame) {
  const { header } = frame;
  const theme = pageTheme(map.root);
  if (header.key === map.key && themeKey(theme) === map.themeKey) return;
  const last = map.frame?.header;
  const sameView = last?.view_key === header.view_key && last?.dim === header.dim;
  const canSelect = Boolean(map.options.select);
  const kept = {
    canSelect,
    camera: sameView ? map.gd.layout?.scene?.camera : undefined,
    selections: (sameView && map.gd.layout?.selections) || [],
  };
  const { traces, places } = buildTraces(frame, theme.ink);
  map.hideCard?.();
  Object.assign(map, { frame, places, key: header.key, themeKey: themeKey(theme) });
  await map.plotly.react(map.gd, traces, buildLayout(header, theme, kept), plotConfig(canSelect));
  if (!map.hideCard) {
    hovering(map);
    if (canSelect) selecting(map);
    map.stopFollowing = following(map);
    if (header.image) whenIdle(() => map.card.preload(Math.floor(frame.arrays.row[0] / header.image.page)));
  } else if (!sameView && map.selection !== "point") map.clearSelection?.();
  map.gd.setAttribute("aria-label", `Map of ${header.n} images`);
  map.ring.style.color = theme.ink;
  map.message.hidden = true;
  await painted();
  map.root.dataset.drawn = header.key;
}

/**
 * Put a map into an element.
 *
 * @param {HTMLElement} root
 * @param {object} options
 * @param {() => Promise<object>} options.plotly  gives the Plotly library
 * @param {(page: number) => string} options.sheet  URL of sprite sheet `page`
 * @param {null|((selection: object) => void)} options.select  told of every selection; null: nothing can be selected
 * @param {number} [options.height]  px; without it the map fills `root`
 * @returns {{draw: (bytes: Uint8Array) => Promise<void>, destroy: () => void}}
 */
function mountMap(root, options) {
  const map = { root, options, ...mapElements(root, options.height), card: hoverCard(options.sheet) };
  Object.assign(map, { hovered: -1, selection: "none", frame: null, next: null, gone: false });
  let running = Promise.resolve();
  const work = async () => {
    map.plotly ??= await options.plotly();
    while (map.next && !map.gone) {
      const frame = map.next;
      map.next = null;
      await drawFrame(map, frame);
    }
  };
  map.enqueue = (frame) => {
    map.next = frame; // what waits and is not drawn yet is skipped
    running = running.then(work).catch((error) => {
      console.error(error);
      Object.assign(map.message, { hidden: false, textContent: `The map could not be drawn: ${error.message}` });
    });
    return running;
  };
  root.eeMap = { gd: map.gd };
  return {
    draw: (bytes) => map.enqueue(decodeFrame(bytes)),
    destroy() {
      map.gone = true;
      map.stopFollowing?.();
      map.card.remove();
      map.plotly?.purge(map.gd);
      root.replaceChildren();
      delete root.eeMap;
    },
  };
}
