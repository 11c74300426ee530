"""KMeans' own loops by hand and against the definition, starts on a sample, and one more cluster."""

import sys

import numpy as np
import pytest

from core import keys
from core.clustering import cluster, kmeans, one_more, start_sample
from core.clustering.lloyd import lloyd, spread
from core.config import ClusterConfig, KMeansConfig, from_json, to_json
from core.errors import ConfigError
from core.sweep import SweepConfig, sweep


def column(*values):
    return np.array(values, np.float32)[:, None]


@pytest.fixture(scope="module")
def digits():
    """1,797 digits of 8×8 pixels, float32 (n, 64)."""
    from sklearn.datasets import load_digits

    return load_digits().data.astype(np.float32)


def test_centers_move_to_the_means_of_their_points():
    centers = column(0, 2)
    labels, inertia, n_iter = lloyd(column(0, 2, 10, 14), centers, 300, 0.0)
    assert centers.ravel().tolist() == [1, 12]  # from 0 | 2, 10, 14 over 26/3 to 0, 2 | 10, 14
    assert (labels.tolist(), inertia, n_iter) == ([0, 0, 1, 1], 1 + 1 + 4 + 4, 2)


def test_iterations_end_when_there_are_enough_or_the_steps_are_short():
    assert lloyd(column(0, 2, 10, 14), column(0, 2), 1, 0.0)[2] == 1
    assert lloyd(column(0, 2, 10, 14), column(0, 2), 300, 50.0)[2] == 1  # (26/3 - 2)² = 44.4


def test_an_empty_cluster_gets_the_farthest_point():
    centers = column(0, 0, 0)
    labels, inertia, _ = lloyd(column(0, 0, 5, 9), centers, 300, 0.0)
    assert sorted(centers.ravel().tolist()) == [0, 5, 9]
    assert inertia == 0 and len(set(labels.tolist())) == 3


@pytest.mark.parametrize(
    ("draws", "expected"),
    [
        ([0.5], 10),  # squared distances to 0 are 0, 1 and 100: 1 and 101 added up
        ([0.005], 1),
        ([0.005, 0.5], 10),  # leaves 1, where the point 1 leaves 81
        ([0.5, 0.005], 10),
    ],
)
def test_a_center_is_drawn_by_squared_distance_and_the_best_of_those_drawn(draws, expected):
    centers = column(0, -7)
    spread(column(0, 1, 10), centers, 1, np.array([draws]))
    assert centers.ravel().tolist() == [0, expected]


def plain(points, centers):
    """Lloyd's iterations by all distances, in float64."""
    points, centers, labels = points.astype(np.float64), centers.astype(np.float64), None
    while True:
        apart = np.square(points[:, None] - centers[None]).sum(axis=2)
        if labels is not None and (apart.argmin(axis=1) == labels).all():
            return labels, centers, apart.min(axis=1).sum()
        labels = apart.argmin(axis=1)
        centers = np.stack([points[labels == i].mean(axis=0) for i in range(len(centers))])


@pytest.mark.parametrize("k", [1, 2, 7, 20])
def test_points_that_need_no_look_at_all_centers_get_the_nearest_all_the_same(digits, k):
    start = digits[:: len(digits) // k][:k].copy()
    labels, means, total = plain(digits, start)
    centers = start.copy()
    found, inertia, _ = lloyd(digits, centers, 1000, 0.0)
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_allclose(centers, means, atol=1e-4)
    assert inertia == pytest.approx(total, rel=1e-6)


def test_starts_on_a_sample_end_as_low_as_starts_on_all(digits):
    more = []
    for k in range(2, 13):
        ours, theirs = (cluster(digits, KMeansConfig(k, start_sample=size)).inertia for size in (600, None))
        more.append(ours / theirs - 1)
    assert max(more) < 0.005 and np.median(more) < 1e-3


def test_one_config_has_one_result_on_any_number_of_threads(digits, monkeypatch):
    module = sys.modules[kmeans.__module__]  # the package has a function of the same name
    monkeypatch.setattr(module, "_SMALL", 0)
    found = []
    for threads in (1, 3, 1):
        monkeypatch.setattr(module, "allowed", lambda threads=threads: threads)
        found.append(cluster(digits, KMeansConfig(9, start_sample=500)))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].labels, other.labels)
        np.testing.assert_array_equal(found[0].centers, other.centers)
        assert found[0].inertia == other.inertia
    assert found[0].labels.dtype == np.int32 and found[0].centers.dtype == np.float32
    assert (np.diff(np.bincount(found[0].labels)) <= 0).all()
    assert cluster(digits, KMeansConfig(9, seed=1, start_sample=500)).inertia != found[0].inertia


def test_few_images_are_clustered_as_without_a_sample(digits):
    few = digits[:300]
    plain, sampled = cluster(few, KMeansConfig(5)), cluster(few, KMeansConfig(5, start_sample=300))
    np.testing.assert_array_equal(plain.labels, sampled.labels)
    assert plain.inertia == sampled.inertia


def test_clusters_that_the_sample_lacks_are_found_on_all_images():
    values = column(*[0] * 2000, 10, 20, 30, 40)
    found = cluster(values, KMeansConfig(5, start_sample=20))
    assert np.bincount(found.labels).tolist() == [2000, 1, 1, 1, 1] and found.inertia == 0
    with pytest.raises(ConfigError, match="these images give 5"):
        cluster(values, KMeansConfig(6, start_sample=20))


def test_the_sample_is_part_of_a_key_only_where_there_is_one():
    values = to_json(KMeansConfig(3))
    assert values == {"type": "KMeansConfig", "n_clusters": 3, "n_init": 4, "max_iter": 300, "seed": 0}
    assert from_json(values) == KMeansConfig(3)
    sampled = KMeansConfig(3, start_sample=2000)
    assert to_json(sampled) == values | {"start_sample": 2000} and from_json(to_json(sampled)) == sampled
    assert len({keys.clustering_key("x", ClusterConfig(item)) for item in (KMeansConfig(3), sampled)}) == 2
    with pytest.raises(ConfigError, match="start_sample 2 must be at least 3"):
        KMeansConfig(3, start_sample=2)


def test_a_sample_is_for_many_images():
    assert [start_sample(n) for n in (10, 5000, 5001)] == [None, None, 3000]


def test_one_more_cluster_goes_where_most_inertia_is():
    values = column(0, 1, 10, 11, 20, 26)
    before = cluster(values, KMeansConfig(3))
    assert before.inertia == pytest.approx(0.5 + 0.5 + 18)
    more = one_more(values, KMeansConfig(4), before)
    assert more.inertia == pytest.approx(1) and np.bincount(more.labels).tolist() == [2, 2, 1, 1]


def test_a_sweep_never_has_more_inertia_than_each_k_alone_and_some_have_less(digits):
    method = KMeansConfig(2, n_init=1)
    found = sweep(digits, SweepConfig(method, ks=tuple(range(6, 12)), subsamples=2))
    again = sweep(digits, SweepConfig(method, ks=tuple(range(6, 12)), subsamples=2))
    alone = [cluster(digits, KMeansConfig(int(k), n_init=1)).inertia for k in found.ks]
    less = 1 - found.inertia / alone
    assert (less > -1e-5).all() and less.max() > 1e-3
    np.testing.assert_array_equal(found.inertia, again.inertia)


def test_a_k_that_is_not_the_next_one_starts_anew(digits, monkeypatch):
    monkeypatch.setattr("core.sweep.one_more", lambda *given: pytest.fail("there is nothing to go on from"))
    sweep(digits[:200], SweepConfig(KMeansConfig(), ks=(2, 4, 7), subsamples=2))
