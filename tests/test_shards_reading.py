"""Shards: the same images come back from Parquet, tars and pictures; what is wrong is named, and nothing else is opened."""

import io
import json
import pickle
import tarfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core import roots, scratch
from core.errors import ConfigError, DataError, ExportError
from core.images import (
    ArraySource,
    FolderSource,
    ShardedSource,
    SubsetSource,
    image_set,
    load,
    parse_source,
    signature,
    source_from_json,
    source_to_json,
)
from core.progress import Cancelled
from core.readers import parquet as parquet_reader
from core.readers import shard_lists, shards, tars
from core.readers.pictures import Frame
from core.readers.shard_writing import write_shards
from core.readers.shards import find_frame, list_shards, read_shard

RAMP = np.arange(96, dtype=np.uint8).reshape(8, 12)
COLOUR = np.random.default_rng(3).integers(0, 255, (8, 12, 3), dtype=np.uint8)
HUGGINGFACE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def encoded(array=RAMP, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def written(path, columns, rows=None, metadata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    pq.write_table(table if metadata is None else table.replace_schema_metadata(metadata), path, row_group_size=rows)
    return path


def packed(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def read(source, number=0, frame=None):
    source = source if isinstance(source, ShardedSource) else ShardedSource(str(source))
    found = list_shards(source)
    return read_shard(source, found[number], frame or find_frame(source, found))


@pytest.fixture(scope="module")
def digits():
    return load(parse_source("digits"))


@pytest.mark.parametrize("kind", ["parquet", "tar"])
def test_digits_come_back_from_shards_pixel_by_pixel(kind, digits, tmp_path):
    paths = write_shards(digits, str(tmp_path), 1_024, kind)
    assert len(paths) == 5 and all(Path(path).is_file() for path in paths)
    source = parse_source(str(tmp_path))
    assert source == ShardedSource(str(tmp_path))
    found = list_shards(source)
    assert [shard.number for shard in found] == [0, 1, 2, 3, 4] and {shard.kind for shard in found} == {kind}
    assert [shard.size for shard in found] == [Path(path).stat().st_size for path in paths]
    assert find_frame(source, found) == Frame(28, 28, 1)
    last = read_shard(source, found[4], Frame(28, 28, 1))
    np.testing.assert_array_equal(last.x, digits.x[4_096:])
    assert last.ids == digits.ids[4_096:]
    whole = load(source)
    np.testing.assert_array_equal(whole.x, digits.x)
    np.testing.assert_array_equal(whole.y, digits.y)
    assert (whole.ids, whole.classes, whole.skipped) == (digits.ids, digits.classes, ())
    assert whole.fingerprint == digits.fingerprint


@pytest.mark.parametrize("kind", ["parquet", "tar"])
def test_columns_colours_and_missing_labels_come_back(kind, tmp_path):
    x = np.stack([COLOUR, COLOUR[::-1], COLOUR // 2])
    columns = {"size": np.array([1.5, np.nan, 3]), "year": np.array([1, 2, 3]), "note": np.array(["a", "", "ü"]),
               "label": np.array(["p", "q", "r"])}  # fmt: skip
    images = image_set(x, np.array([1, -1, 0]), ("cat", "dog"), ids=["b/1", "a", "c"], columns=columns)
    write_shards(images, str(tmp_path), 2, kind)
    found = load(ShardedSource(str(tmp_path)))
    np.testing.assert_array_equal(found.x, x)
    np.testing.assert_array_equal(found.y, [1, -1, 0])
    assert found.classes == ("cat", "dog") and found.ids == ("b/1", "a", "c")
    np.testing.assert_array_equal(found.columns["size"], columns["size"])
    np.testing.assert_array_equal(found.columns["year"], [1, 2, 3])
    assert found.columns["year"].dtype == np.int64
    assert list(found.columns["note"]) == ["a", "", "ü"]
    assert list(found.columns["label (data)"]) == ["p", "q", "r"]


def test_shards_of_another_number_are_not_mixed_with_those_that_are_there(digits, tmp_path):
    write_shards(digits, str(tmp_path), 2_000)
    write_shards(digits, str(tmp_path), 2_000)
    with pytest.raises(ExportError, match="holds other shards"):
        write_shards(digits, str(tmp_path), 1_000)
    for rows, kind in ((0, "parquet"), (True, "parquet"), (5, "zip")):
        with pytest.raises(ConfigError, match="must be"):
            write_shards(digits, str(tmp_path / "new"), rows, kind)


def test_a_shard_that_cannot_be_written_leaves_nothing(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "replace", lambda *given: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(ExportError, match="No space left"):
        write_shards(digits, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_columns_are_found_by_usual_names_and_by_their_kind(tmp_path):
    one = encoded()
    cases = [
        ({"IMG": [one], "Class": ["a"], "KEY": ["k"]}, ("k",), ("a",)),
        ({"thing": [one], "y": [3]}, ("a.parquet/0",), ("3",)),  # the only column of bytes
        ({"other": [b"x"], "jpg": [one], "id": [7]}, ("7",), None),
        (
            {"picture": pa.array([{"bytes": one, "path": "p.png"}], HUGGINGFACE), "label": [None]},
            ("a.parquet/0",),
            None,
        ),
    ]
    for columns, ids, labels in cases:
        written(tmp_path / "a.parquet", columns)
        found = read(tmp_path)
        assert (found.ids, found.labels) == (ids, labels)
        np.testing.assert_array_equal(found.x[0, ..., 0], RAMP)


def test_columns_that_are_named_are_taken_and_others_refused(tmp_path):
    columns = {"image": [b"no"], "raw": [encoded()], "label": ["x"], "kind": ["y"], "code": [9]}
    path = written(tmp_path / "a.parquet", columns)
    source = ShardedSource(str(path), image="raw", label="kind", id="code")
    found = read(source)
    assert found.ids == ("9",) and found.labels == ("y",) and list(found.columns) == ["label"]
    for name in ("image", "label", "id"):
        with pytest.raises(DataError, match="has no column 'none'"):
            read(replace(source, **{name: "none"}), frame=Frame(8, 12, 1))
    with pytest.raises(DataError, match="has no column 'label' of encoded pictures"):
        read(ShardedSource(str(path), image="label"), frame=Frame(8, 12, 1))
    written(tmp_path / "a.parquet", {"a": [1], "b": ["x"]})
    with pytest.raises(DataError, match=r"a\.parquet has no column that is known to hold encoded pictures"):
        read(tmp_path)
    written(tmp_path / "a.parquet", {"a": [encoded()], "b": [encoded()]})
    with pytest.raises(DataError, match="its columns of bytes are 'a', 'b'"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["cat", None, " dog ", ""], ("cat", None, "dog", None)),
        (pa.array([1, None, -1, 12], pa.int8()), ("1", None, "-1", "12")),
        ([True, False, None, True], ("True", "False", None, "True")),
        (pa.array(["b", None, "a", "b"]).dictionary_encode(), ("b", None, "a", "b")),
        (pa.array(["b", None, "a", "b"], pa.large_string()), ("b", None, "a", "b")),
        ([1.0, float("nan"), 2.5, None], ("1", None, "2.5", None)),
    ],
)
def test_labels_of_every_kind(values, labels, tmp_path):
    written(tmp_path / "a.parquet", {"image": [encoded()] * 4, "label": values})
    assert read(tmp_path).labels == labels
    found = load(ShardedSource(str(tmp_path)))
    assert [None if y < 0 else found.classes[y] for y in found.y] == list(labels)


def test_classes_are_named_as_huggingface_describes_them_where_that_is_sane(tmp_path):
    columns = {"image": pa.array([{"bytes": encoded(), "path": None}] * 4, HUGGINGFACE), "label": [1, 0, -1, 5]}

    def described(names):
        return {
            b"huggingface": json.dumps({"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}})
        }

    written(tmp_path / "a.parquet", columns, metadata=described(["cat", "dog"]))
    assert read(tmp_path).labels == ("dog", "cat", None, "5")
    for names in ("cat", [1, 2], ["a", "a"], ["", "b"], [["a"]], {"0": "a"}, None):
        written(tmp_path / "a.parquet", columns, metadata=described(names))
        assert read(tmp_path).labels == ("1", "0", "-1", "5")
    for text in (b"no", b"[" * 100_000, b"{}", b'{"info": []}', b"\xff"):
        written(tmp_path / "a.parquet", columns, metadata={b"huggingface": text})
        assert read(tmp_path).labels == ("1", "0", "-1", "5")


def test_numbers_are_floats_texts_are_texts_and_what_is_nested_is_left_out(tmp_path):
    moment = pa.array([0, None], pa.timestamp("ns", "Europe/Berlin"))
    columns = {
        "image": [encoded()] * 2, "i": [1, None], "f": [0.5, 2], "u": pa.array([2**64 - 1, 1], pa.uint64()),
        "d": pa.array([Decimal("1.00"), None], pa.decimal128(9, 2)), "t": ["x" * 300, None], "b": [True, None], "when": moment,
        "day": pa.array([1, 2], pa.date32()), "list": [[1], [2]], "deep": [{"a": 1}, {"a": 2}], "raw": [b"1", b"2"],
        "none": pa.nulls(2), "a.b": [1, 2],
    }  # fmt: skip
    written(tmp_path / "a.parquet", columns)
    found = read(tmp_path).columns
    assert set(found) == {"i", "f", "u", "d", "t", "b", "when", "day", "a.b"}
    np.testing.assert_array_equal(found["i"], [1, np.nan])
    np.testing.assert_array_equal(found["d"], [1, np.nan])
    assert all(found[name].dtype == np.float64 for name in ("i", "f", "u", "d"))
    assert list(found["t"]) == ["x" * 200, ""] and list(found["b"]) == ["True", ""]
    assert found["when"][0].startswith("1970-01-01") and found["day"][1] == "1970-01-03"


def test_a_picture_that_cannot_be_used_is_skipped_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_reader, "PICTURE_BYTES", 5_000)
    large = encoded(np.random.default_rng(0).integers(0, 255, (90, 90), dtype=np.uint8))
    cells = [encoded(), None, b"", b"no picture", large, encoded()[:45], encoded(RAMP.T)]
    written(tmp_path / "a.parquet", {"image": cells, "id": list("abcdefg"), "n": list(range(7))}, rows=3)
    found = read(tmp_path)
    assert found.ids == ("a", "g") and list(found.columns["n"]) == [0, 6]
    assert {item.id for item in found.skipped} == set("bcdef")
    reasons = {item.id: item.reason for item in found.skipped}
    assert reasons["b"] == "no picture" and reasons["e"].startswith("larger than")
    cells = pa.array([{"bytes": None, "path": "/etc/passwd"}, None, {"bytes": encoded(), "path": "x"}], HUGGINGFACE)
    written(tmp_path / "a.parquet", {"image": cells, "id": list("abc")})
    found = read(tmp_path)
    assert found.ids == ("c",) and "never opened" in found.skipped[0].reason
    written(tmp_path / "a.parquet", {"image": [b"x", b"y"]})
    with pytest.raises(DataError, match=r"a\.parquet has no picture that can be read: a\.parquet/0: not a picture"):
        read(tmp_path, frame=Frame(8, 8, 1))


def test_ids_lead_nowhere_and_are_all_different(tmp_path):
    cells = [encoded()] * 4
    written(tmp_path / "a.parquet", {"image": cells, "id": ["/data/../a.png", "./b", None, "x/y"]})
    assert read(tmp_path).ids == ("data/a.png", "b", "a.parquet/2", "x/y")
    written(tmp_path / "a.parquet", {"image": cells, "path": ["same"] * 4})
    assert read(tmp_path).ids == tuple(f"a.parquet/{i}" for i in range(4))  # these are no ids
    found = read(ShardedSource(str(tmp_path), id="path"))
    assert found.ids == ("same",) and [item.reason for item in found.skipped] == ["another picture has this id"] * 3
    written(tmp_path / "b.parquet", {"image": cells, "id": list("wxyz")})
    written(tmp_path / "a.parquet", {"image": cells, "id": list("zyxw")})
    assert load(ShardedSource(str(tmp_path))).ids == tuple(f"a.parquet/{i}" for i in "zyxw") + tuple(
        f"b.parquet/{i}" for i in "wxyz"
    )


def test_rows_are_decoded_few_at_a_time_when_one_cell_stands_in_very_many(tmp_path, monkeypatch):
    """A dictionary holds a cell once for all rows: unpacked at once they would be 2,000 times as large."""
    monkeypatch.setattr(parquet_reader, "BATCH_BYTES", 4_000_000)
    noise = np.random.default_rng(0).integers(0, 255, (1_000, 1_000), dtype=np.uint8)
    columns = {"image": pa.array([encoded(noise)] * 200), "id": [str(i) for i in range(200)]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    del columns
    most = 0
    source = ShardedSource(str(tmp_path))
    with (tmp_path / "a.parquet").open("rb") as file:
        for _ in parquet_reader.rows(file, source, "a.parquet", False):
            most = max(most, pa.total_allocated_bytes())
    assert most < 20_000_000


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["parquet", "tar"])
def test_a_shard_that_is_cut_is_refused_in_a_sentence(kind, share, digits, tmp_path):
    (path,) = write_shards(load(SubsetSource(parse_source("digits"), 200)), str(tmp_path), kind=kind)
    content = Path(path).read_bytes().rstrip(b"\0")  # zeros alone are the end of a tar
    Path(path).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=f"shard-000000-of-000001.{kind}") as caught:
        read(tmp_path, frame=Frame(28, 28, 1))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_tar_that_ends_between_two_members_or_is_damaged_there_is_cut_off(tmp_path):
    path = packed(tmp_path / "a.tar", [("a.png", encoded()), ("b.png", encoded())])
    with tarfile.open(path) as archive:
        second = archive.getmembers()[1].offset
    content = path.read_bytes()
    path.write_bytes(content[:second])
    with pytest.raises(DataError, match="cut off or damaged: it has no end after 1 files"):
        read(tmp_path, frame=Frame(8, 12, 1))
    path.write_bytes(content[:second] + b"\xff" * 512 + content[second + 512 :])
    with pytest.raises(DataError, match="cut off or damaged"):
        read(tmp_path, frame=Frame(8, 12, 1))


@pytest.mark.parametrize("name", ["a.parquet", "a.tar"])
@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PAR1" * 100, b"\0" * 4096, b"PK\x03\x04" * 1000, b"\x1f\x8b" * 600]
)
def test_what_is_of_another_kind_is_refused_in_a_sentence(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        read(tmp_path, frame=Frame(8, 8, 1))
    with pytest.raises(DataError, match=name):
        find_frame(ShardedSource(str(tmp_path)), list_shards(ShardedSource(str(tmp_path))))


def test_limits_of_a_shard(tmp_path, monkeypatch):
    written(tmp_path / "a.parquet", {"image": [encoded()] * 40})
    for module, name, value, told in (
        (shards, "SHARD_BYTES", 2_000, "takes more than"),
        (parquet_reader, "MOST_ROWS", 39, "40 rows; 39 is the limit"),
        (parquet_reader, "GROUP_BYTES", 10, "has a row group that would unpack to"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            with pytest.raises(DataError, match=told):
                read(tmp_path)
    written(tmp_path / "a.parquet", {"image": [encoded()]} | {f"c{i}": [1] for i in range(200)})
    with pytest.raises(DataError, match="201 columns; 200 is the limit"):
        read(tmp_path)
    written(tmp_path / "a.parquet", {"image": pa.array([], pa.binary())})
    with pytest.raises(DataError, match="has no rows"):
        read(tmp_path, frame=Frame(8, 8, 1))


def test_samples_of_a_tar_are_members_of_one_key(tmp_path):
    told = {"label": "ignored", "score": 0.5, "ok": True, "deep": {"a": 1}, "big": 10**400, "none": None, "who": "x"}
    packed(
        tmp_path / "a.tar",
        [
            ("./a/1.cls", b" 7\n"), ("./a/1.png", encoded()), ("./a/1.json", json.dumps(told).encode()),
            ("a/2.txt", b"a word"), ("a/2.seg.png", encoded(RAMP[::-1])), ("a/2.JPG", encoded(RAMP, "JPEG", quality=100)),
            ("a/3.png", encoded(RAMP + 1)), ("a/3.json", b'{"class": 3, "score": 2}'),
            ("README", b"x"), (".hidden.png", encoded()), ("b.cls", b"1"), ("c.json", b"{"), ("c.png", encoded()),
            ("d.seg.png", encoded(RAMP[::-1])),
        ],
    )  # fmt: skip
    found = read(tmp_path)
    assert found.ids == ("a/1", "a/2", "a/3", "d") and found.labels == ("7", "a word", "3", None)
    np.testing.assert_allclose(found.x[1, ..., 0].astype(int), RAMP, atol=3)
    np.testing.assert_array_equal(found.x[3, ..., 0], RAMP[::-1])
    assert {item.id: item.reason for item in found.skipped} == {"b": "no picture", "c": "its .json cannot be read"}
    np.testing.assert_array_equal(found.columns["score"], [0.5, np.nan, 2, np.nan])
    assert list(found.columns["ok"]) == ["True", "", "", ""] and list(found.columns["who"]) == ["x", "", "", ""]
    assert set(found.columns) == {"label", "score", "ok", "big", "who"}
    source = ShardedSource(str(tmp_path), image="seg.png", label="who", id="score")
    found = read(source, frame=Frame(8, 12, 1))
    assert found.ids == ("a/2", "d")
    assert read(ShardedSource(str(tmp_path), label="who", id="score")).ids[:1] == ("0.5",)


def test_what_is_no_file_in_a_tar_is_never_followed(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (("a.png", tarfile.SYMTYPE), ("b.png", tarfile.LNKTYPE), ("c.png", tarfile.CHRTYPE),
                           ("d.png", tarfile.FIFOTYPE), ("e.json", tarfile.SYMTYPE)):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        for name in ("e.png", "../../f.png", "/g.png"):
            member = tarfile.TarInfo(name)
            member.size = len(encoded())
            archive.addfile(member, io.BytesIO(encoded()))
    found = read(tmp_path / "a.tar")
    assert found.ids == ("f", "g")
    assert {item.id for item in found.skipped} == set("abcde")
    assert all("not a regular file" in item.reason for item in found.skipped)


def test_limits_of_a_tar(tmp_path, monkeypatch):
    members = [("a.png", encoded()), ("a.cls", b"1" * 100), ("b.png", encoded() + b"\0" * 900), ("c.png", encoded())]
    packed(tmp_path / "a.tar", members)
    with monkeypatch.context() as patch:
        patch.setattr(tars, "TEXT_BYTES", 99)
        patch.setattr(tars, "PICTURE_BYTES", 900)
        found = read(tmp_path)
        assert found.ids == ("c",) and [item.id for item in found.skipped] == ["a", "b"]
    monkeypatch.setattr(tars, "MOST_MEMBERS", 3)
    with pytest.raises(DataError, match="has more than 3 files"):
        read(tmp_path, frame=Frame(8, 12, 1))


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_a_header_that_announces_much_is_refused_before_it_is_read(kind, tmp_path):
    member = tarfile.TarInfo("a.png")
    member.type, member.size = kind, 100 << 20
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(member.tobuf(tarfile.GNU_FORMAT))
        file.truncate(200 << 20)
    with pytest.raises(DataError, match="a header of 104,857,600 bytes"):
        read(tmp_path, frame=Frame(8, 12, 1))


def test_webdataset_s_own_writer_is_understood(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    x = np.stack([COLOUR, COLOUR[::-1], COLOUR[:, ::-1]])
    with webdataset.TarWriter(str(tmp_path / "a-000.tar")) as sink:
        for i, image in enumerate(x):
            sink.write({"__key__": f"sample{i:04d}", "png": image / 255.0, "cls": i % 2, "json": {"weight": i / 4}})
    found = load(parse_source(str(tmp_path / "a-000.tar")))
    np.testing.assert_allclose(found.x.astype(int), x.astype(int), atol=1)
    assert found.ids == ("sample0000", "sample0001", "sample0002") and found.classes == ("0", "1")
    np.testing.assert_array_equal(found.columns["weight"], [0, 0.25, 0.5])


def test_our_tars_are_understood_by_webdataset(digits, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    (path,) = write_shards(load(SubsetSource(parse_source("digits"), 20)), str(tmp_path), kind="tar")
    with Path(path).open("rb") as file:
        files = webdataset.tariterators.tar_file_expander([{"url": path, "stream": file}])
        samples = list(webdataset.tariterators.group_by_keys(files))
    assert len(samples) == 20
    assert set(json.loads(samples[3]["json"])) == {"id", "label"} and samples[3]["png"].startswith(b"\x89PNG")


def test_a_folder_of_pictures_is_shards_of_some_thousand(tmp_path, monkeypatch):
    monkeypatch.setattr(shard_lists, "PICTURES", 3)
    for i, name in enumerate(["cat/10.png", "cat/2.png", "dog/a b.png", "dog/deep/1.png", "top.png", ".hid.png"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(encoded(RAMP + i))
    (tmp_path / "bad.png").write_bytes(b"x")
    assert isinstance(parse_source(str(tmp_path)), FolderSource)
    source = parse_source(f"shards:{tmp_path}")
    assert source == ShardedSource(str(tmp_path))
    found = list_shards(source)
    assert [shard.names for shard in found] == [("bad.png", "cat/2.png", "cat/10.png"), ("dog/a b.png", "dog/deep/1.png",
                                                                                         "top.png")]  # fmt: skip
    assert [shard.name for shard in found] == ["pictures-000000", "pictures-000001"] and found[1].size > 0
    assert pickle.loads(pickle.dumps(found)) == found
    whole = load(source)
    assert whole.ids == ("cat/2.png", "cat/10.png", "dog/a b.png", "dog/deep/1.png", "top.png")
    assert whole.classes == ("cat", "dog") and list(whole.y) == [0, 0, 1, 1, -1]
    np.testing.assert_array_equal(whole.x[0, ..., 0], RAMP + 1)
    assert [item.id for item in whole.skipped] == ["bad.png"]


def test_nothing_outside_a_folder_of_pictures_is_opened(tmp_path):
    secret = tmp_path / "outside" / "secret.png"
    secret.parent.mkdir()
    secret.write_bytes(encoded())
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.png").write_bytes(encoded())
    (root / "link.png").symlink_to("a.png")
    (root / "out.png").symlink_to(secret)
    (root / "out.parquet").symlink_to(written(tmp_path / "outside" / "s.parquet", {"image": [encoded()]}))
    source = ShardedSource(str(root))
    (found,) = list_shards(source)
    assert found.names == ("a.png", "link.png")
    forged = replace(found, names=("a.png", "../outside/secret.png", str(secret), "out.png", "gone.png"))
    images = read_shard(source, forged, Frame(8, 12, 1))
    assert images.ids == ("a.png",) and len(images.skipped) == 4


def test_names_that_are_no_unicode_are_read(tmp_path):
    name = b"a\xff.png".decode("utf-8", "surrogateescape")
    (tmp_path / name).write_bytes(encoded())
    (tmp_path / "b.png").write_bytes(encoded())
    found = list_shards(ShardedSource(str(tmp_path)))
    assert read_shard(ShardedSource(str(tmp_path)), found[0], Frame(8, 12, 1)).ids == ("a\\xff.png", "b.png")
    written(tmp_path / "c.parquet", {"image": [encoded()]})
    (tmp_path / "c.parquet").rename(tmp_path / b"d\xff.parquet".decode("utf-8", "surrogateescape"))
    (shard,) = list_shards(ShardedSource(str(tmp_path)))
    assert shard.name == "d\\xff.parquet"
    assert read(tmp_path).ids == ("d\\xff.parquet/0",)


def test_the_frame_is_that_of_the_first_shard_that_can_be_read(tmp_path):
    (tmp_path / "0.parquet").write_bytes(b"damaged")
    gray = np.repeat(RAMP[..., None], 3, axis=2)
    written(tmp_path / "1.parquet", {"image": [b"no", encoded(gray), encoded(RAMP)]})
    written(tmp_path / "2.parquet", {"image": [encoded(COLOUR.repeat(10, 0))]})
    source = ShardedSource(str(tmp_path))
    found = list_shards(source)
    assert [shard.name for shard in found] == ["0.parquet", "1.parquet", "2.parquet"]
    assert find_frame(source, found) == Frame(8, 12, 1)  # three channels that are equal are gray
    assert find_frame(replace(source, color="rgb"), found) == Frame(8, 12, 3)
    assert find_frame(replace(source, size=16), found) == Frame(16, 16, 1)
    assert find_frame(replace(source, size=16, color="gray"), ()) == Frame(16, 16, 1)
    assert find_frame(source, found[2:]) == Frame(80, 12, 3)
    whole = load(source)
    assert whole.x.shape == (3, 8, 12, 1) and [item.id for item in whole.skipped] == ["0.parquet", "1.parquet/0"]
    written(tmp_path / "1.parquet", {"image": [encoded(RAMP), encoded(COLOUR.repeat(20, 0).repeat(20, 1))]})
    assert find_frame(source, list_shards(source)) == Frame(64, 64, 3)
    written(tmp_path / "1.parquet", {"image": [encoded(RAMP), encoded(RAMP.T.repeat(2, 0))]})
    assert find_frame(source, list_shards(source)) == Frame(24, 24, 1)
    with pytest.raises(DataError, match=r"0\.parquet is not a Parquet file"):
        find_frame(source, found[:1])


def test_shards_come_in_natural_order_at_any_depth_and_hidden_ones_are_passed_over(tmp_path):
    for name in ("b/2.parquet", "b/10.parquet", "a.PARQUET", ".tmp.parquet", ".cache/x.parquet", "b/.x.tar"):
        written(tmp_path / name, {"image": [encoded()] * 2})
    packed(tmp_path / "c.tar", [("a.png", encoded())])
    (tmp_path / "notes.txt").write_text("x")
    found = list_shards(parse_source(str(tmp_path)))
    assert [shard.name for shard in found] == ["a.PARQUET", "b/2.parquet", "b/10.parquet", "c.tar"]
    assert [shard.kind for shard in found] == ["parquet", "parquet", "parquet", "tar"]
    assert load(parse_source(str(tmp_path))).name == tmp_path.name


def test_what_people_type(tmp_path):
    written(tmp_path / "a.parquet", {"image": [encoded()] * 2})
    file = str(tmp_path / "a.parquet")
    assert parse_source(file) == ShardedSource(file)
    assert parse_source(str(tmp_path), size=32) == ShardedSource(str(tmp_path), 32)
    assert parse_source(f"file://{file}") == ShardedSource(file)
    assert parse_source("s3://bucket/a b/c") == ShardedSource("s3://bucket/a b/c")
    assert parse_source("S3://bucket", limit=5) == SubsetSource(ShardedSource("s3://bucket"), 5)
    assert parse_source("shards:gs://bucket/x") == ShardedSource("gs://bucket/x")
    np.save(tmp_path / "trainX.npy", np.zeros((4, 8, 8), np.uint8))
    np.save(tmp_path / "testX.npy", np.zeros((4, 8, 8), np.uint8))
    assert not isinstance(parse_source(str(tmp_path)), ShardedSource)  # a table beside arrays is none of images
    (tmp_path / "none").mkdir()
    assert isinstance(parse_source(str(tmp_path / "none")), FolderSource)
    for text, told in (
        ("shards:", "not the path"), (f"shards:{tmp_path}/no", "is not a folder that exists"),
        (f"{tmp_path}/no.parquet", "not there or cannot be opened"), ("no.tar", "is not a file that exists"),
        ("http://h/a.parquet", "only s3://"), ("https://h/a", "only s3://"), ("simplecache::s3://b/a", "is not a sample"),
        ("s3://b/a::http://h/x", "not an address"), ("zip://x::s3://b/a.zip", "only s3://"), ("s3://", "names no bucket"),
        ("file://host/a", "a whole path"), ("github://a:b@/x", "only s3://"),
        ("s3://" + "a" * 5000, "not an address"), ("shards:http://h/a", "only s3://"), ("local://x", "only s3://"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=told):
            load(parse_source(text))
    with pytest.raises(ConfigError, match="A size can only be given"):
        parse_source("digits", size=32)


def test_a_source_goes_to_json_and_back_and_refuses_what_cannot_be():
    source = ShardedSource("s3://bucket/x", 32, "rgb", "picture", "kind", "key")
    assert source_from_json(json.loads(json.dumps(source_to_json(source)))) == source
    assert source_from_json({"type": "ShardedSource", "path": "file:///data"}).path == "/data"
    assert SubsetSource(source, 5).source == source
    for values in ({"path": ""}, {"path": 3}, {"path": "/x", "size": 5}, {"path": "/x", "color": "red"},
                   {"path": "/x", "image": None}, {"path": "/x", "label": "a\0b"},
                   {"path": "/x", "id": "x" * 501}, {"path": "s3://b/\0"}):  # fmt: skip
        with pytest.raises(ConfigError):
            source_from_json({"type": "ShardedSource", **values})
    with pytest.raises(DataError, match="only s3://"):
        source_from_json({"type": "ShardedSource", "path": "ftp://host/x"})


def test_only_folders_that_were_given_are_opened(tmp_path, monkeypatch):
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        written(folder / "a.parquet", {"image": [encoded()] * 2})
    (shard,) = list_shards(ShardedSource(str(outside)))
    monkeypatch.setenv(roots.VARIABLE, str(inside))
    assert len(load(parse_source(f"file://{inside}"))) == 2
    for text in (str(outside), f"file://{outside}", f"shards:{outside}", f"{outside}/a.parquet", "s3://bucket/a",
                 "memory://a", "shards:gs://b"):  # fmt: skip
        with pytest.raises(DataError, match="cannot be opened here"):
            parse_source(text)
    for source in (ShardedSource(str(outside)), ShardedSource("s3://bucket/a"), ShardedSource("memory://a/b")):
        for use in (load, signature, list_shards):
            with pytest.raises(DataError, match="cannot be opened here"):
                use(source)
    with pytest.raises(DataError, match="cannot be opened here"):
        read_shard(ShardedSource(str(inside)), shard, Frame(8, 12, 1))
    with pytest.raises(DataError, match="cannot be opened here"):
        write_shards(load(ShardedSource(str(inside))), "memory://a/b")


def test_a_signature_changes_with_any_file(tmp_path):
    path = written(tmp_path / "a.parquet", {"image": [encoded()] * 2})
    source = ShardedSource(str(tmp_path))
    first = signature(source)
    assert signature(source) == first != signature(replace(source, size=16))
    written(path, {"image": [encoded()] * 3})
    second = signature(source)
    written(tmp_path / "b.parquet", {"image": [encoded()] * 3})
    assert len({first, second, signature(source)}) == 3


def test_a_set_that_is_large_lies_in_a_file(digits, tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "store"))
    write_shards(digits, str(tmp_path / "in"), 1_500)
    for large in (1 << 20, 2 << 20):  # less and more than a shard
        monkeypatch.setattr(scratch, "LARGE", large)
        found = load(ShardedSource(str(tmp_path / "in")))
        assert scratch.is_mapped(found.x)
        np.testing.assert_array_equal(found.x, digits.x)
        assert found.ids == digits.ids


def test_reading_is_told_of_and_can_be_stopped_within_a_shard(digits, tmp_path):
    write_shards(digits, str(tmp_path), 2_500)
    seen = []
    load(ShardedSource(str(tmp_path)), seen.append)
    assert {(item.stage, item.total, item.unit) for item in seen} == {("Reading images", 2, "shard")}
    assert [item.done for item in seen] == sorted(item.done for item in seen) and seen[-1].done == 2
    seen.clear()

    def stop(progress):
        seen.append(progress)
        if len(seen) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        load(ShardedSource(str(tmp_path)), stop)
    assert len(seen) == 3 and seen[-1].done == 0


def test_too_few_images_are_refused_with_the_first_reason(tmp_path):
    written(tmp_path / "a.parquet", {"image": [encoded()]})
    (tmp_path / "b.parquet").write_bytes(b"x")
    with pytest.raises(
        DataError, match=r"needs at least 2 images; it has 1; the first that cannot be read, b\.parquet"
    ):
        load(ShardedSource(str(tmp_path)))
    with pytest.raises(DataError, match="has no shards"):
        load(ShardedSource(str(tmp_path.joinpath("none").mkdir() or tmp_path / "none")))
    with pytest.raises(DataError, match="is not a folder that exists"):
        load(ShardedSource(str(tmp_path / "nothing")))


def test_columns_that_differ_between_shards_are_joined(tmp_path):
    written(tmp_path / "a.parquet", {"image": [encoded()], "v": [1.5], "w": [2]})
    written(tmp_path / "b.parquet", {"image": [encoded()], "v": ["x"], "z": [1e300]})
    found = load(ShardedSource(str(tmp_path)))
    assert list(found.columns["v"]) == ["1.5", "x"]
    np.testing.assert_array_equal(found.columns["w"], [2, np.nan])
    assert "z" not in found.columns
    assert [(item.id, "too large to be drawn" in item.reason) for item in found.skipped] == [("z", True)]


def test_shards_are_the_same_as_arrays_to_the_rest_of_the_program(digits, tmp_path):
    np.save(tmp_path / "x.npy", digits.x)
    (tmp_path / "labels.csv").write_text("id,label\n3,three\n4,four\n")
    write_shards(digits, str(tmp_path / "in"))
    theirs = load(parse_source(str(tmp_path / "x.npy"), str(tmp_path / "labels.csv"), limit=50))
    ours = load(parse_source(str(tmp_path / "in"), str(tmp_path / "labels.csv"), limit=50))
    assert isinstance(parse_source(str(tmp_path / "x.npy")), ArraySource)
    np.testing.assert_array_equal(ours.x, theirs.x)
    np.testing.assert_array_equal(ours.y, theirs.y)
    assert ours.ids == theirs.ids and ours.classes == theirs.classes == ("four", "three")
