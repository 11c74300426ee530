"""ZIPs: names that lead out, links, bombs, lies about sizes and places, more entries than memory has room for."""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from tests.hostile.case import MB, RAMP, Case, ids_are, pixels, skipped
from tests.hostile.names import NAMES
from tests.hostile.pictures import encoded, flipped, png, rows, zeros

GOOD = encoded("png", RAMP)
UNIX = 3


@dataclass
class Entry:
    """A member, and the lies that are told of it: None tells the truth."""

    name: bytes
    content: bytes = GOOD
    method: int = 0
    flags: int = 0
    mode: int = 0o100644
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    offset: int | None = None
    local: bytes | None = None
    data: bytes | Callable[[], bytes] | None = None
    extra: bytes = b""
    version: int = 20


def raw_zip(
    entries: Sequence[Entry],
    count: int | None = None,
    length: int | None = None,
    comment: bytes = b"",
    zip64: bool = False,
    before: bytes = b"",
) -> bytes:
    """Return a ZIP, byte by byte."""
    body, directory = bytearray(before), bytearray()
    for entry in entries:
        data = entry.data() if callable(entry.data) else entry.data
        if data is None:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            data = packer.compress(entry.content) + packer.flush() if entry.method == 8 else entry.content
        crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
        size = len(entry.content) if entry.size is None else entry.size
        packed = len(data) if entry.packed is None else entry.packed
        offset = len(body) - len(before) if entry.offset is None else entry.offset
        fields = (entry.flags, entry.method, 0, 33, crc, packed & 0xFFFFFFFF, size & 0xFFFFFFFF, len(entry.name))
        directory += (
            struct.pack(
                "<4sHHHHHHIIIHHHHHII",
                b"PK\x01\x02",
                UNIX << 8 | 20,
                entry.version,
                *fields[:4],
                *fields[4:8],
                len(entry.extra),
                0,
                0,
                0,
                entry.mode << 16,
                offset,
            )
            + entry.name
            + entry.extra
        )
        if entry.offset is None:
            local = entry.name if entry.local is None else entry.local
            body += struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, *fields[:7], len(local), 0) + local + data
    size = len(directory) if length is None else length
    number = len(entries) if count is None else count
    end = b""
    at = len(body) - len(before)
    if zip64:
        end += struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, number, number, size, at)
        end += struct.pack("<4sIQI", b"PK\x06\x07", 0, len(body) + len(directory), 1)
        number, size, at = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
    end += (
        struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, number & 0xFFFF, number & 0xFFFF, size, at, len(comment))
        + comment
    )
    return bytes(body) + bytes(directory) + end


GOODS = [Entry(b"good 1.png"), Entry(b"good 2.png")]


def _file(content: bytes | Callable[[], bytes], name: str = "some.zip") -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        (root / name).write_bytes(content() if callable(content) else content)
        return {"path": str(root / name)}

    return build


@cache
def _bomb(size: int) -> bytes:
    return zeros(size * MB)[2:-4]


def member(label: str, entry: Entry, why: str, id: str = "", **more: Any) -> Case:
    """Return a case of one member that is skipped, after two good ones."""
    holds = skipped(id or entry.name.decode(), why)
    return Case(label, "images", _file(lambda: raw_zip([*GOODS, entry])), holds=holds, **more)


def whole(label: str, content: bytes | Callable[[], bytes], refused: str, **more: Any) -> Case:
    """Return a case of a ZIP that is refused."""
    return Case(label, "images", _file(content), refused=refused, **more)


def read(label: str, content: bytes | Callable[[], bytes], holds: Callable[[Any], None], **more: Any) -> Case:
    """Return a case of a ZIP that is read."""
    return Case(label, "images", _file(content), holds=holds, **more)


def _quoted(kernel: bytes, n: int = 250) -> bytes:
    """Return a ZIP whose members all lie in each other: each quotes the next one's header, and all end in one kernel."""
    crc, names = zlib.crc32(kernel), [f"{i}.png".encode() for i in range(n)]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    tail = packer.compress(kernel) + packer.flush()
    entries: list[Entry] = []
    body = b""
    for name in reversed(names):
        head = (
            struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 33, crc, len(tail), len(kernel), len(name), 0)
            + name
        )
        body = head + (body or tail)
        entries.insert(0, Entry(name, kernel, 8, packed=len(tail), crc=crc))
    at = 0
    for entry in entries:
        entry.offset, entry.packed = at, len(body) - at - 30 - len(entry.name)
        at += 30 + len(entry.name)
    return _with_body(body, entries)


def _with_body(body: bytes, entries: Sequence[Entry]) -> bytes:
    directory = raw_zip(entries)
    size = struct.unpack_from("<I", directory, len(directory) - 10)[0]
    end = bytearray(directory[-22:])
    struct.pack_into("<I", end, 16, len(body))
    return body + directory[:size] + bytes(end)


def _million() -> bytes:
    record = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    directory = record * 1_000_000
    return directory + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 0, 0)


def _claims_a_million(root: Path) -> dict[str, Any]:
    size = 100 << 20
    with (root / "some.zip").open("wb") as file:  # sparse: nothing lies there
        file.truncate(size)
        file.seek(size)
        file.write(struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 65535, 65535, size, 0, 0))
    return {"path": str(root / "some.zip")}


def _names(value: Any) -> None:
    assert len(value["ids"]) == len(_ZIP_NAMES) + 2 and value["skipped"] == {}
    assert set(_ZIP_NAMES) <= {name.split("/")[0] for name in value["ids"]}


def _classes(value: Any) -> None:
    assert value["classes"] == ["cats", "dogs"] and value["y"] == [0, 0, 1]
    assert value["ids"] == ["cats/1.png", "cats/2.png", "dogs/deeper/3.png"]
    assert (pixels(value)[..., 0] == RAMP).all()


def _none_read(value: Any) -> None:
    raise AssertionError(value["ids"])


_ZIP_NAMES = [
    name
    for what, name in NAMES.items()
    if "\\" not in name and what not in ("surrogates of CESU", "no UTF-8", "a drive", "dots and blanks")
]
MASK = png(12, 8, data=rows(12, 8))

CASES = [
    read("classes are folders", raw_zip([Entry(b"dogs/deeper/3.png"), Entry(b"cats/2.png"), Entry(b"cats/1.png", method=8),
                                         Entry(b"cats/", b""), Entry(b"notes.txt", b"no picture")]), _classes),
    read("hidden files are passed over", raw_zip([*GOODS, Entry(b".hidden.png"), Entry(b"__MACOSX/._good 1.png"),
                                                   Entry(b".git/a.png")]),
         ids_are("good 1.png", "good 2.png")),
    read("hostile names", lambda: raw_zip([*GOODS, *(Entry(f"{n}/a.png".encode(), flags=0x800) for n in _ZIP_NAMES)]),
         _names),
    read("backslashes are folders", raw_zip([*GOODS, Entry(b"a\\b.png")]), ids_are("good 1.png", "good 2.png", "a/b.png")),
    read("dots as folders", raw_zip([*GOODS, Entry(b"./a/./b.png")]), ids_are("good 1.png", "good 2.png", "a/b.png")),
    read("a picture in front", raw_zip([*GOODS], before=GOOD), ids_are("good 1.png", "good 2.png")),
    read("zip64", raw_zip([*GOODS], zip64=True), ids_are("good 1.png", "good 2.png")),
    read("a comment", raw_zip([*GOODS], comment=b"c" * 65535), ids_are("good 1.png", "good 2.png")),
    read("a wrong count", raw_zip([*GOODS], count=60000), ids_are("good 1.png", "good 2.png")),
    read("a name in another code", raw_zip([*GOODS, Entry(b"\x81\xe9.png")]), lambda value: None),
    member("traversal", Entry(b"../../outside/ran.png"), "leads out"),
    member("traversal within", Entry(b"a/../../ran.png"), "leads out"),
    member("traversal with backslashes", Entry(b"..\\..\\ran.png"), "leads out", "../../ran.png"),
    member("an absolute name", Entry(b"/etc/ran.png"), "leads out"),
    member("a drive", Entry(b"C:\\ran.png"), "leads out", "C:/ran.png"),
    member("a share", Entry(b"\\\\server\\share\\ran.png"), "leads out", "//server/share/ran.png"),
    member("a zero in the name", Entry(b"a.png\0.exe"), "leads out", "a.png\0.exe"),
    member("a link", Entry(b"link.png", b"/etc/passwd", mode=0o120777), "not a regular file"),
    member("a pipe", Entry(b"pipe.png", b"", mode=0o010644), "not a regular file"),
    member("a device", Entry(b"device.png", b"", mode=0o020644), "not a regular file"),
    member("encrypted", Entry(b"secret.png", flags=1), "encrypted"),
    member("strongly encrypted", Entry(b"secret.png", flags=0x41), "encrypted"),
    member("an archive within", Entry(b"inner.zip", raw_zip(GOODS)), "archive within"),
    member("LZMA that asks for 4 GiB", Entry(b"a.png", data=b"\x09\x04\x05\0\x5d\xff\xff\xff\xff" + bytes(50),
                                             method=14, flags=2),
           "compressed in a way"),
    member("bzip2", Entry(b"a.png", method=12), "compressed in a way"),
    member("a method of nobody", Entry(b"a.png", method=99), "compressed in a way"),
    member("a wrong sum", Entry(b"a.png", crc=1), "damaged in the archive"),
    member("a wrong sum, packed", Entry(b"a.png", method=8, crc=1), "damaged in the archive"),
    member("garbage for deflate", Entry(b"a.png", method=8, data=b"\xff" * 100), "damaged in the archive"),
    member("less than said", Entry(b"a.png", method=8, size=len(GOOD) + 1000), "not what the archive says|damaged"),
    member("more than said", Entry(b"a.png", method=8, size=20), "damaged in the archive|not what"),
    member("cut short", Entry(b"a.png", method=8, data=zlib.compress(GOOD)[2:-20]), "damaged|not what"),
    member("another name in its own header", Entry(b"a.png", local=b"b.png"), "damaged in the archive"),
    member("a bomb that lies of its size", Entry(b"a.png", b"", 8, data=partial(_bomb, 100), size=50),
           "damaged in the archive"),
    member("a bomb of 100 MB", Entry(b"a.png", b"", 8, data=partial(_bomb, 100), size=100 * MB, crc=1),
           "larger than 64 MiB"),
    member("4 GiB, it says", Entry(b"a.png", size=2**32 - 2), "larger than 64 MiB"),
    member("no picture", Entry(b"a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n"), "not a picture"),
    member("a picture of 20,000 a side", Entry(b"a.png", png(20_000, 20_000)), "megapixels"),
    member("a cut picture", Entry(b"a.png", encoded("png")[:60]), "damaged"),
    member("twice", Entry(b"good 2.png"), "another picture has this name"),
    member("beyond the end", Entry(b"a.png", packed=10**6), "belong to another"),
    member("out of the file", Entry(b"a.png", offset=2**31), "belong to another|damaged"),
    read("at the place of another", raw_zip([*GOODS, Entry(b"good 3.png"), Entry(b"a.png", offset=0)]),
         ids_are("good 2.png", "good 3.png", skipped=("a.png", "good 1.png"))),
    read("three bombs of 60 MB", lambda: raw_zip([*GOODS, *(
         Entry(f"{i}.png".encode(), b"", 8, data=partial(_bomb, 60), size=60 * MB) for i in range(3))]),
           lambda value: None, memory=500 * MB),
    whole("members that lie in each other", lambda: _quoted(png(4000, 4000, data=rows(4000, 4000))),
         "no images|at least 2"),
    whole("20 GiB in 1 MB", lambda: raw_zip([*GOODS, *(Entry(f"{i}.png".encode(), b"", 8, data=b"\x03\0" * 10, size=60 * MB)
                                                       for i in range(400))]), "would unpack to"),
    whole("a million entries", _million, "more than 200,000 entries", memory=250 * MB),
    Case("a directory of 100 MiB", "images", _claims_a_million, refused="list of entries of 100 MiB"),
    whole("a directory longer than the file", raw_zip([*GOODS], length=10**6), "not a ZIP archive"),
    whole("a directory of 2^32 bytes", raw_zip([*GOODS], length=2**32 - 1), "not a ZIP archive|list of entries"),
    whole("zip64 of 2^63 bytes", raw_zip([*GOODS], length=2**63, zip64=True), "not a ZIP archive|list of entries"),
    whole("nothing", b"", "not a ZIP archive"),
    whole("text", b"I am no archive", "not a ZIP archive"),
    whole("only an end", raw_zip([]), "has no images"),
    whole("two ends", raw_zip([*GOODS])[:-22] + b"PK\x05\x06PK\x05\x06", "not a ZIP archive"),
    whole("cut", raw_zip([*GOODS])[:-30], "not a ZIP archive"),
    whole("only its end", raw_zip([*GOODS])[-60:], "not a ZIP archive|no images|at least 2"),
    whole("no UTF-8 where it is said", raw_zip([*GOODS, Entry(b"\xff\xfe.png", flags=0x800)]), "not a ZIP archive"),
    whole("a later version", raw_zip([*GOODS, Entry(b"a.png", version=99)]), "not a ZIP archive"),
    whole("an extra field that ends early", raw_zip([*GOODS, Entry(b"a.png", extra=b"\x01\0\x10\0")]), "not a ZIP archive"),
    whole("a zip64 field without its numbers", raw_zip([*GOODS, Entry(b"a.png", size=2**32 - 1, extra=b"\x01\0\0\0")]),
          "not a ZIP archive"),
    whole("one picture", raw_zip(GOODS[:1]), "needs at least 2 images"),
    whole("only links", raw_zip([Entry(b"a.png", mode=0o120777), Entry(b"b.png", mode=0o120777)]), "no images"),
    whole("a .gz", b"\x1f\x8b\x08" + bytes(50), "not a ZIP archive"),
    whole("a tar", b"good 1.png".ljust(257, b"\0") + b"ustar\0" + bytes(500), "not a ZIP archive"),
    *(Case(f"bits turned over, {seed}", "images", _file(lambda s=seed: flipped(raw_zip(
        [*GOODS, Entry(b"a/b.png", method=8), Entry(b"a/c.png", method=8)]), s, 4)), refused=".", holds=lambda value: None)
      for seed in range(8)),
    *(Case(f"cut to {share:.0%}", "images", _file(lambda s=share: (c := raw_zip([*GOODS]))[: int(len(c) * s)]),
           refused="not a ZIP")
      for share in (0.2, 0.5, 0.9)),
    Case("read again for a classifier", "classifier pixels", _file(raw_zip([*GOODS, Entry(b"a.png", crc=1)])),
         holds=lambda value: ids_are("good 1.png", "good 2.png")(value | {"skipped": {}})),
]  # fmt: skip
