"""Pictures of results: what they show, whatever the names."""

import io

import numpy as np
import pytest
from PIL import Image

from core import pictures
from core.errors import DataError
from core.models import Epoch

NAMES = ("$\\frac{1}{0}$\n<script>", "猫😀", "dog")


@pytest.fixture
def images():
    """Six random gray images."""
    return np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def points():
    """Three classes at places that can be read off, and one point of none."""
    coordinates = np.array([[0, 0], [2, 0], [5, 5], [7, 7], [-3, 3], [9, 9]], np.float32)
    return coordinates, np.array([0, 0, 1, 1, 2, -1], np.int32)


def _map(points, **options):
    return pictures.scatter(*points, NAMES, title="a map", axes=("x", "y"), **options)


def test_both_kinds_can_be_read_and_come_out_the_same_again(points):
    figure = _map(points, markers=True, centroids=True)
    png, pdf = pictures.render(figure, "png"), pictures.render(figure, "pdf")
    assert pictures.render(_map(points, markers=True, centroids=True), "png") == png
    assert pictures.render(_map(points, markers=True, centroids=True), "pdf") == pdf
    assert pdf.startswith(b"%PDF")
    assert Image.open(io.BytesIO(png)).size[0] > 600


def test_originals_lie_over_their_reconstructions_pixel_by_pixel(images):
    figure = pictures.reconstruction_rows(images, 255 - images, [f"{i}" for i in range(6)], ["x"] * 6)
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    for i in range(6):
        np.testing.assert_array_equal(shown[2 * i], images[i, ..., 0])
        np.testing.assert_array_equal(shown[2 * i + 1], 255 - images[i, ..., 0])
    assert figure.axes[4].get_title() == "2\nx"


def test_a_grid_has_each_image_in_its_place_and_stretches_when_asked(images):
    grid = pictures.tiled(images, 2)
    assert grid.shape == (17, 17, 1)
    np.testing.assert_array_equal(grid[:8, 9:], images[1])
    np.testing.assert_array_equal(grid[9:, :8], images[2])
    dark = images // 2
    figure = pictures.grids(dark, dark, side=2, own_range=True)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    low, high = int(dark[:4].min()), int(dark[:4].max())
    np.testing.assert_allclose(shown[:8, :8], (dark[0, ..., 0] - float(low)) * 255 / (high - low), atol=0.51)
    assert f"{dark[:4].min()} to {dark[:4].max()}" in figure.axes[0].get_title()


def test_points_that_stand_out_are_drawn_in_colour_over_the_faint_others():
    coordinates = np.array([[0, 0], [1, 0], [2, 0], [3, 0]], np.float32)
    bright = np.array([True, False, False, True])
    drawn = pictures.scatter(
        coordinates, np.array([0, 0, 1, 1]), ["a", "b"], title="t", axes=("x", "y"), bright=bright
    )
    faint, *groups = drawn.axes[0].collections
    assert faint.get_offsets()[:, 0].tolist() == [1, 2]
    assert [group.get_offsets()[:, 0].tolist() for group in groups] == [[0], [3]]


def test_loss_curves_are_the_history():
    history = [Epoch(1, 0.5, 0.6, 1.0), Epoch(2, 0.25, 0.4, 1.0)]
    axes = pictures.loss_curves(history, "MSE").axes[0]
    assert [
        line.get_ydata().tolist() if hasattr(line.get_ydata(), "tolist") else list(line.get_ydata())
        for line in axes.lines
    ] == [
        [0.5, 0.25],
        [0.6, 0.4],
    ]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss (MSE)")
    assert len(pictures.loss_curves([Epoch(1, 0.5, None, 1.0)], "L1").axes[0].lines) == 1


def test_names_stand_at_the_mean_of_their_points(points):
    texts = _map(points, centroids=True).axes[0].texts
    assert {text.get_text(): text.get_position() for text in texts} == {
        "$\\frac{1}{0}$ <script>": (1, 0),
        "猫😀": (6, 6),
        "dog": (-3, 3),
    }


def test_each_class_has_its_own_colour_and_marker(points):
    drawn = _map(points, markers=True).axes[0].collections
    looks = {(tuple(item.get_facecolor()[0]), item.get_paths()[0].vertices.tobytes()) for item in drawn}
    assert len(looks) == 4
    assert len({look[1] for look in looks}) == 3  # points of no class are round, as the first class is


def test_three_dimensions_and_a_colour_bar(points):
    solid = np.c_[points[0], points[0][:, 0]]
    figure = pictures.scatter(solid, points[1], NAMES, title="t", axes=("x", "y", "z"), centroids=True)
    assert figure.axes[0].name == "3d"
    bar = _map(points, color_bar=True)
    assert [text.get_text() for text in bar.axes[1].get_yticklabels()][2] == "dog"
    assert pictures.render(bar, "png")


def test_what_does_not_fit_is_said(images, points):
    with pytest.raises(DataError, match="equally many"):
        pictures.grids(images, images[:3])
    with pytest.raises(DataError, match="6 ids"):
        pictures.reconstruction_rows(images, images, ["a"])
    with pytest.raises(DataError, match="no history"):
        pictures.loss_curves([], "MSE")
    with pytest.raises(DataError, match="a class for each"):
        pictures.scatter(points[0], points[1][:2], NAMES, title="", axes=("x", "y"))
