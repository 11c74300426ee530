"""The forces of t-SNE: attraction along the neighbour graph, repulsion of all pairs on a grid."""

import math
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Graph = tuple[np.ndarray, np.ndarray, np.ndarray]

# Grid steps are this long in 2-D and 3-D, in units of the map, and shorter while the map is small.
STEP = {2: 0.5, 3: 0.7}
_STEPS_ACROSS = 24
# Below this extent shorter steps would only magnify the rounding of float32.
_SMALLEST = 0.5
# A grid has at most so many nodes along an axis: a map that is larger gets longer steps.
_NODES = {2: 2048, 3: 256}
# A node of the grid costs about as much as so many pairs of points.
_PAIRS_PER_NODE = 40


@dataclass(frozen=True)
class Grid:
    """A grid of `shape` nodes, `per` a unit of length, and the kernel 1 / (1 + r²) on it in the frequency domain."""

    shape: tuple[int, ...]
    per: np.float32
    kernel: np.ndarray


class Repulsion:
    """Σ_j q² (y_i - y_j), q = 1 / (1 + |y_i - y_j|²), and Z = Σ q over all pairs, of points float32 (k, n).

    The potential Σ_j q is a convolution: points are spread on a grid with B-splines, the grid is convolved by FFT, and its
    slope is read off at the points (Essmann et al.: A smooth particle mesh Ewald method, 1995). Two transforms do, where
    the interpolation of Linderman et al. (Fast interpolation-based t-SNE, 2019) takes eight. Few points: all pairs.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._grid: Grid | None = None

    def __call__(self, points: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the repulsion, float32 (k, n), and Z."""
        low, high = points.min(axis=1), points.max(axis=1)
        extent = float((high - low).max())
        step = _step(extent, len(points))
        needed = [math.floor(float(b - a) / step) + 1 for a, b in zip(low, high, strict=True)]
        if points.shape[1] ** 2 <= _PAIRS_PER_NODE * math.prod(2 * m + 12 for m in needed):
            return all_pairs(points, self._threads)
        return self._by_grid(points, low, step, needed)

    def _by_grid(
        self, points: np.ndarray, low: np.ndarray, step: float, needed: list[int]
    ) -> tuple[np.ndarray, float]:
        from scipy import fft

        from core.projection import tsne_kernels as kernels

        shape = tuple(_nodes(m + kernels.ORDER) for m in needed)
        per = np.float32(1 / step)
        if self._grid is None or (self._grid.shape, self._grid.per) != (shape, per):
            self._grid = make_grid(shape, step)
        spread, gather = (
            (kernels.spread_flat, kernels.gather_flat)
            if len(points) == 2
            else (kernels.spread_solid, kernels.gather_solid)
        )
        nodes = np.zeros(shape, np.float32)
        spread(points, low, per, nodes)
        turned = fft.rfftn(nodes, workers=self._threads, overwrite_x=True)
        turned *= self._grid.kernel
        nodes = fft.irfftn(turned, shape, workers=self._threads, overwrite_x=True)
        force = np.empty_like(points)
        total = gather(points, low, per, nodes, force)
        return force, total - points.shape[1]  # each point's own q is 1


def all_pairs(points: np.ndarray, threads: int = 1) -> tuple[np.ndarray, float]:
    """Return the repulsion by the definition, float32 (k, n), and Z."""
    from core.projection import tsne_kernels as kernels

    k, n = points.shape
    solid = np.zeros((3, n), np.float32)
    solid[:k] = points
    force, totals = np.empty_like(solid), np.empty(n)
    if threads == 1:
        kernels.repel(solid, 0, n, force, totals)
    else:
        with ThreadPoolExecutor(threads) as pool:
            in_parts(pool, threads, n, lambda a, b: kernels.repel(solid, a, b, force, totals))()
    return force[:k], float(totals.sum())


def in_parts(pool: Executor, parts: int, n: int, work: Callable[[int, int], object]) -> Callable[[], None]:
    """Begin `work` on n rows in pieces [first, last); the returned function waits until all are done."""
    cuts = np.linspace(0, n, parts + 1).astype(int).tolist()
    begun = [pool.submit(work, a, b) for a, b in pairwise(cuts)]

    def wait() -> None:
        for part in begun:
            part.result()

    return wait


def make_grid(shape: tuple[int, ...], step: float) -> Grid:
    """Make a grid whose kernel undoes the smoothing of spreading and of reading off."""
    from scipy import fft

    from core.projection import tsne_kernels as kernels

    apart = np.ones(shape)
    for axis, m in enumerate(shape):
        along = np.minimum(np.arange(m), m - np.arange(m)) * step
        apart += np.expand_dims(along**2, [a for a in range(len(shape)) if a != axis])
    kernel = fft.rfftn(1 / apart).real
    weights, slopes = np.empty(kernels.ORDER, np.float32), np.empty(kernels.ORDER, np.float32)
    kernels.spline(np.float32(0), weights, slopes)
    for axis, m in enumerate(shape):
        padded = np.zeros(m)
        padded[: kernels.ORDER] = weights
        smoothed = np.abs(fft.fft(padded)[: kernel.shape[axis]]) ** 2
        kernel /= np.expand_dims(smoothed, [a for a in range(len(shape)) if a != axis])
    return Grid(shape, np.float32(1 / step), kernel.astype(np.float32))


def attraction(graph: Graph, points: np.ndarray, pool: Executor | None, parts: int) -> Callable[[], np.ndarray]:
    """Compute the attraction Σ_j p q (y_i - y_j), float32 (k, n), in the pool if there is one.

    The returned function waits for it and gives it.
    """
    from core.projection import tsne_kernels as kernels

    n, force = points.shape[1], np.empty_like(points)
    attract: Callable[..., None] = kernels.attract_flat if len(points) == 2 else kernels.attract_solid
    if pool is None:
        attract(graph, points, 0, n, force)
        return lambda: force
    wait = in_parts(pool, parts, n, lambda a, b: attract(graph, points, a, b, force))

    def made() -> np.ndarray:
        wait()
        return force

    return made


def _step(extent: float, k: int) -> float:
    """Length of a step, from a ladder, so that a grid serves for many iterations."""
    most = _NODES[k] // 2 - 16
    wanted = max(min(STEP[k], max(extent, _SMALLEST) / _STEPS_ACROSS), extent / most)
    return STEP[k] if wanted == STEP[k] else float(1.2 ** math.ceil(math.log(wanted, 1.2)))


def _nodes(needed: int) -> int:
    """Nodes along an axis: twice what the points touch, so that the two ends do not feel each other, and room to grow."""
    from scipy import fft

    return int(fft.next_fast_len(2 * math.ceil(needed / 4) * 4, real=True))
