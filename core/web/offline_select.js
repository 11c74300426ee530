/** Which points a pick holds and the selection that comes of it, as `core.selection` decides it, without Python. */

const SELECTION_STEPS = 50; // that can be undone

/**
 * Frame indices of the points that a pick holds, as `core.selection.picked`.
 * @param {object} pick  what was drawn on the map: kind, x, y, row, radius, matrix, hidden
 * @param {Frame} frame
 * @returns {number[]}
 */
function pickedPoints(pick, frame) {
  const { row, group } = frame.arrays;
  const inside = pick.kind === "point" ? (i) => row[i] === pick.row : insideOf(pick, frame.arrays);
  const hidden = new Set(pick.kind === "point" ? [] : pick.hidden);
  const found = [];
  for (let i = 0; i < row.length; i++) {
    if (inside(i) && !(group && hidden.has(group[i]))) found.push(i);
  }
  return found;
}

/** Whether point i lies in what was drawn. */
function insideOf(pick, { x, y, z, row }) {
  if (pick.kind === "lasso") {
    const inPolygon = polygonTest(pick);
    return (i) => inPolygon(x[i], y[i]);
  }
  if (pick.kind === "screen") return onScreen(pick, x, y, z);
  if (pick.kind === "box") {
    const [left, right, bottom, top] = extentOf(pick);
    return (i) => x[i] >= left && x[i] <= right && y[i] >= bottom && y[i] <= top;
  }
  const centre = row.indexOf(pick.row);
  const along = (axis, i) => (axis ? (axis[i] - axis[centre]) ** 2 : 0);
  return (i) => centre >= 0 && Math.sqrt(along(x, i) + along(y, i) + along(z, i)) <= pick.radius;
}

/** Whether point i of a 3-D map, put on the screen by the pick's matrix, lies in its polygon. */
function onScreen(pick, x, y, z) {
  const m = pick.matrix; // column by column
  const inPolygon = polygonTest(pick);
  return (i) => {
    const [a, b, depth] = [0, 1, 3].map((r) => m[r] * x[i] + m[4 + r] * y[i] + m[8 + r] * z[i] + m[12 + r]);
    return depth > 0 && inPolygon(a / depth, b / depth); // what lies behind the eye is not on the screen
  };
}

/** Left, right, bottom and top of what was drawn. */
function extentOf({ x, y }) {
  return [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)];
}

/** Whether a ray from a place crosses an odd number of a polygon's edges; what is outside its box is settled first. */
function polygonTest({ x, y }) {
  const [left, right, bottom, top] = extentOf({ x, y });
  return (px, py) => {
    if (!(px >= left && px <= right && py >= bottom && py <= top)) return false;
    let odd = false;
    for (let k = 0; k < x.length; k++) {
      const next = (k + 1) % x.length;
      if (y[k] > py === y[next] > py) continue;
      if (px < ((x[next] - x[k]) * (py - y[k])) / (y[next] - y[k]) + x[k]) odd = !odd;
    }
    return odd;
  };
}

/**
 * The selection after some points replace it, join it ("add") or leave it ("remove").
 * @param {Uint8Array} before  1 for each point that is selected
 * @param {Iterable<number>} points
 * @param {"replace"|"add"|"remove"} mode
 * @returns {Uint8Array}
 */
function combinedMask(before, points, mode) {
  const mask = mode === "replace" ? new Uint8Array(before.length) : before.slice();
  for (const i of points) mask[i] = mode === "remove" ? 0 : 1;
  return mask;
}

/** Numbers of the points that a mask selects, in order. */
function maskedPoints(mask) {
  const found = [];
  for (let i = 0; i < mask.length; i++) if (mask[i]) found.push(i);
  return found;
}

/** A mask as bits by row, the first row in the lowest bit, as `core.selection.packed`; null when nothing is selected. */
function maskBits(mask, row) {
  let last = -1;
  for (const r of row) last = Math.max(last, r);
  const bits = new Uint8Array((last >> 3) + 1);
  let any = false;
  for (let i = 0; i < mask.length; i++) {
    if (!mask[i]) continue;
    bits[row[i] >> 3] |= 1 << (row[i] & 7);
    any = true;
  }
  return any ? bits : null;
}

/**
 * The selection of some points and those before it.
 * @param {number} count  of the points
 */
function selectionHistory(count) {
  let steps = [new Uint8Array(count)];
  let at = 0;
  const same = (mask) => mask.every((value, i) => value === steps[at][i]);
  return {
    now: () => steps[at],
    /** Make a mask the selection; false when it is already. */
    become(mask) {
      if (same(mask)) return false;
      steps = [...steps.slice(0, at + 1), mask].slice(-SELECTION_STEPS);
      at = steps.length - 1;
      return true;
    },
    /** Forget the selection that is now, and all that was undone. */
    drop() {
      steps = steps.slice(0, Math.max(1, at));
      at = steps.length - 1;
    },
    undo: () => (at = Math.max(0, at - 1)),
    redo: () => (at = Math.min(steps.length - 1, at + 1)),
    canUndo: () => at > 0,
    canRedo: () => at + 1 < steps.length,
  };
}
