"""The table of clusters × labels in a real Chromium: its cells, laid out by their matches, select what they count."""

import numpy as np
import pytest

from tests.browser.helpers import gallery_rows, panel, selected

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
ROW = 35  # pixels of a row of a table, and of its head
NAMES = 67  # pixels of the column with the names of the clusters


def cell(table, row, column):
    """What a table says of a cell to those who cannot see it; column 0 holds the names of the rows."""
    return table.locator(f'[data-testid="glide-cell-{column}-{row}"]').inner_text()


def click(page, table, row, column):
    """Click on the middle of one of ten columns beside the names of the rows."""
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    width = (box["width"] - NAMES) / 10
    page.mouse.click(box["x"] + NAMES + (column - 0.5) * width, box["y"] + (row + 1.5) * ROW)


def test_a_cell_on_the_diagonal_selects_the_images_it_counts(page, digits):
    panel(page, "Clusters × labels")
    page.get_by_text("What each cluster stands for").wait_for()
    table = page.locator('[data-testid="stDataFrame"]').first
    cells = [[int(cell(table, row, column)) for column in range(1, 11)] for row in range(10)]
    names = [cell(table, row, 0) for row in range(10)]
    assert np.sum(cells) == 5000
    assert names != sorted(names), "rows stand in the order of their matches"
    click(page, table, 2, 3)
    count = selected(page, "")
    assert count == cells[2][2] > 100
    panel(page, "Pictures")
    rows = gallery_rows(page, 60)
    assert set(digits[0].y[rows]) == {2}
    panel(page, "Clusters × labels")
    page.get_by_text("What each cluster stands for").wait_for()
    click(page, table, 4, 8)
    assert selected(page, str(count)) == cells[4][7]
    assert page.problems == []
