"""Reviewing suspects in a real Chromium: by keyboard, with a killed server in between, by two reviewers in two tabs."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from core import analyses, corrections, pipeline, ways
from core.evidence import SuspectConfig
from core.images import SampleSource, assets_root
from core.plans import KeptModel, Plan
from core.store import Store
from core.suspects import rank
from tests.browser.helpers import (
    DRAWN,
    browser_page,
    chromium,
    dashboard,
    gallery_rows,
    new_page,
    panel,
    selected,
    server,
    settle,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def ranking(tmp_path_factory):
    """The digits and their suspects, as the page must show them."""
    store = Store(tmp_path_factory.mktemp("ranking"), shipped=assets_root() / "store")
    usual = ways.cluster_of(ways.usual(5000), 5000, 10)
    shown = pipeline.run(store, Plan(SampleSource("digits"), KeptModel("digits"), cluster=usual), "clustering")
    return shown.images.value, rank(analyses.of_results(store, shown, SuspectConfig()).value)


def review_of(folder, images):
    return corrections.load(folder / "reviews" / f"{images.fingerprint}.jsonl")


def open_queue(page, url):
    page.goto(url)
    page.wait_for_selector(DRAWN)
    panel(page, "Suspects")


def wait_rank(page, place):
    """Wait until the image at a place of the ranking, from 1, is under review."""
    page.get_by_text(re.compile(rf"rank {place} · score")).wait_for()
    settle(page)


def wait_decided(page, count):
    page.get_by_text(re.compile(rf"^{count} decided of")).wait_for()


def pixels(page, place):
    """The picture at a place of the card, uint8 (h, w)."""
    source = page.locator(".ee-gallery img").nth(place).get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))


def act_as(page, name):
    page.get_by_test_id("stPopover").last.locator("button").first.click()
    page.get_by_role("textbox", name="Reviewer").fill(name)
    page.get_by_role("textbox", name="Reviewer").press("Enter")
    page.get_by_role("button", name=name).wait_for()
    page.keyboard.press("Escape")


def test_by_keyboard_and_a_killed_server_loses_nothing(ranking, tmp_path):
    chromium()
    images, found = ranking
    first, second, third, fourth = (int(row) for row in found.order[:4])
    name = lambda code: images.classes[int(code)]  # noqa: E731
    with browser_page() as page:
        with server(tmp_path) as (url, process):
            open_queue(page, url)
            wait_rank(page, 1)
            np.testing.assert_array_equal(pixels(page, 0), images.x[first, ..., 0])
            page.keyboard.press("s")
            wait_rank(page, 2)
            wait_decided(page, 1)
            np.testing.assert_array_equal(pixels(page, 0), images.x[second, ..., 0])
            process.kill()
            process.wait(20)
        with server(tmp_path) as (url, process):
            open_queue(page, url)
            wait_decided(page, 1)
            wait_rank(page, 2)
            np.testing.assert_array_equal(pixels(page, 0), images.x[second, ..., 0])
            page.keyboard.press("k")
            wait_rank(page, 3)
            page.get_by_label("Another label").click()
            page.keyboard.type("sj <b>k")
            page.keyboard.press("Enter")
            page.get_by_role("button", name="Relabel → sj <b>k").click()
            wait_rank(page, 4)
            np.testing.assert_array_equal(pixels(page, 0), images.x[fourth, ..., 0])
            page.keyboard.press("j")
            wait_rank(page, 5)
            page.keyboard.press("u")
            wait_rank(page, 4)
            page.keyboard.press("Shift+U")
            wait_rank(page, 5)
            page.reload()
            wait_decided(page, 4)
            wait_rank(page, 5)
            process.kill()
            process.wait(20)
        assert page.problems == []
    kept = review_of(tmp_path, images)
    assert {row: (item.kind, item.old, item.new) for row, item in kept.current.items()} == {
        first: ("relabel", name(images.y[first]), name(found.suggested[first])),
        second: ("confirm", name(images.y[second]), name(images.y[second])),
        third: ("relabel", name(images.y[third]), "sj <b>k"),
        fourth: ("junk", name(images.y[fourth]), ""),
    }
    assert kept.refused == 0


def test_two_reviewers_in_two_tabs_lose_nothing_of_each_other(ranking, tmp_path):
    chromium()
    images, found = ranking
    rows = [int(row) for row in found.order[:4]]
    with dashboard(tmp_path) as url, browser_page() as ada:
        grace = new_page(ada.context.browser)
        for page, name in ((ada, "Ada"), (grace, "Grace")):
            open_queue(page, url)
            wait_rank(page, 1)
            act_as(page, name)
        ada.keyboard.press("s")
        wait_rank(ada, 2)
        grace.get_by_text(
            re.compile("Decided: Ada: relabel")
        ).wait_for()  # seen without a click, and still in front of her
        wait_rank(grace, 1)
        grace.keyboard.press("k")
        wait_rank(grace, 2)
        ada.get_by_text(re.compile("1 disputed")).wait_for()
        ada.keyboard.press("j")
        wait_rank(ada, 3)
        grace.get_by_text(re.compile("Decided: Ada: junk")).wait_for()
        grace.keyboard.press("n")
        wait_rank(grace, 3)
        ada.keyboard.press("k")
        wait_rank(ada, 4)
        wait_decided(grace, 3)
        ada.keyboard.press("u")
        wait_rank(ada, 3)
        wait_decided(grace, 2)
        assert ada.problems == [] and grace.problems == []
    kept = review_of(tmp_path, images)
    assert {row: (item.reviewer, item.kind) for row, item in kept.current.items()} == {
        rows[0]: ("Grace", "confirm"),
        rows[1]: ("Ada", "junk"),
    }
    assert corrections.disputed(kept) == [rows[0]]
    assert [item.reviewer for item in kept.of(rows[0])] == ["Ada", "Grace"]


def test_a_click_on_a_line_brings_its_image_and_the_first_are_selected_on_the_map(page, ranking):
    images, found = ranking
    panel(page, "Suspects")
    wait_rank(page, 1)
    line = page.get_by_test_id("stDataFrame").first
    line.scroll_into_view_if_needed()
    line.click(position={"x": 150, "y": 36 + 2 * 35 + 17})  # the third
    wait_rank(page, 3)
    np.testing.assert_array_equal(pixels(page, 0), images.x[found.order[2], ..., 0])
    page.get_by_role("button", name="Score", exact=True).click()
    assert float(page.get_by_role("slider", name="silhouette").input_value()) == found.weights.silhouette
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Map", exact=True).click()
    page.get_by_role("button", name="Select the first 20 on the map").click()
    assert selected(page, "") == 20
    panel(page, "Pictures")
    assert gallery_rows(page, 20) == sorted(int(row) for row in found.order[:20])
