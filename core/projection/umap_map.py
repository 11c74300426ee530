"""UMAP: progress and previews between epochs, cancelled by a callback that raises."""

import time
from dataclasses import replace

import numpy as np

from core.config import UMAPConfig
from core.errors import ConfigError
from core.neighbours import Find, Graph, interpolation, known
from core.progress import Callback, Progress, ignore, stopwatch
from core.projection.checks import SMALL_WORK, checked, one_thread_if
from core.projection.linear import pca
from core.projection.umap_graph import first_map, spectral, union, weights
from core.projection.umap_layout import MOST_AXES, curve, epoch_kernel, generator, tables

# Above, a map takes long enough for one of so many images, by so many epochs, to be shown first to who watches.
SAMPLE_FROM, SAMPLE, SAMPLE_EPOCHS = 5_000, 2_000, 100
_REPORT_EVERY, _PREVIEW_EVERY = 0.1, 0.3  # seconds


def umap(
    values: np.ndarray,
    config: UMAPConfig,
    callback: Callback = ignore,
    *,
    graph: Graph | Find | None = None,
    epochs: int | None = None,
) -> np.ndarray:
    """Lay (n, d) out in any number of dimensions so that the graph of nearest neighbours is kept.

    Progress counts the epochs of the layout; finding neighbours and compiling come before the first one. A few times a
    second `preview` of a map, of at most 3 dimensions, holds "coordinates", float32 (n, n_components).

    Parameters
    ----------
    graph : `width` neighbours or more by the config's metric, from `core.neighbours.search`, when they are known,
        or what finds them.
    epochs : of the layout; None for umap-learn's number.

    Returns
    -------
    coordinates : float32 (n, n_components).

    Raises
    ------
    ConfigError : n_neighbors is not below the number of images, or the `graph` does not fit.

    Notes
    -----
    McInnes, Healy, Melville: UMAP: Uniform manifold approximation and projection (2018), with the constants of umap-learn:
    500 epochs up to 10,000 images, 200 above. Neighbours: see `core.neighbours.search`. The start is spectral; of a graph
    in several pieces, and below 16 images, it is the principal components.
    """
    n = len(checked(values))
    check_neighbors(config.n_neighbors, n)
    epochs = epochs or (500 if n <= 10_000 else 200)
    k = width(config)
    is_map = config.n_components <= MOST_AXES
    if n > SAMPLE_FROM and callback is not ignore and is_map:
        of_sample(values, config, callback)
    near = known(graph, values, k, config.metric, callback)
    if len(near.rows) != n or near.k < k:
        raise ConfigError(
            f"n_neighbors {k + 1} of {n} images needs {k} others of each; the graph has shape {near.rows.shape}."
        )
    callback(Progress("UMAP", 0, epochs, "epoch"))
    with one_thread_if(n * n * values.shape[1] < SMALL_WORK):
        edges = union(near.rows[:, :k], weights(near.distances[:, :k]))
        edges.data[edges.data < edges.data.max() / epochs] = 0  # they would never be drawn
        edges.eliminate_zeros()
        axes = spectral(edges, config.n_components, config.seed)
        if axes is None:
            axes = pca(values, min(config.n_components, *values.shape))[0]
    callback(Progress("UMAP", 0, epochs, "epoch"))
    coordinates = _laid_out(first_map(axes, config.n_components, config.seed), edges, config, epochs, callback)
    callback(Progress("UMAP", epochs, epochs, "epoch", 0.0, preview={"coordinates": coordinates} if is_map else None))
    return coordinates


def _laid_out(points: np.ndarray, graph: object, config: UMAPConfig, epochs: int, callback: Callback) -> np.ndarray:
    """Move the points (n, 4 or more) of the first map epoch by epoch; return their axes in use, float32 (n, n_components)."""
    starts, tails = graph.indptr.astype(np.int32), graph.indices.astype(np.int32)  # type: ignore[attr-defined]
    shares = (graph.data / graph.data.max()).astype(np.float32)  # type: ignore[attr-defined]
    epoch, coefficients, state = (
        epoch_kernel(config.n_components),
        tables(*curve(config.min_dist)),
        generator(config.seed),
    )
    seconds_left = stopwatch(epochs)
    reported = previewed = -np.inf
    for number in range(epochs):
        epoch(points, starts, tails, shares, *coefficients, np.float32(1 - number / epochs), number, state)
        now = time.monotonic()
        if now - reported < _REPORT_EVERY:
            continue
        preview, reported = None, now
        if config.n_components <= MOST_AXES and now - previewed >= _PREVIEW_EVERY:
            preview, previewed = {"coordinates": points[:, : config.n_components].copy()}, now  # they go on moving
        callback(Progress("UMAP", number + 1, epochs, "epoch", seconds_left(number + 1), preview=preview))
    return points[:, : config.n_components].copy()


def of_sample(values: np.ndarray, config: UMAPConfig, callback: Callback) -> None:
    """Show (n, d) laid out by a map of `SAMPLE` random images, while nothing else is there; the map itself knows none of it."""
    rows, spread = interpolation(values, SAMPLE, config.metric, config.seed)

    def report(progress: Progress) -> None:
        preview = progress.preview and {"coordinates": spread(np.asarray(progress.preview["coordinates"]))}
        callback(replace(progress, stage="UMAP of a sample", preview=preview))

    umap(values[rows], config, report, epochs=SAMPLE_EPOCHS)


def check_neighbors(n_neighbors: int, n: int) -> None:
    """Raise ConfigError when n images are too few for so many neighbours."""
    if n_neighbors >= n:
        raise ConfigError(f"n_neighbors {n_neighbors} needs at least {n_neighbors + 1} images; this set has {n}.")


def width(config: UMAPConfig) -> int:
    """Return how many other images of each a map needs: an image counts as its own first neighbour."""
    return config.n_neighbors - 1
