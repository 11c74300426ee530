"""Jobs that run at the same time share the cores."""

import threadpoolctl
import torch

from core import jobs as jobs_module
from core import threads
from core.jobs import Jobs
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


def test_running_workers_are_told_of_their_share_when_one_comes_or_goes(tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(jobs_module, "share", lambda running: 8 // running)
    monkeypatch.setattr(jobs_module, "send", lambda pipe, message: sent.append((pipe, message)))
    monkeypatch.setattr(jobs_module, "_pipes", lambda process: (process, None))
    jobs = Jobs(Store(tmp_path))
    jobs._running = {"a": "first", "b": "second"}
    jobs._share_cores()
    del jobs._running["a"]
    jobs._share_cores()
    assert sent == [("first", 4), ("second", 4), ("second", 8)]


def test_a_worker_that_has_died_takes_no_share(tmp_path, monkeypatch):
    def closed(pipe, message):
        raise BrokenPipeError

    monkeypatch.setattr(jobs_module, "send", closed)
    monkeypatch.setattr(jobs_module, "_pipes", lambda process: (process, None))
    jobs = Jobs(Store(tmp_path))
    jobs._running = {"a": "gone"}
    jobs._share_cores()
