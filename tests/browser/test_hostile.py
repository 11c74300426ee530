"""A folder whose names and classes are markup and scripts: seen on the map, in the table, the gallery and the exported page."""

import numpy as np
import pytest

from core import pipeline, recipes
from core.config import AutoencoderConfig, TrainingConfig
from core.images import FolderSource
from core.plans import Plan, TrainSpec
from core.store import Store
from dashboard import sessions
from dashboard.sidebar.images import OTHER
from tests.browser.helpers import DRAWN, browser_page, dashboard, gallery_rows, hover_one_of, new_page, panel, settle
from tests.hostile.case import picture

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

RUN = "window.hacked=1;alert(1)"
CLASSES = (f"<img src=x onerror={RUN}>", f"[a](javascript:{RUN})", f"<svg onload={RUN}>")
FILES = (f"'\"><script>{RUN}<!--", "{{title}}${alert(1)}", "=HYPERLINK(1)", "\u202egnp")
N = 24


def untouched(page, dialogs):
    """Check that nothing ran, nothing was asked for, and no name became an element."""
    assert dialogs == []
    assert page.evaluate("window.hacked") is None
    assert (page.outside, page.problems) == ([], [])
    made = "img[src=x], [onerror], [onload], a[href^='javascript:'], b"  # what the names would make
    assert page.locator(made).evaluate_all("found => found.map((e) => e.outerHTML)") == []


def test_markup_in_names_and_classes_runs_nowhere(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "<b>in</b>"
    for i in range(N):
        x = rng.integers(0, 60, (8, 8), dtype=np.uint8)
        x[:, 2 * (i % 3) :] += 120
        name = f"{i} {FILES[i % len(FILES)]}.png"
        picture(folder / CLASSES[i % 3] / "x.png", x).rename(folder / CLASSES[i % 3] / name)
    spec = TrainSpec(AutoencoderConfig(4, 4), TrainingConfig(epochs=1, batch_size=8))
    made = pipeline.run(Store(tmp_path / "store"), Plan(FolderSource(str(folder)), spec), "latents")
    images = made.images.value
    assert set(images.classes) == set(CLASSES) and len(images) == N
    view = {"data": OTHER, "path": str(folder), f"model.{images.fingerprint[:8]}": recipes.plain(spec), "map": "pca"}
    with dashboard(tmp_path) as address, browser_page() as page:
        dialogs = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(f"{address}/?view={sessions.to_text(view)}")
        page.wait_for_selector(DRAWN)
        settle(page)
        row = hover_one_of(page, range(N))
        assert page.locator(".ee-card .ee-id").inner_text() == images.ids[row]
        untouched(page, dialogs)
        gallery_rows(page, N)
        for name in ("Table", "Cluster cards", "Suspects", "Clusters × labels"):
            panel(page, name)
            settle(page)
            untouched(page, dialogs)
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Map as offline HTML").click()
        waiting.value.save_as(tmp_path / "map.html")
        offline = new_page(page.context.browser, offline=True)
        offline.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        offline.goto((tmp_path / "map.html").as_uri())
        offline.wait_for_selector(DRAWN)
        row = hover_one_of(offline, range(N))
        assert offline.locator(".ee-card .ee-id").inner_text() == images.ids[row]
        untouched(offline, dialogs)
