"""Isolation by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.neighbors import LocalOutlierFactor

from core import neighbours, outliers


def test_five_points_on_a_line_by_hand():
    # 0, 1, 2, 3 and 7, of each the 2 nearest. Distances: 1 2 | 1 1 | 1 1 | 1 2 | 4 5; d_2 = 2 1 1 2 5.
    # Mean reachability: 0 from {1, 2}: max(1,1), max(1,2) = 1.5; 1 from {0, 2}: max(2,1), max(1,1) = 1.5; 2 the same, 1.5;
    # 3 from {2, 1}: max(1,1), max(1,2) = 1.5; 7 from {3, 2}: max(2,4), max(1,5) = 4.5. So the factors are 1, 1, 1, 1 and 3.
    found = outliers.isolation(neighbours.graph(np.array([[0.0], [1], [2], [3], [7]], np.float32), 2))
    np.testing.assert_allclose(found.knn_distance, [1.5, 1, 1, 1.5, 4.5], rtol=1e-6)
    np.testing.assert_allclose(found.lof, [1, 1, 1, 1, 3], rtol=1e-6)
    assert outliers.ranked(found.lof, 2).tolist() == [4, 0]


@pytest.mark.parametrize(
    ("metric", "k"), [("euclidean", 1), ("euclidean", 7), ("euclidean", 20), ("cosine", 7), ("cosine", 20)]
)
def test_the_local_outlier_factor_is_that_of_scikit_learn(metric, k, rng):
    values = np.concatenate([rng.normal(size=(200, 5)), rng.normal(4, 0.2, (60, 5)), rng.uniform(-9, 9, (5, 5))])
    values = values.astype(np.float32)
    found = outliers.isolation(neighbours.graph(values, k, metric))
    reference = LocalOutlierFactor(n_neighbors=k, metric=metric, algorithm="brute").fit(values)
    np.testing.assert_allclose(found.lof, -reference.negative_outlier_factor_, rtol=2e-3)
    assert found.lof.dtype == found.knn_distance.dtype == np.float32


def test_equal_images_give_finite_factors():
    same = outliers.isolation(neighbours.graph(np.zeros((9, 2), np.float32), 3))
    assert same.lof.tolist() == [1] * 9 and same.knn_distance.tolist() == [0] * 9
    values = np.concatenate([np.zeros((30, 2)), np.random.default_rng(0).normal(size=(50, 2)), [[40, 40]]])
    found = outliers.isolation(neighbours.graph(values.astype(np.float32), 5))
    assert np.isfinite(found.lof).all() and (found.lof > 0).all()
    np.testing.assert_array_equal(found.lof[:30], 1)  # copies are as dense as their neighbours, which are copies
    assert outliers.ranked(found.knn_distance)[0] == 80


def test_two_images_have_each_other():
    found = outliers.isolation(neighbours.graph(np.array([[0.0], [2.0]], np.float32), 5))
    assert (found.lof.tolist(), found.knn_distance.tolist()) == ([1, 1], [2, 2])


def test_the_fence_is_three_ranges_above_the_third_quartile():
    scores = np.array([0, 1, 2, 3, 4, 11, 10.0])  # quartiles 1.5 and 7
    assert outliers.fence(scores) == 7 + 3 * 5.5
