"""What speaks against the place of each image: parts in [0, 1], each of which can be read by itself.

No classifier is trained: there are only distances to neighbours and to centroids, clusters and ranks. With labels an
image's group is its label; without, its cluster, and the same parts say how badly it fits its cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.config import AnalysisConfig
from core.errors import DataError
from core.neighbours import Graph
from core.progress import Callback, ignore
from core.rivals import VOTERS, Named, compared
from core.store import Entry

PARTS = ("majority", "margin", "silhouette", "neighbours", "error", "consensus", "isolation")


@dataclass(frozen=True)
class SuspectConfig(AnalysisConfig):
    """What speaks against the place of each image; how much each part counts is decided later."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The parts of n images.

    Parameters
    ----------
    of : what an image's group is.
    groups : int32 (n,), label or cluster of each image, -1 where it has none.
    parts : those of `PARTS` that mean something here, float32 (n,) in [0, 1], NaN where an image has none. Of margin,
        silhouette and neighbours 0.5 is the border: above it the image lies with another group.
    rivals : the group that a part would rather see the image in, int32 (n,), -1 where there is none; of `majority`,
        `margin`, `silhouette` and `neighbours`.
    missing : a sentence for each part that has no meaning for any image.
    """

    of: Literal["label", "cluster"]
    groups: np.ndarray
    parts: Mapping[str, np.ndarray]
    rivals: Mapping[str, np.ndarray]
    missing: Mapping[str, str]


def gather(
    latents: np.ndarray,
    graph: Graph,
    clusters: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    errors: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    callback: Callback = ignore,
) -> Evidence:
    """Compute every part that these arrays allow.

    Parameters
    ----------
    latents : float (n, d).
    graph : the neighbours of each image among the latents, best `rivals.NEIGHBOURS` of them.
    clusters, labels : int (n,) from 0, -1 = noise or no label; labels that are all -1 count as none.
    errors : float (n,), reconstruction error of each image, ≥ 0.
    confidence : float (n,), share of an ensemble's members that agree, in [0, 1].

    Raises
    ------
    DataError : arrays of another length, or values that cannot be used.
    """
    n = len(latents)
    _check(n, latents, graph, {"labels": labels, "clusters": clusters, "errors": errors, "confidences": confidence})
    known = labels is not None and bool((labels >= 0).any())
    of: Literal["label", "cluster"] = "label" if known else "cluster"
    chosen = labels if known else clusters
    groups = np.full(n, -1, np.int32) if chosen is None else chosen.astype(np.int32)
    parts: dict[str, np.ndarray] = {}
    rivals: dict[str, np.ndarray] = {}
    missing: dict[str, str] = {}
    if known and clusters is not None and (clusters >= 0).any():
        part = _majority(clusters, groups)
        parts["majority"], rivals["majority"] = part.values, part.rivals
    elif known:
        missing["majority"] = "There are no clusters."
    if len(np.unique(groups[groups >= 0])) > 1:
        for name, part in compared(latents, graph, groups, callback).items():
            parts[name], rivals[name] = part.values, part.rivals
    else:
        missing |= dict.fromkeys(("margin", "silhouette", "neighbours"), f"There are no two {of}s to compare.")
    if errors is None:
        missing["error"] = "There are no reconstructions."
    else:
        parts["error"] = quantiles(errors, np.zeros(n, np.int32) if chosen is None else groups)
    if confidence is None:
        missing["consensus"] = "The clusters are of a single run."
    else:
        parts["consensus"] = (1 - confidence).astype(np.float32)
    far = graph.distances[:, min(VOTERS, graph.k) - 1]
    parts["isolation"] = quantiles(far, np.zeros(n, np.int32))
    return Evidence(of, groups, parts, rivals, missing)


def quantiles(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return each value's rank within its group, float32 (n,) in (0, 1): (rank - 1/2) / size, equal values alike.

    Robust, as no value can move another by more than a rank. NaN of images without a group.
    """
    from scipy.stats import rankdata

    found = np.full(len(values), np.nan, np.float32)
    for group in np.unique(groups[groups >= 0]):
        rows = np.flatnonzero(groups == group)
        found[rows] = (rankdata(values[rows]) - 0.5) / len(rows)
    return found


def _check(n: int, latents: np.ndarray, graph: Graph, arrays: Mapping[str, np.ndarray | None]) -> None:
    if latents.ndim != 2 or not np.isfinite(latents).all():
        raise DataError(f"Suspects need finite latents (n, d); these are {latents.shape}.")
    if len(graph.rows) != n:
        raise DataError(f"Neighbours of {len(graph.rows):,} images do not fit {n:,} images.")
    for name, values in arrays.items():
        if values is None:
            continue
        if values.shape != (n,):
            raise DataError(f"{len(values):,} {name} do not fit {n:,} images.")
        if name in ("labels", "clusters"):
            if not np.issubdtype(values.dtype, np.integer) or values.min(initial=0) < -1:
                raise DataError(f"The {name} must be whole numbers from 0, or -1 where there is none.")
        elif not np.isfinite(values).all() or values.min(initial=0) < 0:
            raise DataError(f"The {name} must be finite and not below 0.")
        elif name == "confidences" and values.max(initial=0) > 1:
            raise DataError(f"The confidences must not exceed 1; the largest is {values.max():g}.")


def _majority(clusters: np.ndarray, labels: np.ndarray) -> Named:
    """1 - (images of the own label) / (images of the majority's), in the own cluster: 0 where they are the same.

    NaN of noise and of images without a label; the rival is the majority.
    """
    table = np.zeros((int(clusters.max()) + 1, int(labels.max()) + 1))
    there = (clusters >= 0) & (labels >= 0)
    np.add.at(table, (clusters[there], labels[there]), 1)
    most = np.maximum(table.max(axis=1), 1)
    values = np.full(len(labels), np.nan, np.float32)
    values[there] = 1 - table[clusters[there], labels[there]] / most[clusters[there]]
    stands_for = np.where(table.any(axis=1), table.argmax(axis=1), -1)
    rivals = np.where(clusters >= 0, stands_for[clusters], -1)
    return Named(values, np.where(rivals == labels, -1, rivals).astype(np.int32))


def to_arrays(evidence: Evidence) -> Mapping[str, np.ndarray]:
    """Return evidence as arrays by name, for the store."""
    named = {f"part-{name}": values for name, values in evidence.parts.items()}
    return {"groups": evidence.groups, **named, **{f"rival-{name}": rows for name, rows in evidence.rivals.items()}}


def from_entry(entry: Entry) -> Evidence:
    """Return the evidence that the store keeps."""

    def named(prefix: str) -> dict[str, np.ndarray]:
        return {name: entry.arrays[prefix + name] for name in PARTS if prefix + name in entry.arrays}

    of: Literal["label", "cluster"] = "label" if entry.info["of"] == "label" else "cluster"
    return Evidence(of, entry.arrays["groups"], named("part-"), named("rival-"), dict(entry.info["missing"]))
