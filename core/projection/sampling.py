"""Maps of more images than t-SNE and UMAP can fit: of a sample, among which the rest is placed, with the error that adds.

Nothing here holds more than a batch of rows × the sample; values may be memory-mapped.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from core.config import Metric
from core.neighbours import searcher
from core.progress import Callback, Progress, ignore, stopwatch
from core.projection.checks import SMALL_WORK, one_thread_if
from core.projection.placing import ROWS, placer

KEPT = 10  # neighbours that are looked for again on the map
MOST_STRATA = 200
STRATA_FROM = 50_000  # images from which the strata are found
JUDGED = 1_000  # fitted images, and placed ones, whose neighbours are looked for again


@dataclass(frozen=True, eq=False)
class Sampled:
    """A map whose `rows`, int64 (m,), were fitted, and how much neighbourhood it keeps: shares in [0, 1]."""

    coordinates: np.ndarray
    rows: np.ndarray
    kept_fitted: float
    kept_placed: float


def sampled(
    values: np.ndarray,
    sample: int,
    metric: Metric,
    seed: int,
    fit: Callable[[np.ndarray, np.ndarray, Callback], np.ndarray],
    callback: Callback = ignore,
) -> Sampled:
    """Fit a map on a stratified sample of (n, d), place the rest, and look how many neighbours were kept.

    Parameters
    ----------
    sample : images to fit on, below n.
    fit : gets the rows of the sample, int64 (m,), and their values (m, d), and lays them out as float32 (m, 2 or 3); its
        previews come as "sample", with the images' "rows".

    Raises
    ------
    ConfigError : any of `fit`. Cancelled : raised by the callback.
    """
    callback(Progress("Choosing a sample", 0, 1))
    rows = stratified(values, sample, seed)
    fitted = np.ascontiguousarray(values[rows])

    def inner(progress: Progress) -> None:
        callback(_of_sample(progress, rows))

    places = fit(rows, fitted, inner)
    rest = np.ones(len(values), bool)
    rest[rows] = False
    coordinates = np.empty((len(values), places.shape[1]), np.float32)
    coordinates[rows] = places
    others = np.flatnonzero(rest)
    place = placer(fitted, places, metric)
    left = stopwatch(len(others))
    for start in range(0, len(others), ROWS):
        part = others[start : start + ROWS]
        coordinates[part] = place(values[part])
        done = start + len(part)
        callback(Progress("Placing the others", done, len(others), "image", left(done)))
    random = np.random.default_rng(seed)
    shares = []
    for number, among in enumerate((rows, others)):
        chosen = np.sort(random.choice(among, min(JUDGED, len(among)), replace=False))
        shares.append(kept(values, coordinates, chosen, metric))
        callback(Progress("Looking at neighbours", number + 1, 2, "group"))
    return Sampled(coordinates, rows, *shares)


def stratified(values: np.ndarray, m: int, seed: int = 0) -> np.ndarray:
    """Choose m of n rows at random, in proportion from strata that are found without labels; int64 (m,), in order.

    The strata are up to 200 clusters by k-means on random batches, found on at most 50,000 of the rows. Each has at least one
    image in the sample (as long as m allows), and otherwise its share, by largest remainders (Cochran, Sampling techniques,
    1977, ch. 5: stratified sampling with proportional allocation).
    """
    from sklearn.cluster import MiniBatchKMeans

    n = len(values)
    if m >= n:
        return np.arange(n)
    random = np.random.default_rng(seed)
    k = max(1, min(MOST_STRATA, m // 20))
    first = np.sort(random.choice(n, min(n, STRATA_FROM), replace=False))
    with one_thread_if(len(first) * k * values.shape[1] < SMALL_WORK / 100):
        found = MiniBatchKMeans(k, batch_size=4096, n_init=1, random_state=seed).fit(np.asarray(values[first]))
        strata = np.concatenate(
            [found.predict(np.asarray(values[start : start + ROWS])) for start in range(0, n, ROWS)]
        )
    order = np.argsort(random.random(n))  # at random inside each stratum
    order = order[np.argsort(strata[order], kind="stable")]
    sizes = np.bincount(strata, minlength=k)
    rank = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(order[rank < np.repeat(shares(sizes, m), sizes)])


def shares(sizes: np.ndarray, m: int) -> np.ndarray:
    """Divide m among strata of these sizes in proportion, int64 (k,): at least one of each that is not empty if m allows.

    Sums to m, which is at most the sum of the sizes.
    """
    found = np.minimum(sizes, 1) if m >= np.count_nonzero(sizes) else np.zeros_like(sizes)
    wanted = sizes * (m / sizes.sum())
    found = np.maximum(found, np.floor(wanted).astype(np.int64))
    while found.sum() != m:
        lacking = wanted - found
        if found.sum() < m:
            lacking[found >= sizes] = -np.inf
            found[np.argmax(lacking)] += 1
        else:  # ones that were given beyond a share come from the largest strata
            lacking[found <= 1] = np.inf
            found[np.argmin(lacking)] -= 1
    return found


def kept(values: np.ndarray, coordinates: np.ndarray, rows: np.ndarray, metric: Metric = "euclidean") -> float:
    """Return the share, in [0, 1], of the nearest neighbours of some rows in (n, d) that are among their nearest on the map.

    Of 10 neighbours, or as many as there are, among all n images.
    """
    k = min(KEPT, len(values) - 1)
    near = _others(values, rows, k, metric)
    found = _others(coordinates, rows, k, "euclidean")
    return float((near[:, :, None] == found[:, None, :]).any(axis=2).mean())


def _others(values: np.ndarray, rows: np.ndarray, k: int, metric: Metric) -> np.ndarray:
    """Return the k nearest other rows of some, (q, k); of equal ones the row itself may be found late or not at all."""
    _, found = searcher(values, k + 1, metric)(values[rows])
    own = found == rows[:, None]
    own[~own.any(axis=1), k] = True
    return np.asarray(found[~own].reshape(-1, k))


def _of_sample(progress: Progress, rows: np.ndarray) -> Progress:
    """Name a preview of the sample as one, so that it is not taken for a map of all."""
    shown = progress.preview
    if shown is None or "coordinates" not in shown:
        return progress
    return replace(progress, preview={"sample": shown["coordinates"], "rows": rows})
