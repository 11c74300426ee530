"""Compiled inner loops of t-SNE; arrays are float32, coordinates an axis a row, (k, n), k 2 or 3.

Each runs on one thread with the interpreter's lock released and writes only to its own rows, so that the sums are added
up in the same order whatever the number of threads.

Points and a grid exchange values through cardinal B-splines (Essmann et al.: A smooth particle mesh Ewald method, 1995):
a point at u grid steps touches the `ORDER` nodes from floor(u) on, with weights that depend on u - floor(u) alone.
"""

import math
from typing import Any

import numpy as np

from core.compiled import compiled

# Division by zero gives infinity and not an exception: what lets loops be compiled to vector instructions.
COMPILED: dict[str, Any] = {"nogil": True, "fastmath": True, "error_model": "numpy"}
ORDER = 6  # of the B-splines: quintic, four times differentiable


@compiled(**COMPILED)
def spline(f: float, w: np.ndarray, dw: np.ndarray) -> None:
    """Fill the weights of the nodes and their derivatives, float32 (ORDER,), at the fraction f in [0, 1) of a step."""
    one = np.float32(1)
    w[0], w[1] = one - f, f
    for m in range(3, ORDER + 1):
        if m == ORDER:
            dw[0] = -w[0]
            for j in range(1, ORDER - 1):
                dw[j] = w[j - 1] - w[j]
            dw[ORDER - 1] = w[ORDER - 2]
        scale = one / np.float32(m - 1)
        w[m - 1] = scale * f * w[m - 2]
        for j in range(m - 2, 0, -1):
            w[j] = scale * ((f + np.float32(m - 1 - j)) * w[j - 1] + (np.float32(j + 1) - f) * w[j])
        w[0] *= scale * (one - f)


@compiled(**COMPILED)
def spread_flat(points: np.ndarray, low: np.ndarray, per: float, grid: np.ndarray) -> None:
    """Add a charge of 1 for each point (2, n) to the grid (m, m'); `per` steps lie on a unit of length."""
    a, b, d = np.empty(ORDER, np.float32), np.empty(ORDER, np.float32), np.empty(ORDER, np.float32)
    for i in range(points.shape[1]):
        u, v = (points[0, i] - low[0]) * per, (points[1, i] - low[1]) * per
        x, y = int(u), int(v)
        spline(u - np.float32(x), a, d)
        spline(v - np.float32(y), b, d)
        for p in range(ORDER):
            for q in range(ORDER):
                grid[x + p, y + q] += a[p] * b[q]


@compiled(**COMPILED)
def spread_solid(points: np.ndarray, low: np.ndarray, per: float, grid: np.ndarray) -> None:
    """Add a charge of 1 for each point (3, n) to the grid (m, m', m'')."""
    a, b, c = np.empty(ORDER, np.float32), np.empty(ORDER, np.float32), np.empty(ORDER, np.float32)
    d = np.empty(ORDER, np.float32)
    for i in range(points.shape[1]):
        u, v, w = (points[0, i] - low[0]) * per, (points[1, i] - low[1]) * per, (points[2, i] - low[2]) * per
        x, y, z = int(u), int(v), int(w)
        spline(u - np.float32(x), a, d)
        spline(v - np.float32(y), b, d)
        spline(w - np.float32(z), c, d)
        for p in range(ORDER):
            for q in range(ORDER):
                both = a[p] * b[q]
                for r in range(ORDER):
                    grid[x + p, y + q, z + r] += both * c[r]


@compiled(**COMPILED)
def gather_flat(points: np.ndarray, low: np.ndarray, per: float, grid: np.ndarray, force: np.ndarray) -> float:
    """Write -1/2 of the grid's slope at each point (2, n) to `force` (2, n) and return the sum of its values there."""
    a, b = np.empty(ORDER, np.float32), np.empty(ORDER, np.float32)
    da, db = np.empty(ORDER, np.float32), np.empty(ORDER, np.float32)
    half, total = np.float32(-0.5) * per, 0.0
    for i in range(points.shape[1]):
        u, v = (points[0, i] - low[0]) * per, (points[1, i] - low[1]) * per
        x, y = int(u), int(v)
        spline(u - np.float32(x), a, da)
        spline(v - np.float32(y), b, db)
        value = slope_x = slope_y = np.float32(0)
        for p in range(ORDER):
            row = slope = np.float32(0)
            for q in range(ORDER):
                row += b[q] * grid[x + p, y + q]
                slope += db[q] * grid[x + p, y + q]
            value += a[p] * row
            slope_x += da[p] * row
            slope_y += a[p] * slope
        force[0, i], force[1, i] = half * slope_x, half * slope_y
        total += float(value)
    return total


@compiled(**COMPILED)
def gather_solid(points: np.ndarray, low: np.ndarray, per: float, grid: np.ndarray, force: np.ndarray) -> float:
    """Write -1/2 of the grid's slope at each point (3, n) to `force` (3, n) and return the sum of its values there."""
    a, b, c = np.empty(ORDER, np.float32), np.empty(ORDER, np.float32), np.empty(ORDER, np.float32)
    da, db, dc = np.empty(ORDER, np.float32), np.empty(ORDER, np.float32), np.empty(ORDER, np.float32)
    half, total = np.float32(-0.5) * per, 0.0
    for i in range(points.shape[1]):
        u, v, w = (points[0, i] - low[0]) * per, (points[1, i] - low[1]) * per, (points[2, i] - low[2]) * per
        x, y, z = int(u), int(v), int(w)
        spline(u - np.float32(x), a, da)
        spline(v - np.float32(y), b, db)
        spline(w - np.float32(z), c, dc)
        value = slope_x = slope_y = slope_z = np.float32(0)
        for p in range(ORDER):
            for q in range(ORDER):
                row = slope = np.float32(0)
                for r in range(ORDER):
                    row += c[r] * grid[x + p, y + q, z + r]
                    slope += dc[r] * grid[x + p, y + q, z + r]
                value += a[p] * b[q] * row
                slope_x += da[p] * b[q] * row
                slope_y += a[p] * db[q] * row
                slope_z += a[p] * b[q] * slope
        force[0, i], force[1, i], force[2, i] = half * slope_x, half * slope_y, half * slope_z
        total += float(value)
    return total


@compiled(**COMPILED)
def repel(points: np.ndarray, first: int, last: int, force: np.ndarray, totals: np.ndarray) -> None:
    """Write the repulsion Σ_j q² (y_i - y_j) of the points [first, last) of (3, n) to `force` (3, n).

    Their Σ_j q goes to `totals`, float64 (n,); q = 1 / (1 + |y_i - y_j|²), over all j ≠ i.
    """
    one, xs, ys, zs = np.float32(1), points[0], points[1], points[2]
    for i in range(first, last):
        x, y, z = xs[i], ys[i], zs[i]
        fx = fy = fz = row = np.float32(0)
        for j in range(points.shape[1]):
            dx, dy, dz = x - xs[j], y - ys[j], z - zs[j]
            q = one / (one + dx * dx + dy * dy + dz * dz)
            row += q
            q *= q
            fx += q * dx
            fy += q * dy
            fz += q * dz
        force[0, i], force[1, i], force[2, i] = fx, fy, fz
        totals[i] = row - one


@compiled(**COMPILED)
def attract_flat(graph: Any, points: np.ndarray, first: int, last: int, force: np.ndarray) -> None:
    """Write the attraction Σ_j p q (y_i - y_j) of the points [first, last) of (2, n) to `force`.

    `graph` is the symmetric matrix p by rows: begins int32 (n + 1,), columns int32 (e,), values float32 (e,).
    """
    begins, columns, values = graph
    one, xs, ys = np.float32(1), points[0], points[1]
    for i in range(first, last):
        x, y = xs[i], ys[i]
        fx = fy = np.float32(0)
        for e in range(begins[i], begins[i + 1]):
            j = columns[e]
            dx, dy = x - xs[j], y - ys[j]
            pull = values[e] / (one + dx * dx + dy * dy)
            fx += pull * dx
            fy += pull * dy
        force[0, i], force[1, i] = fx, fy


@compiled(**COMPILED)
def attract_solid(graph: Any, points: np.ndarray, first: int, last: int, force: np.ndarray) -> None:
    """Write the attraction of the points [first, last) of (3, n) to `force`."""
    begins, columns, values = graph
    one, xs, ys, zs = np.float32(1), points[0], points[1], points[2]
    for i in range(first, last):
        x, y, z = xs[i], ys[i], zs[i]
        fx = fy = fz = np.float32(0)
        for e in range(begins[i], begins[i + 1]):
            j = columns[e]
            dx, dy, dz = x - xs[j], y - ys[j], z - zs[j]
            pull = values[e] / (one + dx * dx + dy * dy + dz * dz)
            fx += pull * dx
            fy += pull * dy
            fz += pull * dz
        force[0, i], force[1, i], force[2, i] = fx, fy, fz


@compiled(**COMPILED)
def stretch(graph: Any, points: np.ndarray) -> float:
    """Return Σ p log(1 + |y_i - y_j|²) over the edges of the graph."""
    begins, columns, values = graph
    total = 0.0
    for i in range(points.shape[1]):
        row = np.float32(0)
        for e in range(begins[i], begins[i + 1]):
            j = columns[e]
            apart = np.float32(1)
            for a in range(points.shape[0]):
                apart += (points[a, i] - points[a, j]) ** 2
            row += values[e] * math.log(apart)
        total += float(row)
    return total


@compiled(**COMPILED)
def move(points: np.ndarray, gradient: np.ndarray, step: np.ndarray, gains: np.ndarray, rate: float, momentum: float,
         longest: float) -> None:  # fmt: skip
    """Take one step of gradient descent with momentum and gains, none longer than `longest`, and centre the points.

    Jacobs: Increased rates of convergence through learning rate adaptation (1988). All arrays (k, n), changed in place
    but for the gradient.
    """
    k, n = points.shape
    mean = np.zeros(k)
    for i in range(n):
        size = np.float32(0)
        for a in range(k):
            slope = gradient[a, i]
            if np.sign(step[a, i]) != np.sign(slope):
                gains[a, i] += np.float32(0.2)
            else:
                gains[a, i] = gains[a, i] * np.float32(0.8) + np.float32(0.01)
            step[a, i] = momentum * step[a, i] - rate * gains[a, i] * slope
            size += step[a, i] ** 2
        size = np.sqrt(size)
        for a in range(k):
            if size > longest:
                step[a, i] *= longest / size
            points[a, i] += step[a, i]
            mean[a] += points[a, i]
    for a in range(k):
        points[a] -= np.float32(mean[a] / n)
