"""A worker process whose tasks do odd things, each named by the file of its images: stuck, crash, flood and so on."""

import faulthandler
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from core import pipeline, worker
from core.errors import DataError
from core.progress import Cancelled, Progress


class Unreadable:
    """Is sent, and cannot be made again from what is sent."""

    def __reduce__(self):
        return __import__, ("there.is.no.such.module",)


def _stuck(callback):
    time.sleep(600)


def _slow(callback):
    """Answers when it is to stop, and then takes its time."""
    try:
        while True:
            callback(Progress("Slow", 1, 4))
            time.sleep(0.01)
    except Cancelled:
        time.sleep(1)
        raise


def _quick(callback):
    callback(Progress("Quick", 1, 1))


def _flood(callback):
    for i in range(20_000):
        print(f"line {i}", "x" * 1000, file=sys.stderr)


def _memory(callback):
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (256 << 20), resource.RLIM_INFINITY))
    np.ones(1 << 30)


def _raises(error):
    def run(callback):
        raise error

    return run


ODD = {
    "stuck": _stuck,
    "slow": _slow,
    "quick": _quick,
    "flood": _flood,
    "memory": _memory,
    "torch": _raises(
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate")
    ),
    "ours": _raises(DataError("There are no images in it.")),
    "bug": _raises(KeyError("a mistake")),
    "library": _raises(ModuleNotFoundError("No module named 'something'")),
    "killed": lambda callback: os.kill(os.getpid(), signal.SIGKILL),
    "told": lambda callback: (os.kill(os.getpid(), signal.SIGTERM), _slow(callback)),
    "crash": lambda callback: faulthandler._sigsegv(),
    "gone": lambda callback: os._exit(7),
    "garbage": lambda callback: (callback._out.write(b"\xff" * 64), callback._out.flush(), time.sleep(600)),
    "unreadable": lambda callback: (worker.send(callback._out, Unreadable()), time.sleep(600)),
}


def run(store, plan, upto, callback):
    """Stand for `core.pipeline.run`."""
    callback(Progress("Half way", 2, 5, "step", None, {"epoch": 8.0}))
    ODD[Path(plan.source.path).stem.split("-")[0]](callback)


if __name__ == "__main__":
    pipeline.run = run
    worker.LEAVE_SECONDS = 3.0
    worker.main()
