"""Pictures of a review for a report: images with what is said of them, groups of duplicates, the matrix, a sweep."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core import palettes
from core.errors import DataError
from core.pictures import blank, clean, literal, show
from core.suggestion import Suggestion
from core.sweep import SCORES, Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_IN_ROW = 10  # images of a group that are shown
MOST_CELLS = 900  # of a matrix whose counts are written into its cells
WORDS = 16  # letters of a name
LINE = 24  # letters of a line over an image
CONFLICT = "#d55e00"


def image_grid(images: np.ndarray, titles: Sequence[Sequence[str]], title: str, columns: int = 8) -> "Figure":
    """Draw m images, uint8 (m, h, w, c), in rows, each under the lines of its title.

    Raises
    ------
    DataError : there are none, or not a title for each.
    """
    _check(images, titles)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = blank(max(1.35 * columns, 4.0), 1.75 * rows + 0.4)
    literal(figure.suptitle(clean(title, 110), fontsize=10))
    for i, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, i + 1)
        show(axes, image)
        literal(axes.set_title("\n".join(clean(line, LINE) for line in titles[i]), fontsize=7))
    return figure


def group_rows(
    groups: Sequence[np.ndarray], titles: Sequence[str], conflicts: Sequence[bool], title: str
) -> "Figure":
    """Draw a row of images for each group, uint8 (m, h, w, c) each; the title of one in conflict is marked.

    Raises
    ------
    DataError : there are none, or not a title for each.
    """
    _check(groups, titles)
    columns = min(MOST_IN_ROW, max(len(images) for images in groups))
    figure = blank(0.95 * columns + 2.6, 1.0 * len(groups) + 0.5)
    literal(figure.suptitle(clean(title, 110), fontsize=10))
    grid = figure.add_gridspec(len(groups), columns + 2)
    for i, (images, conflict) in enumerate(zip(groups, conflicts, strict=True)):
        axes = figure.add_subplot(grid[i, :2])
        axes.set_axis_off()
        lines = [clean(line, 40) for line in titles[i].split("\n")]
        more = len(images) - columns
        lines += [f"and {more:,} more"] if more > 0 else []
        style: dict[str, Any] = {"color": CONFLICT, "fontweight": "bold"} if conflict else {"color": "black"}
        literal(axes.text(1, 0.5, "\n".join(lines), ha="right", va="center", fontsize=8, **style))
        for j, image in enumerate(images[:columns]):
            show(figure.add_subplot(grid[i, j + 2]), image)
    return figure


def matrix(
    counts: np.ndarray, rows: Sequence[str], columns: Sequence[str], matched: np.ndarray, title: str
) -> "Figure":
    """Draw a table of clusters × labels: the colour is the share of the cluster, the number the images.

    Parameters
    ----------
    counts : int (r, c). rows, columns : their names.
    matched : bool (r, c), cells with a frame: those of clusters and labels that stand for each other.

    Raises
    ------
    DataError : the arrays do not fit each other.
    """
    if counts.shape != (len(rows), len(columns)) or matched.shape != counts.shape or not counts.size:
        raise DataError(f"A table of {counts.shape} needs as many names, not {len(rows)} and {len(columns)}.")
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)  # (r, c)
    figure = blank(0.52 * len(columns) + 3.0, 0.42 * len(rows) + 2.0)
    axes = figure.add_subplot()
    scale = LinearSegmentedColormap.from_list("share", palettes.SEQUENTIAL)
    shown = axes.imshow(shares, cmap=scale, vmin=0, vmax=1, aspect="auto")
    if counts.size <= MOST_CELLS:
        for i, j in zip(*np.nonzero(counts), strict=True):
            color = "black" if shares[i, j] > 0.55 else "white"
            axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=7, color=color)
    for i, j in zip(*np.nonzero(matched), strict=True):
        axes.add_patch(
            Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=CONFLICT, linewidth=1.5, clip_on=False)
        )
    for text in axes.set_xticks(
        range(len(columns)), [clean(name, WORDS) for name in columns], rotation=60, ha="right"
    ):
        literal(text.label1)
    for text in axes.set_yticks(range(len(rows)), [clean(name, WORDS) for name in rows]):
        literal(text.label1)
    axes.tick_params(labelsize=8)
    axes.set_xlabel("label")
    axes.set_ylabel("cluster")
    literal(axes.set_title(clean(title, 110), fontsize=10))
    figure.colorbar(shown, ax=axes, label="share of the cluster")
    return figure


def sweep_curves(found: Sweep, suggestion: Suggestion, title: str) -> "Figure":
    """Draw each score of a sweep over k, with the suggested k marked, and why it is."""
    from matplotlib.ticker import MaxNLocator

    figure = blank(10.0, 5.6)
    literal(figure.suptitle(clean(title, 110), fontsize=10))
    color, mark = palettes.categorical(6)[0], palettes.categorical(6)[5]
    for number, (name, words) in enumerate({"inertia": "inertia", **SCORES}.items(), start=1):
        axes = figure.add_subplot(2, 3, number)
        axes.plot(found.ks, getattr(found, name), "o-", color=color, markersize=4)
        axes.axvline(suggestion.k, color=mark, linestyle="--")
        axes.set_title(words, fontsize=9)
        axes.set_xlabel("k")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    axes = figure.add_subplot(2, 3, 6)
    axes.set_axis_off()
    literal(axes.text(0, 1, textwrap.fill(suggestion.reason, 38), va="top", fontsize=9))
    return figure


def _check(things: Sequence[object] | np.ndarray, titles: Sequence[object]) -> None:
    if not len(things) or len(things) != len(titles):
        raise DataError(
            f"{len(things)} rows or images need as many titles, and at least one; there are {len(titles)}."
        )
