"""t-SNE by openTSNE: exact neighbours, progress between iterations, cancelled by a callback that raises."""

import math
import warnings
from typing import Any

import numpy as np

from core.config import TSNEConfig
from core.errors import ConfigError
from core.progress import Callback, Progress, ignore, stopwatch
from core.projection.checks import checked
from core.projection.linear import pca
from core.projection.neighbors import EXACT_LIMIT, nearest

# Iterations between previews; between reports on large sets fewer, so that a cancel is heard within about a second.
PREVIEW_EVERY = 20
# From here on the interpolation method, whose cost grows with the map's area, beats the Barnes-Hut tree.
FFT_FROM = 20_000
# Below, a second thread costs more than it brings.
PARALLEL_FROM = 5_000
_INITIAL_STD = 1e-4


def tsne(values: np.ndarray, config: TSNEConfig, callback: Callback = ignore) -> tuple[np.ndarray, float]:
    """Lay (n, d) out in 1 to 3 dimensions so that near neighbours stay near.

    Progress counts iterations, those of early exaggeration included; `metrics` holds "kl_divergence" and about every 20
    iterations `preview` holds "coordinates", float32 (n, n_components).

    Returns
    -------
    coordinates : float32 (n, n_components), centred.
    kl_divergence : Kullback-Leibler divergence of the final map, in nats, ≥ 0 but for its approximation.

    Raises
    ------
    ConfigError : fewer than 3 · perplexity + 1 images, or a spectral start that cannot be computed.

    Notes
    -----
    van der Maaten and Hinton: Visualizing data using t-SNE (2008); Barnes-Hut: van der Maaten (2014), up to 20,000 images
    and in 3-D; above that in 2-D by interpolation: Linderman et al. (2019). Learning rate n / exaggeration: Belkina et al.
    (2019). Exact neighbours up to 20,000 images, above openTSNE's approximate ones.
    """
    from openTSNE import TSNEEmbedding

    n = len(checked(values))
    check_perplexity(config.perplexity, n)
    total = config.early_exaggeration_iter + config.n_iter
    callback(Progress("t-SNE", 0, total, "iteration"))
    threads = _threads(n)
    affinities = _affinities(values, config, threads)
    embedding = TSNEEmbedding(
        _start(values, affinities.P, config),
        affinities,
        negative_gradient_method="fft" if n >= FFT_FROM and config.n_components < 3 else "bh",
        random_state=config.seed,
        n_jobs=threads,
        momentum=0.8,
        learning_rate="auto",
        callbacks_every_iters=max(1, min(PREVIEW_EVERY, 200_000 // n)),
    )
    report = _Report(callback, total)
    if config.early_exaggeration_iter:
        embedding.optimize(
            config.early_exaggeration_iter,
            exaggeration=config.early_exaggeration,
            inplace=True,
            callbacks=report,
        )
    report.before = config.early_exaggeration_iter
    embedding.optimize(config.n_iter, inplace=True, callbacks=report)
    coordinates = np.asarray(embedding, dtype=np.float32)
    divergence = float(embedding.kl_divergence)
    callback(
        Progress("t-SNE", total, total, "iteration", 0.0, {"kl_divergence": divergence}, {"coordinates": coordinates})
    )
    return coordinates, divergence


class _Report:
    """openTSNE's callback: turn (iteration, error, embedding) into a Progress. What `callback` raises passes through."""

    def __init__(self, callback: Callback, total: int) -> None:
        self.callback = callback
        self.total = total
        self.before = 0  # iterations of the phases that are over
        self.previewed = 0
        self.seconds_left = stopwatch(total)

    def __call__(self, iteration: int, error: float, embedding: np.ndarray) -> bool:
        done = self.before + iteration
        preview = None
        if done - self.previewed >= PREVIEW_EVERY:
            self.previewed = done
            preview = {"coordinates": np.array(embedding, dtype=np.float32)}  # a copy: it goes on moving
        metrics = {"kl_divergence": float(error)}
        self.callback(Progress("t-SNE", done, self.total, "iteration", self.seconds_left(done), metrics, preview))
        return False


def check_perplexity(perplexity: float, n: int) -> None:
    """Raise ConfigError when n images are too few for a perplexity."""
    needed = math.floor(3 * perplexity) + 1
    if n < needed:
        raise ConfigError(f"Perplexity {perplexity:g} needs at least {needed} images; this set has {n}.")


def _threads(n: int) -> int:
    from joblib import cpu_count

    return 1 if n < PARALLEL_FROM else min(4, cpu_count())


def _affinities(values: np.ndarray, config: TSNEConfig, threads: int) -> Any:
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    if len(values) > EXACT_LIMIT:
        return PerplexityBasedNN(
            values, config.perplexity, metric=config.metric, n_jobs=threads, random_state=config.seed
        )
    indices, distances = nearest(values, math.floor(3 * config.perplexity), config.metric)
    known = PrecomputedNeighbors(indices, distances)
    return PerplexityBasedNN(perplexity=config.perplexity, knn_index=known, n_jobs=threads)


def _start(values: np.ndarray, affinities: Any, config: TSNEConfig) -> np.ndarray:
    """Return the first map, float64 (n, n_components), of standard deviation 1e-4 along its first axis.

    A little noise (1e-6) parts points that coincide; axes the data does not have start with the noise alone.
    """
    n, k = len(values), config.n_components
    random = np.random.default_rng(config.seed)
    if config.init == "random":
        return random.normal(0, _INITIAL_STD, (n, k))
    start = np.zeros((n, k))
    if config.init == "spectral":
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
