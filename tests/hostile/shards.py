"""Shards: Parquet files and tars that are cut, damaged or bombs, lie of sizes, name other files, or hold too much."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile.case import MB, RAMP, Case, ids_are, picture, pixels
from tests.hostile.names import NAMES, text_of
from tests.hostile.pictures import encoded, flipped

GOOD = encoded("png", RAMP)
IDS = ("good 1", "good 2")
HUGGINGFACE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
Content = bytes | Callable[[], bytes]


def parquet(
    images: Any = (GOOD, GOOD), ids: Any = IDS, metadata: Mapping[bytes, bytes] | None = None, **columns: Any
) -> bytes:
    """Return a Parquet file of pictures."""
    buffer = io.BytesIO()
    table = pa.table({"image": images if isinstance(images, pa.Array) else list(images), "id": list(ids), **columns})
    pq.write_table(table.replace_schema_metadata(metadata), buffer)
    return buffer.getvalue()


def tar(*members: tuple[str, bytes] | tarfile.TarInfo, kind: int = tarfile.GNU_FORMAT, good: bool = True) -> bytes:
    """Return a tar of two good pictures and further members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for member in (*((f"{name}.png", GOOD) for name in IDS if good), *members):
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def header(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    """Return the header of a member, which tells what it wants."""
    found = tarfile.TarInfo(name)
    found.type, found.size, found.linkname = kind, size, link
    return found


def _in_file(name: str, content: Content) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        (root / name).write_bytes(content() if callable(content) else content)
        return {"path": str(root / name)}

    return build


def read(label: str, name: str, content: Content, holds: Callable[[Any], None] | None, **more: Any) -> Case:
    """Return a case of one shard that is read, or with `refused` may be."""
    return Case(label, "images", _in_file(name, content), holds=holds, **more)


def refused(label: str, name: str, content: Content, why: str, **more: Any) -> Case:
    """Return a case of one shard that cannot be read; that it is the only one makes it an error."""
    return Case(label, "images", _in_file(name, content), refused=why, **more)


def good_and(*skipped: str, ids: Sequence[str] = ()) -> Callable[[Any], None]:
    """Check that the two good pictures are read, with others, and what is skipped."""

    def check(value: Any) -> None:
        ids_are(*IDS, *ids, skipped=skipped)(value)
        np.testing.assert_array_equal(pixels(value)[:2, ..., 0], [RAMP, RAMP])

    return check


def either(value: Any) -> None:
    """Check what was read of a damaged shard: each picture is there or named."""
    assert len(value["ids"]) + len(value["skipped"]) >= 2


def _labels(*wanted: str) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        good_and()(value)
        assert value["classes"] == list(wanted), value["classes"]

    return check


def _same_cell(cell: bytes, n: int) -> bytes:
    """Return a Parquet file with one cell, once, for very many rows."""
    values = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([cell], pa.binary()))
    table = pa.table({"image": values, "id": [str(i) for i in range(n)]})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, store_schema=False, dictionary_pagesize_limit=1 << 30)
    return buffer.getvalue()


def _zeros() -> bytes:
    buffer = io.BytesIO()
    table = pa.table({"image": [bytes(200 * MB), GOOD], "id": list(IDS)})
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False)
    return buffer.getvalue()


def _long_text() -> bytes:
    return parquet([GOOD] * 2_000, [str(i) for i in range(2_000)], text=["long " * 20_000] * 2_000)


def _texts_are_cut(value: Any) -> None:
    assert value["n"] == 2_000 and value["columns"]["text"][0] == ("long " * 40)


def _are(n: int) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        assert value["n"] == n and value["skipped"] == {}

    return check


def _path_of_secret(root: Path) -> dict[str, Any]:
    secret = picture(root.parent / "outside" / "secret.png")
    cells = [{"bytes": GOOD, "path": str(secret)}] * 2 + [{"bytes": None, "path": str(secret)}, None]
    content = parquet(pa.array(cells, HUGGINGFACE), (*IDS, "a", "b"))
    (root / "a.parquet").write_bytes(content)
    return {"path": str(root)}


def _linked(root: Path) -> dict[str, Any]:
    outside = root.parent / "outside"
    (root / "good.parquet").write_bytes(parquet())
    (root / "out.parquet").symlink_to("/etc/passwd")
    (root / "out.tar").symlink_to("/dev/zero")
    (root / "self.tar").symlink_to("self.tar")
    (root / "folder").symlink_to(outside)
    os.mkfifo(root / "pipe.parquet")
    os.mkfifo(root / "pipe.tar")
    (root / "folder.tar").mkdir()
    return {"path": str(root)}


def _sparse(name: str, size: int, before: bytes = b"") -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        with (root / name).open("wb") as file:
            file.write(before)
            file.truncate(size)
        return {"path": str(root / name)}

    return build


def _pipe(name: str) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        os.mkfifo(root / name)
        return {"path": str(root / name)}

    return build


def _pax(count: int) -> bytes:
    """Return headers that each stand before the next, without end."""
    record = b"12 path=abc\n"
    one = header("x", tarfile.XHDTYPE, len(record)).tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0")
    return one * count


def _shared(count: int) -> bytes:
    record = b"x" * 60_000
    text = b"60011 a%04d=" % 1 + record[:59_999] + b"\n"
    one = header("x", tarfile.XGLTYPE, len(text)).tobuf(tarfile.USTAR_FORMAT) + text.ljust(
        -(-len(text) // 512) * 512, b"\0"
    )
    return one * count


def _footer(content: bytes, size: int) -> bytes:
    return content[:-8] + size.to_bytes(4, "little") + b"PAR1"


def _told(size: int) -> bytes:
    """Return a tar whose first member says a size in a header of its own."""
    text = b"size=%d\n" % size
    text = b"%d " % (len(text) + 3) + text
    first = header("x", tarfile.XHDTYPE, len(text)).tobuf(tarfile.USTAR_FORMAT) + text.ljust(512, b"\0")
    return first + header("a.png").tobuf(tarfile.USTAR_FORMAT) + bytes(20_480)


def _sized(size: bytes) -> bytes:
    """Return a tar whose first member says a size as bytes of its header, with the checksum that fits."""
    block = bytearray(header("a.png").tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = size.ljust(12, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(20_480)


def _named(text: str, kind: str) -> Content:
    valid = text_of(text)
    if kind == "parquet":
        return parquet(ids=(*IDS, valid), images=[GOOD] * 3, label=[valid] * 3)
    return tar((f"{valid.split('.')[0] or 'x'}.png", GOOD), ("z.cls", valid.encode()), ("z.png", GOOD))


def _is_named(text: str) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        assert set(IDS) <= set(value["ids"]) and len(value["ids"]) + len(value["skipped"]) >= 3
        assert len(value["classes"]) <= 1
        for id in value["ids"]:
            assert not {"", ".", ".."} & set(id.split("/"))

    return check


def _described(names: Any) -> dict[bytes, bytes]:
    return {b"huggingface": json.dumps({"info": {"features": {"label": {"names": names}}}}).encode()}


PARQUET = [
    *(read(f"Parquet, ids and labels: {what}", "a.parquet", _named(name, "parquet"), _is_named(name))
      for what, name in NAMES.items()),
    Case("Parquet, paths of other files", "images", _path_of_secret, holds=good_and("a", "b")),
    Case("a folder of shards with links, pipes and folders", "images", _linked, holds=good_and()),
    read("Parquet, ids that lead out", "a.parquet", parquet([GOOD] * 4, (*IDS, "../../a", "/etc/passwd")),
         good_and(ids=("a", "etc/passwd"))),
    read("Parquet, a cell of 1 MB in 300 rows", "a.parquet",
         lambda: _same_cell(GOOD + np.random.default_rng(0).bytes(MB), 300), _are(300), memory=400 * MB),
    refused("Parquet, a cell that unpacks to 200 MB", "a.parquet", _zeros, "would unpack to 0.20 GiB"),
    read("Parquet, a text of 100 kB in 2,000 rows", "a.parquet", _long_text, _texts_are_cut, memory=300 * MB),
    read("Parquet, no pictures in it", "a.parquet",
         parquet([GOOD, GOOD, b"", b"GIF89a", None, b"\x89PNG\r\n\x1a\n", b"<svg/>", b"%!PS"], (*IDS, *"abcdef")),
         good_and(*"abcdef")),
    read("Parquet, classes without end", "a.parquet",
         parquet(label=[0, 1], metadata={b"huggingface": b"[" * 1_000_000}), _labels("0", "1")),
    read("Parquet, names of classes that are none", "a.parquet",
         parquet(label=[0, 1], metadata=_described([{"a": 1}, 2])), _labels("0", "1")),
    read("Parquet, names of classes that are markup", "a.parquet",
         parquet(label=[0, 2**40], metadata=_described(["<b>", "c"])), _labels("1099511627776", "<b>")),
    read("Parquet, a pandas index that lies", "a.parquet",
         parquet(metadata={b"pandas": b'{"index_columns": ["none"], "columns": 3}'}), good_and()),
    read("Parquet, an Arrow schema that lies", "a.parquet", parquet(metadata={b"ARROW:schema": b"AAAA"}), good_and(),
         refused="cannot be read|is not a Parquet file"),
    refused("Parquet, 1,000 columns", "a.parquet", parquet(**{f"c{i}": [1, 2] for i in range(1_000)}), "columns; 200"),
    refused("Parquet, a footer of 2 GiB", "a.parquet", _footer(parquet(), 2**31 - 1), "is not a Parquet file"),
    refused("Parquet, a footer of nothing", "a.parquet", _footer(parquet(), 0), "is not a Parquet file"),
    refused("Parquet, encrypted", "a.parquet", parquet()[:-4] + b"PARE", "is not a Parquet file"),
    refused("Parquet, no column of pictures", "a.parquet", parquet(["a", "b"]), "has no column"),
    refused("Parquet, a picture", "a.parquet", GOOD, "is not a Parquet file"),
    Case("Parquet, 10 GB of nothing", "images", _sparse("a.parquet", 10 << 30), refused="is not a Parquet file"),
    Case("Parquet, a pipe", "images", _pipe("a.parquet"), refused="cannot be opened"),
    *(refused(f"Parquet, cut to {share:.0%}", "a.parquet", lambda s=share: (c := parquet())[: int(len(c) * s)],
              "is not a Parquet file") for share in (0.1, 0.5, 0.9, 0.99)),
    *(read(f"Parquet, bits turned over, {seed}", "a.parquet",
           lambda s=seed: flipped(parquet([GOOD] * 50, [str(i) for i in range(50)]), s, 6), either,
           refused="a.parquet") for seed in range(12)),
]  # fmt: skip
TARS = [
    *(read(f"tar, names and labels: {what}", "a.tar", _named(name, "tar"), _is_named(name)) for what, name in NAMES.items()),
    read("tar, links and devices", "a.tar", tar(
        header("a.png", tarfile.SYMTYPE, link="/etc/passwd"), header("b.png", tarfile.LNKTYPE, link="good 1.png"),
        header("c.png", tarfile.CHRTYPE), header("d.png", tarfile.FIFOTYPE), header("e.png", tarfile.DIRTYPE)),
        good_and("a", "b", "c", "d")),
    read("tar, names that lead out", "a.tar", tar(("../../a.png", GOOD), ("/etc/b.png", GOOD), ("c/../d.png", GOOD)),
         good_and(ids=("a", "etc/b", "c/d"))),
    read("tar, a key of dots", "a.tar", tar(("...png", GOOD), ("..", GOOD), (".png", GOOD), ("/.png", GOOD)), good_and()),
    read("tar, one name 1,000 times", "a.tar", tar(*[("a.png", GOOD)] * 1_000), good_and(ids=("a",))),
    read("tar, one sample of 50,000 members", "a.tar", tar(*[("z.cls", b"1")] * 50_000), good_and("z")),
    read("tar, 50,000 labels without pictures", "a.tar", tar(*[(f"{i}.cls", b"1") for i in range(50_000)]),
         lambda value: ids_are(*IDS, skipped=tuple(map(str, range(50_000))))(value)),
    refused("tar, 300 fields of JSON", "a.tar", tar(("a.json", json.dumps({f"f{i}": i for i in range(300)}).encode()),
                                                   ("a.png", GOOD)), "more than 200 columns"),
    read("tar, JSON without end", "a.tar", tar(("a.json", b"[" * 200_000), ("a.png", GOOD)), good_and("a")),
    read("tar, JSON of half a character", "a.tar", tar(("a.json", b'{"label": "\\ud800"}'), ("a.png", GOOD)), good_and("a")),
    read("tar, numbers without end", "a.tar", tar(("a.json", b'{"v": 1e999, "w": ' + b"9" * 5000 + b"}"), ("a.png", GOOD)),
         good_and("a")),
    read("tar, a label that is no text", "a.tar", tar(("a.cls", b"\xff\xfe\0" * 100), ("a.png", GOOD)), good_and(ids=("a",))),
    read("tar, a label of 2 MB", "a.tar", tar(("a.cls", b"1" * (2 * MB)), ("a.png", GOOD)), good_and("a")),
    read("tar, a picture of 65 MB", "a.tar", lambda: tar(("a.png", bytes(65 * MB))), good_and("a")),
    read("tar, a sparse member", "a.tar", tar(header("a.png", tarfile.GNUTYPE_SPARSE)), good_and("a"), refused="a.tar"),
    refused("tar, headers within headers", "a.tar", lambda: _pax(20_000) + tar(), "is not a tar|cut off"),
    refused("tar, headers for all that follows", "a.tar", lambda: _shared(300) + tar(), "a.tar"),
    refused("tar, a long name of 1 GB", "a.tar", tar(header("x", tarfile.GNUTYPE_LONGNAME, 1 << 30), good=False),
            "a header of"),
    *(refused(f"tar, a size of {size[:6]!r}", "a.tar", _sized(size), "a.tar")
      for size in (b"77777777777", b"\x80" + b"\x7f" * 11, b"\xff" * 12, b"-1", b"no number")),
    *(refused(f"tar, a size of {size:,} in a header before", "a.tar", _told(size), "a.tar") for size in (10**30, -512, 10**6)),
    refused("tar, packed by gzip", "a.tar", lambda: gzip.compress(tar()), "is not a tar"),
    refused("tar, a ZIP", "a.tar", b"PK\x03\x04" + bytes(2_000), "is not a tar"),
    refused("tar, empty", "a.tar", b"", "is not a tar"),
    refused("tar, only its end", "a.tar", bytes(10_240), "has no picture"),
    Case("tar, 10 GB of nothing", "images", _sparse("a.tar", 10 << 30), refused="has no picture"),
    Case("tar, a pipe", "images", _pipe("a.tar"), refused="cannot be opened"),
    *(refused(f"tar, cut to {share:.0%}", "a.tar", lambda s=share: (c := tar().rstrip(b"\0"))[: int(len(c) * s)], "a.tar")
      for share in (0.1, 0.5, 0.9)),
    *(read(f"tar, bits turned over, {seed}", "a.tar",
           lambda s=seed: flipped(tar(*[(f"{i}.png", GOOD) for i in range(20)]), s, 60), either, refused="a.tar")
      for seed in range(12)),
]  # fmt: skip
TYPED = [
    Case(f"typed: {text}", "images", lambda root, text=text: {"path": text}, refused=why)  # type: ignore[misc]
    for text, why in (
        ("https://127.0.0.1:9/a.parquet", "only s3://"), ("shards:ftp://127.0.0.1/a", "only s3://"),
        ("s3://b/a::http://127.0.0.1:9/x", "not an address"), ("simplecache::s3://b/a", "is not a sample"),
        ("file://127.0.0.1/etc/passwd", "whole path"), ("file:///etc/passwd", "is not a folder"),
        ("shards:/etc/passwd", "is not a folder"), ("shards:/dev/zero", "is not a folder"),
        ("shards:\ud800", "is not the path"),
        ("pipe:cat /etc/passwd", "is not a sample"), ("shards:pipe:cat /etc/passwd", "is not a folder"),
        ("s3://", "names no bucket"), ("s3://" + "a" * 5_000, "not an address"), ("gs://b/\0", "must be a text"),
        ("reference://x", "only s3://"), ("local:///etc", "only s3://"), ("dask://x", "only s3://"),
    )
]  # fmt: skip
CASES = [*PARQUET, *TARS, *TYPED]
