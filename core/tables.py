"""Results as tables: a row an image, predictions for a competition, a classifier's answers; and as CSV."""

import csv as csv_format
import io
from typing import Literal

import numpy as np
import pandas as pd

from core import checkpoints, classifier, corrections, formulas, known
from core.clustering import NOISE_NAME, Clustering
from core.errors import ConfigError
from core.known import Mapped
from core.models import TrainedModel
from core.plans import Results, some
from core.review import agreement, centroid_distances, corrected_labels, decided, mapped, predicted

Csv = Literal["spreadsheet", "plain"]  # whether texts that a spreadsheet would run are shielded


def table(results: Results) -> pd.DataFrame:
    """Return a row an image: path, label, cluster, matched class, agreement, coordinates, error, further columns.

    Clusters are numbers; where some images are noise, they are ordered texts, "noise" the last.
    """
    images = results.images.value
    values: dict[str, object] = {"path": list(images.ids)}
    if images.y is not None:
        values["label"] = _named(images.classes, images.y)
    found = mapped(results)
    if results.clustering is not None:
        values |= _clusters(results.clustering.value, found)
        values |= _names(results)
        agrees = agreement(results)
        if agrees is not None:
            values["agrees"] = _flags(agrees == 0, agrees >= 0)
    decisions, corrected = decided(results), corrected_labels(results)
    if decisions is not None:
        values["decision"] = _named(decisions[1], decisions[0])
    if corrected is not None:
        values["corrected_label"] = corrected
    answers = predicted(results)
    if answers is not None:
        values["predicted"] = _named(answers.names, answers.labels)
        values["probability"] = answers.probabilities.max(axis=1)
    if results.projection is not None:
        values |= dict(zip("xyz", results.projection.value.coordinates.T, strict=False))
    if results.latents is not None and results.latents.value.errors is not None:
        values["error"] = results.latents.value.errors
    away = centroid_distances(results)
    if away is not None:
        values["centroid_distance"] = away
    for name, column in images.columns.items():
        values[name if name not in values else f"{name} (data)"] = column
    return pd.DataFrame(values)


def predictions(results: Results, *, inverted: bool = False) -> pd.DataFrame:
    """Return `id` and `label` of each image: the class its cluster stands for, or the cluster when there are none.

    The label of an image that is in no cluster is "noise".

    Raises
    ------
    ConfigError : `inverted`, which swaps two labels, where there are not two clusters.
    """
    clustering = some(results.clustering).value
    labels = clustering.labels
    found = mapped(results)
    if inverted and len(clustering.centers) != 2:
        raise ConfigError(f"Only the labels of two clusters can be swapped; here are {len(clustering.centers)}.")
    if found is None:
        numbers = np.where(labels < 0, labels, 1 - labels) if inverted else labels
        return pd.DataFrame({"id": list(results.images.value.ids), "label": _numbered(numbers, clustering.k)})
    names = (known.inverted(found) if inverted else found).names()
    return pd.DataFrame({"id": list(results.images.value.ids), "label": _of_cluster(names, labels)})


def invertible(results: Results) -> bool:
    """Say whether the labels are two that can be swapped."""
    found = mapped(results)
    return len(some(results.clustering).value.centers) == 2 and (found is None or len(found.classes) == 2)


def answers(results: Results, n: int = 3) -> pd.DataFrame:
    """Return a classifier's answers, a row an image.

    Path, label id and name; the n likeliest classes by id and name; whether the label is among the 1..n likeliest; the
    softmax confidence of every class.

    Raises
    ------
    ConfigError : the model is no classifier, or has fewer than n classes.
    """
    found = predicted(results)
    if found is None:
        raise ConfigError("Only a classifier gives predictions of every class.")
    if not 1 <= n <= len(found.names):
        raise ConfigError(f"top {n} must be between 1 and the {len(found.names)} classes there are.")
    values: dict[str, object] = {"path": list(results.images.value.ids)}
    if found.truth is not None:
        values["label id"] = found.truth
        values["label name"] = _named(found.names, found.truth)
    best = classifier.top(found.probabilities, n)
    for i in range(n):
        values[f"top-{i + 1} predicted id"] = best[:, i]
        values[f"top-{i + 1} predicted name"] = _named(found.names, best[:, i])
    if found.truth is not None:
        for i in range(1, n + 1):
            right = classifier.top_correct(found.probabilities, found.truth, i)
            values[f"top-{i} correct"] = _flags(right, found.truth >= 0)
    frame = pd.DataFrame(values)
    confidences = pd.DataFrame(found.probabilities, columns=_distinct(found.names))
    return pd.concat([frame, confidences.add_prefix("confidence ")], axis=1)


def coordinates(results: Results) -> pd.DataFrame:
    """Return the map's coordinates with path, label and predicted class."""
    frame = table(results)
    return frame[[name for name in ("path", "label", "predicted", "cluster", "x", "y", "z") if name in frame]]


def csv(frame: pd.DataFrame, kind: Csv = "spreadsheet") -> bytes:
    """Write a table as CSV in UTF-8; for a spreadsheet, a text that it would run as a formula gets an apostrophe in front."""
    return plain_csv(formulas.shielded_table(frame) if kind == "spreadsheet" else frame)


def parquet(frame: pd.DataFrame) -> bytes:
    """Write a table as Parquet."""
    buffer = io.BytesIO()
    safe = frame.copy()
    for name in frame.columns:
        if frame[name].dtype == object:  # of mixed kinds, such as a flag that is not always known
            safe[name] = [None if value is None or value != value else str(value) for value in frame[name]]
    safe.columns = [str(name) for name in frame.columns]
    safe.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


def plain_csv(frame: pd.DataFrame) -> bytes:
    """Write a table as CSV in UTF-8, letter by letter as it is."""
    text = frame.to_csv(index=False, lineterminator="\n")
    if "\r" in text:  # which ends a line for readers, but which Python's writer does not quote before 3.13
        text = frame.to_csv(index=False, lineterminator="\n", quoting=csv_format.QUOTE_NONNUMERIC)
    return text.encode("utf-8", "backslashreplace")


def predictions_csv(results: Results, *, inverted: bool = False) -> bytes:
    """Write the predictions as CSV, ids and labels letter by letter as they are."""
    return plain_csv(predictions(results, inverted=inverted))


def latents_npy(results: Results) -> bytes:
    """Write the latents, float32 (n, d), as a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, some(results.latents).value.latents, allow_pickle=False)
    return buffer.getvalue()


def model_bytes(results: Results) -> bytes:
    """Write the model as one .safetensors file.

    Raises
    ------
    ConfigError : it is a classifier, whose weights lie in the file that was given.
    """
    model = some(results.model).value
    if not isinstance(model, TrainedModel):
        raise ConfigError("A classifier's weights are not written again; they lie in the file that was given.")
    return checkpoints.checkpoint_bytes(model)


def _clusters(clustering: Clustering, found: Mapped | None) -> dict[str, object]:
    values: dict[str, object] = {"cluster": _numbered(clustering.labels, clustering.k)}
    sure = {
        "confidence": clustering.confidence,
        "cluster_probability": clustering.own_probability,
        "membership_strength": clustering.strength,
    }
    values |= {name: value for name, value in sure.items() if value is not None}
    if found is not None:
        values["matched"] = _of_cluster(found.names(), clustering.labels)
    return values


def _names(results: Results) -> dict[str, object]:
    """Return the name given by hand to each image's cluster, where any was given."""
    clustering = some(results.clustering)
    if results.review is None:
        return {}
    names = corrections.names_of(results.review, clustering.key, clustering.value.k)
    return {"cluster_name": _of_cluster(names, clustering.value.labels)} if any(names) else {}


def _numbered(labels: np.ndarray, k: int) -> "np.ndarray | pd.Categorical[str]":
    """Return cluster numbers as they are, or as ordered texts when some of them are noise."""
    if not (labels < 0).any():
        return labels
    names = pd.Index([*map(str, range(k)), NOISE_NAME])
    return pd.Categorical.from_codes(np.where(labels < 0, k, labels).astype(np.int64), names, ordered=True)


def _of_cluster(names: tuple[str, ...], labels: np.ndarray) -> np.ndarray:
    return np.asarray([*names, NOISE_NAME], dtype=object)[labels]  # noise is -1 and finds the last


def _named(names: tuple[str, ...], codes: np.ndarray) -> np.ndarray:
    return np.asarray([*names, ""], dtype=object)[codes]  # -1 finds the last


def _flags(values: np.ndarray, there: np.ndarray) -> np.ndarray | pd.arrays.BooleanArray:
    """Return true and false, and nothing where there is no label: a column of one type for Parquet and the page's table."""
    return values if there.all() else pd.arrays.BooleanArray(values.astype(bool), ~there)


def _distinct(names: tuple[str, ...]) -> list[str]:
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    return [f"{name} ({i})" if name in twice else name for i, name in enumerate(names)]
