"""Scores on random data: those of scikit-learn or of the formula written out, within their range, whatever the names."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.neighbors import LocalOutlierFactor

from core import classifier, matching, quality
from core.alignment import shared_neighbours
from core.clustering import cluster, of_labels
from core.config import KMeansConfig
from core.neighbours import graph
from core.outliers import isolation
from core.projection.sampling import kept
from core.sweep import SweepConfig, sweep
from tests.properties.strategies import labellings, points

GROUPED = ("nmi", "ari", "homogeneity", "completeness", "v_measure", "purity")


def renamed(values, order):
    """Give group i the name order[i]; -1 stays."""
    return np.where(values < 0, -1, np.asarray(order)[values])


def orders(count):
    return st.permutations(range(count))


@given(labellings(lowest=-1))
def test_agreement_is_that_of_scikit_learn(found):
    labels, y, k, classes = found
    assume((y >= 0).any())
    ours = matching.agree(labels, y, k, classes)
    both, known = (labels >= 0) & (y >= 0), y >= 0
    if not both.any():
        assert [getattr(ours, name) for name in GROUPED[:-1]] == [None] * 5 and ours.purity == 0
    else:
        a, b = labels[both], y[both]
        theirs = (
            metrics.normalized_mutual_info_score(b, a), metrics.adjusted_rand_score(b, a),
            *metrics.homogeneity_completeness_v_measure(b, a),
        )  # fmt: skip
        np.testing.assert_allclose([getattr(ours, name) for name in GROUPED[:-1]], theirs, atol=1e-9)
        table = metrics.cluster.contingency_matrix(b, a)  # (classes, clusters)
        assert ours.purity == pytest.approx(table.max(axis=0).sum() / known.sum())
    for found in (ours.one_to_one, ours.majority):
        predicted = np.append(found.of_cluster, -1)[labels][known]
        theirs = metrics.precision_recall_fscore_support(
            y[known], predicted, labels=range(classes), zero_division=np.nan
        )
        for mine, expected in zip((found.precision, found.recall, found.f1), theirs, strict=False):
            np.testing.assert_allclose(mine, expected, atol=1e-12)
        assert found.accuracy == pytest.approx(metrics.accuracy_score(y[known], predicted))
        assert found.right == (predicted == y[known]).sum()


@given(labellings(lowest=-1), st.data())
def test_no_score_depends_on_names_or_on_the_order_of_the_images(found, data):
    labels, y, k, classes = found
    assume((y >= 0).any())
    ours = matching.agree(labels, y, k, classes)
    names, titles = data.draw(orders(k)), data.draw(orders(classes))
    rows = np.array(data.draw(orders(len(y))))
    other = matching.agree(renamed(labels, names)[rows], renamed(y, titles)[rows], k, classes)
    for name in GROUPED:
        assert getattr(other, name) == pytest.approx(getattr(ours, name), abs=1e-9)
        assert getattr(ours, name) is None or (-0.5 if name == "ari" else 0) <= getattr(ours, name) <= 1
    assert other.one_to_one.accuracy == pytest.approx(ours.one_to_one.accuracy)
    assert ours.one_to_one.accuracy <= ours.majority.accuracy == pytest.approx(ours.purity)


@given(labellings(lowest=-1), points(n=st.just(40)), st.data())
def test_the_scores_of_a_run_do_not_depend_on_names_and_lie_in_their_range(found, values, data):
    labels, y, k, classes = found
    values = values[: len(labels)]
    one = quality.score(labels, y, values)
    other = quality.score(renamed(labels, data.draw(orders(k))), renamed(y, data.draw(orders(classes))), values)
    for name, low in (("accuracy", 0), ("nmi", 0), ("ari", -0.5), ("silhouette", -1), ("noise", 0)):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine == pytest.approx(theirs, abs=1e-9)
        assert mine is None or low <= mine <= 1


@given(labellings())
def test_scores_that_compare_two_groupings_do_not_ask_which_is_which(found):
    labels, y, *_ = found
    for score in (quality.nmi, quality.ari, quality.accuracy):
        assert score(labels, y) == pytest.approx(score(y, labels), abs=1e-9)
        assert score(labels, labels) == 1
    table = matching.contingency(labels, y, labels.max() + 1, y.max() + 1)[:-1, :-1]
    assert matching.homogeneity(table) == pytest.approx(matching.completeness(table.T), abs=1e-9)
    assert matching.v_measure(table) == pytest.approx(matching.v_measure(table.T), abs=1e-9)


@given(labellings(lowest=-1))
def test_a_table_of_counts_is_that_of_scikit_learn_and_counts_each_image_once(found):
    labels, y, k, classes = found
    ours = matching.contingency(labels, y, k, classes)
    top = max(k, classes)
    theirs = metrics.confusion_matrix(
        np.where(labels < 0, top, labels), np.where(y < 0, top, y), labels=range(top + 1)
    )
    np.testing.assert_array_equal(ours[:k, :classes], theirs[:k, :classes])
    np.testing.assert_array_equal([ours[k, classes], ours.sum()], [theirs[top, top], len(y)])
    if (y >= 0).any() and (labels >= 0).all():
        seen = classifier.confusion(y, labels, top)
        np.testing.assert_array_equal(seen, theirs.T[:top, :top])


def silhouette(values, labels):
    """Rousseeuw's mean silhouette, written out; a group of one counts 0."""
    away = np.sqrt(np.square(values[:, None] - values[None]).sum(axis=2))
    widths = []
    for i, label in enumerate(labels):
        own = (labels == label) & (np.arange(len(labels)) != i)
        a = away[i, own].mean() if own.any() else None
        b = min(away[i, labels == other].mean() for other in set(labels) - {label})
        widths.append(0.0 if a is None or max(a, b) == 0 else (b - a) / max(a, b))
    return np.mean(widths)


@given(points(), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_silhouette_is_the_formula_without_noise_and_that_of_a_sample_is_of_some_images(values, k, seed):
    labels = np.random.default_rng(seed).integers(-1, k, len(values))
    values = values.astype(np.float64)
    inside = labels >= 0
    exact = quality.silhouette(values, labels)
    if 2 <= len(set(labels[inside])) < inside.sum():
        assert exact == pytest.approx(silhouette(values[inside], labels[inside]), abs=1e-6)
    else:
        assert exact is None
    far = np.where(inside[:, None], values, 1e6)  # where noise lies does not matter
    assert quality.silhouette(far, labels) == exact
    part = quality.silhouette(values, labels, sample=5, seed=seed)
    assert part == quality.silhouette(values, labels, sample=5, seed=seed)
    if part is not None and inside.sum() <= 9:
        subsets = (list(rows) for rows in itertools.combinations(np.flatnonzero(inside), min(5, inside.sum())))
        of_some = [silhouette(values[rows], labels[rows]) for rows in subsets if len(set(labels[rows])) > 1]
        assert np.isclose(of_some, part, atol=1e-6).any()


@given(points(n=st.integers(6, 30)), st.integers(0, 2**32 - 1))
def test_scores_of_a_sweep_are_those_of_scikit_learn(values, seed):
    assume(len(np.unique(values, axis=0)) >= 3)
    method = KMeansConfig(2, n_init=1, seed=seed)
    found = sweep(values, SweepConfig(method, (2,), subsamples=2))
    labels, exact = cluster(values, method).labels, values.astype(np.float64)
    centers = np.array([exact[labels == i].mean(axis=0) for i in range(2)])
    assert found.inertia[0] == pytest.approx(np.square(exact - centers[labels]).sum(), abs=1e-9)
    assert found.davies_bouldin[0] == pytest.approx(metrics.davies_bouldin_score(exact, labels))
    assert found.calinski_harabasz[0] == pytest.approx(metrics.calinski_harabasz_score(exact, labels))
    assert found.silhouette[0] == pytest.approx(metrics.silhouette_score(exact, labels))
    assert -0.5 <= found.stability[0] <= 1


@given(points(), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_inertia_is_what_lies_between_points_and_the_means_of_their_clusters(values, k, seed):
    labels = np.unique(np.random.default_rng(seed).integers(0, k, len(values)), return_inverse=True)[1]
    found = of_labels(values, labels, labels.max() + 1)
    exact = values.astype(np.float64)
    expected = sum(np.square(exact[labels == i] - exact[labels == i].mean(axis=0)).sum() for i in set(labels))
    assert found.inertia == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert (np.diff(np.bincount(found.labels)) <= 0).all()  # the largest first
    assert quality.ari(found.labels, labels) == 1


def distinct(seed, n, d):
    """Points no two of which are equally far from a third."""
    return np.random.default_rng(seed).normal(size=(n, d))


def nearest(values):
    """Rows by distance from each point, itself first, (n, n)."""
    away = np.square(values[:, None] - values[None]).sum(axis=2)
    np.fill_diagonal(away, -1)
    return np.argsort(away, axis=1, kind="stable")


def trustworthiness(values, coordinates, k):
    """The formula of Venna and Kaski, written out."""
    n = len(values)
    rank = np.argsort(nearest(values), axis=1)  # 0 for the point itself
    near = nearest(coordinates)[:, 1 : k + 1]
    beyond = sum(max(0, rank[i, j] - k) for i in range(n) for j in near[i])
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * beyond


@given(st.integers(0, 2**32 - 1), st.integers(5, 30), st.integers(2, 5), st.integers(1, 6))
def test_trustworthiness_and_continuity_are_the_formula_and_ask_for_twice_the_neighbours(seed, n, d, k):
    values, coordinates = distinct(seed, n, d), distinct(seed + 1, n, 2)
    found = quality.trustworthiness(values, coordinates, k)
    if 2 * k >= n:
        assert found is None
        return
    assert found == pytest.approx(trustworthiness(values, coordinates, k))
    assert quality.continuity(values, coordinates, k) == pytest.approx(trustworthiness(coordinates, values, k))
    assert 0 <= found <= 1
    assert quality.trustworthiness(values, coordinates, k, sample=n - 1) is None or n > 2 * k + 1


@given(st.integers(0, 2**32 - 1), st.integers(12, 30), st.floats(0.01, 100), st.floats(-100, 100))
def test_a_turned_mirrored_scaled_and_shifted_copy_keeps_every_neighbour(seed, n, scale, shift):
    values = distinct(seed, n, 3)
    turn = np.linalg.qr(distinct(seed + 1, 3, 3))[0]
    copy = scale * values @ turn + shift
    assert quality.trustworthiness(values, copy, 5) == quality.continuity(values, copy, 5) == 1
    assert kept(values, copy, np.arange(n)) == 1
    assert (shared_neighbours(values, copy, 5) == 1).all()


@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_neighbours_kept_are_the_shares_of_equal_sets(seed, n):
    values, coordinates = distinct(seed, n, 4), distinct(seed + 1, n, 2)
    k = min(10, n - 1)
    shares = [
        len(set(a[1 : k + 1]) & set(b[1 : k + 1])) / k
        for a, b in zip(nearest(values), nearest(coordinates), strict=True)
    ]
    assert kept(values, coordinates, np.arange(n)) == pytest.approx(np.mean(shares))
    found = shared_neighbours(values, coordinates, k)
    np.testing.assert_allclose(found, shares, atol=1e-6)


@given(points(), st.integers(1, 12), st.sampled_from(["euclidean", "manhattan"]))
def test_a_graph_holds_the_nearest_others_equal_ones_by_row(values, k, metric):
    exact = values.astype(np.float64)
    gaps = np.abs(exact[:, None] - exact[None])
    away = gaps.sum(axis=2) if metric == "manhattan" else np.sqrt(np.square(gaps).sum(axis=2))
    np.fill_diagonal(away, np.inf)
    found = graph(values, k, metric)
    k = min(k, len(values) - 1)
    expected = np.argsort(away, axis=1, kind="stable")[:, :k]
    np.testing.assert_allclose(found.distances, np.take_along_axis(away, expected, 1), rtol=1e-5, atol=1e-6)
    if (values == np.round(values)).all():  # else two may be equally far but for the last bit
        np.testing.assert_array_equal(found.rows, expected)


@given(st.integers(0, 2**32 - 1), st.integers(5, 40), st.integers(1, 4))
def test_outlier_factors_are_those_of_scikit_learn(seed, n, k):
    values = distinct(seed, n, 3)
    found = isolation(graph(values, k))
    theirs = -LocalOutlierFactor(n_neighbors=k).fit(values).negative_outlier_factor_
    np.testing.assert_allclose(found.lof, theirs, rtol=1e-4)
    away = np.sort(np.sqrt(np.square(values[:, None] - values[None]).sum(axis=2)), axis=1)[:, 1 : k + 1]
    np.testing.assert_allclose(found.knn_distance, away.mean(axis=1), rtol=1e-5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(3, 6), st.integers(1, 6))
def test_top_n_is_that_of_scikit_learn_and_grows_with_n(seed, n, classes, most):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(classes), n).astype(np.float32)
    y, most = random.integers(0, classes, n), min(most, classes - 1)
    right = classifier.top_correct(probabilities, y, most)
    expected = metrics.top_k_accuracy_score(y, probabilities, k=most, labels=range(classes))
    assert right.mean() == pytest.approx(expected)
    assert (right <= classifier.top_correct(probabilities, y, most + 1)).all()
    assert classifier.top_correct(probabilities, y, classes).all()
    assert not classifier.top_correct(probabilities, np.full(n, -1), classes).any()
