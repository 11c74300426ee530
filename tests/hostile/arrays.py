"""Arrays: objects that run code, headers that lie or are programs, members that lie, come twice or by the million."""

import io
import pickle
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.hostile.archives import Entry, _bomb, _million, raw_zip
from tests.hostile.case import MB, Case, pixels
from tests.hostile.pictures import flipped

X = np.arange(4 * 8 * 12, dtype=np.uint16).reshape(4, 8, 12).astype(np.uint8)
BROKEN = "is not a NumPy file that can be read"


class Payload:
    """Something that leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def npy(array: np.ndarray = X) -> bytes:
    """Return an array as the bytes of its file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def headed(header: str | bytes, data: bytes = X.tobytes(), version: int = 1, length: int | None = None) -> bytes:
    """Return a `.npy` with a header as it is given."""
    text = header.encode("latin1") if isinstance(header, str) else header
    size = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + size.to_bytes(2 if version == 1 else 4, "little") + text + data


def shaped(shape: Any, descr: Any = "|u1", order: Any = False, data: bytes = X.tobytes(), version: int = 1) -> bytes:
    """Return a `.npy` whose header says a shape and a type."""
    return headed(f"{{'descr': {descr!r}, 'fortran_order': {order!r}, 'shape': {shape}, }}\n", data, version)


def npz(*entries: Entry, x: bytes | None = b"") -> bytes:
    """Return a `.npz` with images and further members."""
    first = [] if x is None else [Entry(b"x.npy", x or npy())]
    return raw_zip([*first, *entries])


def _file(
    name: str, content: bytes | Callable[[], bytes], labels: bytes | None = None
) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        (root / name).write_bytes(content() if callable(content) else content)
        if labels is None:
            return {"path": str(root / name)}
        (root / "labels.npy").write_bytes(labels)
        return {"path": str(root / name), "labels": str(root / "labels.npy")}

    return build


def refused(
    label: str, content: bytes | Callable[[], bytes], why: str = BROKEN, name: str = "some.npy", **more: Any
) -> Case:
    """Return a case that is refused."""
    return Case(label, "images", _file(name, content), refused=why, **more)


def zipped(label: str, content: bytes | Callable[[], bytes], why: str = BROKEN, **more: Any) -> Case:
    """Return a case of a `.npz` that is refused."""
    return refused(label, content, why, "some.npz", **more)


def is_x(value: Any) -> None:
    """Check that the images are X."""
    np.testing.assert_array_equal(pixels(value)[..., 0], X)


def only_x(value: Any) -> None:
    """Check that the images are X and nothing else came with them."""
    is_x(value)
    assert value["columns"] == {} and value["y"] is None


def _objects(root: Path) -> dict[str, Any]:
    np.save(root / "some.npy", np.array([Payload(root / "ran")] * 4, dtype=object), allow_pickle=True)
    return {"path": str(root / "some.npy")}


def _object_member(name: str) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        held = {"x": X} | {name: np.array([Payload(root / "ran")] * 4, dtype=object)}
        np.savez(root / "some.npz", allow_pickle=True, **held)
        return {"path": str(root / "some.npz")}

    return build


def _pickle(ending: str) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        (root / f"some{ending}").write_bytes(pickle.dumps(Payload(root / "ran")))
        return {"path": str(root / f"some{ending}")}

    return build


def _sparse(root: Path) -> dict[str, Any]:
    with (root / "some.npy").open("wb") as file:  # nothing lies behind the header
        file.write(shaped((10**9, 64, 64), data=b""))
        file.truncate(1 << 33)
    return {"path": str(root / "some.npy")}


def _unaligned() -> bytes:
    return headed("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 8, 12), }   \n")


def with_labels(label: str, y: bytes, why: str = BROKEN) -> Case:
    return Case(label, "images", _file("some.npy", npy(), y), refused=why)


CASES = [
    Case("objects", "images", _objects, refused="Python objects, which need pickle and are refused"),
    Case("a pickle called .npy", "images", _pickle(".npy"), refused=BROKEN),
    Case("a pickle called .npz", "images", _pickle(".npz"), refused=BROKEN),
    Case("objects as labels in a .npz", "images", _object_member("y"), refused="array 'y' holds Python objects"),
    Case("objects as images in a .npz", "images", _object_member("x"), refused="array 'x' holds Python objects"),
    Case("objects as another array", "images", _object_member("z"), refused="array 'z' holds Python objects"),
    refused("objects within a structure", shaped("(4,)", [("a", "|O"), ("b", "<i4")]), "Python objects"),
    refused("a structure", shaped("(4, 8)", [("a", "<i4"), ("b", "<i8")]), "values are|longer|damaged"),
    refused("more images than there are", shaped((400, 8, 12))),
    Case("fewer images than there are", "images", _file("some.npy", shaped((3, 8, 12))),
         holds=lambda value: np.testing.assert_array_equal(pixels(value)[..., 0], X[:3])),
    refused("a negative number", shaped((-4, 8, 12))),
    refused("minus one, which NumPy takes for all", shaped((-1, 8, 12))),
    refused("2^62 images", shaped((2**62, 8, 12)), "the limit is"),
    refused("2^62 a side", shaped((2**62, 2**62, 2**62)), "pixels; resize|the limit"),
    refused("10^300 images", shaped((10**300, 8, 12)), "the limit is"),
    refused("10^4000 images", shaped(f"(1{'0' * 4000}, 8, 12)"), "the limit is"),
    refused("10^9000 images", shaped(f"(1{'0' * 9000}, 8, 12)")),
    refused("a header of 4 GiB", headed("{'descr'", version=2, length=2**32 - 1)),
    refused("a header of 10 MB", lambda: headed("{'descr': '|u1', 'a': '" + "b" * 10 * MB, version=2)),
    refused("a header of 9,000 brackets", headed("(" * 9000)),
    refused("a header of 9,000 signs", headed("-" * 9000 + "1")),
    refused("a header of 3,000 sums", headed("1" + "+1" * 3000)),
    refused("a header that is a program", headed("__import__('os').system('touch ran')\n")),
    refused("a header that is a comprehension", headed("[x for x in ().__class__.__bases__]\n")),
    refused("a header that is a power", headed("9**9**9**9\n")),
    refused("a header without an end", headed("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 8, 12)")),
    refused("a header of zeros", headed(bytes(100))),
    refused("a header with an indent", headed("  {\n   'a'\n :\n\t1")),
    refused("an unhashable header", headed("{[]: 1}\n")),
    refused("a header of another kind", headed("[1, 2, 3]\n")),
    refused("a header without a shape", headed("{'descr': '|u1', 'fortran_order': False}\n")),
    refused("a header with more", headed("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 8, 12), 'run': 'ran'}\n")),
    refused("a shape of texts", shaped("('4', 8, 12)")),
    refused("a shape of fractions", shaped("(4.0, 8, 12)")),
    refused("a shape that is a number", shaped("4")),
    refused("1,000 dimensions", shaped("(" + "1," * 1000 + ")"), f"{BROKEN}|dimensions"),
    refused("a type of 2^40 bytes", shaped("(4,)", "|V1099511627776"), f"{BROKEN}|values are"),
    refused("a type of nobody", shaped("(4, 8, 12)", "|q77")),
    refused("a type of no bytes", shaped("(4, 8, 12)", "|V0"), f"{BROKEN}|values are"),
    refused("a type within types", shaped("(4,)", ("|u1", (2**20, 2**20))), f"{BROKEN}|values are|limit"),
    refused("an order of nobody", shaped("(4, 8, 12)", order="yes")),
    refused("version 3", shaped((4, 8, 12), version=3)),
    refused("version 200", shaped((4, 8, 12), version=200)),
    refused("no header", b"\x93NUMPY\x01\0"),
    refused("nothing", b""),
    refused("text", b"I am no array"),
    Case("a file of 8 GiB that claims 4 TiB", "images", _sparse, refused="the limit is"),
    Case("columns first", "images", _file("some.npy", npy(np.asfortranarray(X))), holds=is_x),
    Case("columns first, it says", "images", _file("some.npy", shaped((4, 8, 12), order=True)),
         holds=lambda value: np.testing.assert_array_equal(pixels(value)[..., 0], X.reshape(12, 8, 4).T)),
    Case("data at an odd place", "images", _file("some.npy", _unaligned()), holds=is_x),
    Case("more behind the data", "images", _file("some.npy", npy() + b"more" * 1000), holds=is_x),
    *(refused(f"cut to {size} bytes", npy()[:size]) for size in (5, 9, 60, 128, 500)),
    *(Case(f"bits turned over, {seed}", "images", _file("some.npy", lambda s=seed: flipped(npy(), s, 3)), refused=".",
           holds=lambda value: None) for seed in range(8)),
    with_labels("labels that are cut", npy(np.arange(4))[:-8]),
    with_labels("labels that lie", shaped("(1000000000,)", "<i8"), "the limit is"),
    with_labels("labels of 3 GiB, it says", shaped("(4,)", "<U200000000"), "the limit is|not a NumPy"),
    with_labels("labels with pickles", pickle.dumps([1])),
    with_labels("labels in two dimensions", npy(np.zeros((4, 2), int)), "labels of shape"),
    with_labels("labels that are NaN", npy(np.full(4, np.nan)), "labels are float64"),
    with_labels("labels that are dates", npy(np.zeros(4, "datetime64[s]")), "labels are"),
    with_labels("labels that are complex", npy(np.zeros(4, complex)), "labels are"),
    Case("labels with markup and zeros", "images", _file("some.npy", npy(), npy(np.array(["<b>", "a\0b", "\u202e", "=1"]))),
         holds=lambda value: value["classes"].index("<b>")),
    Case("labels of 10,000 letters", "images", _file("some.npy", npy(), npy(np.array(["a" * 10_000, "b", "c", "d"]))),
         holds=lambda value: [len(name) <= 200 for name in value["classes"]].index(True)),
    zipped("no images in it", npz(x=None), "has no array 'x'"),
    zipped("a bomb in it, labels of 4 GiB", lambda: npz(Entry(b"y.npy", shaped("(536870912,)", "<i8", data=b""), 8)),
         BROKEN),
    zipped("images of 4 TiB, it says", npz(x=shaped((10**9, 64, 64))), "the limit is"),
    zipped("images of 3 GiB that are not there", npz(x=shaped((300_000, 100, 100)))),
    Case("a bomb that nobody needs", "images", _file("some.npz", lambda: npz(Entry(
        b"bomb.npy", b"", 8, data=partial(_bomb, 100), size=100 * MB))), refused=BROKEN),
    Case("values of 100 MB that nobody needs", "images", _file("some.npz", lambda: _with_zeros("bomb")), holds=only_x,
         memory=50 * MB),
    zipped("a label type of 100 MB", lambda: npz(Entry(b"y.npy", shaped("(4,)", "<U100000000")))),
    zipped("ids of 4 GiB", lambda: npz(Entry(b"ids.npy", shaped("(4,)", "<U300000000"))), "the limit|not a NumPy"),
    zipped("the same name twice", npz(Entry(b"x.npy", npy(X + 1))), "has the array 'x' twice"),
    zipped("the same place twice", npz(Entry(b"y.npy", offset=0))),
    zipped("a million members", _million, "more than 200,000 entries", memory=250 * MB),
    zipped("a member that is a pickle", npz(Entry(b"y.npy", pickle.dumps([1, 2, 3, 4])))),
    Case("a member that is a pickle by name", "images", _file("some.npz", npz(Entry(b"y.pkl", pickle.dumps([1])))),
         holds=only_x),
    Case("names that lead out", "images", _file("some.npz", npz(Entry(b"../../outside/ran.npy", npy(np.arange(4))),
         Entry(b"/etc/ran.npy", npy(np.arange(4))))), holds=is_x),
    Case("columns with hostile names", "images", _file("some.npz", npz(
         Entry(b"<img src=x onerror=alert(1)>.npy", npy(np.arange(4))),
         Entry(b"=1+1.npy", npy(np.full(4, np.nan))))), holds=is_x),
    zipped("a wrong sum", npz(Entry(b"y.npy", npy(np.arange(4)), crc=1))),
    zipped("encrypted", npz(Entry(b"y.npy", npy(np.arange(4)), flags=1))),
    zipped("garbage for deflate", npz(Entry(b"y.npy", npy(np.arange(4)), 8, data=b"\xff" * 50))),
    zipped("LZMA that asks for 4 GiB", npz(Entry(b"y.npy", npy(), 14, flags=2,
                                                data=b"\x09\x04\x05\0\x5d\xff\xff\xff\xff" + bytes(50)))),
    zipped("a method of nobody", npz(Entry(b"y.npy", npy(np.arange(4)), 77))),
    zipped("no UTF-8 in a name", npz(Entry(b"\xff.npy", npy(np.arange(4)), flags=0x800))),
    zipped("a later version", npz(Entry(b"y.npy", npy(np.arange(4)), version=99))),
    zipped("a header of 4 GiB in it", npz(Entry(b"y.npy", headed("{", version=2, length=2**32 - 1)))),
    zipped("a header of 100 MB in it", lambda: npz(Entry(b"y.npy", b"", 8, size=100 * MB, data=_long_header))),
    zipped("labels that are too many", npz(Entry(b"y.npy", npy(np.arange(9)))), "labels of shape"),
    zipped("classes of another kind", npz(Entry(b"y.npy", npy(np.arange(4))), Entry(b"classes.npy", npy(np.zeros(3)))),
           "classes must be texts"),
    zipped("labels beyond the classes", npz(
           Entry(b"y.npy", npy(np.full(4, 2**62))), Entry(b"classes.npy", npy(np.array(["a"])))),
           "but only 1 classes"),
    *(zipped(f"cut to {share:.0%}", npz()[: int(len(npz()) * share)]) for share in (0.1, 0.5, 0.9)),
    *(Case(f"bits of a .npz turned over, {seed}", "images", _file("some.npz", lambda s=seed: flipped(
        npz(Entry(b"y.npy", npy(np.arange(4)), 8)), s, 4)), refused=".", holds=lambda value: None) for seed in range(6)),
]  # fmt: skip


def _with_zeros(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy())
        archive.writestr(f"{name}.npy", shaped("(104857600,)", data=bytes(100 * MB)))
    return buffer.getvalue()


def _long_header() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = b"\x93NUMPY\x02\0" + (100 * MB - 12).to_bytes(4, "little")
    return packer.compress(head) + packer.compress(b" " * (100 * MB - 12)) + packer.flush()
