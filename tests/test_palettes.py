"""Colours: told apart under normal vision, protanopia and deuteranopia, on light and on dark."""

import numpy as np
import pytest

from core import palettes
from core.errors import ConfigError

# Machado, Oliveira, Fernandes (2009), severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]),
}  # fmt: skip


def cielab(colors, vision):
    """CIELAB (k, 3) of "#rrggbb" colours as somebody sees them."""
    rgb = np.array([[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in colors])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ vision.T
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = linear.clip(0, 1) @ to_xyz.T / [0.95047, 1, 1.08883]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize(("k", "apart"), [(10, 15), (20, 15), (50, 8), (100, 5)])
def test_colours_are_apart_for_every_vision(vision, k, apart):
    lab = cielab(palettes.categorical(k), VISION[vision])
    distances = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert distances.min() > apart


def test_differences_are_those_of_the_vision_that_tells_two_colours_least_apart():
    colors = (*palettes.categorical(5), "#000000", "#ffffff")
    each = [cielab(colors, vision) for vision in VISION.values()]
    expected = np.min([np.linalg.norm(lab[:, None] - lab[None], axis=2) for lab in each], axis=0)
    np.testing.assert_allclose(palettes.differences(colors), expected, atol=1e-9)
    assert palettes.differences(("#000000", "#ffffff"))[0, 1] == pytest.approx(100, abs=0.01)  # lightness 0 and 100
    assert palettes.differences(("#0072b2", "#0072b3"))[0, 1] < 1


def test_colours_show_on_white_and_on_black():
    lightness = cielab(palettes.categorical(100), VISION["normal"])[:, 0]
    assert lightness.min() > 35 and lightness.max() < 86


def test_the_first_colours_are_the_same_for_every_number_of_groups():
    assert palettes.categorical(100)[:7] == palettes.categorical(7)
    assert len(set(palettes.categorical(100))) == 100
    with pytest.raises(ConfigError, match=r"101 groups .* limit is 100"):
        palettes.categorical(101)


def test_the_sequence_gets_steadily_lighter():
    for vision in VISION.values():
        lightness = cielab([color for _, color in palettes.SEQUENTIAL], vision)[:, 0]
        assert (np.diff(lightness) > 0).all()
