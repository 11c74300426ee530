"""Two real workers share the cores while both run, and each has all of them when it is alone."""

import time
from pathlib import Path

import made_up
import numpy as np
import pytest

from core import threads, worker
from core.jobs import Jobs, process
from core.store import Store

PATIENCE = 120  # seconds until a test gives up; a worker imports torch first
PROBE = """
import sys
sys.path.insert(0, {root!r})
import numpy, torch
from threadpoolctl import threadpool_info
from core import pipeline, worker
from core.progress import Progress

def run(store, plan, upto, callback):
    while True:  # until it is told to stop
        pools = {{pool["num_threads"] for pool in threadpool_info()}}
        told = {{"torch": float(torch.get_num_threads()), "least": float(min(pools)), "most": float(max(pools))}}
        callback(Progress("probe", 0, 2, "", None, told))

pipeline.run = run
worker.main()
"""


@pytest.fixture
def probed(tmp_path, monkeypatch):
    """Jobs whose workers say all the time how many threads they may start, on a machine of 4 cores."""
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(threads, "cores", lambda: 4)
    program = tmp_path / "probe.py"
    program.write_text(PROBE.format(root=str(Path(worker.__file__).parents[1])), "utf-8")
    monkeypatch.setattr(process, "PROGRAM", (str(program),))
    jobs = Jobs(Store(tmp_path / "store"), workers=2)
    yield jobs
    jobs.close()


def _told(jobs, job, count):
    """Wait until a job's worker may start `count` threads, by every library, and no more."""
    end, wanted = time.monotonic() + PATIENCE, {"torch": count, "least": count, "most": count}
    while (now := jobs.get(job.id)).progress is None or now.progress.metrics != wanted:
        assert now.active and time.monotonic() < end, f"{now.state}: {now.error or now.progress}"
        time.sleep(0.01)


def test_two_workers_share_the_cores_while_both_run(probed, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 8, 8), np.uint8))
    first = probed.start(made_up.plan(tmp_path / "x.npy"), "model")
    _told(probed, first, 4)
    second = probed.start(made_up.plan(tmp_path / "x.npy", seed=1), "projection", trained=True)
    for job in (first, second):
        _told(probed, job, 2)
    probed.cancel(first.id)
    _told(probed, second, 4)
