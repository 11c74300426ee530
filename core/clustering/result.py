"""What every clustering comes to: clusters numbered by falling size, their centers, and noise outside of them."""

from dataclasses import dataclass

import numpy as np

NOISE = -1
NOISE_NAME = "noise"


@dataclass(frozen=True)
class Clustering:
    """Clusters of n points, cluster 0 the largest.

    Parameters
    ----------
    labels : int32 (n,), 0..k-1, and -1 for noise: a point of no cluster.
    centers : float32 (k, d), those of the method, else the mean of each cluster's points.
    inertia : sum of the squared distances of the points to their centers, ≥ 0; noise is left out.
    n_iter : iterations of the best start; 0 of an ensemble and of methods without iterations. A mixture's that reaches
        `max_iter` has not converged.
    confidence : float32 (n,), share of an ensemble's members that agree, in (0, 1]; None of a single clustering.
    agreement : float32 (m, m), adjusted Rand index of every two members of an ensemble.
    probabilities : float32 (n, k), of each cluster given the point, rows sum to 1; None but of a mixture.
    strength : float32 (n,), how firmly a point belongs to its cluster, in [0, 1], 0 for noise; None but of HDBSCAN.
    """

    labels: np.ndarray
    centers: np.ndarray
    inertia: float
    n_iter: int
    confidence: np.ndarray | None = None
    agreement: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    strength: np.ndarray | None = None

    @property
    def k(self) -> int:
        """Number of clusters, empty ones of a mixture included."""
        return len(self.centers)

    @property
    def own_probability(self) -> np.ndarray | None:
        """Probability of each point's own cluster, float32 (n,); None but of a mixture."""
        if self.probabilities is None:
            return None
        found: np.ndarray = self.probabilities[np.arange(len(self.labels)), self.labels]
        return found


def name_of(label: int) -> str:
    """Return a cluster as people read it: "cluster 3", or "noise"."""
    return f"cluster {label}" if label >= 0 else NOISE_NAME


def by_size(labels: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Renumber clusters by falling size, equal ones by first appearance; noise stays -1.

    Returns
    -------
    labels : int32 (n,), 0..k-1 or -1.
    order : int (k,): the old number of each new cluster. Empty clusters come last.
    """
    inside = np.flatnonzero(labels >= 0)
    sizes = np.bincount(labels[inside], minlength=k)
    first = np.full(k, len(labels))
    np.minimum.at(first, labels[inside], inside)
    order = np.lexsort((first, -sizes))
    renamed = np.full(k + 1, NOISE, np.int32)  # the last is found by -1
    renamed[order] = np.arange(k, dtype=np.int32)
    return renamed[labels], order


def means(values: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Return the mean of each cluster's points (n, d), float32 (k, d); every cluster must have a point."""
    sums = np.zeros((k, values.shape[1]), np.float64)
    inside = labels >= 0
    np.add.at(sums, labels[inside], values[inside].astype(np.float64))
    return np.asarray(sums / np.bincount(labels[inside], minlength=k)[:, None], np.float32)


def inertia(values: np.ndarray, labels: np.ndarray, centers: np.ndarray) -> float:
    """Return the sum of the squared distances of points (n, d) to their centers; noise is left out."""
    inside = labels >= 0
    return float(np.square(values[inside] - centers[labels[inside]], dtype=np.float64).sum())


def of_labels(values: np.ndarray, labels: np.ndarray, k: int) -> Clustering:
    """Return the clustering that labels 0..k-1, or -1, of points (n, d) are; every cluster has a point."""
    found, _ = by_size(labels, k)
    centers = means(values, found, k)
    return Clustering(found, centers, inertia(values, found, centers), 0)
