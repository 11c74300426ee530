"""Sprite sheets: many small images in one WebP file, each beside its reconstruction."""

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from core.errors import ExportError

PIXELS = 1_000_000  # of a sheet: decoded in a blink, also when the next dot lies on another one
MOST, FEWEST = 2500, 64  # cells of a sheet
GAP_COLOR = 0


@dataclass(frozen=True)
class SheetLayout:
    """How n images of h × w × c lie on sheets: `page` cells on each, `cols` in a row, row r of the set in cell r % page."""

    n: int
    h: int
    w: int
    c: int
    page: int
    cols: int
    pages: int
    reconstructions: bool


def layout(x: np.ndarray, reconstructions: np.ndarray | None) -> SheetLayout:
    """Lay out images uint8 (n, h, w, c)."""
    n, h, w, c = x.shape
    page = max(FEWEST, min(MOST, PIXELS // (2 * h * w)))
    width = w if reconstructions is None else 2 * w
    cols = max(1, round((page * h / width) ** 0.5))  # about square: WebP ends at 16,383 pixels a side
    return SheetLayout(n, h, w, c, page, cols, -(-n // page), reconstructions is not None)


def page(x: np.ndarray, reconstructions: np.ndarray | None, number: int, quality: int | None = None) -> bytes:
    """Return sheet `number` as WebP: lossless when `quality` is None, else of quality 1..100.

    Parameters
    ----------
    x, reconstructions : uint8 (n, h, w, c) of all images.
    """
    form = layout(x, reconstructions)
    rows = slice(number * form.page, min(form.n, (number + 1) * form.page))
    cells = x[rows] if reconstructions is None else np.concatenate([x[rows], reconstructions[rows]], axis=2)
    count, h, width, c = cells.shape
    lines = -(-count // form.cols)
    grid = np.full((lines * form.cols, h, width, c), GAP_COLOR, np.uint8)
    grid[:count] = cells
    grid = grid.reshape(lines, form.cols, h, width, c).swapaxes(1, 2)  # (lines, h, cols, width, c)
    grid = grid.reshape(lines * h, form.cols * width, c)
    picture = Image.fromarray(np.ascontiguousarray(grid[..., 0] if c == 1 else grid))
    buffer = io.BytesIO()
    if quality is None:
        picture.convert("RGB").save(buffer, "WEBP", lossless=True, quality=20, method=0, exact=True)
    else:
        picture.convert("RGB").save(buffer, "WEBP", quality=quality, method=2)
    return buffer.getvalue()


def pages(x: np.ndarray, reconstructions: np.ndarray | None, quality: int | None = None) -> list[bytes]:
    """Return all sheets as WebP."""
    return [page(x, reconstructions, i, quality) for i in range(layout(x, reconstructions).pages)]


def write_pages(x: np.ndarray, reconstructions: np.ndarray | None, folder: Path) -> list[Path]:
    """Write lossless sheets `0.webp`, `1.webp`, … each whole or not at all, and return their paths.

    Raises
    ------
    ExportError : the folder cannot be written.
    """
    paths = []
    for i in range(layout(x, reconstructions).pages):
        path = folder / f"{i}.webp"
        try:
            with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
                file.write(page(x, reconstructions, i))
            Path(file.name).replace(path)
        except OSError as error:
            raise ExportError(f"The pictures cannot be written to {folder}: {error.strerror or error}.") from error
        paths.append(path)
    return paths
