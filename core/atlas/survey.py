"""A first look at all parts of a run, without pictures and latents: the atlas's columns, its rows, and where its points lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core import parts
from core.atlas.columns import FARTHEST, NARROWEST, PICTURES, VECTORS, Column, View
from core.atlas.layout import KNOWN, PLACE, is_category, own_names, stages_of, types_of
from core.atlas.reading import cast, opened
from core.atlas.tallies import Tally
from core.errors import DataError
from core.progress import Callback, Progress

_TOLD = "Looking through the parts"


@dataclass(frozen=True, eq=False)
class Survey:
    """What there is to be joined.

    Parameters
    ----------
    numbers : of the parts. sizes : rows of each. stages : those that are joined.
    own : name in the atlas of each column of the data's own, by its name in `encoded`.
    schema : of the atlas's table, without the place of a row in it.
    columns : what can be filtered and counted by. bounds : the rectangle that all points lie in.
    """

    numbers: tuple[int, ...]
    sizes: tuple[int, ...]
    stages: tuple[str, ...]
    own: dict[str, str]
    schema: pa.Schema
    columns: tuple[Column, ...]
    bounds: View

    @property
    def n(self) -> int:
        """Rows of all parts."""
        return sum(self.sizes)

    @property
    def d(self) -> int:
        """Length of the latents, 0 where there are none."""
        return int(self.schema.field(VECTORS).type.list_size) if VECTORS in self.schema.names else 0


def look(root: str, numbers: Sequence[int], stages: Sequence[str] | None, callback: Callback) -> Survey:
    """Go through the parts once.

    Raises
    ------
    ConfigError : a stage that is none. DataError : a part is not there or not as it should be, or there are no rows.
    Cancelled : raised by the callback.
    """
    there = [stage for stage in KNOWN if any(parts.look(root, stage, number) is not None for number in numbers)]
    joined = stages_of(stages, there)
    schemas = [_schema(root, number) for number in numbers]
    own = own_names(schemas)
    types = types_of(schemas, own, joined)
    tallies = {
        name: Tally(not pa.types.is_string(kind), is_category(name, kind))
        for name, kind in types.items()
        if name not in (*PLACE, "x", "y", PICTURES, VECTORS)
    }
    sizes, edges = [], np.array([np.inf, -np.inf, np.inf, -np.inf])
    for i, number in enumerate(numbers):
        callback(Progress(_TOLD, i, len(numbers), "part"))
        sizes.append(_rows(root, number, joined))
        for stage in joined:
            _add(root, number, stage, own if stage == "encoded" else {}, types, tallies, edges)
    if sum(sizes) == 0:
        raise DataError(f"The {len(sizes):,} parts in {root} hold no images.")
    callback(Progress(_TOLD, len(numbers), len(numbers), "part"))
    columns = tuple(column for name in tallies if (column := tallies[name].column(name)) is not None)
    schema = pa.schema(list(types.items()))
    return Survey(tuple(numbers), tuple(sizes), joined, own, schema, columns, _bounds(edges))


def given_names(stage: str, own: Mapping[str, str]) -> dict[str, str]:
    """Return what the atlas calls the columns of numbers and texts that it takes of a stage, by their names there."""
    return {name: name for name in KNOWN[stage]} | (dict(own) if stage == "encoded" else {})


def _schema(root: str, number: int) -> pa.Schema:
    with opened(root, "encoded", number) as file:
        return file.schema_arrow


def _rows(root: str, number: int, stages: Sequence[str]) -> int:
    """Return the rows of a part, which must be as many in each stage."""
    sizes = []
    for stage in stages:
        with opened(root, stage, number) as file:
            sizes.append(file.metadata.num_rows)
        if sizes[-1] != sizes[0]:
            raise DataError(f"Part {number} has {sizes[0]:,} rows in {stages[0]} and {sizes[-1]:,} in {stage}.")
    return int(sizes[0])


def _add(
    root: str, number: int, stage: str, own: Mapping[str, str], types: Mapping[str, pa.DataType],
    tallies: Mapping[str, Tally], edges: np.ndarray,
) -> None:  # fmt: skip
    """Take in the columns of a part."""
    given = given_names(stage, own)
    with opened(root, stage, number) as file:
        names = [name for name in given if name in file.schema_arrow.names]
        table = file.read(columns=names).select(names)
    for name in names:
        if given[name] in tallies:
            tallies[given[name]].add(cast(table[name], types[given[name]], name))
    if stage == "map2":
        _widen(edges, table, parts.path_of(root, stage, number))


def _widen(edges: np.ndarray, table: pa.Table, path: str) -> None:
    if not {"x", "y"} <= set(table.column_names):
        raise DataError(f"{path} has no coordinates x and y.")
    for i, name in enumerate(("x", "y")):
        values = table[name].to_numpy()
        if len(values) == 0:
            continue
        if not np.all(np.abs(values) <= FARTHEST):  # nor nan
            raise DataError(f"{path} has coordinates that are not finite or beyond {FARTHEST:g}.")
        edges[2 * i] = min(edges[2 * i], values.min())
        edges[2 * i + 1] = max(edges[2 * i + 1], values.max())


def _bounds(edges: np.ndarray) -> View:
    """Return the rectangle of all points, widened by half a unit where they lie on a line."""
    x0, x1, y0, y1 = (float(edge) for edge in edges)
    if x1 - x0 < NARROWEST:
        x0, x1 = x0 - 0.5, x1 + 0.5
    if y1 - y0 < NARROWEST:
        y0, y1 = y0 - 0.5, y1 + 0.5
    return View(x0, x1, y0, y1)
