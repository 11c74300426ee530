"""The engine that needs nothing: this process, one item after another."""

from collections.abc import Iterator, Sequence
from typing import Any

from core.engines.work import Make, Outcome
from core.errors import ExplorerError
from core.progress import Callback, Progress, stopwatch


class Local:
    """Goes through items in this process."""

    name = "local"

    def each(
        self,
        make: Make,
        items: Sequence[Any],
        callback: Callback,
        stage: str,
        *,
        unit: str = "shard",
        heavy: bool = True,
    ) -> Iterator[Outcome[Any]]:
        """Give the outcome of every item, in their order; see `Engine.each`."""
        if not items:
            return
        callback(Progress(stage, 0, len(items), unit))
        work, left = make(), stopwatch(len(items))
        for index, item in enumerate(items):
            try:
                outcome = Outcome(index, work(item))
            except ExplorerError as error:
                outcome = Outcome(index, None, str(error))
            yield outcome
            callback(Progress(stage, index + 1, len(items), unit, left(index + 1)))
