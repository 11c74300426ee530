"""Selecting as a person does, in a real Chromium, against what the data say must be selected and shown."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from core import neighbours, walks
from core.latents import decode
from core.plans import KeptModel
from core.stages import read_model
from tests.browser.helpers import (
    browser_page,
    choose,
    chromium,
    dashboard,
    draw_box,
    gallery_rows,
    hover_one_of,
    panel,
    screen,
    screens,
    selected,
    settle,
    wait_drawn,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
CLEAR_OF_EDGE = 1.5  # pixels within which a dot may lie on either side of a line


def inside(at, left, top, right, bottom, slack=0.0):
    x, y = at.T
    return (x > left - slack) & (x < right + slack) & (y > top - slack) & (y < bottom + slack)


def check_count(count, at, *boxes):
    """Check a number of dots against those surely inside boxes, and those that may be."""
    surely = np.any([inside(at, *box, slack=-CLEAR_OF_EDGE) for box in boxes], axis=0)
    perhaps = np.any([inside(at, *box, slack=CLEAR_OF_EDGE) for box in boxes], axis=0)
    assert surely.sum() <= count <= perhaps.sum()
    assert count > 0
    return perhaps


def test_a_lasso_selects_shift_adds_and_alt_takes_away(page, digits):
    at = screens(page, range(5000))
    x, y = at[100]
    first = (x - 40, y - 40, x + 40, y + 40)
    draw_box(page, *first)
    count = selected(page, "")
    perhaps = check_count(count, at, first)
    rows = gallery_rows(page)
    assert set(rows) <= set(np.flatnonzero(perhaps)) and rows == sorted(rows)
    other = next(row for row in range(5000) if at[row, 0] < x - 250 and at[row, 0] > 430)
    np.testing.assert_allclose(screens(page, [100, other]), at[[100, other]], atol=0.5, err_msg="the map jumped")
    ox, oy = at[other]
    second = (ox - 30, oy - 30, ox + 30, oy + 30)
    page.keyboard.down("Shift")
    draw_box(page, *second)
    page.keyboard.up("Shift")
    both = selected(page, str(count))
    check_count(both, at, first, second)
    page.keyboard.down("Alt")
    draw_box(page, *first)
    page.keyboard.up("Alt")
    left = selected(page, str(both))
    check_count(left, at, second)
    page.get_by_role("button", name="Undo").click()
    assert selected(page, str(left)) == both
    page.reload()
    wait_drawn(page)
    assert selected(page, "") == both
    assert page.problems == []


@pytest.mark.parametrize("button", ["Select what you draw around", "Select what a box on the screen holds"])
def test_a_lasso_or_box_on_the_screen_of_a_3d_map_selects_what_it_goes_round(button, page):
    before = wait_drawn(page)
    page.get_by_text("3-D", exact=True).click()
    wait_drawn(page, before)
    page.locator(f'[data-title^="{button}"]').first.click()
    at = screens(page, range(5000))
    x, y = np.median(at, axis=0)
    box = (x - 60, y - 60, x + 60, y + 60)
    if "box" in button:
        page.mouse.move(box[0], box[1])
        page.mouse.down()
        page.mouse.move(x, y - 5, steps=4)
        page.mouse.move(box[2], box[3], steps=4)
        page.mouse.up()
    else:
        draw_box(page, *box)
    count = selected(page, "")
    perhaps = check_count(count, at, box)
    assert set(gallery_rows(page)) <= set(np.flatnonzero(perhaps))
    assert page.problems == []


def test_bars_select_what_they_count(page, digits):
    panel(page, "Histograms")
    bars = page.locator('.ee-histogram[data-column="Label"] svg')
    bars.scroll_into_view_if_needed()
    box = bars.bounding_box()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 40, steps=5)
    page.mouse.up()
    y = digits[0].y
    assert selected(page, "") == np.isin(y, (2, 3, 4)).sum()
    panel(page, "Pictures")
    assert gallery_rows(page, 60) == np.flatnonzero(np.isin(y, (2, 3, 4)))[:60].tolist()


def test_neighbours_are_the_nearest_in_latent_space_in_order(page, digits):
    row = hover_one_of(page, range(0, 400, 20))
    page.mouse.click(*screen(page, row))
    assert selected(page, "") == 1
    panel(page, "Neighbours")
    latents = digits[1].latents
    expected = neighbours.nearest(latents, latents[row], 24, without=np.array([row]))
    page.get_by_text("which is left out").wait_for()
    assert gallery_rows(page, 24) == expected.rows.tolist()
    page.get_by_role("button", name="Select these 24").click()
    assert selected(page, "1") == 24


def test_an_uploaded_picture_finds_itself(page, digits):
    panel(page, "Neighbours")
    page.get_by_text("Select one image or several").wait_for()
    choose(page, "Neighbours of", "a picture from a file")
    buffer = io.BytesIO()
    Image.fromarray(digits[0].x[321, :, :, 0]).save(buffer, "PNG")
    page.locator('input[type="file"]').set_input_files(
        {"name": "<b>321</b>.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    )
    page.get_by_text("it belongs at").wait_for()
    assert gallery_rows(page, 24)[0] == 321
    page.wait_for_function(
        "document.querySelector('.ee-map').eeMap.gd._fullData.some((t) => t.name === 'uploaded picture')"
    )
    star = page.evaluate(
        "(() => { const t = document.querySelector('.ee-map').eeMap.gd._fullData.find((t) => t.name === 'uploaded picture');"
        " return [t.x[0], t.y[0]]; })()"
    )
    there = page.evaluate(
        "(() => { const m = document.querySelector('.ee-map').eeMap, p = m.pointOf(321), t = m.gd._fullData[p.curve];"
        " return [t.x[p.point], t.y[p.point]]; })()"
    )
    np.testing.assert_allclose(star, there, atol=1e-3)
    assert page.locator("b", has_text="321").count() == 0
    assert page.problems == []


def test_a_picture_opens_large_with_its_values(page, digits):
    rows = gallery_rows(page, 60)
    assert rows == list(range(60))
    page.locator('.ee-picture[data-row="7"]').click()
    page.get_by_role("dialog").wait_for()
    expect(page.get_by_role("dialog").locator("img")).to_have_count(3)
    assert page.get_by_role("dialog").get_by_text("7", exact=True).count() >= 1


def test_a_walk_is_what_the_model_decodes_and_is_taken_away(page, digits):
    row = hover_one_of(page, range(0, 400, 20))
    page.mouse.click(*screen(page, row))
    selected(page, "")
    other = hover_one_of(page, range(2000, 2400, 20))
    page.keyboard.down("Shift")
    page.mouse.click(*screen(page, other))
    page.keyboard.up("Shift")
    assert selected(page, "1") == 2
    panel(page, "Walks")
    page.get_by_text("At each step").wait_for()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Strip as PNG").click()
    strip = np.asarray(Image.open(io.BytesIO(Path(waiting.value.path()).read_bytes())))
    path = walks.between(digits[1].latents[[row, other]], 12)
    made = decode(read_model(KeptModel("digits")), path)
    np.testing.assert_array_equal(strip, np.concatenate(list(made[..., 0]), axis=1))
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Film as GIF").click()
    assert Image.open(io.BytesIO(Path(waiting.value.path()).read_bytes())).n_frames == 2 * 12 - 2
    nearest = [int(neighbours.nearest(digits[1].latents, point, 1).rows[0]) for point in path]
    assert gallery_rows(page, 12) == nearest


def test_zoomed_in_pictures_take_the_place_of_dots_without_covering_one_another(page, digits):
    at = screen(page, 100)
    faint = float(page.evaluate("document.querySelector('.ee-map').dataset.opacity"))
    page.mouse.move(*at)
    for _ in range(40):
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(400)
        if page.evaluate("document.querySelector('.ee-layer').dataset.rows"):
            break
    rows = [int(row) for row in page.evaluate("document.querySelector('.ee-layer').dataset.rows").split()]
    assert 100 in rows or len(rows) > 5
    places = screens(page, rows)
    for i in range(len(rows)):
        apart = np.abs(places[i + 1 :] - places[i]).max(axis=1)
        assert (apart >= 36).all()
    x, y = places[0]
    shown = np.array(
        page.evaluate(
            """([x, y]) => {
              const layer = document.querySelector('.ee-layer'), box = layer.getBoundingClientRect();
              const ratio = layer.width / box.width;
              const at = [x - box.left - 14, y - box.top - 14].map((v) => Math.round(v * ratio));
              return Array.from(layer.getContext('2d').getImageData(...at, 28, 28).data);
            }""",
            [float(x), float(y)],
        )
    ).reshape(28, 28, 4)[..., 0]
    picture = digits[0].x[rows[0], :, :, 0]
    assert np.corrcoef(shown.ravel(), _middle(picture).ravel())[0, 1] > 0.9
    page.get_by_text("Pictures when zoomed in").click()
    page.wait_for_function("!document.querySelector('.ee-layer').dataset.rows")
    assert float(page.evaluate("document.querySelector('.ee-map').dataset.opacity")) > faint


def _middle(picture):
    """The middle 28 screen pixels of a picture drawn 40 pixels wide."""
    large = Image.fromarray(picture).resize((40, 40), Image.Resampling.NEAREST)
    return np.asarray(large)[6:34, 6:34]


def test_a_first_visitor_reads_what_is_where_once(tmp_path):
    chromium()
    with dashboard(tmp_path, first_visit=True) as url, browser_page() as page:
        page.goto(url)
        page.get_by_role("dialog").get_by_text("Everything stays on the computer that runs this program.").wait_for()
        page.get_by_role("button", name="Start").click()
        page.get_by_role("dialog").wait_for(state="detached")
        page.reload()
        wait_drawn(page)
        assert page.get_by_role("dialog").count() == 0


def test_a_map_shows_in_a_notebooks_cell():
    from core import explore

    with browser_page() as page:
        page.set_content(explore("digits").map("Label")._repr_html_())
        page.frame_locator("iframe").locator(".ee-map[data-drawn]").wait_for()
        assert page.problems == [] and page.outside == []


def test_maps_side_by_side_share_hover_and_selection(page, digits):
    page.get_by_text("Side by side").click()
    choose(page, "Maps beside this one", "PCA")
    page.wait_for_function("document.querySelectorAll('.ee-map[data-drawn]').length === 2")
    page.keyboard.press("Escape")
    page.wait_for_timeout(1000)
    row = hover_one_of(page, range(0, 400, 20))
    page.wait_for_function("(row) => document.querySelectorAll('.ee-map')[1].dataset.followed == row", arg=row)
    off, hidden = page.evaluate(
        """(row) => {
          const root = document.querySelectorAll('.ee-map')[1], {gd} = root.eeMap, at = root.eeMap.pointOf(row);
          const ring = root.querySelector('.ee-ring'), full = gd._fullLayout, trace = gd._fullData[at.curve];
          return [parseFloat(ring.style.left) - full.xaxis._offset - full.xaxis.l2p(trace.x[at.point]), ring.hidden];
        }""",
        row,
    )
    assert abs(off) < 0.5 and hidden is False
    page.mouse.click(*screen(page, row))
    assert selected(page, "") == 1
    page.wait_for_function("document.querySelectorAll('.ee-map')[1].dataset.selected == '1'")
    page.get_by_text("Lines from the first map").click()
    page.get_by_text("1 of 1 selected images have a line").wait_for()
    page.wait_for_function("document.querySelectorAll('.ee-links line').length >= 1")
    page.mouse.move(5, 5)
    ends = page.evaluate(
        """(row) => {
          const line = document.querySelector(`.ee-links line[data-row="${row}"]`);
          const origin = line.ownerSVGElement.getBoundingClientRect();
          const at = (name) => Number(line.getAttribute(name));
          const ends = ['1', '2'].map((end) => [origin.left + at('x' + end), origin.top + at('y' + end)]);
          const dots = [...document.querySelectorAll('.ee-map')].map((root) => {
            const {gd} = root.eeMap, at = root.eeMap.pointOf(row), trace = gd._fullData[at.curve];
            const {xaxis, yaxis} = gd._fullLayout, box = gd.getBoundingClientRect();
            const [x, y] = [xaxis.l2p(trace.x[at.point]), yaxis.l2p(trace.y[at.point])];
            return [box.left + xaxis._offset + x, box.top + yaxis._offset + y];
          });
          return [ends, dots];
        }""",
        row,
    )
    np.testing.assert_allclose(*ends, atol=1)
    page.get_by_role("button", name="Invert").click()
    assert selected(page, "1") == 4999
    page.get_by_text("300 of 4,999 selected images have a line").wait_for()
    page.wait_for_function("document.querySelectorAll('.ee-links line').length > 250")
    page.reload()
    page.wait_for_function("document.querySelectorAll('.ee-links line').length > 250")
    page.get_by_text("Lines from the first map").click()
    page.wait_for_function("document.querySelectorAll('.ee-links line').length === 0")
    assert page.problems == []


def test_only_what_is_shown_is_drawn_listed_and_selected(page, digits):
    found = np.flatnonzero(digits[0].y == 3)
    page.get_by_role("button", name="Select…").click()
    settle(page)
    choose(page, "By column", "Label")
    settle(page)
    choose(page, "is one of", "3")
    page.get_by_role("button", name=f"Select {len(found)} images").click()
    assert selected(page, "") == len(found)
    page.keyboard.press("Escape")
    before = wait_drawn(page)
    page.get_by_role("button", name="Only these").click()
    wait_drawn(page, before)
    drawn = page.evaluate("document.querySelector('.ee-map').eeMap.gd._fullData.reduce((n, t) => n + t.x.length, 0)")
    assert drawn == len(found)
    page.get_by_text(f"None of {len(found)} shown selected").wait_for()
    assert gallery_rows(page, 60) == found[:60].tolist()
    page.get_by_role("button", name="Invert").click()
    assert selected(page, "") == len(found)
    before = wait_drawn(page)
    page.reload()
    page.get_by_text(f"{len(found)} of {len(found)} shown selected").wait_for()
    page.get_by_role("button", name="Show all").click()
    page.get_by_text(f"{len(found)} of 5,000 selected").wait_for()
    assert page.problems == []


def test_zoom_and_camera_are_there_after_a_reload(page):
    ranges = """(() => {
      const {xaxis, yaxis} = document.querySelector('.ee-map').eeMap.gd._fullLayout;
      return [...xaxis.range, ...yaxis.range];
    })()"""
    first = page.evaluate(ranges)
    page.mouse.move(*screen(page, 100))
    for _ in range(4):
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(200)
    link = page.url
    page.wait_for_function("(old) => location.href !== old", arg=link)
    page.wait_for_timeout(1000)
    zoomed = page.evaluate(ranges)
    assert zoomed[1] - zoomed[0] < 0.8 * (first[1] - first[0])
    page.reload()
    before = wait_drawn(page)
    np.testing.assert_allclose(page.evaluate(ranges), zoomed, atol=0.02 * (zoomed[1] - zoomed[0]))
    link = page.url
    page.get_by_text("3-D", exact=True).click()
    wait_drawn(page, before)
    camera = """(() => {
      const {eye} = document.querySelector('.ee-map').eeMap.gd._fullLayout.scene._scene.getCamera();
      return [eye.x, eye.y, eye.z];
    })()"""
    start = page.evaluate(camera)
    box = page.locator(".ee-plot").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 150, y + 40, steps=8)
    page.mouse.up()
    page.wait_for_timeout(2500)
    turned = page.evaluate(camera)
    assert np.abs(np.subtract(turned, start)).max() > 0.2
    page.reload()
    wait_drawn(page)
    np.testing.assert_allclose(page.evaluate(camera), turned, atol=0.02)
    assert page.problems == []


def test_nothing_of_a_panel_stays_when_another_is_chosen(page):
    panel(page, "Suspects")
    page.get_by_text("decided of").first.wait_for()
    page.get_by_text("Its neighbours in latent space").wait_for()
    panel(page, "Histograms")
    page.wait_for_function("document.querySelectorAll('.ee-histogram').length > 3")
    page.wait_for_timeout(4000)  # longer than the panel before looked for other reviewers
    assert page.get_by_text("decided of").count() == 0
    assert page.get_by_text("Its neighbours in latent space").count() == 0
    panel(page, "Pictures")
    assert gallery_rows(page, 60) == list(range(60))
    assert page.problems == []
