"""What an atlas answers with; its size depends on what was asked, never on the length of the table."""

from dataclasses import dataclass

import numpy as np

from core.atlas.columns import View

OTHER = "other"  # the name of what is left of a category beyond its largest values


@dataclass(frozen=True, eq=False)
class Density:
    """How many rows lie in each cell of a view, and of what kind they are.

    Parameters
    ----------
    view : what is shown; row 0 of the arrays is its top (y1), column 0 its left (x0).
    counts : uint32 (h, w) rows in each cell.
    shares : float32 (h, w, k) share of each name in a cell, in [0, 1], zeros where it is empty; None unless of a category.
    names : the k names of the shares, the largest first in the whole atlas.
    rest : whether the last name stands for all other values together.
    means : float32 (h, w) mean of a number in each cell, nan where it has none; None unless coloured by a number.
    low, high : the number's range in the whole atlas.
    """

    view: View
    counts: np.ndarray
    shares: np.ndarray | None = None
    names: tuple[str, ...] = ()
    rest: bool = False
    means: np.ndarray | None = None
    low: float | None = None
    high: float | None = None

    @property
    def total(self) -> int:
        """Rows in the view."""
        return int(self.counts.sum(dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often values occur: `counts` int64 (b,) between `edges` float64 (b + 1,), or of `names`, for a category."""

    counts: np.ndarray
    edges: np.ndarray | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Matrix:
    """How often two categories occur together: `counts` int64 (rows, columns), in the order of their values."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: np.ndarray
