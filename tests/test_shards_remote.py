"""Shards behind addresses: in fsspec's memory, on a server that speaks S3, and what is said when they cannot be read."""

import io
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from core.errors import DataError, ExportError
from core.images import ShardedSource, SubsetSource, image_set, load, parse_source, signature
from core.readers import remote, shard_lists
from core.readers.pictures import Frame
from core.readers.shard_writing import write_shards
from core.readers.shards import Shard, find_frame, list_shards, read_shard

fsspec = pytest.importorskip("fsspec")
RAMP = np.arange(96, dtype=np.uint8).reshape(8, 12)


def encoded(array=RAMP):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def digits():
    return load(SubsetSource(parse_source("digits"), 300))


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def server():
    """The address of moto's S3, in a process of its own; its proxy, unlike its server, needs nothing else."""
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.proxy", "-p", str(port)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not any(answers(port) for _ in range(600)):
            pytest.skip("moto's proxy does not start here")
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(30)


def answers(port):
    with socket.socket() as asked:
        if asked.connect_ex(("127.0.0.1", port)) == 0:
            return True
    time.sleep(0.1)
    return False


@pytest.fixture
def bucket(server, monkeypatch):
    """A file system of a server with an empty bucket, `shards`, as the environment names it."""
    import s3fs

    named = {"AWS_ENDPOINT_URL": "http://s3.us-east-1.amazonaws.com", "HTTP_PROXY": server, "AWS_ACCESS_KEY_ID": "test",
             "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("http_proxy", raising=False)
    s3fs.S3FileSystem.clear_instance_cache()
    system = fsspec.filesystem("s3")
    if system.exists("shards"):
        system.rm("shards", recursive=True)
    system.mkdir("shards")
    yield system
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("kind", ["parquet", "tar"])
def test_digits_come_back_from_memory(kind, digits, memory):
    root = f"memory://data/{kind}"
    paths = write_shards(digits, root, 128, kind)
    assert paths[0] == f"{root}/shard-000000-of-000003.{kind}"
    source = parse_source(root)
    found = list_shards(source)
    assert [shard.name for shard in found] == [path.rsplit("/", 1)[1] for path in paths]
    assert all(shard.size > 0 and shard.url.startswith("memory://") for shard in found)
    assert find_frame(source, found) == Frame(28, 28, 1)
    np.testing.assert_array_equal(read_shard(source, found[2], Frame(28, 28, 1)).x, digits.x[256:])
    whole = load(source)
    np.testing.assert_array_equal(whole.x, digits.x)
    np.testing.assert_array_equal(whole.y, digits.y)
    assert whole.ids == digits.ids and whole.name == kind
    one = load(ShardedSource(paths[1]))
    assert one.ids == digits.ids[128:256] and one.name == "shard-000001-of-000003"


def test_a_file_address_is_the_folder_behind_it(digits, tmp_path):
    paths = write_shards(digits, f"file://{tmp_path}/a b", 200)
    assert paths[0] == str(tmp_path / "a b" / "shard-000000-of-000002.parquet")
    whole = load(parse_source(f"file://{tmp_path}/a b"))
    np.testing.assert_array_equal(whole.x, digits.x)
    assert parse_source(f"file://{tmp_path}/a b") == ShardedSource(str(tmp_path / "a b"))


def test_pictures_behind_an_address_are_shards_with_folders_as_classes(memory, monkeypatch):
    monkeypatch.setattr(shard_lists, "PICTURES", 20)
    for i in range(30):
        memory.pipe_file(f"/p/{'cat' if i < 10 else 'dog'}/{i}.png", encoded(RAMP + i))
    memory.pipe_file("/p/dog/30.png", b"damaged")
    for name in ("/p/dog/.31.png", "/p/.cache/1.png", "/p/readme.txt", "/pictures/1.png", "/p1.png"):
        memory.pipe_file(name, encoded())
    found = list_shards(ShardedSource("memory://p"))
    assert [len(shard.names) for shard in found] == [20, 11] and found[1].names[-1] == "dog/30.png"
    whole = load(ShardedSource("memory://p"))
    assert whole.ids == tuple(f"{'cat' if i < 10 else 'dog'}/{i}.png" for i in range(30))
    np.testing.assert_array_equal(whole.x[..., 0], [RAMP + i for i in range(30)])
    assert whole.classes == ("cat", "dog") and [item.id for item in whole.skipped] == ["dog/30.png"]


def test_a_picture_that_went_or_is_too_large_is_skipped(memory, monkeypatch):
    for name in "abc":
        memory.pipe_file(f"/p/{name}.png", encoded())
    source = ShardedSource("memory://p")
    (shard,) = list_shards(source)
    memory.rm_file("/p/b.png")
    memory.pipe_file("/p/c.png", encoded() + b"\0" * 1_000)
    monkeypatch.setattr("core.readers.shard_pictures.PICTURE_BYTES", 500)
    found = read_shard(source, shard, Frame(8, 12, 1))
    assert found.ids == ("a.png",)
    assert [(item.id, item.reason[:26]) for item in found.skipped] == [
        ("b.png", "cannot be read: it is not there"[:26]), ("c.png", "larger than 64 MiB"),
    ]  # fmt: skip


def test_a_signature_changes_with_any_object(digits, memory):
    write_shards(digits, "memory://d", 200)
    source = ShardedSource("memory://d")
    first = signature(source)
    assert signature(source) == first
    memory.pipe_file("/d/x.parquet", b"new")
    assert signature(source) != first


def test_an_address_that_leads_nowhere_is_told_in_a_sentence(memory):
    with pytest.raises(DataError, match="memory://nothing has no shards"):
        load(ShardedSource("memory://nothing"))
    gone = Shard(0, "a.parquet", "memory://nothing/a.parquet", "parquet", 0)
    with pytest.raises(DataError, match="cannot be read: it is not there"):
        read_shard(ShardedSource("memory://nothing"), gone, Frame(8, 8, 1))
    for url in ("http://127.0.0.1:9/a.parquet", "memory://a::file:///etc/passwd", "local:///etc/passwd"):
        for kind in ("parquet", "tar", "pictures"):
            forged = Shard(0, "a", url, kind, 0, ("a.png",))
            with pytest.raises(DataError, match=r"are addresses|not an address"):
                read_shard(ShardedSource("memory://a"), forged, Frame(8, 8, 1))


def test_a_damaged_object_is_named_and_the_others_are_read(digits, memory):
    paths = write_shards(digits, "memory://d", 100)
    memory.pipe_file("/d/shard-000001-of-000003.parquet", memory.cat_file("/d/shard-000001-of-000003.parquet")[:-90])
    whole = load(ShardedSource("memory://d"))
    assert len(whole) == 200 and [item.id for item in whole.skipped] == [paths[1].rsplit("/", 1)[1]]
    with pytest.raises(ExportError, match="holds other shards"):
        write_shards(digits, "memory://d", 200)


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(DataError, match=r"gs://bucket/a cannot be read: a package is missing: .*gcsfs"):
        load(ShardedSource("gs://bucket/a"))


@pytest.mark.parametrize("kind", ["parquet", "tar"])
def test_digits_come_back_from_s3(kind, digits, bucket):
    root = f"s3://shards/a b/{kind}"
    paths = write_shards(digits, root, 128, kind)
    assert bucket.exists(paths[0])
    source = parse_source(root)
    found = list_shards(source)
    assert [shard.url for shard in found] == list(paths) and all(shard.size for shard in found)
    whole = load(source)
    np.testing.assert_array_equal(whole.x, digits.x)
    np.testing.assert_array_equal(whole.y, digits.y)
    assert whole.ids == digits.ids
    assert load(parse_source(paths[2])).ids == digits.ids[256:]
    assert load(parse_source("s3://shards")).ids == digits.ids
    first = signature(source)
    write_shards(load(SubsetSource(source, 299)), root, 128, kind)
    assert signature(source) != first


def test_pictures_come_from_s3(bucket):
    for i in range(40):
        bucket.pipe_file(f"shards/p/{i % 2}/{i:02d}.png", encoded(RAMP + i))
    whole = load(ShardedSource("s3://shards/p"))
    order = [*range(0, 40, 2), *range(1, 40, 2)]
    assert whole.ids == tuple(f"{i % 2}/{i:02d}.png" for i in order) and whole.classes == ("0", "1")
    np.testing.assert_array_equal(whole.x[..., 0], [RAMP + i for i in order])


def test_only_what_is_asked_for_of_a_parquet_file_comes_over_the_network(bucket, monkeypatch):
    """A look at the first pictures of a shard does not fetch it all."""
    import s3fs

    x = np.random.default_rng(0).integers(0, 255, (64, 128, 128, 3), dtype=np.uint8)
    monkeypatch.setattr("core.readers.shard_writing.GROUP", 8)
    monkeypatch.setattr("core.readers.remote.READ_AHEAD", 1 << 16)
    (path,) = write_shards(image_set(np.concatenate([x] * 2)), "s3://shards/wide")
    size = bucket.info(path)["size"]
    fetched = []
    plain = s3fs.core.S3File._fetch_range

    def counted(self, start, end):
        content = plain(self, start, end)
        fetched.append(len(content))
        return content

    monkeypatch.setattr(s3fs.core.S3File, "_fetch_range", counted)
    source = ShardedSource(path, size=16)
    assert find_frame(source, list_shards(source)) == Frame(16, 16, 3)
    assert 0 < sum(fetched) < size / 4


def test_a_bucket_that_is_not_there_is_told_in_a_sentence_and_not_made(bucket):
    with pytest.raises(DataError, match="s3://no-such-bucket-here/a"):
        load(ShardedSource("s3://no-such-bucket-here/a"))
    with pytest.raises(DataError, match="s3://shards/none has no shards"):
        load(ShardedSource("s3://shards/none"))
    with pytest.raises(ExportError, match="cannot be written"):
        remote.write("s3://no-such-bucket-here/a/b.parquet", b"x")
    assert not bucket.exists("no-such-bucket-here")


def test_a_server_that_does_not_answer_is_told_in_a_sentence(monkeypatch):
    s3fs = pytest.importorskip("s3fs")
    for name, value in (("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("AWS_ACCESS_KEY_ID", "test"),
                        ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_MAX_ATTEMPTS", "1")):  # fmt: skip
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    with pytest.raises(DataError, match=r"s3://shards/a cannot be read: .*127\.0\.0\.1:9"):
        load(ShardedSource("s3://shards/a"))
    s3fs.S3FileSystem.clear_instance_cache()
