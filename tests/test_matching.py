"""Clusters against labels, on tables small enough to work out by hand."""

import math

import numpy as np
import pytest

from core import quality
from core.arrangement import arrange
from core.errors import DataError
from core.matching import agree, completeness, contingency, homogeneity, one_to_one, purity, v_measure

# Clusters are rows: 0 holds mostly class 1, 1 mostly class 0, 2 is left over and holds class 0.
TABLE = np.array([[1, 4], [3, 0], [2, 0]])


def images_of(table):
    """Cluster and class of each image of a table of counts; its last row and column are -1."""
    table = np.asarray(table)
    rows, columns = np.indices(table.shape)
    return tuple(np.repeat(part.ravel(), table.ravel()) for part in (rows, columns))


def test_one_to_one_and_majority_by_hand():
    found = agree(*images_of(TABLE), 3, 2)
    np.testing.assert_array_equal(found.one_to_one.of_cluster, [1, 0, -1])
    np.testing.assert_array_equal(found.majority.of_cluster, [1, 0, 0])
    assert (found.one_to_one.right, found.majority.right) == (7, 9)
    assert found.one_to_one.accuracy == pytest.approx(7 / 10)
    assert found.majority.accuracy == found.purity == pytest.approx(9 / 10)
    # Class 0: 6 images. One to one 3 of 3 in cluster 1 are of it; by majority 5 of 5 in clusters 1 and 2.
    # Class 1: 4 images, and 4 of the 5 in cluster 0 are of it.
    np.testing.assert_allclose(found.one_to_one.precision, [1, 4 / 5])
    np.testing.assert_allclose(found.one_to_one.recall, [3 / 6, 1])
    np.testing.assert_allclose(found.one_to_one.f1, [2 * 3 / (3 + 6), 2 * 4 / (5 + 4)])
    np.testing.assert_allclose(found.majority.precision, [1, 4 / 5])
    np.testing.assert_allclose(found.majority.recall, [5 / 6, 1])
    np.testing.assert_allclose(found.majority.f1, [2 * 5 / (5 + 6), 8 / 9])
    np.testing.assert_array_equal(found.support, [6, 4])


def test_one_to_one_is_the_best_pairing_and_not_the_greedy_one():
    table = np.array([[5, 4], [4, 0]])
    np.testing.assert_array_equal(one_to_one(table), [1, 0])  # 4 + 4 beats 5 + 0
    found = agree(*images_of(table), 2, 2)
    np.testing.assert_array_equal(found.majority.of_cluster, [0, 0])
    assert (found.one_to_one.right, found.majority.right) == (8, 9)
    assert np.isnan(found.majority.precision[1]) and found.majority.recall[1] == found.majority.f1[1] == 0


def test_entropies_by_hand():
    def h(*p):
        return -sum(q * math.log(q) for q in p if q)

    # H(class) of 6 and 4; only cluster 0 (half of all) is mixed. H(cluster) of 5, 3, 2.
    hom = 1 - 0.5 * h(0.2, 0.8) / h(0.6, 0.4)
    com = 1 - 0.6 * h(1 / 6, 3 / 6, 2 / 6) / h(0.5, 0.3, 0.2)
    assert homogeneity(TABLE) == pytest.approx(hom)
    assert completeness(TABLE) == pytest.approx(com)
    assert v_measure(TABLE) == pytest.approx(2 * hom * com / (hom + com))
    assert purity(TABLE, 10) == pytest.approx((4 + 3 + 2) / 10)
    found = agree(*images_of(TABLE), 3, 2)
    mutual = h(0.6, 0.4) - 0.5 * h(0.2, 0.8)
    assert found.nmi == pytest.approx(mutual / ((h(0.6, 0.4) + h(0.5, 0.3, 0.2)) / 2))
    assert found.v_measure == pytest.approx(found.nmi)
    # Pairs: together in both 6 + 3 + 1 = 10, in clusters 10 + 3 + 1 = 14, in classes 15 + 6 = 21, of 45.
    expected = 14 * 21 / 45
    assert found.ari == pytest.approx((10 - expected) / ((14 + 21) / 2 - expected))


def test_scores_are_those_of_scikit_learn():
    from sklearn import metrics

    rng = np.random.default_rng(0)
    labels, y = rng.integers(0, 7, 300), rng.integers(0, 5, 300)
    y[:200] = labels[:200] % 5
    found = agree(labels, y, 7, 5)
    expected = metrics.homogeneity_completeness_v_measure(y, labels)
    np.testing.assert_allclose((found.homogeneity, found.completeness, found.v_measure), expected)
    assert found.one_to_one.accuracy == pytest.approx(quality.accuracy(labels, y))
    predicted = found.majority.of_cluster[labels]
    p, r, f, _ = metrics.precision_recall_fscore_support(y, predicted, labels=range(5), zero_division=np.nan)
    np.testing.assert_allclose(found.majority.precision, p)
    np.testing.assert_allclose(found.majority.recall, r)
    np.testing.assert_allclose(found.majority.f1, f)


def test_equal_groups_agree_in_every_score():
    found = agree(*images_of([[0, 3], [5, 0]]), 2, 2)
    for name in ("nmi", "ari", "homogeneity", "completeness", "v_measure", "purity"):
        assert getattr(found, name) == pytest.approx(1)
    assert found.one_to_one.accuracy == found.majority.accuracy == 1


def test_one_cluster_or_one_class_only():
    one_cluster, one_class = agree(*images_of([[3, 1]]), 1, 2), agree(*images_of([[3], [1]]), 2, 1)
    assert (one_cluster.homogeneity, one_cluster.completeness, one_cluster.v_measure) == (0, 1, 0)
    assert (one_class.homogeneity, one_class.completeness, one_class.v_measure) == (1, 0, 0)
    assert one_cluster.one_to_one.accuracy == 3 / 4
    assert (one_class.one_to_one.accuracy, one_class.majority.accuracy) == (3 / 4, 1)
    np.testing.assert_array_equal(one_class.one_to_one.of_cluster, [0, -1])


def test_noise_counts_as_wrong_and_images_without_a_label_nowhere():
    labels = np.array([0, 0, 0, 1, 1, -1, -1, 0, -1])
    y = np.array([0, 0, 0, 1, 1, 0, 1, -1, -1])
    found = agree(labels, y, 2, 2)
    np.testing.assert_array_equal(found.counts, [[3, 0, 1], [0, 2, 0], [1, 1, 1]])
    assert found.one_to_one.accuracy == found.majority.accuracy == found.purity == pytest.approx(5 / 7)
    np.testing.assert_allclose(found.one_to_one.recall, [3 / 4, 2 / 3])
    np.testing.assert_allclose(found.one_to_one.precision, [1, 1])
    assert found.nmi == found.ari == found.homogeneity == found.completeness == 1
    only_noise = agree(np.array([-1, -1]), np.array([0, 1]), 2, 2)
    assert only_noise.nmi is None and only_noise.purity == only_noise.one_to_one.accuracy == 0
    np.testing.assert_array_equal(only_noise.majority.of_cluster, [-1, -1])


@pytest.mark.parametrize(
    ("labels", "y", "words"),
    [
        ([0, 1], [0], "2 clusters cannot be compared with 1 labels"),
        ([0, 3], [0, 1], "Cluster numbers 0 to 3 must lie in -1 to 1"),
        ([0, 1], [0, -2], "Label numbers -2 to 0 must lie in -1 to 1"),
        ([0, 1], [-1, -1], "No image has a label"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(labels, y, words):
    with pytest.raises(DataError, match=words):
        agree(np.array(labels), np.array(y), 2, 2)


def test_every_image_is_in_one_cell():
    labels, y = images_of(TABLE)
    np.testing.assert_array_equal(contingency(labels, y, 3, 2)[:3, :2], TABLE)


def test_matches_lie_on_the_diagonal_and_what_is_unmatched_comes_last():
    table = np.array([[0, 1, 0, 9], [8, 2, 0, 0], [0, 0, 0, 4], [0, 7, 0, 1]])
    found = agree(*images_of(table), 4, 4)
    laid = arrange(found)
    assert laid.rows.tolist() == [1, 3, 0, 2]  # of classes 0, 1, 3; cluster 2 is left over
    assert laid.columns.tolist() == [0, 1, 3]  # class 2 has no image
    shown = found.counts[np.ix_(laid.rows, laid.columns)]
    np.testing.assert_array_equal(np.diag(shown), [8, 7, 9])
    assert (laid.clusters_left_out, laid.classes_left_out, laid.images_left_out) == (0, 0, 0)


def test_noise_and_images_without_a_label_have_the_last_row_and_column():
    found = agree(np.array([0, 1, -1, 1]), np.array([1, 0, 0, -1]), 2, 2)
    laid = arrange(found)
    assert (laid.rows.tolist(), laid.columns.tolist()) == ([1, 0, 2], [0, 1, 2])


def test_of_too_many_the_largest_are_shown_and_the_rest_is_counted():
    sizes = np.array([3, 9, 1, 7, 5])
    found = agree(*images_of(np.diag(sizes)), 5, 5)
    laid = arrange(found, limit=3)
    assert (laid.rows.tolist(), laid.columns.tolist()) == ([1, 3, 4], [1, 3, 4])
    assert (laid.clusters_left_out, laid.classes_left_out, laid.images_left_out) == (2, 2, 4)
    few_classes = agree(*images_of(np.array([[2, 1], [0, 5], [4, 0]])), 3, 2)
    laid = arrange(few_classes, limit=2)
    assert (laid.rows.tolist(), laid.columns.tolist(), laid.images_left_out) == ([2, 1], [0, 1], 3)
