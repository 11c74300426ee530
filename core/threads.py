"""Threads: what runs at the same time shares the cores there are, so that two jobs do not start two times all of them."""

import os
import sys
from contextlib import AbstractContextManager, nullcontext

COUNTING = ("torch", "sklearn", "scipy", "numba", "openTSNE")  # libraries that start threads of their own once loaded
# Below this many multiplications a second thread costs more than it brings (measured on 2 cores).
SMALL_WORK = 2e9


def cores() -> int:
    """Return the cores this process may use, or fewer when OMP_NUM_THREADS says so."""
    from joblib import cpu_count

    asked = os.environ.get("OMP_NUM_THREADS", "")
    found = int(cpu_count())
    return min(found, int(asked)) if asked.isdecimal() and int(asked) > 0 else found


def share(running: int) -> int:
    """Return how many threads each of `running` jobs may start; every job has one at least."""
    return max(1, cores() // max(1, running))


def one_thread_if(small: bool) -> AbstractContextManager[object]:
    """Limit the threads of BLAS and OpenMP to one while the block runs, if the problem is small."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1) if small else nullcontext()


def allowed() -> int:
    """Return how many threads the calling thread may start: what a limit left it, where torch is loaded, else all cores."""
    torch = sys.modules.get("torch")
    return (
        min(cores(), torch.get_num_threads()) if torch is not None and hasattr(torch, "get_num_threads") else cores()
    )


class Limit:
    """The number of threads this process may start; libraries that are loaded later are limited at the next `apply`."""

    def __init__(self) -> None:
        self.wanted = cores()
        self._applied: tuple[object, ...] = ()

    def apply(self) -> None:
        """Limit BLAS, OpenMP, torch and numba to `wanted` threads; does nothing while nothing has changed.

        A library keeps the limit of the thread that sets it: call this in the thread that computes.
        """
        loaded = tuple(name for name in COUNTING if name in sys.modules)
        if self._applied == (self.wanted, loaded):
            return
        from threadpoolctl import threadpool_limits

        # While a module is still being imported it has no such function yet. Numba first: it may set OpenMP's number, too.
        if hasattr(sys.modules.get("numba"), "set_num_threads"):
            numba = sys.modules["numba"]
            numba.set_num_threads(min(self.wanted, numba.config.NUMBA_NUM_THREADS))
        threadpool_limits(self.wanted)
        if hasattr(sys.modules.get("torch"), "set_num_threads"):
            sys.modules["torch"].set_num_threads(self.wanted)
        self._applied = (self.wanted, loaded)
