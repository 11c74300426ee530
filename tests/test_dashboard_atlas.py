"""The page Atlas without a browser: empty and filled, what is answered to a view, and what may not come by its way."""

import dataclasses
import io
import json
from pathlib import Path

import made_up_atlas
import numpy as np
import pandas as pd
import pytest
import streamlit as st
from pages import APP, TIMEOUT, fresh, press, texts  # noqa: F401  fresh is a fixture
from PIL import Image
from streamlit.testing.v1 import AppTest

from core import checkpoints, palettes, parts, sheets
from core.atlas import queries
from core.atlas.table import Column, Filter, View, open_atlas
from core.autoencoders import build, to_weights
from core.config import AutoencoderConfig
from core.errors import DataError
from core.latents import decode
from core.models import TrainedModel
from dashboard.atlas import answers, asked, files, filters, legend, opening, pictures, suspects, taking
from dashboard.state import Seen

pytestmark = pytest.mark.xdist_group("dashboard")

N, PIECE = 6000, 2500
STAGES = ("encoded", "clustered", "map2", "suspects")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A run of 6,000 made-up rows with a model of random weights beside its atlas."""
    folder = tmp_path_factory.mktemp("atlas")
    made_up_atlas.write(
        str(folder), N, d=8, piece=PIECE, about={"map": "UMAP", "fitted": 300, "data": "made <b>up</b>"}
    )
    checkpoints.write_checkpoint(model(), folder / pictures.MODEL)
    return str(folder)


def model():
    config = AutoencoderConfig(8, 4)
    return TrainedModel(config, None, (8, 8, 1), to_weights(build(config, (8, 8, 1))))


@pytest.fixture(scope="module")
def rows(root):
    """All rows as they were written, in the order of the parts."""
    tables = [
        pd.concat([parts.read(root, stage, number).to_pandas() for stage in STAGES], axis=1) for number in range(3)
    ]
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def atlas(root):
    return open_atlas(root, threads=1)


def page(**address):
    def script():
        from core.errors import ExplorerError
        from dashboard import components, sessions, state
        from dashboard.views import atlas

        state.keep_settings()
        sessions.open_address()
        try:
            atlas.show()
        except ExplorerError as error:
            components.problem(error)

    at = AppTest.from_function(script, default_timeout=TIMEOUT)
    for name, value in address.items():
        at.query_params[name] = value
    return at


def drawing(atlas, color="label", *rules):
    return filters.Drawing(next((column for column in atlas.columns if column.name == color), None), tuple(rules))


def whole(atlas):
    return atlas.bounds


def around(rows, place, half=0.2):
    x, y = (float(rows[name][place]) for name in "xy")
    return View(x - half, x + half, y - half, y + half)


def inside(rows, view):
    return rows[(rows.x >= view.x0) & (rows.x <= view.x1) & (rows.y >= view.y0) & (rows.y <= view.y1)]


def test_without_an_atlas_the_page_says_what_one_is_and_how_it_is_made():
    at = page().run()
    assert not at.exception and not at.error
    assert "python -m core run --data" in at.code[0].value and "atlas" in texts(at)
    assert AppTest.from_file(str(APP), default_timeout=TIMEOUT).run().exception == []


@pytest.mark.parametrize("path", ["/no/such/folder", "gopher://x/y", "~nobody-of-this-name/x", "s3://"])
def test_what_is_no_atlas_is_one_sentence(path):
    at = page(atlas=path).run()
    assert not at.exception and len(at.error) == 1 and "\n" not in at.error[0].value
    assert at.sidebar.text_input[0].value == path


def test_only_folders_that_may_be_opened_are(root, tmp_path, monkeypatch):
    from core.roots import VARIABLE

    monkeypatch.setenv(VARIABLE, str(tmp_path))
    for path in (root, f"file://{root}", "s3://bucket/run", "memory://x/run"):
        with pytest.raises(DataError, match="cannot be opened here"):
            opening.opened(path)
    monkeypatch.setenv(VARIABLE, root)
    assert opening.opened(f"file://{root}").n == N


def test_a_link_opens_an_atlas_and_filters_count(root, rows):
    at = page(atlas=root).run()
    assert not at.exception and not at.error
    assert f"{N:,} of {N:,} images match" in texts(at)
    assert "fitted on 300 of 6,000 images" in texts(at).replace("\\", "")
    next(item for item in at.sidebar.multiselect if item.label == "label").set_value(["3", "5"]).run()
    of_label = rows.label.isin(["3", "5"])
    assert f"{of_label.sum():,} of {N:,} images match" in texts(at)
    slider = next(item for item in at.sidebar.slider if item.label == "suspect")
    slider.set_range(0.4, slider.max).run()
    both = of_label & (rows.suspect >= 0.4)
    assert 0 < both.sum() < of_label.sum() and f"{both.sum():,} of {N:,} images match" in texts(at)
    press(at, "atlas.clear")
    assert f"{N:,} of {N:,} images match" in texts(at) and not at.exception
    assert "".join(at.query_params["atlas"]) == root


@pytest.mark.parametrize("panel", ["Histogram", "Clusters × labels", "Suspects", "Take away"])
def test_every_panel_has_a_filled_and_an_empty_state(root, panel):
    at = page(atlas=root)
    at.session_state["set.atlas.panel"] = panel
    at.run()
    assert not at.exception and not at.error
    at.session_state["set.atlas.only.label"] = ["0"]
    at.session_state["set.atlas.only.cluster"] = ["5"]
    at.run()
    assert not at.exception and not at.error
    assert any(word in texts(at) for word in ("No image", "nothing to save"))


def test_a_matrix_counts_what_was_written(root, rows):
    at = page(atlas=root)
    at.session_state["set.atlas.panel"] = "Clusters × labels"
    at.run()
    (frame,) = (item.value for item in at.dataframe)
    expected = pd.crosstab(rows.cluster, rows.label)
    assert (frame.to_numpy() == expected.to_numpy()).all() and [str(name) for name in frame.index] == list(
        "0123456789"
    )


def test_a_whole_view_is_a_picture_of_bounded_size_that_counts_every_row(atlas, rows):
    shown = answers.shown(atlas, whole(atlas), (700, 500), drawing(atlas), dark=False)
    assert shown.count == N and not shown.points and len(shown.png) < 150_000
    picture = Image.open(io.BytesIO(shown.png))
    assert picture.size == answers.grain((700, 500), N) == (175, 125)
    assert shown.counts == rows.label.value_counts().to_dict() and shown.other == 0


def test_a_picture_is_coarser_where_few_images_lie():
    assert answers.grain((1000, 500), 2_001) == (250, 125)
    assert answers.grain((1000, 500), 400_000) == (1000, 500)
    assert answers.grain((1, 1), 0) == (1, 1)


@pytest.mark.parametrize("half", [0.05, 0.3, 1.0])
def test_few_rows_are_points_with_their_own_pictures(half, atlas, rows):
    view = around(rows, 7, half)
    expected = inside(rows, view)
    shown = answers.shown(atlas, view, (700, 500), drawing(atlas), dark=False)
    told = json.loads(shown.points)
    assert shown.count == len(expected) == len(told["at"]) <= answers.MOST_POINTS and not shown.png
    assert sorted(told["id"]) == sorted(expected.id)
    by_id = expected.set_index("id")
    colors = filters.colors_of(drawing(atlas).color)
    assert told["color"] == [colors[by_id.label[name]] for name in told["id"]]
    assert dict(told["fields"])["label"] == by_id.label[told["id"]].tolist()
    np.testing.assert_allclose(told["x"], by_id.x[told["id"]], rtol=1e-6)
    assert (shown.sheet is not None) == (len(expected) <= answers.MOST_PICTURES)
    if shown.sheet is not None:
        cells = cells_of(shown.sheet, shown.sheet_files, len(expected))
        for name, cell in zip(told["id"], cells, strict=True):
            np.testing.assert_array_equal(cell[..., 0], pixels(by_id.thumbnail[name]))


def pixels(file):
    return np.asarray(Image.open(io.BytesIO(file)))


def cells_of(layout, sheet_files, n):
    """The pictures on sheets, uint8 (n, h, w, 3), as the browser cuts them out."""
    pages = [np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in sheet_files]
    step = layout["w"] * (2 if layout["reconstructions"] else 1)
    found = []
    for i in range(n):
        page, cell = pages[i // layout["page"]], i % layout["page"]
        top, left = cell // layout["cols"] * layout["h"], cell % layout["cols"] * step
        found.append(page[top : top + layout["h"], left : left + step])
    return found


def test_never_more_points_than_the_limit_whatever_the_view(atlas, rows):
    for half in (0.5, 2.0, 5.0, 11.0, 30.0):
        view = View(-half, half, -half, half)
        shown = answers.shown(atlas, view, (300, 300), drawing(atlas, "error"), dark=True)
        there = len(inside(rows, view))
        assert shown.count == there and bool(shown.png) == (there > answers.MOST_POINTS)
        assert len(shown.at) <= answers.MOST_POINTS and len(shown.points) < 1_000_000
        assert len(shown.png) < 500_000


def test_filters_hold_in_pictures_and_points(atlas, rows):
    rules = (Filter("label", ("3", "4")), Filter("suspect", low=0.3))
    kept = rows[rows.label.isin(["3", "4"]) & (rows.suspect >= np.float32(0.3))]
    shown = answers.shown(atlas, whole(atlas), (300, 300), drawing(atlas, "cluster", *rules), dark=False)
    assert shown.count == len(kept) and sorted(json.loads(shown.points)["id"]) == sorted(kept.id)
    many = answers.shown(
        atlas, whole(atlas), (300, 300), drawing(atlas, "label", Filter("suspect", high=0.4)), dark=False
    )
    assert many.png and many.count == (rows.suspect <= np.float32(0.4)).sum()


def test_pictures_that_are_looked_at_are_the_original_and_what_the_model_makes_of_it(root, atlas, rows):
    at = tuple(int(place) for place in np.random.default_rng(1).choice(N, 20, replace=False))
    found = queries.fetch(atlas, at, ("id",)).column("id").to_pylist()
    looked = answers.looked(atlas, at)
    assert looked.note == "" and looked.sheet["reconstructions"]
    by_id = rows.set_index("id")
    made = decode(checkpoints.read_checkpoint(Path(root) / pictures.MODEL), np.stack(by_id.latents[found]))
    for i, cell in enumerate(cells_of(looked.sheet, looked.sheet_files, 20)):
        np.testing.assert_array_equal(cell[:, :8, 0], pixels(by_id.thumbnail[found[i]]))
        np.testing.assert_array_equal(cell[:, 8:, 0], made[i, ..., 0])


def test_without_a_model_or_with_a_foreign_one_the_original_is_shown_and_the_note_says_why(tmp_path):
    made_up_atlas.write(str(tmp_path), 40, d=5)
    bare = open_atlas(str(tmp_path), threads=1)
    looked = answers.looked(bare, (3, 5))
    assert not looked.sheet["reconstructions"] and "no model" in looked.note
    checkpoints.write_checkpoint(model(), tmp_path / pictures.MODEL)
    st.cache_resource.clear()
    assert "rows of 8 latents" in answers.looked(bare, (3, 5)).note
    (tmp_path / pictures.MODEL).write_bytes(b"no model")
    st.cache_resource.clear()
    assert answers.looked(bare, (3, 5)).note
    with pytest.raises(DataError, match="no picture"):
        answers.looked(bare, (40,))


def encoded(picture, kind="PNG"):
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def test_thumbnails_that_cannot_be_are_gray():
    good = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    wide = Image.new("RGB", (300, 8))
    odd = [None, b"", b"no picture", encoded(wide), encoded(good)[:-20], encoded(good, "BMP"), b"x" * 200_000]
    made = pictures.thumbnails([encoded(good), *odd])
    assert made.shape == (8, 8, 8, 1)
    np.testing.assert_array_equal(made[0, ..., 0], np.asarray(good))
    assert (made[[1, 2, 3, 4, 6, 7]] == pictures.GONE).all()
    mixed = pictures.thumbnails([encoded(good), encoded(Image.new("RGB", (8, 8), (255, 0, 0)))])
    assert mixed.shape == (2, 8, 8, 3) and (mixed[1] == (255, 0, 0)).all()
    assert pictures.thumbnails([None]).shape == (1, 8, 8, 1)


def question(**changes):
    return {
        "number": 1,
        "view": [0, 1, 0, 1],
        "width": 700,
        "height": 500,
        "dark": False,
        "look": [],
        "rested": False,
    } | changes


SEEN = Seen("key", (-5.0, 5.0, -5.0, 5.0), (-5.0, 5.0, -5.0, 5.0))
BOUNDS = View(-5, 5, -5, 5)


def test_what_the_browser_asks_is_taken_when_it_can_be():
    found = asked.taken(SEEN, question(look=[1, 2], dark=True), BOUNDS)
    assert (found.view, found.rested, found.width, found.look, found.dark) == (
        (0, 1, 0, 1),
        (0, 1, 0, 1),
        700,
        (1, 2),
        True,
    )
    later = asked.taken(found, question(number=2, view=[0, 2, 0, 2]), BOUNDS)
    assert later.view == (0, 2, 0, 2) and later.rested == found.rested  # until the map has come to rest
    assert asked.taken(later, question(number=3, view=[0, 2, 0, 2], rested=True), BOUNDS).rested == later.view


@pytest.mark.parametrize(
    "wrong",
    [
        None, [], "x", {}, question(number=True), question(number="1"), question(view=None), question(view=[0, 1, 0]),
        question(view=[1, 0, 0, 1]), question(view=[0, 0, 0, 1]), question(view=[0, float("nan"), 0, 1]),
        question(view=[0, float("inf"), 0, 1]), question(view=[0, "1", 0, 1]), question(view=[0, 1e300, 0, 1]),
        question(view=[1e12, 1e12 + 1, 0, 1]), question(width=0), question(width=1e3), question(height=100_000),
        question(look=None), question(look=[-1]), question(look=["a"]), question(look=list(range(65))), question(look=[2**60]),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_changes_nothing(wrong):
    assert asked.taken(SEEN, wrong, BOUNDS) is None


@pytest.mark.parametrize("canvas", [(700, 500), (3000, 2000), (16, 10_000), (10_000, 10_000)])
def test_a_picture_has_at_most_as_many_pixels_as_may_be(canvas):
    width, height = asked.size(dataclasses.replace(SEEN, width=canvas[0], height=canvas[1]))
    assert 1 <= width <= 1600 and 1 <= height <= 1200 and width * height <= 1.01 * asked.MOST_PIXELS


def test_a_class_has_the_same_colour_in_every_view_and_missing_ones_are_gray():
    values = (*(f"c{i}" for i in range(150)), "")
    colors = filters.colors_of(Column("label", "category", values, (1,) * 151))
    assert [colors[f"c{i}"] for i in range(100)] == list(palettes.categorical(100))
    assert {colors[""], colors["c120"]} == {palettes.MISSING}


@pytest.mark.parametrize("ends", [(9.9e-8, 0.99999), (-3.2, 17.4), (5.0, 5.0), (0.0, 1e9), (1e-7, 2e-7)])
def test_sliders_have_round_ends_between_which_all_values_lie(ends):
    low, high, step = filters.ends_of(Column("x", "number", low=ends[0], high=ends[1]))
    assert low <= ends[0] <= ends[1] <= high and step > 0
    assert high - low <= (ends[1] - ends[0]) + 2.001 * step
    assert len(f"{low:.10g}") <= 9 and len(f"{step:.3g}") <= 7


def test_the_legend_counts_what_is_in_view_in_the_order_of_all_values(atlas):
    shown = answers.Shown(10, png=b"x", counts={"3": 2, "1": 5, "": 0}, other=3)
    found = legend.legend(drawing(atlas), shown, "more")
    assert [(item["name"], item["count"]) for item in found["items"]] == [("1", "5"), ("3", "2"), ("others", "3")]
    assert found["items"][0]["color"] == palettes.categorical(2)[1] and found["notes"][-1] == "more"
    scale = legend.legend(drawing(atlas, "error"), shown)
    assert scale["stops"][0][1] == palettes.SEQUENTIAL[0][1] and float(scale["high"]) <= 0.1
    assert legend.legend(filters.Drawing(None, ()), None)["items"] == []


def test_suspects_are_the_likeliest_first_and_one_is_shown_on_the_map(root, atlas, rows):
    at = page(atlas=root).run()
    at.session_state["set.atlas.panel"] = "Suspects"
    at.run()
    assert "The 48 most suspect images in view" in texts(at) and not at.exception
    found = suspects._top(atlas.key, None, (), atlas)
    expected = rows.sort_values("suspect", ascending=False).head(48)
    assert found.column("id").to_pylist() == expected.id.tolist()
    edges = asked.around(1.0, 2.0, atlas.bounds, atlas.n)
    assert edges[0] < 1 < edges[1] and edges[2] < 2 < edges[3] and asked.edges_of(list(edges), atlas.bounds) == edges


def test_what_is_taken_away_are_the_rows_that_match(atlas, rows, monkeypatch):
    label = rows.label[7]
    rules = (Filter("label", (label,)),)
    view = around(rows, 7, 3.0)
    kept = inside(rows, view)
    kept = kept[kept.label == label]
    monkeypatch.setattr(taking.spreadsheet, "kind", lambda: "plain")
    csv = pd.read_csv(io.BytesIO(taking._make(atlas, view, rules, "csv", ("id", "label", "x"))()), dtype=str)
    assert list(csv) == ["id", "label", "x"] and sorted(csv.id) == sorted(kept.id) and len(csv) > 10
    table = pd.read_parquet(io.BytesIO(taking._make(atlas, None, rules, "parquet", ("id",))()))
    assert sorted(table.id) == sorted(rows.id[rows.label == label])


def test_too_many_rows_are_not_sent_to_a_browser(root, monkeypatch):
    monkeypatch.setattr(taking, "MOST_ROWS", N - 1)
    at = page(atlas=root)
    at.session_state["set.atlas.panel"] = "Take away"
    at.run()
    assert "more than the 5,999" in texts(at) and not at.get("download_button")
    monkeypatch.setattr(taking, "MOST_ROWS", N)
    assert len(at.run().get("download_button")) == 2


def test_files_for_the_browser_are_few_bytes_and_the_newest_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    monkeypatch.setattr(files, "_folder", lambda: tmp_path)
    for i in range(30):
        name = files.address(bytes([i]) * 300, "bin").rsplit("/", 1)[1]
        assert (tmp_path / name).read_bytes() == bytes([i]) * 300
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1000
    files.address(bytes(5000), "bin")
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [5000]


def test_texts_of_points_are_short_and_numbers_that_are_none_are_a_dash():
    assert answers.text("x" * 500) == "x" * answers.MOST_LETTERS
    assert [answers.text(value) for value in (None, float("nan"), 0.123456, 7)] == ["–", "–", "0.1235", "7"]
    assert answers.shade(None, 0, 1) == palettes.MISSING
    assert (
        answers.shade(0.0, 0, 1) == palettes.SEQUENTIAL[0][1]
        and answers.shade(9.0, 0, 1) == palettes.SEQUENTIAL[-1][1]
    )


def test_pictures_go_on_sheets_of_bounded_size():
    layout = sheets.layout(np.zeros((answers.MOST_PICTURES, 64, 64, 3), np.uint8), None)
    assert layout.page * layout.h * layout.w <= sheets.PIXELS


def test_a_link_opens_the_same_colours_and_filters_in_a_new_session(root):
    at = page(atlas=root).run()
    next(item for item in at.selectbox if item.label == "Colour by").select("cluster").run()
    next(item for item in at.multiselect if item.label == "label").select("3").run()
    told = next(item.value for item in at.caption if "images match" in item.value)
    again = page(atlas=root, view="".join(at.query_params["view"])).run()
    assert not again.exception
    assert next(item for item in again.selectbox if item.label == "Colour by").value == "cluster"
    assert next(item for item in again.multiselect if item.label == "label").value == ["3"]
    assert told in [item.value for item in again.caption]


@pytest.mark.parametrize("value", [[1], [1, "2"], [float("nan"), 1], "ab", [0, 1e40]])
def test_a_range_in_a_link_that_is_none_is_left_out(value):
    from dashboard import sessions

    assert sessions.accepted({"atlas.range.error": value, "atlas.side": 64}) == {"atlas.side": 64}
