"""Kills at random moments, bits flipped and files cut: is everything there, whole and right after it?

`python -m tests.faults` kills command lines, workers, servers and reviewers 50 times over training, encoding, maps, reviews
and exports, each at a moment chosen evenly within the work itself, and compares what is left, and what comes of starting
again, with an undisturbed run. Then it damages every kind of file that is kept.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

from core.bench import runner
from tests.faults import flips, material, rounds, servers
from tests.faults.bench import Bench, Kill, Round, Setting, attempt

LINE, WORKER, SERVER, REVIEWER = rounds.command_line, rounds.worker, servers.server, rounds.reviewer
# Of each phase, in turn: what is killed, and how.
TARGETS: Mapping[str, tuple[tuple[Kill, str], ...]] = MappingProxyType(
    {
        "train": ((LINE, "SIGKILL"), (WORKER, "SIGKILL"), (SERVER, "SIGKILL"), (SERVER, "group"), (SERVER, "SIGTERM")),
        "encode": ((LINE, "SIGKILL"), (WORKER, "SIGKILL"), (SERVER, "SIGKILL"), (SERVER, "group"), (LINE, "group")),
        "map": ((LINE, "SIGKILL"), (WORKER, "SIGKILL"), (SERVER, "SIGKILL"), (SERVER, "group"), (SERVER, "SIGTERM")),
        "review": ((REVIEWER, "SIGKILL"), (SERVER, "SIGKILL"), (REVIEWER, "group"), (SERVER, "group"), (SERVER, "SIGTERM")),
        "export": ((LINE, "SIGKILL"), (LINE, "group"), (SERVER, "SIGKILL"), (LINE, "SIGKILL"), (SERVER, "group")),
    }
)  # fmt: skip


def schedule(kills: int) -> list[tuple[Round, Kill]]:
    """Spread kills evenly over the phases, and in each over what is killed and how."""
    phases = list(TARGETS)
    found = []
    for number in range(kills):
        phase = phases[number % len(phases)]
        kill, how = TARGETS[phase][number // len(phases) % len(TARGETS[phase])]
        found.append((Round(phase, kill.__name__.replace("_", " "), how), kill))
    return found


def kill_all(folder: Path, kills: int, seed: int) -> list[Round]:
    """Make the undisturbed run, then all kills; one that came after the work had ended is tried again."""
    planned = schedule(kills)
    bench = Bench(folder, Setting())
    bench.prepare()
    if any(kill is SERVER for _, kill in planned):
        servers.measure(bench)
    print(
        "undisturbed: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in bench.seconds.items()), flush=True
    )
    chance, done = random.Random(seed), []
    for number, (one, kill) in enumerate(planned, 1):
        started = time.monotonic()
        attempt(bench, one, kill, chance)
        done.append(one)
        print(
            f"{number:>3} {one.phase}, {one.target}, {one.how}, {one.delay:.2f} s into it, {time.monotonic() - started:.0f} s: "
            + ("; ".join(one.wrong) or ("right" if one.hit else "came too late")),
            flush=True,
        )
    return done


def table(done: list[Round]) -> str:
    """Return the kills as Markdown, a line a phase."""
    lines = ["| Work | Kills | Of | Fell into the work | Wrong after it |", "|---|---|---|---|---|"]
    for phase in [*TARGETS, "all"]:
        of = [one for one in done if phase in (one.phase, "all")]
        targets = ", ".join(sorted({f"{one.target} ({one.how})" for one in of})) if phase != "all" else ""
        hit, wrong = sum(one.hit for one in of), sum(bool(one.wrong) for one in of)
        lines.append(f"| {phase} | {len(of)} | {targets} | {hit} | {wrong} |")
    return "\n".join(lines)


def main() -> int:
    """Run, print and perhaps write the figures; return 1 when something was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--flips", type=int, default=4, help="bits flipped in each file (4), and as many cuts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures to this file, too")
    arguments = parser.parse_args()
    done: list[Round] = []
    tallies: list[flips.Tally] = []
    with tempfile.TemporaryDirectory() as folder:
        if arguments.kills:
            done = kill_all(Path(folder) / "kills", arguments.kills, arguments.seed)
            print(f"\n{table(done)}\n", flush=True)
        if arguments.flips:
            made = material.build(Path(folder) / "flips", large=True)
            tallies = flips.everything(made, arguments.flips, arguments.flips, arguments.seed)
            for text in [text for tally in tallies for text in tally.wrong][:30]:
                print(f"wrong: {text}")
            print(f"\n{flips.table(tallies)}")
    if arguments.out:
        found = {
            "seed": arguments.seed, "machine": runner.machine(), "kills": [asdict(one) for one in done],
            "damage": [asdict(tally) for tally in tallies],
        }  # fmt: skip
        arguments.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return int(any(one.wrong for one in done) or any(tally.wrong for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
