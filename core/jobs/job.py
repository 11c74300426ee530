"""A job as it is now, its name and its log."""

import hashlib
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core import analyses
from core.config import AnalysisConfig
from core.plans import Plan, StageName, TrainSpec
from core.progress import Progress

JobState = Literal["waiting", "running", "done", "cancelled", "failed"]
Stopping = Literal["", "asked", "keeping"]
LOG_LINES = 300  # of a job; with the longest lines about 150 kB
LINE_LETTERS = 500


@dataclass(frozen=True)
class Job:
    """A job as it is now.

    Parameters
    ----------
    upto : the last stage it makes or the analysis it is for.
    trains : whether it may train a model, which one job does at a time.
    origin : what the one who asked for it gave along by name, to find it again by.
    progress, preview : its newest report and intermediate result; they stay when it ends.
    stopping : "asked" once it was to stop, "keeping" while it keeps what it has.
    submitted, started, ended : on the clock of `time.monotonic`, as the other clock may be set.
    started_at : the date when it started, in seconds since 1970.
    """

    id: str
    plan: Plan
    upto: StageName | AnalysisConfig
    state: JobState = "waiting"
    trains: bool = False
    origin: Mapping[str, object] = field(default_factory=dict)
    progress: Progress | None = None
    preview: Mapping[str, object] | None = None
    error: str | None = None
    stopping: Stopping = ""
    submitted: float = field(default_factory=time.monotonic)
    started: float | None = None
    ended: float | None = None
    started_at: float | None = None

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")

    @property
    def run(self) -> str:
        """Name of this run: a job that is started again has the same id."""
        return f"{self.id} {self.submitted}"

    @property
    def seconds(self) -> float:
        """Seconds it has been running, or ran."""
        return 0.0 if self.started is None else (self.ended or time.monotonic()) - self.started


@dataclass(frozen=True)
class Line:
    """A line of a job's log: its date in seconds since 1970, and what the job did or, `said`, its worker wrote."""

    at: float
    text: str
    said: bool = False


class Log:
    """The newest lines of a job; several threads may add to it."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=LOG_LINES)

    def note(self, text: str) -> None:
        """Add what the job did."""
        self._add(text, False)

    def said(self, text: str) -> None:
        """Add what its worker wrote."""
        self._add(text, True)

    def lines(self) -> tuple[Line, ...]:
        """Return the lines, oldest first."""
        return tuple(self._lines)

    def _add(self, text: str, said: bool) -> None:
        self._lines.append(Line(time.time(), text[:LINE_LETTERS], said))


def job_id(plan: Plan, upto: StageName | AnalysisConfig) -> str:
    """Name of the job that makes this: the same for every caller, whatever the plan says of what it does not need."""
    if isinstance(upto, AnalysisConfig):
        return hashlib.blake2b(f"{analyses.inputs(plan, upto)!r}".encode(), digest_size=12).hexdigest()
    placed = plan.cluster.manifold if upto == "manifold" else (plan.projection, plan.start)
    parts: list[object] = [plan.source, plan.model, plan.reduction, placed, plan.cluster, plan.others]
    needed = {"images": 1, "model": 2, "latents": 2, "reduced": 3, "manifold": 4, "projection": 4, "clustering": 6}
    return hashlib.blake2b(f"{parts[: needed[upto]]!r} {upto}".encode(), digest_size=12).hexdigest()


def may_train(plan: Plan, upto: StageName | AnalysisConfig) -> bool:
    """Say whether a job trains a model unless the store has it."""
    return upto != "images" and any(isinstance(part.model, TrainSpec) for part in (plan, *plan.others))


def reached(progress: Progress) -> str:
    """Say how far a job had come: "It was at 40 %: Training, 320 of 800 batches."."""
    epoch = progress.metrics.get("epoch")
    told = f"{progress.stage}, {progress.counted}" + ("" if epoch is None else f" (epoch {epoch:.0f})")
    return f"It was at {100 * progress.fraction:.0f} %: {told}." if progress.total else f"It was at {told}."
