"""Clusters of points that anybody can see."""

import numpy as np
import pytest

from core.clustering import cluster
from core.config import KMeansConfig, MiniBatchKMeansConfig
from core.errors import ConfigError

THREE = np.repeat([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], [5, 3, 2], axis=0).astype(np.float32)


@pytest.mark.parametrize("method", [KMeansConfig(3), MiniBatchKMeansConfig(3)])
def test_separate_groups_are_found_and_numbered_by_size(method):
    found = cluster(THREE + np.random.default_rng(0).normal(0, 0.01, THREE.shape).astype(np.float32), method)
    np.testing.assert_array_equal(found.labels, [0] * 5 + [1] * 3 + [2] * 2)
    np.testing.assert_allclose(found.centers, [[0, 0], [10, 0], [0, 10]], atol=0.05)
    assert found.labels.dtype == np.int32


def test_inertia_is_the_sum_of_squared_distances():
    found = cluster(np.array([[0.0], [2.0], [10.0], [14.0]], np.float32), KMeansConfig(2))
    assert found.inertia == pytest.approx(1 + 1 + 4 + 4)


def test_one_cluster_is_the_mean():
    found = cluster(THREE, KMeansConfig(1))
    np.testing.assert_allclose(found.centers[0], THREE.mean(axis=0), atol=1e-5)


def test_as_many_clusters_as_images_leave_no_inertia():
    found = cluster(np.arange(6, dtype=np.float32)[:, None], KMeansConfig(6))
    assert sorted(found.labels) == list(range(6))
    assert found.inertia == pytest.approx(0, abs=1e-9)


def test_same_seed_same_clusters_and_the_global_random_state_is_left_alone():
    values = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    before = np.random.get_state()[1].copy()  # noqa: NPY002  it must stay as it is
    first, second = cluster(values, KMeansConfig(5, seed=3)), cluster(values, KMeansConfig(5, seed=3))
    np.testing.assert_array_equal(first.labels, second.labels)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_more_clusters_than_images_name_both():
    with pytest.raises(ConfigError, match="k = 12 clusters need at least 12 images; this set has 10"):
        cluster(THREE, KMeansConfig(12))


def test_more_clusters_than_different_points_name_both():
    with pytest.raises(ConfigError, match="k = 4 clusters need at least 4 different points; these images give 3"):
        cluster(THREE, KMeansConfig(4))
