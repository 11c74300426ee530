"""Why a worker process died, in a sentence that says what to change.

Only the system knows why it kills a process. What it counts tells: kills for lack of memory, of the process's group
(`memory.events`, `memory.oom_control`) and of the whole machine (`/proc/vmstat`), and how much memory the process had.
"""

import contextlib
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.jobs.job import Line

NEARLY = 0.8  # of the memory that there is: a process this large was most likely killed for lack of it
FEWER = "choose fewer images or a smaller model"
FAULTS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)
OFTEN = 3  # deaths of a job after which its message says that it has died before
REMEMBERED = 50  # jobs whose deaths are counted
_ERROR = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception|Exit|Interrupt|Iteration))(?::\s*(.*))?$")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Memory:
    """What is known of memory while a worker has a task: kills for lack of it so far, bytes used, bytes there are."""

    kills: int
    used: int = 0
    limit: int = 0


class Deaths:
    """How often jobs have ended with their worker; a job that is forgotten and started again is the same one."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def counted(self, name: str, error: str | None) -> str:
        """Count one more of a job, and return its error, with a word on the others if it dies often."""
        count = self._counts[name] = self._counts.pop(name, 0) + 1
        for old in list(self._counts)[:-REMEMBERED]:
            del self._counts[old]
        more = f" It has ended like this {count} times: change its settings before you try again."
        return f"{error}{more if count >= OFTEN else ''}"


def look(pid: int) -> Memory:
    """Look at the memory of a process; what the system does not tell is 0."""
    return Memory(_kills(), *_use(pid))


def cause(code: int, memory: Memory, lines: Sequence[Line]) -> str:
    """Say why a worker process ended with an exit code, negative for a signal.

    Parameters
    ----------
    memory : as it was last seen while the process lived.
    lines : what it wrote.
    """
    said = [line.text.strip() for line in lines if line.said]
    if code in (-signal.SIGABRT, 134) and any("bad_alloc" in text for text in said):
        return f"There was not enough memory for this; {FEWER}."
    if code in (-9, 137):
        return _killed(memory)
    if -code in FAULTS:
        return (
            f"The worker process crashed (signal {_signal_name(-code)}), most likely by a fault of a library; the log shows "
            "where. Other settings may avoid it."
        )
    if code < 0:
        return f"The worker process was ended from outside (signal {_signal_name(-code)})."
    name, words = next((found for text in reversed(said) if (found := _raised(text))), ("", ""))
    if name in ("ImportError", "ModuleNotFoundError"):
        return f"A library that this needs cannot be loaded ({words}); install the program's requirements again."
    if name:
        return f"Something went wrong that should not have: {name}: {words}. The log shows where."
    return f"The worker process ended with code {code} and without a reason; the log shows what it wrote last."


def _killed(memory: Memory) -> str:
    used = f" It used {_gigabytes(memory.used)} of {_gigabytes(memory.limit)}." if memory.used else ""
    if _kills() > memory.kills:
        return f"The worker process was killed by the system, as memory ran out; {FEWER}.{used}"
    if memory.limit and memory.used > NEARLY * memory.limit:
        return f"The worker process was killed, most likely for lack of memory; {FEWER}.{used}"
    return f"The worker process was killed from outside (signal SIGKILL).{used}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _raised(text: str) -> tuple[str, str] | None:
    found = _ERROR.match(text)
    return None if found is None else (found[1], (found[2] or "no reason given").rstrip("."))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def _groups() -> list[Path]:
    """Return the folders in which the system counts this process's group, the nearest first."""
    found = []
    with contextlib.suppress(OSError):
        for row in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
            _, controllers, path = row.split(":", 2)
            if controllers in ("", "memory"):
                own = _CGROUP / controllers
                found += [own / path.lstrip("/"), own]
    return found


def _kills() -> int:
    """Return how many processes of the group and of the machine the system has killed for lack of memory."""
    files = [folder / name for folder in _groups() for name in ("memory.events", "memory.oom_control")]
    counts = (_number(file, "oom_kill ") for file in (*files, Path("/proc/vmstat")))
    return sum(count for count in counts if count is not None)


def _use(pid: int) -> tuple[int, int]:
    """Return the bytes a process has in memory, and those it can have at most."""
    used = _number(Path(f"/proc/{pid}/status"), "VmRSS:")
    there = _number(Path("/proc/meminfo"), "MemTotal:")
    limits = [there * 1024] if there else []
    for folder in _groups():
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _number(folder / name, "")
            limits += [limit] if limit else []
    return (used or 0) * 1024, min(limits, default=0)


def _number(file: Path, name: str) -> int | None:
    """Return the number that follows a name at the beginning of a line of a file."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for row in file.read_text("utf-8").splitlines():
            words = row.removeprefix(name).split()
            if row.startswith(name) and words and words[0].isdecimal():
                return int(words[0])
    return None
