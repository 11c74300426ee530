"""The queue of suspects as a table: a row an image, best first, with its score and every part of it."""

import numpy as np
import pandas as pd

from core.clustering import NOISE_NAME
from core.evidence import PARTS
from core.plans import Results, some
from core.suspects import Suspects


def suspects(results: Results, found: Suspects, rows: np.ndarray | None = None) -> pd.DataFrame:
    """Return id, label, cluster, suggested, score and its parts of each image, the most suspect first.

    Without labels there is no column `label`, and the suggested group is a cluster. The suggested group is the own one where
    the parts do not outweigh it. What an image has no value of is empty.

    Parameters
    ----------
    rows : int (m,), images in the order wanted; None for all, ranked.
    """
    rows = found.order if rows is None else rows
    images = results.images.value
    values: dict[str, object] = {"id": [images.ids[row] for row in rows]}
    if found.evidence.of == "label":
        values["label"] = group_texts(results, found, found.evidence.groups[rows])
    if results.clustering is not None:
        values["cluster"] = cluster_texts(results, some(results.clustering).value.labels[rows])
    values["suggested"] = group_texts(results, found, found.suggested[rows])
    values["score"] = found.score[rows]
    values |= {name: found.evidence.parts[name][rows] for name in PARTS if name in found.evidence.parts}
    return pd.DataFrame(values)


def group_names(results: Results, found: Suspects) -> tuple[str, ...]:
    """Return the name of each group that suspects are of: the labels, or the clusters' numbers."""
    if found.evidence.of == "label":
        return results.images.value.classes
    return tuple(map(str, range(some(results.clustering).value.k)))


def group_texts(results: Results, found: Suspects, groups: np.ndarray) -> np.ndarray:
    """Return the name of each of some groups, text (m,), "" for -1."""
    return np.asarray([*group_names(results, found), ""], dtype=object)[groups]  # -1 finds the last


def cluster_texts(results: Results, labels: np.ndarray, noise: str = NOISE_NAME) -> np.ndarray:
    """Return the number of each of some clusters as text (m,), `noise` for -1."""
    return np.asarray([*map(str, range(some(results.clustering).value.k)), noise], dtype=object)[labels]
