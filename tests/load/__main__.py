"""Many sessions at once on one server: are answers right, is memory given back, how much longer do they take?

`python -m tests.load` serves the dashboard on loopback with 10,000 images whose latents and maps are there. One visitor
goes through all that the others will ask for, alone, on a server of its own: what it is shown is what they must be shown.
Then they come, move sliders for five minutes, press all at once, and leave.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.bench import runner
from tests.load import browser
from tests.load.ground import prepare, server, settle
from tests.load.memory import memory
from tests.load.visitors import Crowd, Outcome, alone, ks

TOLERANCE = 1.1  # memory after, against before
SETTLE_SECONDS = 60.0


def quantiles(seconds: list[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile."""
    if len(seconds) < 2:
        return (seconds or [0.0])[0], (seconds or [0.0])[0]
    return statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]


def table(single: Outcome, many: Outcome, sessions: int) -> list[dict[str, Any]]:
    """Return answer times by kind of move: of one session alone, of many, and the multiples."""
    rows = []
    kinds = list(dict.fromkeys(kind for kind, _ in single.times))
    for kind in (*kinds, "all moves", "all at once"):
        every = kind in ("all moves", "all at once")
        one = [s for name, s in single.times if every or name == kind]
        if kind == "all at once":
            one, more = [s for name, s in single.times if name == "k"], many.burst
        else:
            more = [s for name, s in many.times if every or name == kind]
        (median, p95), (median_many, p95_many) = quantiles(one), quantiles(more)
        row = {
            "move": kind, "count": len(more), "alone": {"median": median, "p95": p95},
            "many": {"median": median_many, "p95": p95_many},
            "times": {"median": median_many / median if median else 0.0, "p95": p95_many / p95 if p95 else 0.0},
        }  # fmt: skip
        rows.append(row)
    print(f"\n| Move | Answers | Alone, median, p95 | {sessions} sessions, median, p95 | Times as long |")
    print("|---|---|---|---|---|")
    for row in rows:
        alone_, many_, times = row["alone"], row["many"], row["times"]
        print(
            f"| {row['move']} | {row['count']:,} | {alone_['median']:.2f} s, {alone_['p95']:.2f} s | "
            f"{many_['median']:.2f} s, {many_['p95']:.2f} s | {times['median']:.1f}, {times['p95']:.1f} |"
        )
    return rows


def compare(single: Outcome, many: Outcome) -> list[str]:
    """Return what many sessions were shown that is not what one alone was shown."""
    return [
        f"{asked}: shown {files}, alone {single.shown[asked]}"
        for asked, files in many.shown.items()
        if asked in single.shown and single.shown[asked] != files
    ]


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Do everything in a folder and return the report."""
    sessions = arguments.sessions
    ground = prepare(folder, arguments.points, sessions, tuple(arguments.perplexities), arguments.data)
    print(f"{arguments.points:,} images are ready.", flush=True)
    shutil.copytree(folder / "store", folder / "store-alone")
    with server(folder, folder / "store-alone") as (url, _):
        single = alone(ground, url, sessions, lambda number: ks(number, sessions))
    print(f"{len(single.times)} moves alone.", flush=True)
    with server(folder, folder / "store") as (url, process):
        # The same images and moves as later, other numbers of clusters: what is kept for the next visitor is kept now.
        later = max(ks(sessions - 1, sessions)) + 1
        warm = alone(ground, url, sessions, lambda number: (later + number % 10,) * 3)
        before = settle(url, process.pid, 0, 0)
        print(f"before: {before}", flush=True)
        most = [before.resident]
        beside = browser.Beside(url) if arguments.browser else None
        crowd = Crowd(ground, url, sessions, arguments.seconds, arguments.pause, arguments.seed)
        watching = threading.Thread(target=beside.run) if beside else None
        if watching:
            watching.start()
        many = crowd.run(lambda: most.append(memory(process.pid).resident))
        if beside and watching:
            beside.stop.set()
            watching.join()
        print(f"at most: {max(most) / 1e6:.0f} MB resident", flush=True)
        after = settle(url, process.pid, before.resident * TOLERANCE, SETTLE_SECONDS)
        print(f"after: {after}", flush=True)
    wrong = [*single.wrong, *warm.wrong, *many.wrong, *compare(single, many), *(beside.problems if beside else [])]
    compared = len(set(many.shown) & set(single.shown))
    return {
        "sessions": sessions, "seconds": arguments.seconds, "points": arguments.points, "machine": runner.machine(),
        "moves": len(many.times), "times": table(single, many, sessions), "wrong": wrong, "compared": compared,
        "memory": {"before": asdict(before), "most": max(most), "after": asdict(after),
                   "times": after.resident / before.resident, "own_times": after.own / before.own},
        "browser": beside.seconds if beside else None,
    }  # fmt: skip


def main() -> int:
    """Run, print and perhaps write the figures; return 1 when something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300.0, help="that they move sliders (300)")
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two moves of a visitor (1)")
    parser.add_argument(
        "--perplexities", type=int, nargs="*", default=[30, 40], help="of maps that are there (30 40)"
    )
    parser.add_argument(
        "--data", type=Path, metavar="NPZ", help="images x, 28×28, and labels y (the sample, repeated)"
    )
    parser.add_argument(
        "--browser", action=argparse.BooleanOptionalAction, default=True, help="and a real one beside"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures to this file, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = run(arguments, Path(folder))
    for text in report["wrong"][:20]:
        print(f"wrong: {text}")
    kept = report["memory"]
    print(
        f"\n{report['moves']:,} answers, {report['compared']:,} compared with those of one session alone, "
        f"{len(report['wrong'])} wrong; memory after {kept['times']:.3f} times that before "
        f"({kept['own_times']:.3f} without files)"
    )
    if report["browser"]:
        print(
            f"a browser beside them: {len(report['browser'])} moves of k, median {quantiles(report['browser'])[0]:.2f} s"
        )
    if arguments.out:
        arguments.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return 1 if report["wrong"] or kept["times"] > TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())
