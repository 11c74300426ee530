"""What there is to know of one cluster: its middle, its closest and farthest images, its labels and errors."""

from dataclasses import dataclass

import numpy as np

from core.errors import ConfigError

CANDIDATES = 500  # members, nearest to the mean, among which the medoid is sought
PART = 2_000  # members that all candidates are compared with at a time, so that memory stays bounded
ROWS = 20_000  # summed at a time


@dataclass(frozen=True, eq=False)
class ClusterCard:
    """One cluster of n images.

    Parameters
    ----------
    cluster : its number. size : its images. share : of all images, in (0, 1].
    medoid : row of the image whose distances to the others sum up to least.
    mean_latents : float32 (d,), of its images, to be decoded.
    closest, farthest : int64 rows, nearest to the mean first, and farthest first.
    distances : float32 (size,), of its images from their mean in what was clustered, by row. rows : int64 (size,), which.
    label_counts : int64 (classes,), images of each class; None without labels. unlabelled : images without one.
    mean_error, median_error : of reconstructions; None without them.
    """

    cluster: int
    size: int
    share: float
    medoid: int
    mean_latents: np.ndarray
    closest: np.ndarray
    farthest: np.ndarray
    distances: np.ndarray
    rows: np.ndarray
    label_counts: np.ndarray | None
    unlabelled: int
    mean_error: float | None
    median_error: float | None


def cluster_card(
    cluster: int,
    clusters: np.ndarray,
    values: np.ndarray,
    latents: np.ndarray,
    y: np.ndarray | None = None,
    n_classes: int = 0,
    errors: np.ndarray | None = None,
    count: int = 8,
) -> ClusterCard:
    """Describe a cluster.

    Parameters
    ----------
    clusters : int (n,), cluster of each image.
    values : float (n, r), what was clustered: latents, reduced latents, their UMAP coordinates or a map.
    latents : float32 (n, d).
    y : int (n,), -1 without a label. errors : float32 (n,), of reconstructions.
    count : of the closest and of the farthest images, at most as many as there are.

    Raises
    ------
    ConfigError : the cluster has no images, or an array is of another number of images.
    """
    n = len(clusters)
    given = {"coordinates": values, "latents": latents, "labels": y, "errors": errors}
    for what, array in given.items():
        if array is not None and len(array) != n:
            raise ConfigError(f"{n} images are clustered, but there are {what} of {len(array)}.")
    rows = np.flatnonzero(clusters == cluster)
    if not len(rows):
        raise ConfigError(f"Cluster {cluster} has no images.")
    away = _distances(values, rows)
    order = np.argsort(away, kind="stable")
    labels = np.empty(0, np.int64) if y is None else y[rows]
    own = None if errors is None else errors[rows].astype(np.float64)
    return ClusterCard(
        cluster=cluster,
        size=len(rows),
        share=len(rows) / n,
        medoid=medoid(values, rows[order]),
        mean_latents=_mean(latents, rows).astype(np.float32),
        closest=rows[order[:count]],
        farthest=rows[np.argsort(-away, kind="stable")[:count]],
        distances=away.astype(np.float32),
        rows=rows,
        label_counts=None if y is None else np.bincount(labels[labels >= 0], minlength=n_classes),
        unlabelled=int((labels < 0).sum()),
        mean_error=None if own is None else float(own.mean()),
        median_error=None if own is None else float(np.median(own)),
    )


def medoid_of(values: np.ndarray, groups: np.ndarray, group: int) -> int | None:
    """Return the medoid of a group of (n, d) values, whose members are those with its number; None where it has none."""
    rows = np.flatnonzero(groups == group)
    if not len(rows):
        return None
    return medoid(values, rows[np.argsort(_distances(values, rows), kind="stable")])


def medoid(values: np.ndarray, rows: np.ndarray) -> int:
    """Return the row whose distances to all `rows` sum up to least, ties to the first of them.

    Parameters
    ----------
    rows : members of a cluster, nearest to their mean first. Of more than 500 only the first 500 can be the medoid, so
        that the work grows with the cluster's size and not with its square.
    """
    candidates = values[rows[:CANDIDATES]].astype(np.float64)
    sums = np.zeros(len(candidates))
    for start in range(0, len(rows), PART):
        part = values[rows[start : start + PART]].astype(np.float64)
        # |a - b|² = |a|² + |b|² - 2ab, after moving the first candidate to 0 against cancellation
        a, b = candidates - candidates[0], part - candidates[0]
        squared = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T  # (candidates, part)
        sums += np.sqrt(np.maximum(squared, 0)).sum(axis=1)
    return int(rows[int(np.argmin(sums))])


def _mean(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    total = np.zeros(values.shape[1])
    for start in range(0, len(rows), ROWS):
        total += values[rows[start : start + ROWS]].sum(axis=0, dtype=np.float64)
    return total / len(rows)


def _distances(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the distance of each member from their mean, float64 (size,)."""
    mean = _mean(values, rows)
    found = np.empty(len(rows))
    for start in range(0, len(rows), ROWS):
        part = slice(start, start + ROWS)
        found[part] = np.linalg.norm(values[rows[part]].astype(np.float64) - mean, axis=1)
    return found
