"""What a long stage reports while it works, and how it is asked to stop.

A stage calls its callback between two pieces of work. To stop the stage the callback raises
`Cancelled`; a stage never swallows it, except training, which then returns the epochs it completed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


class Cancelled(Exception):
    """The user asked to stop; raised by a callback, inside the stage."""


@dataclass(frozen=True)
class Progress:
    """One report of a stage.

    Parameters
    ----------
    stage : what is being done, in the user's words ("Training", "t-SNE").
    done, total : pieces of work done and in all; `total` 0 when it is not known.
    unit : what a piece is ("batch", "iteration", "image").
    seconds_left : estimate in seconds, or None while there is nothing to estimate from.
    metrics : newest numbers by name, such as losses.
    preview : an intermediate result to look at (arrays by name), or None.
    """

    stage: str
    done: int
    total: int
    unit: str = "step"
    seconds_left: float | None = None
    metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    preview: Mapping[str, object] | None = None

    @property
    def fraction(self) -> float:
        """Share of the work that is done, in [0, 1]."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def counted(self) -> str:
        """What is done of how much, for people: "320 of 800 batches"."""
        units = f"{self.unit}es" if self.unit.endswith("ch") else f"{self.unit}s"
        return f"{self.done:,} of {self.total:,} {units}" if self.total else f"{self.done:,} {units}"


Callback = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """Callback that does nothing."""


def stopwatch(total: int) -> Callable[[int], float | None]:
    """Start a clock; the returned function gives the seconds left once `done` of `total` pieces are done."""
    started = time.monotonic()

    def seconds_left(done: int) -> float | None:
        if done <= 0:
            return None
        return (time.monotonic() - started) / done * max(0, total - done)

    return seconds_left
