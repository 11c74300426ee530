"""Clusters of points that anybody can see."""

import re

import numpy as np
import pytest

from core.clustering import NOISE, by_size, check_size, cluster, name_of, title_of
from core.config import (
    AgglomerativeConfig,
    GaussianMixtureConfig,
    HDBSCANConfig,
    KMeansConfig,
    MiniBatchKMeansConfig,
    SpectralConfig,
    with_clusters,
)
from core.entries import clustering_arrays, clustering_of
from core.errors import ConfigError
from core.progress import Cancelled
from core.store import Store

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


def blobs(spread=0.1):
    """Three groups of 50, 30 and 20 points, far apart."""
    centers = np.repeat([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], [50, 30, 20], axis=0)
    return (centers + np.random.default_rng(0).normal(0, spread, centers.shape)).astype(np.float32)


METHODS = [
    KMeansConfig(3),
    MiniBatchKMeansConfig(3),
    *(GaussianMixtureConfig(3, covariance=name) for name in ("full", "tied", "diag", "spherical")),
    *(AgglomerativeConfig(3, linkage=name) for name in ("ward", "average", "complete", "single")),
    AgglomerativeConfig(3, graph_neighbors=5),
    HDBSCANConfig(10),
    HDBSCANConfig(10, 3, "leaf"),
    SpectralConfig(3),
]


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_every_method_finds_groups_that_lie_far_apart(method, scale):
    values = blobs() * np.float32(scale)
    reports = []
    found = cluster(values, method, reports.append)
    np.testing.assert_array_equal(found.labels, np.repeat([0, 1, 2], [50, 30, 20]))
    means = np.stack([values[found.labels == i].mean(axis=0) for i in range(3)])
    np.testing.assert_allclose(found.centers, means, rtol=1e-3, atol=0.05 * scale)
    expected = sum(np.square(values[found.labels == i] - means[i], dtype=np.float64).sum() for i in range(3))
    assert found.inertia == pytest.approx(expected, rel=1e-2)
    assert (found.labels.dtype, found.centers.dtype, found.k) == (np.int32, np.float32, 3)
    assert [(item.stage, item.fraction) for item in reports if item.stage == title_of(method)] == [
        (title_of(method), 0.0), (title_of(method), 1.0),
    ]  # fmt: skip


def test_the_probabilities_of_a_mixture_sum_to_1_and_the_likeliest_is_the_cluster():
    values = np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32)
    found = cluster(values, GaussianMixtureConfig(4))
    assert (found.probabilities.shape, found.probabilities.dtype) == ((80, 4), np.float32)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(found.probabilities.argmax(axis=1), found.labels)
    np.testing.assert_array_equal(found.own_probability, found.probabilities.max(axis=1))
    assert (np.diff(np.bincount(found.labels, minlength=4)) <= 0).all()
    assert 0.25 < found.own_probability.min() < 1


def test_a_point_half_way_between_two_equal_components_belongs_to_both():
    side = np.array([[-1.0], [-0.5], [0.5], [1.0]], np.float32)
    found = cluster(
        np.concatenate([side - 3, side + 3, [[0.0]]]).astype(np.float32), GaussianMixtureConfig(2, "tied")
    )
    np.testing.assert_allclose(found.probabilities[-1], [0.5, 0.5], atol=0.05)  # EM stops a little before the middle
    assert found.own_probability[:-1].min() > 0.99


def test_a_far_point_is_noise_and_counts_in_no_center_and_no_inertia():
    values = np.concatenate([blobs(), [[100.0, 100.0]]]).astype(np.float32)
    found = cluster(values, HDBSCANConfig(10))
    np.testing.assert_array_equal(found.labels, [*np.repeat([0, 1, 2], [50, 30, 20]), NOISE])
    alone = cluster(values[:-1], HDBSCANConfig(10))
    np.testing.assert_allclose(found.centers, alone.centers)
    assert found.inertia == pytest.approx(alone.inertia)
    assert found.strength[-1] == 0 < found.strength[:-1].min() <= found.strength.max() == 1
    assert found.probabilities is None and alone.n_iter == 0
    assert (name_of(0), name_of(NOISE)) == ("cluster 0", "noise")


def test_linkages_differ_on_a_chain():
    """Single linkage follows a chain of steps 1 to the gap of 2; complete linkage cuts it into two halves."""
    chain = np.array([0, 1, 2, 3, 4, 5, 7], np.float32)[:, None]
    np.testing.assert_array_equal(cluster(chain, AgglomerativeConfig(2, "single")).labels, [0] * 6 + [1])
    halves = cluster(chain, AgglomerativeConfig(2, "complete")).labels
    assert np.bincount(halves).tolist() == [4, 3]


def test_spectral_and_density_tell_two_rings_apart_and_kmeans_does_not():
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.column_stack([np.cos(turn), np.sin(turn)])
    values = np.concatenate([ring, 5 * ring]).astype(np.float32)
    truth = np.repeat([0, 1], 60)
    for method in (SpectralConfig(2, 4), HDBSCANConfig(5), AgglomerativeConfig(2, "single")):
        np.testing.assert_array_equal(cluster(values, method).labels, truth)
    assert (cluster(values, KMeansConfig(2)).labels != truth).any()


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_one_cluster_holds_all_and_identical_images_are_one_cluster_or_one_sentence(method):
    same = np.ones((40, 3), np.float32)
    if isinstance(method, HDBSCANConfig):
        with pytest.raises(
            ConfigError, match="HDBSCAN finds no cluster: with min_cluster_size 10 all 40 images are noise"
        ):
            cluster(same, method)
        return
    for values in (same, blobs()):
        found = cluster(values, with_clusters(method, 1))
        assert not found.labels.any()
        near = 0.3 if isinstance(method, MiniBatchKMeansConfig) else 1e-4  # its centre is that of its batches
        np.testing.assert_allclose(found.centers, [values.mean(axis=0)], atol=near)
    with pytest.raises(ConfigError, match="k = 3 clusters need at least 3 different points; these images give 1"):
        cluster(same, method)


@pytest.mark.parametrize(
    ("method", "n", "sentence"),
    [
        (GaussianMixtureConfig(12), 11, "k = 12 clusters need at least 12 images; this set has 11."),
        (GaussianMixtureConfig(1), 1, "A Gaussian mixture needs at least 2 images; this set has 1."),
        (HDBSCANConfig(30), 29, "min_cluster_size 30 needs at least 30 images; this set has 29."),
        (HDBSCANConfig(2, 9), 8, "min_samples 9 needs at least 9 images; this set has 8."),
        (SpectralConfig(2, 10), 10, "graph_neighbors 10 needs at least 11 images; this set has 10."),
        (AgglomerativeConfig(2, graph_neighbors=5), 5, "graph_neighbors 5 needs at least 6 images; this set has 5."),
        (SpectralConfig(4, 2), 4, "Spectral clustering into k = 4 needs more than 4 images."),
        (SpectralConfig(), 70_001, "Spectral clustering takes at most 70,000 images; this set has 70,001."),
        (AgglomerativeConfig(), 20_001, "Agglomerative clustering of all pairs takes at most 20,000 images; this set has 20"),
    ],
)  # fmt: skip
def test_what_cannot_be_names_the_setting_and_its_limit(method, n, sentence):
    with pytest.raises(ConfigError, match=f"^{re.escape(sentence)}"):
        check_size(method, n)
    with pytest.raises(ConfigError, match=f"^{re.escape(sentence)}"):
        cluster(np.arange(n, dtype=np.float32)[:, None], method)


def test_at_the_limit_everything_goes():
    for method, n in ((SpectralConfig(), 70_000), (AgglomerativeConfig(), 20_000), (HDBSCANConfig(30), 30),
                      (AgglomerativeConfig(graph_neighbors=5), 10**6), (SpectralConfig(2, 10), 11)):  # fmt: skip
        check_size(method, n)


def test_a_report_that_raises_stops_before_the_fit():
    def stop(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        cluster(blobs(), GaussianMixtureConfig(3), stop)


def test_noise_keeps_its_number_when_clusters_are_renumbered():
    labels, order = by_size(np.array([-1, 0, 1, 1, -1, -1]), 3)
    np.testing.assert_array_equal(labels, [-1, 1, 0, 0, -1, -1])
    np.testing.assert_array_equal(order, [1, 0, 2])


@pytest.mark.parametrize("method", [GaussianMixtureConfig(3), HDBSCANConfig(10), KMeansConfig(3)])
def test_the_store_gives_back_everything_of_a_clustering(tmp_path, method):
    store, found = Store(tmp_path), cluster(np.concatenate([blobs(), [[99.0, 99.0]]]).astype(np.float32), method)
    info = {"inertia": found.inertia, "n_iter": found.n_iter}
    back = clustering_of(store.put("clustering", "a" * 32, clustering_arrays(found), info, 0.0))
    for name in ("labels", "centers", "confidence", "agreement", "probabilities", "strength"):
        np.testing.assert_array_equal(getattr(back, name), getattr(found, name))
    assert (back.inertia, back.n_iter) == (found.inertia, found.n_iter)
