"""Engines: every item gets its outcome, whatever becomes of the workers."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.engines import Local, Ray, open_engine
from core.errors import CheckpointError, ConfigError, DataError, JobError
from core.progress import Cancelled, ignore
from tests.ray_cluster import ray_cluster  # noqa: F401

ROOT = Path(__file__).parents[1]
on_ray = pytest.mark.xdist_group("ray")


@dataclass(frozen=True)
class Work:
    """Does what an item says, after it has left a mark of the process in a folder."""

    folder: str
    broken: Exception | None = None

    def __call__(self):
        if self.broken is not None:
            raise self.broken
        mark(self.folder, "made")
        return self.do

    def do(self, item):
        mark(self.folder, item)
        if item == "sleep":
            time.sleep(60)
        elif item == "slow":
            time.sleep(0.5)
        elif item == "last":
            wait_until(lambda: marks(self.folder)["c"])
        elif item.startswith("nap"):
            time.sleep(0.02)
        elif item == "damaged":
            raise DataError("cut off")
        elif item == "wrong":
            raise ZeroDivisionError("one by nothing")
        elif item == "deadly" or (item == "deadly once" and marks(self.folder)[item] == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        elif item == "about":
            import torch

            import core

            names = ("EXPLORER_ROOTS", "OMP_NUM_THREADS")
            return {"core": core.__file__, "threads": torch.get_num_threads(), **{n: os.environ[n] for n in names}}
        return f"{item} done"


def mark(folder, item):
    """Leave a mark that this process began an item."""
    with (Path(folder) / "marks").open("a") as file:
        file.write(f"{item},{os.getpid()}\n")


def lines(folder):
    """Return the marks as (item, process)."""
    path = Path(folder) / "marks"
    return [tuple(line.split(",")) for line in path.read_text().splitlines()] if path.exists() else []


def marks(folder):
    """Count how often each item was begun."""
    return Counter(item for item, _ in lines(folder))


def is_gone(pid):
    """Say whether a process has ended, also when nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def wait_until(true, seconds=30):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


@pytest.fixture(params=["local", pytest.param("ray", marks=on_ray)])
def engine(request):
    """Each engine."""
    if request.param == "local":
        yield Local()
    else:
        with open_engine("ray", request.getfixturevalue("ray_cluster")) as opened:
            yield opened


@pytest.fixture
def cluster(ray_cluster):  # noqa: F811
    """The engine on the cluster."""
    with Ray(ray_cluster) as opened:
        yield opened


@pytest.mark.parametrize("heavy", [True, False])
def test_every_item_has_its_outcome_and_is_done_once(engine, heavy, tmp_path):
    items, events = ["a", "damaged", "b", "c", "d"], []
    found = list(engine.each(Work(str(tmp_path)), items, events.append, "Working", heavy=heavy))
    assert sorted((o.index, o.value, o.problem) for o in found if o.problem is None) == [
        (0, "a done", None), (2, "b done", None), (3, "c done", None), (4, "d done", None),
    ]  # fmt: skip
    assert [(o.index, o.value, o.problem) for o in found if o.problem] == [(1, None, "cut off")]
    begun = marks(tmp_path)
    made = begun.pop("made")
    assert begun == Counter(items)
    assert made == len({process for _, process in lines(tmp_path)})
    assert [(event.done, event.total, event.unit) for event in events] == [(i, 5, "shard") for i in range(6)]


def test_nothing_to_do_needs_no_worker(engine):
    assert list(engine.each(Work("nowhere"), [], pytest.fail, "Working")) == []


@pytest.mark.parametrize("heavy", [True, False])
def test_an_error_of_ours_where_work_is_prepared_is_raised_as_it_is(engine, heavy, tmp_path):
    broken = Work(str(tmp_path), CheckpointError("no such model"))
    with pytest.raises(CheckpointError, match=r"^no such model$"):
        list(engine.each(broken, ["a", "b"], ignore, "Working", heavy=heavy))


@on_ray
@pytest.mark.parametrize("heavy", [True, False])
def test_any_other_error_ends_it_all_and_names_the_item(cluster, heavy, tmp_path):
    with pytest.raises(JobError, match=r"^Working: piece 2 of 2: ZeroDivisionError: one by nothing\.$"):
        list(cluster.each(Work(str(tmp_path)), ["a", "wrong"], ignore, "Working", unit="piece", heavy=heavy))


@on_ray
@pytest.mark.parametrize("heavy", [True, False])
def test_outcomes_come_as_they_end(cluster, heavy, tmp_path):
    each = cluster.each(Work(str(tmp_path)), ["last", "a", "b", "c"], ignore, "Working", heavy=heavy)
    order = [outcome.index for outcome in each]
    assert sorted(order) == [0, 1, 2, 3] and order[:2] == [1, 2]  # the first does not hold up its neighbours


@on_ray
@pytest.mark.parametrize("heavy", [True, False])
def test_a_killed_worker_costs_only_what_it_was_at(cluster, heavy, tmp_path):
    items, killed, found = [f"nap {i}" for i in range(30)], [], []
    items[10] = "slow"

    for outcome in cluster.each(Work(str(tmp_path)), items, ignore, "Working", heavy=heavy):
        found.append(outcome)
        at = [int(process) for item, process in lines(tmp_path) if item == "slow"]
        if at and not killed:
            os.kill(at[0], signal.SIGKILL)
            killed.append(at[0])
    assert killed
    assert sorted(outcome.index for outcome in found) == list(range(30))
    assert all(outcome.value == f"{items[outcome.index]} done" for outcome in found)
    begun = marks(tmp_path)
    assert begun.pop("slow") == 2
    assert sum(begun[item] - 1 for item in items if item != "slow") <= 1


@on_ray
@pytest.mark.parametrize("heavy", [True, False])
def test_what_kills_its_worker_each_time_is_given_up_and_holds_nothing_up(cluster, heavy, tmp_path):
    items = ["a", "deadly", "b", "deadly once", "c"]
    found = {o.index: o for o in cluster.each(Work(str(tmp_path)), items, ignore, "Working", heavy=heavy)}
    assert [found[i].value for i in (0, 2, 3, 4)] == ["a done", "b done", "deadly once done", "c done"]
    assert found[1].value is None and found[1].problem.startswith(
        "It was tried 4 times, and each time its worker died"
    )
    begun = marks(tmp_path)
    assert begun["deadly"] == 4 and begun["deadly once"] == 2


@on_ray
def test_work_in_which_every_worker_dies_ends(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("core.engines.ray.FATAL", 2)
    with pytest.raises(JobError, match=r"^Working: 2 shards were tried and none was done\. It was tried 4 times"):
        list(cluster.each(Work(str(tmp_path)), ["deadly"] * 4, ignore, "Working", heavy=False))
    assert marks(tmp_path)["deadly"] >= 2 * 4


@on_ray
@pytest.mark.parametrize("heavy", [True, False])
@pytest.mark.parametrize("how", ["callback", "closed"])
def test_workers_stop_at_once_when_asked_to(cluster, how, heavy, tmp_path):
    def stop(event):
        if event.done == 1 and how == "callback":
            raise Cancelled

    each = cluster.each(Work(str(tmp_path)), ["a", "sleep", "sleep", "sleep"], stop, "Working", heavy=heavy)
    next(each)
    wait_until(lambda: marks(tmp_path)["sleep"])
    begun = time.monotonic()
    if how == "closed":
        each.close()
    else:
        with pytest.raises(Cancelled):
            next(each)
    wait_until(lambda: all(is_gone(process) for item, process in lines(tmp_path) if item == "sleep"), 15)
    assert time.monotonic() - begun < 15
    assert 1 <= marks(tmp_path)["sleep"] <= 2


@on_ray
def test_workers_run_the_same_code_and_know_what_this_process_was_told(ray_cluster, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("EXPLORER_ROOTS", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with Ray(ray_cluster) as cluster:
        (told,) = [o.value for o in cluster.each(Work(str(tmp_path)), ["about"], ignore, "Working")]
        (light,) = [o.value for o in cluster.each(Work(str(tmp_path)), ["about"], ignore, "Working", heavy=False)]
    mine = {"core": str(ROOT / "core" / "__init__.py"), "EXPLORER_ROOTS": str(tmp_path), "OMP_NUM_THREADS": "1"}
    assert told == light == {**mine, "threads": 1}


@on_ray
def test_ray_on_this_machine_starts_and_ends_with_the_block():
    code = (
        "import ray, signal; from core.engines import open_engine; from core.progress import ignore\n"
        "before = signal.getsignal(signal.SIGTERM)\n"
        "with open_engine('ray', workers=2) as engine:\n"
        "    print(engine.name, ray.is_initialized(), ray.cluster_resources()['CPU'])\n"
        "    print(sorted(o.value for o in engine.each(lambda: abs, [-3, 2], ignore, 'x', heavy=False)))\n"
        "print(ray.is_initialized(), signal.getsignal(signal.SIGTERM) == before)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == ["ray True 2.0", "[2, 3]", "False True"], done.stderr
    assert all("RAY_BACKEND_LOG_LEVEL" in line for line in done.stderr.splitlines()), done.stderr


def test_engines_are_opened_by_name():
    with open_engine("local") as engine:
        assert [o.value for o in engine.each(lambda: abs, [-1], ignore, "x")] == [1]
    with pytest.raises(ConfigError, match="There is no engine 'dask'; the engines are local and ray"):
        open_engine("dask")
    with pytest.raises(ConfigError, match="neither an address nor other workers"):
        open_engine("local", "auto")
    with pytest.raises(ConfigError, match="0 workers"):
        open_engine("ray", None, 0)


@pytest.mark.parametrize("address, words", [("127.0.0.1:1", "nothing answers there"), ("nowhere:port", "port")])
def test_a_cluster_that_is_not_there_is_one_sentence(address, words):
    pytest.importorskip("ray")
    with pytest.raises(ConfigError, match=f"^The Ray cluster at {address!r} cannot be reached: .*{words}"):
        Ray(address).__enter__()


def test_without_ray_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        ConfigError, match=r'^Ray is not installed; install it with pip install -e "\.\[cluster\]"\.$'
    ):
        Ray().__enter__()


def test_engines_load_ray_only_when_they_are_opened():
    code = "import sys, core.engines; sys.exit('ray' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
