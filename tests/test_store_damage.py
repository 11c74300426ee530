"""Damage of stored files: a flipped bit or a cut anywhere is a warning and a miss, never another result."""

import json
import logging
import os
import shutil

import numpy as np
import pytest

from core.checksums import Damaged, of_file, sealed, unsealed
from core.images import assets_root
from core.store import Store, folders
from core.whole import beside

ARRAYS = {
    "latents": np.arange(300, dtype=np.float32).reshape(100, 3),
    "labels": np.arange(40, dtype=np.int64),
    "names": np.array(["x", "yy"]),
}
INFO = {"config": {"type": "PCAConfig", "k": 10}, "n": 2, "inertia": 12.5, "name": "é"}


def _whole(entry):
    return (
        dict(entry.info) == INFO
        and entry.seconds == 1.25
        and set(entry.arrays) == set(ARRAYS)
        and all((entry.arrays[name] == array).all() for name, array in ARRAYS.items())
    )


@pytest.fixture
def kept(store):
    """A store with one entry, and a copy of its folder to damage again and again."""
    store.put("latents", "k", ARRAYS, INFO, 1.25)
    shutil.copytree(store.root / "latents" / "k", store.root.parent / "copy")
    return store


def _damaged(kept, name, change):
    """Damage one file of the entry and return what a process that starts then finds."""
    path = kept.root / "latents" / "k"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(kept.root.parent / "copy", path)
    data = (path / name).read_bytes()
    (path / name).write_bytes(change(data))
    return Store(kept.root)


def _flip(bit):
    def change(data):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        return bytes(flipped)

    return change


@pytest.mark.parametrize("name", ["entry.json", "latents.npy", "labels.npy", "names.npy"])
def test_a_flipped_bit_anywhere_is_a_warning_and_a_miss_and_the_entry_is_made_again(name, kept, rng, caplog):
    bits = (kept.root / "latents" / "k" / name).stat().st_size * 8
    for bit in rng.choice(bits, 60, replace=False):
        found = _damaged(kept, name, _flip(int(bit)))
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert found.get("latents", "k") is None, f"bit {bit}"
        assert "it is made again" in caplog.text
        assert not found.has("latents", "k")
        found.put("latents", "k", ARRAYS, INFO, 1.25)
        assert _whole(Store(kept.root).get("latents", "k"))


@pytest.mark.parametrize("name", ["entry.json", "latents.npy", "labels.npy", "names.npy"])
def test_a_file_that_was_cut_is_a_miss(name, kept, rng):
    size = (kept.root / "latents" / "k" / name).stat().st_size
    for length in [0, 1, size - 2, *rng.integers(2, size - 2, 20)]:
        assert _damaged(kept, name, lambda data, length=length: data[:length]).get("latents", "k") is None


def test_a_flipped_bit_in_an_entry_of_an_earlier_version_raises_nothing(kept, rng):
    sidecar = kept.root.parent / "copy" / "entry.json"
    values = {
        name: value for name, value in unsealed(sidecar.read_bytes()).items() if name not in ("sums", "versions")
    }
    sidecar.write_text(json.dumps(values))
    assert _whole(_damaged(kept, "latents.npy", lambda data: data).get("latents", "k"))
    for name in ("entry.json", "latents.npy", "names.npy"):
        bits = (kept.root.parent / "copy" / name).stat().st_size * 8
        for bit in rng.choice(bits, min(bits, 400), replace=False):
            _damaged(kept, name, _flip(int(bit))).get("latents", "k")


def test_a_damaged_entry_is_not_taken_for_the_one_that_another_process_has_made(kept):
    found = _damaged(kept, "latents.npy", _flip(2000))
    found.put("latents", "k", ARRAYS, INFO, 1.25)  # without having looked
    assert _whole(Store(kept.root).get("latents", "k"))


def test_files_are_checked_once_in_a_process_and_again_when_they_have_changed(kept, monkeypatch):
    checked = []
    monkeypatch.setattr(folders, "of_file", lambda file: checked.append(file.name) or of_file(file))
    assert kept.get("latents", "k") is not None
    assert checked == []  # it wrote them
    fresh = Store(kept.root)
    assert fresh.get("latents", "k") is not None and fresh.get("latents", "k") is not None
    assert sorted(checked) == sorted(f"{name}.npy" for name in ARRAYS)
    file = kept.root / "latents" / "k" / "labels.npy"
    file.write_bytes(_flip(1100)(file.read_bytes()))
    assert fresh.get("latents", "k") is None
    assert checked[3:] == ["labels.npy"]


def test_large_arrays_are_checked_in_pieces(kept, monkeypatch):
    monkeypatch.setattr("core.checksums.PIECE_BYTES", 100)
    monkeypatch.setattr(folders, "MMAP_BYTES", 1000)
    assert isinstance(Store(kept.root).get("latents", "k").arrays["latents"], np.memmap)
    assert _damaged(kept, "latents.npy", _flip(9000)).get("latents", "k") is None


def test_every_flipped_bit_of_a_sealed_text_is_found():
    values = {"a": 1.5, "sum of all": "0123abcd", "b": [None, True, "é\n"]}
    text = sealed(values, indent=1)
    assert unsealed(text) == values
    for bit in range(len(text) * 8):
        with pytest.raises(ValueError):
            unsealed(_flip(bit)(text))


def test_a_text_without_a_checksum_is_read_as_it_is():
    assert unsealed(b'{"a": 1}') == {"a": 1}
    assert unsealed(b"[1]") == [1]
    with pytest.raises(Damaged):
        unsealed(b'{"sum": 5, "a": 1}')


def test_every_shipped_entry_has_checksums_and_is_whole():
    root = assets_root() / "store"
    shipped = sorted(root.glob("*/*/entry.json"))
    assert shipped
    for path in shipped:
        sidecar = unsealed(path.read_bytes())
        assert path.read_bytes().startswith(b'{\n "sum"')
        assert sidecar["sums"] == {"arrays.npz": of_file(path.parent / "arrays.npz")}
        assert Store(root.parent / "none", shipped=root).get(path.parts[-3], path.parts[-2]) is not None


def test_what_killed_writers_left_is_swept_when_it_is_old_and_they_are_gone(store, monkeypatch):
    store.put("latents", "k", ARRAYS, INFO, 0.0)
    mine = beside(store.root / "latents" / "x")
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: 2**22 + 1)  # larger than any there is
        dead, young = beside(store.root / "latents" / "x"), beside(store.root / "latents" / "x")
    forgotten, unknown = store.root / "latents" / ".abc", store.root / "latents" / "half"
    day = 25 * 3600
    for path, age in ((mine, 2 * 3600), (dead, 2 * 3600), (young, 60), (forgotten, day), (unknown, 2 * 3600)):
        path.mkdir()
        (path / "a.npy").write_bytes(b"x")
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))
    Store(store.root).put("latents", "other", ARRAYS, INFO, 0.0)
    left = {path.name for path in (store.root / "latents").iterdir()}
    assert left == {"k", "other", mine.name, young.name, "half"}
