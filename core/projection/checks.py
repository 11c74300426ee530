"""Checks and numerical helpers that every reduction and map shares."""

from collections.abc import Iterator

import numpy as np

from core.errors import ConfigError, DataError
from core.threads import SMALL_WORK as SMALL_WORK
from core.threads import one_thread_if as one_thread_if


def checked(values: np.ndarray) -> np.ndarray:
    """Return `values` if they are a finite (n, d) array with n, d ≥ 1.

    Raises
    ------
    DataError : another shape, no rows or columns, or a value that is not finite.
    """
    if values.ndim != 2 or 0 in values.shape:
        raise DataError(f"Values must be a table of images × numbers; this array has shape {values.shape}.")
    bad = sum(int(np.count_nonzero(~np.isfinite(values[rows]).all(axis=1))) for rows in batches(*values.shape))
    if bad:
        raise DataError(f"{bad} of {len(values)} rows hold values that are not finite.")
    return values


def checked_components(n_components: int, limit: int, reason: str) -> int:
    """Return `n_components` if it is at most `limit`; `reason` says in words where the limit comes from.

    Raises
    ------
    ConfigError : more components than there can be.
    """
    if n_components > limit:
        raise ConfigError(f"n_components {n_components} must be at most {limit}: {reason}.")
    return n_components


def batches(n: int, width: int) -> Iterator[slice]:
    """Yield slices that cover n rows, so that a float64 batch of `width` columns stays near 32 MB."""
    step = max(1, 4_000_000 // max(1, width))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def signs(vectors: np.ndarray) -> np.ndarray:
    """Return the signs (k,) that make the largest entry of each column of (m, k) positive; the first of equals."""
    size = np.abs(vectors)
    first = np.argmax(size >= size.max(axis=0) * (1 - 1e-6), axis=0)
    return np.where(vectors[first, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)


def ratio(variances: np.ndarray, total: float) -> np.ndarray:
    """Return each variance's share of `total`, float32 in [0, 1]; zeros where nothing varies."""
    if total <= 0:
        return np.zeros(len(variances), np.float32)
    return np.clip(variances / total, 0, 1).astype(np.float32)
