"""Jobs whose workers hang, die, lie or flood, and more jobs than there is room for; every worker is a real process."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.config import AutoencoderConfig
from core.errors import JobError
from core.images import ArraySource
from core.jobs import Jobs, causes, following, process
from core.jobs.causes import OFTEN
from core.jobs.job import LINE_LETTERS, LOG_LINES, Line
from core.plans import Plan, TrainSpec
from core.store import Store
from tests.waiting import end_of, until

ODD_WORKER = Path(__file__).with_name("odd_worker.py")


@pytest.fixture(scope="module")
def odd():
    """Let workers be those of `odd_worker.py`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "PROGRAM", (str(ODD_WORKER),))
        yield


@pytest.fixture(scope="module")
def shared(odd, tmp_path_factory):
    """Jobs with one odd worker, for tests that leave nothing running."""
    jobs = Jobs(Store(tmp_path_factory.mktemp("store")), workers=1)
    yield jobs
    jobs.close(0)


@pytest.fixture
def jobs(odd, store):
    """Jobs with one odd worker."""
    jobs = Jobs(store, workers=1)
    yield jobs
    jobs.close(0)


@pytest.fixture
def two(odd, store):
    """Jobs with two odd workers."""
    jobs = Jobs(store, workers=2, most_waiting=3)
    yield jobs
    jobs.close(0)


def plan(name):
    """Return a plan whose job does what it is called."""
    return Plan(ArraySource(f"{name}.npy"))


def _reporting(jobs, job):
    return until(lambda: jobs.get(job.id).progress and jobs.get(job.id))


def _texts(jobs, job):
    return [line.text for line in jobs.log(job.id)]


def test_a_job_that_never_reports_is_stopped_with_its_process_and_the_next_gets_another(shared):
    job = shared.start(plan("stuck"), "images")
    _reporting(shared, job)
    worker = shared._running[job.id]
    shared.cancel(job.id)
    assert shared.get(job.id).stopping == "asked"
    ended = end_of(shared, job)
    assert (ended.state, ended.error, ended.stopping) == ("cancelled", None, "")
    assert not worker.usable
    texts = _texts(shared, job)
    assert texts.index("Asked to stop.") < texts.index("It did not stop in time, so its process was ended.")
    assert texts[-1] == "Stopped."
    assert end_of(shared, shared.start(plan("quick"), "images")).state == "done"
    assert list(Store(shared._store.root).entries()) == []


def test_a_job_that_says_that_it_stops_may_take_its_time_to_keep_what_it_has(shared, monkeypatch):
    monkeypatch.setattr(following, "ANSWER_SECONDS", 0.5)
    job = shared.start(plan("slow"), "images")
    _reporting(shared, job)
    worker = shared._running[job.id]
    shared.cancel(job.id)
    until(lambda: shared.get(job.id).stopping == "keeping")
    assert end_of(shared, job).state == "cancelled"
    assert worker.usable  # it was not killed
    assert "It did not stop in time, so its process was ended." not in _texts(shared, job)


def test_one_that_keeps_for_too_long_is_ended(shared, monkeypatch):
    monkeypatch.setattr(following, "KEEP_SECONDS", 0.1)
    job = shared.start(plan("slow"), "images")
    _reporting(shared, job)
    shared.cancel(job.id)
    assert end_of(shared, job).state == "cancelled"
    assert "It did not stop in time, so its process was ended." in _texts(shared, job)


def test_a_job_is_stopped_while_its_process_starts(shared):
    job = shared.start(plan("stuck"), "images")
    until(lambda: shared.get(job.id).state == "running")
    shared.cancel(job.id)
    assert end_of(shared, job).state == "cancelled"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("killed", "The worker process was killed from outside (signal SIGKILL)."),
        ("told", "The worker process was told to end from outside (signal SIGTERM)."),
        ("crash", "The worker process crashed (signal SIGSEGV), most likely by a fault of a library"),
        ("gone", "The worker process ended with code 7 and without a reason"),
        ("bug", "Something went wrong that should not have: KeyError: 'a mistake'."),
        ("library", "A library that this needs cannot be loaded (No module named 'something')"),
        ("garbage", "What the worker process sent is no message"),
        ("unreadable", "What the worker process sent cannot be read: ModuleNotFoundError: No module named 'there'"),
        ("memory", "There is not enough memory for this; choose fewer images"),
        ("torch", "There is not enough memory for this; choose fewer images"),
        ("ours", "There are no images in it."),
    ],
)
def test_a_job_that_goes_wrong_says_why_and_the_next_one_works(shared, name, sentence):
    job = shared.start(plan(name), "images")
    ended = end_of(shared, job)
    assert ended.state == "failed"
    assert ended.error.startswith(sentence)
    assert ended.progress.stage == "Half way"
    if name not in ("told", "memory", "torch", "ours"):  # those end by themselves
        assert "It was at 40 %: Half way, 2 of 5 steps (epoch 8)." in ended.error
    assert _texts(shared, job)[-1].startswith("Failed.")
    assert end_of(shared, shared.start(plan("quick"), "images")).state == "done"


def test_the_log_of_a_crash_holds_where_it_was(shared):
    job = shared.start(plan("crash"), "images")
    end_of(shared, job)
    said = [line.text for line in shared.log(job.id) if line.said]
    assert any("Segmentation fault" in text for text in said)
    assert any("odd_worker.py" in text for text in said)


def test_a_job_that_dies_again_and_again_is_only_started_when_asked_and_says_how_often_it_died(shared):
    job = shared.start(plan("gone-again"), "images")
    for count in range(1, OFTEN + 1):
        ended = end_of(shared, job)
        assert ("It has ended like this" in ended.error) == (count >= OFTEN)
        assert end_of(shared, shared.start(plan("quick"), "images")).state == "done"
        assert shared.get(job.id).run == ended.run  # nobody asked
        shared.forget(job.id)
        job = shared.start(plan("gone-again"), "images")


def test_what_the_system_counts_tells_a_lack_of_memory_from_a_kill(monkeypatch):
    monkeypatch.setattr(causes, "_kills", lambda: 3)
    assert "as memory ran out" in causes.cause(-9, causes.Memory(2, 10**9, 4 * 10**9), [])
    assert "most likely for lack of memory" in causes.cause(-9, causes.Memory(3, 38 * 10**8, 4 * 10**9), [])
    assert "It used 3.8 GB of 4.0 GB." in causes.cause(-9, causes.Memory(3, 38 * 10**8, 4 * 10**9), [])
    assert "from outside" in causes.cause(-9, causes.Memory(3, 10**9, 4 * 10**9), [])
    aborted = [Line(0.0, "terminate called after throwing an instance of 'std::bad_alloc'", said=True)]
    assert "not enough memory" in causes.cause(-signal.SIGABRT, causes.Memory(3), aborted)


def test_the_memory_of_a_process_is_seen():
    seen = causes.look(os.getpid())
    assert 1_000_000 < seen.used < seen.limit


def test_a_worker_that_cannot_be_started_is_a_sentence(store, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    jobs = Jobs(store, workers=1)
    ended = end_of(jobs, jobs.start(plan("quick"), "images"))
    assert ended.error == "The worker process cannot be started: No such file or directory."
    jobs.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_in_the_thread_that_serves_jobs_ends_its_job_and_no_other(jobs, monkeypatch):
    def broken(unsaved, problem):
        monkeypatch.undo()
        raise ValueError("a mistake")

    first = jobs.start(plan("slow"), "images")
    _reporting(jobs, first)
    worker = jobs._running[first.id]
    monkeypatch.setattr(jobs._store, "adopt", broken)
    waiting = jobs.start(replace(plan("quick"), source=ArraySource("quick-2.npy")), "clustering")
    jobs.cancel(first.id)
    assert "made a mistake" in end_of(jobs, first).error
    until(lambda: not worker.usable)
    assert not end_of(jobs, waiting).active


def test_more_jobs_than_may_wait_are_refused_in_a_sentence(jobs):
    jobs._most = 2
    running = jobs.start(plan("slow"), "images")
    _reporting(jobs, running)
    first, second = (jobs.start(plan(f"slow-{i}"), "images") for i in (1, 2))
    with pytest.raises(JobError, match="2 jobs are waiting, and no more may"):
        jobs.start(plan("slow-3"), "images")
    assert jobs.start(plan("slow-2"), "images").id == second.id  # one that waits already is no further one
    assert (jobs.ahead(first.id), jobs.ahead(second.id)) == (0, 1)
    refused = jobs.refuse(plan("slow-3"), "images", "No room.")
    assert (jobs.get(refused.id).state, jobs.get(refused.id).error) == ("failed", "No room.")
    jobs.cancel(first.id)
    assert jobs.start(plan("slow-3"), "images").active


def training(width):
    return replace(plan("slow"), model=TrainSpec(AutoencoderConfig(width=width)))


def test_one_training_runs_at_a_time_and_maps_go_on(two):
    first, second = (two.start(training(width), "model") for width in (4, 8))
    _reporting(two, first)
    maps = [two.start(plan("quick"), "images"), two.start(replace(training(4)), "projection", trained=True)]
    assert end_of(two, maps[0]).state == "done"
    _reporting(two, maps[1])  # of a model that is there already
    assert (two.get(first.id).state, two.get(second.id).state) == ("running", "waiting")
    assert two.ahead(second.id) == 0
    two.cancel(first.id)
    assert _reporting(two, second).state == "running"
    assert two.get(first.id).ended <= two.get(second.id).started


def test_two_who_ask_for_the_same_share_a_job_and_see_the_stop_of_either(two):
    asked = []
    threads = [threading.Thread(target=lambda: asked.append(two.start(plan("slow"), "images"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.run for job in asked}) == len(two.all()) == 1
    _reporting(two, asked[0])
    two.cancel(asked[1].id)
    assert end_of(two, asked[0]).state == "cancelled"


def test_a_log_keeps_the_newest_lines_and_is_bounded(shared):
    job = shared.start(plan("flood"), "images")
    assert end_of(shared, job).state == "done"
    until(lambda: any("line 19999 " in text for text in _texts(shared, job)))
    lines = shared.log(job.id)
    assert len(lines) == LOG_LINES
    assert max(len(line.text) for line in lines) == LINE_LETTERS


def test_a_clock_set_back_changes_no_duration_and_no_order(shared, monkeypatch):
    first = shared.start(plan("slow"), "images")
    _reporting(shared, first)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert shared.get(first.id).seconds > 0
    shared.cancel(first.id)
    second = shared.start(plan("quick"), "images")
    first, second = end_of(shared, first), end_of(shared, second)
    assert first.seconds > 0 and second.seconds > 0
    assert first.submitted < second.submitted and first.ended <= second.started


def test_no_more_jobs_are_taken_on_once_all_are_stopped(jobs):
    job = jobs.start(plan("stuck"), "images")
    _reporting(jobs, job)
    jobs.close()
    assert jobs.get(job.id).state == "cancelled"
    with pytest.raises(JobError, match="being stopped"):
        jobs.start(plan("quick"), "images")


PARENT = """
import sys, time
sys.path[:0] = [{root!r}, {tests!r}]
import odd_worker
from core.jobs import Jobs, process
from core.store import Store
from core.images import ArraySource
from core.plans import Plan
process.PROGRAM = (odd_worker.__file__,)
jobs = Jobs(Store({store!r}))
running = [jobs.start(Plan(ArraySource(name + ".npy")), "images") for name in ("stuck", "slow")]
while not all(jobs.get(job.id).progress for job in running):
    time.sleep(0.01)
print(*(jobs._running[job.id].pid for job in running), flush=True)
time.sleep(600)
"""


def _alive(pid):
    """Say whether a process runs; one that has ended and waits to be noticed does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_by_themselves_when_their_parent_is_killed(tmp_path):
    code = textwrap.dedent(PARENT).format(
        root=str(ODD_WORKER.parents[1]), tests=str(ODD_WORKER.parent), store=str(tmp_path / "store")
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2 and all(_alive(pid) for pid in pids)
        parent.kill()
    until(lambda: not any(_alive(pid) for pid in pids))
