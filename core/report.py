"""What a person reads from the results of a plan: columns, scores, the map to draw, the page to take away."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from core import export, figures, quality, review, sheets
from core.clustering import NOISE_NAME
from core.config import KernelPCAConfig, PCAConfig, ProjectionConfig, TSNEConfig
from core.errors import ConfigError
from core.figures import Category, Column, MapSpec, Number
from core.plans import Results, some
from core.quality import Scores
from core.stages import clustered, coordinates_of

MAX_3D = 20_000  # points that a browser without a GPU still turns smoothly
LARGE = 2**24  # up to which a 32-bit number tells whole numbers apart
FEW = 20  # whole numbers with at most so many different values are groups
T = TypeVar("T", Column, Category)


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
        found += _cluster_columns(results)
    if images.y is not None:
        found.append(_classes("Label", images.classes, images.y))
    mapped, agreement = review.mapped(results), review.agreement(results)
    if agreement is not None:
        found.append(Category("Agreement", agreement, review.AGREEMENT))
    if mapped is not None and results.clustering is not None:
        found.append(_classes("Matched class", mapped.classes, mapped.codes(results.clustering.value.labels)))
    found += _review_columns(results)
    found += _model_columns(results)
    away = review.centroid_distances(results)
    if away is not None:
        found.append(Number("Distance to centroid", away))
    titles = {column.title for column in found}
    for name, values in images.columns.items():
        found.append(_column(f"{name} (data)" if name in titles else name, values))
    return tuple(found)


def whole_texts(results: Results) -> dict[str, list[str]]:
    """Return, by title, each image's own text of the columns that a map tells in part: many groups, long whole numbers."""
    images = results.images.value
    found = {}
    if images.y is not None and len(images.classes) > figures.MAX_GROUPS:
        found["Label"] = np.asarray([*images.classes, ""], dtype=object)[images.y].tolist()
    further = columns(results)[-len(images.columns) :] if images.columns else ()
    for column, values in zip(further, images.columns.values(), strict=True):
        whole = values.dtype.kind in "iu" and len(values) and np.abs(values.astype(np.float64)).max() > LARGE
        if _has_others(column) or (whole and isinstance(column, Number)):
            found[column.title] = [str(value) for value in values.tolist()]
    return found


def map_spec(
    results: Results,
    *,
    color: str | None = None,
    symbol: str | None = None,
    point_size: float = 5.0,
    opacity: float = 0.8,
    crowd: bool = True,
    pictures: bool = True,
    limit: int | None = None,
    only: np.ndarray | None = None,
    further: Sequence[Column] = (),
    known: Sequence[Column] | None = None,
) -> MapSpec:
    """Return the map to draw.

    Parameters
    ----------
    color, symbol : titles of columns; None colours by the first one, and draws one shape.
    limit : draw at most so many dots, chosen at random. only : rows (k,) to draw, None for all.
    further : columns beside those of the results. known : those of the results, where they are at hand.

    Raises
    ------
    ConfigError : there is no column of this title.
    """
    images, projection = results.images.value, some(results.projection)
    among = np.arange(len(images), dtype=np.int32) if only is None else np.asarray(only, np.int32)
    rows = among[figures.sample(len(among), limit)]
    of_results = columns(results) if known is None else known
    every = {column.title: _taken(column, rows) for column in (*of_results, *further)}
    shapes = {title: column for title, column in every.items() if isinstance(column, Category)}
    reconstructions = None if results.latents is None else results.latents.value.reconstructions
    return MapSpec(
        coordinates=projection.value.coordinates[rows],
        rows=rows,
        color=_chosen(every, next(iter(every)) if color is None else color, "colour"),
        symbol=None if symbol is None else _chosen(shapes, symbol, "shape"),
        fields=tuple(every.values()),
        ids=None if images.numbered else tuple(images.ids[row] for row in rows),
        axes=axes(results),
        view_key=projection.key,
        image=sheets.layout(images.x, reconstructions),
        point_size=point_size,
        opacity=opacity,
        crowd=crowd,
        pictures=pictures,
    )


def scores(results: Results) -> Scores:
    """Score the map and its clusters; the silhouette is that of what was clustered."""
    projection = some(results.projection).value
    found = quality.score(
        some(results.clustering).value.labels,
        results.images.value.y,
        coordinates_of(clustered(results).value),
        projection.explained_variance_ratio,
        projection.kl_divergence,
        some(results.latents).value.errors,
    )
    return replace(found, kept_fitted=projection.kept_fitted, kept_placed=projection.kept_placed)


def fitted_line(results: Results) -> str | None:
    """Say what a map was fitted on when that is a sample, and what placing the rest costs; None of a map of all."""
    found = some(results.projection).value
    if found.fitted is None:
        return None
    n = len(found.coordinates)
    kept = f"{100 * (found.kept_fitted or 0):.0f} %, placed ones {100 * (found.kept_placed or 0):.0f} %"
    return (
        f"Fitted on {found.fitted:,} of {n:,} images; the others are placed by their neighbours among them. "
        f"Of their 10 nearest neighbours fitted images keep {kept}."
    )


def trustworthiness(results: Results) -> float | None:
    """Return how far neighbours on the map are neighbours in what it was made of, in [0, 1]; of a sample."""
    return quality.trustworthiness(some(results.reduced).value.values, some(results.projection).value.coordinates)


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
    texts = {title: [values[row] for row in spec.rows] for title, values in whole_texts(results).items()}
    images = results.images.value
    return export.html(spec, images.x, reconstructions, images.name, summary, texts=texts)


def _has_others(column: Column) -> bool:
    """Say whether a column's rarest groups have become one."""
    return isinstance(column, Category) and column.names[figures.MAX_GROUPS - 1 :] == (figures.OTHER,)


def _cluster_columns(results: Results) -> list[Column]:
    """Return each image's cluster, noise as a gray group of its own, and how sure it is; beyond 100 the smallest are one."""
    clustering = some(results.clustering).value
    codes, k, most = clustering.labels, clustering.k, figures.MAX_GROUPS
    names, colors = review.cluster_titles(results), review.cluster_colors(results)
    if k > most:
        names, codes, colors = (*names[: most - 1], figures.OTHER), np.minimum(codes, most - 1), None
    gray = None
    if (codes < 0).any():
        gray, names = len(names), (*names, NOISE_NAME)
        codes = np.where(codes < 0, np.int32(gray), codes)
    found: list[Column] = [Category("Cluster", codes, names, gray, colors)]
    for title, values in (
        ("Ensemble confidence", clustering.confidence),
        ("Cluster probability", clustering.own_probability),
        ("Membership strength", clustering.strength),
    ):
        if values is not None:
            found.append(Number(title, values))
    return found


def _review_columns(results: Results) -> list[Column]:
    """Return what was decided of each image, and the labels it leaves, once there is any decision."""
    decided, labels = review.decided(results), review.corrected_labels(results)
    found: list[Column] = [] if decided is None else [Category("Decision", *decided)]
    return found if labels is None else [*found, figures.category("Corrected label", labels)]


def _model_columns(results: Results) -> list[Column]:
    found: list[Column] = []
    answers = review.predicted(results)
    if answers is not None:
        found.append(_classes("Predicted class", answers.names, answers.labels))
        found.append(Number("Probability", answers.probabilities.max(axis=1)))
        if answers.truth is not None:
            wrong = np.where(answers.truth < 0, -1, answers.labels != answers.truth)
            found.append(Category("Prediction", wrong.astype(np.int32), review.PREDICTED))
    if results.latents is not None and results.latents.value.errors is not None:
        found.append(Number("Reconstruction error", results.latents.value.errors))
    return found


def _classes(title: str, names: tuple[str, ...], codes: np.ndarray) -> Category:
    if len(names) > figures.MAX_GROUPS:
        return figures.category(title, np.asarray([*names, ""])[codes])
    return Category(title, codes.astype(np.int32), names)


def _column(title: str, values: np.ndarray) -> Column:
    kind = values.dtype.kind
    if kind == "f" or (kind in "iu" and len(np.unique(values)) > FEW):
        return Number(title, values.astype(np.float32))
    return figures.category(title, values)


def _taken(column: Column, rows: np.ndarray) -> Column:
    if isinstance(column, Category):
        return replace(column, codes=column.codes[rows])
    return Number(column.title, column.values[rows])


def _chosen(columns: Mapping[str, T], title: str, use: str) -> T:
    if title not in columns:
        raise ConfigError(f"No column {title!r} can give the {use}; there are {', '.join(columns)}.")
    return columns[title]


def axes(results: Results) -> tuple[str, ...]:
    """Return a title for each axis of the map."""
    projection = some(results.projection).value
    numbers = range(1, projection.coordinates.shape[1] + 1)
    if projection.kl_divergence is not None:
        return tuple(f"t-SNE {i}" for i in numbers)
    if projection.explained_variance_ratio is not None:
        shares = projection.explained_variance_ratio
        return tuple(f"Component {i} ({100 * shares[i - 1]:.1f} %)" for i in numbers)
    return tuple(f"Dimension {i}" for i in numbers)
