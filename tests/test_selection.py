"""Picks of a map and masks over images."""

from dataclasses import replace

import numpy as np
import pytest

from core import selection
from core.errors import ConfigError
from core.selection import Pick

XY = np.array([[0, 0], [1, 0], [2, 0], [3, 0]], np.float32)
ROWS = np.arange(4, dtype=np.int32)


@pytest.mark.parametrize(
    "value",
    [
        None, 5, "lasso", [], {}, {"kind": "all"}, {"kind": "point"}, {"kind": "point", "row": -1},
        {"kind": "point", "row": True}, {"kind": "point", "row": "1"}, {"kind": "box", "x": [1], "y": [1]},
        {"kind": "lasso", "x": [0, 1, float("nan")], "y": [0, 1, 2]}, {"kind": "lasso", "x": "012", "y": "012"},
        {"kind": "lasso", "x": [0, 1, 2], "y": [0, 1]}, {"kind": "lasso", "x": [0, 1, None], "y": [0, 1, 2]},
        {"kind": "lasso", "x": [0.0] * 10_001, "y": [0.0] * 10_001},
        {"kind": "lasso", "x": [0, 1, 2], "y": [0, 1, 2], "hidden": ["a"]}, {"kind": "none"},
        {"kind": "point", "row": 1, "mode": "all"}, {"kind": "radius", "row": 1, "radius": -1},
        {"kind": "screen", "x": [0, 1, 1], "y": [0, 0, 1], "matrix": [1] * 15}, {"kind": "radius", "row": 1, "radius": "2"},
    ],
)  # fmt: skip
def test_what_is_no_pick_selects_nothing(value):
    assert selection.pick_from(value) is None


def test_a_point_and_a_box_select_their_rows():
    point = selection.pick_from({"kind": "point", "row": 2})
    np.testing.assert_array_equal(selection.picked(point, XY, ROWS, None), [2])
    box = selection.pick_from({"kind": "box", "x": [2.5, 0.5], "y": [-1, 1], "hidden": []})
    np.testing.assert_array_equal(selection.picked(box, XY, ROWS, None), [1, 2])
    np.testing.assert_array_equal(selection.picked(box, XY, ROWS + 10, None), [11, 12])


def test_clearing_leaves_nothing_selected_whatever_the_held_key():
    clear = selection.pick_from({"kind": "clear", "mode": "add"})
    nothing = selection.picked(clear, XY, ROWS, None)
    assert not selection.combined(np.ones(4, bool), nothing, clear.mode).any()


def test_a_corner_at_the_height_of_a_point_counts_once():
    # A ray to the right from (0, 0) meets the corner (2, 0) of a diamond, where two edges end.
    diamond = Pick("lasso", x=(0, 2, 0, -2), y=(-2, 0, 2, 0))
    points = np.array([[0, 0], [-1.5, 0], [-3, 0], [0, 1.5], [1.5, 1.5]], np.float32)
    np.testing.assert_array_equal(selection.picked(diamond, points, np.arange(5), None), [0, 1, 3])


def test_a_lasso_may_be_hollow_and_passes_over_hidden_groups():
    # A "U": both arms inside, the notch between them outside.
    lasso = Pick("lasso", x=(-1, 4, 4, 2.5, 2.5, 0.5, 0.5, -1), y=(-1, -1, 3, 3, 1, 1, 3, 3))
    points = np.array([[0, 2], [1.5, 2], [3, 2], [1.5, 0], [5, 0]], np.float32)
    rows = np.arange(5, dtype=np.int32)
    np.testing.assert_array_equal(selection.picked(lasso, points, rows, None), [0, 2, 3])
    hidden = replace(lasso, hidden=(1,))
    np.testing.assert_array_equal(selection.picked(hidden, points, rows, np.array([0, 0, 1, 1, 0])), [0])


def test_a_radius_holds_what_is_as_near_in_every_dimension():
    at = np.array([[0, 0, 0], [1, 1, 1], [0, 0, 2], [0, 2.1, 0]], np.float32)
    near = Pick("radius", row=10, radius=2.0)
    np.testing.assert_array_equal(selection.picked(near, at, ROWS + 10, None), [10, 11, 12])
    assert len(selection.picked(replace(near, row=99), at, ROWS + 10, None)) == 0


def test_a_polygon_on_the_screen_of_a_3d_map_is_seen_through_its_camera():
    at = np.array([[0.5, 0.5, 1], [0.5, 0.5, -1], [3, 0.5, 1], [1, 0.5, 4]], np.float32)
    # x and y divided by z: the eye is at 0 and looks along z; what is behind it is not on the screen.
    matrix = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]], float).T.ravel().tolist()
    pick = Pick("screen", x=(-1, 1, 1, -1), y=(-1, -1, 1, 1), matrix=tuple(matrix))
    np.testing.assert_array_equal(selection.picked(pick, at, ROWS, None), [0, 3])


def test_modes_replace_add_and_remove():
    before = np.array([True, True, False, False])
    assert selection.combined(before, np.array([2])).tolist() == [False, False, True, False]
    assert selection.combined(before, np.array([2]), "add").tolist() == [True, True, True, False]
    assert selection.combined(before, np.array([False, True, True, False]), "remove").tolist() == [True] + [False] * 3


@pytest.mark.parametrize("n", [1, 8, 9, 70_001])
def test_bits_are_the_mask_in_an_eighth_of_the_bytes(n):
    mask = np.random.default_rng(n).random(n) < 0.3
    bits = selection.packed(mask)
    assert bits.nbytes == -(-n // 8)
    np.testing.assert_array_equal(selection.unpacked(bits, n), mask)
    with pytest.raises(ConfigError, match=f"A selection of {n + 8} images needs"):
        selection.unpacked(bits, n + 8)


def test_every_word_must_be_in_one_text():
    ids = ["cat/Red 1.png", "cat/blue 2.png", "dog/red 3.png"]
    assert selection.matching("red cat", ids).tolist() == [True, False, False]
    assert selection.matching("RED", ids).tolist() == [True, False, True]
    assert selection.matching("3", ids, np.array([3, 4, 5])).tolist() == [True, False, True]
    assert not selection.matching("  ", ids).any()
