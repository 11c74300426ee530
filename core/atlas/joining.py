"""The stages of a run side by side: rows as they lie in the parts, a few at a time, each with its place on the curve."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from core.atlas import curve
from core.atlas.columns import PICTURES, VECTORS
from core.atlas.reading import cast, opened
from core.atlas.survey import Survey, given_names
from core.errors import DataError

BATCH = 16_384  # rows
CURVE = "curve"


def schema_of(survey: Survey) -> pa.Schema:
    """Return the columns of the batches: the atlas's, and the place on the curve, uint32."""
    return survey.schema.append(pa.field(CURVE, pa.uint32()))


def batches(root: str, survey: Survey) -> Iterator[pa.RecordBatch]:
    """Give all rows of all parts, in their order.

    Raises
    ------
    DataError : a part cannot be read, or is no longer as it was.
    """
    for number, size in zip(survey.numbers, survey.sizes, strict=True):
        beside = _beside(root, number, survey)
        if beside.num_rows != size:
            raise DataError(f"Part {number} in {root} was changed while the atlas was made.")
        yield from _joined(root, number, size, beside, survey)


def _beside(root: str, number: int, survey: Survey) -> pa.Table:
    """Read what all stages but `encoded` have of a part: numbers and short texts."""
    columns: dict[str, pa.ChunkedArray] = {}
    for stage in survey.stages:
        if stage == "encoded":
            continue
        with opened(root, stage, number) as file:
            names = [name for name in given_names(stage, {}) if name in file.schema_arrow.names]
            table = file.read(columns=names).select(names)
        columns |= {name: cast(table[name], survey.schema.field(name).type, name) for name in names}
    return pa.table(columns)


def _joined(root: str, number: int, size: int, beside: pa.Table, survey: Survey) -> Iterator[pa.RecordBatch]:
    """Give the rows of a part: pictures and latents are read a few row groups at a time."""
    given, schema, start = given_names("encoded", survey.own), schema_of(survey), 0
    given |= {name: name for name in (PICTURES, VECTORS) if name in schema.names}
    with opened(root, "encoded", number) as file:
        names = [name for name in given if name in file.schema_arrow.names]
        for batch in file.iter_batches(BATCH, columns=names):
            n = len(batch)
            columns = {given[name]: cast(batch.column(name), schema.field(given[name]).type, name) for name in names}
            piece = beside.slice(start, n)
            columns |= {name: piece[name].combine_chunks() for name in piece.column_names}
            columns["part"] = pa.array(np.full(n, number, np.int32))
            columns["row"] = pa.array(np.arange(start, start + n, dtype=np.int32))
            places = curve.codes(columns["x"].to_numpy(), columns["y"].to_numpy(), survey.bounds)
            columns[CURVE] = pa.array(places)
            start += n
            yield pa.record_batch(
                [columns.get(field.name, pa.nulls(n, field.type)) for field in schema], schema=schema
            )
    if start != size:
        raise DataError(f"Part {number} in {root} was changed while the atlas was made.")
