"""A process of its own that reads hostile files, warm for all cases: it says what was opened, run and taken of the memory.

A line of JSON a case comes in, one goes out. Every file that Python opens, every program it starts and every connection is
seen by an audit hook; memory beyond a limit is refused by the system; a case that does not end ends the process.
"""

import base64
import faulthandler
import gc
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

SECONDS = 100  # a case that takes longer hangs
ROOM = 3 << 30  # of address space
_RUNS = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.", "socket.", "urllib.", "ftplib.",
         "pickle.find_class", "webbrowser.", "os.kill", "code.")  # fmt: skip
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink",
            "os.truncate", "os.utime", "shutil.", "tempfile.")  # fmt: skip
_LOOKS = ("os.listdir", "os.scandir", "os.walk", "glob.")
_HARMLESS = ("/proc/", "/sys/", "/dev/null", "/dev/urandom", "/usr/share/zoneinfo", "/etc/localtime")


class Watch:
    """What happens during a case that must not."""

    def __init__(self, libraries: tuple[str, ...]) -> None:
        self.libraries = libraries
        self.asked: tuple[str, ...] = ()
        self.store = ""
        self.on = False
        self.seen: list[str] = []

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event.startswith(_RUNS):
            self.seen.append(f"{event} {given!r:.300}")
        elif event == "open":
            path, mode, flags = given
            writes = bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) or any(
                c in (mode or "") for c in "wax+"
            )
            self._path(event, path, writes)
        elif event.startswith(_CHANGES):
            for path in given[: 2 if event in ("os.rename", "os.link") else 1]:
                self._path(event, path, True)
        elif event.startswith(_LOOKS):
            self._path(event, given[0], False)

    def _path(self, event: str, path: Any, writes: bool) -> None:
        if path is None or isinstance(path, int):
            return
        real = os.path.realpath(os.fsdecode(path))
        places = (self.store,) if writes else (self.store, *self.asked, *self.libraries)
        inside = any(real == place or real.startswith(place + "/") for place in places)
        if not inside and not real.startswith(_HARMLESS):
            self.seen.append(f"{event} {'written' if writes else 'read'}: {real}")


def _status(name: str) -> int:
    with open("/proc/self/status") as file:  # noqa: PTH123
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name))


def _real(path: Any) -> str:
    try:
        return os.path.realpath(str(path))
    except ValueError:  # what can be no path
        return "no path"


def _answer(task: str, given: dict[str, Any]) -> dict[str, Any]:
    from core.errors import ExplorerError
    from tests.hostile import tasks

    try:
        return {"value": tasks.TASKS[task](**given)}
    except ExplorerError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except BaseException:
        return {"crash": traceback.format_exc()[-4000:]}


def _plain(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def main() -> None:
    """Answer cases until there are no more."""
    import ctypes
    import resource

    from tests.hostile import tasks

    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    prefixes = {sys.prefix, sys.base_prefix, str(Path(os.__file__).parent), str(Path(__file__).parents[2])}
    watch = Watch(tuple(os.path.realpath(path) for path in prefixes))
    watch.store = os.path.realpath(os.environ["EMBEDDING_EXPLORER_STORE"])
    tasks.warm()
    gc.collect()
    gc.freeze()  # what is there now is not looked through at each case
    sys.addaudithook(watch)
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + ROOM,) * 2)
    trim = ctypes.CDLL(None).malloc_trim
    for line in sys.stdin:
        asked = json.loads(line)
        gc.collect()
        trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = _status("VmRSS")
        watch.asked = tuple(_real(path) for path in (asked["root"], *asked["given"].values()))
        watch.seen = []
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        watch.on = True
        reply = _answer(asked["task"], asked["given"])
        watch.on = False
        faulthandler.cancel_dump_traceback_later()
        reply |= {"peak": max(0, _status("VmHWM") - before), "seen": watch.seen}
        out.write(json.dumps(reply, default=_plain) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
