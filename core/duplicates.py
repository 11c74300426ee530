"""Images that are there more than once: exactly the same pixels, or nearly."""

import hashlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from core.config import AnalysisConfig
from core.errors import ConfigError
from core.neighbours import Graph
from core.progress import Callback, Progress, ignore, stopwatch
from core.store import Entry

PAIRS = 2_000  # whose pixels are compared at a time
USUAL = 5_000  # images whose nearest other says what a usual distance is


@dataclass(frozen=True)
class DuplicateConfig(AnalysisConfig):
    """Near duplicates within these distances; None are suggested ones. See `Thresholds`."""

    latent: float | None = None
    pixel: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("latent", self.latent), ("pixel", self.pixel)):
            if value is not None and not 0 <= value < float("inf"):
                raise ConfigError(f"The {name} distance of duplicates must be 0 or more; it is {value:g}.")


@dataclass(frozen=True)
class Thresholds:
    """Two images are near duplicates when both distances are at most these.

    Parameters
    ----------
    latent : in the unit of the graph, ≥ 0. pixel : root of the mean squared difference, pixels in [0, 1].
    """

    latent: float
    pixel: float


@dataclass(frozen=True, eq=False)
class Group:
    """Images that are duplicates of one another.

    Parameters
    ----------
    rows : int64 (m,), the centre first, to which every other one is linked; then in order.
    kind : "exact" when all have the same pixels.
    latent, pixel : float32 (m,), distances from the centre.
    """

    rows: np.ndarray
    kind: Literal["exact", "near"]
    latent: np.ndarray
    pixel: np.ndarray


@dataclass(frozen=True, eq=False)
class Duplicates:
    """The groups that were found, and the thresholds used."""

    groups: tuple[Group, ...]
    thresholds: Thresholds


def search(x: np.ndarray, graph: Graph, config: DuplicateConfig, callback: Callback = ignore) -> Duplicates:
    """Find the groups of duplicates of images uint8 (n, h, w, c) by a config's thresholds, or suggested ones."""
    usual = suggested(x, graph)
    limits = Thresholds(
        usual.latent if config.latent is None else config.latent,
        usual.pixel if config.pixel is None else config.pixel,
    )
    return Duplicates(groups(x, graph, limits, callback), limits)


def suggested(x: np.ndarray, graph: Graph, share: float = 0.25) -> Thresholds:
    """Return thresholds for a set of images: a share of what usually lies between an image and its nearest other.

    Usual is the median over images, up to 5,000 evenly spread over the set, that are no exact copies of their nearest:
    of the latent distance, and of the pixel distance. A pair that is so much nearer than neighbours are is one picture
    twice. Where there are only copies, both are 0.

    Parameters
    ----------
    x : uint8 (n, h, w, c).
    """
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), USUAL)).astype(np.int64))
    pixel = pixel_distances(x, rows, graph.rows[rows, 0])
    other = pixel > 0
    if not other.any():
        return Thresholds(0.0, 0.0)
    latent = graph.distances[rows, 0][other]
    return Thresholds(float(share * np.median(latent)), float(share * np.median(pixel[other])))


def groups(x: np.ndarray, graph: Graph, thresholds: Thresholds, callback: Callback = ignore) -> tuple[Group, ...]:
    """Find the groups of duplicates, the largest first, equal ones by their centre's row.

    Images of the same pixels belong together wherever they lie. Different ones are linked when they are neighbours in
    the graph and both their distances are within the thresholds. So that a chain of small steps does not make one group
    of unlike images, each connected component is split into stars: the image with most links and those that are linked
    to it, and so on with the rest. Two images of a group are thus at most two links apart.

    Parameters
    ----------
    x : uint8 (n, h, w, c).

    Raises
    ------
    ConfigError : a threshold is below 0, or the graph is of another number of images.
    """
    if len(graph.rows) != len(x):
        raise ConfigError(f"The neighbours are of {len(graph.rows)} images, but there are {len(x)}.")
    if not (thresholds.latent >= 0 and thresholds.pixel >= 0):
        raise ConfigError(f"Distances of duplicates are 0 or more, not {thresholds.latent} and {thresholds.pixel}.")
    first = _first_copies(x)  # (n,)
    links = _links(x, graph, thresholds, first, callback)
    stars = _stars(links, first)
    found = [_group(star, links, first) for star in stars if len(star) > 1]
    return tuple(sorted(found, key=lambda group: (-len(group.rows), int(group.rows[0]))))


def pixel_distances(x: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the distance of the images of m pairs: root of the mean squared difference, float32 (m,), in [0, 1]."""
    found = np.empty(len(a), np.float32)
    for start in range(0, len(a), PAIRS):
        part = slice(start, start + PAIRS)
        difference = x[a[part]].astype(np.float32) - x[b[part]].astype(np.float32)  # (pairs, h, w, c)
        found[part] = np.sqrt(np.square(difference / 255).mean(axis=(1, 2, 3), dtype=np.float64))
    return found


def conflicting(group: Group, y: np.ndarray | None) -> bool:
    """Say whether images of a group have different labels; y int (n,), -1 without one."""
    labels = np.empty(0) if y is None else y[group.rows]
    return len(np.unique(labels[labels >= 0])) > 1


def table(
    found: Sequence[Group], ids: Sequence[str], y: np.ndarray | None = None, classes: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a row for each image of each group, for duplicates.csv.

    Columns: group (from 1), kind, row, id, label where there are any, the latent and the pixel distance from the group's
    first image, and whether labels of the group conflict.
    """
    rows = np.concatenate([group.rows for group in found]) if found else np.empty(0, np.int64)
    sizes = [len(group.rows) for group in found]

    def each(values: Sequence[object]) -> np.ndarray:
        return np.repeat(np.asarray(values, dtype=object), sizes)

    frame = pd.DataFrame(
        {"group": each(range(1, len(found) + 1)), "kind": each([group.kind for group in found]), "row": rows}
    )
    frame["id"] = [ids[int(row)] for row in rows]
    if y is not None:
        frame["label"] = np.asarray([*classes, ""], dtype=object)[y[rows]]  # -1 finds the last
    for name in ("latent", "pixel"):
        frame[f"{name} distance"] = np.concatenate([np.empty(0, np.float32), *(getattr(g, name) for g in found)])
    if y is not None:
        frame["labels conflict"] = each([conflicting(group, y) for group in found])
    return frame


def to_arrays(found: Duplicates) -> dict[str, np.ndarray]:
    """Return groups as arrays by name, for the store: all rows one after the other."""
    each = found.groups
    return {
        "sizes": np.array([len(group.rows) for group in each], np.int64),
        "exact": np.array([group.kind == "exact" for group in each], bool),
        "rows": np.concatenate([np.empty(0, np.int64), *(group.rows for group in each)]),
        "latent": np.concatenate([np.empty(0, np.float32), *(group.latent for group in each)]),
        "pixel": np.concatenate([np.empty(0, np.float32), *(group.pixel for group in each)]),
    }


def from_entry(entry: Entry) -> Duplicates:
    """Return the groups that the store keeps."""
    arrays, info = entry.arrays, entry.info
    ends = np.cumsum(arrays["sizes"])
    each = (slice(int(end - size), int(end)) for end, size in zip(ends, arrays["sizes"], strict=True))
    kinds = ("exact" if exact else "near" for exact in arrays["exact"])
    groups = tuple(
        Group(arrays["rows"][at], kind, arrays["latent"][at], arrays["pixel"][at])  # type: ignore[arg-type]
        for at, kind in zip(each, kinds, strict=True)
    )
    return Duplicates(groups, Thresholds(float(info["latent"]), float(info["pixel"])))


@dataclass(frozen=True, eq=False)
class _Links:
    """Pairs of first copies: rows a < b, int64 (m,), and their distances float32 (m,)."""

    a: np.ndarray
    b: np.ndarray
    latent: np.ndarray
    pixel: np.ndarray


def _first_copies(x: np.ndarray) -> np.ndarray:
    """Return the first row, int64 (n,), that has the same pixels as each image."""
    seen: dict[bytes, int] = {}
    digests = (hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for image in x)
    return np.fromiter((seen.setdefault(digest, row) for row, digest in enumerate(digests)), np.int64, len(x))


def _links(x: np.ndarray, graph: Graph, limits: Thresholds, first: np.ndarray, callback: Callback) -> _Links:
    rows, columns = np.nonzero(graph.distances <= limits.latent)
    ends = np.sort(np.stack([first[rows], first[graph.rows[rows, columns]]]), axis=0)  # (2, m)
    away = graph.distances[rows, columns]
    order = np.lexsort((away, ends[1], ends[0]))  # of the same pair the nearest first
    ends, away = ends[:, order], away[order]
    kept = ends[0] != ends[1]
    kept[1:] &= (ends[:, 1:] != ends[:, :-1]).any(axis=0)
    a, b, away = *ends[:, kept], away[kept]
    pixel = np.empty(len(a), np.float32)
    left = stopwatch(len(a))
    for start in range(0, len(a), PAIRS):
        part = slice(start, min(len(a), start + PAIRS))
        pixel[part] = pixel_distances(x, a[part], b[part])
        callback(Progress("Comparing pixels", part.stop, len(a), "pair", left(part.stop)))
    near = pixel <= limits.pixel
    return _Links(a[near], b[near], away[near], pixel[near])


def _stars(links: _Links, first: np.ndarray) -> list[list[int]]:
    """Split each connected component of linked images into stars; return the rows of each, copies with their first."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(first)
    ends = np.concatenate([links.a, links.b]), np.concatenate([links.b, links.a])
    linked = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(n, n)).tocsr()
    copies: dict[int, list[int]] = {}
    for row in np.flatnonzero(np.bincount(first, minlength=n)[first] > 1):
        copies.setdefault(int(first[row]), []).append(int(row))
    stars = [rows for row, rows in copies.items() if linked.indptr[row] == linked.indptr[row + 1]]
    _, component = connected_components(linked, directed=False)
    together: dict[int, list[int]] = {}
    for row in np.unique(ends[0]):
        together.setdefault(int(component[row]), []).append(int(row))
    for rows in together.values():
        around = {row: set(linked.indices[linked.indptr[row] : linked.indptr[row + 1]].tolist()) for row in rows}
        stars += [[copy for row in star for copy in copies.get(row, [row])] for star in _split(around)]
    return stars


def _split(around: dict[int, set[int]]) -> list[list[int]]:
    """Take the row with most links and those around it, then of the rest the same, and so on; ties go to the first."""
    queue = [(-len(linked), row) for row, linked in around.items()]
    heapq.heapify(queue)
    left, stars = set(around), []
    while queue:
        count, row = heapq.heappop(queue)
        if row not in left:
            continue
        star = around[row] & left
        if len(star) < -count:  # some have gone to another star since
            heapq.heappush(queue, (-len(star), row))
            continue
        stars.append([row, *sorted(star)])
        left -= {row, *star}
    return stars


def _group(star: list[int], links: _Links, first: np.ndarray) -> Group:
    rows = np.array([star[0], *sorted(star[1:])])
    latent, pixel = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
    centre = first[rows[0]]
    for i in np.flatnonzero(first[rows] != centre):
        a, b = sorted((centre, first[rows[i]]))
        low, high = np.searchsorted(links.a, [a, a + 1])  # pairs are in order
        at = low + np.searchsorted(links.b[low:high], b)
        latent[i], pixel[i] = links.latent[at], links.pixel[at]
    return Group(rows, "exact" if (first[rows] == centre).all() else "near", latent, pixel)
