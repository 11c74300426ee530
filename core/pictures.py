"""Pictures for a report, drawn with matplotlib: reconstructions, loss curves and maps, as PNG or PDF bytes."""

import io
import unicodedata
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core import palettes
from core.errors import DataError
from core.models import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = Literal["png", "pdf"]
SHOWN = (1, 2, 3, 6, 7, 9)  # rows whose reconstructions are shown
MARKERS = "osD^v<>pP*XhH8d"
MAX_TEXT = 24
RASTERIZED = 5_000  # more points are drawn as pixels within a PDF, which stays small
NONE = "#9a9a9a"
FAINT = "#e4e4e4"
REST = "(none)"
LEGEND_ROWS = 25


def render(figure: "Figure", kind: Kind, dpi: int = 150) -> bytes:
    """Return a figure as PNG or PDF; the same figure gives the same bytes, and text in a PDF stays text."""
    import matplotlib as mpl

    metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"CreationDate": None, "Producer": None}
    buffer = io.BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name in a script that no font here has
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once: a second time would move it by parts of a pixel
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata, bbox_inches="tight", facecolor="white")
    return buffer.getvalue()


def reconstruction_rows(
    originals: np.ndarray, reconstructions: np.ndarray, ids: Sequence[str], labels: Sequence[str] | None = None
) -> "Figure":
    """Draw m originals over their reconstructions, uint8 (m, h, w, c) each.

    Raises
    ------
    DataError : there are none, or the arrays do not fit each other.
    """
    _check_pairs(originals, reconstructions)
    m = len(originals)
    if len(ids) != m or (labels is not None and len(labels) != m):
        raise DataError(f"{m} images need {m} ids and labels.")
    figure = blank(1.3 * m + 0.6, 3.2)
    for i in range(m):
        title = clean(ids[i]) + (f"\n{clean(labels[i])}" if labels is not None and labels[i] else "")
        for row, images in enumerate((originals, reconstructions)):
            axes = figure.add_subplot(2, m, row * m + i + 1)
            show(axes, images[i])
            if row == 0:
                literal(axes.set_title(title, fontsize=8))
            if i == 0:
                axes.set_ylabel(("original", "reconstruction")[row], fontsize=9)
    return figure


def grids(originals: np.ndarray, reconstructions: np.ndarray, side: int = 4, own_range: bool = False) -> "Figure":
    """Draw side × side originals beside their reconstructions, uint8 (m, h, w, c); of fewer, the rest stays white.

    Parameters
    ----------
    own_range : stretch each grid from its own darkest to its own brightest value.

    Raises
    ------
    DataError : there are none, or the arrays do not fit each other.
    """
    _check_pairs(originals, reconstructions)
    figure = blank(8.4, 4.4)
    for number, (title, images) in enumerate(
        (("originals", originals), ("reconstructions", reconstructions)), start=1
    ):
        axes = figure.add_subplot(1, 2, number)
        grid = tiled(images[: side * side], side)
        if own_range:
            low, high = int(images[: side * side].min()), int(images[: side * side].max())
            stretched = (grid.astype(np.float32) - low) * (255 / max(1, high - low))
            grid = np.clip(stretched, 0, 255).round().astype(np.uint8)
            title += f", {low} to {high} shown as black to white"
        show(axes, grid)
        axes.set_title(title, fontsize=9)
    return figure


def tiled(images: np.ndarray, side: int, gap: int = 1) -> np.ndarray:
    """Put the first side² of uint8 (m, h, w, c) images into a grid, white between them."""
    _, h, w, c = images.shape
    grid = np.full((side * (h + gap) - gap, side * (w + gap) - gap, c), 255, np.uint8)
    for i, image in enumerate(images[: side * side]):
        top, left = (i // side) * (h + gap), (i % side) * (w + gap)
        grid[top : top + h, left : left + w] = image
    return grid


def loss_curves(history: Sequence[Epoch], loss: str) -> "Figure":
    """Draw the loss of training and, where there is one, of validation images after each epoch.

    Raises
    ------
    DataError : there are no epochs.
    """
    from matplotlib.ticker import MaxNLocator

    if not history:
        raise DataError("This model has no history of losses.")
    figure = blank(6.4, 4.0)
    axes = figure.add_subplot()
    epochs = [item.epoch for item in history]
    colors = palettes.categorical(2)
    marker = "o" if len(history) == 1 else None
    axes.plot(epochs, [item.train_loss for item in history], color=colors[0], marker=marker, label="training images")
    validated = [(item.epoch, item.validation_loss) for item in history if item.validation_loss is not None]
    if validated:
        axes.plot(
            [epoch for epoch, _ in validated], [value for _, value in validated], "--", color=colors[1], marker=marker,
            label="validation images",
        )  # fmt: skip
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"loss ({clean(loss)})")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def scatter(
    coordinates: np.ndarray,
    codes: np.ndarray,
    names: Sequence[str],
    *,
    title: str,
    axes: Sequence[str],
    centroids: bool = False,
    markers: bool = False,
    color_bar: bool = False,
    bright: np.ndarray | None = None,
    rest: str = REST,
) -> "Figure":
    """Draw a map with a colour for each class.

    Parameters
    ----------
    coordinates : float32 (n, 2) or (n, 3). codes : int (n,), index into `names`, -1 for none, drawn gray below the others.
    centroids : write each class's name at the mean of its points. markers : give each class a marker, too.
    color_bar : show the classes as steps of a colour bar instead of a legend.
    bright : bool (n,), points that stand out, such as selected ones; the others are faint. None for all.
    rest : what the legend says of points of none.

    Raises
    ------
    DataError : the arrays do not fit each other.
    """
    n, d = coordinates.shape if coordinates.ndim == 2 else (0, 0)
    if d not in (2, 3) or codes.shape != (n,) or len(axes) != d or not names or codes.max(initial=-1) >= len(names):
        raise DataError("A map needs a class for each of its points, and a title for each of its 2 or 3 axes.")
    figure = blank(8.0, 6.4)
    drawn = figure.add_subplot(projection="3d") if d == 3 else figure.add_subplot()
    colors = palettes.categorical(len(names))
    size = _size(n)
    shown = size if bright is None else _size(int(bright.sum()))  # few that stand out are large
    groups = [-1, *range(len(names))] if (codes < 0).any() else list(range(len(names)))
    draw: Any = drawn.scatter
    if bright is not None:
        draw(*coordinates[~bright].T, s=size, color=FAINT, linewidths=0, rasterized=n > RASTERIZED)
    for code in groups:
        points = coordinates[codes == code if bright is None else (codes == code) & bright]
        if len(points):
            draw(
                *points.T, s=shown, color=NONE if code < 0 else colors[code], linewidths=0, alpha=0.8,
                marker=MARKERS[code % len(MARKERS)] if markers and code >= 0 else "o",
                label=rest if code < 0 else clean(names[code]), rasterized=n > RASTERIZED,
            )  # fmt: skip
    literal(drawn.set_title(clean(title, 80)))
    for name, text in zip("xyz", axes, strict=False):
        getattr(drawn, f"set_{name}label")(clean(text))
    if d == 2:
        drawn.set_aspect("equal", "datalim")
    if centroids:
        _names_at_centroids(drawn, coordinates, codes, names)
    _color_bar(figure, drawn, colors, names) if color_bar else _legend(drawn, shown)
    return figure


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text on one line, without control characters, cut to `limit` letters."""
    plain = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in str(text))
    plain = " ".join(plain.split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def _size(n: int) -> float:
    """Return the area of each of n points, in square points."""
    return float(np.clip(9000 / max(n, 1), 2, 36))


def blank(width: float, height: float) -> "Figure":
    """Return a figure of this size in inches, with nothing on it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def literal(item: Any) -> Any:
    """Return a text whose letters all stand for themselves."""
    item.set_parse_math(False)  # a $ in a name is a letter
    return item


def show(axes: "Axes", image: np.ndarray) -> None:
    """Draw an image, uint8 (h, w, c), pixel by pixel."""
    gray = image.shape[2] == 1
    axes.imshow(
        image[..., 0] if gray else image, cmap="gray" if gray else None, vmin=0, vmax=255, interpolation="nearest"
    )
    axes.set_xticks([])
    axes.set_yticks([])


def _names_at_centroids(axes: Any, coordinates: np.ndarray, codes: np.ndarray, names: Sequence[str]) -> None:
    from matplotlib.patheffects import withStroke

    for code, name in enumerate(names):
        points = coordinates[codes == code]
        if len(points):
            place = points.mean(axis=0, dtype=np.float64)
            style = {"ha": "center", "va": "center", "fontsize": 11, "fontweight": "bold"}
            literal(
                axes.text(*place, clean(name), **style, path_effects=[withStroke(linewidth=3, foreground="white")])
            )


def _legend(axes: Any, size: float) -> None:
    labels = axes.get_legend_handles_labels()[1]
    found = axes.legend(
        loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8, frameon=False, markerscale=max(1.0, (30 / size) ** 0.5),
        ncols=-(-len(labels) // LEGEND_ROWS),
    )  # fmt: skip
    for text in found.get_texts():
        literal(text)


def _color_bar(figure: "Figure", axes: Any, colors: Sequence[str], names: Sequence[str]) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    norm = BoundaryNorm(np.arange(len(names) + 1) - 0.5, len(names))
    mapping = ScalarMappable(norm, ListedColormap(list(colors)))
    bar = figure.colorbar(mapping, ax=axes, ticks=range(len(names)))
    for text in bar.ax.set_yticklabels([clean(name) for name in names]):
        literal(text)


def _check_pairs(originals: np.ndarray, reconstructions: np.ndarray) -> None:
    if originals.ndim != 4 or originals.shape != reconstructions.shape or len(originals) == 0:
        raise DataError(
            f"Originals {originals.shape} and reconstructions {reconstructions.shape} must be equally many images of one shape."
        )
