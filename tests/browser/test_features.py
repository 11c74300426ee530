"""Pretrained features in a real Chromium: chosen, read, drawn with their reconstructions, and walked."""

import numpy as np
import pytest

from core import pretrained
from core.images import ArraySource
from core.plans import Plan, TrainSpec
from core.stages import images, latents, model
from core.store import Store
from tests.browser.helpers import (
    browser_page,
    card_pixels,
    choose,
    dashboard,
    hover_one_of,
    panel,
    settle,
    wait_drawn,
)
from tests.pages import tiny

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_features_are_chosen_mapped_hovered_and_walked(tmp_path):
    path = tiny(tmp_path)
    with dashboard(tmp_path) as url, browser_page() as page:
        page.goto(url)
        before = wait_drawn(page)
        choose(page, "Data", "Folder, file or data set…")
        settle(page)
        field = page.get_by_label("Path", exact=True)
        field.fill(str(path))
        field.press("Enter")
        page.get_by_text("There is no model for these images yet").wait_for()
        choose(page, "Model", "pretrained features: efficientnet-lite0")
        page.get_by_text("The pretrained network reads each image once").wait_for()
        wait_drawn(page, before)
        found, encoded = _made(tmp_path, path)
        settle(page)
        row = hover_one_of(page, range(24))
        np.testing.assert_array_equal(card_pixels(page, "original", 1), found.x[row])
        np.testing.assert_array_equal(card_pixels(page, "reconstruction", 1), encoded.reconstructions[row])
        panel(page, "Walks")
        settle(page)
        choose(page, "Walk", "around a cluster")
        page.get_by_text("what the model decodes, beside the nearest real image").wait_for()
        page.wait_for_function("document.querySelectorAll('.ee-picture').length >= 12")
        assert page.outside == [] and page.problems == []


def _made(folder, path):
    """Return the images and what the dashboard made of them, from its store."""
    plan = Plan(ArraySource(str(path)), TrainSpec(pretrained.choose("efficientnet-lite0"), pretrained.TRAINING))
    store = Store(folder / "store")
    read = images(store, plan.source)
    trained, there = model(store, plan.model, read.value), len(list(store.entries("latents")))
    staged = latents(store, trained.value, read, plan.source)
    assert trained.found and staged.found and there == 1
    return read.value, staged.value
