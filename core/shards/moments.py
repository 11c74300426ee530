"""Mean and scatter of all vectors, merged from those of the parts, and the reductions that need no more than these."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core import parts
from core.config import KernelPCAConfig, ReductionConfig, TruncatedSVDConfig
from core.engines import Engine
from core.errors import ConfigError, DataError
from core.progress import Callback, ignore
from core.projection.checks import SMALL_WORK, batches, one_thread_if, ratio, signs
from core.projection.linear import Components, check_components
from core.shards.columns import Vectors, everywhere, read, write_missing

STAGE = "reduced"
NO_KERNEL = "Kernel PCA compares every image with every other and cannot be made over shards; choose PCA."


@dataclass(frozen=True, eq=False)
class Moments:
    """What n vectors have in common.

    Parameters
    ----------
    mean : float64 (d,). scatter : float64 (d, d), sum of the products of differences from the mean.
    low, high : float32 (d,), least and greatest value of each feature, by which one that never changes is told.
    """

    n: int
    mean: np.ndarray
    scatter: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def variances(self) -> np.ndarray:
        """Variance of each feature, float64 (d,)."""
        return np.diag(self.scatter) / max(1, self.n)


@dataclass(frozen=True, eq=False)
class Basis:
    """How vectors x are reduced: z = (x - offset) / scale, and of z - components.mean the parts along its directions.

    Parameters
    ----------
    offset, scale : float64 (d,); scale is infinite for a feature that never changes, which so becomes 0.
    explained : float32 (min(n, d),), share of the variance of z in each direction.
    """

    offset: np.ndarray
    scale: np.ndarray
    components: Components
    explained: np.ndarray

    def scores(self, values: np.ndarray, n_components: int | None) -> np.ndarray:
        """Reduce (rows, d) to float32 (rows, n_components), or only scale it where that is None."""
        width = values.shape[1] if n_components is None else n_components
        found = np.empty((len(values), width), np.float32)
        with one_thread_if(values.size * width < SMALL_WORK):
            for rows in batches(*values.shape):
                scaled = (values[rows] - self.offset) / self.scale  # (batch, d) float64
                if n_components is not None:
                    scaled = (scaled - self.components.mean) @ self.components.directions[:, :n_components]
                found[rows] = scaled
        return found


@dataclass(frozen=True, eq=False)
class ReducedParts:
    """What was written: n vectors of r numbers; the share of the variance in each, float32 (r,), or None of no reduction."""

    n: int
    n_components: int
    explained_variance_ratio: np.ndarray | None


def of_values(values: np.ndarray) -> Moments:
    """Return the moments of (rows, d)."""
    n, d = values.shape
    if n == 0:
        return Moments(0, np.zeros(d), np.zeros((d, d)), np.full(d, np.inf), np.full(d, -np.inf))
    mean, scatter = values.mean(axis=0, dtype=np.float64), np.zeros((d, d))
    with one_thread_if(n * d * d < SMALL_WORK):
        for rows in batches(n, d):
            part = values[rows] - mean  # (batch, d) float64
            scatter += part.T @ part
    return Moments(n, mean, scatter, values.min(axis=0), values.max(axis=0))


def merged(a: Moments, b: Moments) -> Moments:
    """Return the moments of the vectors of both.

    Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances (1979).

    Raises
    ------
    DataError : their vectors have different lengths.
    """
    if a.mean.shape != b.mean.shape:
        raise DataError(f"Some parts have vectors of {len(a.mean)} numbers, others of {len(b.mean)}.")
    n = a.n + b.n
    step, share = b.mean - a.mean, b.n / max(1, n)
    scatter = a.scatter + b.scatter + np.outer(step, step) * (a.n * share)
    return Moments(n, a.mean + step * share, scatter, np.minimum(a.low, b.low), np.maximum(a.high, b.high))


@dataclass(frozen=True)
class _Look:
    vectors: Vectors

    def __call__(self) -> Callable[[int], Moments]:
        return lambda at: of_values(read(self.vectors, at))


def moments(engine: Engine, vectors: Vectors, callback: Callback = ignore) -> Moments:
    """Find the moments of all vectors, part by part and merged in the parts' order: every engine finds the same.

    Raises
    ------
    DataError : a part cannot be read, or their vectors have different lengths. Cancelled : raised by the callback.
    """
    found: Moments | None = None
    for part in everywhere(engine, _Look(vectors), vectors, callback, "Means and variances"):
        found = part if found is None else merged(found, part)
    if found is None or found.n == 0:
        raise DataError(f"The parts of {vectors.stage} in {vectors.root} hold no images.")
    return found


def components(found: Moments, standardize: bool = False, centred: bool = True) -> Basis:
    """Find all principal components, exactly, as `core.projection.components` does.

    Parameters
    ----------
    standardize : first bring each feature to mean 0 and variance 1, those that never change to 0.
    centred : False gives the right singular vectors of the vectors as they are instead.
    """
    from scipy.linalg import eigh

    d, r = len(found.mean), min(found.n, len(found.mean))
    offset, scale, mean = np.zeros(d), np.ones(d), found.mean
    if standardize:
        spread = np.sqrt(found.variances)
        scale = np.where((found.low == found.high) | (spread == 0), np.inf, spread)
        offset, mean = found.mean, np.zeros(d)
    scatter = found.scatter / np.outer(scale, scale)
    matrix = scatter if centred else scatter + found.n * np.outer(mean, mean)
    with one_thread_if(d**3 < SMALL_WORK):
        directions = eigh(matrix)[1][:, ::-1][:, :r]  # (d, r), by falling eigenvalue
    directions = directions * signs(directions)
    variances, total = (
        np.einsum("ij,ik,kj->j", directions, scatter, directions, optimize=True),
        float(np.trace(scatter)),
    )
    kept = Components(mean if centred else np.zeros(d), directions, total / found.n)
    return Basis(offset, scale, kept, ratio(variances, total))


@dataclass(frozen=True, eq=False)
class _Reduce:
    vectors: Vectors
    basis: Basis
    n_components: int | None
    root: str
    key: str

    def __call__(self) -> Callable[[int], int]:
        def write(at: int) -> int:
            values = self.basis.scores(read(self.vectors, at), self.n_components)
            table = pa.table({"values": parts.vectors(values)})
            return parts.write(self.root, STAGE, self.vectors.numbers[at], table, self.key, {}).rows

        return write


def reduce(
    engine: Engine, vectors: Vectors, config: ReductionConfig, root: str, key: str, callback: Callback = ignore
) -> ReducedParts:
    """Standardise and reduce the vectors of every part as `core.projection.reduce` does, and write stage `reduced`.

    Parts that are there for this key stay.

    Raises
    ------
    ConfigError : more components than there are, or kernel PCA.
    DataError : a part cannot be read or written. Cancelled : raised by the callback.
    """
    method = config.method
    if isinstance(method, KernelPCAConfig):
        raise ConfigError(NO_KERNEL)
    found = moments(engine, vectors, callback)
    d = len(found.mean)
    if method is not None:
        check_components(method.n_components, found.n, d)
    basis = components(found, config.standardize, not isinstance(method, TruncatedSVDConfig))
    r = None if method is None else method.n_components
    write_missing(engine, _Reduce(vectors, basis, r, root, key), vectors, root, STAGE, key, callback, "Reducing")
    return ReducedParts(found.n, d if r is None else r, None if r is None else basis.explained[:r])
