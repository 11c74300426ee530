"""Exported pages opened from disk without a network: pictures exact, hostile names shown as text and never run."""

import numpy as np
import pytest

from core import export, formulas, sheets
from core.figures import Category, MapSpec, Number
from tests.browser.helpers import DRAWN, browser_page, card_pixels, hover_one_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

EVIL = "</script><img src=x onerror=window.hacked=1><b>&amp;"
N = 40
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (N, 12, 9, 3), dtype=np.uint8)
OTHER = RNG.integers(0, 256, (N, 12, 9, 3), dtype=np.uint8)


def spec(dimensions, color=None):
    group = Category(EVIL, np.arange(N, dtype=np.int32) % 2, (EVIL, "second"))
    error = Number("Error", np.where(np.arange(N) % 5, np.arange(N), np.nan).astype(np.float32))
    return MapSpec(
        coordinates=np.random.default_rng(1).normal(size=(N, dimensions)).astype(np.float32),
        rows=np.arange(N, dtype=np.int32),
        color=group if color is None else error,
        symbol=None if color is None else group,
        fields=(group, error),
        ids=tuple(f"{i} {EVIL}" for i in range(N)),
        axes=("x", "y", "z")[:dimensions],
        view_key="v",
        image=sheets.layout(X, OTHER),
    )


@pytest.fixture
def page():
    """A browser without a network."""
    with browser_page(offline=True) as page:
        yield page


def show(page, tmp_path, made):
    path = export.write(tmp_path / "map.html", export.html(made, X, OTHER, EVIL, {"n": EVIL}))
    page.goto(path.as_uri())
    page.wait_for_selector(DRAWN)
    page.wait_for_timeout(500)


def check(page, row):
    np.testing.assert_array_equal(card_pixels(page, "original", 3), X[row])
    np.testing.assert_array_equal(card_pixels(page, "reconstruction", 3), OTHER[row])
    difference = np.abs(X[row].astype(int) - OTHER[row].astype(int))
    np.testing.assert_array_equal(card_pixels(page, "difference", 3), difference)
    assert page.locator(".ee-card .ee-id").inner_text() == f"{row} {EVIL}"
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    assert (page.outside, page.problems) == ([], [])


@pytest.mark.parametrize("dimensions", [2, 3])
def test_pictures_are_exact_and_names_are_text(dimensions, page, tmp_path):
    show(page, tmp_path, spec(dimensions))
    check(page, hover_one_of(page, range(N)))
    assert page.locator("h1").inner_text() == EVIL


@pytest.mark.parametrize("dimensions", [2, 3])
def test_numbers_as_colours_and_groups_as_shapes(dimensions, page, tmp_path):
    show(page, tmp_path, spec(dimensions, "number"))
    check(page, hover_one_of(page, range(1, N)))
    check(page, hover_one_of(page, range(0, N, 5)))  # dots without a number are there as well


def test_the_legend_switches_groups_off(page, tmp_path):
    show(page, tmp_path, spec(2))
    page.locator(".legendtoggle").nth(1).click()
    page.wait_for_function(
        "() => document.querySelector('.ee-map').eeMap.gd._fullData.map((t) => t.visible)[1] === 'legendonly'"
    )


def test_the_page_follows_a_dark_system(page, tmp_path):
    page.emulate_media(color_scheme="dark")
    show(page, tmp_path, spec(2))
    hover_one_of(page, range(N))
    assert page.locator(".ee-card").get_attribute("data-theme") == "dark"


def test_a_page_shields_the_same_texts_as_python(page, tmp_path):
    show(page, tmp_path, spec(2))
    rng = np.random.default_rng(0)
    letters = list(" \u00a0\u200b\x1c\x85'=+-@＝－﹢\t\r\n\ufeffa1.e")
    texts = ["".join(rng.choice(letters, rng.integers(0, 6))) for _ in range(3000)] + ["-1.5e-7", "+1", "ⁿ", "⁺1"]
    assert page.evaluate("(texts) => texts.map(isFormula)", texts) == [formulas.shielded(t) != t for t in texts]
    page.get_by_text("Options").click()
    page.get_by_label("CSV for a spreadsheet").uncheck()
    page.get_by_role("button", name="Invert").click()
    with page.expect_download() as waiting:
        page.locator("#download").click()
    assert f"0 {EVIL}" in waiting.value.path().read_text("utf-8")
