"""Drive a real Chromium: start the dashboard, find points on the screen, read what the hover card shows."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.store import Store

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--no-first-run --disable-background-networking --disable-component-update --disable-sync --disable-quic "
    "--use-angle=swiftshader --enable-unsafe-swiftshader"
)
DRAWN = ".ee-map[data-drawn]"
PATIENCE = 90_000  # ms
SAID = 6000  # characters of a page that are printed

# Client coordinates of a row of the data set on the drawn map, in 2-D and in 3-D.
_SCREEN = """(row) => {
  const root = document.querySelector('.ee-map'), {gd} = root.eeMap, full = gd._fullLayout;
  const {header, arrays} = root.eeMap.frame();
  if (header.dim === 2) {
    const box = gd.getBoundingClientRect(), i = arrays.row.indexOf(row);
    return [box.left + full.xaxis._offset + full.xaxis.l2p(arrays.x[i]),
            box.top + full.yaxis._offset + full.yaxis.l2p(arrays.y[i])];
  }
  const at = root.eeMap.pointOf(row), trace = gd._fullData[at.curve];
  const scene = full.scene._scene, camera = scene.glplot.cameraParams, scale = scene.dataScale;
  const multiply = (m, v) => [0, 1, 2, 3].map((i) => m[i] * v[0] + m[i + 4] * v[1] + m[i + 8] * v[2] + m[i + 12] * v[3]);
  let v = [trace.x[at.point] * scale[0], trace.y[at.point] * scale[1], trace.z[at.point] * scale[2], 1];
  v = multiply(camera.projection, multiply(camera.view, multiply(camera.model, v)));
  const box = scene.container.getBoundingClientRect();
  return [box.left + (0.5 + v[0] / v[3] / 2) * box.width, box.top + (0.5 - v[1] / v[3] / 2) * box.height];
}"""
_PIXELS = """(name) => {
  const canvas = document.querySelector(`.ee-card .ee-${name}`);
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return [canvas.height, canvas.width, Array.from(data)];
}"""


def chromium() -> str:
    """Return a Chromium's path; without one, skip the test, or fail it where browser tests are required."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        if Path(playwright.chromium.executable_path).exists():
            return playwright.chromium.executable_path
    reason = "no Chromium: install it with `apt install chromium` or `playwright install chromium`"
    if os.environ.get("EMBEDDING_EXPLORER_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def browser_page(width: int = 1280, height: int = 800, offline: bool = False) -> Iterator[Any]:
    """Start a browser and open a page, as `new_page` does; of a test that fails, print what the page said."""
    from playwright.sync_api import Error, sync_playwright

    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False, args=FLAGS.split())
        page = new_page(browser, width, height, offline)
        try:
            yield page
        except BaseException:
            with suppress(Error):  # the page may be what failed
                print(f"\n{page.url}\n{page.inner_text('body', timeout=5000)[:SAID]}\n{page.problems}")
            raise
        browser.close()


def new_page(browser: Any, width: int = 1280, height: int = 800, offline: bool = False) -> Any:
    """Open a page that notes `outside`, addresses asked for that are not on this machine, and `problems` of scripts."""
    page = browser.new_context(viewport={"width": width, "height": height}, offline=offline).new_page()
    page.set_default_timeout(PATIENCE)
    page.outside, page.problems = [], []
    page.on("request", lambda request: _note(page, request.url))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    return page


def _note(page, url: str) -> None:
    if not url.startswith(("data:", "blob:", "file:", "http://localhost", "http://127.0.0.1")):
        page.outside.append(url)


@contextmanager
def dashboard(folder: Path, *, first_visit: bool = False) -> Iterator[str]:
    """Serve the dashboard on a free port, with store and models under a folder; yield its address."""
    with server(folder, first_visit=first_visit) as (url, _):
        yield url


@contextmanager
def server(folder: Path, *, first_visit: bool = False) -> Iterator[tuple[str, subprocess.Popen]]:
    """Serve the dashboard as `dashboard` does; yield its address and its process, which may be killed."""
    if not first_visit:
        Store(folder / "store").put("seen", "welcome", {}, {}, 0.0)
    kept = {"EMBEDDING_EXPLORER_STORE": str(folder / "store"), "EMBEDDING_EXPLORER_MODELS": str(folder / "models")}
    with served("dashboard/app.py", folder, kept) as found:
        yield found


@contextmanager
def served(
    script: str, folder: Path, environment: Mapping[str, str], *arguments: str
) -> Iterator[tuple[str, subprocess.Popen]]:
    """Let Streamlit serve a script of the repository on a free port; yield its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        script,
        "--server.headless",
        "true",
        "--server.port",
        str(port),
    ]
    with (folder / "streamlit.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--", *arguments],
            cwd=ROOT, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            _wait_for(f"http://localhost:{port}/_stcore/health", process, folder / "streamlit.log")
            yield f"http://localhost:{port}", process
        except BaseException:
            print((folder / "streamlit.log").read_text()[-SAID:])
            raise
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, log.read_text()
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def settle(page) -> None:
    """Wait until the page has run to its end and stays so for a moment: what is drawn again takes no key and no click.

    An exported page, a file, has nothing to run.
    """
    if page.url.startswith("file:"):
        return
    idle = "document.querySelector('[data-testid=\"stApp\"]')?.dataset.testScriptState === 'notRunning'"
    for _ in range(2):
        page.wait_for_function(idle)
        page.wait_for_timeout(300)


def wait_drawn(page, other_than: str | None = None) -> str:
    """Wait for a drawn map, perhaps another one than before, and return its key."""
    page.wait_for_function(
        "(old) => { const d = document.querySelector('.ee-map')?.dataset.drawn; return d && d !== old; }",
        arg=other_than,
    )
    return page.evaluate("document.querySelector('.ee-map').dataset.drawn")


def hover(page, row: int) -> bool:
    """Point at a row's dot; say whether the card shows it with its pictures (another dot may lie on top)."""
    from playwright.sync_api import TimeoutError

    x, y = page.evaluate(_SCREEN, row)
    page.mouse.move(x + 40, y + 40)
    page.mouse.move(x, y, steps=4)
    try:
        page.wait_for_function(
            "(row) => { const c = document.querySelector('.ee-card');"
            " return c && !c.hidden && c.dataset.row == row && c.dataset.pictures === 'ready'; }",
            arg=row,
            timeout=4000,
        )
    except TimeoutError:
        return False
    return True


def hover_one_of(page, rows) -> int:
    """Point at the first of some rows whose dot is not hidden behind another, and return it."""
    for row in rows:
        if hover(page, row):
            return row
    raise AssertionError("no dot could be pointed at")


def card_pixels(page, name: str, channels: int) -> np.ndarray:
    """Return what the card shows as `original`, `reconstruction` or `difference`: uint8 (h, w, c)."""
    height, width, values = page.evaluate(_PIXELS, name)
    return np.array(values, np.uint8).reshape(height, width, 4)[..., :channels]


def colors(page) -> list[str]:
    """Return the colour of each drawn group."""
    return page.evaluate(
        "document.querySelector('.ee-map').eeMap.gd._fullData.map((t) => [t.marker.color, t.x.length].join(' '))"
    )


def screen(page, row: int) -> tuple[float, float]:
    """Return where a row's dot is, in client pixels."""
    x, y = page.evaluate(_SCREEN, row)
    return x, y


def screens(page, rows) -> np.ndarray:
    """Return where the dots of some rows are, in client pixels (n, 2)."""
    return np.array(page.evaluate(f"(rows) => rows.map({_SCREEN})", [int(row) for row in rows]))


def selected(page, other_than: str | None = None) -> int:
    """Return how many images the map marks as selected, once that is another number than before."""
    page.wait_for_function(
        "(old) => { const s = document.querySelector('.ee-map')?.dataset.selected; return s !== undefined && s !== old; }",
        arg=other_than,
    )
    return int(page.evaluate("document.querySelector('.ee-map').dataset.selected") or 0)


def draw_box(page, left: float, top: float, right: float, bottom: float) -> None:
    """Draw a closed line with the mouse along a box of client pixels."""
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=6)
    page.mouse.up()


def panel(page, name: str) -> None:
    """Choose a panel below the map."""
    settle(page)
    page.get_by_role("radio", name=name).or_(page.get_by_role("button", name=name, exact=True)).first.click()


def gallery_rows(page, of: int = 1) -> list[int]:
    """Return the rows that the gallery shows once the page has run to its end, in order, and there are at least `of`."""
    settle(page)
    page.wait_for_function("(n) => document.querySelectorAll('.ee-picture').length >= n", arg=of)
    return page.evaluate("[...document.querySelectorAll('.ee-picture')].map((p) => Number(p.dataset.row))")


def choose(page, label: str, option: str) -> None:
    """Choose an option of a list by its label; a page that is drawn again may close the list once."""
    from playwright.sync_api import TimeoutError

    box = page.locator('[data-testid="stSelectbox"], [data-testid="stMultiSelect"]').filter(has_text=label).first
    for _ in range(5):
        settle(page)
        box.locator("input").first.click()
        try:
            page.get_by_role("option", name=option, exact=True).click(timeout=4000)
            return
        except TimeoutError:
            page.keyboard.press("Escape")
    raise AssertionError(f"{option!r} of {label!r} could not be chosen")
