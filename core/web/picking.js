/** What the pointer does on the map: hover, click, lasso and box, told to the card and to the page. */

const CLICK_PX = 5; // a pointer that moved further was a drag

/**
 * Attach the events of a plot.
 * @param {HTMLElement} plot  Plotly's element
 * @param {{frame: () => Frame, index: (point: object) => number, card: object, ring: HTMLElement,
 *          select: (pick: object) => void, radius: () => number}} on
 * @returns {() => void} detach
 */
function attachPicking(plot, on) {
  let hovered = -1;
  let pressed = null;

  const leave = () => {
    if (hovered >= 0) tellHover(plot, -1);
    hovered = -1;
    on.card.hide();
    on.ring.hidden = true;
  };
  const hover = (event) => {
    const point = event.points?.[0];
    const i = point ? on.index(point) : -1;
    if (i < 0) return;
    hovered = i;
    tellHover(plot, on.frame().arrays.row[i]);
    const { header } = on.frame();
    on.card.show(describePoint(on.frame(), i), header.image, pointerOf(event, point, plot));
    moveRing(on.ring, plot, point, header.dim);
  };
  const send = (pick) => on.select({ ...pick, ...modeOf(pressed) });
  const pick = (i) => {
    if (i < 0) return;
    const row = on.frame().arrays.row[i];
    const radius = on.radius();
    send(radius > 0 ? { kind: "radius", row, radius, hidden: hiddenGroups(plot, on.frame()) } : { kind: "point", row });
  };
  const click = (event) => on.frame().header.dim === 2 && event.points?.[0] && pick(on.index(event.points[0]));
  const selected = (event) => {
    if (!event) return;
    const hidden = hiddenGroups(plot, on.frame());
    if (event.lassoPoints) send({ kind: "lasso", x: [...event.lassoPoints.x], y: [...event.lassoPoints.y], hidden });
    else if (event.range) send({ kind: "box", x: [...event.range.x], y: [...event.range.y], hidden });
  };
  const deselect = () => on.select({ kind: "clear" });
  // gl3d emits clicks while any button is down and misses fast ones: take the pointer and the hovered point instead.
  const down = (event) => (pressed = { x: event.clientX, y: event.clientY, i: hovered, ...heldKeys(event) });
  const up = (event) => {
    const still = pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < CLICK_PX;
    if (still && on.frame().header.dim === 3) pick(pressed.i);
  };
  const key = (event) => event.key === "Escape" && (leave(), deselect());

  const events = { plotly_hover: hover, plotly_unhover: leave, plotly_click: click, plotly_selected: selected,
    plotly_deselect: deselect, plotly_relayouting: leave };
  for (const [name, listener] of Object.entries(events)) plot.on(name, listener);
  plot.addEventListener("pointerdown", down, true);
  plot.addEventListener("pointerup", up, true);
  plot.addEventListener("pointerleave", leave);
  plot.addEventListener("keydown", key);
  return () => {
    for (const [name, listener] of Object.entries(events)) plot.removeListener?.(name, listener);
    plot.removeEventListener("pointerdown", down, true);
    plot.removeEventListener("pointerup", up, true);
    plot.removeEventListener("pointerleave", leave);
    plot.removeEventListener("keydown", key);
  };
}

/** Tell the other maps of the page which image is pointed at, -1 for none. */
function tellHover(plot, row) {
  window.dispatchEvent(new CustomEvent("ee-hover", { detail: { row, plot } }));
}

/** The keys that change what a pick does: shift adds to the selection, alt takes away from it. */
function heldKeys(event) {
  return { add: event.shiftKey, remove: event.altKey };
}

function modeOf(keys) {
  if (keys?.add) return { mode: "add" };
  return keys?.remove ? { mode: "remove" } : {};
}

/** Where the pointer is, in client px; a 3-D hover has no event of its own but the point's box. */
function pointerOf(event, point, plot) {
  const mouse = event.event;
  if (mouse?.clientX !== undefined) return { x: mouse.clientX, y: mouse.clientY };
  const box = plot.getBoundingClientRect();
  return { x: box.left + (point.bbox?.x1 ?? 0), y: box.top + (point.bbox?.y0 ?? 0) };
}

/** Put a ring around the hovered point of a 2-D map. */
function moveRing(ring, plot, point, dim) {
  ring.hidden = dim === 3;
  if (dim === 3) return;
  const { xaxis, yaxis } = plot._fullLayout;
  ring.style.left = `${xaxis._offset + xaxis.l2p(point.x)}px`;
  ring.style.top = `${yaxis._offset + yaxis.l2p(point.y)}px`;
}

/** Groups that are switched off in the legend. */
function hiddenGroups(plot, frame) {
  if (frame.header.color.kind !== "category") return [];
  return plot._fullData
    .map((trace, k) => (trace.visible === true ? -1 : k))
    .filter((k) => k >= 0 && k < frame.header.color.names.length);
}
