"""The main job in a real Chromium: open, hover, slide, lasso, download, open the download without a network."""

import numpy as np
import pytest

from tests.browser.helpers import (
    DRAWN,
    browser_page,
    card_pixels,
    colors,
    hover_one_of,
    new_page,
    screen,
    wait_drawn,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def check_card(page, digits, row):
    found, encoded = digits
    original, reconstruction = found.x[row], encoded.reconstructions[row]
    difference = np.abs(original.astype(int) - reconstruction.astype(int))
    np.testing.assert_array_equal(card_pixels(page, "original", 1), original)
    np.testing.assert_array_equal(card_pixels(page, "reconstruction", 1), reconstruction)
    np.testing.assert_array_equal(card_pixels(page, "difference", 1), difference)
    assert found.classes[found.y[row]] in page.locator(".ee-card").inner_text()


def slide_k(page, steps):
    slider = page.locator('[data-testid="stSlider"]', has_text="k (number of clusters)").locator("input[type=range]")
    slider.focus()
    for _ in range(abs(steps)):
        page.keyboard.press("ArrowRight" if steps > 0 else "ArrowLeft")


def test_first_view_is_small_and_asks_nothing_from_outside(address):
    with browser_page() as page:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        received = []
        session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
        session.on(
            "Network.webSocketFrameReceived", lambda event: received.append(len(event["response"]["payloadData"]))
        )
        page.goto(address)
        page.wait_for_selector(DRAWN)
        page.wait_for_load_state("networkidle")
        assert sum(received) < 6_000_000
        assert page.outside == []
        assert page.problems == []


def test_hover_shows_the_very_pixels_in_2d(page, digits):
    for start in (0, 2600):  # on the first sheet and on the second
        check_card(page, digits, hover_one_of(page, range(start, start + 400, 20)))


def test_hover_shows_the_very_pixels_in_3d(page, digits):
    before = wait_drawn(page)
    page.get_by_text("3-D", exact=True).click()
    wait_drawn(page, before)
    page.wait_for_timeout(1500)
    check_card(page, digits, hover_one_of(page, range(0, 5000, 97)))


def test_k_slider_changes_colours_and_keeps_the_zoom(page):
    view = "(() => { const l = document.querySelector('.ee-map').eeMap.gd._fullLayout; return l.xaxis.range; })()"
    x, y = screen(page, 100)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(1500)
    zoomed, before, key = page.evaluate(view), colors(page), wait_drawn(page)
    slide_k(page, 3)
    page.wait_for_function("() => document.querySelector('.ee-map').eeMap.gd._fullData.length === 13")
    wait_drawn(page, key)
    assert colors(page) != before
    assert page.evaluate(view) == pytest.approx(zoomed)


def test_k_slider_keeps_the_camera_in_3d(page):
    key = wait_drawn(page)
    page.get_by_text("3-D", exact=True).click()
    key = wait_drawn(page, key)
    page.wait_for_timeout(1000)
    eye = "(() => document.querySelector('.ee-map').eeMap.gd._fullLayout.scene._scene.getCamera().eye)()"
    start = page.evaluate(eye)
    box = page.locator(".ee-map").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 120, box["y"] + box["height"] / 2 + 40, steps=6)
    page.mouse.up()
    page.wait_for_timeout(1000)
    turned = page.evaluate(eye)
    assert turned != start
    key = wait_drawn(page)
    slide_k(page, 2)
    wait_drawn(page, key)
    page.wait_for_timeout(500)
    assert page.evaluate(eye) == pytest.approx(turned, abs=1e-3)


def test_downloaded_html_works_without_a_network(page, digits, tmp_path):
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Map as offline HTML").click()
    path = tmp_path / "map.html"
    waiting.value.save_as(path)
    assert path.stat().st_size <= 8_000_000
    offline = new_page(page.context.browser, offline=True)
    offline.goto(path.as_uri())
    offline.wait_for_selector(DRAWN)
    check_card(offline, digits, hover_one_of(offline, range(0, 400, 20)))
    assert offline.outside == []
    assert offline.problems == []
