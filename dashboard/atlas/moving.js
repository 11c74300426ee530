/** Mouse and keys on the map. */

/**
 * Listen to what moves the map.
 * @param {{canvas: HTMLElement, buttons: object}} parts
 * @param {{zoom: Function, pan: Function, all: Function, point: Function, at: Function, walk: Function, size: Function}} does
 */
function listenForMoves({ canvas, buttons }, does) {
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  let dragged = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    dragged = place(event);
    canvas.classList.add("ee-dragged");
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = place(event);
    if (!dragged) return does.point(does.at(at), { x: event.clientX, y: event.clientY });
    if (Math.hypot(at[0] - dragged[0], at[1] - dragged[1]) < 1) return;
    does.pan(at[0] - dragged[0], at[1] - dragged[1]);
    dragged = at;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      dragged = null;
      canvas.classList.remove("ee-dragged");
    });
  }
  for (const end of ["pointerleave", "blur"]) canvas.addEventListener(end, () => does.point(-1));
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 300 : 1;
      does.zoom(Math.exp(-Math.max(-300, Math.min(300, event.deltaY * lines)) * 0.0022), place(event));
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", (event) => does.zoom(3, place(event)));
  buttons.closer.addEventListener("click", () => does.zoom(ZOOM_STEP));
  buttons.away.addEventListener("click", () => does.zoom(1 / ZOOM_STEP));
  buttons.all.addEventListener("click", does.all);
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [w, h] = does.size().map((length) => length * (event.shiftKey ? 0.5 : 0.15));
    const keys = {
      ArrowLeft: () => does.pan(w, 0), ArrowRight: () => does.pan(-w, 0), ArrowUp: () => does.pan(0, h), ArrowDown: () => does.pan(0, -h),
      "+": () => does.zoom(ZOOM_STEP), "=": () => does.zoom(ZOOM_STEP), "-": () => does.zoom(1 / ZOOM_STEP), 0: does.all,
      Home: does.all, n: () => does.walk(1), p: () => does.walk(-1), Escape: () => does.point(-1),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}
