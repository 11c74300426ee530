/**
 * From what the pointer does on a Plotly graph to points and selections.
 */

const CLICK_PX = 5; // a pointer that moved further was dragging

/**
 * Where a point is drawn, in px from the graph's top left corner.
 * @param {object} gd  the Plotly graph
 * @param {object} point  with curveNumber and pointNumber
 * @returns {{x: number, y: number}|null}  null when behind the camera
 */
function pointPosition(gd, { curveNumber, pointNumber }) {
  const trace = gd._fullData[curveNumber];
  const layout = gd._fullLayout;
  if (trace.type !== "scatter3d") {
    const { xaxis, yaxis } = layout;
    return { x: xaxis._offset + xaxis.d2p(trace.x[pointNumber]), y: yaxis._offset + yaxis.d2p(trace.y[pointNumber]) };
  }
  const { glplot, dataScale, container } = layout.scene._scene;
  const { model, view, projection } = glplot.cameraParams;
  let v = [trace.x, trace.y, trace.z].map((values, k) => values[pointNumber] * dataScale[k]);
  v = [model, view, projection].reduce(
    (p, m) => [0, 1, 2, 3].map((a) => m[a] * p[0] + m[4 + a] * p[1] + m[8 + a] * p[2] + m[12 + a] * p[3]),
    [...v, 1],
  );
  if (v[3] <= 0) return null;
  const [box, origin] = [container.getBoundingClientRect(), gd.getBoundingClientRect()];
  return {
    x: box.left - origin.left + box.width * (0.5 + (0.5 * v[0]) / v[3]),
    y: box.top - origin.top + box.height * (0.5 - (0.5 * v[1]) / v[3]),
  };
}

/** @returns {number[]} the groups switched off in the legend */
function hiddenGroups(gd, groups) {
  const hidden = [];
  for (let g = 0; g < groups; g++) if (gd._fullData[g].visible !== true) hidden.push(g);
  return hidden;
}

/**
 * What Plotly says of a lasso or box, as a selection.
 * @param {object|undefined} event  of plotly_selected
 * @param {number[]} hidden
 * @returns {object|null}
 */
function selectionOf(event, hidden) {
  const [kind, area] = event?.lassoPoints ? ["lasso", event.lassoPoints] : ["box", event?.range];
  if (!area?.x || !area?.y) return null;
  return { kind, x: Array.from(area.x), y: Array.from(area.y), hidden };
}

/**
 * Call `pick` when the pointer is pressed and released on a hovered point. (3-D: Plotly's own click comes from its render
 * loop while any button is down, so also when a rotation passes over points, and misses fast clicks.)
 * @param {HTMLElement} gd
 * @param {() => number} hovered  index of the hovered point or -1
 * @param {(i: number) => void} pick
 * @returns {() => void} stops it
 */
function onPointClick(gd, hovered, pick) {
  let down = null;
  const press = (e) => {
    down = { x: e.clientX, y: e.clientY, point: hovered() };
  };
  const release = (e) => {
    const still = down && Math.hypot(e.clientX - down.x, e.clientY - down.y) < CLICK_PX;
    if (still && down.point >= 0) pick(down.point);
    down = null;
  };
  gd.addEventListener("pointerdown", press, true);
  gd.addEventListener("pointerup", release, true);
  return () => {
    gd.removeEventListener("pointerdown", press, true);
    gd.removeEventListener("pointerup", release, true);
  };
}
