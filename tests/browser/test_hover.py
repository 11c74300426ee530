"""Hover and lasso on 20,000 dots, and on 70,000 where they are at hand: the nearest dot's card, no more bytes than the line."""

import numpy as np
import pytest

from core import export, sheets
from core.figures import Category, MapSpec
from tests.browser import large
from tests.browser.helpers import (
    DRAWN,
    browser_page,
    card_pixels,
    choose,
    dashboard,
    draw_box,
    screens,
    selected,
    wait_drawn,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

N = 20_000
RNG = np.random.default_rng(7)
XY = RNG.normal(size=(N, 2)).astype(np.float32)
GROUP = (np.arange(N) % 3).astype(np.int32)
X = RNG.integers(0, 256, (N, 8, 8, 1), dtype=np.uint8)
NEAR_PX = 12


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """An exported page of 20,000 dots in three groups."""
    group = Category("Group", GROUP, ("a", "b", "c"))
    spec = MapSpec(
        coordinates=XY, rows=np.arange(N, dtype=np.int32), color=group, symbol=None, fields=(group,), ids=None,
        axes=("x", "y"), view_key="v", image=sheets.layout(X, None),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("crowded") / "map.html"
    return export.write(path, export.html(spec, X, None, "crowded"))


@pytest.fixture
def page(crowded):
    """A page with these dots drawn, the pointer beside the map."""
    with browser_page() as page:
        page.goto(crowded.as_uri())
        page.wait_for_selector(DRAWN)
        page.wait_for_timeout(500)
        page.mouse.move(2, 2)
        yield page


def card_row(page, x, y):
    """Row on the card after the pointer came to rest, -1 without a card."""
    page.mouse.move(x + 60, y)
    page.mouse.move(x, y, steps=3)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return page.evaluate(
        "() => { const c = document.querySelector('.ee-card'); return c.hidden ? -1 : Number(c.dataset.row); }"
    )


def nearest(at, x, y, among=None):
    """The nearest dot on the screen and how far it is, in pixels; None where two are about as near."""
    away = np.hypot(*(at - (x, y)).T)
    if among is not None:
        away = np.where(among, away, np.inf)
    first, second = np.argsort(away)[:2]
    return None if away[second] - away[first] < 0.05 else (int(first), float(away[first]))


def places(at, seed, count=40):
    """Places of the pointer: a few pixels beside some dots, most of them where dots lie over one another."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(at), count, replace=False)
    return np.round(at[rows] + rng.uniform(-6, 6, (count, 2)))


def test_the_card_is_that_of_the_nearest_dot(page):
    at = screens(page, range(N))
    checked = 0
    for x, y in places(at, 0):
        found = nearest(at, x, y)
        if found is not None and abs(found[1] - NEAR_PX) > 0.1:
            assert card_row(page, x, y) == (found[0] if found[1] < NEAR_PX else -1)
            checked += 1
    assert checked > 20
    row = card_row(page, *at[3])
    page.wait_for_selector(".ee-card[data-pictures=ready]")
    np.testing.assert_array_equal(card_pixels(page, "original", 1), X[row])
    assert page.problems == []


def test_a_place_without_a_dot_within_reach_has_no_card(page):
    at = screens(page, range(N))
    low, high = at.min(0), at.max(0)
    free = [
        (x, y)
        for x in np.arange(low[0] + 15, high[0] - 15, 7)
        for y in (low[1] + 3, high[1] - 3)
        if np.hypot(*(at - (x, y)).T).min() > NEAR_PX + 2
    ]
    assert len(free) > 3
    assert [card_row(page, *place) for place in free[:5]] == [-1] * 5


def test_groups_that_are_switched_off_are_not_pointed_at(page):
    page.locator(".legendtoggle").nth(1).click()
    page.wait_for_function(
        "() => document.querySelector('.ee-map').eeMap.gd._fullData.map((t) => t.visible)[1] === 'legendonly'"
    )
    page.wait_for_timeout(500)
    at = screens(page, range(N))  # the axes fit the other groups now
    checked = 0
    for x, y in places(at, 1):
        found = nearest(at, x, y, GROUP != 1)
        if found is not None and found[1] < NEAR_PX - 0.1:
            assert card_row(page, x, y) == found[0]
            checked += nearest(at, x, y) != found  # where a dot of the group that is off lies nearer
    assert checked > 3


def test_of_dots_at_one_place_the_one_drawn_last_is_pointed_at(page, tmp_path):
    xy = np.array([[0, 0], [1, 1], [0, 0], [0, 0], [1, 1]], np.float32)
    group = Category("Group", np.array([1, 1, 1, 0, 0], np.int32), ("first", "second"))
    spec = MapSpec(xy, np.arange(5, dtype=np.int32), group, None, (group,), None, ("x", "y"), "v", None)
    x = np.zeros((5, 8, 8, 1), np.uint8)
    page.goto(export.write(tmp_path / "few.html", export.html(spec, x, None, "few")).as_uri())
    page.wait_for_selector(DRAWN)
    (x0, y0), (x1, y1) = screens(page, [0, 1])
    assert card_row(page, x0, y0) == 2
    assert card_row(page, x1, y1) == 1


def test_sheets_not_used_for_longest_are_dropped_and_come_back(page):
    kept = page.evaluate(
        """async () => {
          const read = [], closed = [];
          const sheets = sheetLoader((page) => `${page}`, async (url) => {
            read.push(url);
            return { width: 10, height: 10, close: () => closed.push(url) };
          }, 300);
          for (const page of [0, 1, 2]) await sheets.load(page);
          sheets.now(0);
          await sheets.load(3);
          return [[0, 1, 2, 3].map((page) => Boolean(sheets.now(page))), closed, read, await sheets.load(1) && read.at(-1)];
        }"""
    )
    assert kept == [[True, False, True, True], ["1", "0"], ["0", "1", "2", "3", "1"], "1"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A running dashboard, and files of 20,000 pictures, and of 70,000 where the digits are at hand."""
    folder = tmp_path_factory.mktemp("large")
    x = np.zeros((N, 28, 28), np.uint8)
    x[:, 8:20, 8:20] = np.random.default_rng(3).integers(0, 256, (N, 12, 12))
    np.savez(folder / "made.npz", x=x, y=np.arange(N) % 4)
    with dashboard(folder) as url:
        yield url, folder


@pytest.mark.parametrize("which", ["made", "digits"])
def test_a_large_lasso_sends_its_line_and_another_colour_only_its_numbers(files, which):
    url, folder = files
    if which == "digits" and not large.there():
        pytest.skip(f"{', '.join(large.FILES)} are not in ../shared/data")
    path = folder / "made.npz" if which == "made" else large.joined(folder)
    n = N if which == "made" else 70_000
    with browser_page() as page:
        wire = large.Wire(page)
        page.goto(large.link(url, path))
        page.wait_for_selector(DRAWN, timeout=600_000)
        page.wait_for_timeout(1500)
        wire.clear()
        draw_box(page, *large.most_of_map(page))
        count = selected(page, "")
        assert 0.75 * n < count < 0.95 * n
        assert 0 < wire.sent() < 10_000
        names = [address for address in wire.files if address.endswith(".bin")]
        assert names == []
        wire.clear()
        key = wait_drawn(page)
        choose(page, "Colour by", "Label")
        wait_drawn(page, key)
        fetched = [address for address in wire.files if address.endswith(".bin")]
        assert len(fetched) <= 1  # a byte a dot; the label may be there as a field already
        assert wire.sent() < 10_000
        page.locator(".ee-plot").focus()
        page.keyboard.press("Escape")
        assert selected(page, str(count)) == 0
        assert page.problems == []
