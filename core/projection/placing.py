"""Place images on a map that others made: by their nearest neighbours among those; the map stays as it is."""

from collections.abc import Callable

import numpy as np

from core.config import Metric
from core.neighbours import searcher
from core.progress import Callback, Progress, ignore, stopwatch

NEAREST = 15  # images on the map that decide a place
PERPLEXITY = 5.0  # of their weights
ROWS = 8_192  # placed at a time, so that memory stays bounded
_STEPS = 20  # of the bisection, and of the median


def transform(
    values: np.ndarray,
    coordinates: np.ndarray,
    new: np.ndarray,
    metric: Metric = "euclidean",
    callback: Callback = ignore,
) -> np.ndarray:
    """Place new images on a map, in batches; the map stays as it is.

    Parameters
    ----------
    values : (m, d) of the images on the map. coordinates : float32 (m, 2 or 3), the map. new : (q, d).

    Returns
    -------
    places : float32 (q, 2 or 3); that of an image on the map where a new one equals it.

    Raises
    ------
    Cancelled : raised by the callback, between batches.

    Notes
    -----
    Each goes to the weighted spatial median of its 15 nearest images, the weights those of t-SNE with perplexity 5. A median
    and not the mean, as Kobak and Berens (The art of using t-SNE, 2019) and Poličar et al. (openTSNE, 2024) start, since
    neighbours may lie in several places. Of 10,000 MNIST images with 32 latents, t-SNE of a random half, the 10 nearest
    neighbours kept by the other half: 0.309; at the nearest image's place 0.307, by the median of 10 along each axis 0.231, by
    the mean with these weights 0.218. 10 steps of attraction and repulsion against the fixed map would bring 0.324, but each
    looks at all q × m pairs: they take longer than all the rest, so there are none.
    """
    place = placer(values, coordinates, metric)
    places = np.empty((len(new), coordinates.shape[1]), np.float32)
    left = stopwatch(len(new))
    for start in range(0, len(new), ROWS):
        part = slice(start, min(len(new), start + ROWS))
        places[part] = place(new[part])
        callback(Progress("Placing images", part.stop, len(new), "image", left(part.stop)))
    return places


def placer(values: np.ndarray, coordinates: np.ndarray, metric: Metric) -> Callable[[np.ndarray], np.ndarray]:
    """Return what places a batch (q, d) on the map of these values; see `transform`."""
    k = min(NEAREST, len(values))
    search = searcher(values, k, metric)

    def place(batch: np.ndarray) -> np.ndarray:
        distances, rows = search(batch)
        spots = coordinates[rows].astype(np.float64)  # (q, k, 2 or 3)
        return spatial_median(spots, weights(distances)).astype(np.float32)

    return place


def weights(distances: np.ndarray, perplexity: float = PERPLEXITY) -> np.ndarray:
    """Weigh neighbours by exp(-b d²), each row's b such that the weights' perplexity is the one asked for; rows sum to 1.

    Parameters
    ----------
    distances : (q, k), nearest first. Where the nearest is at 0, only those at 0 count.
    """
    squares = np.square(distances.astype(np.float64))
    scale = squares.mean(axis=1, keepdims=True)
    squares = (squares - squares[:, :1]) / np.where(scale == 0, 1, scale)
    wanted = np.log(min(perplexity, squares.shape[1]))
    low, high = np.full(len(squares), -3.0), np.full(len(squares), 6.0)  # powers of ten of b
    for _ in range(_STEPS):
        middle = (low + high) / 2
        raw = np.exp(-squares * 10 ** middle[:, None])
        total = raw.sum(axis=1)
        entropy = np.log(total) + 10**middle * (raw * squares).sum(axis=1) / total
        low, high = np.where(entropy > wanted, middle, low), np.where(entropy > wanted, high, middle)
    raw = np.where(distances[:, :1] == 0, distances == 0, np.exp(-squares * 10 ** low[:, None]))
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))


def spatial_median(spots: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the points (q, dim) with the smallest weighted sum of distances to spots (q, k, dim), weights (q, k).

    Weiszfeld (1937): means with weights divided by the distance, which is held above a ten thousandth of the spots' spread.
    """
    found = (spots * shares[..., None]).sum(axis=1)
    spread = np.linalg.norm(spots - found[:, None], axis=2).max(axis=1, keepdims=True)
    floor = np.where(spread > 0, spread * 1e-4, 1)
    for _ in range(_STEPS):
        pull = shares / np.maximum(np.linalg.norm(spots - found[:, None], axis=2), floor)  # (q, k)
        found = (spots * (pull / pull.sum(axis=1, keepdims=True))[..., None]).sum(axis=1)
    return found
