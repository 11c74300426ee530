"""A cluster's card by hand."""

import numpy as np
import pytest

from core import cluster_cards
from core.errors import ConfigError

VALUES = np.array([[0.0], [50], [1], [2], [3], [100], [51]], np.float32)
CLUSTERS = np.array([0, 1, 0, 0, 0, 0, 1], np.int32)


def test_a_card_by_hand():
    latents = np.column_stack([VALUES[:, 0], -VALUES[:, 0]]).astype(np.float32)
    y = np.array([0, 1, 0, 2, -1, 2, 1])
    errors = np.array([0.1, 9, 0.2, 0.3, 0.4, 2.0, 9], np.float32)
    card = cluster_cards.cluster_card(0, CLUSTERS, VALUES, latents, y, 3, errors, count=2)
    assert (card.cluster, card.size, card.unlabelled) == (0, 5, 1)
    assert card.share == pytest.approx(5 / 7)
    # The mean is 21.2, nearest to it is 3 (row 4); but the distances to the others sum up to least from 2 (row 3).
    assert card.medoid == 3
    np.testing.assert_allclose(card.mean_latents, [21.2, -21.2], rtol=1e-6)
    assert (card.closest.tolist(), card.farthest.tolist()) == ([4, 3], [5, 0])
    assert card.rows.tolist() == [0, 2, 3, 4, 5]
    np.testing.assert_allclose(card.distances, [21.2, 20.2, 19.2, 18.2, 78.8], rtol=1e-6)
    assert card.label_counts.tolist() == [2, 0, 2]
    assert card.mean_error == pytest.approx(0.6) and card.median_error == pytest.approx(0.3)


def test_without_labels_and_errors_a_card_says_none():
    card = cluster_cards.cluster_card(1, CLUSTERS, VALUES, VALUES)
    assert (card.label_counts, card.unlabelled, card.mean_error, card.median_error) == (None, 0, None, None)
    assert (card.closest.tolist(), card.farthest.tolist(), card.medoid) == ([1, 6], [1, 6], 1)


def test_a_cluster_of_one_is_its_own_middle():
    card = cluster_cards.cluster_card(2, np.array([2, 0, 0]), VALUES[:3], VALUES[:3])
    assert (card.medoid, card.closest.tolist(), card.distances.tolist()) == (0, [0], [0])


def test_a_large_cluster_is_taken_in_parts(monkeypatch, rng):
    values = rng.normal(size=(300, 4)).astype(np.float32)
    rows = np.arange(300)
    everything = np.linalg.norm(values[:, None].astype(float) - values, axis=2).sum(axis=1).argmin()
    assert cluster_cards.cluster_card(0, np.zeros(300, int), values, values).medoid == everything
    monkeypatch.setattr(cluster_cards, "PART", 7)
    monkeypatch.setattr(cluster_cards, "ROWS", 11)
    card = cluster_cards.cluster_card(0, np.zeros(300, int), values, values)
    assert card.medoid == everything
    np.testing.assert_allclose(card.mean_latents, values.mean(axis=0), atol=1e-6)
    monkeypatch.setattr(cluster_cards, "CANDIDATES", 3)
    assert cluster_cards.medoid(values, rows) in rows[:3]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="Cluster 5 has no images"):
        cluster_cards.cluster_card(5, CLUSTERS, VALUES, VALUES)
    with pytest.raises(ConfigError, match="7 images are clustered, but there are labels of 3"):
        cluster_cards.cluster_card(0, CLUSTERS, VALUES, VALUES, np.zeros(3, int), 1)
