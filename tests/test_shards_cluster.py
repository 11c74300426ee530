"""KMeans over parts: the partition of all rows at once, whatever the engine; random batches; what is written."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from core import clustering, parts
from core.clustering import lloyd
from core.config import GaussianMixtureConfig, HDBSCANConfig, KMeansConfig, MiniBatchKMeansConfig
from core.engines import Local
from core.errors import ConfigError
from core.progress import Cancelled
from core.shards.clustering import iterations, minibatch, mixture
from core.shards.clustering.iterations import Run, Sums, look
from core.shards.clustering.kmeans import against_lloyd, cluster
from tests.cut_in_parts import Shuffled, blobs, cut, digits, whole


def same(a, b):
    """Say whether two labelings are the same partition."""
    pairs = {(int(x), int(y)) for x, y in zip(a, b, strict=True)}
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


def made(tmp_path, values, method, engine=None, name="run", sizes=(700, 0, 1300, 1, 999)):
    vectors = cut(tmp_path / name, values, sizes=sizes)
    found = cluster(engine or Local(), vectors, method, vectors.root, "key")
    return found, whole(vectors.root, vectors, "clustered", "cluster"), vectors


@pytest.mark.parametrize("engine", [Local(), Shuffled()], ids=["local", "shuffled"])
@pytest.mark.parametrize("k", [10, 37])
def test_digits_are_clustered_as_they_are_at_once(tmp_path, engine, k):
    values, _ = digits()
    method = KMeansConfig(k, start_sample=3000)
    found, labels, vectors = made(tmp_path, values, method, engine)
    expected = clustering.cluster(values, method)
    assert labels.dtype.kind == "i" and np.array_equal(labels, expected.labels)
    np.testing.assert_allclose(found.centers, expected.centers, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.inertia, expected.inertia, rtol=1e-5)
    assert (found.n_iter, found.n, found.started_on) == (expected.n_iter, 5000, 3000)
    assert found.sizes.tolist() == np.bincount(expected.labels).tolist() == sorted(found.sizes.tolist(), reverse=True)
    away = np.linalg.norm(values - found.centers[labels], axis=1)
    np.testing.assert_allclose(whole(vectors.root, vectors, "clustered", "distance"), away, rtol=1e-4)


def test_other_settings_come_to_the_same_as_at_once(tmp_path):
    values, y = blobs()
    few = KMeansConfig(5, n_init=2, max_iter=2, start_sample=100)
    found, labels, _ = made(tmp_path, values, few, name="few")
    expected = clustering.cluster(values, few)
    assert same(labels, expected.labels) and found.n_iter == expected.n_iter <= 2
    _, labels, _ = made(tmp_path, values, KMeansConfig(5, seed=3), name="no sample")
    assert same(labels, y)
    small = KMeansConfig(5, seed=1)
    found, labels, _ = made(tmp_path, values[:800], small, Shuffled(), name="small")
    assert np.array_equal(labels, clustering.cluster(values[:800], small).labels)
    assert found.started_on == 800


def test_a_cluster_that_gets_empty_is_given_the_farthest_row_as_at_once(tmp_path):
    values = np.array([[0, 0], [1, 0], [9, 0], [9, 3], [40, 0], [60, 0]], np.float32)
    centers = np.array([[0, 0], [500, 0], [600, 0], [9, 0]], np.float32)
    vectors = cut(tmp_path, values, sizes=(2, 3, 1))
    (sums,) = look(Local(), vectors, [centers], lambda progress: None)
    assert sums.counts.tolist() == [2, 0, 0, 4] and sums.first.tolist() == [0, 6, 6, 2]
    run = iterations._refilled(Local(), vectors, Run(centers, sums, 0), lambda progress: None)
    assert run.centers[1].tolist() == [60, 0] and run.centers[2].tolist() == [40, 0]
    assert run.found.counts.tolist() == [2, 1, 1, 2]
    np.testing.assert_allclose(run.found.sums[3], [18, 3])
    (ended,) = iterations._to_the_end(Local(), vectors, [centers], 300, 0.0, lambda progress: None)
    theirs = centers.copy()
    labels, inertia, n_iter = lloyd.lloyd(values, theirs, 300, 0.0)
    np.testing.assert_allclose(ended.centers, theirs)
    np.testing.assert_allclose(ended.found.inertia, inertia, rtol=1e-6)
    assert ended.n_iter == n_iter and ended.found.counts.tolist() == np.bincount(labels).tolist()


def test_a_lone_row_is_not_taken_from_its_cluster(tmp_path):
    values = np.array([[0.0], [1.0], [90.0]], np.float32)
    vectors = cut(tmp_path, values, sizes=(3,))
    centers = np.array([[0.0], [70.0], [500.0]], np.float32)  # 90 is farthest, but the only one of its cluster
    (sums,) = look(Local(), vectors, [centers], lambda progress: None)
    run = iterations._refilled(Local(), vectors, Run(centers, sums, 0), lambda progress: None)
    assert run.centers.ravel().tolist() == [0, 70, 1]


def test_clusters_are_numbered_by_size_and_then_by_first_row(tmp_path):
    values = np.array([[0], [50], [50], [90], [90], [20]], np.float32)
    _, labels, _ = made(tmp_path, values, KMeansConfig(4), sizes=(2, 4))
    assert labels.tolist() == [2, 0, 0, 1, 1, 3]


@pytest.mark.parametrize("batch_size", [64, 1024])
def test_random_batches_find_the_groups_and_nearly_the_inertia_of_all_rows(tmp_path, batch_size):
    values, y = blobs()
    order = np.argsort(y, kind="stable")  # parts sorted by class
    method = MiniBatchKMeansConfig(5, batch_size)
    found, labels, vectors = made(tmp_path, values[order], method)
    assert adjusted_rand_score(y[order], labels) > 0.99
    assert np.bincount(labels).tolist() == found.sizes.tolist()
    away = whole(vectors.root, vectors, "clustered", "distance").astype(np.float64)
    np.testing.assert_allclose(found.inertia, np.square(away).sum(), rtol=1e-5)
    again, others, _ = made(tmp_path, values[order], method, Shuffled(5), name="again")
    assert np.array_equal(labels, others) and np.array_equal(found.centers, again.centers)
    other, _, _ = made(tmp_path, values[order], replace(method, seed=1), name="other seed")
    assert not np.array_equal(found.centers, other.centers)


def test_how_much_worse_batches_are_is_measured_against_lloyd_to_the_end(tmp_path):
    values, _ = digits()
    found, _, vectors = made(tmp_path, values, MiniBatchKMeansConfig(10))
    excess = against_lloyd(Local(), vectors, found, KMeansConfig(n_clusters=3, start_sample=3000))
    print(
        f"\nrelative inertia of random batches on {excess.n:,} digits: {excess.relative:+.4f} after {found.n_iter} epochs"
    )
    expected = clustering.cluster(values, KMeansConfig(10, start_sample=3000))
    np.testing.assert_allclose(excess.lloyd, expected.inertia, rtol=1e-5)
    assert -0.01 < excess.relative < 0.03 and excess.relative == found.inertia / excess.lloyd - 1


def test_batches_end_after_their_epochs_and_cover_every_row_once_each(tmp_path, monkeypatch):
    values, _ = blobs(2500)
    vectors = cut(tmp_path, values)
    monkeypatch.setattr(minibatch, "POOL", 8 * 900)  # several pools, with a rest that is carried on
    batches = list(minibatch._batches(vectors, 64, 8, np.random.default_rng(0), lambda progress: None, 0, 1))
    assert [len(batch) for batch in batches] == [64] * (2500 // 64) + [2500 % 64]
    rows = np.concatenate(batches)
    assert np.array_equal(rows[np.lexsort(rows.T)], values[np.lexsort(values.T)])
    assert minibatch.fit(vectors, MiniBatchKMeansConfig(5, max_iter=1), lambda progress: None).epochs == 1
    monkeypatch.setattr(minibatch, "LITTLE", -np.inf)
    assert minibatch.fit(vectors, MiniBatchKMeansConfig(5, max_iter=4), lambda progress: None).epochs == 4


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_a_mixture_of_a_sample_that_is_all_is_that_of_all_rows(tmp_path, covariance):
    values, _ = blobs(2500, d=4)
    method = GaussianMixtureConfig(5, covariance, n_init=2)
    found, labels, vectors = made(tmp_path, values, method, Shuffled())
    expected = clustering.cluster(values, method)
    assert np.array_equal(labels, expected.labels)
    np.testing.assert_allclose(found.centers, expected.centers, rtol=1e-5)
    np.testing.assert_allclose(found.inertia, expected.inertia, rtol=1e-5)
    assert (found.n_iter, found.started_on) == (expected.n_iter, 2500)
    away = np.linalg.norm(values - found.centers[labels], axis=1)
    np.testing.assert_allclose(whole(vectors.root, vectors, "clustered", "distance"), away, rtol=1e-4)


def test_a_mixture_of_a_sample_tells_long_groups_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(mixture, "FITTED_ON", 800)
    rng = np.random.default_rng(0)
    y = np.arange(6000) % 2
    values = (rng.normal(size=(6000, 2)) * [4, 0.5] + y[:, None] * [0, 5]).astype(
        np.float32
    )  # two lines side by side
    found, labels, _ = made(tmp_path, values, GaussianMixtureConfig(2, n_init=5))
    assert adjusted_rand_score(y, clustering.cluster(values, KMeansConfig(2)).labels) < 0.1  # which are not round
    assert adjusted_rand_score(y, labels) > 0.99 and found.started_on == 800 and found.sizes.sum() == found.n == 6000


def test_a_mixture_that_has_no_inverse_is_said(tmp_path):
    values = np.repeat(np.random.default_rng(0).normal(size=(400, 1)), 3, axis=1).astype(np.float32)  # on a line
    with pytest.raises(ConfigError, match=r"cannot be fitted on 400 images.*'full'"):
        made(tmp_path, values, GaussianMixtureConfig(2, reg_covar=1e-300))


def test_what_cannot_be_clustered_is_said(tmp_path):
    values, _ = blobs(300)
    vectors = cut(tmp_path, values)
    run = (vectors, vectors.root, "key")
    with pytest.raises(ConfigError, match=r"HDBSCAN cannot be made over shards; there are"):
        cluster(Local(), run[0], HDBSCANConfig(), *run[1:])
    with pytest.raises(ConfigError, match="k = 301 clusters need at least 301 images; this set has 300"):
        cluster(Local(), run[0], KMeansConfig(301), *run[1:])
    equal = cut(tmp_path / "equal", np.ones((400, 3), np.float32))
    with pytest.raises(ConfigError, match="k = 3 clusters are too many"):
        cluster(Local(), equal, KMeansConfig(3, start_sample=100), equal.root, "key")


@pytest.mark.parametrize("method", [KMeansConfig(5, start_sample=500), MiniBatchKMeansConfig(5)])
def test_clustering_can_be_stopped_at_every_report_and_then_leaves_nothing_half_made(tmp_path, method):
    values, _ = blobs(1500)
    vectors = cut(tmp_path, values)
    told = []
    cluster(Local(), vectors, method, str(tmp_path / "counted"), "key", told.append)
    stages = list(dict.fromkeys(progress.stage for progress in told))
    assert len(stages) > 3 and all(0 <= progress.fraction <= 1 for progress in told)
    for stage in stages:

        def stop(progress, stage=stage):
            if progress.stage == stage:
                raise Cancelled

        with pytest.raises(Cancelled):
            cluster(Local(), vectors, method, str(tmp_path / "stopped"), "key", stop)
    there = parts.there(str(tmp_path / "stopped"), "clustered", vectors.numbers, "key")
    assert not there


def test_sums_are_added_in_the_order_of_parts():
    a = Sums(np.ones((1, 2)), np.array([2]), 1.0, np.array([5]))
    b = Sums(np.full((1, 2), 3.0), np.array([1]), 2.0, np.array([9]))
    added = iterations._added(a, b)
    assert (added.sums.tolist(), added.counts.tolist(), added.inertia, added.first.tolist()) == (
        [[4, 4]],
        [3],
        3.0,
        [5],
    )
