"""Nearest images, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from core import neighbours
from core.errors import ConfigError

LATENTS = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("rows", [20_000, 77])
def test_the_nearest_are_those_of_all_pairs(metric, rows, monkeypatch):
    monkeypatch.setattr(neighbours, "ROWS", rows)
    found = neighbours.nearest(LATENTS, LATENTS[7], 12, metric, without=np.array([7]))
    every = pairwise_distances(LATENTS[7:8].astype(np.float64), LATENTS.astype(np.float64), metric)[0]
    every[7] = np.inf
    assert found.rows.tolist() == np.argsort(every)[:12].tolist()
    np.testing.assert_allclose(found.distances, np.sort(every)[:12], rtol=1e-5)


def test_ties_go_to_the_first_rows_and_there_are_no_more_than_there_are():
    same = np.zeros((5, 2), np.float32)
    assert neighbours.nearest(same, same[0], 3).rows.tolist() == [0, 1, 2]
    assert neighbours.nearest(same, same[0], 9, without=np.array([1])).rows.tolist() == [0, 2, 3, 4]
    np.testing.assert_array_equal(neighbours.distances(same, same[0], "cosine"), 1)


def test_a_point_is_placed_between_its_nearest_and_an_image_on_itself():
    latents = np.array([[0.0], [4.0], [100.0]], np.float32)
    at = np.array([[0, 0], [8, 8], [50, 0]], np.float32)
    np.testing.assert_allclose(neighbours.placed(latents, at, np.array([1.0]), k=2), [2, 2])
    np.testing.assert_array_equal(neighbours.placed(latents, at, latents[1]), [8, 8])
    with pytest.raises(ConfigError, match="needs 1 numbers; it has 2"):
        neighbours.distances(latents, np.zeros(2))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_graph_holds_each_images_nearest_others(metric, monkeypatch):
    monkeypatch.setattr(neighbours, "QUERIES", 77)
    seen = []
    found = neighbours.graph(LATENTS, 5, metric, seen.append)
    every = pairwise_distances(LATENTS.astype(np.float64), metric=metric)
    np.fill_diagonal(every, np.inf)
    np.testing.assert_array_equal(found.rows, np.argsort(every, axis=1)[:, :5])
    np.testing.assert_allclose(found.distances, np.sort(every, axis=1)[:, :5], rtol=1e-4)
    assert [progress.done for progress in seen] == [77, 154, 231, 308, 385, 462, 500]


def test_in_a_graph_equal_images_are_neighbours_and_no_image_is_its_own():
    same = np.zeros((6, 2), np.float32)
    found = neighbours.graph(same, 9)
    assert (found.k, found.distances.max()) == (5, 0)
    assert not (found.rows == np.arange(6)[:, None]).any()
    crowd = neighbours.graph(np.zeros((50, 2), np.float32), 3)
    assert not (crowd.rows == np.arange(50)[:, None]).any()
    with pytest.raises(ConfigError, match="k = 0 and 6"):
        neighbours.graph(same, 0)
