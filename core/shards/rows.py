"""All rows of a stage as one array that is never in memory: some of them are read when they are asked for."""

import numpy as np

from core.shards.columns import Vectors
from core.shards.sampling import gather


class Rows:
    """Stands for the float32 (n, d) of a stage, as far as functions that look at some of its rows need an array."""

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return self._vectors.n

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Return some rows, int (m,) or bool (n,), in their order, float32 (m, d)."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows, np.int64)
        at, own = self._vectors.located(rows)
        return gather(self._vectors, np.asarray(self._vectors.numbers)[at], own)
