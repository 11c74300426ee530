"""CSV as this session wants it: for a spreadsheet, which must run no text of it as a formula, or plain."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from core import tables
from dashboard import state


def switch() -> None:
    """Let the reader choose for what the CSV files of all pages are."""
    st.toggle(
        "CSV for a spreadsheet", key=state.setting("csv.spreadsheet", True),
        help="Texts that a spreadsheet would run as formulas get an apostrophe in front. Off: plain, letter by letter. "
        "Predictions are always plain; corrections can be brought in again either way.",
    )  # fmt: skip


def kind() -> tables.Csv:
    """Return what was chosen."""
    return "spreadsheet" if state.value("csv.spreadsheet", True) else "plain"


def csv(make: Callable[[], pd.DataFrame]) -> Callable[[], bytes]:
    """Return what writes a table, which is made when its button is pressed, as CSV of the kind that is chosen now."""
    chosen = kind()
    return lambda: tables.csv(make(), chosen)
