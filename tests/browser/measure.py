"""Measure what a user waits for, in a real browser: `python -m tests.browser.measure` on an otherwise idle machine.

The figures of 70,000 points need MNIST as two files, `mnist_train.npz` and `mnist_test.npz`, in `../shared/data`. A folder
named after the command keeps their store, so that a second run need not encode them again.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.browser import large
from tests.browser.helpers import DRAWN, browser_page, dashboard, draw_box, new_page, wait_drawn
from tests.browser.test_app import slide_k

REPEATS = 5
HOVERS = 60


def main() -> None:
    """Print the figures of the sample and those of 70,000 points."""
    sample()
    with tempfile.TemporaryDirectory() as folder:
        seventy_thousand(Path(sys.argv[1] if len(sys.argv) > 1 else folder))


def sample() -> None:
    """Print page load to first map, bytes of the first view, k-slider move to repaint, and the exported page's size."""
    with tempfile.TemporaryDirectory() as folder, dashboard(Path(folder)) as url, browser_page() as page:
        loads = []
        for _ in range(REPEATS):
            fresh = new_page(page.context.browser)  # nothing cached
            loads.append(_seconds(lambda fresh=fresh: (fresh.goto(url), fresh.wait_for_selector(DRAWN))))
            fresh.context.close()
        _print("page load to first map (the first is the server's first)", loads)
        wire = large.Wire(page)
        page.goto(url)
        page.wait_for_selector(DRAWN)
        page.wait_for_load_state("networkidle")
        print(f"bytes of the first view: {wire.received():,}")
        page.wait_for_timeout(3000)
        for name, step in (("a new k", 1), ("a k seen before", -1)):
            _print(f"k-slider move to repaint, {name}", [_slide(page, step) for _ in range(REPEATS)])
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Map as offline HTML").click()
        print(f"exported HTML of 5,000 digits: {Path(waiting.value.path()).stat().st_size:,} bytes")


def seventy_thousand(folder: Path) -> None:
    """Print the figures of all 70,000 digits on a PCA map: first view, hover, lasso, invert, gallery page, recolour."""
    if not large.there():
        print(f"no figures of 70,000 points: {large.FOLDER} with MNIST is not there")
        return
    path = large.joined(folder)
    with dashboard(folder) as url, browser_page() as page:
        link = large.link(url, path)
        page.goto(link)
        page.wait_for_selector(DRAWN, timeout=900_000)  # encodes them, when the store has them not
        page.wait_for_timeout(3000)
        fresh = new_page(page.context.browser)
        wire = large.Wire(fresh)
        _timed("first view", fresh, wire, lambda: (fresh.goto(link), fresh.wait_for_selector(DRAWN)), 1)
        page.context.close()
        fresh.wait_for_timeout(5000)
        _hovers(fresh, wire)
        _selections(fresh, wire)
        _recolours(fresh, wire)


def _hovers(page: Any, wire: Any) -> None:
    large.watch_hover(page)
    wire.clear()
    first = large.timed_hover(page, 0)
    print(
        f"70,000, the first hover, before any sheet is there: card {first.shown:.0f} ms, pictures {first.pictures:.0f} ms"
    )
    times = [large.timed_hover(page, row) for row in range(17, 70_000, 70_000 // HOVERS)]
    for name, values in (
        ("card shown", [hover.shown for hover in times]),
        ("card painted", [hover.painted for hover in times]),
        ("pictures shown", [hover.pictures for hover in times]),
    ):
        slow = sum(value > 50 for value in values)
        print(
            f"70,000, mouse at rest to {name}: median {statistics.median(values):.0f} ms, worst {max(values):.0f} ms, "
            f"{slow} of {len(values)} above 50 ms"
        )
    print(f"70,000, bytes of these hovers: {wire.sent():,} up, {wire.received():,} down")


def _selections(page: Any, wire: Any) -> None:
    wire.clear()
    box = large.most_of_map(page)
    chosen = "() => document.querySelector('.ee-map').dataset.selected"

    def answered() -> None:
        page.wait_for_function(f"() => ({chosen})() !== ''")

    def button(name: str) -> Callable[[], None]:
        def press() -> None:
            before = page.evaluate(chosen)
            page.get_by_role("button", name=name, exact=True).click()
            page.wait_for_function(f"(old) => ({chosen})() !== old", arg=before)

        return press

    for _ in range(3):
        wire.clear()
        drawn = _seconds(lambda: draw_box(page, *box))
        _timed(f"lasso, drawn in {drawn:.2f} s, then answered", page, wire, answered, 1)
        print(f"    {int(page.evaluate(chosen)):,} selected")
        _timed("invert", page, wire, button("Invert"), 1)
        button("Clear")()
        page.wait_for_timeout(1500)
    page.wait_for_timeout(1000)

    def turn() -> None:
        before = page.evaluate("document.querySelector('.ee-picture').dataset.row")
        page.locator('[data-testid="stNumberInput"]', has_text="Page, 1 to").get_by_role("button").last.click()
        page.wait_for_function(
            "(old) => { const p = document.querySelector('.ee-picture'); return p && p.dataset.row != old; }",
            arg=before,
        )

    _timed("gallery page", page, wire, turn, REPEATS)


def _recolours(page: Any, wire: Any) -> None:
    for name in ("Label", "Reconstruction error", "Agreement", "Cluster"):
        key, option = wait_drawn(page), _offered(page, "Colour by", name)
        _timed(f"recolour by {name}", page, wire, lambda o=option, k=key: (o.click(), wait_drawn(page, k)), 1)


def _offered(page: Any, label: str, name: str) -> Any:
    """Open a list and return one of its options; a page that is drawn again may close the list once."""
    box = page.locator('[data-testid="stSelectbox"]', has_text=label).locator("input")
    option = page.get_by_role("option", name=name, exact=True)
    for _ in range(5):
        box.click()
        page.wait_for_timeout(1500)
        if option.count():
            return option
        page.keyboard.press("Escape")
    raise AssertionError(f"{name!r} of {label!r} could not be seen")


def _timed(name: str, page: Any, wire: Any, work: Callable[[], Any], times: int) -> None:
    taken = []
    for _ in range(times):
        taken.append(_seconds(work))
        page.wait_for_timeout(1500)  # what comes after belongs to it
    up, down = wire.sent() // times, wire.received() // times
    wire.clear()
    print(f"70,000, {name}: median {statistics.median(taken):.2f} s, {up:,} bytes up, {down:,} bytes down")


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _slide(page: Any, step: int) -> float:
    key = wait_drawn(page)
    taken = _seconds(lambda: (slide_k(page, step), wait_drawn(page, key)))
    page.wait_for_timeout(1200)
    return taken


def _print(name: str, seconds: list[float]) -> None:
    each = ", ".join(f"{value:.2f}" for value in seconds)
    print(f"{name}: median {statistics.median(seconds):.2f} s ({each})")


if __name__ == "__main__":
    main()
