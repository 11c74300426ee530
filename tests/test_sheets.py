"""Sprite sheets: every pixel comes back from where the layout says."""

import io

import numpy as np
import pytest
from PIL import Image

from core import sheets
from core.errors import ExportError


def images(n, h, w, c, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, h, w, c), dtype=np.uint8)


def cut(data, form, row):
    """Cut a row's cell out of its sheet, as the browser does."""
    grid = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    width = form.w * (2 if form.reconstructions else 1)
    cell = row % form.page
    y, x = cell // form.cols * form.h, cell % form.cols * width
    return grid[y : y + form.h, x : x + width, : form.c]


@pytest.mark.parametrize("shape", [(5, 8, 8, 1), (70, 9, 128, 3), (130, 128, 128, 3), (2600, 8, 10, 1)])
@pytest.mark.parametrize("reconstructed", [True, False])
def test_every_image_comes_back_exactly(shape, reconstructed):
    x = images(*shape)
    other = images(*shape, seed=1) if reconstructed else None
    form = sheets.layout(x, other)
    pages = sheets.pages(x, other)
    assert len(pages) == form.pages == -(-len(x) // form.page)
    assert all(max(Image.open(io.BytesIO(page)).size) < 16_383 for page in pages)
    for row in {0, len(x) // 2, len(x) - 1, min(form.page, len(x) - 1)}:
        expected = x[row] if other is None else np.concatenate([x[row], other[row]], axis=1)
        np.testing.assert_array_equal(cut(pages[row // form.page], form, row), expected)


def test_lossy_sheets_are_smaller():
    x = images(64, 16, 16, 3)
    assert len(sheets.page(x, x, 0, 50)) < len(sheets.page(x, x, 0))


def test_sheets_are_written_whole(tmp_path):
    x = images(5, 8, 8, 1)
    paths = sheets.write_pages(x, x, tmp_path)
    assert [path.name for path in paths] == ["0.webp"]
    assert paths[0].read_bytes() == sheets.page(x, x, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["0.webp"]
    with pytest.raises(ExportError, match="cannot be written"):
        sheets.write_pages(x, x, tmp_path / "none")
