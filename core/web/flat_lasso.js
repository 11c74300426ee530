/** Lasso and box on a 2-D map: drawn here, as Plotly's own marks every dot anew at each move, which takes long with many. */

const STEP_PX = 3; // between corners of a lasso

/** A line over the map that follows the pointer from a press to its release. */
function flatLasso(plot) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const polygon = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  element.setAttribute("class", "ee-flat-lasso");
  element.append(polygon);
  let kind = "lasso";
  let points = null; // corners in px on the axes' area while it is drawn; of a box two

  const at = (event) => {
    const { xaxis, yaxis } = plot._fullLayout;
    const box = plot.getBoundingClientRect();
    const inside = (value, axis) => Math.max(0, Math.min(axis._length, value - axis._offset));
    return [inside(event.clientX - box.left, xaxis), inside(event.clientY - box.top, yaxis)];
  };
  const write = (list) => {
    const { xaxis, yaxis } = plot._fullLayout ?? {};
    polygon.setAttribute("points", list.map(([x, y]) => `${x + xaxis._offset},${y + yaxis._offset}`).join(" "));
  };
  return {
    element,
    /** Begin where the pointer was pressed, when the map's tool is lasso or box; say whether. */
    start(event) {
      const tool = plot._fullLayout.dragmode;
      if (tool !== "lasso" && tool !== "select") return false;
      event.preventDefault(); // no mouse event follows, so that Plotly draws nothing
      plot.focus({ preventScroll: true, focusVisible: false });
      plot.setPointerCapture(event.pointerId);
      kind = tool === "lasso" ? "lasso" : "box";
      points = kind === "lasso" ? [at(event)] : [at(event), at(event)];
      return true;
    },
    move(event) {
      if (!points) return;
      const place = at(event);
      if (kind === "box") points[1] = place;
      else if (Math.hypot(place[0] - points.at(-1)[0], place[1] - points.at(-1)[1]) >= STEP_PX) points.push(place);
      const [[x0, y0], [x1, y1]] = [points[0], points.at(-1)];
      write(kind === "lasso" ? points : [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]);
    },
    /** End the line, which stays until it is cleared. @returns {object|null} the pick that it makes, in map units */
    finish() {
      const drawn = points ?? [];
      points = null;
      if (drawn.length < (kind === "lasso" ? 3 : 2)) return write([]), null;
      const { xaxis, yaxis } = plot._fullLayout;
      return { kind, x: unitsOf(xaxis, drawn.map(([x]) => x)), y: unitsOf(yaxis, drawn.map(([, y]) => y)) };
    },
    /** Take the line away; one that is being drawn only with `all`. */
    clear(all = false) {
      if (points && !all) return;
      points = null;
      write([]);
    },
  };
}

/** Map units of px along an axis, in as many digits as tell a hundredth of a px. */
function unitsOf(axis, px) {
  const unit = Math.abs(axis.range[1] - axis.range[0]) / axis._length;
  const digits = Math.max(0, Math.min(20, 2 - Math.floor(Math.log10(unit))));
  return px.map((value) => Number(axis.p2l(value).toFixed(digits)));
}
