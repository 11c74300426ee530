"""Trustworthiness of maps that keep neighbours, or lose them."""

import numpy as np
import pytest

from core import quality


def _by_hand(values, coordinates, k):
    """Venna and Kaski's formula, letter by letter."""
    n = len(values)
    far = np.linalg.norm(values[:, None] - values[None], axis=2)
    near = np.linalg.norm(coordinates[:, None] - coordinates[None], axis=2)
    lost = 0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        ranks = {j: r for r, j in enumerate(sorted(others, key=lambda j: far[i, j]), 1)}
        lost += sum(max(0, ranks[j] - k) for j in sorted(others, key=lambda j: near[i, j])[:k])
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * lost


def test_an_affine_copy_keeps_every_neighbour(rng):
    values = rng.normal(size=(60, 2))
    turned = values @ np.array([[0.6, -0.8], [0.8, 0.6]]) * 3 + 5
    assert quality.trustworthiness(values, turned) == 1


def test_the_formula(rng):
    values, coordinates = rng.normal(size=(20, 5)), rng.normal(size=(20, 3))
    found = quality.trustworthiness(values, coordinates, n_neighbors=4)
    assert found == pytest.approx(_by_hand(values, coordinates, 4))
    assert 0 <= found < 1


def test_too_few_images_for_so_many_neighbours(rng):
    values = rng.normal(size=(31, 2))
    assert quality.trustworthiness(values[:30], values[:30]) is None
    assert quality.trustworthiness(values, values) == 1
    assert quality.trustworthiness(values, values, sample=30) is None


def test_a_sample_is_seeded_and_near_that_of_all(rng):
    values = rng.normal(size=(800, 3))
    part = quality.trustworthiness(values, values[:, :2], sample=400)
    assert part == quality.trustworthiness(values, values[:, :2], sample=400)
    assert part != quality.trustworthiness(values, values[:, :2], sample=400, seed=1)
    assert part == pytest.approx(quality.trustworthiness(values, values[:, :2]), abs=0.1)
