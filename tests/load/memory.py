"""The memory of a server and all the processes that it started, as Linux tells it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """Bytes in memory of a server and its workers: all that is resident, and what of it is no file."""

    resident: int
    own: int

    def __str__(self) -> str:
        return f"{self.resident / 1e6:.0f} MB resident, {self.own / 1e6:.0f} MB of it its own"


def memory(pid: int) -> Memory:
    """Return the memory of a process and all that it started."""
    resident = own = 0
    for each in family(pid):
        try:
            lines = dict(line.split(":", 1) for line in Path(f"/proc/{each}/status").read_text().splitlines())
        except OSError:
            continue  # it has just ended
        resident += int(lines.get("VmRSS", "0 kB").split()[0]) * 1024
        own += int(lines.get("RssAnon", "0 kB").split()[0]) * 1024
    return Memory(resident, own)


def family(pid: int) -> list[int]:
    """Return a process and all that it started, directly or not."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found
