"""What is selected, and which image is looked at."""

from dataclasses import dataclass

import numpy as np
import streamlit as st


@dataclass(frozen=True)
class Step:
    """What was selected, as bits, and what was shown at all: bits, too, or None for every image."""

    bits: bytes
    scope: bytes | None = None


@dataclass(frozen=True)
class History:
    """Selections of one set of images, oldest first; `at` is the one shown."""

    steps: tuple[Step, ...]
    at: int = 0


def history(fingerprint: str) -> History | None:
    """Return the selections of these images in this session, or None before the first."""
    found: History | None = st.session_state.setdefault("selections", {}).get(fingerprint)
    return found


def remember_history(fingerprint: str, new: History) -> None:
    """Remember the selections of these images."""
    st.session_state.setdefault("selections", {})[fingerprint] = new


def turn() -> int:
    """Return a number that is another one after each pick."""
    return int(st.session_state.get("turn", 0))


def next_turn() -> None:
    """Count a pick, whether or not it changed the selection."""
    st.session_state["turn"] = turn() + 1


def picked_in_order(fingerprint: str, rows: list[int]) -> list[int]:
    """Return rows in the order in which they came into the selection."""
    known = history(fingerprint)
    order: list[int] = []
    for step in () if known is None else known.steps[: known.at + 1]:
        bits = np.frombuffer(step.bits, np.uint8)
        inside = {row for row in rows if bits[row >> 3] >> (row & 7) & 1}
        order = [row for row in order if row in inside] + sorted(inside - set(order))
    return [row for row in order if row in set(rows)] or rows


def place_on_map(at: tuple[str, tuple[float, ...]] | None) -> None:
    """Note the model and the place on the map of a picture that was uploaded, and show it there."""
    if at != st.session_state.get("placed"):
        st.session_state["placed"] = at
        st.rerun()


def placed(model: str, dimensions: int) -> tuple[float, ...] | None:
    """Return where a picture that was uploaded belongs on a map of this model, or None."""
    found: tuple[str, tuple[float, ...]] | None = st.session_state.get("placed")
    return found[1] if found is not None and found[0] == model and len(found[1]) == dimensions else None


def cells(key: str) -> list[tuple[int, str]]:
    """Return row and column of the cells that are selected in a table."""
    return list(st.session_state[key]["selection"].get("cells", ()))


def look_at(fingerprint: str, row: int | None, onward: bool = False) -> None:
    """Note which of these images is under review; `onward`: the next one after it is to be. None for the first."""
    st.session_state.setdefault("under review", {})[fingerprint] = (row, onward)


def looked_at(fingerprint: str) -> tuple[int | None, bool]:
    """Return which of these images is under review, and whether the next one after it is to be."""
    found: tuple[int | None, bool] = st.session_state.get("under review", {}).get(fingerprint, (None, False))
    return found


def open_image(row: int | None) -> None:
    """Note which image is to be shown large; None for none."""
    st.session_state["opened"] = row


def opened_image() -> int | None:
    """Return the row of the image that is to be shown large, or None."""
    found: int | None = st.session_state.get("opened")
    return found
