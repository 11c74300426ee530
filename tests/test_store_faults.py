"""Real faults of the disk, in processes of their own: a clear message, no half entry, and the work goes on."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from core.entries import staged_in
from core.errors import StoreError
from core.store import Store, folders

ROOT = Path(__file__).parents[1]
ARRAYS = {"a": np.arange(1000.0)}
BEGIN = """
import os, resource, sys, tempfile
from pathlib import Path
import numpy as np
from core import checkpoints, scratch
from core.config import AutoencoderConfig
from core.entries import staged_in
from core.errors import ExplorerError
from core.models import TrainedModel
from core.store import Store

def staged(store, key="k", n=100_000):
    return staged_in(
        store, "latents", key, lambda: np.arange(float(n)), lambda v: {"a": v}, lambda e: e.arrays["a"], lambda v: {}
    )

def unprivileged():
    staged(Store(Path(tempfile.mkdtemp(dir=root.parent))))  # what is imported late, this user may not be able to read
    if os.geteuid() == 0:
        os.setgroups([])
        os.setuid(65534)  # mode bits do not bind root

def files(root):
    return sorted(str(p.relative_to(root)) for p in Path(root).rglob("*") if p.is_file() and p.name != ".clock")

root = Path(sys.argv[1])
store = Store(root)
"""
needs_posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def run(code, *arguments):
    """Run code in a process of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def anyones():
    """A folder that every user of the machine can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MiB with few inodes; skipped where nothing can be mounted."""
    if shutil.which("mount") is None:
        pytest.skip("no mount here")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=24", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("this user cannot mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


@needs_posix
def test_a_file_that_may_not_grow_leaves_no_half_entry_and_the_work_goes_on(tmp_path):
    said = run(
        """
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
value = staged(store)
print(value.found, value.value.sum(), files(root))
print(store.problem)
print(staged(store).found, staged(store, "small", 10).found, store.problem, [e["key"] for e in store.entries()])
""",
        tmp_path,
    ).splitlines()
    assert said[0] == "False 4999950000.0 []"
    assert "File too large" in said[1] and "Allow larger files there, or set EMBEDDING_EXPLORER_STORE" in said[1]
    assert said[2] == "True False None ['small']"


@needs_posix
def test_a_full_disk_leaves_no_half_entry_and_the_work_goes_on(small_disk):
    said = run(
        """
print(staged(store, "small", 10).found, store.problem)
value = staged(store, "large", 200_000)
print(value.found, value.value.sum(), files(root))
print(store.problem)
print(staged(store, "large").found, staged(store, "small").found)
mapped = scratch.empty((10_000_000,), np.float64)
print(scratch.is_mapped(mapped))
model = TrainedModel(AutoencoderConfig(), None, (8, 8, 1), {"a": np.zeros((500_000,), np.float32)})
for act in (lambda: checkpoints.keep(model, "mine", root), lambda: checkpoints.write_checkpoint(model, root / "a.safetensors")):
    try:
        act()
    except ExplorerError as error:
        print(error)
print(files(root), checkpoints.names(root))
""".replace("mapped = scratch", "os.environ['EMBEDDING_EXPLORER_STORE'] = str(root)\nmapped = scratch"),
        small_disk,
    ).splitlines()
    small = "['latents/small/a.npy', 'latents/small/entry.json']"
    assert said[0] == "False None"
    assert said[1] == f"False 19999900000.0 {small}"
    assert "No space left on device" in said[2] and "Free some space, or set EMBEDDING_EXPLORER_STORE" in said[2]
    assert said[3:5] == ["True True", "False"]
    assert all("cannot be written" in line for line in said[5:7])
    assert said[7] == f"{small} []"


@needs_posix
def test_a_disk_without_inodes_is_a_full_disk(small_disk):
    said = run(
        """
for i in range(40):
    staged(store, f"k{i}", 10)
print("No space left" in store.problem, len(store.unsaved) > 20)
print(all(staged(store, f"k{i}", 10).found for i in range(40)))
whole = [e["key"] for e in store.entries()]
print(len(whole) > 0, all(Store(root).get("latents", key) for key in whole))
print([p for p in (root / "latents").iterdir() if p.name.startswith(".")])
""",
        small_disk,
    )
    assert said.splitlines() == ["True True", "True", "True True", "[]"]


@needs_posix
def test_in_a_folder_that_may_only_be_read_what_is_there_is_found_and_the_rest_goes_on_in_memory(anyones):
    Store(anyones / "store").put("latents", "there", ARRAYS, {}, 0.0)
    for path in [anyones / "store", *(anyones / "store").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    said = run(
        """
unprivileged()
print(store.get("latents", "there").arrays["a"].sum(), staged(store).found, staged(store).found)
print(store.problem)
try:
    store.clear()
except ExplorerError as error:
    print(error)
print(Store(root).has("latents", "there"), checkpoints.names(root))
""",
        anyones / "store",
    ).splitlines()
    assert said[0] == "499500.0 False True"
    assert "Permission denied" in said[1] and "Allow writing to it, or set EMBEDDING_EXPLORER_STORE" in said[1]
    assert "cannot be cleared: Permission denied" in said[2]
    assert said[3] == "True []"


@needs_posix
def test_one_stage_whose_folder_may_not_be_entered_does_not_stop_the_others(anyones):
    store = Store(anyones / "store")
    store.put("latents", "k", ARRAYS, {}, 0.0)
    store.put("projection", "k", ARRAYS, {}, 0.0)
    (anyones / "store" / "latents").chmod(0o000)
    for path in (anyones / "store", anyones / "store" / "projection", anyones / "store" / "projection" / "k"):
        path.chmod(0o777)
    said = run(
        """
unprivileged()
print(store.has("latents", "k"), store.get("latents", "k"), staged(store).found, "Permission denied" in store.problem)
store.put("projection", "new", {"a": np.zeros(3)}, {}, 0.0)
print(store.problem, sorted(e["key"] for e in store.entries()))
""",
        anyones / "store",
    )
    assert said.splitlines() == ["False None False True", "None ['k', 'new']"]


@pytest.mark.parametrize("where", ["store", "store/latents", "store/.locks"])
def test_a_file_where_a_folder_should_be_is_told_and_the_work_goes_on(where, tmp_path):
    path = tmp_path / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("in the way")
    store = Store(tmp_path / "store")
    for _ in range(2):
        staged = staged_in(
            store, "latents", "k", lambda: np.ones(3), lambda v: {"a": v}, lambda e: e.arrays["a"], lambda v: {}
        )
    assert staged.found and staged.value.sum() == 3
    if where != "store/.locks":
        assert "A file lies where a folder must be: move it away" in store.problem
    assert path.read_text() == "in the way"


def test_a_path_that_is_too_long_is_told_and_the_work_goes_on(tmp_path):
    store = Store(tmp_path / ("x" * 250) / ("y" * 300))
    assert not store.has("latents", "k") and store.get("latents", "k") is None
    store.put("latents", "k", ARRAYS, {}, 0.0)
    assert "with a shorter one" in store.problem
    assert store.get("latents", "k").arrays["a"].sum() == 499500
    assert store.size() == 0 and list(store.entries()) == []


def test_a_store_that_is_deleted_while_it_runs_is_made_again_and_mapped_arrays_are_still_read(store, monkeypatch):
    monkeypatch.setattr(folders, "MMAP_BYTES", 1000)
    store.put("latents", "k", ARRAYS, {}, 0.0)
    held = store.get("latents", "k").arrays["a"]
    with store.making("latents", "other"):
        shutil.rmtree(store.root)
        assert not store.has("latents", "k") and store.get("latents", "k") is None
        store.put("latents", "other", ARRAYS, {}, 0.0)
    store.put("latents", "k", {"a": np.zeros(1000)}, {}, 0.0)
    assert (store.problem, held.sum()) == (None, 499500)
    assert {entry["key"] for entry in Store(store.root).entries()} == {"k", "other"}
    assert store.get("latents", "k").arrays["a"].sum() == 0


def test_what_cannot_be_saved_does_not_fill_the_memory(tmp_path, monkeypatch):
    (tmp_path / "store").write_text("in the way")
    monkeypatch.setattr("core.store.store.UNSAVED_BYTES", 20_000)
    store = Store(tmp_path / "store")
    for number in range(5):
        store.put("latents", f"{number}", ARRAYS, {}, 0.0)
    assert list(store.unsaved) == [("latents", "3"), ("latents", "4")]
    store.put("latents", "large", {"a": np.zeros(10_000)}, {}, 0.0)
    assert list(store.unsaved) == [("latents", "large")]


def test_clear_says_when_it_cannot_delete(store, monkeypatch):
    store.put("latents", "k", ARRAYS, {}, 0.0)

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("core.whole.remove", refuse)
    with pytest.raises(StoreError, match=r"cannot be cleared: Permission denied\.$"):
        store.clear()


def test_an_entry_that_cannot_be_read_just_now_is_not_deleted(store, monkeypatch):
    store.put("latents", "k", ARRAYS, {}, 0.0)

    def refuse(path):
        raise OSError(24, "Too many open files")

    fresh = Store(store.root)
    with monkeypatch.context() as patch:
        patch.setattr(folders, "of_file", refuse)
        assert fresh.get("latents", "k") is None
    assert fresh.get("latents", "k").arrays["a"].sum() == 499500
