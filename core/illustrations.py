"""The pictures that results allow, by name: each is drawn when it is asked for."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from core import pictures, report
from core.figures import Category
from core.models import TrainedModel
from core.plans import Results, some

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUPS = ("Label", "Predicted class", "Cluster")
LOSSES = {"mse": "MSE", "l1": "L1", "huber": "Huber"}


def drawable(results: Results, bright: np.ndarray | None = None) -> Mapping[str, "Callable[[], Figure]"]:
    """Return a function for each picture that these results allow: reconstructions, loss curves, maps by class.

    Parameters
    ----------
    bright : bool (n,), images that stand out on the maps; None for all.
    """
    return _reconstructions(results) | _losses(results) | maps(results, bright)


def _reconstructions(results: Results) -> "dict[str, Callable[[], Figure]]":
    images, encoded = results.images.value, some(results.latents).value
    rows = [row for row in pictures.SHOWN if row < len(images)]
    if encoded.reconstructions is None or not rows:
        return {}
    labels = None if images.y is None else [images.classes[i] if i >= 0 else "" for i in images.y[rows]]
    ids = [images.ids[row] for row in rows]
    return {
        "reconstructions": partial(
            pictures.reconstruction_rows, images.x[rows], encoded.reconstructions[rows], ids, labels
        ),
        "grids": partial(pictures.grids, images.x[:16], encoded.reconstructions[:16], own_range=True),
    }


def _losses(results: Results) -> "dict[str, Callable[[], Figure]]":
    model = some(results.model).value
    if not isinstance(model, TrainedModel) or not model.history:
        return {}
    loss = "" if model.training is None else LOSSES[model.training.loss]
    return {"losses": partial(pictures.loss_curves, model.history, loss)}


def maps(results: Results, bright: np.ndarray | None = None) -> "dict[str, Callable[[], Figure]]":
    """Maps by true and by predicted class, without either by cluster: with names at centroids, markers, a colour bar."""
    columns = {item.title: item for item in report.columns(results) if isinstance(item, Category)}
    titles = [title for title in GROUPS if title in columns]
    coordinates = some(results.projection).value.coordinates
    size = coordinates.shape[1]
    found: dict[str, Callable[[], Figure]] = {}
    for title in titles:
        if title == "Cluster" and "Label" in titles:
            continue
        column = columns[title]
        names = column.names if column.gray is None else column.names[: column.gray]
        codes = np.where(column.codes < len(names), column.codes, -1)
        draw = partial(
            pictures.scatter, coordinates, codes, names, rest=pictures.REST if column.gray is None else column.names[-1],
            title=_title(results, title, bright), axes=report.axes(results), bright=bright,
        )  # fmt: skip
        stem = f"map-{size}d-{title.lower().replace(' ', '-')}"
        found[f"{stem}-names"] = partial(draw, centroids=True)
        found[f"{stem}-markers"] = partial(draw, markers=True)
        if size == 2:
            found[f"{stem}-bar"] = partial(draw, color_bar=True)
    return found


def _title(results: Results, column: str, bright: np.ndarray | None) -> str:
    title = f"{results.images.value.name}, by {column.lower()}"
    return title if bright is None else f"{title}: {int(bright.sum()):,} of {len(bright):,} images"
