"""Arrays: what they may be, and one sentence for what they may not; nothing is unpickled."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.errors import DataError
from core.images import ArraySource, load

X = np.arange(4 * 8 * 9, dtype=np.uint8).reshape(4, 8, 9)


class Evil:
    """Something that runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def npy(path, array, **options):
    np.save(path, array, **options)
    return load(ArraySource(str(path)))


def npz(path, **arrays):
    np.savez(path, **arrays)
    return load(ArraySource(str(path)))


@pytest.mark.parametrize("x", [X, X[..., None], np.stack([X] * 3, axis=-1)])
def test_gray_and_colour_arrays_are_read(x, tmp_path):
    found = npy(tmp_path / "some.npy", x)
    np.testing.assert_array_equal(found.x.reshape(x.shape), x)
    assert (found.y, found.classes, found.ids, found.name) == (None, (), ("0", "1", "2", "3"), "some")
    assert not found.x.flags.writeable


def test_labels_may_lie_in_a_file_of_their_own(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", np.array(["b", "a10", "a2", "b"]))
    found = load(ArraySource(str(tmp_path / "x.npy"), labels=str(tmp_path / "y.npy")))
    assert found.classes == ("a2", "a10", "b")
    np.testing.assert_array_equal(found.y, [2, 1, 0, 2])


def test_npz_brings_labels_classes_ids_and_columns(tmp_path):
    found = npz(
        tmp_path / "all.npz", x=X, y=np.array([1, 0, 1, 1]), classes=np.array(["no", "yes"]),
        ids=np.array(["a", "b", "c", "d"]), weight=np.arange(4.0), other=np.arange(7),
    )  # fmt: skip
    assert (found.classes, found.ids) == (("no", "yes"), ("a", "b", "c", "d"))
    assert list(found.columns) == ["weight"]


def test_numbers_without_class_names_are_their_own_names(tmp_path):
    found = npz(tmp_path / "a.npz", x=X, y=np.array([7, 3, 7, 30]))
    assert found.classes == ("3", "7", "30")
    np.testing.assert_array_equal(found.y, [1, 0, 1, 2])


def test_arrays_in_npz_can_be_named(tmp_path):
    np.savez(tmp_path / "a.npz", pictures=X, kind=np.array([0, 1, 0, 1]))
    found = load(ArraySource(str(tmp_path / "a.npz"), x="pictures", y="kind"))
    assert found.classes == ("0", "1")
    with pytest.raises(DataError, match=r"no array 'x' with images; its arrays are: 'kind', 'pictures'"):
        load(ArraySource(str(tmp_path / "a.npz")))


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (X / 255, "values are float64; images must be uint8, 0..255: multiply by 255"),
        (X.astype(np.int64), "values are int64"),
        (X[0, 0], r"has 1 dimensions"),
        (X.reshape(4, 72), "reshape each row"),
        (X.reshape(2, 2, 8, 9, 1), "has 5 dimensions"),
        (np.zeros((4, 8, 8, 4), np.uint8), "RGBA"),
        (np.zeros((4, 3, 8, 8), np.uint8), "channels must come last"),
        (np.zeros((1, 8, 8), np.uint8), "needs at least 2 images; it has 1"),
        (np.zeros((4, 7, 8), np.uint8), "7 × 8 pixels; resize them to 8..128"),
        (np.zeros((4, 8, 129), np.uint8), "8 × 129 pixels"),
    ],
)
def test_arrays_that_are_no_images_are_one_sentence(x, sentence, tmp_path):
    with pytest.raises(DataError, match=sentence):
        npy(tmp_path / "a.npy", x)
    with pytest.raises(DataError, match=sentence):
        npz(tmp_path / "a.npz", x=x)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (np.arange(3), "4 images but labels of shape"),
        (np.zeros((4, 2), int), "4 images but labels of shape"),
        (np.array([0.5, 1, 2, 3]), "labels are float64; they must be whole numbers or texts"),
    ],
)
def test_labels_that_do_not_fit_are_one_sentence(y, sentence, tmp_path):
    with pytest.raises(DataError, match=sentence):
        npz(tmp_path / "a.npz", x=X, y=y)


def test_labels_beyond_the_classes_are_one_sentence(tmp_path):
    with pytest.raises(DataError, match="label 2, but only 2 classes"):
        npz(tmp_path / "a.npz", x=X, y=np.array([0, 1, 2, 0]), classes=np.array(["a", "b"]))


def test_objects_are_refused_and_never_unpickled(tmp_path):
    ran = tmp_path / "ran"
    np.save(tmp_path / "a.npy", np.array([Evil(ran)] * 4, dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="Python objects, which need pickle and are refused"):
        load(ArraySource(str(tmp_path / "a.npy")))
    np.savez(tmp_path / "a.npz", allow_pickle=True, x=X, y=np.array([Evil(ran)] * 4, dtype=object))
    with pytest.raises(DataError, match="array 'y' holds Python objects"):
        load(ArraySource(str(tmp_path / "a.npz")))
    assert not ran.exists()


def test_damaged_files_are_one_sentence(tmp_path):
    np.save(tmp_path / "a.npy", X)
    np.savez_compressed(tmp_path / "a.npz", x=X)
    for name in ("a.npy", "a.npz"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-60])
        with pytest.raises(DataError, match=f"{name} is not a NumPy file that can be read"):
            load(ArraySource(str(path)))
        path.write_text("I am no array")
        with pytest.raises(DataError, match=f"{name} is not a NumPy file that can be read"):
            load(ArraySource(str(path)))
    with pytest.raises(DataError, match="not a file that exists"):
        load(ArraySource(str(tmp_path / "none.npy")))


def test_a_header_that_claims_too_much_is_refused_before_memory_is_taken(tmp_path):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 128, 128)})
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as file:
        file.writestr("x.npy", head.getvalue())
    (tmp_path / "bomb.npy").write_bytes(head.getvalue())
    for name in ("bomb.npz", "bomb.npy"):
        with pytest.raises(DataError, match="GiB in memory; the limit is"):
            load(ArraySource(str(tmp_path / name)))
