"""The nearest of some centers for every vector of a part, and what each center gets."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Assigned:
    """Where the vectors of a part belong.

    Parameters
    ----------
    labels : int32 (rows,), the nearest center. away : float64 (rows,), Euclidean distance to it.
    sums : float64 (k, d), of each center's vectors. counts : int64 (k,).
    """

    labels: np.ndarray
    away: np.ndarray
    sums: np.ndarray
    counts: np.ndarray


def assigned(points: np.ndarray, centers: np.ndarray) -> Assigned:
    """Give each point, float32 (rows, d), to the nearest of centers, float32 (k, d); of equally near ones to the first."""
    from core.clustering.lloyd import assign

    (n, d), k = points.shape, len(centers)
    labels, sums, counts = np.zeros(n, np.int32), np.zeros((k, d)), np.zeros(k, np.int64)
    away = np.empty(n)
    assign(points, centers, (away, np.empty(n), np.zeros(k)), (labels, sums, counts), True)
    return Assigned(labels, away, sums, counts)
