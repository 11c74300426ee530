"""The page Atlas in a browser: what a view asks for and gets, the right images under the mouse, keys, filters, bytes."""

import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core import checkpoints, parts
from core.autoencoders import build, to_weights
from core.config import AutoencoderConfig
from core.latents import decode
from core.models import TrainedModel
from tests.browser.helpers import browser_page, card_pixels, dashboard, settle

sys.path.insert(0, str(Path(__file__).parents[1]))
import made_up_atlas

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

N, PIECE = 60_000, 25_000
STAGES = ("encoded", "clustered", "map2", "suspects")
FIRST_BYTES = 400_000  # of the first picture's files, the component's script beside
DRAWN = """() => {
  const { dataset } = document.querySelector('.ee-atlas') ?? { dataset: {} };
  return dataset.drawn && Number(dataset.answered) >= Number(dataset.asked);
}"""
SCREEN = """(at) => {
  const { scene } = document.querySelector('.ee-atlas').eeAtlas, i = scene.points.at.indexOf(at);
  const box = document.querySelector('.ee-atlas-canvas').getBoundingClientRect();
  return [box.left + scene.px(scene.points.x[i]), box.top + scene.py(scene.points.y[i])];
}"""
CARD = """(at) => {
  const card = document.querySelector('.ee-card');
  return card && !card.hidden && card.dataset.at == at && card.dataset.whole === 'true' && card.dataset.pictures === 'ready';
}"""
TOLD = """() => {
  const { id, at, color } = document.querySelector('.ee-atlas').eeAtlas.scene.points;
  return { id, at, color };
}"""
COLORED = """() => {
  const canvas = document.querySelector('.ee-atlas-canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, i) => i % 4 === 3 && value > 0).length;
}"""
PICTURE = "() => document.querySelector('.ee-atlas').eeAtlas.scene.picture?.edges"
STATUS = "(text) => document.querySelector('.ee-atlas-status').textContent.startsWith(text)"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A run of 60,000 made-up rows with a model of random weights beside its atlas; a name is hostile."""
    folder = tmp_path_factory.mktemp("atlas")
    made_up_atlas.write(
        str(folder), N, d=8, piece=PIECE, about={"map": "UMAP", "fitted": 3000, "data": "<img src=x> *x*"}
    )
    config = AutoencoderConfig(8, 4)
    model = TrainedModel(config, None, (8, 8, 1), to_weights(build(config, (8, 8, 1))))
    checkpoints.write_checkpoint(model, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def rows(root):
    numbers = range(-(-N // PIECE))
    tables = [pd.concat([parts.read(str(root), stage, n).to_pandas() for stage in STAGES], axis=1) for n in numbers]
    return pd.concat(tables, ignore_index=True).set_index("id")


@pytest.fixture(scope="module")
def served(root, tmp_path_factory):
    with dashboard(tmp_path_factory.mktemp("served")) as url:
        yield f"{url}/atlas?atlas={root}"


@pytest.fixture
def page(served):
    """A page with the whole map drawn, that notes the bytes of each file."""
    with browser_page() as page:
        page.sizes = {}
        page.on("response", lambda response: note(page, response))
        page.goto(served)
        drawn(page)
        yield page


def note(page, response):
    if "/component/" in response.url and response.ok:
        page.sizes[response.url] = int(response.headers.get("content-length", 0))


def drawn(page):
    """Wait until the map shows what was asked for last, and the page has run to its end."""
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(700)  # the panels follow
    page.wait_for_function(DRAWN)
    settle(page)


def kind(page):
    return page.evaluate(
        "(({ kind, points }) => [kind, Number(points)])(document.querySelector('.ee-atlas').dataset)"
    )


def status(page):
    return page.locator(".ee-atlas-status").inner_text()


def edges(page):
    return page.evaluate("document.querySelector('.ee-atlas').eeAtlas.edges()")


def inside(rows, view):
    x0, x1, y0, y1 = view
    return rows[(rows.x >= x0) & (rows.x <= x1) & (rows.y >= y0) & (rows.y <= y1)]


def told(page):
    """Ids, places in the table and colours of the points that are shown."""
    return page.evaluate(TOLD)


def zoom_to(page, x, y, most):
    """Zoom with the wheel around a place of the map until at most so many points are in view."""
    for _ in range(30):
        x0, x1, y0, y1 = edges(page)
        box = page.locator(".ee-atlas-canvas").bounding_box()
        left = box["x"] + (x - x0) / (x1 - x0) * box["width"]
        top = box["y"] + (y1 - y) / (y1 - y0) * box["height"]
        page.mouse.move(left, top)
        page.mouse.wheel(0, -300)
        page.wait_for_timeout(200)
        page.wait_for_function(DRAWN)
        name, count = kind(page)
        if name == "points" and count <= most:
            return drawn(page)
    raise AssertionError(f"still {count} points")


def test_the_whole_map_is_one_small_picture_and_a_closer_look_another(page):
    assert kind(page) == ["picture", 0]
    assert status(page) == f"{N:,} in view of {N:,}"
    pictures = {url: size for url, size in page.sizes.items() if url.endswith((".png", ".json", ".webp"))}
    assert 1 <= len(pictures) <= 2 and 0 < sum(pictures.values()) < FIRST_BYTES
    assert page.evaluate(COLORED) > 5000
    page.sizes.clear()
    before = edges(page)
    page.get_by_role("button", name="Zoom in").click()
    drawn(page)
    after = edges(page)
    assert (after[1] - after[0]) * 1.6 == pytest.approx(before[1] - before[0])
    more = [size for url, size in page.sizes.items() if url.endswith((".png", ".json", ".webp"))]
    assert len(more) == 1 and sum(more) < FIRST_BYTES
    assert not [url for url in page.sizes if url.endswith(".js")]
    assert page.problems == [] and page.outside == []


def test_what_is_under_the_mouse_is_the_image_with_what_the_model_makes_of_it(page, root, rows):
    zoom_to(page, 10.0, 0.5, 100)
    points = told(page)
    expected = inside(rows, edges(page))
    assert sorted(points["id"]) == sorted(expected.index) and len(points["id"]) > 2
    assert status(page).startswith(f"{len(expected)} in view")
    model = checkpoints.read_checkpoint(root / "model.safetensors")
    where = {at: page.evaluate(SCREEN, at) for at in points["at"]}
    box = page.locator(".ee-atlas-canvas").bounding_box()
    checked = 0
    for at, name in zip(points["at"], points["id"], strict=True):
        x, y = where[at]
        near = min(np.hypot(x - a, y - b) for other, (a, b) in where.items() if other != at)
        edge = min(x - box["x"], box["x"] + box["width"] - x, y - box["y"] - 50, box["y"] + box["height"] - y)
        if near < 70 or edge < 10 or checked == 3:
            continue
        page.mouse.move(x + 1, y + 1, steps=3)
        page.wait_for_function(CARD, arg=at)
        assert page.locator(".ee-card .ee-id").inner_text() == name
        row = expected.loc[name]
        assert page.locator(".ee-card dd").first.inner_text() == row.label
        original = np.asarray(Image.open(io.BytesIO(row.thumbnail)))[..., None]
        made = decode(model, row.latents[None])[0]
        np.testing.assert_array_equal(card_pixels(page, "original", 1), original)
        np.testing.assert_array_equal(card_pixels(page, "reconstruction", 1), made)
        difference = np.abs(original.astype(int) - made)
        np.testing.assert_array_equal(card_pixels(page, "difference", 1), difference)
        checked += 1
    assert checked > 0
    page.mouse.move(2, 2)
    page.wait_for_function("() => document.querySelector('.ee-card').hidden")
    assert page.problems == []


def test_many_points_have_no_pictures_until_one_is_pointed_at(page, rows):
    zoom_to(page, 10.0, 0.0, 2000)
    count = kind(page)[1]
    if count <= 300:
        pytest.skip("the view holds too few points")
    assert not [url for url in page.sizes if url.endswith(".webp")]
    points = told(page)
    box = page.locator(".ee-atlas-canvas").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    where = [page.evaluate(SCREEN, at) for at in points["at"]]
    i = int(np.argmin([np.hypot(x - middle[0], y - middle[1]) for x, y in where]))
    page.mouse.move(*where[i], steps=3)
    page.wait_for_function(CARD, arg=points["at"][i])
    original = np.asarray(Image.open(io.BytesIO(rows.thumbnail[points["id"][i]])))
    np.testing.assert_array_equal(card_pixels(page, "original", 1)[..., 0], original)
    sheets = [size for url, size in page.sizes.items() if url.endswith(".webp")]
    assert len(sheets) == 1 and sheets[0] < 60_000


def test_the_map_can_be_used_from_the_keyboard(page):
    canvas = page.locator(".ee-atlas-canvas")
    canvas.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    whole = edges(page)
    page.keyboard.press("ArrowRight")
    drawn(page)
    moved = edges(page)
    assert moved[0] > whole[0] and moved[1] - moved[0] == pytest.approx(whole[1] - whole[0])
    for _ in range(9):
        page.keyboard.press("+")
    drawn(page)
    assert edges(page)[1] - edges(page)[0] == pytest.approx((whole[1] - whole[0]) / 1.6**9)
    page.keyboard.press("0")
    drawn(page)
    assert edges(page) == pytest.approx(whole)
    assert status(page) == f"{N:,} in view of {N:,}"
    assert page.locator(".ee-atlas-canvas").get_attribute("aria-label").startswith(f"Map of {N:,} images")


def test_cards_can_be_walked_through_by_keys(page, rows):
    zoom_to(page, 10.0, 0.0, 60)
    page.locator(".ee-atlas-canvas").focus()
    page.mouse.move(2, 2)
    points = told(page)
    order = rows.x[points["id"]].sort_values(kind="stable").index.tolist()
    for name in order[:3]:
        page.keyboard.press("n")
        assert page.locator(".ee-card .ee-id").inner_text() == name
    page.keyboard.press("p")
    assert page.locator(".ee-card .ee-id").inner_text() == order[1]
    page.keyboard.press("Escape")
    assert page.locator(".ee-card").is_hidden()


def test_dragging_moves_what_is_there_at_once_and_then_asks(page):
    before = edges(page)
    box = page.locator(".ee-atlas-canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 120, y + 40, steps=5)
    now = edges(page)
    unit = (before[1] - before[0]) / box["width"]
    assert before[0] - now[0] == pytest.approx(120 * unit, rel=0.02)
    assert now[2] - before[2] == pytest.approx(40 * unit, rel=0.03)
    page.mouse.up()
    drawn(page)
    assert edges(page) == pytest.approx(now)


def test_many_movements_are_few_questions_and_the_last_one_is_shown(page):
    before = int(page.locator(".ee-atlas").get_attribute("data-asked"))
    box = page.locator(".ee-atlas-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(30):
        page.mouse.wheel(0, -20)
    drawn(page)
    after = int(page.locator(".ee-atlas").get_attribute("data-asked"))
    assert 1 <= after - before <= 12  # a question waits until nothing moves, and for the answer before
    x0, x1, y0, y1 = edges(page)
    shown = page.evaluate(PICTURE)
    assert shown == pytest.approx([x0, x1, y0, y1]) if shown else kind(page)[0] == "points"


def test_filters_hold_and_colours_stay(page, rows):
    legend = page.locator(".ee-atlas-item")
    names = [item.split("\n")[0] for item in legend.all_inner_texts()]
    assert names == [str(i) for i in range(10)]
    first = legend.nth(3).locator(".ee-atlas-patch").evaluate("(e) => getComputedStyle(e).backgroundColor")
    box = page.locator('[data-testid="stMultiSelect"]').filter(has_text="label").last
    box.locator("input").click()
    page.get_by_role("option", name="3", exact=True).click()
    page.keyboard.press("Escape")
    count = int((rows.label == "3").sum())
    page.wait_for_function(STATUS, arg=f"{count:,} in view")
    assert status(page) == f"{count:,} in view of {count:,} that match, of {N:,}"
    assert [item.split("\n") for item in page.locator(".ee-atlas-item").all_inner_texts()] == [["3", f"{count:,}"]]
    now = page.locator(".ee-atlas-patch").evaluate("(e) => getComputedStyle(e).backgroundColor")
    assert now == first
    assert page.problems == []


def test_a_suspect_is_shown_on_the_map_with_a_ring(page, rows):
    page.get_by_role("button", name="Suspects").or_(page.get_by_role("radio", name="Suspects")).first.click()
    page.wait_for_function("() => document.querySelectorAll('.ee-picture').length === 48")
    worst = rows.sort_values("suspect", ascending=False)
    second = page.locator(".ee-picture").nth(1)
    assert second.locator("span").last.inner_text() == worst.index[1]
    second.click()
    page.wait_for_function("() => document.querySelector('.ee-atlas').eeAtlas.scene.mark")
    drawn(page)
    x0, x1, y0, y1 = edges(page)
    row = worst.iloc[1]
    assert (x0 + x1) / 2 == pytest.approx(row.x) and (y0 + y1) / 2 == pytest.approx(row.y)
    name, count = kind(page)
    assert name == "points" and worst.index[1] in told(page)["id"] and count <= 2000
    assert (
        page.locator(".ee-picture span:last-of-type").all_inner_texts() == worst.index[:48].tolist()
    )  # what was pressed stays


def test_names_of_the_data_are_texts_and_the_link_opens_the_same_atlas(page, root):
    assert page.get_by_text("<img src=x> *x*").count() == 1 and page.locator("img[src=x]").count() == 0
    assert f"atlas={str(root).replace('/', '%2F')}" in page.url
    assert page.locator(".ee-atlas").get_attribute("data-theme") == "light"


def test_a_picture_that_cannot_be_loaded_is_said(served):
    with browser_page() as page:
        page.route("**/component/*atlas_files/*.png", lambda route: route.fulfill(status=503))
        page.goto(served)
        page.wait_for_function("() => document.querySelector('.ee-atlas-message')?.textContent.includes('(503)')")
        page.unroute("**/component/*atlas_files/*.png")
        settle(page)
        page.get_by_role("button", name="Zoom in").click()
        page.wait_for_function(DRAWN)
        assert page.problems == []
