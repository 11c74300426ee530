"""Run the two sides of a benchmark in turn and compare them: median ratios with their spread, as text and JSON."""

import gc
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from core.bench.data import Data
from core.progress import Callback, Progress, ignore

VERSIONS = ("numpy", "scipy", "scikit-learn", "openTSNE", "umap-learn", "numba", "torch", "streamlit", "plotly")


@dataclass(frozen=True)
class Side:
    """One way to do the work.

    Parameters
    ----------
    name : what it is, for people.
    work : what is timed; gets what `prepare` returned.
    measure : quality or size of what `work` returned, numbers by name; not timed.
    """

    name: str
    work: Callable[[Any], Any]
    measure: Callable[[Any, Any], Mapping[str, float]] = lambda prepared, made: {}


@dataclass(frozen=True)
class Benchmark:
    """Some work by `ours` and by `theirs`.

    Parameters
    ----------
    name : for the command line. what : the work, in a sentence.
    prepare : makes what both sides get, from the data; not timed.
    target : the time of `theirs` / that of `ours` that is aimed at.
    fair : says of the measures of ours and of theirs whether the comparison counts, in words; "" when it does.
    repeats : of each side, in turn; a side that takes minutes has fewer.
    needs : a package that may not be installed; the benchmark is then left out.
    by : the measure whose ratio counts, such as "bytes"; "" for the time.
    """

    name: str
    what: str
    prepare: Callable[[Data], Any]
    ours: Side
    theirs: Side
    target: float
    fair: Callable[[Mapping[str, float], Mapping[str, float]], str] = lambda ours, theirs: ""
    repeats: int = 3
    by: str = ""
    needs: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a benchmark.

    Parameters
    ----------
    seconds : of each run of each side, in the order of the runs.
    ratios : of each pair of runs, theirs / ours: above 1, ours is faster, or smaller where `by` names a measure.
    measures : the last run's, by side.
    unfair : why the comparison does not count; "" when it does.
    """

    name: str
    what: str
    sides: tuple[str, str]
    seconds: Mapping[str, tuple[float, ...]]
    ratios: tuple[float, ...]
    target: float
    measures: Mapping[str, Mapping[str, float]]
    unfair: str = ""
    note: str = ""
    machine: Mapping[str, object] = field(default_factory=dict)
    by: str = ""

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool:
        """Whether the target is met by a comparison that counts."""
        return self.ratio >= self.target and not self.unfair


def run(benchmark: Benchmark, data: Data, repeats: int | None = None, callback: Callback = ignore) -> Outcome:
    """Run both sides in turn, so that a machine that slows down slows both."""
    prepared = benchmark.prepare(data)
    count = benchmark.repeats if repeats is None else repeats
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    measures: dict[str, Mapping[str, float]] = {}
    for turn in range(count):
        for place, (name, side) in enumerate((("ours", benchmark.ours), ("theirs", benchmark.theirs))):
            callback(Progress(f"{benchmark.name}: {side.name}", 2 * turn + place, 2 * count, "run"))
            gc.collect()
            started = time.perf_counter()
            made = side.work(prepared)
            seconds[name].append(time.perf_counter() - started)
            measures[name] = dict(side.measure(prepared, made))
            del made
    callback(Progress(benchmark.name, 2 * count, 2 * count, "run"))
    ratios = [b / a for a, b in zip(seconds["ours"], seconds["theirs"], strict=True)]
    if benchmark.by:
        ratios = [measures["theirs"][benchmark.by] / measures["ours"][benchmark.by]]
    return Outcome(
        benchmark.name,
        benchmark.what,
        (benchmark.ours.name, benchmark.theirs.name),
        {name: tuple(values) for name, values in seconds.items()},
        tuple(ratios),
        benchmark.target,
        measures,
        benchmark.fair(measures["ours"], measures["theirs"]),
        data.name,
        machine(),
        benchmark.by,
    )


def machine() -> dict[str, object]:
    """Return what the figures depend on: cores, processor, versions."""
    from joblib import cpu_count

    installed = {}
    for name in VERSIONS:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"cores": cpu_count(), "processor": platform.machine(), "python": platform.python_version(), **installed}


def report(outcomes: Sequence[Outcome]) -> str:
    """Write outcomes for people, a few lines each."""
    lines = []
    for item in outcomes:
        low, high = min(item.ratios), max(item.ratios)
        verdict = "met" if item.met else f"not counted: {item.unfair}" if item.unfair else "not met"
        lines.append(f"{item.name}: {item.what} ({item.note})")
        better = f"times fewer {item.by}" if item.by else "times as fast"
        lines.append(f"  {item.ratio:.2f} {better} ({low:.2f} to {high:.2f}); target {item.target:g}: {verdict}")
        for key, side in zip(("ours", "theirs"), item.sides, strict=True):
            each = ", ".join(f"{value:.3g}" for value in item.seconds[key])
            told = "".join(f", {name} {value:.5g}" for name, value in item.measures[key].items())
            lines.append(f"  {side}: {statistics.median(item.seconds[key]):.3g} s ({each}){told}")
    return "\n".join(lines)
