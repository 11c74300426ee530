"""Measure what a user waits for, in a real browser: `python -m tests.browser.measure` on an otherwise idle machine."""

import statistics
import tempfile
import time
from pathlib import Path

from tests.browser.helpers import DRAWN, browser_page, dashboard, new_page, wait_drawn
from tests.browser.test_app import slide_k

REPEATS = 5


def main() -> None:
    """Print page load to first map, bytes of the first view, k-slider move to repaint, and the exported page's size."""
    with tempfile.TemporaryDirectory() as folder, dashboard(Path(folder)) as url, browser_page() as page:
        loads = []
        for _ in range(REPEATS):
            fresh = new_page(page.context.browser)  # nothing cached
            loads.append(_seconds(lambda fresh=fresh: (fresh.goto(url), fresh.wait_for_selector(DRAWN))))
            fresh.context.close()
        _print("page load to first map (the first is the server's first)", loads)
        print(f"bytes of the first view: {_first_view(page, url):,}")
        page.wait_for_timeout(3000)
        for name, step in (("a new k", 1), ("a k seen before", -1)):
            _print(f"k-slider move to repaint, {name}", [_slide(page, step) for _ in range(REPEATS)])
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Map as offline HTML").click()
        print(f"exported HTML of 5,000 digits: {Path(waiting.value.path()).stat().st_size:,} bytes")


def _seconds(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _first_view(page, url: str) -> int:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    received = []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    session.on("Network.webSocketFrameReceived", lambda event: received.append(len(event["response"]["payloadData"])))
    page.goto(url)
    page.wait_for_selector(DRAWN)
    page.wait_for_load_state("networkidle")
    return int(sum(received))


def _slide(page, step: int) -> float:
    key = wait_drawn(page)
    taken = _seconds(lambda: (slide_k(page, step), wait_drawn(page, key)))
    page.wait_for_timeout(1200)
    return taken


def _print(name: str, seconds: list[float]) -> None:
    each = ", ".join(f"{value:.2f}" for value in seconds)
    print(f"{name}: median {statistics.median(seconds):.2f} s ({each})")


if __name__ == "__main__":
    main()
