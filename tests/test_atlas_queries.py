"""Questions to an atlas, each against numpy on the whole table; and that nothing but the atlas can be asked."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import atlas as atlases
from core import parts
from core.atlas import Filter, View, asking, open_atlas, sorting
from core.errors import ConfigError, DataError, ExportError
from core.progress import ignore
from tests import made_up_atlas

N = 30_000
VIEW = View(4.0, 11.0, -2.5, 6.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A run's folder with an odd name and an atlas of several files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "FILE_GROUPS", 2)
        folder = str(tmp_path_factory.mktemp("run") / "it's [2024]* a run?")
        made_up_atlas.write(folder, N, d=4, piece=7_000)
    return folder


@pytest.fixture(scope="module")
def atlas(root):
    return open_atlas(root, threads=2)


@pytest.fixture(scope="module")
def frame(root, atlas):
    """The whole table in memory, in its order."""
    tables = [pq.read_table(Path(root) / "atlas" / file.name) for file in atlas.files]
    return pa.concat_tables(tables).drop_columns(["latents", "thumbnail"]).to_pandas()


def _inside(frame, view=VIEW):
    return frame[frame.x.between(view.x0, view.x1) & frame.y.between(view.y0, view.y1)]


def _cells(frame, view, width, height):
    """Return each row's cell as in the docstring of `density`, from float64."""
    x, y = frame.x.to_numpy(np.float64), frame.y.to_numpy(np.float64)
    column = np.minimum(width - 1, np.floor((x - view.x0) * (width / (view.x1 - view.x0)))).astype(int)
    row = np.minimum(height - 1, np.floor((view.y1 - y) * (height / (view.y1 - view.y0)))).astype(int)
    return row, column


FILTERS = [
    ((), lambda f: f.index >= 0),
    ((Filter("label", ("3", "5")),), lambda f: f.label.isin(["3", "5"])),
    ((Filter("cluster", ("0", "1")),), lambda f: f.cluster.isin([0, 1])),
    ((Filter("site", ("", "north")),), lambda f: f.site.isna() | (f.site == "north")),
    ((Filter("site", ('the "old" one\'s',)),), lambda f: f.site == 'the "old" one\'s'),
    ((Filter("looks_like", ("",)),), lambda f: f.looks_like.isna()),
    ((Filter("suspect", low=0.5),), lambda f: f.suspect >= 0.5),
    ((Filter("weight", high=0.25),), lambda f: f.weight <= 0.25),
    ((Filter("weight", low=0.1, high=0.2), Filter("label", ("1",))), lambda f: f.weight.between(0.1, 0.2) & (f.label == "1")),
    ((Filter("id", ("0/5", "2/17", "no such")),), lambda f: f.id.isin(["0/5", "2/17"])),
    ((Filter("label", ("' OR 1=1 --",)),), lambda f: f.index < 0),
    ((Filter("cluster", ("1; DROP",)),), lambda f: f.index < 0),
    ((Filter("label", ()),), lambda f: f.index < 0),
]  # fmt: skip


@pytest.mark.parametrize(("filters", "mask"), FILTERS)
def test_rows_are_counted_as_numpy_counts_them(atlas, frame, filters, mask):
    wanted = frame[mask(frame)]
    assert atlases.count(atlas, None, filters) == len(wanted)
    assert atlases.count(atlas, VIEW, filters) == len(_inside(wanted))


def test_a_view_beside_the_map_holds_nothing(atlas):
    away = View(1_000, 1_001, 1_000, 1_001)
    assert atlases.count(atlas, away) == 0 == atlases.density(atlas, away, 5, 4).total
    assert atlases.rows(atlas, away, 10).num_rows == 0
    assert atlases.density(atlas, away, 5, 4, color="label").shares.sum() == 0


@pytest.mark.parametrize("view", [VIEW, None])
@pytest.mark.parametrize(("filters", "mask"), FILTERS[:7])
def test_a_density_counts_each_cell(atlas, frame, view, filters, mask):
    view = view or atlas.bounds
    inside = _inside(frame[mask(frame)], view)
    expected = np.zeros((60, 90), np.uint32)
    np.add.at(expected, _cells(inside, view, 90, 60), 1)
    found = atlases.density(atlas, view, 90, 60, filters)
    assert found.counts.dtype == np.uint32 and (found.counts == expected).all()
    assert found.total == len(inside) == atlases.count(atlas, view, filters)


def test_points_on_the_edges_of_cells_and_of_the_view(tmp_path):
    place = pa.table({"x": pa.array([0, 1, 2, 2], pa.float32()), "y": pa.array([2, 1, 0, 2], pa.float32())})
    encoded = pa.table({"id": list("abcd"), "label": ["a"] * 4, "error": pa.array([0.0] * 4, pa.float32())})
    parts.write(str(tmp_path), "encoded", 0, encoded, "k", {})
    parts.write(str(tmp_path), "map2", 0, place, "k", {})
    atlases.build(str(tmp_path), [0], {"image_shape": [8, 8, 1]}, ignore)
    found = atlases.density(open_atlas(str(tmp_path)), View(0, 2, 0, 2), 2, 2)
    assert found.counts.tolist() == [
        [1, 1],
        [0, 2],
    ]  # (1, 1) lies right and below, the corner (2, 0) is the last cell's


def test_a_density_of_a_category_says_the_share_of_each_value(atlas, frame):
    found = atlases.density(atlas, VIEW, 40, 30, color="cluster")
    inside = _inside(frame)
    row, column = _cells(inside, VIEW, 40, 30)
    for k, name in enumerate(found.names):
        expected = np.zeros((30, 40))
        there = (inside.cluster == int(name)).to_numpy()
        np.add.at(expected, (row[there], column[there]), 1)
        assert np.allclose(found.shares[..., k] * found.counts, expected, atol=1e-3)
    assert not found.rest and len(found.names) == 10
    assert np.allclose(found.shares.sum(axis=-1), found.counts > 0)


def test_the_twelve_largest_values_are_told_apart_and_do_not_change_with_the_view(tmp_path, rng):
    n, label = 4_000, np.repeat(np.arange(20), 200)
    label[:400] = 7  # the largest
    names = [f"other{i}" if i else "other" for i in range(20)]
    place = pa.table({name: pa.array(rng.random(n).astype(np.float32)) for name in "xy"})
    encoded = pa.table({"id": ["i"] * n, "label": [names[i] for i in label], "error": np.zeros(n, np.float32)})
    parts.write(str(tmp_path), "encoded", 0, encoded, "k", {})
    parts.write(str(tmp_path), "map2", 0, place, "k", {})
    atlases.build(str(tmp_path), [0], {"image_shape": [8, 8, 1]}, ignore)
    atlas = open_atlas(str(tmp_path))
    whole = atlases.density(atlas, atlas.bounds, 10, 10, color="label")
    assert whole.names[0] == "other7" and len(whole.names) == 13 and whole.rest and whole.names[-1] == "other"
    small = atlases.density(atlas, View(0.2, 0.3, 0.2, 0.3), 10, 10, color="label")
    assert small.names[:12] == whole.names[:12]
    few = atlases.density(atlas, atlas.bounds, 10, 10, [Filter("label", ("other18", "other19"))], "label")
    assert few.names == ("other18", "other19") and not few.rest


def test_a_density_of_a_number_says_its_mean(atlas, frame):
    found = atlases.density(atlas, VIEW, 20, 15, color="weight")
    inside = _inside(frame)
    row, column = _cells(inside, VIEW, 20, 15)
    expected = pd.Series(inside.weight.to_numpy()).groupby(row * 20 + column).mean()
    assert np.allclose(found.means.ravel()[expected.index], expected, atol=1e-6, equal_nan=True)
    assert np.isnan(found.means[found.counts == 0]).all()
    assert (found.low, found.high) == (frame.weight.min(), frame.weight.max())


def test_rows_of_a_view_are_spread_over_it_and_stay_when_one_looks_closer(atlas, frame):
    found = atlases.rows(atlas, atlas.bounds, 300, columns=("x", "y", "label")).to_pandas()
    assert len(found) == 300 and (np.diff(found["at"]) > 0).all()
    assert np.abs(found["at"] / N - (np.arange(300) + 0.5) / 300).max() < 0.01  # evenly along the curve
    assert (found.x.to_numpy() == frame.x.to_numpy()[found["at"]]).all()
    closer = atlases.rows(atlas, VIEW, 300, columns=("x", "y")).to_pandas()
    assert set(_inside(found)["at"]) <= set(closer["at"]) and len(_inside(closer)) == 300
    every = atlases.rows(atlas, VIEW, 20_000, [Filter("label", ("1",))], ("id",))
    wanted = _inside(frame)[_inside(frame).label == "1"]
    assert every["id"].to_pylist() == wanted.id.tolist()


def test_rows_are_fetched_by_place_in_the_order_asked(atlas, frame):
    at = [29_999, 0, 12_345, 0, 8_192, 8_191]
    found = atlases.fetch(atlas, at, ("id", "thumbnail", "latents"))
    assert found["at"].to_pylist() == at
    assert found["id"].to_pylist() == frame.id.to_numpy()[at].tolist()
    assert parts.matrix(found["latents"]).shape == (6, 4)
    assert all(data.startswith(b"\x89PNG") for data in found["thumbnail"].to_pylist())
    assert atlases.fetch(atlas, [], ("id",)).num_rows == 0
    part, row = frame.part[12_345], frame.row[12_345]
    given = parts.matrix(parts.read(atlas.root, "encoded", part, ["latents"])["latents"])[row]
    assert (parts.matrix(found["latents"])[2] == given).all()


def test_the_top_rows_are_those_of_the_largest_number(atlas, frame):
    found = atlases.top(atlas, "suspect", 50, columns=("id", "suspect", "looks_like")).to_pandas()
    wanted = frame.sort_values(["suspect", "at"], ascending=[False, True]).head(50)
    assert found.id.tolist() == wanted.id.tolist() and found.looks_like.notna().all()
    least = atlases.top(atlas, "weight", 5, VIEW, [Filter("label", ("1",))], ("weight",), ascending=True)
    inside = _inside(frame)
    assert least["weight"].to_pylist() == sorted(inside[inside.label == "1"].weight.dropna())[:5]


def test_histograms_count_as_numpy_does(atlas, frame):
    column = frame.weight.dropna()
    found = atlases.histogram(atlas, "weight", 20)
    counts, edges = np.histogram(column, 20)
    assert np.allclose(found.edges, edges) and np.abs(found.counts - counts).max() <= 1  # one on an edge
    assert found.counts.sum() == len(column)
    inside = atlases.histogram(atlas, "weight", 20, VIEW, [Filter("label", ("1",))])
    assert (inside.edges == found.edges).all()
    assert inside.counts.sum() == _inside(frame)[_inside(frame).label == "1"].weight.notna().sum()
    named = atlases.histogram(atlas, "site", view=VIEW)
    assert (
        dict(zip(named.names, named.counts, strict=True)) == _inside(frame).site.fillna("").value_counts().to_dict()
    )


def test_a_matrix_counts_two_categories_together(atlas, frame):
    found = atlases.matrix(atlas, "label", "site", VIEW)
    inside = _inside(frame)
    expected = pd.crosstab(inside.label, inside.site.fillna("")).reindex(
        index=found.rows, columns=found.columns, fill_value=0
    )
    assert (found.counts == expected.to_numpy()).all() and found.counts.sum() == len(inside)


def test_rows_are_saved_as_parquet_with_pictures_and_latents(atlas, frame, tmp_path):
    path = tmp_path / "a.parquet"
    n = atlases.save(atlas, path, "parquet", VIEW, [Filter("label", ("1",))], ["at", "thumbnail", "id", "latents"])
    found = pq.read_table(path)
    wanted = _inside(frame)[_inside(frame).label == "1"]
    assert n == found.num_rows == len(wanted) and found.column_names == ["at", "thumbnail", "id", "latents"]
    assert found["id"].to_pylist() == wanted.id.tolist() and parts.matrix(found["latents"]).shape == (n, 4)


def test_rows_are_saved_as_csv(atlas, frame, tmp_path):
    path = tmp_path / "a.csv"
    assert atlases.save(atlas, path, "csv") == N
    found = pd.read_csv(path, dtype={"label": str, "looks_like": str})
    expected = frame.drop(columns="at")
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_exact=False, rtol=1e-6)


def test_csv_shields_what_a_spreadsheet_would_run(tmp_path):
    texts = [
        "=1+1",
        "fine",
        "+49",
        "-12.5",
        "＝cmd",
        "\t=x",
        None,
        "'=x",
        "a=b",
        "@x",
        "",
        ' "q", n',
        "zwei\r\nzeilen",
    ]
    n = len(texts)
    root = str(tmp_path)
    place = pa.table({name: pa.array(np.arange(n, dtype=np.float32)) for name in "xy"})
    parts.write(root, "map2", 0, place, "k", {})
    columns = {"id": [f"{i}" for i in range(n)], "label": texts, "error": np.zeros(n, np.float32), "=name": texts}
    parts.write(root, "encoded", 0, pa.table(columns), "k", {})
    atlases.build(root, [0], {"image_shape": [8, 8, 1]}, ignore)
    atlas = open_atlas(root)
    for cells, shield in (("spreadsheet", True), ("plain", False)):
        atlases.save(atlas, tmp_path / "a.csv", "csv", columns=["label", "=name"], cells=cells)
        found = pd.read_csv(tmp_path / "a.csv", keep_default_na=False, dtype=str, lineterminator="\n")
        given = ["" if text is None else text for text in texts]
        safe = [
            "'=1+1",
            "fine",
            "+49",
            "-12.5",
            "'＝cmd",
            "'\t=x",
            "",
            "''=x",
            "a=b",
            "'@x",
            "",
            ' "q", n',
            "zwei\r\nzeilen",
        ]
        assert found["label"].tolist() == (safe if shield else given)
        assert found.columns[1] == ("'=name" if shield else "=name")


def test_a_file_that_cannot_be_written_is_told_of_and_leaves_nothing(atlas, tmp_path):
    with pytest.raises(ExportError, match="cannot be written"):
        atlases.save(atlas, tmp_path / "no" / "a.csv", "csv")
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(ExportError, match="cannot be written"):
        atlases.save(atlas, tmp_path / "a.csv", "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda a: atlases.count(a, None, [Filter("no", ("1",))]), "no column 'no'"),
        (lambda a: atlases.count(a, None, [Filter("x", low=0)]), "no column 'x'"),
        (lambda a: atlases.count(a, None, [Filter("label", low=1)]), "is a category; a number is needed"),
        (lambda a: atlases.count(a, None, [Filter("weight", ("1",))]), "is a number; a category or a text is needed"),
        (lambda a: atlases.count(a, None, [Filter("label", ("1",))] * 21), "21 filters are too many"),
        (lambda a: atlases.density(a, VIEW, 3_000, 3_000), "the limit"),
        (lambda a: atlases.density(a, VIEW, 0, 10), "cannot be"),
        (lambda a: atlases.density(a, VIEW, 10, 10, color="id"), "is a text"),
        (lambda a: atlases.rows(a, VIEW, 20_001), "not in 0 to 20,000"),
        (lambda a: atlases.rows(a, VIEW, 1, columns=["no"]), "no column 'no'"),
        (lambda a: atlases.fetch(a, [N]), "no row 30,000"),
        (lambda a: atlases.fetch(a, [-1]), "no row -1"),
        (lambda a: atlases.fetch(a, range(20_001)), "too many at once"),
        (lambda a: atlases.top(a, "label", 5), "is a category"),
        (lambda a: atlases.histogram(a, "id"), "is a text"),
        (lambda a: atlases.histogram(a, "weight", 0), "not in 1 to 1,000"),
        (lambda a: atlases.matrix(a, "label", "weight"), "is a number"),
        (lambda a: atlases.save(a, "x", "csv", columns=["thumbnail"]), "neither pictures nor latents"),
        (lambda a: atlases.save(a, "x", "xlsx"), "as csv or parquet"),
        (lambda a: Filter("label"), "either values or a range"),
        (lambda a: Filter("label", ("1",), low=2), "either values or a range"),
        (lambda a: Filter("label", ["1"]), "takes at most"),
        (lambda a: Filter("label", ("1",) * 201), "takes at most"),
        (lambda a: Filter("label", low=float("nan")), "finite"),
        (lambda a: View(0, 0, 0, 1), "holds nothing"),
        (lambda a: View(0, float("inf"), 0, 1), "must be four numbers"),
        (lambda a: View("0", 1, 0, 1), "must be four numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told_in_a_sentence(atlas, ask, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ask(atlas)


def test_many_threads_ask_at_once(atlas, frame):
    views = [View(-12 + i, -8 + 2 * i, -12 + i, 4 + i) for i in range(8)]
    expected = [len(_inside(frame, view)) for view in views]
    wrong = []

    def ask(view, count):
        for _ in range(5):
            total = atlases.density(atlas, view, 50, 50, color="label").total
            few = atlases.rows(atlas, view, 100, columns=["x"]).num_rows
            if (total, few) != (count, min(100, count)):
                wrong.append((view, total, few))

    threads = [threading.Thread(target=ask, args=given) for given in zip(views, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# What DuckDB may do


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_text('{atlas}/../encoded/000000.parquet')",
        "SELECT * FROM read_parquet('{root}/encoded/000000.parquet')",
        "SELECT * FROM glob('{root}/*')",
        "SELECT * FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '{root}/x.csv'",
        "ATTACH '{root}/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '9GB'",
        "SET enable_external_access = true",
    ],
)
def test_the_connection_reads_nothing_but_the_atlas_and_changes_nothing(atlas, root, sql):
    quoted = root.replace("'", "''")
    with pytest.raises(DataError):
        asking.table(atlas.connection, sql.format(root=quoted, atlas=f"{quoted}/atlas"), {})
    assert not list(Path(root).glob("x.*"))


# Atlases that are not as they should be


@pytest.fixture
def broken(tmp_path):
    """A small atlas to be damaged: its folder."""
    made_up_atlas.write(str(tmp_path), 500, d=4)
    return tmp_path


def _refused(root, match):
    with pytest.raises(DataError, match=match) as caught:
        open_atlas(str(root))
    assert "\n" not in str(caught.value)


def _parquet(root):
    return next((root / "atlas").glob("*.parquet"))


def test_where_no_atlas_is_it_is_told(tmp_path):
    _refused(tmp_path, "There is no atlas in")
    _refused("memory://nowhere", "There is no atlas in")
    _refused("nosuch://nowhere", "cannot be opened")


def test_a_link_in_the_place_of_a_table_is_refused(broken):
    path = _parquet(broken)
    path.rename(broken / "elsewhere.parquet")
    path.symlink_to(broken / "elsewhere.parquet")
    _refused(broken, "is not a file")


def test_a_link_in_the_place_of_the_description_is_refused(broken):
    (broken / "atlas" / "atlas.json").rename(broken / "elsewhere.json")
    (broken / "atlas" / "atlas.json").symlink_to(broken / "elsewhere.json")
    _refused(broken, "cannot be read")


def test_a_table_that_was_cut_off_is_told_of(broken):
    path = _parquet(broken)
    path.write_bytes(path.read_bytes()[:-2_000])
    _refused(broken, "The atlas cannot be read")


def test_a_table_that_is_damaged_in_the_middle_is_told_of_when_it_is_asked(broken):
    path = _parquet(broken)
    data = bytearray(path.read_bytes())
    data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    path.write_bytes(data)
    atlas = open_atlas(str(broken))
    with pytest.raises(DataError, match="The atlas cannot be read"):
        atlases.fetch(atlas, range(500), atlas.fetched)


def test_a_table_of_other_columns_or_rows_is_refused(broken):
    path = _parquet(broken)
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 400), path)
    _refused(broken, "has 400 rows, where 500 are told of")
    pq.write_table(table.drop_columns(["label"]), path)
    _refused(broken, "'label' is not there")
    pq.write_table(table.set_column(table.column_names.index("x"), "x", pa.array(["1"] * 500)), path)
    _refused(broken, "'x' is VARCHAR; it should be FLOAT")


def _with(**changed):
    return lambda told: told | changed


@pytest.mark.parametrize(
    "change",
    [
        _with(version=2),
        _with(n="500"),
        _with(n=True),
        _with(n=0),
        _with(key="../../etc"),
        _with(d=10**6),
        _with(about=[]),
        _with(bounds={"x0": 0, "x1": 0, "y0": 0, "y1": 1}),
        _with(image_shape=[8, 8]),
        _with(fetched=["x"] * 300),
        _with(fetched=["at", "AT"]),
        _with(fetched=[7]),
        _with(files=[]),
        _with(columns=[{"name": "label", "kind": "number"}]),
        _with(columns=[7]),
        lambda told: told | {"files": [told["files"][0] | {"name": "../encoded/000000.parquet"}]},
        lambda told: told | {"files": [told["files"][0] | {"rows": -1}]},
        lambda told: told | {"columns": [told["columns"][0] | {"name": "unknown"}]},
        lambda told: told | {"columns": [c | {"values": [["x"]] * len(c["values"])} for c in told["columns"]]},
        lambda told: told | {"columns": [c | {"counts": [1]} for c in told["columns"] if c["values"]]},
        lambda told: {name: value for name, value in told.items() if name != "columns"},
        lambda told: [],
    ],
)
def test_a_description_that_cannot_be_right_is_refused(broken, change):
    path = broken / "atlas" / "atlas.json"
    path.write_text(json.dumps(change(json.loads(path.read_text("utf-8")))), "utf-8")
    _refused(broken, r"atlas\.json")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"version": NaN}', "1" * 10_000, "\x00", '{"version": 1}'])
def test_a_description_that_is_no_json_is_refused(broken, text):
    (broken / "atlas" / "atlas.json").write_text(text, "utf-8")
    _refused(broken, r"atlas\.json")


def test_a_memory_or_threads_that_cannot_be_are_told_of(root):
    for settings in ({"memory": "much"}, {"threads": -1}):
        with pytest.raises(ConfigError, match="DuckDB cannot work with"):
            open_atlas(root, **settings)


def test_a_question_that_takes_too_much_memory_is_told_of(root):
    atlas = open_atlas(root, memory="2MB", threads=1)
    with pytest.raises(DataError, match="takes more memory than"):
        asking.table(atlas.connection, "SELECT list(range(100000)) FROM range(1000)", {})


MEASURED = """
import sys
from core import atlas as atlases
atlas = atlases.open_atlas(sys.argv[1], memory="256MB", threads=1)
for color in (None, "label", "error"):
    assert atlases.density(atlas, atlas.bounds, 300, 200, color=color).total == atlas.n
atlases.rows(atlas, atlas.bounds, 200, columns=["thumbnail", "latents"])
atlases.top(atlas, "suspect", 100)
atlases.histogram(atlas, "error")
atlases.save(atlas, sys.argv[2], "parquet", columns=atlas.fetched)
with open("/proc/self/status") as file:
    print(next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="says how much memory a process took")
def test_memory_does_not_grow_with_the_table(tmp_path):
    peaks = []
    for n in (50_000, 300_000):
        root = tmp_path / str(n)
        made_up_atlas.write(str(root), n, d=64)
        command = [sys.executable, "-c", MEASURED, str(root), str(tmp_path / "saved.parquet")]
        found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
        peaks.append(int(found.stdout))
    assert peaks[1] - peaks[0] < 60, peaks  # MB; the rows that came in are 64 MB of latents more
