"""Rows of an atlas written to a file while they are read, however many they are."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from core import formulas, whole
from core.atlas import asking
from core.atlas.columns import PICTURES, VECTORS, Filter, View
from core.atlas.conditions import rows_of
from core.atlas.rows import columns_of, selected
from core.atlas.table import Atlas
from core.errors import ConfigError, ExportError

BATCH = 32_768  # rows in memory at a time
_HARMLESS = "^[0-9A-Za-z_]"  # a text that begins so is no formula, in whatever spreadsheet


def save(
    atlas: Atlas,
    path: str | Path,
    kind: Literal["csv", "parquet"],
    view: View | None = None,
    filters: Sequence[Filter] = (),
    columns: Sequence[str] | None = None,
    cells: Literal["spreadsheet", "plain"] = "spreadsheet",
) -> int:
    """Write the rows of a view that all filters hold for to a file, whole or not at all; return how many.

    Parameters
    ----------
    columns : names of `atlas.fetched`; None: all but pictures and latents, which only Parquet can hold.
    cells : for a spreadsheet, a text in a CSV that it would run as a formula gets an apostrophe in front.

    Raises
    ------
    ConfigError : no such kind; a column or filter that cannot be. DataError : the table cannot be read.
    ExportError : the file cannot be written.
    """
    if kind not in ("csv", "parquet") or cells not in ("spreadsheet", "plain"):
        raise ConfigError(
            f"A table is written as csv or parquet, for a spreadsheet or plain; not as {kind!r:.40}, {cells!r:.40}."
        )
    wanted = columns_of(atlas, columns)
    if not wanted:
        raise ConfigError("A table of no columns cannot be written.")
    if kind == "csv" and not {PICTURES, VECTORS}.isdisjoint(wanted):
        raise ConfigError("A CSV holds neither pictures nor latents; Parquet does.")
    found = rows_of(atlas, view, filters)
    sql = f"SELECT {_in_order(atlas, wanted)} FROM {found.sql}"
    target = Path(path)
    made = whole.beside(target)
    change = _shielded if kind == "csv" and cells == "spreadsheet" else _same
    try:
        with asking.stream(atlas.connection, sql, found.parameters, BATCH) as reader:
            rows = _written(made, kind, reader, change)
        made.replace(target)
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        made.unlink(missing_ok=True)
    return rows


def _in_order(atlas: Atlas, wanted: Sequence[str]) -> str:
    return ", ".join(selected(atlas, [name], '"at"' if name == "at" else "") for name in wanted)


def _written(path: Path, kind: str, reader: pa.RecordBatchReader, change: Callable[[pa.Table], pa.Table]) -> int:
    """Write batches as they come; return their rows."""
    rows = 0
    first = change(reader.schema.empty_table())
    with path.open("wb") as file, _writer(file, kind, first.schema) as writer:
        for batch in reader:
            table = change(pa.Table.from_batches([batch]))
            writer.write_table(table)
            rows += table.num_rows
    return rows


def _writer(file: Any, kind: str, schema: pa.Schema) -> Any:
    if kind == "csv":
        import pyarrow.csv as csv

        return csv.CSVWriter(file, schema)
    import pyarrow.parquet as parquet

    return parquet.ParquetWriter(file, schema, compression="zstd")


def _same(table: pa.Table) -> pa.Table:
    return table


def _shielded(table: pa.Table) -> pa.Table:
    """Return a table whose texts and names no spreadsheet runs."""
    columns = [_safe(column) if pa.types.is_string(column.type) else column for column in table.columns]
    return pa.table(columns, names=[formulas.shielded(name) for name in table.column_names])


def _safe(column: pa.ChunkedArray) -> pa.ChunkedArray:
    odd = pc.invert(pc.match_substring_regex(column, _HARMLESS))
    if not pc.any(odd).as_py():
        return column
    texts = pa.array([formulas.shielded(text) for text in column.filter(odd).to_pylist()], pa.string())
    return pc.replace_with_mask(column.combine_chunks(), pc.fill_null(odd, False).combine_chunks(), texts)
