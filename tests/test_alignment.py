"""Maps laid over one another, by hand."""

import numpy as np
import pytest

from core import quality
from core.alignment import aligned, shared_neighbours
from core.errors import ConfigError

POINTS = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)


def test_a_turned_mirrored_scaled_and_shifted_copy_comes_back():
    turn = np.array([[0, -1], [1, 0]]) @ np.array([[1, 0], [0, -1]])
    np.testing.assert_allclose(aligned(POINTS, (POINTS @ turn * 7 + [100, -3]).astype(np.float32)), POINTS, atol=1e-4)


def test_distances_keep_their_proportions():
    other = np.random.default_rng(1).normal(size=(200, 2)).astype(np.float32)
    moved = aligned(POINTS, other)
    before, after = (np.linalg.norm(at[1:] - at[:-1], axis=1) for at in (other, moved))
    np.testing.assert_allclose(after / before, after[0] / before[0], rtol=1e-3)
    np.testing.assert_allclose(
        aligned(POINTS, np.ones_like(POINTS)), np.tile(POINTS.mean(axis=0), (200, 1)), rtol=1e-5
    )
    with pytest.raises(ConfigError, match=r"\(200, 2\) and \(200, 3\)"):
        aligned(POINTS, np.zeros((200, 3), np.float32))


def test_company_is_kept_by_a_copy_and_lost_by_chance():
    assert (shared_neighbours(POINTS, POINTS * 3 + 1) == 1).all()
    by_chance = shared_neighbours(POINTS, POINTS[::-1].copy())
    assert by_chance.mean() < 0.2
    line = np.arange(6, dtype=np.float32)[:, None]
    swapped = line[[5, 1, 2, 3, 4, 0]]
    assert shared_neighbours(line, swapped, k=1).tolist() == [0, 0, 1, 1, 0, 0]
    assert shared_neighbours(line, line, k=6) is None


def test_continuity_is_trustworthiness_the_other_way_round():
    torn = POINTS.copy()
    torn[:100] += 50  # neighbours are torn apart, none are made up
    assert quality.continuity(POINTS, POINTS) == 1
    assert quality.continuity(POINTS, torn) < quality.trustworthiness(POINTS, torn)
