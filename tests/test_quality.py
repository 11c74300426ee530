"""Scores that can be worked out by hand."""

import numpy as np
import pytest

from core import quality

Y = np.array([0, 0, 0, 1, 1, 1])
SAME = np.array([1, 1, 1, 0, 0, 0], np.int32)  # the same groups under other numbers
ONE_OFF = np.array([1, 1, 0, 0, 0, 0], np.int32)


def test_equal_groups_score_1_whatever_their_numbers():
    assert quality.accuracy(SAME, Y) == quality.nmi(SAME, Y) == quality.ari(SAME, Y) == 1
    assert quality.agreement(SAME, Y).all()
    np.testing.assert_array_equal(quality.match(SAME, Y), [1, 0])


def test_one_image_in_the_wrong_cluster():
    assert quality.accuracy(ONE_OFF, Y) == pytest.approx(5 / 6)
    np.testing.assert_array_equal(quality.agreement(ONE_OFF, Y), [1, 1, 0, 1, 1, 1])
    # Pairs: together in both 1 + 3 = 4, in clusters 1 + 6 = 7, in classes 3 + 3 = 6, of 15.
    expected = 7 * 6 / 15
    assert quality.ari(ONE_OFF, Y) == pytest.approx((4 - expected) / ((7 + 6) / 2 - expected))


def test_one_cluster_tells_nothing():
    everything = np.zeros(6, np.int32)
    assert quality.nmi(everything, Y) == quality.ari(everything, Y) == 0
    assert quality.accuracy(everything, Y) == 0.5
    assert quality.silhouette(np.arange(6.0)[:, None], everything) is None


def test_more_clusters_than_classes_take_their_majority_but_do_not_raise_accuracy():
    clusters = np.array([0, 0, 1, 2, 2, 2], np.int32)
    np.testing.assert_array_equal(quality.match(clusters, Y), [0, 0, 1])
    assert quality.accuracy(clusters, Y) == pytest.approx(5 / 6)
    assert quality.agreement(clusters, Y).all()


def test_pairing_is_the_best_one_to_one():
    # Class 0 is largest in both clusters; each class can stand for one cluster only.
    y = np.array([0, 0, 0, 0, 0, 1, 1])
    clusters = np.array([0, 0, 0, 1, 1, 1, 1], np.int32)
    np.testing.assert_array_equal(quality.match(clusters, y), [0, 1])


def test_silhouette_by_hand():
    values = np.array([[0.0], [1.0], [10.0], [11.0]])
    clusters = np.array([0, 0, 1, 1], np.int32)
    # a = 1 for all; b = 10.5 for the outer and 9.5 for the inner points.
    assert quality.silhouette(values, clusters) == pytest.approx((2 * (9.5 / 10.5) + 2 * (8.5 / 9.5)) / 4)


def test_silhouette_of_a_sample_is_near_that_of_all():
    rng = np.random.default_rng(0)
    clusters = (np.arange(3000) % 2).astype(np.int32)
    values = rng.normal(0, 1, (3000, 2)) + 6 * clusters[:, None]
    assert quality.silhouette(values, clusters, sample=500) == pytest.approx(
        quality.silhouette(values, clusters, 3000), abs=0.03
    )


def test_scores_leave_out_what_cannot_be_known():
    found = quality.score(SAME, None, np.arange(6.0)[:, None], None, None, None)
    assert (found.n, found.k) == (6, 2)
    assert found.accuracy is found.nmi is found.ari is found.kl_divergence is found.reconstruction_error is None
    full = quality.score(SAME, Y, np.arange(6.0)[:, None], np.array([0.5, 0.25]), 1.5, np.full(6, 0.2))
    assert full.explained_variance == pytest.approx(0.75)
    assert (full.kl_divergence, full.reconstruction_error) == (1.5, pytest.approx(0.2))


def test_every_score_is_explained():
    from dataclasses import fields

    assert {item.name for item in fields(quality.Scores)} <= set(quality.EXPLANATIONS)
