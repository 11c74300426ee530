"""What is larger than the memory: it stays in files, and what is taken at a time does not grow with it."""

import hashlib
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest

from core import imageset, latents, scratch, stages
from core.config import AutoencoderConfig
from core.errors import DataError
from core.images import ArraySource, FolderSource, JoinedSource, SubsetSource, image_set, load
from core.models import TrainedModel
from core.plans import Staged
from core.projection.linear import components, pca, standardize
from core.readers import arrays
from core.store import fingerprint
from tests.made_up import blobs

SIDE = (32, 32, 3)
N = 10_000  # 31 MB
MB = 1_000_000


@contextmanager
def at_most(size):
    """Hold that what the block takes of the memory at once stays below some bytes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size, f"{peak:,} bytes"


@pytest.fixture(scope="module")
def pixels():
    """Images of 31 MB."""
    return np.random.default_rng(0).integers(0, 255, (N, *SIDE), dtype=np.uint8)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Let everything above 1 MB count as large, and lie in a folder of its own."""
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(scratch, "LARGE", MB)
    monkeypatch.setattr(scratch, "ROWS_BYTES", MB)
    monkeypatch.setattr(arrays, "MMAP_BYTES", MB)
    monkeypatch.setattr(arrays, "OWN_FILE", MB)
    return tmp_path


def test_a_large_array_lies_in_a_file_that_nobody_else_sees(files):
    made = scratch.empty((1000, 2000), np.uint8)
    assert isinstance(made, np.memmap) and made.shape == (1000, 2000) and made.flags.writeable
    made[:] = 7
    assert made.sum() == 14_000_000
    assert scratch.is_mapped(made[5:]) and not scratch.is_mapped(np.ones(3))
    assert list((files / "store").iterdir()) == []
    assert not scratch.is_mapped(scratch.empty((1000,), np.uint8))


def test_where_no_file_can_be_it_lies_in_memory(files, monkeypatch):
    (files / "store").write_text("a file")
    assert scratch.empty((1000, 2000), np.uint8).shape == (1000, 2000)
    assert not scratch.is_mapped(scratch.empty((1000, 2000), np.uint8))


def test_rows_and_joined_arrays_are_those_of_numpy(files):
    array = np.arange(3_000_000, dtype=np.int32).reshape(-1, 3)
    rows = np.array([5, 999_999, 0, 5])
    assert (scratch.take(array, rows) == array[rows]).all()
    every = np.arange(0, 1_000_000, 2)
    found = scratch.take(array, every)
    assert scratch.is_mapped(found) and (found == array[::2]).all()
    assert (scratch.joined([array[:3], array[7:9]]) == np.concatenate([array[:3], array[7:9]])).all()
    assert scratch.in_order(array) is array
    assert (scratch.in_order(array.T) == array.T).all() and scratch.in_order(array.T).flags.c_contiguous


def test_a_fingerprint_is_that_of_the_bytes_however_they_lie():
    array = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
    assert fingerprint(np.asfortranarray(array)) == fingerprint(array) == fingerprint(array.copy())
    assert fingerprint(array) == hashlib.blake2b(b"|u1(5, 4, 3)" + array.tobytes(), digest_size=16).hexdigest()
    turned = np.zeros((10, 4_000_000), np.uint8).T  # 40 MB
    with at_most(20 * MB):
        fingerprint(turned)


def test_pixels_of_a_npy_stay_in_their_file(files, pixels, store):
    path = files / "many.npy"
    np.save(path, pixels)
    with at_most(5 * MB):
        found = load(ArraySource(str(path)))
        staged = stages.images(store, ArraySource(str(path)))
        again = stages.images(store, ArraySource(str(path)))
    assert scratch.is_mapped(found.x) and scratch.is_mapped(staged.value.x) and again.found
    assert found.fingerprint == again.value.fingerprint == fingerprint(pixels)
    assert (again.value.x[-1] == pixels[-1]).all() and again.value.ids[-1] == str(N - 1)
    assert store.size() < 10_000  # no second copy of the pixels


def test_a_small_npy_is_kept_whole(store, tmp_path):
    np.save(tmp_path / "few.npy", blobs()[0])
    found = stages.images(store, ArraySource(str(tmp_path / "few.npy")))
    assert not scratch.is_mapped(found.value.x) and store.size() > blobs()[0].nbytes


def test_parts_and_subsets_of_large_files_lie_in_files(files, pixels):
    np.save(files / "many.npy", pixels)
    source = ArraySource(str(files / "many.npy"))
    with at_most(6 * MB):
        half = load(SubsetSource(source, N // 2))
        both = load(JoinedSource(("train", "test"), (source, source)))
    assert scratch.is_mapped(half.x) and scratch.is_mapped(both.x)
    assert (both.x[N + 3] == pixels[3]).all() and (half.x[0] == pixels[int(half.ids[0])]).all()


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_npz_is_unpacked_into_a_file(files, pixels, order):
    np.savez_compressed(files / "many.npz", x=np.asarray(pixels, order=order), y=np.arange(N) % 3)
    with at_most(12 * MB):
        found = load(ArraySource(str(files / "many.npz")))
    assert scratch.is_mapped(found.x) and found.fingerprint == fingerprint(pixels)
    assert found.y[4] == 1


def test_a_folder_of_many_pictures_is_read_into_a_file(files):
    from PIL import Image

    for i, picture in enumerate(blobs(400, 64, 1)[0]):
        Image.fromarray(picture[..., 0]).save(files / f"{i}.png")
    found = load(FolderSource(str(files)))
    assert scratch.is_mapped(found.x) and (found.x[7] == blobs(400, 64, 1)[0][7]).all()


def test_only_what_lies_in_memory_has_the_limit_of_memory(files, monkeypatch):
    monkeypatch.setattr(imageset, "LIMIT_BYTES", MB)
    x = scratch.empty((500, 64, 64), np.uint8)
    x[:] = 0
    assert len(image_set(x)) == 500
    with pytest.raises(DataError, match=r"takes 0\.0 GiB in memory; the limit is"):
        image_set(np.array(x))
    monkeypatch.setattr(imageset, "MAPPED_BYTES", MB)
    with pytest.raises(DataError, match=r"takes 0\.0 GiB; the limit is"):
        image_set(x)


def test_encoding_writes_into_files_and_gives_the_same(files, store, monkeypatch):
    import torch

    from core import autoencoders

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = autoencoders.build(AutoencoderConfig(64, 4), (16, 16, 1))
    model = TrainedModel(AutoencoderConfig(64, 4), None, (16, 16, 1), autoencoders.to_weights(module))
    images = image_set(blobs(6000, 16)[0])
    few = latents.encode(model, image_set(images.x[:300]))  # in memory
    latents.encode(model, images)  # what is made once is there
    with at_most(2 * MB):  # latents and reconstructions have 1.5 MB each
        found = latents.encode(model, images)
    assert scratch.is_mapped(found.latents) and scratch.is_mapped(found.reconstructions)
    np.testing.assert_allclose(found.latents[:300], few.latents, atol=1e-5)
    assert np.abs(found.errors[:300] - few.errors).max() < 1e-4
    monkeypatch.setattr("core.entries.LARGE", MB)
    monkeypatch.setattr("core.store.folders.MMAP_BYTES", MB)
    kept = stages.latents(store, model, Staged(images, "k", True, 0.0), ArraySource("none"))
    assert not kept.found and (kept.value.latents == found.latents).all()
    assert all(
        str(getattr(kept.value, name).base.filename).startswith(str(store.root))
        for name in ("latents", "reconstructions")
    )


def test_principal_components_take_no_second_copy_of_all_values():
    values = np.random.default_rng(0).normal(3, 2, (600_000, 64)).astype(np.float32)  # 154 MB
    values[:, 5] = 7
    with at_most(130 * MB):  # batches of 32 MB
        scores, shares = pca(values, 2)
        found = components(values)
    np.testing.assert_allclose(scores.var(axis=0, dtype=np.float64) / found.total, shares, rtol=1e-5)
    np.testing.assert_allclose(found.total, values.var(axis=0, dtype=np.float64).sum(), rtol=1e-9)
    with at_most(290 * MB):  # the result is one
        made = standardize(values)
    assert (made[:, 5] == 0).all()
    np.testing.assert_allclose(made[:, 4].std(), 1, rtol=1e-4)
