"""What a review finds in some results without anybody looking: suspects, outliers, duplicates; and these as tables."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from core import analyses, corrections, matching, outliers
from core.arrangement import arrange
from core.cluster_cards import ClusterCard, cluster_card
from core.clustering import NOISE_NAME
from core.duplicates import DuplicateConfig, Duplicates, conflicting
from core.evidence import SuspectConfig
from core.figures import MISSING
from core.matching import Agreement
from core.neighbours import Graph, GraphConfig
from core.outliers import Isolation
from core.plans import Results, Staged, some
from core.progress import Callback, ignore
from core.stages import clustered, coordinates_of
from core.store import Store
from core.suspects import Suspects, SuspectWeights, rank
from core.suspects_table import cluster_texts
from core.sweep import Sweep, SweepConfig

NEAREST = 20  # neighbours by which an image is isolated
OutlierScore = Literal["knn", "lof"]
SHOWN = 5  # closest and farthest images that a cluster's row names


@dataclass(frozen=True, eq=False)
class Findings:
    """What was found in the results of n images.

    Parameters
    ----------
    ranked : the queue of suspects. isolation : by the `NEAREST` neighbours. duplicates : the groups.
    agreement : of clusters and labels, None where no image has a label. sweep : None unless it was asked for.
    staged : the analyses behind these by name, to tell which the store had.
    """

    results: Results
    ranked: Suspects
    isolation: Isolation
    duplicates: Duplicates
    agreement: Agreement | None
    sweep: Sweep | None
    staged: Mapping[str, Staged[Any]]


def find(
    store: Store,
    results: Results,
    weights: SuspectWeights | None = None,
    sweep: SweepConfig | None = None,
    callback: Callback = ignore,
) -> Findings:
    """Find suspects, outliers and duplicates among images that are clustered; what the store has is not made again.

    Raises
    ------
    ExplorerError : any error of an analysis.
    """
    asked = {"graph": GraphConfig(), "suspects": SuspectConfig(), "duplicates": DuplicateConfig()}
    if sweep is not None:
        asked["sweep"] = sweep
    staged = {name: analyses.of_results(store, results, config, callback) for name, config in asked.items()}
    graph: Graph = staged["graph"].value
    return Findings(
        results,
        rank(staged["suspects"].value, weights),
        outliers.isolation(graph.first(NEAREST)),
        staged["duplicates"].value,
        agreement(results),
        staged["sweep"].value if "sweep" in staged else None,
        staged,
    )


def agreement(results: Results) -> Agreement | None:
    """Hold the clusters against the labels; None where no image has one."""
    images, clustering = results.images.value, some(results.clustering).value
    if images.y is None or not (images.y >= 0).any():
        return None
    return matching.agree(clustering.labels, images.y, clustering.k, len(images.classes))


def disputed(ranked: Suspects) -> np.ndarray:
    """Return the rows, the most suspect first, of images whose suggested group is not their own."""
    order = ranked.order
    other = (ranked.suggested >= 0) & (ranked.suggested != ranked.evidence.groups) & (ranked.evidence.groups >= 0)
    return order[other[order]]


def outlying(
    results: Results, isolation: Isolation, labelled: bool, by: OutlierScore = "knn", every: bool = False
) -> pd.DataFrame:
    """Return the images that are far out by `outliers.fence` of either score, by falling distance to their neighbours.

    Parameters
    ----------
    by : "lof" orders them by falling local outlier factor. every : all images, far out or not.
    """
    scores = {"neighbour distance": isolation.knn_distance, "local outlier factor": isolation.lof}
    beyond = {name: values > outliers.fence(values) for name, values in scores.items()}
    rows = outliers.ranked(isolation.lof if by == "lof" else isolation.knn_distance)
    if not every:
        rows = rows[np.any(list(beyond.values()), axis=0)[rows]]
    images = results.images.value
    values: dict[str, Any] = {"id": [images.ids[row] for row in rows]}
    if labelled and images.y is not None:
        values["label"] = np.asarray([*images.classes, ""], dtype=object)[images.y[rows]]  # -1 finds the last
    if results.clustering is not None:
        values["cluster"] = cluster_texts(results, results.clustering.value.labels[rows])
    values |= {name: found[rows] for name, found in scores.items()}
    values |= {f"far by {name}": found[rows] for name, found in beyond.items()}
    return pd.DataFrame(values)


def numbers(found: Findings) -> dict[str, int]:
    """Count what was found."""
    groups = found.duplicates.groups
    counted = {
        "suspects": len(disputed(found.ranked)),
        "outliers": len(outlying(found.results, found.isolation, False)),
        "duplicate_groups": len(groups),
        "duplicate_images": sum(len(group.rows) for group in groups),
        "exact_groups": sum(group.kind == "exact" for group in groups),
    }
    if found.agreement is not None:
        y = found.results.images.value.y
        counted["conflicting_groups"] = sum(conflicting(group, y) for group in groups)
    return counted


def matrix(results: Results, found: Agreement) -> pd.DataFrame:
    """Return counts of images by cluster and label, one-to-one matches on the diagonal.

    The first column is the cluster's number; given names follow. Noise is the last row, images without a label the last column.
    """
    k, classes = len(found.counts) - 1, results.images.value.classes
    order = arrange(found, limit=max(k, len(classes)))
    values: dict[str, object] = {"cluster": cluster_texts(results, np.where(order.rows < k, order.rows, -1))}
    names = _given_names(results)
    if any(names):
        values["name"] = np.asarray([*names, ""], dtype=object)[order.rows]
    for column in order.columns:
        values[_free([*classes, MISSING][column], values)] = found.counts[order.rows, column]
    return pd.DataFrame(values)


def clusters(results: Results, found: Agreement | None) -> pd.DataFrame:
    """Return a row a cluster, noise the last: its size, what it stands for, its images in the middle and at the edge.

    Lists of ids and the mix of labels are JSON, so that no id can be taken for two.
    """
    clustering = some(results.clustering).value
    numbers = [*range(clustering.k), *([-1] if (clustering.labels < 0).any() else [])]
    names = _given_names(results)
    rows = []
    for number in numbers:
        row: dict[str, object] = {"cluster": NOISE_NAME if number < 0 else str(number)}
        if any(names):
            row["name"] = "" if number < 0 else names[number]
        rows.append(row | _described(results, found, number))
    return pd.DataFrame(rows)


def _described(results: Results, found: Agreement | None, number: int) -> dict[str, object]:
    clustering, encoded, images = some(results.clustering).value, some(results.latents).value, results.images.value
    inside = clustering.labels == number
    row: dict[str, object] = {"size": int(inside.sum()), "share": float(inside.mean())}
    if not inside.any():  # of a mixture a cluster can be empty
        return row
    labelled = found is not None
    card = cluster_card(
        number, clustering.labels, coordinates_of(clustered(results).value), encoded.latents,
        images.y if labelled else None, len(images.classes), encoded.errors, SHOWN,
    )  # fmt: skip
    if found is not None:
        row |= _stands_for(found, number, images.classes)
    if number >= 0:
        row["medoid"] = images.ids[card.medoid]
        row["closest"] = _listed(images.ids, card.closest)
        row["farthest"] = _listed(images.ids, card.farthest)
    if labelled:
        row["labels"] = _mix(card, images.classes)
    if card.mean_error is not None:
        row |= {"mean error": card.mean_error, "median error": card.median_error}
    return row


def _stands_for(found: Agreement, number: int, classes: Sequence[str]) -> dict[str, object]:
    """Return a cluster's class by both matchings, with the share of its labelled images that are of it."""
    row: dict[str, object] = {}
    counts = found.counts[number, :-1]
    for title, made in (("one-to-one", found.one_to_one), ("majority", found.majority)):
        of = -1 if number < 0 else int(made.of_cluster[number])
        row[title] = classes[of] if of >= 0 else ""
        row[f"{title} share"] = counts[of] / counts.sum() if of >= 0 else None
    return row


def _mix(card: ClusterCard, classes: Sequence[str]) -> str:
    counts = np.zeros(0, np.int64) if card.label_counts is None else card.label_counts
    mix: dict[str, int] = {}
    for code in np.argsort(-counts, kind="stable"):
        if counts[code]:
            mix[_free(classes[code], mix)] = int(counts[code])
    if card.unlabelled:
        mix[_free(MISSING, mix)] = card.unlabelled
    return json.dumps(mix, ensure_ascii=False)


def _given_names(results: Results) -> tuple[str, ...]:
    clustering = some(results.clustering)
    if results.review is None:
        return ()
    return corrections.names_of(results.review, clustering.key, clustering.value.k)


def _listed(ids: Sequence[str], rows: np.ndarray) -> str:
    return json.dumps([ids[row] for row in rows], ensure_ascii=False)


def _free(name: str, taken: Mapping[str, object]) -> str:
    """Return a name for a further column: with a number where another one has it already."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name} ({number})", number + 1
    return found
