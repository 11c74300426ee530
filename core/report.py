"""What a person reads from the results of a plan: columns, tables, scores, the map to draw and files to take away."""

import io
from collections.abc import Iterator

import numpy as np
import pandas as pd

from core import export, figures, models, quality
from core.config import KernelPCAConfig, PCAConfig, ProjectionConfig, TSNEConfig
from core.errors import ConfigError
from core.figures import Category, MapSpec, Number
from core.pipeline import Results, clustered, coordinates_of, some
from core.quality import Scores

MAX_NAMES = 100  # a text column with more different values is in the table only: no palette tells them apart
AGREEMENT = ("agrees", "disagrees")


def title_of(config: ProjectionConfig) -> str:
    """Return a map's method as people write it."""
    if isinstance(config, TSNEConfig):
        return "t-SNE"
    if isinstance(config, KernelPCAConfig):
        return "Kernel PCA"
    return "PCA" if isinstance(config, PCAConfig) else "UMAP"


def size(results: Results) -> int:
    """Return the number of images."""
    return len(results.images.value)


def dimensions(results: Results) -> int:
    """Return the dimensions of the map, 2 or 3."""
    return int(some(results.projection).value.coordinates.shape[1])


def file_stem(results: Results) -> str:
    """Return the name of the images as the beginning of a file name."""
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in results.images.value.name)
    return name.strip("-")[:60] or "images"


def columns(results: Results) -> tuple[Category | Number, ...]:
    """Return what each image is known by, one value an image: what can colour, shape and describe the dots."""
    return tuple(_columns(results))


def matched(results: Results) -> tuple[str, ...] | None:
    """Return the name of the class that each cluster stands for (k names), or None without labels."""
    images = results.images.value
    if images.y is None or results.clustering is None:
        return None
    return tuple(images.classes[c] for c in quality.match(results.clustering.value.labels, images.y))


def scores(results: Results) -> Scores:
    """Score the map and its clusters; the silhouette is that of what was clustered."""
    projection = some(results.projection).value
    return quality.score(
        some(results.clustering).value.labels,
        results.images.value.y,
        coordinates_of(clustered(results).value),
        projection.explained_variance_ratio,
        projection.kl_divergence,
        some(results.latents).value.errors,
    )


def table(results: Results) -> pd.DataFrame:
    """Return a row an image: path, label, cluster, matched class, agreement, coordinates, error, further columns."""
    images = results.images.value
    values: dict[str, object] = {"path": list(images.ids)}
    if images.y is not None:
        values["label"] = np.asarray(images.classes, dtype=object)[images.y]
    if results.clustering is not None:
        values["cluster"] = results.clustering.value.labels
        names = matched(results)
        if names is not None:
            values["matched"] = np.asarray(names, dtype=object)[results.clustering.value.labels]
            values["agrees"] = values["label"] == values["matched"]
    if results.projection is not None:
        values |= dict(zip("xyz", results.projection.value.coordinates.T, strict=False))
    if results.latents is not None:
        values["error"] = results.latents.value.errors
    for name, column in images.columns.items():
        values[name if name not in values else f"{name} (data)"] = column
    return pd.DataFrame(values)


def predictions(results: Results) -> pd.DataFrame:
    """Return `id` and `label` of each image: the class its cluster stands for, or the cluster when there are none."""
    clusters = some(results.clustering).value.labels
    names = matched(results)
    labels = clusters if names is None else np.asarray(names, dtype=object)[clusters]
    return pd.DataFrame({"id": list(results.images.value.ids), "label": labels})


def csv(frame: pd.DataFrame) -> bytes:
    """Write a table as CSV in UTF-8."""
    return frame.to_csv(index=False, lineterminator="\n").encode("utf-8")


def predictions_csv(results: Results) -> bytes:
    """Write the predictions as CSV."""
    return csv(predictions(results))


def latents_npy(results: Results) -> bytes:
    """Write the latents, float32 (n, latent_size), as a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, some(results.latents).value.latents, allow_pickle=False)
    return buffer.getvalue()
