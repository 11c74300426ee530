"""Measure a map of a million dots in a real browser: `python -m tests.browser.million` on an otherwise idle machine.

The engine is alone on a page, its numbers are made up. Seconds are those of the page: from its bytes to what is painted.
"""

import statistics
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from core import figures
from tests.browser import large
from tests.browser.engine import open_map
from tests.browser.helpers import browser_page, draw_box, screen

REPEATS = 5
HOVERS = 40
# Draw a frame that the page fetches; ms from its bytes to the paint.
_DRAW = """async ([name, every]) => {
  const bytes = new Uint8Array(await (await fetch(name)).arrayBuffer()), root = document.querySelector('.ee-map');
  const bits = every ? new Uint8Array(bytes.length >> 3).fill(every) : null, text = `${performance.now()}`;
  const drawn = new Promise((done) => new MutationObserver((_, seen) => (seen.disconnect(), done()))
    .observe(root, {attributeFilter: ['data-selected']}));
  const started = performance.now();
  map.draw(decodeFrame(bytes), {bits, mark: null, text});
  await drawn;
  return performance.now() - started;
}"""
# Turn the wheel once; ms until the image has followed, and the longest time between two frames meanwhile.
_WATCH_ZOOM = """() => {
  const note = document.querySelector('.ee-density'), log = (window.zoomLog = {turned: 0, followed: 0, longest: 0});
  window.addEventListener('wheel', (event) => (log.turned = performance.now()), {capture: true, once: true});
  new MutationObserver((_, seen) => {
    seen.disconnect();
    requestAnimationFrame(() => setTimeout(() => (log.followed = performance.now())));
  }).observe(note, {childList: true, characterData: true, subtree: true});
  let last = performance.now();
  const tick = (now) => {
    if (log.turned) log.longest = Math.max(log.longest, now - last);
    last = now;
    if (!log.followed) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}"""
_HOVERED = (
    "(row) => { const {moved, shown} = eeLog, n = shown.find((s) => s.row == row); return n ? n.at - moved : null; }"
)


def spec_of(n: int) -> figures.MapSpec:
    """Return a map of ten clouds, and a number a dot."""
    random = np.random.default_rng(0)
    group = np.arange(n) % 10
    xy = random.normal(0, 6, (10, 2))[group] + random.normal(0, 1, (n, 2)) * random.uniform(0.5, 2, (10, 1))[group]
    names = figures.Category("Group", group.astype(np.int32), tuple("abcdefghij"))
    number = figures.Number("Error", np.hypot(*xy.T).astype(np.float32))
    return figures.MapSpec(
        xy.astype(np.float32), np.arange(n, dtype=np.int32), names, None, (names, number), None, ("1", "2"), "v", None
    )


def main() -> None:
    """Print what a map of a million dots, or of as many as are asked for, takes in the browser."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    spec = spec_of(n)
    with browser_page() as page:
        open_map(page, spec, number=replace(spec, color=spec.fields[1]))
        started, painted = page.evaluate("[bytesAt, paintedAt]")
        print(f"first paint: {painted - started:.0f} ms from its bytes, plotly.js to be run among them")
        print(page.locator(".ee-density").inner_text())
        _print("drawn anew", _drawn(page, "first"))
        _print("recoloured by a number", _drawn(page, "number"))
        _print("half of them selected", _drawn(page, "first", 0b01010101))
        page.evaluate(_DRAW, ["first", 0])
        _hovers(page, n)
        _lasso(page)
        _zooms(page)
        usage = page.context.new_cdp_session(page).send("Runtime.getHeapUsage")
        print("JS heap, MB:", {name: round(value / 1e6, 1) for name, value in usage.items()})


def _drawn(page: Any, name: str, every: int = 0) -> list[float]:
    return [page.evaluate(_DRAW, [name, every]) for _ in range(REPEATS)]


def _hovers(page: Any, n: int) -> None:
    large.watch_hover(page)
    taken = []
    for row in range(0, n, n // HOVERS):
        x, y = screen(page, row)
        page.evaluate("eeLog.shown.length = 0")
        page.mouse.move(x + 9, y + 6)
        page.mouse.move(x, y)
        page.wait_for_timeout(60)
        found = page.evaluate(_HOVERED, row)
        taken += [] if found is None else [found]  # another dot may lie on top
    _print(f"mouse at rest to the card, {len(taken)} dots", taken)


def _lasso(page: Any) -> None:
    taken = []
    for _ in range(REPEATS):
        page.evaluate(
            "picks.length = 0; window.addEventListener('pointerup', () => (window.upAt = performance.now()), true)"
        )
        draw_box(page, 300, 200, 900, 600)
        page.wait_for_function("() => picks.length")
        taken.append(page.evaluate("picks[0].at - upAt"))
    _print("button up to the lasso's pick", taken)


def _zooms(page: Any) -> None:
    followed, longest = [], []
    page.mouse.move(500, 400)
    for _ in range(REPEATS):
        page.evaluate(_WATCH_ZOOM)
        page.mouse.wheel(0, -200)
        page.wait_for_function("() => zoomLog.followed")
        followed.append(page.evaluate("zoomLog.followed - zoomLog.turned"))
        longest.append(page.evaluate("zoomLog.longest"))
        page.wait_for_timeout(500)
    _print("wheel to the new image (150 of it waiting for the wheel to rest)", followed)
    _print("longest time between two frames meanwhile", longest)


def _print(name: str, ms: list[float]) -> None:
    each = f" ({min(ms):.0f} to {max(ms):.0f})" if len(ms) > 1 else ""
    print(f"{name}: median {statistics.median(ms):.0f} ms{each}")


if __name__ == "__main__":
    main()
