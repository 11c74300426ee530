"""Maps of all parts: PCA of every row, or t-SNE and UMAP of a sample among which the rest is placed by all workers."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from core import parts
from core.config import KernelPCAConfig, Metric, PCAConfig, ProjectionConfig, TSNEConfig, UMAPConfig
from core.engines import Engine
from core.errors import ConfigError
from core.progress import Callback, Progress, ignore
from core.projection import check_size
from core.projection import project as fit
from core.projection.linear import check_components
from core.projection.placing import ROWS, placer
from core.projection.sampling import JUDGED, KEPT
from core.shards.columns import Vectors, read, write_missing
from core.shards.moments import NO_KERNEL, Basis, components, moments
from core.shards.nearest import nearest
from core.shards.sampling import gather, stratified

SAMPLE = 20_000  # rows that t-SNE and UMAP are fitted on where their config does not say
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Kept:
    """Share, in [0, 1], of the nearest neighbours that are among the nearest on the map: of `judged` rows among all n.

    `se` is the standard error of the mean over the rows judged, as a sample of those there are.
    """

    share: float
    se: float
    judged: int


@dataclass(frozen=True, eq=False)
class Placed:
    """A map of n rows.

    Parameters
    ----------
    fitted : rows that it was fitted on, n of PCA; the others were placed by their neighbours among those.
    kept_fitted, kept_placed : of the 10 nearest neighbours, or as many as there are; None where there are no such rows.
    explained_variance_ratio : float32 (2 or 3,), of PCA. kl_divergence : nats, of t-SNE, of the fitted rows.
    """

    n: int
    fitted: int
    kept_fitted: Kept | None
    kept_placed: Kept | None
    explained_variance_ratio: np.ndarray | None = None
    kl_divergence: float | None = None


def project(
    engine: Engine,
    vectors: Vectors,
    config: ProjectionConfig,
    n_components: int,
    root: str,
    key: str,
    callback: Callback = ignore,
    sample_default: int = SAMPLE,
) -> Placed:
    """Lay all rows out in 2 or 3 dimensions and write stage `map2` or `map3`; parts that are there for this key stay.

    t-SNE and UMAP are fitted on `config.sample` rows, or `sample_default`, in proportion from strata; of fewer, on all.

    Raises
    ------
    ConfigError : kernel PCA, not 2 or 3 dimensions, or a setting that does not fit the number of rows.
    DataError : a part cannot be read or written. Cancelled : raised by the callback.
    """
    if n_components not in (2, 3):
        raise ConfigError(f"A map has 2 or 3 dimensions; n_components is {n_components}.")
    if isinstance(config, KernelPCAConfig):
        raise ConfigError(NO_KERNEL)
    config, stage = replace(config, n_components=n_components), f"map{n_components}"
    if isinstance(config, PCAConfig):
        return _linear(engine, vectors, config, root, stage, key, callback)
    return _sampled(engine, vectors, config, (root, stage, key), callback, sample_default)


def _linear(
    engine: Engine, vectors: Vectors, config: PCAConfig, root: str, stage: str, key: str, callback: Callback
) -> Placed:
    found = moments(engine, vectors, callback)
    check_components(config.n_components, found.n, len(found.mean))
    basis = components(found)
    made = _Write(vectors, _AlongAxes(basis, config.n_components), None, (root, stage, key))
    write_missing(engine, made, vectors, root, stage, key, callback, "PCA")
    chosen = np.sort(_random(0).choice(vectors.n, min(JUDGED, vectors.n), replace=False))
    (kept,) = _kept(engine, vectors, (root, stage), config.n_components, [chosen], "euclidean", callback)
    return Placed(vectors.n, vectors.n, kept, None, basis.explained[: config.n_components])


def _sampled(
    engine: Engine, vectors: Vectors, config: TSNEConfig | UMAPConfig, target: tuple[str, str, str],
    callback: Callback, default: int,
) -> Placed:  # fmt: skip
    m = min(vectors.n, default if config.sample is None else config.sample)
    check_size(replace(config, sample=None), m)
    sample = stratified(engine, vectors, m, config.seed, callback)
    found = fit(sample.values, replace(config, sample=None), _without_preview(callback))
    there = _There(sample.numbers, sample.rows, found.coordinates)
    make = _Write(vectors, _ByNeighbours(sample.values, found.coordinates, config.metric), there, target)
    write_missing(engine, make, vectors, *target, callback, "Placing the others")
    running = sample.running(vectors)
    random = _random(config.seed)
    groups = [np.sort(random.choice(running, min(JUDGED, m), replace=False)), _others(running, vectors.n, random)]
    kept = _kept(engine, vectors, target[:2], config.n_components, groups, config.metric, callback)
    return Placed(vectors.n, m, kept[0], kept[1], kl_divergence=found.kl_divergence)


def _without_preview(callback: Callback) -> Callback:
    """Tell no one of a map of the sample as if it were one of all."""

    def told(progress: Progress) -> None:
        callback(replace(progress, preview=None))

    return told


@dataclass(frozen=True, eq=False)
class _AlongAxes:
    """Makes what lays vectors out along principal components."""

    basis: Basis
    n_components: int

    def __call__(self) -> Callable[[np.ndarray], np.ndarray]:
        return lambda values: self.basis.scores(values, self.n_components)


@dataclass(frozen=True, eq=False)
class _ByNeighbours:
    """Makes what places vectors by their neighbours among the fitted values (m, d) at places (m, 2 or 3)."""

    values: np.ndarray
    places: np.ndarray
    metric: Metric

    def __call__(self) -> Callable[[np.ndarray], np.ndarray]:
        place, width = placer(self.values, self.places, self.metric), self.places.shape[1]

        def laid_out(values: np.ndarray) -> np.ndarray:
            found = np.empty((len(values), width), np.float32)
            for start in range(0, len(values), ROWS):
                found[start : start + ROWS] = place(values[start : start + ROWS])
            return found

        return laid_out


@dataclass(frozen=True, eq=False)
class _There:
    """Rows that have a place already: numbers of their parts, rows there, and coordinates, in the order of the parts."""

    numbers: np.ndarray
    rows: np.ndarray
    places: np.ndarray


@dataclass(frozen=True, eq=False)
class _Write:
    vectors: Vectors
    layout: Callable[[], Callable[[np.ndarray], np.ndarray]]
    there: _There | None
    target: tuple[str, str, str]

    def __call__(self) -> Callable[[int], int]:
        lay_out = self.layout()

        def write(at: int) -> int:
            values, number = read(self.vectors, at), self.vectors.numbers[at]
            fitted = np.full(len(values), self.there is None)
            if self.there is None:
                places = lay_out(values)
            else:
                own = self.there.numbers == number
                fitted[self.there.rows[own]] = True
                places = np.empty((len(values), self.there.places.shape[1]), np.float32)
                places[self.there.rows[own]] = self.there.places[own]
                places[~fitted] = lay_out(values[~fitted])
            columns = {axis: places[:, i].copy() for i, axis in enumerate(AXES[: places.shape[1]])}
            root, stage, key = self.target
            return parts.write(root, stage, number, pa.table({**columns, "fitted": fitted}), key, {}).rows

        return write


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, 1])


def _others(taken: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    """Draw up to 1,000 of the n rows that are not among those taken, int64 (m,), rising; memory hangs on m alone."""
    count = min(JUDGED, n - len(taken))
    ranks = np.sort(random.choice(n - len(taken), count, replace=False)) if count else np.empty(0, np.int64)
    before = np.searchsorted(taken - np.arange(len(taken)), ranks, side="right")  # taken rows up to each one
    return np.asarray(ranks + before)


def _kept(
    engine: Engine, vectors: Vectors, target: tuple[str, str], width: int, groups: list[np.ndarray],
    metric: Metric, callback: Callback,
) -> list[Kept | None]:  # fmt: skip
    """Look how many of the neighbours of some groups of rows are kept on the map, as `core.projection.sampling.kept`."""
    own, k = np.concatenate(groups), min(KEPT, vectors.n - 1)
    if k < 1:
        return [None for _ in groups]
    spots = Vectors(*target, AXES[:width], vectors.numbers, vectors.sizes)
    at, rows = vectors.located(own)
    numbers, found = np.asarray(vectors.numbers)[at], []
    for where, by in ((vectors, metric), (spots, "euclidean")):
        queries = gather(where, numbers, rows, callback, engine)
        found.append(nearest(engine, where, queries, own, k, by, callback).rows)  # (q, k)
    shares = (found[0][:, :, None] == found[1][:, None, :]).any(axis=2).mean(axis=1)
    return [_mean(part) for part in np.split(shares, np.cumsum([len(group) for group in groups])[:-1])]


def _mean(shares: np.ndarray) -> Kept | None:
    if len(shares) == 0:
        return None
    se = float(shares.std(ddof=1) / np.sqrt(len(shares))) if len(shares) > 1 else float("nan")
    return Kept(float(shares.mean()), se, len(shares))
