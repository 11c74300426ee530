"""An atlas made of a run's parts: every row once, along the curve, whole or not at all, whatever the parts hold."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import atlas as atlases
from core import parts
from core.atlas import Column, Filter, View, curve, sorting
from core.errors import ConfigError, DataError, ExportError
from core.progress import Cancelled, ignore
from core.readers import remote
from tests import made_up_atlas

SHAPE = {"image_shape": [8, 8, 1]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 30,000 rows in parts of 7,000, whose atlas has files of two row groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "FILE_GROUPS", 2)
        root = str(tmp_path_factory.mktemp("run"))
        numbers = made_up_atlas.write(root, 30_000, d=4, piece=7_000, about={"name": "a test"})
    return root, numbers


@pytest.fixture(scope="module")
def table(run):
    """The whole atlas, in the order of its files."""
    return _table(run[0])


def _table(root, columns=None):
    names = [file["name"] for file in _told(root)["files"]]
    return pa.concat_tables(pq.read_table(f"{root}/atlas/{name}", columns=columns) for name in names)


def _told(root):
    with open(f"{root}/atlas/atlas.json", encoding="utf-8") as file:  # noqa: PTH123
        return json.load(file)


def _small(root, encoded=None, place=None, n=4, number=0, **stages):
    """Write one part of a few rows."""
    columns = {"id": [f"{i}" for i in range(n)], "label": ["a"] * n, "error": np.zeros(n, np.float32)}
    parts.write(root, "encoded", number, pa.table(columns | (encoded or {})), "k", {})
    place = place if place is not None else np.stack([np.arange(n), np.arange(n)], 1)
    xy = {name: pa.array(np.asarray(place)[:, i].astype(np.float32)) for i, name in enumerate("xy")}
    parts.write(root, "map2", number, pa.table(xy), "k", {})
    for stage, columns in stages.items():
        parts.write(root, stage, number, pa.table(columns), "k", {})


def _opened(root, numbers=(0,), **settings):
    atlases.build(str(root), numbers, SHAPE, ignore, **settings)
    return atlases.open_atlas(str(root))


def test_every_row_of_every_stage_is_there_once_and_beside_its_own(run, table):
    root, numbers = run
    found = table.sort_by([("part", "ascending"), ("row", "ascending")])
    for stage in ("encoded", "clustered", "map2", "suspects"):
        given = pa.concat_tables(parts.read(root, stage, number) for number in numbers)
        for name in given.column_names:
            if name == "fitted":
                continue
            assert found[name].to_pylist() == given[name].to_pylist(), name


def test_rows_lie_along_the_curve_in_row_groups_of_4096_and_know_their_place(run, table):
    root, _ = run
    bounds = View(**_told(root)["bounds"])
    places = curve.codes(table["x"].to_numpy(), table["y"].to_numpy(), bounds)
    assert (np.diff(places.astype(np.int64)) >= 0).all()
    assert table["at"].to_pylist() == list(range(30_000))
    sizes = []
    for file in _told(root)["files"]:
        found = pq.read_metadata(f"{root}/atlas/{file['name']}")
        sizes += [found.row_group(i).num_rows for i in range(found.num_row_groups)]
        assert found.num_rows == file["rows"]
    assert sizes == [4_096] * 7 + [30_000 - 7 * 4_096]
    assert len(_told(root)["files"]) == 4


def test_the_curve_takes_the_bits_of_y_and_x_by_turns():
    bounds = View(0, 65_536, 0, 65_536)
    cells = np.array([[0, 0], [1, 0], [0, 1], [3, 0], [2, 3], [65_535, 65_535], [65_536, 65_536]], np.float32)
    assert curve.codes(cells[:, 0], cells[:, 1], bounds).tolist() == [0, 1, 2, 5, 14, 2**32 - 1, 2**32 - 1]


def test_a_small_view_lies_in_few_row_groups(tmp_path, rng):
    n = 200_000
    _small(str(tmp_path), place=rng.random((n, 2)), n=n)
    atlas = _opened(tmp_path)
    touched, groups = 0, 0
    for file in atlas.files:
        found = pq.read_metadata(f"{tmp_path}/atlas/{file.name}")
        places = {found.schema.column(i).path: i for i in range(found.num_columns)}
        for i in range(found.num_row_groups):
            x, y = (found.row_group(i).column(places[axis]).statistics for axis in "xy")
            groups += 1
            touched += x.min <= 0.4 and x.max >= 0.3 and y.min <= 0.4 and y.max >= 0.3
    assert groups == 49 and touched <= 6  # of a hundredth of the map


def test_the_columns_say_what_can_be_filtered_by(run):
    atlas = atlases.open_atlas(run[0])
    columns = {column.name: column for column in atlas.columns}
    assert columns["label"].values == tuple(map(str, range(10))) == columns["cluster"].values
    assert sum(columns["label"].counts) == 30_000
    assert columns["site"].values == ("north", "south", 'the "old" one\'s', "")
    assert columns["id"].kind == "text"
    weights = np.array([w for w in _table(run[0])["weight"].to_pylist() if w is not None])
    assert (columns["weight"].low, columns["weight"].high) == (weights.min(), weights.max())
    assert {"part", "row", "x", "y", "thumbnail", "latents"} == set(atlas.fetched) - set(columns)
    assert (atlas.n, atlas.d, atlas.image_shape, atlas.about["name"]) == (30_000, 4, (8, 8, 1), "a test")


def test_too_many_values_are_no_category(tmp_path):
    n = 300
    many = {"cluster": np.arange(n, dtype=np.int32), "distance": np.full(n, np.nan, np.float32)}
    own = {"label": [f"l{i}" for i in range(n)], "long": ["x" * 500] * n, "few": ["a", "b", None] * 100}
    own["odd"] = [np.nan, np.inf, 2.0] * 100
    _small(str(tmp_path), own, n=n, clustered=many)
    atlas = _opened(tmp_path)
    assert {column.name: column for column in atlas.columns} == {
        "id": Column("id", "text"),
        "label": Column("label", "text"),
        "cluster": Column("cluster", "number", low=0.0, high=299.0),
        "error": Column("error", "number", low=0.0, high=0.0),
        "long": Column("long", "text"),
        "few": Column("few", "category", ("a", "b", ""), (100, 100, 100)),
        "odd": Column("odd", "number", low=2.0, high=2.0),
    }  # a distance that is nowhere known is no column to filter by
    assert atlases.histogram(atlas, "cluster", 3).counts.tolist() == [100, 100, 100]
    assert atlases.histogram(atlas, "odd", 1).counts.tolist() == [100]


HOSTILE = [
    'x"; DROP TABLE atlas; --',
    "Label",
    "AT",
    "curve",
    "a.b",
    "a",
    "$x0",
    "",
    "n" * 500,
    "zeile\nzwei",
    "part",
    "%s {0}",
]


def test_whatever_the_datas_own_columns_are_called_they_can_be_asked_for(tmp_path):
    own = {name: pa.array([float(i), 0.0, 0.0, 0.0]) for i, name in enumerate(HOSTILE)}
    _small(str(tmp_path), own)
    atlas = _opened(tmp_path)
    names = [name for name in atlas.fetched if name not in ("part", "row", "id", "label", "error", "x", "y")]
    assert len({name.casefold() for name in atlas.fetched}) == len(atlas.fetched) == 7 + len(HOSTILE)
    assert names[:4] == ['x"; DROP TABLE atlas; --', "Label (data)", "AT (data)", "curve (data)"]
    found = atlases.fetch(atlas, [0], names).to_pydict()
    assert [found[name][0] for name in names] == [float(i) for i in range(len(HOSTILE))]
    for i, name in enumerate(names[1:], 1):
        assert atlases.count(atlas, None, [Filter(name, low=i, high=i)]) == 1
        assert atlases.histogram(atlas, name, 2).counts.tolist() == [3, 1]


def test_parts_may_have_different_columns_of_the_datas_own(tmp_path):
    _small(str(tmp_path), {"a": [1.5] * 4, "b": [1.0] * 4}, number=0)
    _small(str(tmp_path), {"b": ["x"] * 4, "c": [True] * 4}, number=7)
    atlas = _opened(tmp_path, (0, 7))
    found = atlases.fetch(atlas, range(8), ["part", "a", "b", "c"]).to_pydict()
    rows = sorted(zip(*(found[name] for name in ("part", "a", "b", "c")), strict=True), key=lambda row: row[0])
    assert rows == [(0, 1.5, "1", None)] * 4 + [(7, None, "x", 1.0)] * 4


def test_points_on_a_line_or_on_one_place_have_a_map_too(tmp_path):
    _small(str(tmp_path), place=np.full((4, 2), 3.0))
    assert _opened(tmp_path).bounds == View(2.5, 3.5, 2.5, 3.5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda root: _small(root, place=[[0, 0], [1, np.nan], [2, 2], [3, 3]]), "not finite"),
        (lambda root: _small(root, place=[[0, 0], [1, np.inf], [2, 2], [3, 3]]), "not finite"),
        (lambda root: _small(root, n=0, place=np.zeros((0, 2))), "hold no images"),
        (lambda root: _small(root, clustered={"cluster": np.zeros(3, np.int32)}), "4 rows in encoded and 3 in clustered"),
        (lambda root: _small(root, {"when": pa.array([0] * 4, pa.timestamp("s"))}), "'when' is of type timestamp"),
        (lambda root: _small(root, {"latents": [[1.0]] * 4}), "latents are of several types or none"),
        (lambda root: _small(root, {f"c{i}": [0.0] * 4 for i in range(200)}), "200 columns of the data's own are too many"),
        (lambda root: remote.write(parts.path_of(root, "suspects", 0), b"PAR1 nothing"), "cannot be read"),
    ],
)  # fmt: skip
def test_parts_that_cannot_be_joined_are_told_of_and_leave_nothing(tmp_path, change, sentence):
    root = str(tmp_path)
    _small(root)
    change(root)
    with pytest.raises(DataError, match=sentence):
        atlases.build(root, (0,), SHAPE, ignore, stages=("clustered", "suspects") if "cannot" in sentence else None)
    assert not (tmp_path / "atlas").exists()


def test_a_part_that_is_not_there_is_named(tmp_path):
    root = str(tmp_path)
    _small(root, clustered={"cluster": np.zeros(4, np.int32)})
    _small(root, number=1)
    with pytest.raises(DataError, match=r"clustered.000001\.parquet cannot be read"):
        atlases.build(root, (0, 1), SHAPE, ignore)


def test_a_part_that_changes_while_it_is_read_is_told_of_as_such(tmp_path):
    root = str(tmp_path)
    _small(root)

    def change(progress):
        if progress.done == progress.total:  # it was looked through
            _small(root, n=5)

    with pytest.raises(DataError, match="was changed while the atlas was made"):
        atlases.build(root, (0,), SHAPE, change)


def test_only_the_stages_asked_for_are_joined(tmp_path):
    root = str(tmp_path)
    _small(root, clustered={"cluster": np.zeros(4, np.int32)}, suspects={"suspect": np.zeros(4, np.float32)})
    assert "suspect" in _opened(root).fetched
    assert {"cluster", "suspect"} & set(_opened(root, stages=("clustered",)).fetched) == {"cluster"}
    with pytest.raises(ConfigError, match="nothing of a stage 'reduced'"):
        atlases.build(root, (0,), SHAPE, ignore, stages=("reduced",))


@pytest.mark.parametrize("about", [{}, {"image_shape": [0, 8, 1]}, {"image_shape": "8"}, SHAPE | {"x": float("nan")}])
def test_what_an_atlas_is_told_about_itself_is_checked(tmp_path, about):
    _small(str(tmp_path))
    with pytest.raises(ConfigError, match=r"image_shape|must be JSON"):
        atlases.build(str(tmp_path), (0,), about, ignore)


def test_a_memory_that_is_no_size_is_told_of(tmp_path):
    _small(str(tmp_path))
    with pytest.raises(ConfigError, match="'much' is no size"):
        atlases.build(str(tmp_path), (0,), SHAPE, ignore, memory="much")


@pytest.mark.parametrize("stage", ["Looking through the parts", "Joining the parts", "Sorting the atlas"])
def test_an_atlas_that_is_stopped_leaves_the_one_before_as_it_was(tmp_path, monkeypatch, stage):
    root = str(tmp_path)
    numbers = made_up_atlas.write(root, 60_000, d=4, piece=10_000)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "atlas").iterdir())
    monkeypatch.setattr(sorting, "_SECONDS", 0.001)

    def stop(progress):
        if progress.stage == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        atlases.build(root, numbers, SHAPE, stop)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "atlas").iterdir()) == before
    assert {path.name for path in tmp_path.iterdir()} == {"atlas", "encoded", "clustered", "map2", "suspects"}


def test_an_atlas_made_again_replaces_the_one_before(run, tmp_path):
    root = str(tmp_path)
    _small(root)
    first = _opened(root)
    _small(root, n=6)
    second = _opened(root)
    assert (first.n, second.n) == (4, 6) and first.key != second.key
    with pytest.raises(DataError, match="cannot be read"):  # and not rows of the other table
        atlases.fetch(first, [0])


def test_progress_is_told_in_numbers_that_grow(tmp_path, monkeypatch):
    monkeypatch.setattr(sorting, "_SECONDS", 0.001)
    seen = []
    root = str(tmp_path)
    numbers = made_up_atlas.write(root, 40_000, piece=10_000, build_too=False)
    atlases.build(root, numbers, SHAPE, seen.append)
    for stage in ("Looking through the parts", "Joining the parts"):
        done = [progress.done for progress in seen if progress.stage == stage]
        assert done == sorted(done) and done
    assert all(progress.done <= progress.total for progress in seen)


def test_what_the_memory_does_not_hold_is_sorted_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(sorting, "_SECONDS", 0.01)
    root, spilled = str(tmp_path), set()
    numbers = made_up_atlas.write(root, 60_000, d=512, piece=5_000, own=False, build_too=False)
    look = lambda progress: spilled.update(tmp_path.glob(".*/spilled/*"))  # noqa: E731
    atlases.build(root, numbers, SHAPE, look, memory="300MB")
    assert spilled and not list(tmp_path.glob(".*"))
    table = _table(root, ["part", "row", "x", "y"])
    places = curve.codes(table["x"].to_numpy(), table["y"].to_numpy(), View(**_told(root)["bounds"])).astype(np.int64)
    assert (np.diff(places) >= 0).all() and table.num_rows == 60_000
    assert len(set(zip(table["part"].to_pylist(), table["row"].to_pylist(), strict=True))) == 60_000
    with pytest.raises(ExportError, match="takes more memory than 20MB"):
        atlases.build(root, numbers, SHAPE, ignore, memory="20MB")


def test_an_atlas_at_an_address_is_made_and_asked_and_made_anew():
    import fsspec

    root, system = "memory://atlas-build/run", fsspec.filesystem("memory")
    try:
        made_up_atlas.write(root, 5_000, d=4, piece=2_000)
        first = atlases.open_atlas(root)
        assert atlases.density(first, first.bounds, 30, 20).total == 5_000
        assert atlases.fetch(first, [4_999, 3], ["id"])["at"].to_pylist() == [4_999, 3]
        made_up_atlas.write(root, 3_000, d=4, piece=2_000, seed=1)
        assert atlases.open_atlas(root).n == 3_000
        names = [path.rsplit("/", 1)[1] for path in system.ls("/atlas-build/run/atlas", detail=False)]
        assert len(names) == 2 and "atlas.json" in names
    finally:
        system.rm("/atlas-build", recursive=True)
