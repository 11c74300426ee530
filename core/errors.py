"""The errors a user can cause, each with one sentence that names the value and the limit.

::

    ExplorerError
    ├── ConfigError      a setting that cannot work (perplexity 50 on 90 images)
    ├── DataError        images, labels or arrays that cannot be read
    ├── CheckpointError  a model file that cannot be loaded or does not fit
    ├── TrainingError    training that cannot go on (a loss that is not finite)
    ├── StoreError       a store that cannot be opened
    ├── ExportError      a file that cannot be written
    ├── ReviewError      a review's decisions that cannot be kept or read
    └── JobError         a job that is not taken on, or whose worker cannot be understood
"""

import unicodedata

LONGEST = 1200  # letters of an error
_HIDDEN = ("Cc", "Cs", "Zl", "Zp")
_TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def one_line(text: str) -> str:
    """Write line ends, control characters and marks of another reading direction in a text as escapes."""
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in _HIDDEN or letter in _TURNING
        else letter
        for letter in text
    )


class ExplorerError(Exception):
    """Base of every error whose text is meant for the user: one line, of bounded length, whatever names are in it."""

    def __str__(self) -> str:
        text = one_line(super().__str__())
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 210]} … {text[-200:]}"


class ConfigError(ExplorerError):
    """A setting that cannot work, alone or with this data."""


class DataError(ExplorerError):
    """Images, labels or arrays that cannot be read."""


class CheckpointError(ExplorerError):
    """A model file that cannot be loaded or does not fit the images."""


class TrainingError(ExplorerError):
    """Training that cannot go on."""


class StoreError(ExplorerError):
    """A store that cannot be opened."""


class ExportError(ExplorerError):
    """A file that cannot be written."""


class ReviewError(ExplorerError):
    """A review's decisions that cannot be kept or read."""


class JobError(ExplorerError):
    """A job that is not taken on, or whose worker cannot be understood."""
