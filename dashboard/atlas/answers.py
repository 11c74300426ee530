"""What an atlas shows in a view: a picture of how dense its rows lie, or the rows themselves where they are few."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from core import palettes, sheets
from core.atlas import queries
from core.atlas.columns import PICTURES, VECTORS
from core.atlas.drawing import png
from core.atlas.table import Atlas, Column, Filter, View
from core.errors import DataError
from dashboard.atlas import filters, pictures
from dashboard.caches import cached

MOST_POINTS = 2_000  # of a view that are shown one by one
GRAINS = ((0.03, 4), (0.1, 3), (0.3, 2))  # below so many images a pixel, a picture's cells are so many pixels wide
MOST_PICTURES = 300  # of them whose pictures are shown in their place
MOST_FIELDS = 12  # told of a point
MOST_LETTERS = 80  # of each
FIRST = ("label", "cluster", "looks_like", "suspect", "error")  # fields that come first


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to see: a PNG of the view, or points and, of few, sheets of their pictures.

    Parameters
    ----------
    count : rows in the view that match. png : b"" where there are points.
    points : JSON of the points; b"" where there is a picture.
    at : the points' rows of the whole table, in their order.
    counts : rows in the view by value of the category that colours it; the values beyond the largest are together in OTHER.
    sheet : how the sheets are laid out; sheet_files : WebP each.
    """

    count: int
    png: bytes = b""
    points: bytes = b""
    at: tuple[int, ...] = ()
    counts: Mapping[str, int] | None = None
    other: int = 0
    sheet: Mapping[str, Any] | None = None
    sheet_files: tuple[bytes, ...] = ()


@dataclass(frozen=True, eq=False)
class Looked:
    """Pictures of some rows, in the order asked, on sheets; `note` says why they have no reconstructions."""

    sheet: Mapping[str, Any]
    sheet_files: tuple[bytes, ...]
    note: str = ""


def shown(atlas: Atlas, view: View, size: tuple[int, int], drawing: filters.Drawing, dark: bool) -> Shown:
    """Return what is to be seen of a view on a canvas of a size (width, height)."""
    there = count(atlas, None if _holds(view, atlas.bounds) else view, drawing.filters)
    if there <= MOST_POINTS:
        return points(atlas, view, drawing)
    return picture(atlas, view, grain(size, there), drawing, dark)


def grain(size: tuple[int, int], count: int) -> tuple[int, int]:
    """Return the size of a picture for a canvas: coarser where so few images lie that single pixels would hardly be seen."""
    width, height = size
    step = next((step for share, step in GRAINS if count < share * width * height), 1)
    return max(1, width // step), max(1, height // step)


def count(atlas: Atlas, view: View | None, rules: tuple[Filter, ...]) -> int:
    """Return how many rows match in a view, None for everywhere."""
    return atlas.n if view is None and not rules else _count(atlas.key, view, rules, atlas)


@cached(max_entries=128)
def _count(key: str, view: View | None, rules: tuple[Filter, ...], _atlas: Atlas) -> int:
    return queries.count(_atlas, view, rules)


def points(atlas: Atlas, view: View, drawing: filters.Drawing) -> Shown:
    """Return the rows of a view, at most 2,000, one by one."""
    return _points(atlas.key, view, drawing.filters, drawing.color, atlas)


@cached(max_entries=32)
def _points(key: str, view: View, rules: tuple[Filter, ...], color: Column | None, _atlas: Atlas) -> Shown:
    told = fields(_atlas)
    table = queries.rows(_atlas, view, MOST_POINTS, rules, ("id", "x", "y", *told))
    at = tuple(table.column("at").to_pylist())
    counts = None
    if color is not None and color.kind == "category":
        values, many = np.unique(_texts(table.column(color.name)), return_counts=True)
        counts = {str(value): int(count) for value, count in zip(values, many, strict=True)}
    told_points = json.dumps(_told(table, told, color), allow_nan=False, separators=(",", ":")).encode()
    if not 0 < table.num_rows <= MOST_PICTURES or PICTURES not in _atlas.fetched:
        return Shown(table.num_rows, points=told_points, at=at, counts=counts)
    files = (
        queries.rows(_atlas, view, MOST_PICTURES, rules, (PICTURES,)).column(PICTURES).to_pylist()
    )  # in the same order
    originals = pictures.thumbnails(files)
    return Shown(
        table.num_rows, points=told_points, at=at, counts=counts, sheet=asdict(sheets.layout(originals, None)),
        sheet_files=tuple(sheets.pages(originals, None)),
    )  # fmt: skip


def looked(atlas: Atlas, at: tuple[int, ...]) -> Looked:
    """Return pictures of some rows, each beside what the model makes of it.

    Raises
    ------
    DataError : there are no such rows, or no pictures.
    """
    if PICTURES not in atlas.fetched or max(at) >= atlas.n:
        raise DataError("The atlas has no picture of this image.")
    return _looked(atlas.key, at, atlas)


@cached(max_entries=64)
def _looked(key: str, at: tuple[int, ...], _atlas: Atlas) -> Looked:
    wanted = [name for name in (PICTURES, VECTORS) if name in _atlas.fetched]
    read = pictures.read(_atlas, queries.fetch(_atlas, at, wanted))
    layout = asdict(sheets.layout(read.originals, read.reconstructions))
    return Looked(layout, tuple(sheets.pages(read.originals, read.reconstructions)), read.note)


def picture(atlas: Atlas, view: View, size: tuple[int, int], drawing: filters.Drawing, dark: bool) -> Shown:
    """Return the picture of a view."""
    return _picture(atlas.key, view, size, drawing.filters, drawing.color, dark, atlas)


@cached(max_entries=32)
def _picture(
    key: str,
    view: View,
    size: tuple[int, int],
    rules: tuple[Filter, ...],
    color: Column | None,
    dark: bool,
    _atlas: Atlas,
) -> Shown:
    found = queries.density(_atlas, view, *size, rules, None if color is None else color.name)
    colors = filters.colors_of(color) if color is not None and color.kind == "category" else None
    counts, other = None, 0
    if found.shares is not None:
        of = np.einsum("hwk,hw->k", found.shares, found.counts.astype(np.float32), dtype=np.float64)
        counts = {name: round(float(count)) for name, count in zip(found.names, of, strict=True)}
        if found.rest:
            other = counts.pop(found.names[-1])
    return Shown(found.total, png=png(found, colors, dark), counts=counts, other=other)


def fields(atlas: Atlas) -> list[str]:
    """Return the columns that are told of a point, those that say most first."""
    there = [column.name for column in atlas.columns if column.name not in ("x", "y", "id", "part", "row")]
    return sorted(there, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))[:MOST_FIELDS]


def _told(table: pa.Table, told: Sequence[str], color: Column | None) -> dict[str, Any]:
    """Return what the browser is told of points, column by column: numbers, and texts of bounded length."""
    columns = [(name, [text(value) for value in table.column(name).to_pylist()]) for name in told]
    return {
        "at": table.column("at").to_pylist(),
        "x": [float(value) for value in table.column("x").to_pylist()],
        "y": [float(value) for value in table.column("y").to_pylist()],
        "id": [str(value)[: 2 * MOST_LETTERS] for value in table.column("id").to_pylist()],
        "color": [palettes.MISSING] * table.num_rows if color is None else _colors(table, color),
        "fields": columns,
    }


def _colors(table: pa.Table, color: Column) -> list[str]:
    if color.kind == "category":
        of = filters.colors_of(color)
        return [of.get(value, palettes.MISSING) for value in _texts(table.column(color.name))]
    assert color.low is not None and color.high is not None
    return [shade(value, color.low, color.high) for value in table.column(color.name).to_pylist()]


def shade(value: float | None, low: float, high: float) -> str:
    """Return the colour "#rrggbb" of a number between two."""
    if value is None or not math.isfinite(value):
        return palettes.MISSING
    place = min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5
    stops = [stop for stop, _ in palettes.SEQUENTIAL]
    rgb = [[int(name[i : i + 2], 16) for i in (1, 3, 5)] for _, name in palettes.SEQUENTIAL]
    return "#" + "".join(f"{round(np.interp(place, stops, [c[i] for c in rgb])):02x}" for i in range(3))


def _texts(column: pa.ChunkedArray) -> list[str]:
    return ["" if value is None else str(value) for value in column.to_pylist()]


def text(value: Any) -> str:
    """Write a value for people."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:MOST_LETTERS]


def _holds(view: View, bounds: View) -> bool:
    return view.x0 <= bounds.x0 and view.x1 >= bounds.x1 and view.y0 <= bounds.y0 and view.y1 >= bounds.y1
