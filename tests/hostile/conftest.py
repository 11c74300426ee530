"""The guard, one warm process for all cases."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


class Guard:
    """The process that reads; it is started again when a case ended it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def ask(self, task: str, given: Mapping[str, Any], root: Path) -> dict[str, Any]:
        """Let it read; return what came of it."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"task": task, "given": dict(given), "root": str(root)}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        process.wait(30)
        return {"died": (self._folder / "guard.log").read_text("utf-8", "replace")[-4000:] or "it ended"}

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.close()
            self._process.wait(30)
            self._process.stdout.close()

    def _start(self) -> None:
        self.close()
        with (self._folder / "guard.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.hostile.guard"],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env=os.environ | {
                    "EMBEDDING_EXPLORER_STORE": str(self._folder / "store"), "PYTHONDONTWRITEBYTECODE": "1",
                    "EMBEDDING_EXPLORER_MODELS": str(self._folder / "store" / "models"), "MALLOC_ARENA_MAX": "2",
                    "PYTHONPATH": str(ROOT),
                },
            )  # fmt: skip


@pytest.fixture(scope="session")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    """Start it when it is first asked."""
    found = Guard(tmp_path_factory.mktemp("guard"))
    yield found
    found.close()
