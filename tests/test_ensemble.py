"""Several clusterings combined, on cases that can be counted by hand."""

import numpy as np
import pytest

from core.ensemble import align, combine
from core.errors import ConfigError, DataError
from core.quality import trustworthiness

A = np.array([0, 0, 0, 1, 1, 2])


def test_members_that_agree_under_other_names_agree_wholly():
    found = combine([A, np.array([2, 2, 2, 0, 0, 1]), np.array([1, 1, 1, 2, 2, 0])])
    assert found.labels.tolist() == A.tolist()
    assert found.confidence.tolist() == [1.0] * 6
    assert found.agreement == pytest.approx(np.ones((3, 3)))


def test_confidence_is_the_share_that_agrees():
    odd = A.copy()
    odd[2] = 1
    found = combine([A, A, odd])
    assert found.labels.tolist() == A.tolist()
    assert found.confidence == pytest.approx([1, 1, 2 / 3, 1, 1, 1])


def test_an_odd_first_member_decides_nothing():
    assert combine([np.array([0, 1, 2, 0, 1, 2]), A, A]).labels.tolist() == A.tolist()


def test_more_clusters_than_the_reference_join_those_of_their_images():
    assert align(np.array([0, 1, 1, 2, 2, 3]), np.array([0, 0, 0, 1, 1, 1])).tolist() == [0, 0, 0, 1, 1, 1]
    assert combine([np.array([0, 0, 0, 1, 1, 1])] * 2 + [np.array([0, 1, 1, 2, 2, 3])]).k == 2


def test_what_cannot_be_combined_is_said():
    with pytest.raises(ConfigError, match="at least 2 runs"):
        combine([A])
    with pytest.raises(DataError, match=r"\[5, 6\] images"):
        combine([A, A[:5]])


def test_trustworthiness_of_an_affine_copy_is_one_and_of_noise_is_low():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 2))
    assert trustworthiness(values, 3 * values[:, ::-1] + 5) == 1.0
    assert trustworthiness(values, rng.normal(size=(300, 2))) < 0.7
    assert trustworthiness(values[:20], values[:20]) is None
    assert trustworthiness(values, values, sample=100) == 1.0
