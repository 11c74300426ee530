"""t-SNE: affinities of nearest neighbours, own descent, progress between iterations, cancelled by a callback that raises."""

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from core.config import Metric, TSNEConfig
from core.errors import ConfigError
from core.neighbours import Find, Graph, interpolation, known, search
from core.progress import Callback, Progress, ignore, stopwatch
from core.projection.checks import checked
from core.projection.linear import pca
from core.threads import allowed

# Iterations between previews.
PREVIEW_EVERY = 20
# Below, a second thread costs more than it brings.
PARALLEL_FROM = 5_000
# Iterations that a map needs to settle when it starts from one of the same images with another perplexity.
WARM_ITERATIONS = 60
# Images of the map that is shown first, and its iterations after 100 of exaggeration.
SAMPLE = 2_000
SAMPLE_ITERATIONS = 200
_INITIAL_STD = 1e-4


def tsne(
    values: np.ndarray,
    config: TSNEConfig,
    callback: Callback = ignore,
    *,
    start: np.ndarray | None = None,
    start_iter: int = WARM_ITERATIONS,
    graph: Graph | Find | None = None,
) -> tuple[np.ndarray, float]:
    """Lay (n, d) out in 1 to 3 dimensions so that near neighbours stay near.

    Progress counts iterations, those of early exaggeration included; every 20 iterations `metrics` holds "kl_divergence" and
    `preview` "coordinates", float32 (n, n_components). The map does not depend on the number of threads.

    Parameters
    ----------
    start : a map of the same images by t-SNE, (n, n_components), such as the one with the perplexity before. It is taken
        further by `start_iter` iterations, or `n_iter` when that is fewer, without exaggeration, and laid over the start
        by Procrustes analysis but for its size. The result is another optimum than that without a start.
    graph : `width` neighbours or more by the config's metric, from `core.neighbours.search`, when they are known,
        or what finds them.

    Returns
    -------
    coordinates : float32 (n, n_components), centred; with a start, centred where the start is.
    kl_divergence : Kullback-Leibler divergence of the final map, in nats, ≥ 0 but for its approximation.

    Raises
    ------
    ConfigError : fewer than 3 · perplexity + 1 images, a spectral start that cannot be computed, or a `start` or `graph`
        that does not fit.

    Notes
    -----
    van der Maaten and Hinton: Visualizing data using t-SNE (2008). Repulsion: see `Repulsion`. Learning rate n / exaggeration:
    Belkina et al. (2019). Neighbours: see `core.neighbours.search`. Init "sample" is the map of 2,000 random images, the
    others between the nearest of these, shrunk as the principal components are; until it is there each report shows all
    images. Against those it ends at a divergence higher by -0.2, +0.2 and +0.4 % in 2-D and by -0.1, 0.0 and 0.0 % in 3-D
    (10,000 MNIST digits, seeds 0 to 2), of 5,000 digits by +0.7, +0.6, 0.0 % and +0.2, -0.2, +0.2 %.
    """
    from core.projection.tsne_descent import Descent

    n = len(checked(values))
    check_perplexity(config.perplexity, n)
    if start is not None and start.shape != (n, config.n_components):
        raise ConfigError(f"A start of shape {start.shape} does not fit a map of ({n}, {config.n_components}).")
    early = config.early_exaggeration_iter if start is None else 0
    late = config.n_iter if start is None else min(config.n_iter, start_iter)
    sample = of_sample(values, config, callback) if start is None and config.init == "sample" else None
    near = known(graph, values, width(config), config.metric, callback)
    report = _Report(callback, early + late)
    callback(Progress("t-SNE", 0, early + late, "iteration"))
    threads = _threads(n)
    affinities = _affinities(n, config, threads, near)
    first = _start(values, affinities.P, config, sample) if start is None else start
    descent = Descent(affinities.P, first, threads)
    descent.run(early, config.early_exaggeration, PREVIEW_EVERY, report)
    descent.run(late, 1.0, PREVIEW_EVERY, report)
    coordinates, divergence = descent.map, descent.divergence()
    if start is not None:
        coordinates = _turned(start, coordinates)
    report.end(divergence, coordinates)
    return coordinates, divergence


class _Report:
    """Turn each stretch of the descent into a Progress. What `callback` raises passes through."""

    def __init__(self, callback: Callback, total: int) -> None:
        self.callback = callback
        self.total = total
        self.seconds_left = stopwatch(total)

    def __call__(self, done: int, divergence: float, coordinates: np.ndarray) -> None:
        self.callback(
            Progress(
                "t-SNE",
                done,
                self.total,
                "iteration",
                self.seconds_left(done),
                {"kl_divergence": divergence},
                {"coordinates": coordinates},
            )
        )

    def end(self, divergence: float, coordinates: np.ndarray) -> None:
        """Report that all is done."""
        self(self.total, divergence, coordinates)


def check_perplexity(perplexity: float, n: int) -> None:
    """Raise ConfigError when n images are too few for a perplexity."""
    needed = math.floor(3 * perplexity) + 1
    if n < needed:
        raise ConfigError(f"Perplexity {perplexity:g} needs at least {needed} images; this set has {n}.")


def _threads(n: int) -> int:
    return 1 if n < PARALLEL_FROM else min(4, allowed())


def width(config: TSNEConfig) -> int:
    """Return how many neighbours of each image a map needs: three times the perplexity."""
    return math.floor(3 * config.perplexity)


def neighbours(values: np.ndarray, perplexity: float, metric: Metric) -> Graph:
    """Find the neighbours that maps of (n, d) need with perplexities up to this one, or as many as there are images."""
    return search(checked(values), min(len(values) - 1, math.floor(3 * perplexity)), metric)


def _affinities(n: int, config: TSNEConfig, threads: int, graph: Graph) -> Any:
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    k = width(config)
    if len(graph.rows) != n or graph.k < k:
        raise ConfigError(
            f"Perplexity {config.perplexity:g} of {n} images needs {k} neighbours of each; "
            f"the graph has shape {graph.rows.shape}."
        )
    known = PrecomputedNeighbors(graph.rows[:, :k].astype(np.int64), graph.distances[:, :k].astype(np.float64))
    return PerplexityBasedNN(perplexity=config.perplexity, knn_index=known, n_jobs=threads)


def _turned(reference: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Return a map turned, mirrored and shifted onto another; its size, on which its divergence depends, stays."""
    from scipy.linalg import orthogonal_procrustes

    middle = reference.mean(axis=0, dtype=np.float64)
    centred = moved - moved.mean(axis=0, dtype=np.float64)
    turn, _ = orthogonal_procrustes(centred, reference - middle)
    return (centred @ turn + middle).astype(np.float32)


def of_sample(values: np.ndarray, config: TSNEConfig, callback: Callback = ignore) -> np.ndarray:
    """Lay (n, d) out by a map of `SAMPLE` random images, (n, n_components): the others lie between the nearest of these.

    Each report shows all images.
    """
    n = len(values)
    if n <= SAMPLE:
        return tsne(values, replace(config, init="pca"), callback)[0]
    rows, spread = interpolation(values, SAMPLE, config.metric, config.seed)

    def report(progress: Progress) -> None:
        preview = progress.preview and {"coordinates": spread(np.asarray(progress.preview["coordinates"]))}
        callback(replace(progress, stage="t-SNE of a sample", preview=preview))

    perplexity = min(config.perplexity, (SAMPLE - 1) // 3)
    small = replace(config, init="pca", perplexity=perplexity, early_exaggeration_iter=100, n_iter=SAMPLE_ITERATIONS)
    return spread(tsne(values[rows], small, report)[0])


def _start(values: np.ndarray, affinities: Any, config: TSNEConfig, sample: np.ndarray | None) -> np.ndarray:
    """Return the first map, float64 (n, n_components), of standard deviation 1e-4 along its first axis.

    A little noise (1e-6) parts points that coincide; axes the data does not have start with the noise alone.
    """
    n, k = len(values), config.n_components
    random = np.random.default_rng(config.seed)
    if config.init == "random":
        return random.normal(0, _INITIAL_STD, (n, k))
    start = np.zeros((n, k))
    if sample is not None:
        start[:] = sample - sample.mean(axis=0)
    elif config.init == "spectral":
        start = _spectral(affinities, k, config.seed)
    else:
        found = min(k, *values.shape)
        start[:, :found] = pca(values, found)[0]
    spread = start[:, 0].std()
    if spread > 0:
        start *= _INITIAL_STD / spread
    return start + random.normal(0, _INITIAL_STD / 100, (n, k))


def _spectral(affinities: Any, k: int, seed: int) -> np.ndarray:
    from openTSNE.initialization import spectral
    from scipy.sparse import SparseEfficiencyWarning
    from scipy.sparse.linalg import ArpackError

    n = affinities.shape[0]
    if n <= k + 1:
        raise ConfigError(f"A spectral start in {k} dimensions needs at least {k + 2} images; this set has {n}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SparseEfficiencyWarning)  # openTSNE factors a CSR matrix
        try:
            return np.asarray(spectral(affinities, k, random_state=seed, add_jitter=False))
        except ArpackError as error:
            raise ConfigError("The spectral start did not converge on these images; choose init 'pca'.") from error
