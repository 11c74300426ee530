"""The order of an atlas's rows: along a curve that fills the map, so that neighbours on the map are mostly neighbours in it."""

import numpy as np

from core.atlas.columns import View

BITS = 16  # of each coordinate's cell
_SPREAD = ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555))


def codes(x: np.ndarray, y: np.ndarray, bounds: View) -> np.ndarray:
    """Return each point's place on the curve, uint32 (n,), of x and y, float32 (n,) each, inside the bounds.

    The curve is Morton's (A computer oriented geodetic data base, IBM, 1966): the bits of the cells of a grid of 2¹⁶ × 2¹⁶,
    those of y and x by turns.
    """
    across = _cells(x, bounds.x0, bounds.x1)
    up = _cells(y, bounds.y0, bounds.y1)
    return _spread(across) | (_spread(up) << np.uint32(1))


def _cells(values: np.ndarray, low: float, high: float) -> np.ndarray:
    side = 1 << BITS
    return np.clip((values.astype(np.float64) - low) * (side / (high - low)), 0, side - 1).astype(np.uint32)


def _spread(cells: np.ndarray) -> np.ndarray:
    """Put a zero before each of the 16 bits."""
    for shift, mask in _SPREAD:
        cells = (cells | (cells << np.uint32(shift))) & np.uint32(mask)
    return cells
