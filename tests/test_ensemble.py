"""Consensus of clusterings that can be worked out by hand."""

import numpy as np
import pytest

from core import ensemble
from core.errors import ConfigError, DataError

A = np.array([0, 0, 0, 1, 1, 2], np.int32)
RENAMED = np.array([2, 2, 2, 0, 0, 1], np.int32)  # the same groups under other numbers


def test_equal_groups_agree_whatever_their_numbers():
    found = ensemble.combine([A, RENAMED, A])
    np.testing.assert_array_equal(found.labels, A)
    np.testing.assert_array_equal(found.confidence, np.ones(6))
    np.testing.assert_array_equal(found.agreement, np.ones((3, 3)))
    assert (found.k, found.labels.dtype, found.confidence.dtype) == (3, np.int32, np.float32)


def test_the_vote_goes_against_one_that_differs():
    other = np.array([0, 0, 1, 1, 1, 2], np.int32)
    found = ensemble.combine([other, A, RENAMED])
    np.testing.assert_array_equal(found.labels, A)
    np.testing.assert_allclose(found.confidence, [1, 1, 2 / 3, 1, 1, 1])
    # Pairs together: 4 in both; A and `other` have 4 each, 2 of them in common; 15 pairs.
    expected = 4 * 4 / 15
    assert found.agreement[0, 1] == pytest.approx((2 - expected) / (4 - expected))
    np.testing.assert_array_equal(found.agreement, found.agreement.T)
    np.testing.assert_array_equal(np.diag(found.agreement), np.ones(3))


def test_a_tie_keeps_the_label_of_the_reference():
    other = np.array([0, 0, 1, 1, 1, 1], np.int32)
    first = np.array([0, 0, 0, 1, 1, 1], np.int32)
    found = ensemble.combine([first, other])
    np.testing.assert_array_equal(found.labels, first)
    np.testing.assert_array_equal(found.confidence, [1, 1, 0.5, 1, 1, 1])


def test_clusters_are_numbered_by_falling_size():
    found = ensemble.combine([np.array([0, 1, 1, 1])] * 2)
    np.testing.assert_array_equal(found.labels, [1, 0, 0, 0])


def test_clusters_left_over_join_the_one_of_most_of_their_images():
    finer = np.array([0, 0, 3, 1, 1, 2], np.int32)
    np.testing.assert_array_equal(ensemble.align(finer, A), A)
    found = ensemble.combine([finer, A, RENAMED])  # two of three have 3 clusters
    assert found.k == 3
    np.testing.assert_array_equal(found.confidence, np.ones(6))


def test_of_equally_common_numbers_of_clusters_the_smaller_is_taken():
    assert ensemble.combine([np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1])]).k == 2


def test_a_member_with_fewer_clusters_votes_too():
    coarse = np.array([0, 0, 0, 1, 1, 1], np.int32)
    found = ensemble.combine([A, RENAMED, coarse])
    np.testing.assert_array_equal(found.labels, A)
    np.testing.assert_allclose(found.confidence, [1, 1, 1, 1, 1, 2 / 3])


def test_noise_is_voted_for_as_a_cluster_is():
    first = np.array([0, 0, 0, 1, 1, -1], np.int32)
    second = np.array([1, 1, -1, 0, 0, -1], np.int32)  # the same groups under other numbers, one image more is noise
    third = np.array([0, 0, 0, 1, -1, 1], np.int32)
    found = ensemble.combine([first, second, third])
    np.testing.assert_array_equal(found.labels, first)
    np.testing.assert_allclose(found.confidence, [1, 1, 2 / 3, 1, 2 / 3, 2 / 3])
    assert found.k == 2
    assert found.agreement[0, 0] == 1 > found.agreement[0, 1]


def test_clusters_of_what_is_noise_elsewhere_become_noise():
    reference = np.array([0, 0, 0, -1, -1, -1], np.int32)
    np.testing.assert_array_equal(ensemble.align(np.array([1, 1, 1, 0, 0, 0]), reference), reference)
    np.testing.assert_array_equal(ensemble.align(np.array([0, 0, -1, 0, -1, -1]), reference), [0, 0, -1, 0, -1, -1])
    np.testing.assert_array_equal(ensemble.align(np.full(6, -1), reference), np.full(6, -1))
    np.testing.assert_array_equal(ensemble.align(A, np.full(6, -1)), np.full(6, -1))


def test_noisy_copies_vote_the_noise_away(rng):
    truth = np.repeat(np.arange(4), 50)
    members = []
    for _ in range(9):
        noisy = np.where(rng.random(200) < 0.2, rng.integers(0, 4, 200), truth)
        members.append(rng.permutation(4)[noisy])
    found = ensemble.combine(members)
    wrong = ensemble.align(found.labels, truth) != truth
    assert wrong.mean() < 0.02 < min((ensemble.align(member, truth) != truth).mean() for member in members)
    assert 0 < found.confidence.min() < found.confidence.max() <= 1
    np.testing.assert_array_equal(found.labels, ensemble.combine(members).labels)


def test_what_cannot_be_combined():
    for members in ([], [A]):
        with pytest.raises(ConfigError, match=f"at least 2 runs; here is {len(members)}"):
            ensemble.combine(members)
    with pytest.raises(DataError, match=r"runs are of \[5, 6\] images"):
        ensemble.combine([A, A[:5]])
    with pytest.raises(DataError, match="numbered from 0"):
        ensemble.combine([A, A - 2])
    with pytest.raises(ConfigError, match="nothing but noise"):
        ensemble.combine([np.full(6, -1), np.full(6, -1)])
    with pytest.raises(DataError):
        ensemble.combine([A[:0], A[:0]])
