"""Densities as pictures: transparent where nothing is, opaque where much is, in the colours of what it is."""

import io

import numpy as np
import pytest
from PIL import Image

from core import palettes
from core.atlas import Density, View, png

VIEW = View(0, 1, 0, 1)


def _pixels(data):
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG" and image.mode == "RGBA"
    return np.asarray(image).astype(int)


def _rgb(color):
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def _luminance(rgb):
    """Return the relative luminance of WCAG 2 in [0, 1] of sRGB in 0..255."""
    rgb = np.asarray(rgb) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def _on(pixel, ground):
    """Lay a pixel over a ground of one gray and return the contrast between the two, as WCAG 2 has it."""
    alpha = pixel[3] / 255
    seen = pixel[:3] * alpha + ground * (1 - alpha)
    light, dark = sorted([float(_luminance(seen)), float(_luminance([ground] * 3))], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_picture_has_the_densitys_size_and_is_transparent_where_it_is_empty():
    counts = np.zeros((3, 5), np.uint32)
    counts[0, 4] = 7
    pixels = _pixels(png(Density(VIEW, counts)))
    assert pixels.shape == (3, 5, 4)
    assert (pixels[..., 3] > 0).sum() == 1 and pixels[0, 4, 3] > 0
    assert _pixels(png(Density(VIEW, np.zeros((2, 2), np.uint32))))[..., 3].sum() == 0


def test_opacity_grows_with_the_count_and_one_row_is_seen():
    counts = np.array([[1, 2, 10, 100, 1_000, 10_000]], np.uint32)
    alpha = _pixels(png(Density(VIEW, counts)))[0, :, 3]
    assert (np.diff(alpha) > 0).all() and alpha[0] == 102 and alpha[-1] == 255
    steps = np.diff(alpha[2:])
    assert steps.max() - steps.min() <= 3  # tenfold is always the same step


def test_a_few_very_full_cells_do_not_dim_the_others():
    counts = np.full((100, 100), 50, np.uint32)
    counts[0, 0] = 4_000_000_000
    assert _pixels(png(Density(VIEW, counts)))[1, 1, 3] == 255


@pytest.mark.parametrize(("dark", "ground"), [(False, 255), (True, 14)])
def test_rows_are_visible_on_a_light_and_on_a_dark_page(dark, ground):
    pixels = _pixels(png(Density(VIEW, np.array([[1, 100]], np.uint32)), dark=dark))
    assert _on(pixels[0, 0], ground) > 1.3 and _on(pixels[0, 1], ground) > 4.5


def test_a_cell_of_one_kind_has_its_colour_and_a_mixed_one_what_lies_between():
    shares = np.array([[[1, 0], [0, 1], [0.5, 0.5], [0, 0]]], np.float32)
    density = Density(VIEW, np.array([[5, 5, 5, 0]], np.uint32), shares, ("a", "b"))
    colors = {"a": "#ff0000", "b": "#0000ff"}
    pixels = _pixels(png(density, colors))
    assert pixels[0, 0, :3].tolist() == [255, 0, 0] and pixels[0, 1, :3].tolist() == [0, 0, 255]
    assert pixels[0, 2, :3].tolist() == [188, 0, 188]  # half of the light, not half of the number
    assert pixels[0, 3, 3] == 0


def test_kinds_without_a_colour_and_the_rest_are_gray_and_others_of_the_palette():
    shares = np.eye(3, dtype=np.float32)[None]
    density = Density(VIEW, np.ones((1, 3), np.uint32), shares, ("a", "b", "other"), rest=True)
    gray, (first, second) = _rgb(palettes.MISSING), palettes.categorical(2)
    assert _pixels(png(density))[0, :, :3].tolist() == [_rgb(first), _rgb(second), gray]
    given = _pixels(png(density, {"b": "#010203", "other": "#ffffff"}))[0, :, :3].tolist()
    assert given == [gray, [1, 2, 3], gray]


def test_a_density_of_no_kinds_is_empty():
    density = Density(VIEW, np.zeros((2, 2), np.uint32), np.zeros((2, 2, 0), np.float32))
    assert _pixels(png(density))[..., 3].sum() == 0


def test_numbers_have_the_colours_of_the_scale_and_gray_where_there_is_none():
    means = np.array([[0.0, 1.0, 0.5, np.nan, -5.0, np.inf]], np.float32)
    density = Density(VIEW, np.ones((1, 6), np.uint32), means=means, low=0.0, high=1.0)
    first, middle, last = (_rgb(palettes.SEQUENTIAL[i][1]) for i in (0, 4, 8))
    found = _pixels(png(density))[0, :, :3].tolist()
    assert found == [first, last, middle, _rgb(palettes.MISSING), first, last]


def test_a_number_that_is_everywhere_the_same_has_one_colour():
    density = Density(VIEW, np.ones((1, 2), np.uint32), means=np.array([[3, np.nan]], np.float32), low=3.0, high=3.0)
    found = _pixels(png(density))[0, :, :3].tolist()
    assert found == [_rgb(palettes.SEQUENTIAL[4][1]), _rgb(palettes.MISSING)]
