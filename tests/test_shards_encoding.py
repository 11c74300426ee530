"""Encoding shard by shard: the same bits as all at once, whatever is damaged, killed or there already."""

import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core import checkpoints, latents, parts
from core.config import ClassifierConfig, FeaturesConfig
from core.engines import Local, Make, open_engine
from core.errors import CheckpointError, ExportError
from core.images import SampleSource, load
from core.imageset import image_set
from core.readers.shards import find_frame, list_shards
from core.readers.sources import ShardedSource
from core.shards import encoding
from core.shards.thumbnails import thumbnail
from tests.ray_cluster import ray_cluster  # noqa: F401

ROOT = Path(__file__).parents[1]
SIZES = (257, 1000, 1, 300, 2)  # of shards: with a last batch of one, of several batches, of one image
on_ray = pytest.mark.xdist_group("ray")


@pytest.fixture(scope="module")
def model():
    """The sample's own model."""
    return checkpoints.load(ROOT / "assets" / "digits" / "model")


@pytest.fixture(scope="module")
def digits():
    """Images of the sample, one after another in the shards."""
    images = load(SampleSource("digits"))
    rows = np.random.default_rng(0).permutation(len(images))[: sum(SIZES)]
    return image_set(images.x[rows], images.y[rows], images.classes)


@pytest.fixture(scope="module")
def whole(model, digits):
    """What encoding all at once gives."""
    return latents.encode(model, digits)


@pytest.fixture
def source(tmp_path, digits):
    """The shards as Parquet files; of two columns more, one has a name of ours."""
    folder, starts = tmp_path / "data", np.cumsum([0, *SIZES])
    folder.mkdir()
    for number, start in enumerate(starts[:-1]):
        write(folder / f"part-{number}.parquet", digits, range(start, starts[number + 1]))
    return ShardedSource(str(folder))


def write(path, digits, rows, content=None):
    """Write images as a Parquet file; `content` is put in place of one picture by its row."""
    pictures = [png(digits.x[row]) for row in rows]
    for row, data in (content or {}).items():
        pictures[row] = data
    columns = {
        "image": pa.array(pictures, pa.binary()),
        "label": pa.array([digits.classes[digits.y[row]] for row in rows]),
        "id": pa.array([f"row {row}" for row in rows]),
        "Error": pa.array([row / 2 for row in rows], pa.float64()),
        "hand": pa.array([f"writer {row % 7}" for row in rows]),
    }
    pq.write_table(pa.table(columns), path)


def png(pixels):
    """Return an image (h, w, 1) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(buffer, "PNG")
    return buffer.getvalue()


def encode(source, model, root, engine=None, key="k", **more):
    """Encode a source's shards."""
    shards = list_shards(source)
    frame = find_frame(source, shards)
    return encoding.encode(engine or Local(), source, shards, frame, model, str(root), key, **more)


def joined(root, found):
    """Return the parts as one table."""
    return pa.concat_tables(parts.read(str(root), "encoded", part.number) for part in found.parts)


def assert_whole(root, found, whole, rows=slice(None)):
    """Check that the parts hold, to the last bit, what encoding all at once gives of these rows."""
    table = joined(root, found)
    assert parts.matrix(table["latents"]).tobytes() == whole.latents[rows].tobytes()
    assert table["error"].to_numpy().tobytes() == whole.errors[rows].tobytes()


@pytest.mark.parametrize("name", ["local", pytest.param("ray", marks=on_ray)])
def test_parts_hold_the_bits_of_encoding_all_at_once(name, request, source, model, digits, whole, tmp_path):
    address = request.getfixturevalue("ray_cluster") if name == "ray" else None
    events = []
    with open_engine(name, address) as engine:
        found = encode(source, model, tmp_path / "run", engine, callback=events.append)
    assert [(part.number, part.rows) for part in found.parts] == list(enumerate(SIZES))
    assert (found.n, found.skipped, found.found, found.problems) == (sum(SIZES), 0, 0, ())
    assert_whole(tmp_path / "run", found, whole)
    assert [(event.stage, event.done, event.total) for event in events] == [("Encoding", i, 5) for i in range(6)]
    table = joined(tmp_path / "run", found)
    assert table.column_names == ["id", "label", "error", "latents", "thumbnail", "Error (data)", "hand"]
    assert table["label"].to_pylist() == [digits.classes[label] for label in digits.y]
    assert table["id"].to_pylist() == [f"row {row}" for row in range(sum(SIZES))]
    assert table["Error (data)"].to_pylist() == [row / 2 for row in range(sum(SIZES))]
    assert table["hand"].to_pylist() == [f"writer {row % 7}" for row in range(sum(SIZES))]
    shown = [np.asarray(Image.open(io.BytesIO(data))) for data in table["thumbnail"].to_pylist()]
    np.testing.assert_array_equal(shown, digits.x[..., 0])


def test_bits_hang_neither_on_slices_nor_on_threads(source, model, whole, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(encoding, "SLICE", 256)
    sizes, before = [], torch.get_num_threads()
    real = latents.encode
    monkeypatch.setattr(latents, "encode", lambda m, x, **more: sizes.append(len(x)) or real(m, x, **more))
    torch.set_num_threads(3)
    try:
        found = encode(source, model, tmp_path / "run")
    finally:
        torch.set_num_threads(before)
    assert sizes == [256] * 10
    assert_whole(tmp_path / "run", found, whole)


def test_slices_of_large_images_are_bounded_in_bytes(monkeypatch, model, digits):
    monkeypatch.setattr(encoding, "SLICE_BYTES", 300 * 28 * 28)
    sizes, real = [], latents.encode
    monkeypatch.setattr(latents, "encode", lambda m, x, **more: sizes.append(len(x)) or real(m, x, **more))
    encoding._encoded(model, digits.x[:700], "x", None)
    assert sizes == [256, 256, 256]


def test_what_is_damaged_is_named_and_the_rest_encoded(source, model, digits, whole, tmp_path):
    folder = Path(source.path)
    content = (folder / "part-1.parquet").read_bytes()
    (folder / "part-1.parquet").write_bytes(content[: len(content) // 2])
    write(folder / "part-2.parquet", digits, [0], {0: b"no picture"})
    write(folder / "part-3.parquet", digits, range(1258, 1558), {7: b"no picture", 9: b""})
    found = encode(source, model, tmp_path / "run")
    assert [part.number for part in found.parts] == [0, 3, 4]
    assert [problem.id for problem in found.problems] == ["part-1.parquet", "part-2.parquet"]
    assert "part-1.parquet" in found.problems[0].reason
    assert (found.n, found.skipped) == (257 + 298 + 2, 2)
    info = found.parts[1].info
    assert info["shard"] == "part-3.parquet" and info["skipped"] == 2 and info["seconds"] > 0
    assert [name for name, _ in info["named"]] == ["row 1265", "row 1267"]
    kept = [*range(257), *(row for row in range(1258, 1560) if row not in (1265, 1267))]
    assert_whole(tmp_path / "run", found, whole, kept)


def test_a_run_that_goes_on_encodes_only_what_is_missing(source, model, whole, tmp_path, monkeypatch):
    read, real = [], encoding.read_shard
    monkeypatch.setattr(encoding, "read_shard", lambda s, shard, f: read.append(shard.number) or real(s, shard, f))

    class StoppedError(Exception):
        pass

    def stop(event):
        if event.done == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        encode(source, model, tmp_path / "run", callback=stop)
    assert read == [0, 1]
    Path(parts.path_of(str(tmp_path / "run"), "encoded", 0)).write_bytes(b"PAR1 cut off")
    found = encode(source, model, tmp_path / "run")
    assert read == [0, 1, 0, 2, 3, 4]
    assert found.found == 1
    assert_whole(tmp_path / "run", found, whole)
    again = encode(source, model, tmp_path / "run", callback=pytest.fail)
    assert len(read) == 6 and again.found == 5 and again.n == found.n
    assert encode(source, model, tmp_path / "run", key="other").found == 0
    assert len(read) == 11


def test_a_worker_takes_the_part_that_another_has_written_meanwhile(source, model, tmp_path, monkeypatch):
    shards = list_shards(source)
    work = encoding.Encoding(source, find_frame(source, shards), model, str(tmp_path), "k")()
    part = work(shards[3])
    monkeypatch.setattr(encoding, "read_shard", lambda *given: pytest.fail("it was encoded again"))
    assert work(shards[3]) == part and part.rows == 300


@dataclass(frozen=True)
class Marked:
    """Wraps what a worker does: says first which process it is, and lets it be killed while it is at shard 1."""

    make: Make
    folder: str

    def __call__(self):
        work = self.make()

        def marked(shard):
            with (Path(self.folder) / str(shard.number)).open("a") as file:
                file.write(f"{os.getpid()}\n")
            if shard.number == 1 and len((Path(self.folder) / "1").read_text().split()) == 1:
                time.sleep(60)
            return work(shard)

        return marked


class Killing:
    """An engine whose worker is killed while it is at shard 1, once another shard is done."""

    name = "killing"

    def __init__(self, engine, folder):
        self._engine, self._folder = engine, folder

    def each(self, make, items, callback, stage, **more):
        """Go through items."""
        killed, mark = False, self._folder / "1"
        for outcome in self._engine.each(Marked(make, str(self._folder)), items, callback, stage, **more):
            if mark.exists() and not killed:
                os.kill(int(mark.read_text()), signal.SIGKILL)
                killed = True
            yield outcome


@on_ray
def test_a_worker_killed_in_the_middle_costs_only_its_shard(ray_cluster, source, model, whole, tmp_path):  # noqa: F811
    marks = tmp_path / "marks"
    marks.mkdir()
    with open_engine("ray", ray_cluster) as engine:
        found = encode(source, model, tmp_path / "run", Killing(engine, marks))
    assert found.problems == ()
    assert_whole(tmp_path / "run", found, whole)
    begun = {int(path.name): len(path.read_text().split()) for path in marks.iterdir()}
    assert begun == {0: 1, 1: 2, 2: 1, 3: 1, 4: 1}


def test_two_runs_at_once_give_one_whole_result(source, model, whole, tmp_path):
    code = (
        "import sys; from pathlib import Path; from core import checkpoints; from tests import test_shards_encoding as t\n"
        "model = checkpoints.load(t.ROOT / 'assets' / 'digits' / 'model'); print('ready', flush=True); input()\n"
        "found = t.encode(t.ShardedSource(sys.argv[1]), model, sys.argv[2])\n"
        "print(found.n, len(found.problems))"
    )
    command = [sys.executable, "-c", code, source.path, str(tmp_path / "run")]
    runs = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in "ab"
    ]
    for run in runs:
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        run.stdin.write("\n")
        run.stdin.flush()
    for run in runs:
        assert run.communicate(timeout=120)[0].split() == [str(sum(SIZES)), "0"]
    found = encode(source, model, tmp_path / "run", callback=pytest.fail)
    assert found.found == len(SIZES)
    assert_whole(tmp_path / "run", found, whole)
    assert sorted(path.name for path in (tmp_path / "run" / "encoded").iterdir()) == [
        f"{i:06d}.parquet" for i in range(5)
    ]


def test_parts_at_an_address_are_the_same(source, model, whole, tmp_path):
    root = (tmp_path / "run").as_uri()
    found = encode(source, model, root)
    table = pa.concat_tables(parts.read(root, "encoded", part.number) for part in found.parts)
    assert parts.matrix(table["latents"]).tobytes() == whole.latents.tobytes()


def test_what_is_wrong_with_more_than_a_shard_ends_it(source, model, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ExportError, match="cannot be written"):
        encode(source, model, tmp_path / "file")
    broken = {
        name: values * np.float32("nan") for name, values in model.weights.items() if values.dtype == np.float32
    }
    with pytest.raises(CheckpointError, match="not finite"):
        encode(source, replace(model, weights={**model.weights, **broken}), tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"reads images \(28, 28, 1\); those of the shards are .*\(32, 32, 1\)"):
        encode(replace(source, size=32), model, tmp_path / "run")
    with pytest.raises(CheckpointError, match="pretrained network cannot be made shard by shard"):
        encode(source, replace(model, autoencoder=features()), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def features():
    """Settings of a model of pretrained features."""
    return FeaturesConfig(ClassifierConfig("efficientnet_lite0"), 1280, "0" * 32)


def test_columns_of_the_data_get_names_that_no_stage_has():
    given = ["id", "X", "hand", "x (data)", "Hand", "\n", "a\u202eb", "l" * 300, "at"]
    names = encoding.own_names(given)
    assert list(names) == given
    assert names["id"] == "id (data)" and names["X"] == "X (data)" and names["x (data)"] == "x (data) (data)"
    assert names["hand"] == "hand" and names["Hand"] == "Hand (data)" and names["at"] == "at (data)"
    assert names["\n"] == "\\n" and names["a\u202eb"] == "a\\u202eb" and names["l" * 300] == "l" * 100
    assert len({name.casefold() for name in names.values()} | set(encoding.RESERVED)) == len(names) + len(
        encoding.RESERVED
    )


@pytest.mark.parametrize(
    "shape, size, form",
    [
        ((28, 28, 1), (28, 28), "PNG"),
        ((32, 9, 3), (9, 32), "PNG"),
        ((40, 33, 3), (33, 40), "WEBP"),
        ((64, 128, 1), (64, 32), "WEBP"),
    ],
)
def test_a_thumbnail_is_every_pixel_of_a_small_image_and_a_smaller_picture_of_a_large_one(shape, size, form):
    smooth = np.indices(shape).sum(axis=0).astype(np.uint8)
    with Image.open(io.BytesIO(thumbnail(smooth[..., 0] if shape[2] == 1 else smooth))) as picture:
        assert (picture.format, picture.size) == (form, size)
        shown = np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))
    if form == "PNG":
        np.testing.assert_array_equal(shown.reshape(shape), smooth)
    else:
        expected = np.asarray(
            Image.fromarray(smooth[..., 0] if shape[2] == 1 else smooth).convert("RGB").resize(size)
        )
        assert np.abs(shown.astype(int) - expected).mean() < 6
