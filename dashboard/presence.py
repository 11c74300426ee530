"""Whether anybody is there: once nobody is, what is only in memory goes, and the memory goes back to the system."""

import contextlib
import ctypes
import threading
from collections.abc import Callable

import streamlit as st
from streamlit import runtime

from dashboard import caches

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # of mallopt, in glibc's malloc.h
LARGE_BLOCK = 1 << 20  # bytes; set by hand, the threshold is no longer raised by what was freed
ARENAS = 2  # heaps at most; every run of a page is a new thread, and would leave something in one of many
LOOK_SECONDS = 60.0


class Presence:
    """The sessions that were seen; safe to call from any thread. `active` says whether one is connected."""

    def __init__(self, active: Callable[[str], bool]) -> None:
        self._active = active
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def seen(self, session: str) -> None:
        """Remember that a session is there."""
        with self._lock:
            self._seen.add(session)

    def all_left(self) -> bool:
        """Say, once, that all who were seen have left."""
        with self._lock:
            there = {session for session in self._seen if self._active(session)}
            left, self._seen = bool(self._seen) and not there, there
            return left


def look(presence: Presence, trim: Callable[[int], object]) -> None:
    """Forget results when all have left, and give back what is free."""
    if presence.all_left():
        caches.forget()
    trim(0)


@st.cache_resource
def of_server() -> Presence:
    """Return the one of this server, which looks once a minute from then on."""
    found = Presence(_is_active)
    trim: Callable[[int], object] = bool
    with contextlib.suppress(OSError, AttributeError, TypeError):  # of another library, or another system
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        library.mallopt(M_ARENA_MAX, ARENAS)
        trim = library.malloc_trim
    threading.Thread(target=_watch, args=(found, trim), daemon=True).start()
    return found


def _is_active(session: str) -> bool:
    try:
        return runtime.get_instance().is_active_session(session)
    except RuntimeError:  # a page that was tested alone: nobody can be asked
        return True


def _watch(presence: Presence, trim: Callable[[int], object]) -> None:
    while True:  # as long as this process
        threading.Event().wait(LOOK_SECONDS)
        look(presence, trim)
