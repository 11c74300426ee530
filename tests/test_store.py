"""The store: what goes in comes out, whole or not at all, and never more than the limit."""

import logging
import os
import platform
import threading

import numpy as np
import pytest

from core.store import Cleared, Entry, Store, default_root, fingerprint, folders, key_of, room

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(["x", "yy"])}
INFO = {"config": {"type": "PCAConfig"}, "n": 2}


def _age(store, stage, key, seconds):
    os.utime(store.root / stage / key / "entry.json", (seconds, seconds))


def test_an_entry_comes_back_with_equal_arrays_info_and_seconds(store):
    store.put("latents", "k", ARRAYS, INFO, 1.25)
    entry = Store(store.root).get("latents", "k")
    assert entry.info == INFO
    assert entry.seconds == 1.25
    assert set(entry.arrays) == {"a", "b"}
    for name, array in ARRAYS.items():
        assert entry.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(entry.arrays[name], array)


def test_arrays_are_read_only_when_made_and_when_found_and_the_callers_stays_writable(store):
    mine = np.zeros(3)
    made = store.put("latents", "k", {"a": mine}, {}, 0.0)
    for entry in (made, store.get("latents", "k")):
        with pytest.raises(ValueError, match="read-only"):
            entry.arrays["a"][0] = 1
    mine[0] = 1


def test_only_large_arrays_are_mapped(store, monkeypatch):
    monkeypatch.setattr(folders, "MMAP_BYTES", 1000)
    store.put("latents", "k", {"small": np.zeros(10), "large": np.zeros(1000)}, {}, 0.0)
    arrays = store.get("latents", "k").arrays
    assert isinstance(arrays["large"], np.memmap)
    assert not isinstance(arrays["small"], np.memmap)


def test_what_is_not_there_is_none(store):
    store.put("latents", "k", ARRAYS, INFO, 0.0)
    assert store.get("latents", "other") is None
    assert store.get("model", "k") is None
    assert store.has("latents", "k")
    assert not store.has("model", "k")


def test_objects_are_never_pickled(store):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        store.put("latents", "k", {"a": np.array([{}], dtype=object)}, {}, 0.0)
    assert not store.has("latents", "k")


def test_fingerprint_sees_values_shape_and_type_but_not_memory_layout():
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    changed = array.copy()
    changed[1, 2] += 1
    assert fingerprint(array) == fingerprint(np.asfortranarray(array))
    prints = [array, changed, array.reshape(3, 2), array.astype(np.int64), array.view(np.uint32)]
    assert len({fingerprint(item) for item in prints}) == len(prints)
    assert fingerprint(array, changed) != fingerprint(changed, array)


def test_fingerprint_and_key_are_the_same_in_every_version_of_the_program():
    assert fingerprint(np.arange(4, dtype=np.uint8)) == "f454f70b28d8830b319f28083084d307"
    assert key_of(1, "abc", {"type": "PCAConfig", "n_components": 2}) == "2e2599d6f491c118e2637a2cba6d8793"


def test_key_changes_with_version_and_every_part_but_not_with_the_order_of_settings():
    key = key_of(1, "abc", {"a": 1, "b": 2})
    assert key == key_of(1, "abc", {"b": 2, "a": 1})
    others = [
        key_of(2, "abc", {"a": 1, "b": 2}),
        key_of(1, "abd", {"a": 1, "b": 2}),
        key_of(1, "abc", {"a": 1, "b": 3}),
    ]
    assert len({key, *others}) == 4


def test_a_truncated_array_is_a_warning_and_a_miss_and_is_made_again(store, caplog):
    store.put("latents", "k", ARRAYS, INFO, 0.0)
    file = store.root / "latents" / "k" / "a.npy"
    file.write_bytes(file.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        assert store.get("latents", "k") is None
    assert "a.npy has 151 bytes instead of 152" in caplog.text
    assert not store.has("latents", "k")
    store.put("latents", "k", ARRAYS, INFO, 0.0)
    np.testing.assert_array_equal(store.get("latents", "k").arrays["a"], ARRAYS["a"])


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"files": {"gone.npy": 3}}'])
def test_a_broken_sidecar_is_a_warning_and_a_miss(store, caplog, content):
    store.put("latents", "k", ARRAYS, INFO, 0.0)
    (store.root / "latents" / "k" / "entry.json").write_text(content)
    assert store.get("latents", "k") is None
    assert "it is made again" in caplog.text
    assert list(store.entries()) == []


def test_an_interrupted_write_leaves_nothing_behind(store, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(folders, "sealed", stop)
    with pytest.raises(KeyboardInterrupt):
        store.put("latents", "k", ARRAYS, INFO, 0.0)
    assert not store.has("latents", "k")
    assert list((store.root / "latents").iterdir()) == []


def test_a_half_written_entry_of_a_killed_process_is_not_an_entry(store):
    store.put("latents", "k", ARRAYS, INFO, 0.0)
    (store.root / "latents" / "k").rename(store.root / "latents" / ".tmp-of-the-dead")
    assert store.get("latents", "k") is None
    assert list(store.entries()) == []
    assert store.size() == 0


def test_above_the_limit_the_least_recently_used_goes_first(store):
    one = {"a": np.zeros(1000)}
    for number, key in enumerate(["old", "middle", "new"]):
        store.put("latents", key, one, {}, 0.0)
        _age(store, "latents", key, 1000 + number)
    assert store.get("latents", "old") is not None  # used now: no longer the oldest
    store.limit_bytes = int(store.size() * 1.1)
    store.put("latents", "newest", one, {}, 0.0)
    assert {entry["key"] for entry in store.entries()} == {"old", "new", "newest"}
    assert store.size() <= store.limit_bytes


def test_the_newest_entry_stays_even_when_it_alone_is_over_the_limit(store):
    store.limit_bytes = 10
    store.put("latents", "first", {"a": np.zeros(100)}, {}, 0.0)
    store.put("latents", "second", {"a": np.zeros(100)}, {}, 0.0)
    assert [entry["key"] for entry in store.entries()] == ["second"]


def test_the_order_of_use_is_right_after_the_clock_was_set_back(store, monkeypatch):
    one, times = {"a": np.zeros(1000)}, iter(range(10**18, 0, -(10**9)))  # each call a second earlier
    monkeypatch.setattr("time.time_ns", lambda: next(times))
    for key in ("a", "b", "c"):
        store.put("latents", key, one, {}, 0.0)
    assert store.get("latents", "a") is not None
    store.limit_bytes = int(store.size() * 1.1)
    store.put("latents", "d", one, {}, 0.0)
    assert {entry["key"] for entry in store.entries()} == {"a", "c", "d"}


def test_entries_of_a_store_from_before_there_was_a_clock_are_older_than_what_is_used_now(store):
    one = {"a": np.zeros(1000)}
    for number, key in enumerate(["old", "older"]):
        store.put("latents", key, one, {}, 0.0)
        _age(store, "latents", key, 4_000_000_000 - number)  # dates ahead of the clock
    (store.root / ".clock").unlink()
    fresh = Store(store.root)
    fresh.put("latents", "new", one, {}, 0.0)
    fresh.put("latents", "newest", one, {}, 0.0)
    fresh.limit_bytes = int(store.size() * 0.9)
    fresh.put("latents", "last", one, {}, 0.0)
    assert {entry["key"] for entry in store.entries()} == {"new", "newest", "last"}


def test_a_large_store_is_walked_once_and_not_at_each_put(store, monkeypatch):
    walks, look = [], room.look
    monkeypatch.setattr(room, "look", lambda *given: walks.append(given) or look(*given))
    for number in range(50):
        store.put("latents", f"{number}", ARRAYS, INFO, 0.0)
    assert len(walks) == 2  # one for the date of the newest use, one for the size


def test_entries_say_with_which_versions_they_were_made(store):
    store.put("latents", "k", ARRAYS, INFO, 0.5)
    (entry,) = store.entries()
    assert entry["versions"]["numpy"] == np.__version__
    assert entry["versions"]["python"] == platform.python_version()
    assert {"torch", "scikit-learn", "numba", "platform"} <= set(entry["versions"])
    assert "pytest" not in entry["versions"]


def test_entries_tell_what_made_them_and_how_large_they_are(store):
    store.put("latents", "k", ARRAYS, INFO, 0.5)
    store.put("model", "m", {}, {"name": "digits"}, 2.0)
    (entry,) = store.entries("latents")
    assert (entry["stage"], entry["key"], entry["info"], entry["seconds"]) == ("latents", "k", INFO, 0.5)
    assert entry["bytes"] == sum(file.stat().st_size for file in (store.root / "latents" / "k").glob("*.npy"))
    assert {item["stage"] for item in store.entries()} == {"latents", "model"}


def _shipped(tmp_path):
    path = tmp_path / "shipped" / "latents" / "s"
    path.mkdir(parents=True)
    np.savez(path / "arrays.npz", a=np.arange(3))
    size = (path / "arrays.npz").stat().st_size
    (path / "entry.json").write_text(f'{{"seconds": 9.0, "info": {{"n": 3}}, "files": {{"arrays.npz": {size}}}}}')
    return tmp_path / "shipped"


def test_shipped_entries_are_found_and_survive_clearing(store, tmp_path):
    store.shipped = _shipped(tmp_path)
    store.put("latents", "k", ARRAYS, INFO, 0.0)
    assert store.clear() == Cleared(1)
    assert store.get("latents", "k") is None
    entry = store.get("latents", "s")
    assert store.has("latents", "s")
    np.testing.assert_array_equal(entry.arrays["a"], [0, 1, 2])
    assert (entry.info, entry.seconds) == ({"n": 3}, 9.0)
    with pytest.raises(ValueError, match="read-only"):
        entry.arrays["a"][0] = 5


def test_a_broken_shipped_entry_is_a_miss_and_is_not_deleted(store, tmp_path, caplog):
    store.shipped = _shipped(tmp_path)
    file = store.shipped / "latents" / "s" / "arrays.npz"
    file.write_bytes(b"x" * file.stat().st_size)
    assert store.get("latents", "s") is None
    assert "cannot be read" in caplog.text
    assert file.is_file()


def test_what_cannot_be_written_stays_in_memory_and_the_problem_says_so(tmp_path, caplog):
    blocked = tmp_path / "store"
    blocked.write_text("a file where the folder should be")
    store = Store(blocked)
    store.put("latents", "k", ARRAYS, INFO, 1.0)
    assert store.has("latents", "k")
    np.testing.assert_array_equal(store.get("latents", "k").arrays["a"], ARRAYS["a"])
    assert "cannot be written" in store.problem
    assert "EMBEDDING_EXPLORER_STORE" in store.problem
    assert store.clear() == Cleared(1)
    assert store.get("latents", "k") is None
    assert store.problem is None


def test_entries_of_another_process_are_adopted_read_only(store):
    store.adopt({("latents", "k"): Entry({"a": np.zeros(2)}, INFO, 1.0)}, "The disk is full.")
    assert store.problem == "The disk is full."
    with pytest.raises(ValueError, match="read-only"):
        store.get("latents", "k").arrays["a"][0] = 1
    store.adopt({}, None)
    assert store.problem == "The disk is full."


def test_writers_of_one_key_do_not_disturb_each_other(store):
    stores = [Store(store.root) for _ in range(4)]

    def write(one):
        for _ in range(20):
            one.put("latents", "k", ARRAYS, INFO, 0.0)

    threads = [threading.Thread(target=write, args=(one,)) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.problem for one in stores] == [None] * 4
    assert [path.name for path in (store.root / "latents").iterdir()] == ["k"]
    np.testing.assert_array_equal(store.get("latents", "k").arrays["a"], ARRAYS["a"])


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "here"))
    assert default_root() == tmp_path / "here"
    monkeypatch.delenv("EMBEDDING_EXPLORER_STORE")
    assert default_root().name == "store"
