"""Jittered images, and the loss that draws two of one image together."""

import math

import numpy as np
import pytest
import torch

from core.contrast import nt_xent
from core.jitter import MOVE, SCALE, TURN, jittered


def picture(h=33, w=33):
    """A bright bar on black, right of the middle and upright."""
    x = torch.zeros(1, 1, h, w)
    x[..., h // 4 : 3 * h // 4, 3 * w // 4 - 1 : 3 * w // 4 + 1] = 1
    return x


class Fixed:
    """Random numbers of our choice: turn, right, down, wide, high, shear."""

    def __init__(self, **values):
        self.values = [values.get(name, 0.0) for name in ("turn", "right", "down", "wide", "high", "shear")]

    def uniform(self, low, high, shape):
        assert low == -high
        return np.repeat(np.array(self.values)[:, None], shape[1], axis=1)


def middle(x):
    """Return the bright pixels' mean column and row, in pixels."""
    total = float(x.sum())
    columns, rows = torch.arange(x.shape[3]), torch.arange(x.shape[2])
    return float((x.sum(dim=(0, 1, 2)) * columns).sum()) / total, float((x.sum(dim=(0, 1, 3)) * rows).sum()) / total


def angle(x):
    """Return the tilt of the bright pixels' main axis against upright, in degrees."""
    column, row = middle(x)
    columns, rows = torch.arange(x.shape[3]) - column, torch.arange(x.shape[2]) - row
    both = float((x[0, 0] * rows[:, None] * columns).sum())
    upright, across = float((x[0, 0] * rows[:, None] ** 2).sum()), float((x[0, 0] * columns**2).sum())
    return math.degrees(0.5 * math.atan2(2 * both, upright - across))


def test_strength_0_changes_nothing_and_no_draw_gives_the_image_back():
    x = torch.rand(4, 3, 16, 12)
    assert jittered(x, 0.0, np.random.default_rng(0)) is x
    torch.testing.assert_close(jittered(x, 1.0, Fixed()), x, atol=1e-5, rtol=0)


def test_a_move_is_a_share_of_the_side():
    before, after = middle(picture(32, 64)), middle(jittered(picture(32, 64), 1.0, Fixed(right=-1.0, down=1.0)))
    assert after[0] - before[0] == pytest.approx(MOVE * 64, abs=0.3)
    assert after[1] - before[1] == pytest.approx(-MOVE * 32, abs=0.3)


@pytest.mark.parametrize("shape", [(33, 33), (64, 33), (33, 64)])
def test_a_turn_is_one_of_its_degrees_whatever_the_shape(shape):
    assert abs(angle(jittered(picture(*shape), 1.0, Fixed(turn=1.0)))) == pytest.approx(TURN, abs=1.0)


def test_a_scale_is_one_of_its_share():
    tall = float((jittered(picture(), 1.0, Fixed(high=-1.0)).sum(dim=3) > 0.5).sum())
    assert tall == pytest.approx(float((picture().sum(dim=3) > 0.5).sum()) / (1 - SCALE), abs=2)


def test_edges_go_on_outwards():
    white = torch.ones(8, 3, 16, 16)
    torch.testing.assert_close(jittered(white, 2.0, np.random.default_rng(0)), white)


def test_the_same_state_gives_the_same_images_each_its_own():
    x = picture().repeat(5, 1, 1, 1)
    first, again = (jittered(x, 1.0, np.random.default_rng([7, 2])) for _ in range(2))
    assert torch.equal(first, again)
    assert len({row.numpy().tobytes() for row in first}) == 5
    assert not torch.equal(first, jittered(x, 1.0, np.random.default_rng([7, 3])))


def test_contrast_by_hand():
    first, second = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    # Each row finds its partner at likeness 1 / t, and two others at 0.
    expected = math.log(math.exp(1 / 0.5) + 2) - 1 / 0.5
    assert float(nt_xent(first, second, 0.5)) == pytest.approx(expected, rel=1e-5)
    assert float(nt_xent(first, second.flip(0), 0.5)) == pytest.approx(math.log(math.exp(1 / 0.5) + 2), rel=1e-5)


def test_contrast_knows_directions_only():
    first, second = torch.rand(6, 4) + 0.1, torch.rand(6, 4) + 0.1
    assert float(nt_xent(first * 7, second, 0.2)) == pytest.approx(float(nt_xent(first, second, 0.2)), rel=1e-5)
