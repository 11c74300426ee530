"""Isolated images: how far the nearest others are, and how much emptier it is around an image than around them."""

from dataclasses import dataclass

import numpy as np

from core.neighbours import Graph

ROUNDING = 1e-3  # of a usual distance; what is nearer counts as this near


@dataclass(frozen=True, eq=False)
class Isolation:
    """How isolated each of n images is; more is more isolated.

    Parameters
    ----------
    knn_distance : float32 (n,), mean distance to the k nearest others, ≥ 0.
    lof : float32 (n,), local outlier factor, > 0; about 1 among images as dense as its neighbours.
    """

    knn_distance: np.ndarray
    lof: np.ndarray


def isolation(graph: Graph) -> Isolation:
    """Score how isolated each image of a graph is.

    Notes
    -----
    Mean kNN distance: Angiulli and Pizzuti, "Fast Outlier Detection in High Dimensional Spaces", 2002.
    Local outlier factor: Breunig, Kriegel, Ng, Sander, "LOF: Identifying Density-Based Local Outliers", 2000. With d_k(o)
    the distance from o to its k-th neighbour, the reachability of p from o is max(d_k(o), d(p, o)); an image's density is
    1 / its mean reachability from its k neighbours; the factor is the mean density of its neighbours / its own.

    Between equal images the reachability would be 0 and the density infinite. So a mean reachability is at least a
    thousandth of the median one (of those above 0); where all images are equal every factor is 1. Beside more than k copies
    of one image the factor of another is still large, as they are so dense: let k be above the largest group of copies.
    """
    away = graph.distances.astype(np.float64)  # (n, k)
    reach = np.maximum(away[:, -1][graph.rows], away).mean(axis=1)  # (n,)
    apart = reach[reach > 0]
    if not len(apart):
        return Isolation(away.mean(axis=1).astype(np.float32), np.ones(len(away), np.float32))
    density = 1 / np.maximum(reach, ROUNDING * np.median(apart))
    factor = density[graph.rows].mean(axis=1) / density
    return Isolation(away.mean(axis=1).astype(np.float32), factor.astype(np.float32))


def ranked(scores: np.ndarray, count: int | None = None) -> np.ndarray:
    """Return the rows, int64 (count,), by falling score (n,), ties by row."""
    return np.argsort(-scores, kind="stable")[:count]


def fence(scores: np.ndarray) -> float:
    """Return the score above which an image is far out: the third quartile + 3 interquartile ranges.

    Source: Tukey, "Exploratory Data Analysis", 1977.
    """
    low, high = np.quantile(scores, [0.25, 0.75])
    return float(high + 3 * (high - low))
