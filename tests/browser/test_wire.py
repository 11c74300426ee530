"""What crosses the wire: the engine once, another colour as its numbers; a script that cannot be had is said in its place."""

import pytest

from core import web
from tests.browser import large
from tests.browser.helpers import DRAWN, browser_page, choose, hover_one_of, settle, wait_drawn

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_another_colour_sends_neither_the_engine_nor_the_places(address):
    with browser_page() as page:
        wire = large.Wire(page)
        page.goto(address)
        page.wait_for_selector(DRAWN)
        assert len([url for url in wire.files if "/component/" in url and url.endswith(".js")]) >= 1
        settle(page)
        wire.clear()
        key = wait_drawn(page)
        choose(page, "Colour by", "Reconstruction error")
        wait_drawn(page, key)
        page.wait_for_timeout(1000)
        assert [url for url in wire.files if url.endswith((".js", ".gz"))] == []
        assert len([url for url in wire.files if url.endswith(".bin")]) <= 1
        assert max(wire.down) < len(web.script()) / 2  # the largest message of all, the map's own among them
        assert hover_one_of(page, range(50)) >= 0
        assert page.problems == []


def test_a_script_that_cannot_be_loaded_is_said_in_the_place_of_the_map_and_tried_again(address):
    with browser_page() as page:
        scripts = "**/component/*scripts/*.js"
        page.route(scripts, lambda route: route.fulfill(status=503))
        page.goto(address)
        page.wait_for_function(
            "() => document.querySelector('.ee-root')?.textContent.includes('could not be loaded (503)')"
        )
        page.unroute(scripts)
        settle(page)
        choose(page, "Colour by", "Label")
        page.wait_for_selector(DRAWN)
        assert page.problems == []
