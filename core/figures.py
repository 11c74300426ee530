"""What is drawn: a map of images as plain values, and its bytes for the drawing engine in `core/web`.

A frame is one value of bytes: `[u32 length][JSON header][buffers]`, little-endian, each buffer at a multiple of 4. So
numbers reach the browser as typed arrays, without JSON or base64.
"""

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core import palettes
from core.errors import ConfigError
from core.sheets import SheetLayout

MAX_GROUPS = palettes.MAX_COLORS
OTHER, MISSING = "(others)", "(none)"
DENSE_ABOVE = 200_000  # points in view up to which Plotly draws each, without a GPU still in a fraction of a second
DENSE_DRAWN = (
    20_000  # of more, so many are drawn over an image of all: enough to see structure, few enough to follow a zoom
)


@dataclass(frozen=True, eq=False)
class Category:
    """A column of groups: `codes` int32 (n,), -1 or an index into `names`.

    `gray` is the index of the last group where that is what belongs to no other, such as noise: it has no colour of its own.
    `colors` are those of the other groups, "#rrggbb"; None gives them the usual ones.
    """

    title: str
    codes: np.ndarray
    names: tuple[str, ...]
    gray: int | None = None
    colors: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Number:
    """A column of numbers: `values` float32 (n,), NaN where there is none."""

    title: str
    values: np.ndarray


Column = Category | Number


@dataclass(frozen=True, eq=False)
class MapSpec:
    """A map of n images, of which m are drawn.

    Parameters
    ----------
    coordinates : float32 (m, 2 or 3).
    rows : int32 (m,), row in the image set of each point.
    color, symbol, fields : columns of m values; `fields` are listed under the mouse.
    ids : m texts, or None where the row number is the id.
    axes : a title for each coordinate.
    view_key : zoom and camera are kept while it stays the same.
    image : how the pictures lie on sheets, or None without pictures.
    point_size : pixels. opacity : in (0, 1], of 2-D points.
    crowd : whether 2-D points are fainter where many are in view. pictures : whether pictures replace few ones.
    dense_above : 2-D points in view above which an image shows how dense they lie, with `dense_drawn` of them on top.
    """

    coordinates: np.ndarray
    rows: np.ndarray
    color: Column
    symbol: Category | None
    fields: tuple[Column, ...]
    ids: tuple[str, ...] | None
    axes: tuple[str, ...]
    view_key: str
    image: SheetLayout | None
    point_size: float = 5.0
    opacity: float = 0.8
    crowd: bool = True
    pictures: bool = True
    dense_above: int = DENSE_ABOVE
    dense_drawn: int = DENSE_DRAWN

    def __post_init__(self) -> None:
        m = len(self.rows)
        lengths = {len(self.coordinates), *(len(values_of(column)) for column in (self.color, *self.fields))}
        if lengths != {m} or (self.ids is not None and len(self.ids) != m):
            raise ConfigError(f"A map of {m} points needs {m} values in every column.")

    @property
    def groups(self) -> np.ndarray | None:
        """Group of each point, as the legend numbers them, or None when colour shows a number."""
        return _codes(self.color) if isinstance(self.color, Category) else None


def category(title: str, values: Sequence[Any] | np.ndarray) -> Category:
    """Make groups of a column's values, in order; beyond 100 the rarest become one group.

    Numbers keep their order; empty texts become "(none)".
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iufb":
        array = np.array([str(value) if str(value) else MISSING for value in array.tolist()])
    distinct, codes, counts = np.unique(array, return_inverse=True, return_counts=True)
    names = [str(value) for value in distinct.tolist()]
    if len(names) > MAX_GROUPS:
        kept = np.sort(np.argsort(-counts, kind="stable")[: MAX_GROUPS - 1])
        number = np.full(len(names), len(kept))
        number[kept] = np.arange(len(kept))
        codes, names = number[codes], [*(names[i] for i in kept), OTHER]
    return Category(title, codes.astype(np.int32), tuple(names))


def sample(n: int, limit: int | None, seed: int = 0) -> np.ndarray:
    """Return int32 rows 0..n-1, or a seeded choice of `limit` of them, in order."""
    if limit is None or n <= limit:
        return np.arange(n, dtype=np.int32)
    return np.sort(np.random.default_rng(seed).choice(n, limit, replace=False)).astype(np.int32)


def encode(spec: MapSpec) -> bytes:
    """Return the frame of a map as one value of bytes.

    Raises
    ------
    ConfigError : the colour has more groups than can be told apart.
    """
    header, arrays = parts(spec)
    buffers, table, offset = [], {}, 0
    for name, array in arrays.items():
        data = array.tobytes()
        table[name] = {"dtype": array.dtype.name, "offset": offset, "length": len(array)}
        buffers.append(data + b"\0" * (-len(data) % 4))
        offset += len(buffers[-1])
    text = json.dumps(header | {"arrays": table}, ensure_ascii=False).encode("utf-8", "replace")
    text += b" " * (-(4 + len(text)) % 4)
    return b"".join([struct.pack("<I", len(text)), text, *buffers])


def parts(spec: MapSpec) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header of a map, and its arrays by name, little-endian; equal columns give equal arrays.

    There is no array `row` where the rows are 0, 1, …, n - 1.

    Raises
    ------
    ConfigError : the colour has more groups than can be told apart.
    """
    arrays: dict[str, np.ndarray] = {
        name: np.ascontiguousarray(spec.coordinates[:, i], np.float32)
        for i, name in enumerate("xyz"[: spec.coordinates.shape[1]])
    }
    if not np.array_equal(spec.rows, np.arange(len(spec.rows))):  # else the browser numbers them itself
        arrays["row"] = np.asarray(spec.rows, np.int32)
    color = _color(spec.color, arrays)
    symbol = None
    if spec.symbol is not None:
        arrays["symbol"] = _codes(spec.symbol).astype(np.uint8)
        symbol = {"title": spec.symbol.title, "names": list(_names(spec.symbol))}
    header = {
        "n": len(spec.rows),
        "dim": spec.coordinates.shape[1],
        "view_key": spec.view_key,
        "axes": list(spec.axes),
        "color": color,
        "symbol": symbol,
        "point_size": spec.point_size,
        "opacity": spec.opacity,
        "crowd": spec.crowd,
        "pictures": spec.pictures,
        "dense": {"above": spec.dense_above, "drawn": spec.dense_drawn},
        "ids": None if spec.ids is None else list(spec.ids),
        "image": None if spec.image is None else _image(spec.image),
        "fields": [_field(column, f"field{i}", arrays) for i, column in enumerate(spec.fields)],
    }
    arrays = {name: array.astype(array.dtype.newbyteorder("<"), copy=False) for name, array in arrays.items()}
    digest = hashlib.blake2b(json.dumps(header).encode(), digest_size=12)
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype}".encode())
        digest.update(array.tobytes())
    return header | {"key": digest.hexdigest()}, arrays


def _color(column: Column, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if isinstance(column, Category):
        names = _names(column)
        arrays["group"] = _codes(column)
        colored = len(column.names) if column.gray is None else column.gray
        own = palettes.categorical(colored) if column.colors is None else column.colors[:colored]
        colors = [*own] + [palettes.MISSING] * (len(names) - colored)
        return {"title": column.title, "kind": "category", "names": list(names), "colors": colors}
    arrays["value"] = np.asarray(column.values, np.float32)
    finite = column.values[np.isfinite(column.values)]
    low, high = 0.0, 1.0
    if len(finite):  # a few extreme values would leave one colour for all others
        low = float(np.percentile(finite, 1, method="lower"))
        high = float(np.percentile(finite, 99, method="higher"))
    scale = [list(stop) for stop in palettes.SEQUENTIAL]
    return {"title": column.title, "kind": "number", "scale": scale, "min": low, "max": high}


def _names(column: Category) -> tuple[str, ...]:
    return (*column.names, MISSING) if (column.codes < 0).any() else column.names


def _codes(column: Category) -> np.ndarray:
    """Return codes without -1, as small as they can be: what is missing gets the number after the last."""
    codes = np.asarray(column.codes, np.int32)
    codes = np.where(codes < 0, np.int32(len(column.names)), codes)
    return codes.astype(np.uint8) if len(column.names) < 256 else codes


def _field(column: Column, name: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if isinstance(column, Category):
        arrays[name] = _codes(column)
        return {"title": column.title, "kind": "category", "array": name, "names": list(column.names)}
    arrays[name] = np.asarray(column.values, np.float32)
    return {"title": column.title, "kind": "number", "array": name}


def _image(form: SheetLayout) -> dict[str, Any]:
    return {
        "h": form.h,
        "w": form.w,
        "c": form.c,
        "page": form.page,
        "cols": form.cols,
        "pages": form.pages,
        "reconstructions": form.reconstructions,
    }


def values_of(column: Column) -> np.ndarray:
    """Return a column's codes or numbers (n,)."""
    return column.codes if isinstance(column, Category) else column.values
