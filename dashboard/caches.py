"""What the server keeps in memory though it could find or make it again: results, shared by all sessions."""

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

F = TypeVar("F", bound=Callable[..., Any])
_all: list[Any] = []


def cached(max_entries: int, show_spinner: bool | str = False) -> Callable[[F], F]:
    """Keep what a function returns, as `st.cache_resource` does, until nobody is there any more."""

    def decorated(make: F) -> F:
        kept: Any = st.cache_resource(max_entries=max_entries, show_spinner=show_spinner)(make)
        _all.append(kept)
        return kept  # type: ignore[no-any-return]

    return decorated


def forget() -> None:
    """Forget all of it; the next who comes has it found in the store or made again."""
    for kept in _all:
        kept.clear()
    st.cache_data.clear()
