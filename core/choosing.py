"""What a reviewer decides of suspects, as choices that a review keeps: of one image, of many, or by a rule."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from core.corrections_csv import by_rule
from core.decisions import Choice, Kind
from core.errors import ConfigError
from core.plans import Results, some
from core.suspects import Suspects
from core.suspects_table import cluster_texts, group_texts


def choices(results: Results, found: Suspects, rows: np.ndarray, kind: Kind, target: str = "") -> list[Choice]:
    """Decide the same of some images.

    Images whose suggested group is their own, or unknown, are left out where that is what they would get. With labels a
    confirmation and a relabelling speak of labels; without, a confirmation speaks of clusters, and so does every move.

    Parameters
    ----------
    rows : int (m,). target : the new label, or the number of the cluster to move to; "" for the suggested one of each.

    Raises
    ------
    ConfigError : a label is suggested where a cluster is wanted, or the other way round.
    """
    of_labels = found.evidence.of == "label"
    in_clusters = kind == "move" or (kind == "confirm" and not of_labels)
    if kind in ("relabel", "move"):
        if not target and of_labels != (kind == "relabel"):
            raise ConfigError(f"The suggested {found.evidence.of} cannot be used to {kind} an image; name one.")
        if not target:
            rows = rows[suggests(found)[rows]]
    key = some(results.clustering).key if in_clusters else ""
    old = old_texts(results, found, rows, in_clusters)
    if kind in ("relabel", "move"):
        new = [target] * len(rows) if target else list(group_texts(results, found, found.suggested[rows]))
    else:
        new = old if kind == "confirm" else [""] * len(rows)
    ids = results.images.value.ids
    return [
        Choice(int(row), ids[row], kind, before, after, float(found.score[row]), key)
        for row, before, after in zip(rows, old, new, strict=True)
    ]


def suggests(found: Suspects) -> np.ndarray:
    """Return which images another group than their own is suggested for, bool (n,)."""
    return (found.suggested >= 0) & (found.suggested != found.evidence.groups)


def old_texts(results: Results, found: Suspects, rows: np.ndarray, in_clusters: bool) -> list[str]:
    """Return the label of each of some images, or the number of its cluster; "" where it has none."""
    if in_clusters:
        return list(cluster_texts(results, some(results.clustering).value.labels[rows], ""))
    if found.evidence.of == "label":
        return list(group_texts(results, found, found.evidence.groups[rows]))
    return [""] * len(rows)


def ruled(results: Results, found: Suspects, threshold: float, decided: Collection[int] = ()) -> list[Choice]:
    """Give every suspect whose score is at least a threshold its suggested label, without labels its suggested cluster.

    Images that are decided on already, or whose suggested group is their own, are left alone.

    Raises
    ------
    ConfigError : the threshold is no number.
    """
    rows = found.order[(found.score >= threshold)[found.order] & suggests(found)[found.order]]
    images, of_labels = results.images.value, found.evidence.of == "label"
    old = old_texts(results, found, np.arange(len(images)), not of_labels)
    suggested = list(group_texts(results, found, found.suggested[rows]))
    made = by_rule(rows, suggested, found.score[rows], threshold, images.ids, old, decided)
    if of_labels:
        return made
    return [replace(choice, kind="move", clustering=some(results.clustering).key) for choice in made]
