"""Compiled inner loops of KMeans: k-means++ starts and Lloyd's iterations; points are float32 (n, d), a row each.

Each runs on one thread with the interpreter's lock released: several starts can run at once, each the same as alone.
"""

from typing import Any

import numpy as np

from core.compiled import compiled

# Sums in any order can be compiled to vector instructions; infinity stays what it is.
COMPILED: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract", "arcp", "nsz"}, "error_model": "numpy"}


@compiled(**COMPILED)
def apart(a: np.ndarray, b: np.ndarray) -> Any:
    """Return the squared distance of two points (d,)."""
    total = np.float32(0)
    for j in range(len(a)):
        step = a[j] - b[j]
        total += step * step
    return total


@compiled(**COMPILED)
def spread(points: np.ndarray, centers: np.ndarray, given: int, draws: np.ndarray) -> None:
    """Fill the centers float32 (k, d) from row `given` ≥ 1 on: each the best of some points drawn by squared distance.

    Arthur and Vassilvitskii: k-means++ (2007), greedy: of each row of `draws`, float64 (k - given, trials) in [0, 1), the
    point that leaves the least inertia.
    """
    n, trials = len(points), draws.shape[1]
    near, sums, rest = np.full(n, np.float32(np.inf)), np.empty(n), np.empty((trials, n), np.float32)
    for c in range(given):
        for i in range(n):
            near[i] = min(near[i], apart(points[i], centers[c]))
    for c in range(given, len(centers)):
        total = 0.0
        for i in range(n):
            total += near[i]
            sums[i] = total
        least, best, chosen = np.inf, 0, 0
        for t in range(trials):
            drawn = min(np.searchsorted(sums, draws[c - given, t] * total, side="right"), n - 1)
            left = 0.0
            for i in range(n):
                rest[t, i] = min(near[i], apart(points[i], points[drawn]))
                left += rest[t, i]
            if left < least:
                least, best, chosen = left, t, drawn
        near[:] = rest[best]
        centers[c] = points[chosen]


@compiled(**COMPILED)
def assign(points: np.ndarray, centers: np.ndarray, bounds: Any, state: Any, first: bool) -> int:
    """Give each point its nearest center and return how many changed; `state` is labels, sums and counts.

    `bounds` hold, of each point, a distance that its center is not beyond and one that no other is within, and half of
    each center's distance to the next: most points need no look at all centers (Hamerly: Making k-means even faster, 2010).
    """
    (upper, lower, half), (labels, sums, counts) = bounds, state
    changed = 0
    for i in range(len(points)):
        own = labels[i]
        if not first:
            limit = max(half[own], lower[i])
            if upper[i] <= limit:
                continue
            upper[i] = np.sqrt(apart(points[i], centers[own]))
            if upper[i] <= limit:
                continue
        nearest, next_one, chosen = np.float32(np.inf), np.float32(np.inf), 0
        for c in range(len(centers)):
            away = apart(points[i], centers[c])
            if away < nearest:
                next_one, nearest, chosen = nearest, away, c
            elif away < next_one:
                next_one = away
        upper[i], lower[i] = np.sqrt(nearest), np.sqrt(next_one)
        if first or chosen != own:
            changed += 1
            counts[chosen] += 1
            sums[chosen] += points[i]
            if not first:
                counts[own] -= 1
                sums[own] -= points[i]
            labels[i] = chosen
    return changed


@compiled(**COMPILED)
def fill(points: np.ndarray, centers: np.ndarray, bounds: Any, state: Any) -> int:
    """Give each empty cluster the point that is farthest from its center; return how many got one."""
    (upper, lower, _), (labels, sums, counts) = bounds, state
    filled = 0
    for c in range(len(centers)):
        if counts[c] > 0:
            continue
        most, chosen = np.float32(0), -1
        for i in range(len(points)):
            away = apart(points[i], centers[labels[i]])
            if away > most and counts[labels[i]] > 1:
                most, chosen = away, i
        if chosen < 0:
            continue
        counts[labels[chosen]] -= 1
        sums[labels[chosen]] -= points[chosen]
        counts[c], labels[chosen] = 1, c
        sums[c], centers[c] = points[chosen], points[chosen]
        upper[chosen], lower[chosen] = np.inf, 0.0
        lower[:] = 0.0  # the new center may be nearer than any other was
        filled += 1
    return filled


@compiled(**COMPILED)
def move(centers: np.ndarray, bounds: Any, state: Any) -> float:
    """Move each center to the mean of its points and the bounds with it; return the sum of squared steps."""
    (upper, lower, half), (labels, sums, counts) = bounds, state
    k, d = centers.shape
    steps = np.zeros(k)
    for c in range(k):
        for j in range(d):
            if counts[c] > 0:
                mean = np.float32(sums[c, j] / counts[c])
                steps[c] += (float(mean) - centers[c, j]) ** 2
                centers[c, j] = mean
    total = steps.sum()
    steps = np.sqrt(steps)
    farthest = np.argmax(steps)
    longest, second = steps[farthest], 0.0
    for c in range(k):
        near = np.float32(np.inf)
        for e in range(k):
            if e != c:
                near = min(near, apart(centers[c], centers[e]))
        half[c] = np.sqrt(near) / 2
        if c != farthest:
            second = max(second, steps[c])
    for i in range(len(labels)):
        upper[i] += steps[labels[i]]
        lower[i] -= second if labels[i] == farthest else longest
    return float(total)


@compiled(**COMPILED)
def lloyd(points: np.ndarray, centers: np.ndarray, most: int, tolerance: float) -> Any:
    """Move the centers float32 (k, d), in place, until no point changes or their squared steps sum to at most `tolerance`.

    Lloyd: Least squares quantization in PCM (1982).

    Returns
    -------
    labels : int32 (n,), of the nearest center.
    inertia : sum of the squared distances to it.
    n_iter : iterations, at most `most`.
    """
    n, (k, d) = len(points), centers.shape
    labels = np.zeros(n, np.int32)
    state = labels, np.zeros((k, d)), np.zeros(k, np.int64)
    bounds = np.empty(n), np.empty(n), np.zeros(k)
    changed, done = assign(points, centers, bounds, state, True), 0
    while changed and done < most:
        fill(points, centers, bounds, state)
        shift = move(centers, bounds, state)
        done += 1
        changed = assign(points, centers, bounds, state, False)
        if shift <= tolerance:
            break
    inertia = 0.0
    for i in range(n):
        inertia += apart(points[i], centers[labels[i]])
    return labels, inertia, done
