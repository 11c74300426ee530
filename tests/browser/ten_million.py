"""Measure the page Atlas with ten million rows: `python -m tests.browser.ten_million [N] [--root DIR]` on an idle machine.

Latents are made up (32 numbers a row, in ten groups); their PCA map, clusters by random batches and the atlas are made of them
as a run over shards makes them, and then looked at in a real browser: whole, dragged, and zoomed in until single images show.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import atlas, parts
from core.bench.sharded import Watch, size_of
from core.config import MiniBatchKMeansConfig, PCAConfig
from core.engines import Local
from core.shards import placing
from core.shards.clustering import kmeans
from core.shards.columns import Vectors
from tests import made_up_atlas
from tests.browser.helpers import browser_page, server, settle

N, D, GROUPS, BATCH = 10_000_000, 32, 10, 4_096
ZOOMS, DRAGS = 9, 4
ANSWERED = """() => {
  const seen = document.querySelector('.ee-atlas')?.dataset;
  return seen && seen.drawn && Number(seen.answered) >= Number(seen.asked);
}"""
DRAWN = "() => document.querySelector('.ee-atlas').dataset.drawn"
ANOTHER = "(old) => document.querySelector('.ee-atlas').dataset.drawn !== old"
SHOWN = "() => { const seen = document.querySelector('.ee-atlas').dataset; return `${seen.kind} ${seen.points}`; }"


@dataclass
class Traffic:
    """Bytes that reach the browser: of files, and by the page's socket; and those that leave it by that."""

    files: int = 0
    down: int = 0
    up: int = 0
    names: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        page.on("response", self._response)
        page.on("websocket", self._socket)

    def _response(self, response: Any) -> None:
        if "/component/" in response.url:
            self.files += int(response.headers.get("content-length", 0))

    def _socket(self, socket: Any) -> None:
        socket.on("framereceived", lambda frame: setattr(self, "down", self.down + len(frame)))
        socket.on("framesent", lambda frame: setattr(self, "up", self.up + len(frame)))

    def taken(self) -> str:
        """Say what came since the last time."""
        told = (
            f"{self.files / 1e3:.0f} kB of files, {self.down / 1e3:.0f} kB by the socket, {self.up / 1e3:.1f} kB up"
        )
        self.files = self.down = self.up = 0
        return told


def make(root: Path, n: int) -> None:
    """Make the atlas of n rows, and print what each stage takes; parts that are there stay."""

    def timed(name: str, work: Callable[[], Any], left: Path | None = None) -> Any:
        started = time.perf_counter()
        found = work()
        size = "" if left is None else f", {size_of(left) / 1e6:,.0f} MB"
        print(
            f"{name}: {time.perf_counter() - started:.0f} s{size}, at most {watch.driver or 0:.2f} GB so far",
            flush=True,
        )
        return found

    with Watch() as watch:
        if not (root / "encoded").exists():
            timed(
                "made-up latents", lambda: made_up_atlas.write(str(root), n, d=D, build_too=False), root / "encoded"
            )
        numbers = tuple(sorted(int(path.stem) for path in (root / "encoded").glob("*.parquet")))
        sizes = tuple(
            (part := parts.look(str(root), "encoded", number)) is not None and part.rows for number in numbers
        )
        latents = Vectors(str(root), "encoded", "latents", numbers, sizes)
        timed("PCA map", lambda: placing.project(Local(), latents, PCAConfig(2), 2, str(root), "ten"), root / "map2")
        method = MiniBatchKMeansConfig(GROUPS, BATCH)
        timed("clusters", lambda: kmeans.cluster(Local(), latents, method, str(root), "ten"), root / "clustered")
        about = {"data": f"{n:,} made-up rows", "map": "PCA", "fitted": n, "image_shape": [8, 8, 1]}
        there = ("encoded", "clustered", "map2")
        timed("atlas", lambda: atlas.build(str(root), numbers, about, stages=there), root / "atlas")


def look(root: Path) -> None:
    """Open the atlas in a browser, and print seconds, bytes and the server's memory."""
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder)) as (url, process),
        browser_page(1280, 800) as page,
    ):
        traffic = Traffic()
        traffic.watch(page)
        page.goto(f"{url}/atlas")
        settle(page)
        print(f"server, nothing open: {_memory(process.pid)}")
        traffic.taken()
        started = time.perf_counter()
        page.goto(f"{url}/atlas?atlas={root}")
        page.wait_for_function(ANSWERED, timeout=120_000)
        print(f"first paint, from navigation: {time.perf_counter() - started:.1f} s")
        page.wait_for_timeout(2_000)
        settle(page)
        print(f"  {traffic.taken()}; server {_memory(process.pid)}")
        box = page.locator(".ee-atlas-canvas").bounding_box()
        x, y = box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.45
        dragged = [_dragged(page, x, y, traffic) for _ in range(DRAGS)]
        print(f"drag, until the new picture: {statistics.median(dragged):.2f} s, median of {DRAGS}")
        page.mouse.move(x, y)
        for turn in range(ZOOMS):
            seconds = _until_another(page, lambda: page.mouse.wheel(0, -300))
            page.wait_for_timeout(1_500)
            settle(page)
            status = page.locator(".ee-atlas-status").inner_text()
            print(f"zoom {turn + 1}: {seconds:.2f} s, {page.evaluate(SHOWN)}, {status}; {traffic.taken()}")
        print(f"server at the end: {_memory(process.pid)}")


def _dragged(page: Any, x: float, y: float, traffic: Traffic) -> float:
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 30, steps=4)
    seconds = _until_another(page, page.mouse.up)
    page.wait_for_timeout(1_500)
    settle(page)
    traffic.taken()
    return seconds


def _until_another(page: Any, action: Callable[[], Any]) -> float:
    old, started = page.evaluate(DRAWN), time.perf_counter()
    action()
    page.wait_for_function(ANOTHER, arg=old, timeout=120_000)
    return time.perf_counter() - started


def _memory(pid: int) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return f"{found['VmRSS'] / 1e6:.2f} GB, at most {found['VmHWM'] / 1e6:.2f} GB"


def main() -> None:
    """Make the atlas and look at it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", nargs="?", type=int, default=N, metavar="N", help=f"rows ({N:,})")
    parser.add_argument("--root", type=Path, metavar="DIR", help="where to keep them (nowhere)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="embedding-explorer-") as folder:
        root = (args.root or Path(folder)).absolute()
        make(root, args.n)
        look(root)


if __name__ == "__main__":
    main()
