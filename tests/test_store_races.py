"""Several threads and processes at one store: computed once, nobody waits for the dead, what is in use stays."""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from core import locks
from core.entries import staged_in
from core.progress import Cancelled
from core.store import WAITING, Cleared, Store, folders, room

ROOT = Path(__file__).parents[1]
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
needs_flock = pytest.mark.skipif(sys.platform == "win32", reason="open files stay by themselves there")
MAKE = """
import sys, time
from pathlib import Path
import numpy as np
from core.entries import staged_in
from core.store import Store

store, log = Store(Path(sys.argv[1])), Path(sys.argv[2])
if sys.argv[3] == "together":
    print("ready", flush=True)
    sys.stdin.readline()

def make():
    with log.open("a") as file:
        file.write("made\\n")
    if sys.argv[3] == "hang":
        print("making", flush=True)
        sys.stdin.read()
    while len(log.read_text().splitlines()) < 4:  # until the three others wait
        time.sleep(0.02)
    return np.arange(10.0)

told = []

def wait(progress):
    if not told:
        told.append(progress.stage)
        with log.open("a") as file:
            file.write(f"{progress.stage}\\n")

staged = staged_in(store, "latents", "k", make, lambda v: {"a": v}, lambda e: e.arrays["a"], lambda v: {}, wait)
print("found" if staged.found else "computed", float(staged.value.sum()), flush=True)
"""
USE = """
import sys
from pathlib import Path
from core.store import Store
entry = Store(Path(sys.argv[1])).get("latents", "k")
print(float(entry.arrays["a"].sum()), flush=True)
sys.stdin.readline()
print(float(entry.arrays["a"].sum()), flush=True)
"""


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip


def in_store(store, make, callback=lambda progress: None):
    """Find or make the entry that the processes make."""
    return staged_in(store, "latents", "k", make, lambda v: {"a": v}, lambda e: e.arrays["a"], lambda v: {}, callback)


def test_processes_that_ask_for_one_key_at_once_compute_it_once(store, tmp_path):
    processes = [start(MAKE, store.root, tmp_path / "log", "together") for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert sorted((tmp_path / "log").read_text().splitlines()) == [*[WAITING] * 3, "made"]
    assert sorted(outputs) == ["computed 45.0\n", *["found 45.0\n"] * 3]
    assert list((store.root / room.LOCKS).iterdir()) == []


def test_threads_that_ask_for_one_key_at_once_compute_it_once(store):
    made, found, all_there = [], [], threading.Barrier(5)

    def make():
        made.append(1)
        return np.arange(3.0)

    def ask(one):
        all_there.wait()
        found.append(in_store(one, make).found)

    threads = [threading.Thread(target=ask, args=(one,)) for one in [store, *(Store(store.root) for _ in range(4))]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), sorted(found)) == (1, [False, True, True, True, True])


@needs_kill
def test_when_the_one_that_makes_it_is_killed_the_next_one_does(store, tmp_path):
    process = start(MAKE, store.root, tmp_path / "log", "hang")
    with process:
        assert process.stdout.readline() == "making\n"
        reports = []

        def kill_it(progress):
            reports.append(progress.stage)
            process.kill()
            process.wait()

        staged = in_store(store, lambda: np.arange(4.0), kill_it)
    assert not staged.found and reports == [WAITING]
    assert list((store.root / room.LOCKS).iterdir()) == []


@needs_kill
def test_who_waits_can_give_up_and_the_lock_says_whose_it_is(store, tmp_path):
    process = start(MAKE, store.root, tmp_path / "log", "hang")
    with process:
        assert process.stdout.readline() == "making\n"
        (lock,) = (store.root / room.LOCKS).iterdir()
        owner = json.loads(lock.read_text())
        assert (owner["pid"], owner["host"]) == (process.pid, socket.gethostname())

        def give_up(progress):
            raise Cancelled

        with pytest.raises(Cancelled):
            in_store(store, lambda: np.arange(4.0), give_up)
        process.kill()
    assert not store.has("latents", "k")


def test_when_the_one_that_makes_it_fails_the_next_one_does(store):
    with pytest.raises(ZeroDivisionError):
        in_store(store, lambda: 1 / 0)
    assert in_store(store, lambda: np.arange(4.0)).value.sum() == 6
    assert list((store.root / room.LOCKS).iterdir()) == []


@needs_kill
def test_a_lock_that_a_child_of_the_dead_still_holds_is_taken_over(tmp_path):
    path = tmp_path / "locks" / "k"
    code = (
        "import os, subprocess, sys; from pathlib import Path; from core import locks\n"
        "with locks.only_one(Path(sys.argv[1]), print):\n"
        "    file = next(n for n in Path('/proc/self/fd').iterdir() if os.path.realpath(n) == sys.argv[1])\n"
        "    os.set_inheritable(int(file.name), True)\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=0, close_fds=False)\n"
        "    print(child.pid, flush=True); os.kill(os.getpid(), 9)\n"
    )
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc here")
    process = start(code, path)
    with process:
        assert int(process.stdout.readline()) > 0
        process.wait()
        waits = []
        with locks.only_one(path, lambda: waits.append(1)):
            assert json.loads(path.read_text())["pid"] == os.getpid()
        assert waits  # it was held


def _no_locks(file, *, shared=False):
    raise OSError(95, "Operation not supported")


def test_without_locks_of_the_system_a_file_with_its_owner_does(store, monkeypatch):
    monkeypatch.setattr(locks, "attempt", _no_locks)
    with store.making("latents", "k"):
        (lock,) = (store.root / room.LOCKS).iterdir()
        assert json.loads(lock.read_text())["pid"] == os.getpid()

        def give_up(progress):
            raise Cancelled

        with pytest.raises(Cancelled), store.making("latents", "k", give_up):
            pass
        with store.making("latents", "another", give_up):
            pass
    with store.making("latents", "k", give_up):
        pass
    assert list((store.root / room.LOCKS).iterdir()) == []


@pytest.mark.parametrize(
    ("owner", "age", "taken"),
    [
        ({"host": socket.gethostname(), "pid": 2**22 + 1}, 0, True),  # gone
        ({"host": socket.gethostname(), "pid": os.getppid()}, 10**6, False),  # still there, however long it takes
        ({"host": "another", "pid": 1}, 60, False),
        ({"host": "another", "pid": 1}, locks.FAR_SECONDS + 60, True),
        ({"host": "another", "pid": 1}, -(10**6), False),  # a clock that was set back
    ],
)
def test_a_lock_file_is_taken_over_when_its_owner_is_gone(owner, age, taken, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "attempt", _no_locks)
    path = tmp_path / "k"
    path.write_text(json.dumps(owner))
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    waits = []

    def give_up_later():
        waits.append(1)
        if len(waits) > 3:
            raise Cancelled

    if taken:
        with locks.only_one(path, give_up_later):
            assert json.loads(path.read_text())["pid"] == os.getpid()
        assert not path.exists()
    else:
        with pytest.raises(Cancelled), locks.only_one(path, give_up_later):
            pass
        assert json.loads(path.read_text()) == owner


def test_locks_of_the_dead_do_not_pile_up(store):
    (store.root / room.LOCKS).mkdir(parents=True)
    for number in range(3):
        (store.root / room.LOCKS / f"latents.{number}").write_text("{}")
    with store.making("latents", "held"):
        store.put("latents", "k", {"a": np.zeros(3)}, {}, 0.0)
        assert [path.name for path in (store.root / room.LOCKS).iterdir()] == ["latents.held"]


@needs_flock
@pytest.mark.parametrize("mapped", [True, False])
def test_what_another_process_reads_is_not_dropped_until_it_lets_go(mapped, store, monkeypatch):
    values = {"a": np.ones(folders.MMAP_BYTES // 8 + 100 if mapped else 1000)}
    store.put("latents", "k", values, {}, 0.0)
    for key in ("b", "c"):
        store.put("latents", key, {"a": np.zeros(1000)}, {}, 0.0)
    process = start(USE, store.root)
    with process:
        total = f"{values['a'].sum()}\n"
        assert process.stdout.readline() == total
        for key in ("b", "c"):
            assert store.get("latents", key) is not None  # used later than k
        gc.collect()
        store.limit_bytes = 10
        store.put("latents", "new", {"a": np.zeros(10)}, {}, 0.0)
        assert {entry["key"] for entry in store.entries()} == {"k", "new"}
        assert store.clear() == Cleared(1, in_use=1)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == total
    assert store.clear() == Cleared(1)


@needs_flock
def test_what_this_process_reads_is_not_dropped_as_long_as_a_view_of_it_lives(store, monkeypatch):
    monkeypatch.setattr(folders, "MMAP_BYTES", 1000)
    store.put("latents", "k", {"large": np.ones(1000), "small": np.ones(3)}, {}, 0.0)
    part = np.asarray(store.get("latents", "k").arrays["large"])[::2].reshape(-1, 5)
    store.limit_bytes = 10
    store.put("latents", "new", {"a": np.zeros(10)}, {}, 0.0)
    assert store.has("latents", "k") and part.sum() == 500
    del part
    gc.collect()
    store.put("latents", "newer", {"a": np.zeros(10)}, {}, 0.0)
    assert [entry["key"] for entry in store.entries()] == ["newer"]


def _open_files():
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc here")
    return len(list(Path("/proc/self/fd").iterdir()))


@needs_flock
def test_an_entry_that_is_read_often_is_opened_once(store):
    store.put("latents", "k", {"a": np.ones(30)}, {}, 0.0)
    gc.collect()
    before = _open_files()
    held = [store.get("latents", "k") for _ in range(20)]
    assert _open_files() == before + 1
    del held
    gc.collect()
    assert _open_files() == before


@needs_flock
def test_clearing_takes_what_only_this_process_reads_and_that_can_still_be_read(store, monkeypatch):
    monkeypatch.setattr(folders, "MMAP_BYTES", 1000)
    store.put("latents", "k", {"a": np.ones(1000)}, {}, 0.0)
    array = store.get("latents", "k").arrays["a"]
    assert store.clear() == Cleared(1)
    assert not store.has("latents", "k") and array.sum() == 1000


def test_two_that_drop_at_once_leave_whole_entries_within_the_limit(store):
    one = {"a": np.zeros(1000)}
    store.put("latents", "first", one, {}, 0.0)
    limit = store.size() * 5
    stores = [Store(store.root, limit_bytes=limit) for _ in range(4)]

    def write(number, mine):
        for i in range(15):
            mine.put("latents", f"{number}-{i}", one, {}, 0.0)

    threads = [threading.Thread(target=write, args=pair) for pair in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [mine.problem for mine in stores] == [None] * 4
    found = [entry["key"] for entry in store.entries()]
    assert 1 <= len(found) <= 5
    assert all(Store(store.root).get("latents", key) is not None for key in found)
    assert all(not path.name.startswith(".") for path in (store.root / "latents").iterdir())
