"""Clusters against labels: which class each cluster stands for, how far they agree, and how to lay out the table of both.

Images without a label (-1) count nowhere. Images that belong to no cluster (-1, noise) stand for no class: they count as
wrong in accuracy, purity and recall, and are left out of NMI, ARI, homogeneity, completeness and V-measure, which compare
groups.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from core import quality
from core.errors import DataError

EXPLANATIONS: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": "Share of the labelled images whose cluster stands for their class under this matching. 0 to 1, higher "
        "is better; images in no cluster count as wrong.",
        "nmi": quality.EXPLANATIONS["nmi"],
        "ari": quality.EXPLANATIONS["ari"],
        "homogeneity": "How far each cluster holds one class only. 0 to 1, higher is better; many small clusters raise it.",
        "completeness": "How far each class lies in one cluster only. 0 to 1, higher is better; few large clusters raise it.",
        "v_measure": "Harmonic mean of homogeneity and completeness; the same number as NMI with the arithmetic mean.",
        "purity": "Share of the labelled images that are of their cluster's most frequent class. 0 to 1, higher is better; it "
        "is the accuracy of the majority matching, and many small clusters raise it.",
        "precision": "Of the images in clusters that stand for the class, the share that is of it.",
        "recall": "Of the images of the class, the share in clusters that stand for it.",
        "f1": "Harmonic mean of precision and recall.",
        "support": "Labelled images of the class.",
    }
)


@dataclass(frozen=True, eq=False)
class Matching:
    """What clusters stand for, and what follows.

    Parameters
    ----------
    of_cluster : int32 (k,), class of each cluster, -1 for none.
    right : number of labelled images whose cluster stands for their class.
    accuracy : share of labelled images that are right, in [0, 1].
    precision, recall, f1 : float64 (classes,) in [0, 1]; NaN where there is nothing to divide by: no image in any cluster
        that stands for the class, no image of the class, neither.
    """

    of_cluster: np.ndarray
    right: int
    accuracy: float
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far k clusters agree with labels.

    Parameters
    ----------
    counts : int64 (k + 1, classes + 1), images by cluster and class; the last row is noise, the last column no label.
    one_to_one, majority : the two matchings.
    nmi, ari, homogeneity, completeness, v_measure : None when no labelled image is in a cluster.
    purity : in [0, 1].
    """

    counts: np.ndarray
    one_to_one: Matching
    majority: Matching
    nmi: float | None
    ari: float | None
    homogeneity: float | None
    completeness: float | None
    v_measure: float | None
    purity: float

    @property
    def support(self) -> np.ndarray:
        """Labelled images of each class, int64 (classes,)."""
        return np.asarray(self.counts[:, :-1].sum(axis=0))


def agree(labels: np.ndarray, y: np.ndarray, k: int, n_classes: int) -> Agreement:
    """Hold clusters against labels.

    Parameters
    ----------
    labels : int (n,), cluster 0..k-1 of each image, -1 for noise.
    y : int (n,), class 0..n_classes-1 of each image, -1 without a label.

    Raises
    ------
    DataError : arrays of different length, numbers out of range, or no label at all.
    """
    counts = contingency(labels, y, k, n_classes)
    table, support = counts[:k, :n_classes], counts[:, :n_classes].sum(axis=0)
    if not support.sum():
        raise DataError("No image has a label, so there is nothing to hold the clusters against.")
    both = (labels >= 0) & (y >= 0)
    there = bool(both.any())
    return Agreement(
        counts,
        _matching(table, one_to_one(table), support),
        _matching(table, majority(table), support),
        quality.nmi(labels[both], y[both]) if there else None,
        quality.ari(labels[both], y[both]) if there else None,
        homogeneity(table) if there else None,
        completeness(table) if there else None,
        v_measure(table) if there else None,
        purity(table, int(support.sum())),
    )


def contingency(labels: np.ndarray, y: np.ndarray, k: int, n_classes: int) -> np.ndarray:
    """Count images by cluster and class, int64 (k + 1, n_classes + 1); -1 is the last row or column.

    Raises
    ------
    DataError : arrays of different length, or numbers out of range.
    """
    if len(labels) != len(y):
        raise DataError(f"{len(labels)} clusters cannot be compared with {len(y)} labels.")
    for name, values, limit in (("Cluster", labels, k), ("Label", y, n_classes)):
        if len(values) and not -1 <= values.min() <= values.max() < limit:
            raise DataError(f"{name} numbers {values.min()} to {values.max()} must lie in -1 to {limit - 1}.")
    rows, columns = np.where(labels < 0, k, labels), np.where(y < 0, n_classes, y)
    flat = np.bincount(rows.astype(np.int64) * (n_classes + 1) + columns, minlength=(k + 1) * (n_classes + 1))
    return np.asarray(flat.reshape(k + 1, n_classes + 1), np.int64)


def one_to_one(table: np.ndarray) -> np.ndarray:
    """Give each cluster a class of its own so that most images agree, int32 (k,); -1 for clusters left over.

    Kuhn, The Hungarian method for the assignment problem (1955). A pair without an image is no match.
    """
    from scipy.optimize import linear_sum_assignment

    found = np.full(len(table), -1, np.int32)
    rows, columns = linear_sum_assignment(table, maximize=True)
    there = table[rows, columns] > 0
    found[rows[there]] = columns[there]
    return found


def majority(table: np.ndarray) -> np.ndarray:
    """Give each cluster the class of most of its images, int32 (k,), of equals the first; -1 without a labelled image."""
    return np.where(table.sum(axis=1) > 0, table.argmax(axis=1), -1).astype(np.int32)


def _matching(table: np.ndarray, of_cluster: np.ndarray, support: np.ndarray) -> Matching:
    """Score a matching: per class c, precision TP / predicted, recall TP / support, F1 2 TP / (predicted + support).

    TP are the images of c in clusters that stand for c, predicted all labelled images in those (van Rijsbergen,
    Information retrieval, 1979).
    """
    rows = np.flatnonzero(of_cluster >= 0)
    hits, predicted = np.zeros(len(support)), np.zeros(len(support))
    np.add.at(hits, of_cluster[rows], table[rows, of_cluster[rows]])
    np.add.at(predicted, of_cluster[rows], table[rows].sum(axis=1))
    return Matching(
        of_cluster,
        int(hits.sum()),
        float(hits.sum() / support.sum()),
        _over(hits, predicted),
        _over(hits, support),
        _over(2 * hits, predicted + support),
    )


def _over(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def purity(table: np.ndarray, n: int) -> float:
    """Return Σ_i max_c n_ic / n of n labelled images, in [0, 1] (Manning, Raghavan, Schütze, Information retrieval, 2008)."""
    return float(table.max(axis=1, initial=0).sum() / n)


def homogeneity(table: np.ndarray) -> float:
    """Return 1 - H(class | cluster) / H(class), in [0, 1]; 1 with one class only.

    Rosenberg and Hirschberg: V-measure (2007).
    """
    whole = _entropy(table.sum(axis=0))
    if whole == 0:
        return 1.0
    left = sum(row.sum() / table.sum() * _entropy(row) for row in table if row.sum())
    return float(np.clip(1 - left / whole, 0, 1))


def completeness(table: np.ndarray) -> float:
    """Return 1 - H(cluster | class) / H(cluster), in [0, 1]; 1 with one cluster only (Rosenberg and Hirschberg, 2007)."""
    return homogeneity(table.T)


def v_measure(table: np.ndarray) -> float:
    """Return 2 h c / (h + c) of homogeneity h and completeness c, in [0, 1] (Rosenberg and Hirschberg, 2007)."""
    h, c = homogeneity(table), completeness(table)
    return 2 * h * c / (h + c) if h + c else 0.0


def _entropy(counts: np.ndarray) -> float:
    """Entropy -Σ p log p in nats of counts (m,)."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())
