"""What clusters and predictions say of each image, against what is known of it."""

from dataclasses import dataclass

import numpy as np

from core import classified, classifier, corrections, known, palettes
from core.classified import ClassifierModel
from core.decisions import KINDS
from core.known import Mapped
from core.plans import Results, some
from core.stages import clustered, coordinates_of

AGREEMENT = ("agrees", "disagrees")
ROWS = 20_000  # at a time, so that memory stays bounded
PREDICTED = ("right", "wrong")


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a classifier says of n images.

    Parameters
    ----------
    names : of its classes.
    probabilities : float32 (n, classes).
    labels : int64 (n,), the likeliest class of each image.
    truth : int64 (n,), its true class, -1 without a label; None when labels are not compared.
    """

    names: tuple[str, ...]
    probabilities: np.ndarray
    labels: np.ndarray
    truth: np.ndarray | None

    def accuracy(self, n: int = 1) -> float | None:
        """Return the share of labelled images whose class is among the n likeliest, in [0, 1]; None without labels."""
        if self.truth is None or not (self.truth >= 0).any():
            return None
        there = self.truth >= 0
        return float(classifier.top_correct(self.probabilities[there], self.truth[there], n).mean())


def mapped(results: Results) -> Mapped | None:
    """Return the class that each cluster stands for, by what is known beforehand, else by all labels; None without either."""
    images = results.images.value
    if results.clustering is None:
        return None
    labels, k = results.clustering.value.labels, len(results.clustering.value.centers)
    if results.known is not None:
        return known.map_clusters(labels, k, results.known)
    return None if images.y is None else known.map_by_labels(labels, k, images.y, images.classes)


def agreement(results: Results) -> np.ndarray | None:
    """Say whether each image's cluster stands for its class: int32 (n,), 0 yes, 1 no, -1 without a label and for noise."""
    images, found = results.images.value, mapped(results)
    if found is None or images.y is None or results.clustering is None:
        return None
    number = {name: i for i, name in enumerate(found.classes)}
    y = np.array([number.get(name, -2) for name in images.classes] + [-1])[images.y]
    clusters = results.clustering.value.labels
    return np.where((y == -1) | (clusters < 0), -1, found.codes(clusters) != y).astype(np.int32)


def mapped_accuracy(results: Results) -> float | None:
    """Return the share of labelled images whose cluster stands for their class, in [0, 1]; that of noise never does."""
    found, y = agreement(results), results.images.value.y
    if found is None or y is None or not (y >= 0).any():
        return None
    return float((found[y >= 0] == 0).mean())


def centroid_distances(results: Results) -> np.ndarray | None:
    """Return how far each image is from its cluster's centre, float32 (n,), in what was clustered; NaN for noise."""
    if results.clustering is None:
        return None
    values = coordinates_of(clustered(results).value)
    centers, labels = results.clustering.value.centers, results.clustering.value.labels
    if centers.shape[1] != values.shape[1]:
        return None
    away = np.empty(len(values), np.float32)
    for start in range(0, len(values), ROWS):
        part = slice(start, start + ROWS)
        away[part] = np.linalg.norm(values[part] - centers[labels[part]], axis=1)
    away[labels < 0] = np.nan
    return away


def predicted(results: Results) -> Predicted | None:
    """Return what a classifier says of the images; None of an autoencoder."""
    if results.latents is None or results.model is None or results.latents.value.probabilities is None:
        return None
    model, probabilities = results.model.value, results.latents.value.probabilities
    if not isinstance(model, ClassifierModel):
        return None
    return Predicted(
        model.class_names(probabilities.shape[1]),
        probabilities,
        probabilities.argmax(axis=1),
        classified.truth(model, results.images.value),
    )


def cluster_titles(results: Results) -> tuple[str, ...]:
    """Return each cluster's number, with the name given by hand where there is one."""
    clustering = some(results.clustering)
    k = clustering.value.k
    names = ("",) * k if results.review is None else corrections.names_of(results.review, clustering.key, k)
    return tuple(f"{i} · {name}" if name else str(i) for i, name in enumerate(names))


def cluster_colors(results: Results) -> tuple[str, ...] | None:
    """Return each cluster's colour, the one given by hand or the usual one; None where none was given."""
    clustering, given = some(results.clustering), results.review
    k = clustering.value.k
    if given is None or k > palettes.MAX_COLORS or not any(key == clustering.key for key, _ in given.names):
        return None
    return corrections.colors_of(given, clustering.key, palettes.categorical(k))


def decided(results: Results) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Return what was decided of each image, int32 (n,), -1 for nothing yet, and the names; None before the first."""
    review = results.review
    if review is None or not review.current:
        return None
    codes = np.full(len(results.images.value), -1, np.int32)
    for row, decision in review.current.items():
        if row < len(codes):
            codes[row] = KINDS.index(decision.kind)
    return codes, KINDS


def corrected_labels(results: Results) -> np.ndarray | None:
    """Return each image's label after the review, text (n,), "" without one; None where no label was changed.

    A relabelled image has its new label, one marked as junk has none.
    """
    images, review = results.images.value, results.review
    if review is None or not any(item.kind in ("relabel", "junk") for item in review.current.values()):
        return None
    names = np.asarray([*images.classes, ""], dtype=object)
    found = names[np.full(len(images), -1) if images.y is None else images.y]
    for row, decision in review.current.items():
        if row < len(found) and decision.kind in ("relabel", "junk"):
            found[row] = decision.new if decision.kind == "relabel" else ""
    return np.asarray(found)
