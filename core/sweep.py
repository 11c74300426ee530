"""The same clustering for several k, each scored.

Scores: inertia; silhouette (Rousseeuw, 1987); Calinski and Harabasz, A dendrite method for cluster analysis (1974);
Davies and Bouldin, A cluster separation measure (1979); stability under resampling (Ben-Hur, Elisseeff, Guyon, A
stability based method for discovering structure in clustered data, 2002; Lange, Roth, Braun, Buhmann,
Stability-based validation of clustering solutions, 2004).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np

from core import timing
from core.clustering import Clustering, cluster, one_more
from core.config import AnalysisConfig, ClusterConfig, ClusterMethod, KMeansConfig, clusters_of, with_clusters
from core.config.checks import whole
from core.errors import ConfigError
from core.progress import Callback, Progress, ignore, stopwatch
from core.projection.checks import checked
from core.quality import SILHOUETTE_SAMPLE, ari
from core.store import Entry

SHARE = 0.8  # of the images in each subsample
SCORES: Mapping[str, str] = MappingProxyType(
    {
        "silhouette": "silhouette",
        "calinski_harabasz": "Calinski–Harabasz",
        "davies_bouldin": "Davies–Bouldin",
        "stability": "stability",
    }
)
LOWER = ("davies_bouldin",)
EXPLANATIONS: Mapping[str, str] = MappingProxyType(
    {
        "inertia": "Sum of squared distances to the cluster means. It always falls with k; look for the bend.",
        "silhouette": "How much nearer images lie to their own cluster than to the next one. -1 to 1, higher is better.",
        "calinski_harabasz": "Variance between clusters over variance within them, each by its degrees of freedom. "
        "From 0 up, higher is better.",
        "davies_bouldin": "How wide clusters are against their distance to the one most like them, on average. From 0 up, "
        "lower is better.",
        "stability": "How alike the clusters come out when 80 % of the images are drawn anew: adjusted Rand index on the "
        "images that two draws share. 0 is chance, 1 the same clusters, higher is better.",
    }
)


@dataclass(frozen=True)
class SweepConfig(AnalysisConfig):
    """Cluster with each k of `ks`.

    Parameters
    ----------
    method : how to cluster; its own `n_clusters` counts for nothing, and is set to the first k.
    ks : numbers of clusters, rising, each at least 2.
    subsamples : draws by which stability is judged; each two are compared.
    most : images that are clustered at most; of more, a random sample.
    seed : of the samples.
    """

    method: ClusterMethod = field(default_factory=KMeansConfig)
    ks: tuple[int, ...] = tuple(range(2, 16))
    subsamples: int = 5
    most: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if clusters_of(self.method) is None:
            raise ConfigError(
                f"{type(self.method).__name__} takes no number of clusters, so there is no k to choose."
            )
        if not self.ks or list(self.ks) != sorted(set(self.ks)):
            raise ConfigError(f"ks {list(self.ks)} must be different numbers, rising.")
        for k in self.ks:
            whole("k", k, 2)
        whole("subsamples", self.subsamples, 2, 100)
        whole("most", self.most, 10)
        whole("seed", self.seed, 0, 2**32 - 1)
        object.__setattr__(self, "method", with_clusters(self.method, self.ks[0]))


@dataclass(frozen=True, eq=False)
class Sweep:
    """Scores of m numbers of clusters; NaN where a score has no meaning.

    Parameters
    ----------
    ks : int32 (m,), rising.
    inertia : float64 (m,), sum of squared distances to the cluster means, ≥ 0.
    silhouette : float64 (m,) in [-1, 1], of the same random sample for every k.
    calinski_harabasz, davies_bouldin : float64 (m,), ≥ 0; of the latter less is better.
    stability : float64 (m,) in [-0.5, 1], mean adjusted Rand index of each two subsamples on the images they share.
    n, fitted : images that there are, and that were clustered.
    note : why the larger k that were asked for are not there; "" when all are.
    """

    ks: np.ndarray
    inertia: np.ndarray
    silhouette: np.ndarray
    calinski_harabasz: np.ndarray
    davies_bouldin: np.ndarray
    stability: np.ndarray
    n: int
    fitted: int
    note: str = ""


def sweep(values: np.ndarray, config: SweepConfig, callback: Callback = ignore) -> Sweep:
    """Cluster (n, d) with each k and score it.

    KMeans of one more cluster also goes on from the one before, which stays where its inertia is lower. The draws that judge
    stability do not: clusters that all come from one start would look more stable than they are.

    Raises
    ------
    ConfigError : not even the smallest k works. DataError : not a finite (n, d) array.
    """
    n, rng = len(checked(values)), np.random.default_rng(config.seed)
    if n > config.most:
        values = values[np.sort(rng.choice(n, config.most, replace=False))]
    size = max(2, round(SHARE * len(values)))
    draws = [
        np.sort(rng.choice(len(values), min(size, len(values)), replace=False)) for _ in range(config.subsamples)
    ]
    sample = np.sort(rng.choice(len(values), min(SILHOUETTE_SAMPLE, len(values)), replace=False))
    between = _distances(values[sample])
    rows: list[dict[str, float]] = []
    before: Clustering | None = None
    note, total = "", len(config.ks) * (1 + len(draws))
    left = stopwatch(total)

    def done(k: int, extra: int) -> None:
        count = len(rows) * (1 + len(draws)) + extra
        callback(Progress(f"Trying k = {k}", count, total, "clustering", left(count)))

    for k in config.ks:
        done(k, 0)
        method = with_clusters(config.method, k)
        try:
            before = _clustered(values, method, before)
        except ConfigError as error:
            if not rows:
                raise
            note = f"Larger k than {int(rows[-1]['ks'])} were left out. {error}"
            break
        found = {"ks": float(k)} | _scores(values, before.labels, sample, between)
        parts: list[np.ndarray | None] = []
        for draw in draws:
            done(k, 1 + len(parts))
            parts.append(_labels_or_none(values[draw], method))
        rows.append(found | {"stability": _stability(draws, parts, len(values))})
    callback(Progress(f"Trying k = {k}", total, total, "clustering", 0.0))
    columns: Any = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Sweep(**columns | {"ks": columns["ks"].astype(np.int32)}, n=n, fitted=len(values), note=note)


def _clustered(values: np.ndarray, method: ClusterMethod, before: Clustering | None) -> Clustering:
    found = cluster(values, method)
    if not isinstance(method, KMeansConfig) or before is None or before.k + 1 != method.n_clusters:
        return found
    try:
        warm = one_more(values, method, before)
    except ConfigError:  # too few iterations to leave no cluster empty
        return found
    return warm if warm.inertia < found.inertia else found


def _labels_or_none(values: np.ndarray, method: ClusterMethod) -> np.ndarray | None:
    try:
        return cluster(values, method).labels
    except ConfigError:  # a draw may hold too few different points
        return None


def _distances(values: np.ndarray) -> np.ndarray:
    from sklearn.metrics import pairwise_distances

    return np.asarray(pairwise_distances(values.astype(np.float64)))


def _scores(values: np.ndarray, labels: np.ndarray, sample: np.ndarray, between: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

    exact = values.astype(np.float64)
    inertia = sum(
        np.square(part - part.mean(axis=0)).sum() for part in (exact[labels == i] for i in np.unique(labels))
    )
    several = 2 <= len(np.unique(labels)) < len(labels)
    in_sample = 2 <= len(np.unique(labels[sample])) < len(sample)
    return {
        "inertia": float(inertia),
        "silhouette": float(silhouette_score(between, labels[sample], metric="precomputed")) if in_sample else np.nan,
        # Clusters without any width have no ratio of widths.
        "calinski_harabasz": float(calinski_harabasz_score(exact, labels)) if several and inertia > 0 else np.nan,
        "davies_bouldin": float(davies_bouldin_score(exact, labels)) if several else np.nan,
    }


def _stability(draws: list[np.ndarray], parts: list[np.ndarray | None], n: int) -> float:
    """Mean adjusted Rand index of each two draws' clusters on the rows they share."""
    found = []
    every = np.full((len(draws), n), -1, np.int32)
    for row, draw, part in zip(every, draws, parts, strict=True):
        if part is not None:
            row[draw] = part
    for one, other in combinations(every, 2):
        shared = (one >= 0) & (other >= 0)
        if shared.sum() >= 2:
            found.append(ari(one[shared], other[shared]))
    return float(np.mean(found)) if found else np.nan


def predict_seconds(config: SweepConfig, n: int, d: int) -> float:
    """Predict the seconds that a sweep over n images of d numbers takes."""
    n = min(n, config.most)
    fits = sum(timing.predict_seconds(ClusterConfig(with_clusters(config.method, k)), n, d) for k in config.ks)
    return 1.0 + fits * (1 + SHARE * config.subsamples) + len(config.ks) * (0.1 + 5e-8 * n * d)


def to_arrays(found: Sweep) -> Mapping[str, np.ndarray]:
    """Return a sweep's arrays by name."""
    return {name: getattr(found, name) for name in ("ks", "inertia", *SCORES)}


def from_entry(entry: Entry) -> Sweep:
    """Return the sweep that an entry of the store holds."""
    info = entry.info
    return Sweep(**entry.arrays, n=int(info["n"]), fitted=int(info["fitted"]), note=str(info["note"]))
