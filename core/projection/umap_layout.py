"""The layout of UMAP: stochastic gradient descent along the edges of the graph, compiled once and kept on disk."""

from collections.abc import Callable

import numpy as np

from core.compiled import compiled

# Coefficients are read from tables by the upper bits of a float32 squared distance: its exponent and 6 bits of fraction.
_SHIFT = 17
MOST_AXES = 3  # that the first epoch lays out; a map with more is wider than what is looked at
_SIGNATURE = "void(f4[:,::1],i4[::1],i4[::1],f4[::1],f4[::1],f4[::1],f4,i8,u8[::1])"


def epoch_kernel(n_components: int = MOST_AXES) -> Callable[..., None]:
    """Return the compiled epoch: one that holds a point in three numbers, or one of any number of axes."""
    if n_components <= MOST_AXES:
        return compiled(_SIGNATURE, fastmath=True, nogil=True)(_epoch)
    # Its loops may run by several numbers at once or not, as arrays happen to lie in memory: sums must not hang on that.
    return compiled(_SIGNATURE, nogil=True)(_wide_epoch)


def curve(min_dist: float) -> tuple[float, float]:
    """Return a and b of 1 / (1 + a x^(2b)), fitted to 1 up to `min_dist` and exp(min_dist - x) beyond, x to 3."""
    from scipy.optimize import curve_fit

    x = np.linspace(0, 3, 300)
    wanted = np.where(x < min_dist, 1.0, np.exp(min_dist - x))
    (a, b), _ = curve_fit(lambda x, a, b: 1 / (1 + a * x ** (2 * b)), x, wanted)
    return float(a), float(b)


def tables(a: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients of attraction and of repulsion by squared distance s, float32 (16384,) each.

    Attraction: -2ab s^(b-1) / (1 + a s^b); repulsion: 2b / ((0.001 + s) (1 + a s^b)); both 0 of points that coincide.
    """
    bits = (np.arange(1 << (31 - _SHIFT), dtype=np.int32) << _SHIFT) + (1 << (_SHIFT - 1))  # middle of each step
    squares = bits.view(np.float32)
    squares = np.where(np.isfinite(squares), squares, np.finfo(np.float32).max).astype(np.float64)
    shared = 1 + a * squares**b
    attraction = -2 * a * b * squares ** (b - 1) / shared
    repulsion = 2 * b / ((0.001 + squares) * shared)
    attraction[0] = repulsion[0] = 0
    limit = np.finfo(np.float32).max
    return np.maximum(attraction, -limit).astype(np.float32), repulsion.astype(np.float32)


def generator(seed: int) -> np.ndarray:
    """Return the state of the layout's random numbers, uint64 (1,)."""
    return np.random.default_rng(seed).integers(1, 2**63, 1, dtype=np.uint64)


def _epoch(
    points: np.ndarray,
    starts: np.ndarray,
    tails: np.ndarray,
    shares: np.ndarray,
    attraction: np.ndarray,
    repulsion: np.ndarray,
    rate: float,
    number: int,
    state: np.ndarray,
) -> None:
    """Move `points`, float32 (n, 4) with unused axes 0, in place: one epoch.

    Parameters
    ----------
    starts, tails : int32 (n + 1,) and (edges,): the graph by rows. shares : float32 (edges,), how many of the epochs an
        edge takes part in, in (0, 1].
    rate : of learning. number : of this epoch, from 0. state : of the random numbers; moves on.

    Notes
    -----
    Both ends of an edge move, each component by at most 4 × rate; then five random points push its head away. Random
    numbers: Knuth's linear congruential generator of 64 bits, its upper half.
    """
    draw, count = state[0], np.uint64(len(points))
    low, high = np.float32(-4), np.float32(4)
    before, after = np.float32(number), np.float32(number + 1)
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for edge in range(starts[i], starts[i + 1]):
            if np.floor(shares[edge] * after) <= np.floor(shares[edge] * before):
                continue
            j = np.int64(tails[edge])
            dx, dy, dz = x - points[j, 0], y - points[j, 1], z - points[j, 2]
            pull = attraction[np.float32(dx * dx + dy * dy + dz * dz).view(np.int32) >> 17]
            dx = min(max(pull * dx, low), high) * rate
            dy = min(max(pull * dy, low), high) * rate
            dz = min(max(pull * dz, low), high) * rate
            x, y, z = x + dx, y + dy, z + dz
            points[j, 0] -= dx
            points[j, 1] -= dy
            points[j, 2] -= dz
            mx = my = mz = np.float32(0)
            for _ in range(5):
                draw = draw * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                j = np.int64(((draw >> np.uint64(32)) * count) >> np.uint64(32))
                dx, dy, dz = x - points[j, 0], y - points[j, 1], z - points[j, 2]
                push = repulsion[np.float32(dx * dx + dy * dy + dz * dz).view(np.int32) >> 17]
                mx += min(max(push * dx, low), high)
                my += min(max(push * dy, low), high)
                mz += min(max(push * dz, low), high)
            x, y, z = x + mx * rate, y + my * rate, z + mz * rate
        points[i, 0], points[i, 1], points[i, 2] = x, y, z
    state[0] = draw


def _wide_epoch(
    points: np.ndarray,
    starts: np.ndarray,
    tails: np.ndarray,
    shares: np.ndarray,
    attraction: np.ndarray,
    repulsion: np.ndarray,
    rate: float,
    number: int,
    state: np.ndarray,
) -> None:
    """Move `points`, float32 (n, d) of any d, in place as `_epoch` does: one epoch."""
    draw, count, width = state[0], np.uint64(len(points)), points.shape[1]
    low, high = np.float32(-4), np.float32(4)
    before, after = np.float32(number), np.float32(number + 1)
    head, away, moved = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    for i in range(len(points)):
        for c in range(width):
            head[c] = points[i, c]
        for edge in range(starts[i], starts[i + 1]):
            if np.floor(shares[edge] * after) <= np.floor(shares[edge] * before):
                continue
            j = np.int64(tails[edge])
            square = np.float32(0)
            for c in range(width):
                away[c] = head[c] - points[j, c]
                square += away[c] * away[c]
            pull = attraction[np.float32(square).view(np.int32) >> 17]
            for c in range(width):
                step = min(max(pull * away[c], low), high) * rate
                head[c] += step
                points[j, c] -= step
                moved[c] = 0
            for _ in range(5):
                draw = draw * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                j = np.int64(((draw >> np.uint64(32)) * count) >> np.uint64(32))
                square = np.float32(0)
                for c in range(width):
                    away[c] = head[c] - points[j, c]
                    square += away[c] * away[c]
                push = repulsion[np.float32(square).view(np.int32) >> 17]
                for c in range(width):
                    moved[c] += min(max(push * away[c], low), high)
            for c in range(width):
                head[c] += moved[c] * rate
        for c in range(width):
            points[i, c] = head[c]
    state[0] = draw
