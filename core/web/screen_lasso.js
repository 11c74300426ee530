/** A line or a box drawn around points on the screen of a 3-D map, which Plotly has neither for. */

/**
 * A sheet over the map to draw on; the line is sent with the matrix that projects the map onto the screen.
 * @param {HTMLElement} plot
 * @param {(pick: object) => void} select
 */
function screenLasso(plot, select) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  element.setAttribute("class", "ee-screen-lasso");
  element.append(line);
  let drawn = null;
  let shape = null; // "lasso" or "box" while something can be drawn
  const show = (wanted) => {
    shape = wanted;
    element.classList.toggle("ee-on", wanted !== null);
    element.dataset.shape = wanted ?? "";
  };
  const at = (event) => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const write = () => line.setAttribute("points", (drawn ?? []).map((p) => p.join(",")).join(" "));
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    drawn = [at(event)];
  });
  element.addEventListener("pointermove", (event) => {
    if (!drawn) return;
    const [x, y] = at(event);
    const [lastX, lastY] = drawn.at(-1);
    if (shape === "box") drawn = corners(drawn[0], [x, y]);
    else if (Math.hypot(x - lastX, y - lastY) > 3) drawn.push([x, y]);
    write();
  });
  element.addEventListener("pointerup", (event) => {
    const points = drawn ?? [];
    const box = element.getBoundingClientRect(); // before it is hidden
    drawn = null;
    write();
    show(null);
    if (points.length < 3) return;
    const { matrix, area } = projectionOf(plot);
    select({
      kind: "screen",
      x: points.map(([x]) => (2 * (x + box.left - area.left)) / area.width - 1),
      y: points.map(([, y]) => 1 - (2 * (y + box.top - area.top)) / area.height),
      matrix,
      ...modeOf(heldKeys(event)),
    });
  });
  return { element, toggle: (wanted) => show(shape === wanted ? null : wanted), stop: () => show(null) };
}

/** The corners of a box between two opposite ones, the first one first. */
function corners([x0, y0], [x1, y1]) {
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
}

/** The 4×4 matrix, column by column, from map coordinates to the screen's -1..1, and the screen's place. */
function projectionOf(plot) {
  const scene = plot._fullLayout.scene._scene;
  const { projection, view, model } = scene.glplot.cameraParams;
  const [sx, sy, sz] = scene.dataScale;
  const scale = [sx, 0, 0, 0, 0, sy, 0, 0, 0, 0, sz, 0, 0, 0, 0, 1];
  const matrix = product(product(projection, view), product(model, scale));
  return { matrix, area: scene.container.getBoundingClientRect() };
}

/** a · b of 4×4 matrices kept column by column. */
function product(a, b) {
  const out = new Array(16).fill(0);
  for (let c = 0; c < 4; c++) {
    for (let r = 0; r < 4; r++) {
      for (let k = 0; k < 4; k++) out[c * 4 + r] += a[k * 4 + r] * b[c * 4 + k];
    }
  }
  return out;
}
