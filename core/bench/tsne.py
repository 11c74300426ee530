"""t-SNE against scikit-learn's at its defaults, and a perplexity that is moved against beginning anew.

Divergences of both sides are computed alike: affinities of exact neighbours, and the sum over all pairs by its definition.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from core.bench.data import Data
from core.bench.runner import Benchmark, Side
from core.config import TSNEConfig
from core.neighbours import Graph
from core.projection.tsne import neighbours, tsne

COUNT = 10_000
MOVED = 40.0  # the perplexity after the move; before it, 30


@dataclass(frozen=True)
class _Prepared:
    """Latents float32 (n, d); for the moved perplexity also what is there before it moves."""

    values: np.ndarray
    start: np.ndarray | None = None
    graph: Graph | None = None


def divergence(values: np.ndarray, coordinates: np.ndarray, perplexity: float, freedom: int = 1) -> float:
    """Return the Kullback-Leibler divergence of a map in nats, in float64, without an approximation of the repulsion.

    Affinities are those that scikit-learn uses: of the 3 · perplexity nearest neighbours, symmetric, summing to 1.
    `freedom` are the degrees of freedom of the t distribution in the map: 1 is ours; scikit-learn takes 2 in 3-D, and each
    map is measured by the distribution that it was made for.
    """
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors
    from scipy.spatial.distance import cdist

    graph = neighbours(values, perplexity, "euclidean")
    known = PrecomputedNeighbors(graph.rows, graph.distances)
    p = PerplexityBasedNN(perplexity=perplexity, knn_index=known).P.tocoo()
    rows = coordinates.astype(np.float64)
    power = (freedom + 1) / 2
    total = sum(
        float(((1 + cdist(rows[at : at + 500], rows, "sqeuclidean") / freedom) ** -power).sum())
        for at in range(0, len(rows), 500)
    )
    apart = np.square(rows[p.row] - rows[p.col]).sum(axis=1)
    return float((p.data * np.log(p.data * (1 + apart / freedom) ** power)).sum() + np.log(total - len(rows)))


def _measured(perplexity: float, freedom: int = 1) -> Callable[[_Prepared, np.ndarray], Mapping[str, float]]:
    return lambda prepared, made: {"KL": divergence(prepared.values, made, perplexity, freedom)}


def _no_higher(by: float) -> Callable[[Mapping[str, float], Mapping[str, float]], str]:
    def fair(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
        higher = ours["KL"] > theirs["KL"] * (1 + by)
        return f"KL {ours['KL']:.4f} is more than {by:.0%} above {theirs['KL']:.4f}" if higher else ""

    return fair


def _theirs(values: np.ndarray, dimensions: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    made: np.ndarray = TSNE(dimensions, random_state=0).fit_transform(values)
    return made


def _cold(dimensions: int, repeats: int) -> Benchmark:
    return Benchmark(
        name=f"tsne-{dimensions}d",
        what=f"t-SNE of up to {COUNT:,} images in {dimensions} dimensions, at perplexity 30",
        prepare=lambda data: _Prepared(data.latents(COUNT)),
        ours=Side("ours", lambda prepared: tsne(prepared.values, TSNEConfig(dimensions))[0], _measured(30)),
        theirs=Side(
            "scikit-learn", lambda prepared: _theirs(prepared.values, dimensions), _measured(30, dimensions - 1)
        ),
        target=4.0,
        fair=_no_higher(0.01),
        repeats=repeats,
    )


def _before(data: Data) -> _Prepared:
    values = data.latents(COUNT)
    graph = neighbours(values, 100 if len(values) > 300 else MOVED, "euclidean")
    return _Prepared(values, tsne(values, TSNEConfig(), graph=graph)[0], graph)


def _moved(prepared: _Prepared) -> Any:
    return tsne(prepared.values, TSNEConfig(perplexity=MOVED), start=prepared.start, graph=prepared.graph)[0]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _all(prepared: _Prepared) -> Mapping[str, float]:
    return {"seconds_for_all": _seconds(lambda: tsne(prepared.values, TSNEConfig()))}


def _carried_on(prepared: _Prepared) -> Mapping[str, float]:
    """Time scikit-learn on 10,000 and 20,000 images, or a quarter and a half of fewer, and carry on to all."""
    n = len(prepared.values)
    half = min(2 * COUNT, n // 2)
    first, second = (
        _seconds(partial(_theirs, prepared.values[np.linspace(0, n - 1, count).astype(int)], 2))
        for count in (half // 2, half)
    )
    power = np.log2(second / first)
    return {f"seconds_{half // 2}": first, f"seconds_{half}": second,
            "seconds_for_all": float(second * (n / half) ** power)}  # fmt: skip


TSNE_2D = _cold(2, 3)
TSNE_3D = _cold(3, 1)
TSNE_PERPLEXITY = Benchmark(
    name="tsne-perplexity",
    what=f"perplexity moved from 30 to {MOVED:g}, map of up to {COUNT:,} images in 2 dimensions",
    prepare=_before,
    ours=Side("from the map before", _moved, _measured(MOVED)),
    theirs=Side("anew", lambda prepared: tsne(prepared.values, TSNEConfig(perplexity=MOVED))[0], _measured(MOVED)),
    target=4.0,
    fair=_no_higher(0.02),
)
TSNE_LARGE = Benchmark(
    name="tsne-large",
    what="t-SNE of all images in 2 dimensions; scikit-learn's seconds by the power of n between two smaller sets",
    prepare=lambda data: _Prepared(data.latents()),
    ours=Side("ours, all", _all, lambda prepared, made: made),
    theirs=Side("scikit-learn, carried on", _carried_on, lambda prepared, made: made),
    target=10.0,
    repeats=1,
    by="seconds_for_all",
)
