"""The table of clusters × labels laid out for people: matches on the diagonal, the largest when there are too many."""

from dataclasses import dataclass

import numpy as np

from core.matching import Agreement, majority, one_to_one


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Which rows and columns of `Agreement.counts` are shown, in order.

    Parameters
    ----------
    rows : int64, clusters matched one to one first, then the others by their majority class, noise last.
    columns : int64, matched classes in the order of their clusters, then the others, no label last.
    clusters_left_out, classes_left_out : how many are not shown, the smallest.
    images_left_out : images in none of the cells shown.
    """

    rows: np.ndarray
    columns: np.ndarray
    clusters_left_out: int
    classes_left_out: int
    images_left_out: int


def arrange(found: Agreement, limit: int = 40) -> Arrangement:
    """Order clusters and classes so that one-to-one matches lie on the diagonal; of each at most the `limit` largest.

    Classes without an image are not shown. Where some are left out, those that remain are matched by themselves.
    """
    counts = found.counts
    k, c = counts.shape[0] - 1, counts.shape[1] - 1
    there = np.flatnonzero(found.support)
    rows = np.sort(np.argsort(-counts[:k].sum(axis=1), kind="stable")[:limit])
    columns = np.sort(there[np.argsort(-found.support[there], kind="stable")[:limit]])
    table = counts[np.ix_(rows, columns)]
    classes = one_to_one(table)
    if len(rows) == k and len(columns) == len(there):  # ties are then settled as in the matching
        place = {int(column): i for i, column in enumerate(columns)}
        classes = np.array([place.get(int(of), -1) for of in found.one_to_one.of_cluster], np.int32)
    most = majority(table)
    matched = [int(i) for i in np.argsort(classes, kind="stable") if classes[i] >= 0]
    others = sorted((i for i in range(len(rows)) if classes[i] < 0), key=lambda i: (most[i] < 0, most[i], i))
    taken = [int(classes[i]) for i in matched]
    free = [j for j in range(len(columns)) if j not in taken]
    row_order = [*rows[[*matched, *others]], *([k] if counts[k].any() else [])]
    column_order = [*columns[[*taken, *free]], *([c] if counts[:, c].any() else [])]
    shown = counts[np.ix_(row_order, column_order)].sum()
    return Arrangement(
        np.array(row_order, np.int64),
        np.array(column_order, np.int64),
        k - len(rows),
        len(there) - len(columns),
        int(counts.sum() - shown),
    )
