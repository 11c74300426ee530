"""Duplicates, names of clusters and few labels as a person uses them, in a real Chromium, on a set with planted copies."""

import csv
import io
from pathlib import Path

import pytest

from core import corrections, pipeline, recipes
from core.config import AutoencoderConfig, TrainingConfig
from core.images import ArraySource
from core.plans import Plan, TrainSpec
from core.review_log import log_path
from core.store import Store
from dashboard import sessions
from dashboard.sidebar import images
from tests.browser.helpers import browser_page, chromium, dashboard, selected, wait_drawn
from tests.made_up import NEAR, planted

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SPEC = TrainSpec(AutoencoderConfig(4, 4), TrainingConfig(epochs=1, batch_size=8))
LEGEND = "[...document.querySelectorAll('.ee-map .legendtext')].map((t) => t.textContent)"


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """A function that opens a panel of the planted set, and the set's images."""
    chromium()
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EMBEDDING_EXPLORER_MODELS", str(tmp_path / "models"))

    def link(labels, name):
        path = planted(tmp_path, labels=labels)
        found = pipeline.run(Store(tmp_path / "store"), Plan(ArraySource(str(path)), SPEC), "latents").images.value
        view = {"data": images.OTHER, "path": str(path), "map": "pca", "panel": name}
        view[f"model.{found.fingerprint[:8]}"] = recipes.plain(SPEC)
        view[f"k.{found.fingerprint[:8]}"] = 2
        return f"{sessions.ADDRESS}={sessions.to_text(view)}", found

    with dashboard(tmp_path) as url, browser_page() as page:

        def show(labels, name):
            text, found = link(labels, name)
            page.goto(f"{url}?{text}")
            wait_drawn(page)
            return page, found

        yield show


def review_of(found):
    return corrections.load(log_path(found.fingerprint))


def test_planted_copies_are_groups_are_selected_and_become_junk_that_a_reload_keeps(opened):
    page, found = opened(True, "Duplicates")
    page.get_by_text("2 groups of 5 images").wait_for()
    page.get_by_text("labels conflict: <b>right</b>, left").wait_for()
    page.get_by_role("button", name="Select all but the first: 3").click()
    assert selected(page, "") == 3
    page.get_by_role("button", name="Junk all but the first").first.click()
    page.get_by_text("1 are finished").wait_for()
    assert sorted(review_of(found).current) == NEAR[1:]
    page.reload()
    page.get_by_text("1 are finished").wait_for()
    page.get_by_role("button", name="Undo decision").click()
    page.get_by_text("1 are finished").wait_for(state="detached")
    assert not review_of(found).current
    assert page.problems == []


def test_a_cluster_that_is_named_is_so_in_the_legend_after_a_reload_and_in_the_predictions(opened):
    page, _ = opened(False, "Cluster cards")
    name = "<b>cats</b> & **dogs**"
    page.get_by_role("textbox", name="Name").first.fill(name)
    page.keyboard.press("Enter")
    page.wait_for_function(f"(name) => {LEGEND}.some((t) => t.includes('· ') && t.includes('dogs'))", arg=name)
    page.reload()
    wait_drawn(page)
    assert f"0 · {name}" in page.evaluate(LEGEND)
    page.get_by_text(f"0 · {name}").first.wait_for()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Predictions with names").click()
    rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text("utf-8"))))
    assert {row["label"] for row in rows} == {name, "1"} and len(rows) == 40
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Table CSV").click()
    assert name in Path(waiting.value.path()).read_text("utf-8")
    assert page.problems == []


def test_three_images_labelled_by_keys_give_the_rest_proposals(opened):
    page, found = opened(True, "Few labels")
    for count, key in enumerate("121", 1):
        asked = page.get_by_text("What is").first.inner_text()
        page.keyboard.press(key)
        page.get_by_text(asked, exact=True).wait_for(state="detached")
        assert len(review_of(found).current) == count
    page.get_by_text("Proposals", exact=True).wait_for()
    page.get_by_text("3 images are labelled.").wait_for()
    assert [item.new for _, item in sorted(review_of(found).current.items())].count("left") == 2
    page.get_by_role("button", name="Colour the map by them").click()
    page.wait_for_function(f"{LEGEND}.includes('left')")
    assert page.problems == []
