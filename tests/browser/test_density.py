"""Maps of more dots than are drawn one by one: the image against hand-worked bins, and every dot reached."""

import numpy as np
import pytest

from core import export, sheets
from core.figures import Category, MapSpec, Number
from tests.browser.helpers import DRAWN, browser_page, draw_box, screen, screens

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

N, ABOVE, DRAWN_DOTS = 3000, 1000, 200
RNG = np.random.default_rng(5)
GROUP = (np.arange(N) % 2).astype(np.int32)
# Two clouds that are far apart: the first group at the left, the second at the right.
XY = (RNG.normal(size=(N, 2)) + np.where(GROUP == 0, -10, 10)[:, None] * (1, 0)).astype(np.float32)
X = RNG.integers(0, 256, (N, 8, 8, 1), dtype=np.uint8)
TOTAL = (
    "() => document.querySelector('.ee-map').eeMap.gd.data"
    ".reduce((sum, trace) => sum + trace.x.filter((value) => value !== null).length, 0)"
)
# Of the image's left and of its right half: bins that are seen, and those of them that are not gray.
HALVES = """async () => {
  const {gd} = document.querySelector('.ee-map').eeMap, image = new Image();
  image.src = gd.layout.images[0].source;
  await image.decode();
  const canvas = document.createElement('canvas'), {width, height} = image;
  Object.assign(canvas, {width, height});
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const {data} = context.getImageData(0, 0, width, height), found = [0, 0, 0, 0];
  for (let i = 0; i < data.length; i += 4) {
    if (!data[i + 3]) continue;
    const half = (i / 4) % width < width / 2 ? 0 : 1;
    found[half]++;
    if (Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 8) found[2 + half]++;
  }
  return found;
}"""


def show(page, tmp_path, color=None):
    group = Category("Group", GROUP, ("left", "right"))
    spec = MapSpec(
        coordinates=XY, rows=np.arange(N, dtype=np.int32), color=color or group, symbol=None, fields=(group,), ids=None,
        axes=("x", "y"), view_key="v", image=sheets.layout(X, None), dense_above=ABOVE, dense_drawn=DRAWN_DOTS,
    )  # fmt: skip
    page.goto(export.write(tmp_path / "map.html", export.html(spec, X, None, "many")).as_uri())
    page.wait_for_selector(DRAWN)
    page.wait_for_timeout(500)


@pytest.fixture
def page(tmp_path):
    """An exported page with the dots drawn."""
    with browser_page() as page:
        show(page, tmp_path)
        yield page
        assert page.problems == []


def line(page):
    return page.locator(".ee-density").inner_text()


def look_at(page, x, y):
    """Bring a region of the map into view, and wait until what is drawn has followed."""
    page.evaluate(
        "([x, y]) => Plotly.relayout(document.querySelector('.ee-map').eeMap.gd, {'xaxis.range': x, 'yaxis.range': y})",
        [x, y],
    )
    page.wait_for_timeout(800)


def in_view(page):
    x, y = page.evaluate(
        "(() => { const full = document.querySelector('.ee-map').eeMap.gd._fullLayout;"
        " return [full.xaxis.range, full.yaxis.range]; })()"
    )
    return (XY[:, 0] >= x[0]) & (XY[:, 0] <= x[1]) & (XY[:, 1] >= y[0]) & (XY[:, 1] <= y[1])


def test_many_dots_are_an_image_with_some_of_them_on_top_and_few_are_dots(page):
    assert line(page) == "3,000 points: density, 200 drawn; zoom in for every point"
    assert page.evaluate(TOTAL) == DRAWN_DOTS + 2  # and the corners, which nobody sees
    left, right, _, _ = page.evaluate(HALVES)
    assert left > 200 < right
    look_at(page, [9.5, 10.5], [-0.5, 0.5])
    count = int(in_view(page).sum())
    assert 0 < count < ABOVE and page.evaluate(TOTAL) == count + 2
    assert not page.locator(".ee-density").is_visible()
    assert page.evaluate("(document.querySelector('.ee-map').eeMap.gd.layout.images ?? []).length") == 0
    look_at(page, [5, 25], [-5, 5])
    count = int(in_view(page).sum())
    assert line(page) == f"{count:,} of 3,000 points in view: density, 200 drawn; zoom in for every point"
    look_at(page, [-14, 14], [-5, 5])  # the left group, of which nothing was drawn, is there again
    left, right, _, _ = page.evaluate(HALVES)
    assert left > 200 < right


def test_dots_that_are_not_drawn_are_pointed_at_picked_and_drawn_around(page):
    undrawn = page.evaluate(
        "[...Array(3000).keys()].filter((row) => document.querySelector('.ee-map').eeMap.pointOf(row) === null)"
    )
    assert len(undrawn) == N - DRAWN_DOTS
    at = screens(page, range(N))
    away = np.array([np.sort(np.hypot(*(at - at[row]).T))[1] for row in undrawn])
    row = undrawn[int(np.argmax(away))]  # with no other dot beside it
    page.mouse.move(*(at[row] + 30))
    page.mouse.move(*at[row], steps=3)
    page.wait_for_selector(f".ee-card[data-row='{row}'][data-pictures=ready]")
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function("() => document.getElementById('count').textContent === '1 of 3,000 selected'")
    box = (*at[GROUP == 0].min(0) - 3, *at[GROUP == 0].max(0) + 3)
    draw_box(page, *box)
    page.wait_for_function("() => document.getElementById('count').textContent === '1,500 of 3,000 selected'")


def test_a_selection_keeps_its_colours_and_the_others_are_gray(page):
    left, right, left_colored, right_colored = page.evaluate(HALVES)
    assert left_colored > 0.9 * left and right_colored > 0.9 * right
    at = screens(page, np.flatnonzero(GROUP == 0))
    draw_box(page, *at.min(0) - 3, *at.max(0) + 3)
    page.wait_for_function("() => document.querySelector('.ee-map').dataset.selected === '1500'")
    left, right, left_colored, right_colored = page.evaluate(HALVES)
    assert left_colored > 0.9 * left and right > 200 and right_colored == 0


def test_a_few_selected_dots_are_all_drawn(page):
    x, y = screen(page, int(np.argmax(XY[:, 1])))
    draw_box(page, x - 4, y - 4, x + 4, y + 4)
    page.wait_for_function("() => Number(document.querySelector('.ee-map').dataset.selected) >= 1")
    row = int(np.argmax(XY[:, 1]))
    assert page.evaluate("(row) => document.querySelector('.ee-map').eeMap.pointOf(row) !== null", row)
    assert page.evaluate(TOTAL) == DRAWN_DOTS + 2


def test_the_legend_takes_a_group_out_of_the_image(page):
    page.locator(".legendtoggle").nth(1).click()
    page.wait_for_function("() => document.querySelector('.ee-density').textContent.startsWith('1,500 of 3,000')")
    page.wait_for_timeout(500)
    left, right, _, _ = page.evaluate(HALVES)
    assert left > 200 and right == 0
    page.locator(".legendtoggle").nth(1).click()
    page.wait_for_function("() => document.querySelector('.ee-density').textContent.startsWith('3,000 points')")
    page.wait_for_timeout(500)
    left, right, _, _ = page.evaluate(HALVES)
    assert left > 200 < right


def test_bins_mix_colours_by_count_and_are_stronger_by_its_logarithm(page):
    made = page.evaluate(
        """() => {
          const header = {n: 5, color: {kind: 'category', colors: ['#ff0000', '#0000ff'], names: ['a', 'b']}};
          const arrays = {x: Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.9), y: new Float32Array(5).fill(0.5),
                          group: Uint8Array.of(0, 0, 0, 1, 1), row: Int32Array.of(0, 1, 2, 3, 4)};
          const region = {x: [0, 1], y: [0, 1], px: [4, 2], hidden: []}, points = Uint32Array.of(0, 1, 2, 3, 4);
          const pixels = (frame, bits) => [...densityPixels(frame, {dark: false}, bits, points, region, [2, 1])];
          const number = {kind: 'number', scale: [[0, '#000000'], [0.5, '#808080'], [1, '#ffffff']], min: 0, max: 4};
          const valued = {header: {n: 5, color: number}, arrays: {...arrays, value: Float32Array.of(1, 3, NaN, 2, NaN)}};
          return [pixels({header, arrays}, null), pixels({header, arrays}, Uint8Array.of(8)), pixels(valued, null)];
        }"""
    )
    faint = round(255 * 0.22)
    assert made[0] == [191, 0, 64, 255, 0, 0, 255, faint]  # three red and one blue: 3/4 of 255 red
    # Only dot 3 is selected; the fullest bin is that of three others, so the single one is raised to 0.7.
    assert made[1] == [0, 0, 255, round(255 * 0.7), 185, 185, 185, round(255 * 0.85 * 0.22)]
    assert made[2] == [128, 128, 128, 255, 154, 154, 154, faint]  # the mean of 1, 3 and 2; none: gray


def test_an_even_choice_is_exact_and_keeps_those_drawn_before(page):
    of_all, of_half, again = page.evaluate(
        """() => {
          const all = Uint32Array.from({length: 20000}, (_, i) => i), half = all.filter((i) => i < 10000);
          return [all, half, all].map((points) => [...chosenEvenly(points, 1000)]);
        }"""
    )
    assert len(of_all) == len(of_half) == 1000 and of_all == again == sorted(of_all)
    assert {i for i in of_all if i < 10000} <= set(of_half)
    counts = np.histogram(of_all, 10, (0, 20000))[0]
    assert counts.min() > 60 and counts.max() < 140


def test_numbers_are_means_of_the_dots_in_a_bin(page, tmp_path):
    show(page, tmp_path, Number("Error", np.where(GROUP == 0, 0, 1).astype(np.float32)))
    assert line(page).startswith("3,000 points: density, 200 drawn")
    left, right, _, right_colored = page.evaluate(HALVES)
    assert left > 200 < right and right_colored > 0.9 * right
