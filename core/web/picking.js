/** What the pointer does on the map: hover, click, lasso and box, told to the card and to the page. */

const CLICK_PX = 5; // a pointer that moved further was a drag
const BESIDE = ".modebar, .legend"; // what lies over the map
const TWICE_MS = 300; // within which a second click makes a double click, as Plotly counts

/**
 * Attach the events of a plot. In 2-D `on.find` finds the dots, as Plotly's hover waits 50 ms between looks; in 3-D Plotly does.
 * @param {HTMLElement} plot  Plotly's element
 * @param {{frame: () => Frame, index: (point: object) => number, find: (place: object) => number, card: object,
 *          ring: HTMLElement, lasso: object, select: (pick: object) => void, radius: () => number,
 *          pointed: (place: object) => void}} on
 * @returns {() => void} detach
 */
function attachPicking(plot, on) {
  let hovered = -1;
  let described = null; // frame that the card tells of
  let place = null; // of the pointer while it is over a 2-D map
  let pressed = null;
  let clicked = null;

  const leave = () => {
    if (hovered >= 0) tellHover(plot, -1);
    hovered = -1;
    on.card.hide();
    on.ring.hidden = true;
  };
  const show = (i, at) => {
    const frame = on.frame();
    if (i === hovered && frame === described && !on.card.element.hidden) return on.card.follow(at);
    [hovered, described] = [i, frame];
    tellHover(plot, frame.arrays.row[i]);
    on.card.show(describePoint(frame, i), frame.header.image, at);
    moveRing(on.ring, plot, frame, i);
  };
  const flat = () => on.frame().header.dim === 2;
  const look = () => {
    const i = place ? on.find(place) : -1;
    if (i < 0) leave();
    else show(i, { x: place.clientX, y: place.clientY });
  };
  const moved = (event) => {
    if (!flat()) return;
    const free = !event.buttons && !event.target.closest?.(BESIDE);
    place = free ? { clientX: event.clientX, clientY: event.clientY } : null;
    look();
    if (place) on.pointed(place);
  };
  const left = () => ((place = null), leave());
  const hover = (event) => {
    const point = event.points?.[0];
    const i = point ? on.index(point) : -1;
    if (i >= 0) show(i, pointerOf(event, point, plot));
  };
  const relaid = (change) => Object.keys(change ?? {}).some((name) => name.includes("axis")) && place && look();

  const send = (pick) => on.select({ ...pick, ...modeOf(pressed) });
  const pick = (i) => {
    if (i < 0) return;
    const row = on.frame().arrays.row[i];
    const radius = on.radius();
    send(radius > 0 ? { kind: "radius", row, radius, hidden: hiddenGroups(plot, on.frame()) } : { kind: "point", row });
  };
  // gl3d emits clicks while any button is down and misses fast ones, and 2-D maps have no hover of Plotly's: take the pointer
  // and the dot under it instead. Plotly may lay a sheet over the page while a button is down, so the window is listened to.
  const down = (event) => {
    const aside = event.button !== 0 || event.target.closest?.(BESIDE);
    pressed = { x: event.clientX, y: event.clientY, i: aside ? -1 : flat() ? on.find(event) : hovered, far: false, ...heldKeys(event) };
    on.lasso.clear(true);
    if (!aside && flat() && event.target.closest?.(".nsewdrag")) pressed.drawing = on.lasso.start(event);
    for (const [name, listener] of Object.entries(dragging)) window.addEventListener(name, listener, true);
  };
  const drag = (event) => {
    if (!pressed.far && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < CLICK_PX) return;
    pressed.far = true;
    if (!pressed.drawing) return;
    const moves = event.getCoalescedEvents?.() ?? []; // a busy page hears of several moves at once
    for (const each of moves.length ? moves : [event]) on.lasso.move(each);
  };
  const released = () => {
    for (const [name, listener] of Object.entries(dragging)) window.removeEventListener(name, listener, true);
  };
  const up = (event) => {
    drag(event);
    released();
    if (!pressed.far) return click(event);
    const drawn = pressed.drawing && on.lasso.finish();
    if (drawn) send({ ...drawn, hidden: hiddenGroups(plot, on.frame()) });
  };
  const cancel = () => (released(), on.lasso.clear(true));
  const click = (event) => {
    on.lasso.clear(true);
    const second = flat() && clicked && event.timeStamp - clicked.at < TWICE_MS && clicked.i === pressed.i;
    clicked = { at: event.timeStamp, i: pressed.i };
    if (!second) pick(pressed.i);
    else if (pressed.drawing) on.select({ kind: "clear" }); // with other tools Plotly brings the whole map back
  };
  const dragging = { pointermove: drag, pointerup: up, pointercancel: cancel };
  const key = (event) => event.key === "Escape" && (leave(), cancel(), on.select({ kind: "clear" }));

  const events = { plotly_hover: hover, plotly_unhover: () => flat() || leave(), plotly_relayouting: leave, plotly_relayout: relaid };
  const listeners = { pointermove: moved, pointerenter: moved, pointerleave: left, keydown: key };
  for (const [name, listener] of Object.entries(events)) plot.on(name, listener);
  for (const [name, listener] of Object.entries(listeners)) plot.addEventListener(name, listener);
  plot.addEventListener("pointerdown", down, true);
  return () => {
    for (const [name, listener] of Object.entries(events)) plot.removeListener?.(name, listener);
    for (const [name, listener] of Object.entries(listeners)) plot.removeEventListener(name, listener);
    plot.removeEventListener("pointerdown", down, true);
    released();
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

/** Put a ring around a dot of a 2-D map. */
function moveRing(ring, plot, frame, i) {
  ring.hidden = frame.header.dim === 3;
  if (ring.hidden) return;
  const { xaxis, yaxis } = plot._fullLayout;
  ring.style.left = `${xaxis._offset + xaxis.l2p(frame.arrays.x[i])}px`;
  ring.style.top = `${yaxis._offset + yaxis.l2p(frame.arrays.y[i])}px`;
}

/** Groups that are switched off in the legend. */
function hiddenGroups(plot, frame) {
  if (frame.header.color.kind !== "category") return [];
  return plot._fullData
    .map((trace, k) => (trace.visible === true ? -1 : k))
    .filter((k) => k >= 0 && k < frame.header.color.names.length);
}
