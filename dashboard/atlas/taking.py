"""What matches, as a file: made when its button is pressed, of bounded size."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import streamlit as st

from core.atlas import queries
from core.atlas.columns import PICTURES, VECTORS
from core.atlas.table import Atlas, Filter, View
from dashboard import components, spreadsheet, state
from dashboard.atlas import answers

MOST_ROWS = 1_000_000
Kind = Literal["csv", "parquet"]
MIMES: dict[Kind, str] = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


def show(atlas: Atlas, view: View | None, rules: tuple[Filter, ...], words: str) -> None:
    """Draw the buttons that save what matches."""
    names = [name for name in atlas.fetched if name not in (PICTURES, VECTORS)]
    columns = st.multiselect(
        "Columns", names, key=state.kept("atlas.columns.taken", names, names), format_func=components.printable,
        help="Pictures and latents are not among them: they lie in the run's folder.",
    )  # fmt: skip
    count = answers.count(atlas, view, rules)
    st.markdown(f"**{count:,} images** {words} match.")
    if count > MOST_ROWS:
        st.info(
            f"{count:,} rows are more than the {MOST_ROWS:,} that are sent to a browser. Zoom in or filter more, or read the "
            "Parquet files in the folder `atlas` of the run: they hold all rows.",
            icon=":material/download:",
        )  # fmt: skip
        return
    if not count or not columns:
        st.caption("There is nothing to save." if not count else "Choose a column.")
        return
    line = components.control_line()
    for kind, mime in MIMES.items():
        line.download_button(
            f"{kind.upper() if kind == 'csv' else 'Parquet'}, {count:,} rows", _make(atlas, view, rules, kind, tuple(columns)),
            f"atlas-{count}.{kind}", mime, on_click="ignore", icon=":material/download:", key=f"atlas.save.{kind}",
        )  # fmt: skip
    spreadsheet.switch()


def _make(
    atlas: Atlas, view: View | None, rules: tuple[Filter, ...], kind: Kind, columns: tuple[str, ...]
) -> Callable[[], bytes]:
    """Return what writes the file, for the kind of spreadsheet that is chosen now."""
    cells = spreadsheet.kind()

    def made() -> bytes:
        with tempfile.TemporaryDirectory(prefix="embedding-explorer-") as folder:
            path = Path(folder) / f"atlas.{kind}"
            queries.save(atlas, path, kind, view, rules, columns, cells)
            return path.read_bytes()

    return made
