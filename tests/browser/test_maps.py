"""A map that forms, goes on and is stopped, in a real Chromium."""

import pytest
from playwright.sync_api import expect

from tests.browser.helpers import browser_page, dashboard, selected, settle, wait_drawn

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with dashboard(tmp_path_factory.mktemp("maps")) as url, browser_page() as page:
        page.goto(url)
        wait_drawn(page)
        settle(page)
        yield page


def open_settings(page):
    page.get_by_text("Map settings").click()
    settle(page)


def slide(page, name, steps):
    """Move a slider by so many steps, one key after the other as a person does."""
    thumb = page.get_by_role("slider", name=name)
    thumb.focus()
    for _ in range(abs(steps)):
        page.keyboard.press("ArrowRight" if steps > 0 else "ArrowLeft")


def test_a_moved_perplexity_is_answered_without_a_button_and_said(page):
    open_settings(page)
    before = wait_drawn(page)
    slide(page, "perplexity", 5)
    expect(page.get_by_text("Went on from the map at perplexity 30.")).to_be_visible(timeout=60_000)
    assert wait_drawn(page, before) != before
    expect(page.get_by_role("button", name="Begin anew")).to_be_visible()
    address = page.url
    page.reload()
    expect(page.get_by_text("Went on from the map at perplexity 30.")).to_be_visible(timeout=60_000)
    assert page.url == address and page.problems == []


def test_a_stopped_map_stays_and_is_picked_from(page):
    settle(page)
    page.goto(page.url.split("?", maxsplit=1)[0])
    wait_drawn(page)
    settle(page)
    open_settings(page)
    before = wait_drawn(page)
    slide(page, "n_iter", 30)
    settle(page)
    asked = int(page.get_by_role("slider", name="n_iter").input_value())
    assert asked > 1500  # keys pressed while the page runs may count for nothing
    page.get_by_role("button", name="Run").click()
    forming = wait_drawn(page, before)
    wait_drawn(page, forming)
    page.locator('[class*="st-key-stop"] button').click()
    said = page.get_by_text("Unfinished: stopped at iteration")
    expect(said).to_be_visible()
    settle(page)
    assert f"of {250 + asked:,}, KL" in said.inner_text()
    page.get_by_role("button", name="Invert").click()
    assert selected(page, "") == 5000
    settle(page)
    assert page.problems == []
    page.reload()
    expect(said).to_be_visible()
    page.get_by_role("button", name="Dismiss").click()
    expect(said).to_be_hidden()
    expect(page.get_by_text("Stopped before it was complete")).to_be_visible()
    assert page.problems == []
