"""What an engine is: the one function that all of them have, and what comes of an item."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from core.progress import Callback

R = TypeVar("R")
Make = Callable[[], Callable[[Any], Any]]  # picklable; called once by each worker, and returns what does an item


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What came of the item of this index: a value, or one sentence that says why there is none."""

    index: int
    value: R | None
    problem: str | None = None


class Engine(Protocol):
    """Goes through items on its workers."""

    name: str

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
        """Give the outcome of every item, in the order in which they end.

        Progress of `stage` is told after each. An `ExplorerError` of an item is its `problem`; any other error ends it all.
        A worker that dies costs the item it was at, which another does again.

        Parameters
        ----------
        heavy : whether a worker keeps much, such as a model on a GPU; light work goes wherever there is room.

        Raises
        ------
        Cancelled : raised by the callback; workers then stop.
        """
        ...
