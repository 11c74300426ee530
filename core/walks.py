"""Walks in latent space: points between images, around a cluster's centroid, along a principal direction."""

from collections.abc import Sequence

import numpy as np

from core.errors import ConfigError

MAX_STEPS = 200


def between(points: np.ndarray, steps: int) -> np.ndarray:
    """Return `steps` points, float32 (steps, d), evenly along the line through given points (p, d), ends included.

    The path has one straight piece from each point to the next; steps are shared out by the pieces' lengths.

    Raises
    ------
    ConfigError : there are fewer than two points or steps, or more than 200 steps.
    """
    if len(points) < 2 or not 2 <= steps <= MAX_STEPS:
        raise ConfigError(f"A walk needs 2 points and 2 to {MAX_STEPS} steps; here are {len(points)} and {steps}.")
    points = points.astype(np.float64)
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(lengths)])
    if at[-1] == 0:
        return np.repeat(points[:1], steps, axis=0).astype(np.float32)
    wanted = np.linspace(0, at[-1], steps)
    piece = np.clip(np.searchsorted(at, wanted, side="right") - 1, 0, len(lengths) - 1)
    share = (wanted - at[piece]) / np.where(lengths[piece] > 0, lengths[piece], 1)
    found: np.ndarray = (points[piece] + share[:, None] * (points[piece + 1] - points[piece])).astype(np.float32)
    return found


def directions(latents: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the principal directions of points (n, d), float64 (count, d) of length 1, and the spread along each.

    Each direction's largest part is positive, so that it is the same each time. The spread is a standard deviation.
    """
    centred = latents.astype(np.float64) - latents.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / max(len(latents), 1))
    order = np.argsort(values)[::-1][:count]
    axes = vectors[:, order].T
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    return axes * signs[:, None], np.sqrt(np.maximum(values[order], 0))


def along(centre: np.ndarray, direction: np.ndarray, spread: float, steps: int, reach: float = 2.0) -> np.ndarray:
    """Return points, float32 (steps, d), from -reach to +reach standard deviations along a direction."""
    far = np.linspace(-reach * spread, reach * spread, steps)
    found: np.ndarray = (centre.astype(np.float64) + far[:, None] * direction).astype(np.float32)
    return found


def around(centre: np.ndarray, axes: np.ndarray, spreads: Sequence[float] | np.ndarray, steps: int) -> np.ndarray:
    """Return points, float32 (steps, d), once around a centre in the plane of two directions, one spread away."""
    turn = np.linspace(0, 2 * np.pi, steps)
    found: np.ndarray = (
        centre.astype(np.float64)
        + np.cos(turn)[:, None] * spreads[0] * axes[0]
        + np.sin(turn)[:, None] * spreads[1] * axes[1]
    ).astype(np.float32)
    return found
