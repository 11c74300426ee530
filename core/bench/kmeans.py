"""KMeans as this program sets it, against scikit-learn with ten starts."""

from collections.abc import Mapping

import numpy as np

from core.bench.data import Data
from core.bench.runner import Benchmark, Side
from core.clustering import Clustering, cluster, start_sample
from core.config import KMeansConfig

IMAGES, CLUSTERS = 10_000, 10
WORSE = 1.001  # times their inertia: starts are random


def _prepare(data: Data) -> np.ndarray:
    values = data.latents(IMAGES)
    _ours(values)  # what is compiled once is not part of it
    return values


def _ours(values: np.ndarray) -> Clustering:
    return cluster(values, KMeansConfig(CLUSTERS, start_sample=start_sample(len(values))))


def _theirs(values: np.ndarray) -> Clustering:
    from sklearn.cluster import KMeans

    found = KMeans(CLUSTERS, n_init=10, random_state=0).fit(values)
    return Clustering(found.labels_, found.cluster_centers_, float(found.inertia_), int(found.n_iter_))


def _inertia(values: np.ndarray, made: Clustering) -> Mapping[str, float]:
    return {"inertia": made.inertia}


def _fair(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    worse = ours["inertia"] / theirs["inertia"]
    return "" if worse <= WORSE else f"inertia is {worse:.4f} times theirs"


KMEANS = Benchmark(
    name="kmeans",
    what=f"KMeans of {IMAGES:,} images into {CLUSTERS} clusters",
    prepare=_prepare,
    ours=Side("as the dashboard sets it", _ours, _inertia),
    theirs=Side("scikit-learn's KMeans(n_init=10)", _theirs, _inertia),
    target=2.0,
    fair=_fair,
)
