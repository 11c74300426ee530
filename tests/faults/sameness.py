"""Whether two entries hold the same, and what the program warns of."""

import logging
from collections.abc import Mapping

import numpy as np

from core.store import Entry


def same(one: Entry, other: Entry) -> bool:
    """Say whether two entries hold the same, bit for bit, but for the times of making them and with what."""
    if set(one.arrays) != set(other.arrays) or timeless(one.info) != timeless(other.info):
        return False
    return all(_bits(name, one.arrays[name]) == _bits(name, other.arrays[name]) for name in one.arrays)


def _bits(name: str, array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    if name == "history":  # of a training: losses, and in the last column seconds
        array = array[..., :-1]
    return array.dtype.str, array.shape, array.tobytes()


def timeless(value: object) -> object:
    """Return JSON without what differs from one making to the next: seconds, versions, whether it was found or stopped."""
    if isinstance(value, Mapping):
        gone = ("seconds", "found", "versions", "made", "stopped_early")
        return {name: timeless(item) for name, item in value.items() if name not in gone}
    return [timeless(item) for item in value] if isinstance(value, list | tuple) else value


class Told(logging.Handler):
    """Notes what the program warns of while the block runs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def __enter__(self) -> "Told":
        logging.getLogger("core").addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger("core").removeHandler(self)
