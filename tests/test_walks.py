"""Walks computed by hand."""

import numpy as np
import pytest

from core import walks
from core.errors import ConfigError


def test_a_walk_keeps_to_its_points_and_shares_steps_by_length():
    path = walks.between(np.array([[0, 0], [3, 0], [3, 1]]), 5)
    np.testing.assert_allclose(path, [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1]])
    np.testing.assert_allclose(walks.between(np.array([[2.0], [2.0]]), 3), 2)
    np.testing.assert_allclose(walks.between(np.array([[0.0], [0.0], [1.0]]), 2), [[0], [1]])
    for points, steps in ((np.zeros((1, 2)), 5), (np.zeros((2, 2)), 1), (np.zeros((2, 2)), 201)):
        with pytest.raises(ConfigError, match="A walk needs 2 points and 2 to 200 steps"):
            walks.between(points, steps)


def test_directions_are_those_of_largest_spread_and_always_the_same():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4000, 3)) * [1, 5, 2] + 7
    axes, spreads = walks.directions(points.astype(np.float32), 2)
    np.testing.assert_allclose(axes, [[0, 1, 0], [0, 0, 1]], atol=0.05)
    np.testing.assert_allclose(spreads, [5, 2], rtol=0.05)
    np.testing.assert_allclose(walks.directions(-points, 1)[0], axes[:1], atol=1e-5)


def test_along_and_around_are_centred():
    centre, axes = np.array([1.0, 1, 1]), np.eye(3)[:2]
    line = walks.along(centre, axes[0], 3.0, 5)
    np.testing.assert_allclose(line[:, 0], [-5, -2, 1, 4, 7])
    np.testing.assert_allclose(line[:, 1:], 1)
    ring = walks.around(centre, axes, [3.0, 1.0], 9)
    np.testing.assert_allclose(ring[0], [4, 1, 1])
    np.testing.assert_allclose(ring[2], [1, 2, 1], atol=1e-6)
    np.testing.assert_allclose(ring[-1], ring[0], atol=1e-6)
