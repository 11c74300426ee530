"""Tables: labels, known labels, corrections, metadata, as CSV and Parquet that are of another kind than they say."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile.archives import GOOD
from tests.hostile.case import MB, Case, folder_with
from tests.hostile.pictures import flipped

IDS = ("a.png", "b.png", "c.png")
PLAIN = b"id,label\na.png,1\nb.png,2\nc.png,1\n"
FORMULA = "=cmd|' /C calc'!A0"


def labels_of(content: bytes | Callable[[], bytes]) -> Callable[[Path], dict[str, Any]]:
    """Write images and a CSV of labels."""

    def build(root: Path) -> dict[str, Any]:
        folder_with(root / "in", {"a.png": GOOD})
        (root / "labels.csv").write_bytes(content() if callable(content) else content)
        return {"path": str(root / "in"), "labels": str(root / "labels.csv")}

    return build


def as_file(
    content: bytes | Callable[[], bytes], name: str = "table.csv", key: str = "path"
) -> Callable[[Path], dict[str, Any]]:
    """Write a file."""

    def build(root: Path) -> dict[str, Any]:
        (root / name).write_bytes(content() if callable(content) else content)
        return {key: str(root / name)}

    return build


def _pipe(name: str, key: str = "path") -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        os.mkfifo(root / name)
        return {key: str(root / name)}

    return build


def _labels_pipe(root: Path) -> dict[str, Any]:
    folder_with(root / "in", {})
    os.mkfifo(root / "labels.csv")
    return {"path": str(root / "in"), "labels": str(root / "labels.csv")}


def _link(name: str, key: str = "path") -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        (root / name).symlink_to("/dev/zero")
        return {key: str(root / name)}

    return build


def _sparse(name: str, size: int, before: bytes = b"", key: str = "path") -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        with (root / name).open("wb") as file:
            file.write(before)
            file.truncate(size)
        return {key: str(root / name)}

    return build


def _is(what: str, wanted: Any) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        assert value[what] == wanted, value[what]

    return check


def _column(name: str, wanted: list[Any]) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        found = value["columns"][name]
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert one == other or (one != one and other != other), found

    return check


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    """Return a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


def _repeated(text: str, n: int) -> bytes:
    """Return a small Parquet file with one text in very many rows."""
    values = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([text]))
    return parquet({"id": values}, use_dictionary=True)


def _lying_rows() -> bytes:
    """Return a Parquet file whose last bytes claim a description of 2 GiB."""
    content = bytearray(parquet({"id": list(IDS)}))
    content[-8:-4] = (2**31 - 1).to_bytes(4, "little")
    return bytes(content)


def _numbers(n: int) -> bytes:
    return parquet({"id": pa.array(np.zeros(n, np.int64)), "v": pa.array(np.zeros(n, np.int64))})


def _twice() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(IDS), pa.array(IDS)], ["id", "id"]), buffer)
    return buffer.getvalue()


def _described(text: bytes) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": list(IDS), "v": [1, 2, 3]}).replace_schema_metadata({b"pandas": text}), buffer)
    return buffer.getvalue()


def csv(*lines: str, encoding: str = "utf-8") -> bytes:
    """Return a CSV."""
    return "".join(f"{line}\n" for line in lines).encode(encoding, "surrogatepass")


def labels(label: str, content: bytes | Callable[[], bytes], refused: str | None = None, **more: Any) -> Case:
    """Return a case of a CSV of labels."""
    return Case(f"labels, {label}", "images", labels_of(content), refused=refused, **more)


def known(label: str, content: bytes | Callable[[], bytes], refused: str | None = None, **more: Any) -> Case:
    """Return a case of a CSV of known labels."""
    return Case(f"known, {label}", "known", as_file(content, "known.csv", "text"), refused=refused, **more)


def metadata(
    label: str, content: bytes | Callable[[], bytes], refused: str | None = None, name: str = "table.csv", **more: Any
) -> Case:
    """Return a case of a table of metadata."""
    return Case(f"metadata, {label}", "metadata", as_file(content, name), refused=refused, **more)


def stored(label: str, content: bytes | Callable[[], bytes], refused: str | None = None, **more: Any) -> Case:
    """Return a case of a Parquet file of metadata."""
    return metadata(f"Parquet, {label}", content, refused, "table.parquet", **more)


def corrections(label: str, content: bytes | Callable[[], bytes], refused: str | None = None, **more: Any) -> Case:
    """Return a case of corrections."""
    return Case(f"corrections, {label}", "corrections", as_file(content), refused=refused, **more)


LABELS = [
    labels("with formulas", csv("id,label", f'a.png,"{FORMULA}"'), holds=_is("classes", [FORMULA])),
    labels("with markup", csv("id,label", '"a.png","<img src=x onerror=alert(1)>"'),
           holds=_is("classes", ["<img src=x onerror=alert(1)>"])),
    labels("NaN", csv("id,label", "a.png,NaN", "good 1.png,"), holds=_is("classes", ["NaN"])),
    labels("with a mark of its encoding", b"\xef\xbb\xbf" + csv("id,label", "a.png,é"), holds=_is("classes", ["é"])),
    labels("in UTF-16", csv("id,label", "a.png,1", encoding="utf-16"), "cannot be read as a CSV"),
    labels("in Latin 1", csv("id,label", "a.png,é", encoding="latin-1"), "cannot be read as a CSV"),
    labels("with zeros", csv("id,label", "a.png,a\0b"), holds=_is("classes", ["a\0b"])),
    labels("of zeros", bytes(1000), "needs the columns"),
    labels("with a quote that never ends", csv("id,label", 'a.png,"no end', "good 1.png,2"), holds=lambda value: None),
    labels("with a quote of 1 MB", csv("id,label", 'a.png,"' + "a" * MB), "not a CSV|too long"),
    labels("with a line of 10 MB", csv("id,label", "a.png," + "a" * 10 * MB), "too long|not a CSV", memory=50 * MB),
    Case("labels, of one line of 100 MB", "known", _sparse("known.csv", 100 << 20, b"id,label", "text"),
         refused="too long|not a CSV", memory=50 * MB),
    Case("labels, of 10 GB", "known", _sparse("known.csv", 10 << 30, b"id,label\n", "text"), refused="limit"),
    labels("with a million columns", lambda: csv("id,label," + "," * 10**6, "a.png,1"), "too long|columns"),
    labels("with a column twice", csv("id,label,label", "a.png,1,2"), "twice"),
    labels("without columns", csv("a,b", "a.png,1"), "needs the columns"),
    labels("empty", b"", "needs the columns"),
    labels("with more values than columns", csv("id,label", "a.png,1,2,3,4"), holds=lambda value: None),
    labels("with fewer values", csv("id,label", "a.png"), "no row with a label"),
    labels("of an image that is not there", csv("id,label", "../outside/secret.png,1"), "not there"),
    labels("of an image with lines", csv("id,label", '"a\nb\x1b[31m\u202e",1'), "not there"),
    labels("of an image twice", csv("id,label", "a.png,1", "a.png,2"), "twice"),
    labels("of 10,000 letters", csv("id,label", "a.png," + "a" * 10_000), holds=_is("classes", ["a" * 200])),
    labels("that is a ZIP", b"PK\x03\x04" + bytes(range(256)), "cannot be read|needs the columns"),
    labels("of an image of 10,000 letters", csv("id,label", "a" * 10_000 + ",1"), "not there"),
    Case("labels, a pipe", "images", _labels_pipe, refused="cannot be read"),
    Case("known labels, a device", "known", lambda root: {"text": "/dev/zero"}, refused="cannot be read"),
    Case("known labels, a link to a device", "known", _link("known.csv", "text"), refused="cannot be read"),
    Case("known labels, a pipe", "known", _pipe("known.csv", "text"), refused="cannot be read"),
    Case("known labels, nowhere", "known", lambda root: {"text": str(root / "none.csv")}, refused="cannot be read"),
    Case("known labels, a long path", "known", lambda root: {"text": "/" + "a" * 5000}, refused="cannot be read"),
    Case("known labels, a zero", "known", lambda root: {"text": "a\0b"}, refused="cannot be read"),
    Case("known labels, half a surrogate", "known", lambda root: {"text": "\ud800"}, refused="cannot be read"),
    Case("known labels, a count of 10,000 digits", "known", lambda root: {"text": "first:" + "9" * 10_000 + "=0"},
         refused="cannot be understood"),
    Case("known labels, other digits", "known", lambda root: {"text": "first:٣=0"}, holds=lambda value: None),
    known("right", PLAIN, holds=_is("classes", ["no", "yes", "1", "2"])),
    known("with formulas", csv("id,label", f'a.png,"{FORMULA}"'), holds=_is("classes", ["no", "yes", FORMULA])),
    known("without a label", csv("id,label", "a.png,"), "has no label"),
    *(Case(f"known, bits turned over, {seed}", "known", as_file(lambda s=seed: flipped(PLAIN, s, 3), "known.csv", "text"),
           refused=".", holds=lambda value: None) for seed in range(4)),
]  # fmt: skip
METADATA = [
    metadata("right", csv("id,v", "a.png,1", "b.png,2", "c.png,3"), holds=_column("v", [1, 2, 3])),
    metadata("formulas", csv("id,v", f'a.png,"{FORMULA}"'), holds=_column("v", [FORMULA, "", ""])),
    metadata("a formula as title", csv(f'id,"{FORMULA}"', "a.png,1"), holds=_column(FORMULA, [1, np.nan, np.nan])),
    metadata("NaN and infinity", csv("id,v", "a.png,NaN", "b.png,inf", "c.png,1"), holds=_column("v", [np.nan, np.inf, 1])),
    metadata("mixed types", csv("id,v", "a.png,1", "b.png,x", "c.png,"), holds=_column("v", ["1", "x", ""])),
    metadata("10^300", csv("id,v", "a.png,1e300", "b.png,2", "c.png,3"), "1e\\+300|too large", holds=None),
    metadata("10^17", csv("id,v", "a.png,100000000000000003", "b.png,2", "c.png,3"),
             holds=_column("v", ["100000000000000003", "2", "3"])),
    metadata("400 digits", csv("id,v", "a.png," + "9" * 400, "b.png,2", "c.png,3"), "too large", holds=lambda value: None),
    metadata("10^10,000", csv("id,v", "a.png,1e10000", "b.png,2", "c.png,3"), holds=_column("v", [np.inf, 2, 3])),
    metadata("with a mark of its encoding", b"\xef\xbb\xbf" + csv("id,v", "a.png,1"), holds=_column("v", [1, np.nan,
         np.nan])),
    metadata("UTF-16", csv("id,v", "a.png,1", encoding="utf-16"), "cannot be read as a table"),
    metadata("Latin 1", csv("id,v", "a.png,é", encoding="latin-1"), "cannot be read as a table"),
    metadata("zeros", csv("id,v", "a.png,a\0b"), holds=lambda value: None),
    metadata("only zeros", bytes(1000), ".", holds=None),
    metadata("a quote that never ends", csv("id,v", 'a.png,"no end', "b.png,2"), "cannot be read as a table"),
    metadata("a line of 10 MB", csv("id,v", "a.png," + "a" * 10 * MB), "too long", memory=100 * MB),
    Case("metadata, one line of 100 MB", "metadata", _sparse("table.csv", 100 << 20, b"id,v\n"), refused="too long",
         memory=50 * MB),
    Case("metadata, 10 GB", "metadata", _sparse("table.csv", 10 << 30), refused="limit"),
    Case("metadata, Parquet of 10 GB", "metadata", _sparse("table.parquet", 10 << 30), refused="limit"),
    metadata("a million columns", lambda: csv("id" + ",v" * 10**6, "a.png"), "too long|columns", memory=100 * MB),
    metadata("300 columns", csv("id," + ",".join(f"c{i}" for i in range(300)), "a.png"), "columns"),
    metadata("a column twice", csv("id,v,v", "a.png,1,2"), "twice"),
    metadata("more values than columns", csv("id,v", "x,a.png,1", "y,b.png,2"), "more values than columns|cannot be read"),
    metadata("empty", b"", "cannot be read as a table|no rows"),
    metadata("no ids", csv("a,b", "1,2"), "No column"),
    metadata("an image twice", csv("id,v", "a.png,1", "a.png,2"), "more than one row"),
    metadata("titles with lines", csv('id,"a\nb\x1b"', "a.png,1"), holds=lambda value: None),
    metadata("of another kind", PLAIN, "must end in .csv or .parquet", "table.exe"),
    metadata("a spreadsheet", b"PK\x03\x04" + bytes(range(256)), "cannot be read|no rows|No column"),
    Case("metadata, a pipe", "metadata", _pipe("table.csv"), refused="cannot be read"),
    Case("metadata, a Parquet pipe", "metadata", _pipe("table.parquet"), refused="cannot be read"),
    Case("metadata, a link to a device", "metadata", _link("table.csv"), refused="cannot be read"),
    Case("metadata, an address", "metadata", lambda root: {"path": "http://127.0.0.1:9/a.csv"}, refused="cannot be read"),
    Case("metadata, an address of a store", "metadata", lambda root: {"path": "s3://bucket/a.parquet"},
         refused="cannot be read"),
    Case("metadata, a folder", "metadata", lambda root: {"path": str(root)}, refused="cannot be read|must end"),
    Case("metadata, a long path", "metadata", lambda root: {"path": "/" + "a" * 5000 + ".csv"}, refused="cannot be read"),
    Case("metadata, a zero", "metadata", lambda root: {"path": "a\0.csv"}, refused="cannot be read"),
    Case("metadata, half a surrogate", "metadata", lambda root: {"path": "\ud800.csv"}, refused="cannot be read"),
    *(metadata(f"bits turned over, {seed}", lambda s=seed: flipped(csv("id,v", "a.png,1", "b.png,2"), s, 3), ".",
               holds=lambda value: None) for seed in range(4)),
    stored("right", parquet({"id": list(IDS), "v": [1, 2, 3]}), holds=_column("v", [1, 2, 3])),
    stored("lists", parquet({"id": list(IDS), "v": [[1, 2], [], None]}), refused="lists or structures"),
    stored("structures", parquet({"id": list(IDS), "v": [{"a": 1}, None, {"a": 2}]}), "lists or structures"),
    stored("bytes", parquet({"id": list(IDS), "v": [b"\xff\0", b"", None]}), holds=lambda value: None),
    stored("whole numbers beyond floats", parquet({"id": list(IDS), "v": [2**62 + 1, 1, 2]}),
           holds=_column("v", [str(2**62 + 1), "1", "2"])),
    stored("unsigned numbers", parquet({"id": list(IDS), "v": pa.array([2**64 - 1, 1, 2], pa.uint64())}),
           holds=_column("v", [str(2**64 - 1), "1", "2"])),
    stored("decimals and dates", parquet({"id": list(IDS), "v": pa.array([0, 1, 2], pa.timestamp("ns")),
           "d": pa.array([1, 2, 3]).cast(pa.decimal128(30, 2))}), holds=lambda value: None),
    stored("a description by pandas that lies", lambda: _described(b'{"index_columns": [{"kind": "range", "name": null, '
           b'"start": 0, "stop": 99999999999, "step": 1}], "columns": [], "column_indexes": []}'),
             holds=lambda value: None),
    stored("a description by pandas that is none", lambda: _described(b"[" * 10_000), ".", holds=lambda value: None),
    stored("a text of 1 MB in 100,000 rows", lambda: _repeated("a" * MB, 100_000), ".", holds=lambda value: None),
    stored("a billion rows", lambda: _repeated("a.png", 30_000_000), "rows", memory=100 * MB),
    stored("30 million numbers", lambda: _numbers(30_000_000), "rows", memory=100 * MB),
    stored("1,000 columns", parquet({f"c{i}": [1] for i in range(1000)}), "columns"),
    stored("a column twice", lambda: _twice(), "twice"),
    stored("no rows", parquet({"id": pa.array([], pa.string())}), "no rows"),
    stored("a lying end", _lying_rows, "cannot be read"),
    stored("nothing", b"", "cannot be read"),
    stored("only its name", b"PAR1PAR1", "cannot be read"),
    stored("encrypted", parquet({"id": list(IDS)})[:-4] + b"PARE", "cannot be read"),
    stored("CSV", PLAIN, "cannot be read"),
    *(stored(f"cut to {share:.0%}", lambda s=share: (c := parquet({"id": list(IDS)}))[: int(len(c) * s)], "cannot be read")
      for share in (0.1, 0.5, 0.95)),
    *(stored(f"bits turned over, {seed}", lambda s=seed: flipped(parquet({"id": list(IDS) * 50, "v": [0.5] * 150}), s, 6),
         ".",
             holds=lambda value: None) for seed in range(12)),
]  # fmt: skip
CORRECTIONS = [
    corrections("right", csv("id,new", "a.png,7"), holds=lambda value: value.index(["a.png", "relabel", "7", None])),
    corrections("formulas", csv("id,new", f'a.png,"{FORMULA}"'), holds=lambda value: value.index(
        ["a.png", "relabel", FORMULA, None])),
    corrections("UTF-16", csv("id,new", "a.png,7", encoding="utf-16"), "cannot be read as CSV"),
    corrections("zeros", csv("id,new", "a.png,7\0"), holds=lambda value: None),
    corrections("a quote that never ends", csv("id,new", 'a.png,"7'), "cannot be read as CSV"),
    corrections("a million columns", lambda: csv("id,new" + ",x" * 10**6, "a.png,1"), "columns|too long", memory=150 * MB),
    corrections("a line of 20 MB", lambda: csv("id,new", "a.png," + "a" * 20 * MB), "too long|at most", memory=200 * MB),
    corrections("more values than columns", csv("id,new", "a.png,7,8"), "more values than columns|cannot be read"),
    corrections("a column twice", csv("id,new,new", "a.png,7,8"), "twice"),
    corrections("a kind of nobody", csv("id,new,kind", "a.png,7,run"), "has the kind"),
    corrections("a score of nobody", csv("id,new,score", "a.png,7,x"), "must be a number"),
    corrections("a score that is NaN", csv("id,new,score", "a.png,7,nan"), "must be a number"),
    corrections("a cluster of nobody", csv("id,new,kind,clustering", "a.png,x,move,abcdef0123456789"), "cluster"),
    corrections("a cluster of other digits", csv("id,new,kind,clustering", "a.png,²,move,abcdef0123456789"), ".",
                holds=lambda value: None),
    corrections("an image twice", csv("id,new", "a.png,7", "a.png,8"), "more than one row"),
    corrections("an image that is not there", csv("id,new", "../secret.png,7"), "not in this set"),
    corrections("empty", b"", "cannot be read as CSV"),
    corrections("no columns", csv("a,b", "1,2"), "needs the columns"),
    *(corrections(f"bits turned over, {seed}",
                  lambda s=seed: flipped(csv("id,new,kind,score", "a.png,7,relabel,0.5"), s, 3), ".",
                  holds=lambda value: None) for seed in range(4)),
]  # fmt: skip
CASES = [*LABELS, *METADATA, *CORRECTIONS]
