"""What a case is: files to write, what to read of them, and what must come of it."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MB = 1 << 20
RAMP = np.arange(96, dtype=np.uint8).reshape(8, 12)
Given = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A case.

    Parameters
    ----------
    task : how it is read, of `tests.hostile.tasks`.
    build : writes below a folder, and returns what the task is given.
    refused : what the one sentence must say, a regular expression; None: it must be read.
    holds : checks what was read; None: it must be refused. With both, either may come of it.
    memory : bytes that reading may take at most.
    """

    name: str
    task: str
    build: Callable[[Path], Given]
    refused: str | None = None
    holds: Callable[[Any], None] | None = None
    memory: int = 200 * MB

    def check(self, reply: Mapping[str, Any], root: Path) -> None:
        """Check a reply of the guard."""
        assert "died" not in reply, reply["died"]
        assert "crash" not in reply, reply["crash"]
        assert reply["seen"] == [], reply["seen"]
        assert reply["peak"] < self.memory, f"{reply['peak']:,} bytes"
        if "error" in reply:
            plain_sentence(reply["error"], root)
            assert self.refused is not None, reply["error"]
            assert re.search(self.refused, reply["error"], re.DOTALL), reply["error"]
        else:
            assert self.holds is not None, f"read: {str(reply['value'])[:2000]}"
            self.holds(reply["value"])


def plain_sentence(text: str, root: Path) -> None:
    """Check that a text is one line, without a traceback, short, and holds no path but what was typed."""
    assert text and "\n" not in text and "\r" not in text and len(text) <= 1500, text
    assert not re.search(r"Traceback|File \"|\.py\b|site-packages|<class |object at 0x", text), text
    assert not any(letter in text for letter in "\x00\x1b\u202e\u2028"), text
    without = text.replace(str(root), "")
    assert str(root.parent) not in without and str(Path.home()) + "/" not in without, text


def picture(path: Path, array: np.ndarray = RAMP, **options: Any) -> Path:
    """Write a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def folder_with(root: Path, files: Mapping[str, bytes]) -> Given:
    """Write two good pictures and further files."""
    picture(root / "good 1.png")
    picture(root / "good 2.png")
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return {"path": str(root)}


def pixels(value: Any) -> np.ndarray:
    """Return the images that were read."""
    return np.frombuffer(base64.b64decode(value["x"]), np.uint8).reshape(value["shape"])


def good_are_there(value: Any) -> None:
    """Check that the two good pictures were read, pixel by pixel where nothing made them another size."""
    for name in ("good 1.png", "good 2.png"):
        found = pixels(value)[value["ids"].index(name)]
        if found.shape[:2] == RAMP.shape:
            np.testing.assert_array_equal(found, np.broadcast_to(RAMP[..., None], found.shape))


def read_or_skipped(name: str) -> Callable[[Any], None]:
    """Check that a file is among the images or the skipped, and the good ones among the images."""

    def check(value: Any) -> None:
        good_are_there(value)
        assert (name in value["ids"]) != (name in value["skipped"]), (value["ids"], value["skipped"])

    return check


def skipped(name: str, why: str) -> Callable[[Any], None]:
    """Check that a file is skipped for a reason, and the good ones are there."""

    def check(value: Any) -> None:
        good_are_there(value)
        assert name in value["skipped"], value["ids"]
        assert re.search(why, value["skipped"][name]), value["skipped"]

    return check


def read_as(name: str, wanted: np.ndarray | None = None, tolerance: float = 0) -> Callable[[Any], None]:
    """Check that a file is read, and its pixels."""

    def check(value: Any) -> None:
        good_are_there(value)
        assert name in value["ids"], value["skipped"]
        if wanted is not None:
            found = pixels(value)[value["ids"].index(name)].astype(int)
            full = wanted[..., None] if wanted.ndim == 2 else wanted
            assert np.abs(found - full.astype(int)).max() <= tolerance, found[:2, :2]

    return check


def ids_are(*ids: str, skipped: tuple[str, ...] = ()) -> Callable[[Any], None]:
    """Check which images are read, and what is skipped."""

    def check(value: Any) -> None:
        assert sorted(value["ids"]) == sorted(ids), value["ids"]
        assert set(value["skipped"]) == set(skipped), value["skipped"]

    return check
