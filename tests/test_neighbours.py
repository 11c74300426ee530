"""Nearest images, against scikit-learn and by hand."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import made_up
import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from core import analyses, neighbours, pipeline, stages
from core.config import ReductionConfig, TSNEConfig, UMAPConfig
from core.errors import ConfigError
from core.evidence import SuspectConfig
from core.progress import Cancelled

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


def test_a_point_of_another_length_is_refused():
    with pytest.raises(ConfigError, match="needs 1 numbers; it has 2"):
        neighbours.distances(np.zeros((3, 1), np.float32), np.zeros(2))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_graph_holds_each_images_nearest_others(metric, monkeypatch):
    monkeypatch.setattr(neighbours, "QUERIES", 77)
    seen = []
    found = neighbours.graph(LATENTS, 5, metric, seen.append)
    every = pairwise_distances(LATENTS.astype(np.float64), metric=metric)
    np.fill_diagonal(every, np.inf)
    np.testing.assert_array_equal(found.rows, np.argsort(every, axis=1)[:, :5])
    np.testing.assert_allclose(found.distances, np.sort(every, axis=1)[:, :5], rtol=1e-4)
    assert [progress.done for progress in seen] == [0, 77, 154, 231, 308, 385, 462, 500]


def test_in_a_graph_equal_images_are_neighbours_and_no_image_is_its_own():
    same = np.zeros((6, 2), np.float32)
    found = neighbours.graph(same, 9)
    assert (found.k, found.distances.max()) == (5, 0)
    assert not (found.rows == np.arange(6)[:, None]).any()
    crowd = neighbours.graph(np.zeros((50, 2), np.float32), 3)
    assert not (crowd.rows == np.arange(50)[:, None]).any()
    with pytest.raises(ConfigError, match="k = 0 and 6"):
        neighbours.graph(same, 0)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_a_wider_search_finds_the_same_nearest_first_even_of_many_that_are_equally_far(metric):
    grid = np.stack(np.meshgrid(np.arange(12), np.arange(12)), axis=2).reshape(-1, 2).astype(np.float32)  # many ties
    values = np.concatenate([grid, grid[:40]])
    narrow, wide = (neighbours.search(values, k, metric) for k in (7, 90))
    np.testing.assert_array_equal(narrow.rows, wide.first(7).rows)
    np.testing.assert_array_equal(narrow.distances, wide.first(7).distances)
    assert narrow.distances.dtype == np.float64


def test_of_equally_far_images_the_first_rows_count():
    line = np.array([[0.0], [1.0], [-1.0], [1.0], [-1.0], [9.0]])
    assert neighbours.search(line, 2, "euclidean").rows[0].tolist() == [1, 2]
    assert neighbours.search(line[::-1], 3, "euclidean").rows[5].tolist() == [1, 2, 3]


def test_a_zero_vector_is_half_a_cosine_away_from_others():
    found = neighbours.search(np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0], [5.0, 0.0]]), 3, "cosine")
    assert found.rows[0].tolist() == [2, 1, 3]
    np.testing.assert_allclose(found.distances[0], [0, 0.5, 0.5])


def test_a_search_stops_between_two_chunks(monkeypatch):
    monkeypatch.setattr(neighbours, "QUERIES", 100)
    seen = []

    def stop(progress):
        seen.append(progress)
        if progress.done >= 200:
            raise Cancelled

    with pytest.raises(Cancelled):
        neighbours.search(LATENTS, 5, "euclidean", stop)
    assert [p.done for p in seen] == [0, 100, 200]
    assert seen[-1].stage == "Finding neighbours" and seen[-1].seconds_left is not None


def test_above_the_limit_neighbours_are_those_of_nn_descent_without_the_image_itself(monkeypatch):
    class Found:
        """Three points, of which the first finds its equal before itself and the last not itself."""

        def __init__(self, values, metric, **settings):
            assert (values.dtype, metric, settings["n_neighbors"]) == (np.float32, "cosine", 3)
            self.neighbor_graph = (
                np.array([[1, 0, 2], [1, 0, 2], [0, 1, 1]], np.int32),
                np.array([[0, 0, 5], [0, 0, 5], [5, 5, 6]], np.float32),
            )

    monkeypatch.setattr(neighbours, "EXACT_UP_TO", 2)
    monkeypatch.setitem(sys.modules, "pynndescent", SimpleNamespace(NNDescent=Found))  # the library compiles for long
    found = neighbours.search(np.zeros((3, 2)), 2, "cosine")
    assert found.rows.tolist() == [[1, 2], [0, 2], [0, 1]]
    assert found.distances.tolist() == [[0, 5], [0, 5], [5, 5]]


@pytest.fixture
def searches(monkeypatch):
    """The k of every search."""
    asked = []

    def search(values, k, metric, callback):
        asked.append(k)
        return neighbours.search(values, k, metric, callback)

    monkeypatch.setattr(stages, "search", search)
    return asked


def test_maps_and_suspects_of_the_same_latents_share_one_search(store, tmp_path, searches):
    plan = replace(made_up.plan(made_up.write(tmp_path, n=120)), reduction=ReductionConfig())
    pipeline.run(store, replace(plan, projection=TSNEConfig(perplexity=30, n_iter=5, early_exaggeration_iter=5)))
    pipeline.run(store, replace(plan, projection=UMAPConfig()))
    analyses.analyse(store, plan, SuspectConfig())
    assert searches == [90]
    pipeline.run(store, replace(plan, projection=UMAPConfig(metric="cosine")))
    assert searches == [90, 90]


def test_the_narrowest_graph_that_is_wide_enough_is_taken(store, searches):
    values = np.random.default_rng(0).normal(size=(700, 3)).astype(np.float32)
    widths = [stages.neighbours(store, "these", values, k, "euclidean").k for k in (91, 14, 300, 301, 650)]
    assert widths == [300, 300, 300, 600, 699]
    assert searches == [300, 600, 699]
    assert stages.neighbours(store, "others", values[:50], 14, "euclidean").k == 49


def test_a_map_from_a_wider_graph_is_the_same():
    values = made_up.blobs(n=400)[0].reshape(400, -1).astype(np.float32)
    config = TSNEConfig(perplexity=20, n_iter=20, early_exaggeration_iter=20)
    narrow, wide = (neighbours.search(values, k, "euclidean") for k in (60, 300))
    maps = [stages.project(values, config, graph=lambda k, metric, callback, g=g: g) for g in (narrow, wide)]
    np.testing.assert_array_equal(maps[0].coordinates, maps[1].coordinates)


def test_of_a_sample_each_image_lies_on_itself_and_others_between_the_nearest():
    values = np.arange(40, dtype=np.float32)[:, None]
    rows, spread = neighbours.interpolation(values, 12, "euclidean", seed=3)
    assert len(set(rows)) == 12 and (np.diff(rows) > 0).all()
    placed = spread(np.stack([values[rows, 0], -values[rows, 0]], axis=1))
    assert placed.shape == (40, 2) and placed.dtype == np.float32
    np.testing.assert_allclose(placed[rows, 0], rows, atol=1e-4)
    np.testing.assert_allclose(placed[:, 0], -placed[:, 1])
    other = np.setdiff1d(np.arange(40), rows)[5]
    near = rows[np.argsort(np.abs(rows - other), kind="stable")[:3]]
    away = np.abs(near - other)
    assert placed[other, 0] == pytest.approx((near / away).sum() / (1 / away).sum(), rel=1e-4)
