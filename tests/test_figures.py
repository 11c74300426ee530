"""Frames are what went in; selections from a browser are checked; points in polygons by hand."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from core import figures, palettes
from core.errors import ConfigError
from core.figures import Category, MapSpec, Number, Selection

XY = np.array([[0, 0], [1, 0], [2, 0], [3, 0]], np.float32)
ROWS = np.arange(4, dtype=np.int32)
COLOR = Category("Label", np.array([0, 1, 1, -1], np.int32), ("a", "b</script>"))
ERROR = Number("Error", np.array([0.5, 1.5, np.nan, 1.0], np.float32))
SPEC = MapSpec(XY, ROWS, COLOR, None, (COLOR, ERROR), None, ("t-SNE 1", "t-SNE 2"), "view", None)


def decode(frame):
    (length,) = struct.unpack_from("<I", frame)
    header = json.loads(frame[4 : 4 + length])
    assert (4 + length) % 4 == 0
    arrays = {}
    for name, at in header["arrays"].items():
        assert at["offset"] % 4 == 0
        arrays[name] = np.frombuffer(frame, np.dtype(at["dtype"]), at["length"], 4 + length + at["offset"])
    return header, arrays


def test_a_frame_holds_what_went_in():
    header, arrays = decode(figures.encode(SPEC))
    assert (header["n"], header["dim"], header["axes"]) == (4, 2, ["t-SNE 1", "t-SNE 2"])
    np.testing.assert_array_equal(arrays["x"], XY[:, 0])
    np.testing.assert_array_equal(arrays["row"], ROWS)
    np.testing.assert_array_equal(arrays["group"], [0, 1, 1, 2])  # what has no group comes last, in gray
    assert header["color"]["names"] == ["a", "b</script>", "(none)"]
    assert header["color"]["colors"] == [*palettes.categorical(2), palettes.MISSING]
    assert [field["title"] for field in header["fields"]] == ["Label", "Error"]
    np.testing.assert_array_equal(arrays["field0"], [0, 1, 1, -1])
    np.testing.assert_array_equal(arrays["field1"], ERROR.values)


def test_numbers_are_coloured_between_their_smallest_and_largest():
    header, arrays = decode(figures.encode(replace(SPEC, color=ERROR)))
    assert (header["color"]["kind"], header["color"]["min"], header["color"]["max"]) == ("number", 0.5, 1.5)
    assert np.isnan(arrays["value"][2])
    nothing = Number("Error", np.full(4, np.nan, np.float32))
    assert decode(figures.encode(replace(SPEC, color=nothing)))[0]["color"]["min"] == 0


def test_the_key_follows_everything_that_is_drawn_and_nothing_else():
    def key(spec):
        return decode(figures.encode(spec))[0]["key"]

    assert key(SPEC) == key(replace(SPEC, coordinates=XY.copy()))
    moved = XY.copy()
    moved[3, 1] = 1
    others = [
        replace(SPEC, coordinates=moved),
        replace(SPEC, point_size=6.0),
        replace(SPEC, color=ERROR),
        replace(SPEC, ids=("a", "b", "c", "d")),
        replace(SPEC, symbol=COLOR),
        replace(SPEC, view_key="other"),
    ]
    assert len({key(SPEC), *map(key, others)}) == len(others) + 1


def test_columns_with_many_values_keep_the_most_frequent():
    values = [f"v{i:03}" for i in range(150) for _ in range(1 + (i < 99))]
    found = figures.category("many", values)
    assert len(found.names) == 100 and found.names[-1] == "(others)"
    assert found.names[:99] == tuple(f"v{i:03}" for i in range(99))
    assert (found.codes == 99).sum() == 51
    assert figures.category("numbers", [10, 2, 10]).names == ("2", "10")
    assert figures.category("empty", ["", "a"]).names == ("(none)", "a")


def test_more_groups_than_colours_are_refused():
    names = tuple(map(str, range(101)))
    with pytest.raises(ConfigError, match="101 groups"):
        figures.encode(replace(SPEC, color=Category("many", ROWS, names)))


def test_a_sample_is_seeded_and_in_order():
    assert list(figures.sample(5, None)) == list(figures.sample(5, 5)) == [0, 1, 2, 3, 4]
    first = figures.sample(1000, 10)
    assert list(first) == sorted(set(first.tolist())) and len(first) == 10
    np.testing.assert_array_equal(first, figures.sample(1000, 10))


@pytest.mark.parametrize(
    "value",
    [
        None, 5, "lasso", [], {}, {"kind": "all"}, {"kind": "point"}, {"kind": "point", "row": -1},
        {"kind": "point", "row": True}, {"kind": "point", "row": "1"}, {"kind": "box", "x": [1], "y": [1]},
        {"kind": "lasso", "x": [0, 1, float("nan")], "y": [0, 1, 2]}, {"kind": "lasso", "x": "012", "y": "012"},
        {"kind": "lasso", "x": [0, 1, 2], "y": [0, 1]}, {"kind": "lasso", "x": [0, 1, None], "y": [0, 1, 2]},
        {"kind": "lasso", "x": [0.0] * 10_001, "y": [0.0] * 10_001},
        {"kind": "lasso", "x": [0, 1, 2], "y": [0, 1, 2], "hidden": ["a"]}, {"kind": "none"},
    ],
)  # fmt: skip
def test_what_is_no_selection_selects_nothing(value):
    assert figures.selection_from(value) is None


def test_a_point_and_a_box_select_their_rows():
    point = figures.selection_from({"kind": "point", "row": 2})
    np.testing.assert_array_equal(figures.rows_in(point, XY, ROWS, None), [2])
    box = figures.selection_from({"kind": "box", "x": [2.5, 0.5], "y": [-1, 1], "hidden": []})
    np.testing.assert_array_equal(figures.rows_in(box, XY, ROWS, None), [1, 2])
    np.testing.assert_array_equal(figures.rows_in(box, XY, ROWS + 10, None), [11, 12])


def test_a_lasso_may_be_hollow_and_passes_over_hidden_groups():
    # A "U": both arms inside, the notch between them outside.
    lasso = Selection("lasso", x=(-1, 4, 4, 2.5, 2.5, 0.5, 0.5, -1), y=(-1, -1, 3, 3, 1, 1, 3, 3))
    points = np.array([[0, 2], [1.5, 2], [3, 2], [1.5, 0], [5, 0]], np.float32)
    rows = np.arange(5, dtype=np.int32)
    np.testing.assert_array_equal(figures.rows_in(lasso, points, rows, None), [0, 2, 3])
    hidden = replace(lasso, hidden=(1,))
    np.testing.assert_array_equal(figures.rows_in(hidden, points, rows, np.array([0, 0, 1, 1, 0])), [0])


def test_nothing_selected_is_no_rows():
    assert len(figures.rows_in(Selection("none"), XY, ROWS, None)) == 0
