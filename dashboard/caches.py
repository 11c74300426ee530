"""What the server keeps in memory though it could find or make it again: results, shared by all sessions."""

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

import streamlit as st

P = ParamSpec("P")
R = TypeVar("R", covariant=True)
_all: list[Any] = []


class Cached(Protocol[P, R]):
    """A function whose results are kept."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what was kept, or what the function returns."""

    def clear(self) -> None:
        """Forget its results."""


def cached(max_entries: int, show_spinner: bool | str = False) -> Callable[[Callable[P, R]], Cached[P, R]]:
    """Keep what a function returns, as `st.cache_resource` does, until nobody is there any more."""

    def decorated(make: Callable[P, R]) -> Cached[P, R]:
        kept: Any = st.cache_resource(max_entries=max_entries, show_spinner=show_spinner)(make)
        _all.append(kept)
        found: Cached[P, R] = kept
        return found

    return decorated


def forget() -> None:
    """Forget all of it; the next who comes has it found in the store or made again."""
    for kept in _all:
        kept.clear()
    st.cache_data.clear()
