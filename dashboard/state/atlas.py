"""What the browser shows of an atlas, and what it asked for last."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

Edges = tuple[float, float, float, float]


@dataclass(frozen=True)
class Seen:
    """What the browser shows of the atlas with this key.

    Parameters
    ----------
    view : (x0, x1, y0, y1) of the canvas. rested : the one where the last movement ended, which the panels count in.
    width, height : of the canvas in pixels, 0 until the browser has said; dark : whether its page is.
    number : of what it asked last. look : rows whose pictures it asked for.
    turn : another number makes the browser go to `view`. mark : a place on the map with a ring around it.
    """

    key: str
    view: Edges
    rested: Edges
    width: int = 0
    height: int = 0
    dark: bool = False
    number: int = 0
    look: tuple[int, ...] = ()
    turn: int = 0
    mark: tuple[float, float] | None = None


def atlas_seen(key: str) -> Seen | None:
    """Return what the browser shows of an atlas, None before it has shown any of it."""
    found: Seen | None = st.session_state.get("atlas seen")
    return found if found is not None and found.key == key else None


def remember_atlas_seen(seen: Seen) -> None:
    """Remember what the browser shows; of an atlas shown before nothing is kept."""
    st.session_state["atlas seen"] = seen


def sent(key: str, name: str) -> Any:
    """Return what a component's script sent under a name; only in its callback."""
    return st.session_state[key].get(name)
