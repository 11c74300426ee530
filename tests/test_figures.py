"""Frames are what went in; selections from a browser are checked; points in polygons by hand."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from core import figures, palettes
from core.errors import ConfigError
from core.figures import Category, MapSpec, Number

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
    np.testing.assert_array_equal(arrays["group"], [0, 1, 1, 2])  # what has no group comes last, in gray
    assert header["color"]["names"] == ["a", "b</script>", "(none)"]
    assert header["color"]["colors"] == [*palettes.categorical(2), palettes.MISSING]
    assert [field["title"] for field in header["fields"]] == ["Label", "Error"]
    np.testing.assert_array_equal(arrays["field0"], [0, 1, 1, 2])  # past the last name
    np.testing.assert_array_equal(arrays["field1"], ERROR.values)


def test_rows_are_sent_only_where_they_are_not_counted():
    assert "row" not in decode(figures.encode(SPEC))[1]
    for rows in ([1, 2, 3, 4], [0, 2, 1, 3]):
        _, arrays = decode(figures.encode(replace(SPEC, rows=np.array(rows, np.int32))))
        np.testing.assert_array_equal(arrays["row"], rows)


def test_the_browser_is_told_from_how_many_dots_on_a_map_is_dense():
    assert decode(figures.encode(SPEC))[0]["dense"] == {"above": figures.DENSE_ABOVE, "drawn": figures.DENSE_DRAWN}
    lower = decode(figures.encode(replace(SPEC, dense_above=3, dense_drawn=2)))[0]
    assert lower["dense"] == {"above": 3, "drawn": 2} and lower["key"] != decode(figures.encode(SPEC))[0]["key"]


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


def test_equal_columns_are_equal_bytes_so_that_a_colour_already_sent_is_not_sent_again():
    _, by_label = figures.parts(SPEC)
    assert by_label["group"].dtype == np.uint8
    assert by_label["group"].tobytes() == by_label["field0"].tobytes()
    _, by_error = figures.parts(replace(SPEC, color=ERROR))
    assert by_error["value"].tobytes() == by_label["field1"].tobytes()
