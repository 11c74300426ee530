"""Which entries are read from: a shared lock on an entry's sidecar lives as long as the arrays that were read from it.

Who wants to take an entry away needs the exclusive lock, so what is in use stays, whichever process uses it. Where a
folder has no locks, the system keeps the content of a file that is mapped until nobody uses it, deleted or not.
"""

import contextlib
import os
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from core import locks, whole
from core.store.folders import SIDECAR

MOST = 200  # entries held open; beyond them only those with mapped arrays, as a process may have 1,024 open files


class Use:
    """A shared lock on an entry, given back when nothing refers to this any more."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.close = weakref.finalize(self, os.close, file)
        self.close.atexit = False


class Uses:
    """The entries that this process reads from."""

    def __init__(self) -> None:
        self._held: weakref.WeakValueDictionary[Path, Use] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def open(self, path: Path) -> Use | None:
        """Begin to use an entry; None where it is just being taken away.

        Raises
        ------
        OSError : it cannot be opened.
        """
        with self._lock:
            held = self._held.get(path)
            if held is not None and held.close.alive and locks.same_file(held.file, path / SIDECAR):
                return held
            use = Use(os.open(path / SIDECAR, os.O_RDONLY))
            with contextlib.suppress(OSError):  # no locks here
                if not locks.attempt(use.file, shared=True):
                    return None
            if not locks.same_file(use.file, path / SIDECAR):
                return None
            self._held[path] = use
            return use

    def hold(self, use: Use, arrays: Iterable[np.ndarray]) -> None:
        """Keep an entry in use as long as one of the arrays that were read from it, or a view of one, lives."""
        for array in arrays:
            owner = array.base if isinstance(array.base, np.ndarray) else array
            if isinstance(owner, np.memmap) or len(self._held) <= MOST:
                weakref.finalize(owner, _let_go, use).atexit = False

    def let_go(self) -> None:
        """Give back every lock; arrays that are mapped can still be read where the system keeps what is open."""
        with self._lock:
            for use in list(self._held.values()):
                use.close()


def take_away(path: Path) -> bool:
    """Take an entry away, unless somebody uses it; say whether it is gone.

    Raises
    ------
    OSError : it cannot be taken away, or is not there.
    """
    file = os.open(path / SIDECAR, os.O_RDWR)
    try:
        with contextlib.suppress(OSError):
            if not locks.attempt(file):
                return False
        if not locks.same_file(file, path / SIDECAR):
            return True
        if os.name != "nt":
            whole.remove(path)
            return True
    finally:
        os.close(file)
    try:
        whole.remove(path)
    except PermissionError:  # Windows: somebody has a file of it open
        return False
    return True


def _let_go(use: Use) -> None:
    """Do nothing: that its last reference goes is what gives a lock back."""
