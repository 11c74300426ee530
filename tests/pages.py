"""Pages under test without a browser: start one, press and type, read what it says."""

import time
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import inputs, server

APP = Path(__file__).parents[1] / "dashboard" / "app.py"
TIMEOUT = 120


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """A store and models of this test only, and nothing cached from another."""
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EMBEDDING_EXPLORER_MODELS", str(tmp_path / "models"))
    st.cache_resource.clear()
    st.cache_data.clear()
    yield

    server.jobs().close()
    st.cache_resource.clear()
    st.cache_data.clear()


def page(name="explore"):
    def script(name):
        from core.errors import ExplorerError
        from dashboard import components, state
        from dashboard.views import classify, compare, explore, jobs, train

        state.keep_settings()
        try:
            views = {"explore": explore, "train": train, "compare": compare, "classify": classify, "jobs": jobs}
            views[name].show()
        except ExplorerError as error:
            components.problem(error)

    return AppTest.from_function(script, default_timeout=TIMEOUT, args=(name,))


def settled(at, until, seconds=TIMEOUT):
    """Run the page again and again until a condition holds, as the browser's polling does."""
    end = time.monotonic() + seconds
    while not until(at):
        assert time.monotonic() < end, [item.value for item in (*at.error, *at.info, *at.caption)]
        time.sleep(0.3)
        at.run()
    return at


def tiny(tmp_path, n=24, name="tiny.npz"):
    """Two kinds of 8×8 pictures: bright on the left, bright on the right."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 60, (n, 8, 8), dtype=np.uint8)
    y = np.arange(n) % 2
    x[y == 0, :, :4] += 150
    x[y == 1, :, 4:] += 150
    np.savez(tmp_path / name, x=x, y=y, classes=np.array(["left", "<b>right</b>"]))
    return tmp_path / name


def choose(at, path):
    from dashboard.sidebar import images

    at.session_state["set.data"] = images.OTHER
    at.session_state["set.path"] = str(path)
    return at.run()


def can_start(at):
    return any(item.key == "start" for item in at.button)


def texts(at):
    return " ".join(
        str(item.value) for kind in (at.error, at.info, at.warning, at.caption, at.markdown) for item in kind
    )


def cut_short(store):
    """Damage every entry of a store, as a full disk or a power cut may, and forget what is in memory."""
    arrays = list(store.glob("*/*/*.npy"))
    assert {path.parts[-3] for path in arrays} >= {"images", "model", "latents", "projection"}
    for path in arrays:
        if path.parts[-3] != "model":
            path.write_bytes(path.read_bytes()[:-8])
    from dashboard import results

    for cached in (inputs._images, results._latents, results._reduced, results._projection, results._clustering):
        cached.clear()


def buttons(at):
    return {item.proto.label for item in at.get("download_button")}


def press(at, key):
    return next(item for item in at.button if item.key == key).click().run()


def search(at, text):
    """Select the images whose id or label holds a text."""
    next(item for item in at.text_input if item.label.startswith("Search")).set_value(text).run()
    return press(at, "pick.search")


def metric(at, label):
    return next((item.value for item in at.metric if item.label == label), None)


def select(at, label):
    return next(item for item in at.selectbox if item.label == label)
