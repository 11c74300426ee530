"""What a load test stands on: a file of images, a store with what takes long already in it, a server and its memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import numpy as np

from core import pipeline
from core.images import ArraySource, SampleSource, SubsetSource, load
from core.plans import KeptModel, Plan
from core.store import Store
from tests.browser.helpers import served
from tests.load.client import Session
from tests.load.memory import Memory, memory
from tests.load.visitors import Ground, Visitor

KEEPS_SECONDS = 120.0  # that Streamlit remembers a session whose tab was closed
MODEL = KeptModel("digits")


def prepare(folder: Path, points: int, sessions: int, perplexities: tuple[int, ...], data: Path | None) -> Ground:
    """Write the images, and fill `folder/store` with the latents of every visitor's set and the t-SNE maps of all images."""
    path = folder / "images" / "points.npz"
    path.parent.mkdir()
    x, y = _images(points, data)
    np.savez(path, x=x, y=y)
    store = pipeline.open_store(folder / "store")
    ground = Ground(path, points, perplexities)
    for n in (None, *(ground.own(number) for number in range(sessions))):
        whole = ArraySource(str(path))
        pipeline.run(store, Plan(whole if n is None else SubsetSource(whole, n, ()), MODEL), "latents")
    if perplexities:
        with server(folder, folder / "store") as (url, _):
            _make_maps(ground, url)
    return ground


def _images(points: int, data: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Return images of a file, or those of the sample, the second time moved by a pixel, the third by two."""
    if data is not None:
        with np.load(data) as given:
            return given["x"][:points], given["y"][:points]
    sample = load(SampleSource("digits"))
    if sample.y is None:
        raise AssertionError("the sample has labels")
    rows = np.random.default_rng(0).permutation(len(sample))  # it lies sorted by class
    times = -(-points // len(sample))
    x = np.concatenate([np.roll(sample.x[rows], turn, axis=2) for turn in range(times)])
    return x[:points, ..., 0], np.tile(sample.y[rows], times)[:points]


def _make_maps(ground: Ground, url: str) -> None:
    """Have the page itself make the maps, so that they are those it asks for."""
    visitor = Visitor(ground, url)
    visitor.arrive()
    visitor.session.set("selectbox", "Method", "t-SNE")
    for perplexity in ground.perplexities:
        visitor.session.set("slider", "perplexity", perplexity)
        if visitor.session.has("button", "Run"):
            visitor.session.press("Run")
        made = visitor.session.poll(_is_finished, 600)
        if not made:
            raise AssertionError(f"no map at perplexity {perplexity}: {visitor.session.texts()}")
    visitor.leave()


def _is_finished(session: Session) -> bool:
    return session.has_map() and session.map()["header"]["axes"][0].startswith("t-SNE") and not session.polls()


@contextmanager
def server(folder: Path, store: Path) -> Iterator[tuple[str, Popen]]:
    """Serve the dashboard on loopback with a store; yield its address and its process."""
    Store(store).put("seen", "welcome", {}, {}, 0.0)
    environment = {
        "EMBEDDING_EXPLORER_STORE": str(store),
        "EMBEDDING_EXPLORER_MODELS": str(folder / "models"),
        "EXPLORER_ROOTS": str(folder / "images"),
    }
    with served("dashboard/app.py", folder, environment) as found:
        yield found


def settle(url: str, pid: int, within: float, seconds: float) -> Memory:
    """Wait until sessions that left are forgotten, and return the memory then: at the latest after `seconds` more.

    Streamlit forgets sessions when another one leaves.
    """
    time.sleep(KEEPS_SECONDS + 5)
    end, now = time.monotonic() + seconds, memory(pid)
    while True:
        last = Session(url)
        last.open()
        last.close()
        time.sleep(5)
        now = memory(pid)
        if now.resident <= within or time.monotonic() > end:
            return now
