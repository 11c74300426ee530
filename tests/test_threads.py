"""Jobs that run at the same time share the cores."""

import threadpoolctl
import torch

from core import threads
from core.jobs import Jobs
from core.jobs import queue as job_queue
from core.jobs.job import Log
from core.jobs.process import Worker
from core.store import Store


def test_cores_are_shared_and_every_job_has_one(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 8)
    assert [threads.share(n) for n in (0, 1, 2, 3, 8, 20)] == [8, 8, 4, 2, 1, 1]


def test_fewer_threads_can_be_asked_for_but_not_more_than_there_are_cores(monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 4)
    found = []
    for asked in ("1", "3", "9", "", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        found.append(threads.cores())
    assert found == [1, 3, 4, 4, 4, 4]


def test_a_limit_holds_for_torch_and_blas_and_can_be_raised_again():
    before = torch.get_num_threads()
    with threadpoolctl.threadpool_limits():
        limit = threads.Limit()
        try:
            for wanted in (2, 1):
                limit.wanted = wanted
                limit.apply()
                assert torch.get_num_threads() == wanted
                assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} == {wanted}
        finally:
            torch.set_num_threads(before)


def test_a_thread_may_start_as_many_as_its_limit_leaves_it(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "cores", lambda: 4)
    try:
        for wanted, found in ((1, 1), (3, 3), (9, 4)):
            torch.set_num_threads(wanted)
            assert threads.allowed() == found
    finally:
        torch.set_num_threads(before)


class Told:
    """Stands for a worker, and notes what it is told."""

    def __init__(self):
        self.messages = []

    def tell(self, message):
        self.messages.append(message)


def test_running_workers_are_told_of_their_share_when_one_comes_or_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(job_queue, "share", lambda running: 8 // running)
    jobs, first, second = Jobs(Store(tmp_path)), Told(), Told()
    jobs._running = {"a": first, "b": second}
    jobs._share_cores()
    del jobs._running["a"]
    jobs._share_cores()
    assert (first.messages, second.messages) == ([4], [4, 8])


def test_a_worker_that_has_died_takes_no_share(tmp_path):
    jobs, gone = Jobs(Store(tmp_path)), Worker(Log())
    gone.kill()
    assert gone.end() == -9
    jobs._running = {"a": gone}
    jobs._share_cores()
