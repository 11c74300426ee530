"""Which images are selected: what was drawn on a map or picked by value, as a bool mask over all images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from core.errors import ConfigError

MAX_VERTICES = 10_000
Kind = Literal["point", "box", "lasso", "radius", "screen"]
Mode = Literal["replace", "add", "remove"]
_LEAST = {"box": 2, "lasso": 3, "screen": 3}


@dataclass(frozen=True)
class Pick:
    """What a user drew on a map.

    Parameters
    ----------
    kind : a point's `row`; a box or lasso in map coordinates; all within `radius` of a point's row; or a polygon on the
        screen, x and y in -1..1, of a 3-D map that `matrix` (16 numbers, column by column) projects there.
    hidden : groups that the legend has switched off; their points are not picked.
    mode : what becomes of the images selected before.
    """

    kind: Kind
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    row: int = -1
    radius: float = 0.0
    matrix: tuple[float, ...] = ()
    hidden: tuple[int, ...] = ()
    mode: Mode = "replace"


def pick_from(value: Any) -> Pick | None:
    """Check what a browser sent; None when it is no pick. "clear" picks no point, instead of those before."""
    if isinstance(value, Mapping) and value.get("kind") == "clear":
        return Pick("point")
    if not isinstance(value, Mapping) or value.get("kind") not in get_args(Kind):
        return None
    kind, mode = value["kind"], value.get("mode", "replace")
    if mode not in get_args(Mode):
        return None
    numbers = {name: _numbers(value.get(name, ())) for name in ("x", "y", "hidden", "matrix")}
    if any(found is None for found in numbers.values()):
        return None
    x, y, hidden, matrix = (numbers[name] or () for name in ("x", "y", "hidden", "matrix"))
    groups = tuple(int(i) for i in hidden)
    if kind in ("point", "radius"):
        row, radius = value.get("row"), value.get("radius", 0.0)
        if not isinstance(row, int) or isinstance(row, bool) or row < 0 or _numbers([radius]) is None or radius < 0:
            return None
        return Pick(kind, row=row, radius=float(radius), hidden=groups, mode=mode)
    if len(x) != len(y) or len(x) < _LEAST[kind] or len(matrix) != (16 if kind == "screen" else 0):
        return None
    return Pick(kind, x, y, matrix=matrix, hidden=groups, mode=mode)


def _numbers(values: Any) -> tuple[float, ...] | None:
    if not isinstance(values, Sequence) or isinstance(values, str | bytes) or len(values) > MAX_VERTICES:
        return None
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values):
        return None
    return tuple(float(v) for v in values)


def picked(pick: Pick, coordinates: np.ndarray, rows: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Return the rows, int32 (k,), of the drawn points that a pick holds.

    Parameters
    ----------
    coordinates : float32 (m, 2 or 3); box and lasso look at the first two.
    rows : int32 (m,). groups : int32 (m,) group of each point, or None.
    """
    if pick.kind == "point":
        return np.asarray(rows[rows == pick.row])
    inside = _inside(pick, coordinates.astype(np.float64), rows)
    if groups is not None and pick.hidden:
        inside &= ~np.isin(groups, pick.hidden)
    return np.asarray(rows[inside])


def _inside(pick: Pick, at: np.ndarray, rows: np.ndarray) -> np.ndarray:
    xs, ys = np.array(pick.x), np.array(pick.y)
    if pick.kind == "box":
        x, y = at[:, 0], at[:, 1]
        return np.asarray((x >= xs.min()) & (x <= xs.max()) & (y >= ys.min()) & (y <= ys.max()))
    if pick.kind == "lasso":
        return in_polygon(at[:, 0], at[:, 1], xs, ys)
    if pick.kind == "radius":
        centre = at[rows == pick.row]
        if not len(centre):
            return np.zeros(len(rows), bool)
        return np.asarray(np.linalg.norm(at - centre[0], axis=1) <= pick.radius)
    matrix = np.array(pick.matrix).reshape(4, 4).T  # WebGL keeps columns together
    on_screen = np.column_stack([at[:, :3], np.ones(len(at))]) @ matrix.T  # (m, 4)
    before = on_screen[:, 3] > 0  # what lies behind the eye is not on the screen
    depth = np.where(before, on_screen[:, 3], 1.0)
    return before & in_polygon(on_screen[:, 0] / depth, on_screen[:, 1] / depth, xs, ys)


def in_polygon(x: np.ndarray, y: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """Say which points (m,) lie in a polygon of v vertices: those from which a ray crosses an odd number of edges.

    Points are put in the order of y, so that an edge looks only at those between its ends; memory stays at O(m).
    """
    inside = np.zeros(len(x), bool)
    near = np.flatnonzero((x >= xs.min()) & (x <= xs.max()) & (y >= ys.min()) & (y <= ys.max()))
    near = near[np.argsort(y[near], kind="stable")]
    px, py = x[near], y[near]
    odd = np.zeros(len(near), bool)
    starts = np.searchsorted(py, ys)  # points from `starts[i]` on are not below vertex i
    for i, j in enumerate(np.roll(np.arange(len(ys)), -1)):
        part = slice(*sorted((starts[i], starts[j])))
        if part.start < part.stop:  # so the edge is not level
            slope = (xs[j] - xs[i]) / (ys[j] - ys[i])
            odd[part] ^= px[part] < slope * (py[part] - ys[i]) + xs[i]
    inside[near] = odd
    return inside


def combined(before: np.ndarray, chosen: np.ndarray, mode: Mode = "replace") -> np.ndarray:
    """Return the selection, bool (n,), after images `chosen`, bool (n,) or rows (k,), replace it, join it or leave it."""
    mask = chosen if chosen.dtype == bool else np.zeros(len(before), bool)
    if chosen.dtype != bool:
        mask[chosen] = True
    if mode == "add":
        return np.asarray(before | mask)
    return np.asarray(before & ~mask) if mode == "remove" else mask.copy()


def packed(mask: np.ndarray) -> np.ndarray:
    """Return a mask, bool (n,), as bits, uint8 (ceil(n / 8),), the first image in the lowest bit."""
    return np.packbits(mask, bitorder="little")


def unpacked(bits: np.ndarray, n: int) -> np.ndarray:
    """Return the mask, bool (n,), that `packed` made bits of.

    Raises
    ------
    ConfigError : there are not as many bits.
    """
    if bits.dtype != np.uint8 or bits.shape != (-(-n // 8),):
        raise ConfigError(f"A selection of {n} images needs {-(-n // 8)} bytes.")
    return np.unpackbits(bits, count=n, bitorder="little").astype(bool)


def matching(text: str, *columns: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Say of each image whether any column's text holds every word of `text`, whatever the case: bool (n,)."""
    words = text.casefold().split()
    found = np.zeros(len(columns[0]) if columns else 0, bool)
    for column in columns if words else ():
        texts = [str(value).casefold() for value in column]
        found |= np.array([all(word in value for word in words) for value in texts], bool)
    return found
