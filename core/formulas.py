"""Texts that a spreadsheet would run as formulas, shielded by an apostrophe in front, and the apostrophe taken off again."""

import re
import unicodedata
from collections.abc import Iterable

import pandas as pd

STARTS = "=+-@"  # also in their full-width and small forms, and after blanks
_FRONT = re.compile(r"'*(?:[\t\r\n]|[\s\x1c-\x1f\x85\ufeff\u200b-\u200f\u2060]*(.))", re.DOTALL)
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def is_formula(text: str) -> bool:
    """Say whether a spreadsheet may run a text, by itself or without the apostrophes in front of it."""
    found = _FRONT.match(text)
    return found is not None and (found[1] is None or unicodedata.normalize("NFKC", found[1])[:1] in tuple(STARTS))


def shielded(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet may run; plain numbers stay as they are."""
    return f"'{text}" if is_formula(text) and not _NUMBER.fullmatch(text) else text


def plain(text: str) -> str:
    """Take off the apostrophe that `shielded` puts in front."""
    return text[1:] if text.startswith("'") and is_formula(text[1:]) else text


def shielded_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts and column names are shielded; numbers, flags and gaps stay as they are."""
    safe = frame.copy()
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            safe[name] = pd.Series(_values(frame[name]), frame.index, dtype=object)
    safe.columns = [shielded(str(name)) for name in frame.columns]
    return safe


def _values(column: Iterable[object]) -> list[object]:
    return [shielded(value) if isinstance(value, str) else value for value in column]
