"""Large maps in a browser: all 70,000 digits as one file, a link that opens them, bytes on the wire, how soon a card shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dashboard import sessions
from dashboard.sidebar.images import OTHER
from tests.browser.helpers import ROOT, screen

FOLDER = ROOT.parent / "shared" / "data"
FILES = ("mnist_train.npz", "mnist_test.npz")
HOVER_MS = 15_000  # longest wait for a card with its pictures

# Notes when the pointer last moved, and what the card showed since, when, and when it had been painted.
_WATCH = """() => {
  const card = document.querySelector('.ee-card'), log = (window.eeLog = {moved: 0, shown: []});
  window.addEventListener('pointermove', (event) => (log.moved = event.timeStamp), true);
  new MutationObserver(() => {
    if (card.hidden) return;
    const note = {row: card.dataset.row, pictures: card.dataset.pictures, at: performance.now(), painted: null};
    log.shown.push(note);
    requestAnimationFrame(() => setTimeout(() => (note.painted = performance.now())));
  }).observe(card, {attributes: true, attributeFilter: ['data-row', 'data-pictures', 'hidden']});
}"""
_READ = """() => {
  const {moved, shown} = window.eeLog, last = shown.at(-1);
  if (!last || last.pictures !== 'ready' || last.painted === null) return null;
  const first = shown.find((note) => note.row === last.row);
  return [Number(last.row), first.at - moved, first.painted - moved, last.at - moved];
}"""


@dataclass(frozen=True)
class Hover:
    """What the card showed: the row, and ms from the last move to the card, to its paint, and to its pictures."""

    row: int
    shown: float
    painted: float
    pictures: float


def there() -> bool:
    """Say whether the digits are on this computer."""
    return all((FOLDER / name).exists() for name in FILES)


def joined(folder: Path) -> Path:
    """Write all 70,000 digits as one file, once, and return its path."""
    path = folder / "mnist.npz"
    if not path.exists():
        parts = [np.load(FOLDER / name) for name in FILES]
        x, y = (np.concatenate([part[name] for part in parts]) for name in "xy")
        np.savez(path, x=x, y=y)
    return path


def link(url: str, path: Path, **further: Any) -> str:
    """Return an address that opens a file on its PCA map."""
    view = {"data": OTHER, "path": str(path), "map": "pca", **further}
    return f"{url}/?{sessions.ADDRESS}={sessions.to_text(view)}"


class Wire:
    """Bytes that a page sends over its web socket, and receives there and as files."""

    def __init__(self, page: Any) -> None:
        self.up: list[int] = []
        self.down: list[int] = []
        self.files: list[str] = []
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.webSocketFrameSent", lambda event: self.up.append(_length(event)))
        session.on("Network.webSocketFrameReceived", lambda event: self.down.append(_length(event)))
        session.on("Network.loadingFinished", lambda event: self.down.append(int(event["encodedDataLength"])))
        session.on("Network.requestWillBeSent", lambda event: self.files.append(event["request"]["url"]))

    def clear(self) -> None:
        """Begin to count anew."""
        for counted in (self.up, self.down, self.files):
            counted.clear()

    def sent(self) -> int:
        """Return the bytes sent so far."""
        return sum(self.up)

    def received(self) -> int:
        """Return the bytes received so far."""
        return sum(self.down)


def _length(event: Any) -> int:
    frame = event["response"]
    return len(frame["payloadData"]) * 3 // 4 if frame["opcode"] == 2 else len(frame["payloadData"])  # 2: base64


def most_of_map(page: Any) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a box around nine tenths of the dots, in client pixels."""
    return tuple(
        page.evaluate(
            """() => {
              const {gd} = document.querySelector('.ee-map').eeMap, {xaxis, yaxis} = gd._fullLayout;
              const box = gd.getBoundingClientRect(), left = box.left + xaxis._offset, top = box.top + yaxis._offset + 4;
              const x = Float32Array.from(gd._fullData.flatMap((trace) => Array.from(trace.x))).sort();
              return [left + xaxis.l2p(x[Math.floor(x.length / 10)]), top, left + xaxis._length - 4, top + yaxis._length - 8];
            }"""
        )
    )


def watch_hover(page: Any) -> None:
    """Let a page note when its pointer moves and what the card shows then."""
    page.evaluate(_WATCH)


def timed_hover(page: Any, row: int) -> Hover:
    """Point at a row's dot, where another may lie nearer, and return what the card showed and how soon."""
    x, y = screen(page, row)
    page.mouse.move(4, 4)
    page.wait_for_timeout(150)
    page.evaluate("window.eeLog.shown.length = 0")
    page.mouse.move(x + 30, y + 20)
    page.mouse.move(x + 9, y + 6)
    page.mouse.move(x, y)
    page.wait_for_timeout(100)
    page.wait_for_function(_READ, timeout=HOVER_MS)
    return Hover(*page.evaluate(_READ))
