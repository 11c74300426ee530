/** The dot nearest to the pointer on a 2-D map: a grid over the dots' coordinates, asked for those within a few px. */

const PER_CELL = 4; // dots, on average
const REACH_PX = 12; // from the pointer to a dot's middle

/**
 * Put dots into the cells of a grid, each cell's one after the other.
 * @param {Float32Array} x
 * @param {Float32Array} y
 * @returns {{left: number, bottom: number, wide: number, tall: number, side: number, starts: Uint32Array, order: Uint32Array}}
 *     `order` holds the indices of cell c from `starts[c]` to `starts[c + 1]`; a cell is wide × tall in map units
 */
function gridOf(x, y) {
  const side = Math.max(1, Math.min(1024, Math.round(Math.sqrt(x.length / PER_CELL))));
  const [left, wide] = cellsAlong(x, side);
  const [bottom, tall] = cellsAlong(y, side);
  const grid = { left, bottom, wide, tall, side, starts: new Uint32Array(side * side + 1), order: new Uint32Array(x.length) };
  const cell = new Uint32Array(x.length);
  for (let i = 0; i < x.length; i++) {
    cell[i] = columnIn(grid, x[i]) + side * lineIn(grid, y[i]);
    grid.starts[cell[i] + 1]++;
  }
  for (let c = 0; c < side * side; c++) grid.starts[c + 1] += grid.starts[c];
  const next = grid.starts.slice();
  for (let i = 0; i < cell.length; i++) grid.order[next[cell[i]]++] = i;
  return grid;
}

/** Where the first of `side` cells begins, and how long each is; never 0. */
function cellsAlong(values, side) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return high > low ? [low, (high - low) / side] : [Number.isFinite(low) ? low : 0, 1];
}

const columnIn = (grid, x) => Math.max(0, Math.min(grid.side - 1, Math.floor((x - grid.left) / grid.wide)));
const lineIn = (grid, y) => Math.max(0, Math.min(grid.side - 1, Math.floor((y - grid.bottom) / grid.tall)));

/**
 * Indices of the dots within some px of a place, nearest first; of equally near ones the one drawn last.
 * @param {object} grid  as `gridOf` makes it
 * @param {{x: Float32Array, y: Float32Array, group?: Uint8Array|Int32Array}} arrays
 * @param {{x: number, y: number}} at  in map units
 * @param {[number, number]} px  px a map unit is wide and high
 * @param {Set<number>} hidden  groups that are switched off
 * @param {number} most  indices wanted
 * @param {number} [reach]  px
 * @returns {number[]}
 */
function nearestDots(grid, { x, y, group }, at, px, hidden, most, reach = REACH_PX) {
  const [across, along] = [reach / px[0], reach / px[1]];
  const [left, right] = [columnIn(grid, at.x - across), columnIn(grid, at.x + across)];
  const found = []; // at most `most`, nearest first
  const before = (a, b) => a.away < b.away || (a.away === b.away && (a.group > b.group || (a.group === b.group && a.i > b.i)));
  for (let l = lineIn(grid, at.y - along); l <= lineIn(grid, at.y + along); l++) {
    const end = grid.starts[l * grid.side + right + 1];
    for (let k = grid.starts[l * grid.side + left]; k < end; k++) {
      const i = grid.order[k];
      const away = ((x[i] - at.x) * px[0]) ** 2 + ((y[i] - at.y) * px[1]) ** 2;
      if (away > reach * reach || (found.length === most && away > found[most - 1].away)) continue;
      const dot = { i, away, group: group ? group[i] : 0 };
      if (hidden.has(dot.group)) continue;
      let place = found.length;
      while (place > 0 && before(dot, found[place - 1])) place--;
      found.splice(place, 0, dot);
      if (found.length > most) found.pop();
    }
  }
  return found.map((dot) => dot.i);
}

/** A place in client px as px from the left upper corner of the axes' area; null beside it. */
function placeOnAxes(plot, { clientX, clientY }) {
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  const [x, y] = [clientX - box.left - xaxis._offset, clientY - box.top - yaxis._offset];
  return x < 0 || y < 0 || x > xaxis._length || y > yaxis._length ? null : { x, y };
}

/**
 * Finds dots under the pointer of a plot.
 * @param {HTMLElement} plot
 * @param {() => Frame} frameOf
 */
function dotFinder(plot, frameOf) {
  let grid = null;
  let of = null; // coordinates that the grid is of
  const prepare = () => {
    const { header, arrays } = frameOf();
    if (header.dim !== 2 || of === arrays.x) return;
    of = arrays.x;
    grid = gridOf(arrays.x, arrays.y);
  };
  return {
    /** Make the grid of the frame on screen, before the pointer asks for it. */
    prepare,
    /**
     * Indices of at most `most` dots around a place in client px, nearest first; none beside the axes' area.
     * @param {{clientX: number, clientY: number}} place
     */
    around(place, most = 1, reach = REACH_PX) {
      const frame = frameOf();
      const on = frame?.header.dim === 2 ? placeOnAxes(plot, place) : null;
      if (!on) return [];
      const { xaxis, yaxis } = plot._fullLayout;
      const { arrays } = frame;
      prepare();
      const px = [xaxis, yaxis].map((axis) => axis._length / Math.abs(axis.range[1] - axis.range[0]));
      return nearestDots(grid, arrays, { x: xaxis.p2l(on.x), y: yaxis.p2l(on.y) }, px, new Set(hiddenGroups(plot, frame)), most, reach);
    },
  };
}
