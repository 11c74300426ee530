"""What runs inside the workers of a Ray cluster; it is sent there by name, so each of these must be importable."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from core.engines.work import Make, Outcome
from core.errors import ExplorerError
from core.threads import Limit

TRIES = 4  # a worker's death may be the machine's fault; four deaths at one item are not
GAVE_UP = f"It was tried {TRIES} times, and each time its worker died, most likely for want of memory."


@dataclass(frozen=True)
class Item:
    """An item on its way to a worker."""

    index: int
    value: Any


@dataclass(frozen=True)
class Failed:
    """What ends it all: our own error, or in words one that is not ours."""

    index: int
    text: str = ""
    error: ExplorerError | None = None


@dataclass(frozen=True)
class Held:
    """What `make` of a call to `each` is: a reference, and a key by which a worker knows what it has made of it."""

    key: str
    reference: Any = field(compare=False)


class Tries:
    """An actor that counts how often each item was begun; it lives where the workers cannot take it along."""

    def __init__(self) -> None:
        self._begun = Counter[int]()

    def begin(self, index: int) -> int:
        """Count one more try of an item, and return how many there have been."""
        self._begun[index] += 1
        return self._begun[index]


class Pooled:
    """A worker of the pool. Ray Data does what a worker died of again and again; `tries` is what ends that.

    What `make` makes is made with the first item: dying of it counts as well, then.
    """

    def __init__(self, make: Make, tries: Any, threads: int) -> None:
        self._make, self._tries = make, tries
        self._work: Callable[[Any], Any] | None = None
        self._limit = Limit()
        self._limit.wanted = threads
        os.environ["OMP_NUM_THREADS"] = str(threads)  # for what is not loaded yet

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Do one item."""
        import ray

        item: Item = row["item"]
        if ray.get(self._tries.begin.remote(item.index)) > TRIES:
            return {"outcome": Outcome(item.index, None, GAVE_UP)}
        if self._work is None:
            made = _attempt(item.index, self._make)
            if isinstance(made, Failed):
                return {"outcome": made}
            self._work = made
        self._limit.apply()
        return {"outcome": _outcome(item, self._work)}


def do(held: Held, item: Item) -> Outcome[Any] | Failed:
    """Do one item of light work."""
    made = _attempt(item.index, lambda: _made(held))
    return made if isinstance(made, Failed) else _outcome(item, made)


@lru_cache(maxsize=1)
def _made(held: Held) -> Callable[[Any], Any]:
    import ray

    make: Make = ray.get(held.reference)
    return make()


def _outcome(item: Item, work: Callable[[Any], Any]) -> Outcome[Any] | Failed:
    made = _attempt(item.index, lambda: Outcome(item.index, work(item.value)))
    if isinstance(made, Failed) and made.error is not None:
        return Outcome(item.index, None, str(made.error))
    return made


def _attempt(index: int, work: Callable[[], Any]) -> Any:
    """Return what `work` makes, or how it failed."""
    try:
        return work()
    except ExplorerError as error:
        return Failed(index, error=error)
    except Exception as error:  # raised again where the work was asked for, which knows what to do
        return Failed(index, f"{type(error).__name__}: {error}")
