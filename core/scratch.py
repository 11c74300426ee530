"""Arrays that may be larger than the memory: small ones lie in it, large ones in a file that is gone when they are."""

import os
import tempfile
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from core.store import default_root

LARGE = 64 << 20  # bytes from which an array lies in a file
ROWS_BYTES = 8 << 20  # copied at a time


def empty(shape: Sequence[int], dtype: DTypeLike) -> np.ndarray:
    """Return an array to be filled: above `LARGE` bytes memory-mapped, in a file without a name beside the store's entries.

    The file's space is taken at once, where the system can, so that a full disk is an error here and not while it is filled;
    on a disk that cannot hold it, the array lies in memory.
    """
    kind = np.dtype(dtype)
    size = int(np.prod([int(side) for side in shape], dtype=object)) * kind.itemsize
    if size <= LARGE:
        return np.empty(shape, kind)
    try:
        root = default_root()
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix=".scratch-", dir=root) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return np.memmap(file, kind, "r+", shape=tuple(shape))
    except OSError:
        return np.empty(shape, kind)


def is_mapped(array: np.ndarray) -> bool:
    """Say whether an array is a view of a file and not of memory."""
    found: object = array
    while isinstance(found, np.ndarray):
        if isinstance(found, np.memmap):
            return True
        found = found.base
    return False


def take(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return some rows of an array, as `array[rows]`, a piece at a time when they are many."""
    made = empty((len(rows), *array.shape[1:]), array.dtype)
    step = _step(array)
    for start in range(0, len(rows), step):
        made[start : start + step] = array[rows[start : start + step]]
    return made


def joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return arrays one after another, as `np.concatenate`, a piece at a time when they are large."""
    made = empty((sum(map(len, arrays)), *arrays[0].shape[1:]), np.result_type(*arrays))
    at = 0
    for array in arrays:
        step = _step(array)
        for start in range(0, len(array), step):
            part = array[start : start + step]
            made[at : at + len(part)] = part
            at += len(part)
    return made


def in_order(array: np.ndarray) -> np.ndarray:
    """Return an array whose values lie row by row: itself, or a copy of one that is laid out otherwise."""
    return array if array.flags.c_contiguous else joined([array])


def _step(array: np.ndarray) -> int:
    return max(1, ROWS_BYTES // max(1, array.itemsize * int(np.prod(array.shape[1:]))))
