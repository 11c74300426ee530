"""What a person reads from the results of a plan: columns, tables, scores, the map to draw and files to take away."""

import io
from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import pandas as pd

from core import export, figures, models, quality, sheets
from core.config import KernelPCAConfig, PCAConfig, ProjectionConfig, TSNEConfig
from core.errors import ConfigError
from core.figures import Category, Column, MapSpec, Number
from core.imageset import ImageSet
from core.pipeline import clustered, coordinates_of, some
from core.plans import Results
from core.quality import Scores

MAX_3D = 20_000  # points that a browser without a GPU still turns smoothly
FEW = 20  # whole numbers with at most so many different values are groups
T = TypeVar("T", Column, Category)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what begins a formula in a spreadsheet
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


def columns(results: Results) -> tuple[Column, ...]:
    """Return what each image is known by: n values a column, to colour, shape and describe the dots."""
    images = results.images.value
    found: list[Column] = []
    if results.clustering is not None:
        labels = results.clustering.value.labels
        found.append(Category("Cluster", labels, tuple(map(str, range(len(results.clustering.value.centers))))))
    if images.y is not None:
        found.append(_classes("Label", images, images.y))
    if results.clustering is not None and images.y is not None:
        stands_for = quality.match(labels, images.y)[labels]
        found.append(Category("Agreement", (stands_for != images.y).astype(np.int32), AGREEMENT))
        found.append(_classes("Matched class", images, stands_for))
    if results.latents is not None:
        found.append(Number("Reconstruction error", results.latents.value.errors))
    titles = {column.title for column in found}
    for name, values in images.columns.items():
        found.append(_column(f"{name} (data)" if name in titles else name, values))
    return tuple(found)


def map_spec(
    results: Results,
    *,
    color: str | None = None,
    symbol: str | None = None,
    point_size: float = 5.0,
    opacity: float = 0.8,
    limit: int | None = None,
) -> MapSpec:
    """Return the map to draw.

    Parameters
    ----------
    color, symbol : titles of columns; None colours by the first one, and draws one shape.
    limit : draw at most so many dots, chosen at random.

    Raises
    ------
    ConfigError : there is no column of this title.
    """
    images, projection = results.images.value, some(results.projection)
    rows = figures.sample(len(images), limit)
    every = {column.title: _taken(column, rows) for column in columns(results)}
    shapes = {title: column for title, column in every.items() if isinstance(column, Category)}
    reconstructions = None if results.latents is None else results.latents.value.reconstructions
    numbered = images.ids == tuple(map(str, range(len(images))))
    return MapSpec(
        coordinates=projection.value.coordinates[rows],
        rows=rows,
        color=_chosen(every, next(iter(every)) if color is None else color, "colour"),
        symbol=None if symbol is None else _chosen(shapes, symbol, "shape"),
        fields=tuple(every.values()),
        ids=None if numbered else tuple(images.ids[row] for row in rows),
        axes=_axes(results),
        view_key=projection.key,
        image=sheets.layout(images.x, reconstructions),
        point_size=point_size,
        opacity=opacity,
    )


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
    """Write a table as CSV in UTF-8; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    safe = frame.copy()
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            safe[name] = [f"'{text}" if str(text).startswith(FORMULA) else text for text in frame[name]]
    return _csv(safe)


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n").encode("utf-8")


def predictions_csv(results: Results) -> bytes:
    """Write the predictions as CSV, ids and labels letter by letter as they are."""
    return _csv(predictions(results))


def latents_npy(results: Results) -> bytes:
    """Write the latents, float32 (n, latent_size), as a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, some(results.latents).value.latents, allow_pickle=False)
    return buffer.getvalue()


def model_bytes(results: Results) -> bytes:
    """Write the model as one .safetensors file."""
    return models.checkpoint_bytes(some(results.model).value)


def html(
    results: Results,
    color: str | None = None,
    symbol: str | None = None,
    point_size: float = 5.0,
    opacity: float = 0.8,
) -> str:
    """Write the map as one HTML page that needs no network; in 3-D with at most `MAX_3D` dots.

    Raises
    ------
    ConfigError : there is no column of this title.
    """
    limit = MAX_3D if dimensions(results) == 3 else None
    spec = map_spec(results, color=color, symbol=symbol, point_size=point_size, opacity=opacity, limit=limit)
    reconstructions = None if results.latents is None else results.latents.value.reconstructions
    found = scores(results)
    known = {name: getattr(found, name) for name in quality.TITLES}
    summary = {quality.TITLES[name]: quality.text(name, value) for name, value in known.items() if value is not None}
    return export.html(spec, results.images.value.x, reconstructions, results.images.value.name, summary)


def _classes(title: str, images: ImageSet, codes: np.ndarray) -> Category:
    if len(images.classes) > figures.MAX_GROUPS:
        return figures.category(title, np.asarray(images.classes)[codes])
    return Category(title, codes.astype(np.int32), images.classes)


def _column(title: str, values: np.ndarray) -> Column:
    kind = values.dtype.kind
    if kind == "f" or (kind in "iu" and len(np.unique(values)) > FEW):
        return Number(title, values.astype(np.float32))
    return figures.category(title, values)


def _taken(column: Column, rows: np.ndarray) -> Column:
    if isinstance(column, Category):
        return Category(column.title, column.codes[rows], column.names)
    return Number(column.title, column.values[rows])


def _chosen(columns: Mapping[str, T], title: str, use: str) -> T:
    if title not in columns:
        raise ConfigError(f"No column {title!r} can give the {use}; there are {', '.join(columns)}.")
    return columns[title]


def _axes(results: Results) -> tuple[str, ...]:
    projection = some(results.projection).value
    numbers = range(1, projection.coordinates.shape[1] + 1)
    if projection.kl_divergence is not None:
        return tuple(f"t-SNE {i}" for i in numbers)
    if projection.explained_variance_ratio is not None:
        shares = projection.explained_variance_ratio
        return tuple(f"Component {i} ({100 * shares[i - 1]:.1f} %)" for i in numbers)
    return tuple(f"Dimension {i}" for i in numbers)
