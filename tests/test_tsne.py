"""t-SNE's forces against their definition and openTSNE's, and its maps against openTSNE's."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest

from core.config import TSNEConfig
from core.errors import ConfigError
from core.neighbours import Graph
from core.progress import Cancelled
from core.projection import tsne_descent, tsne_forces
from core.projection.tsne import neighbours, tsne

SHORT = TSNEConfig(perplexity=10, n_iter=150, early_exaggeration_iter=100)


def groups(n=200, d=6, k=4, seed=0):
    """k overlapping groups of points."""
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 1, (n, d)) + 3 * np.eye(k, d)[np.arange(n) % k]).astype(np.float32)


def affinities(values, perplexity=10):
    """openTSNE's symmetric affinities."""
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    graph = neighbours(values, perplexity, "euclidean")
    return PerplexityBasedNN(perplexity=perplexity, knn_index=PrecomputedNeighbors(graph.rows, graph.distances))


def repulsion(points):
    """Σ_j q² (y_i - y_j) and Σ q over pairs of (n, k), by numpy in float64."""
    apart = points[:, None].astype(np.float64) - points[None]
    q = 1 / (1 + np.square(apart).sum(axis=2))
    return (q[:, :, None] ** 2 * apart).sum(axis=1), q.sum() - len(points)


def divergence(p, points):
    """KL divergence of points (n, k) from the definition, in float64."""
    _, z = repulsion(points)
    dense = p.toarray()
    q = 1 / (1 + np.square(points[:, None].astype(np.float64) - points[None]).sum(axis=2)) / z
    kept = dense > 0
    return float((dense[kept] * np.log(dense[kept] / q[kept])).sum())


def test_two_points_a_step_apart_repel_each_other_by_a_quarter():
    points = np.array([[0.0, 1.0], [0.0, 0.0]], np.float32)  # q = 1 / (1 + 1)
    force, z = tsne_forces.all_pairs(points)
    np.testing.assert_allclose(force, [[-0.25, 0.25], [0, 0]], atol=1e-6)
    assert z == pytest.approx(1.0)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("extent", [0.01, 1.0, 12.0])
@pytest.mark.parametrize("threads", [1, 2])
def test_all_pairs_are_the_definition(k, extent, threads):
    points = np.random.default_rng(0).uniform(0, extent, (60, k)).astype(np.float32)
    force, z = tsne_forces.all_pairs(np.ascontiguousarray(points.T), threads)
    expected, total = repulsion(points)
    np.testing.assert_allclose(force.T, expected, rtol=2e-4, atol=2e-4 * np.abs(expected).max())
    assert z == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(("k", "error"), [(2, 0.02), (3, 0.05)])
@pytest.mark.parametrize("extent", [1.0, 25.0])
def test_the_grid_comes_close_to_all_pairs(k, error, extent, monkeypatch):
    monkeypatch.setattr(tsne_forces, "_PAIRS_PER_NODE", 0)
    points = np.random.default_rng(0).uniform(-extent / 2, extent / 2, (k, 2000)).astype(np.float32)
    repel = tsne_forces.Repulsion()
    force, z = repel(points)
    exact, total = tsne_forces.all_pairs(points)
    assert np.sqrt(np.square(force - exact).mean() / np.square(exact).mean()) < error
    assert z == pytest.approx(total, rel=2e-3)
    again, _ = repel(points + np.float32(3))  # nothing is left on the grid from before
    np.testing.assert_allclose(again, force, atol=error * np.abs(exact).max())


@pytest.mark.parametrize("k", [2, 3])
def test_the_gradient_is_the_slope_of_the_divergence_and_openTSNEs(k):
    from openTSNE.tsne import kl_divergence_bh

    values = groups(50)
    p = affinities(values, 5).P
    points = np.random.default_rng(1).normal(0, 2, (50, k)).astype(np.float32)
    descent = tsne_descent.Descent(p, points, 1)
    gradient = 4 * descent.gradient().T  # the descent leaves out the factor
    slopes = np.zeros((50, k))
    for i, a in np.ndindex(50, k):
        moved = points.astype(np.float64)
        moved[i, a] += 1e-4
        up = divergence(p, moved)
        moved[i, a] -= 2e-4
        slopes[i, a] = (up - divergence(p, moved)) / 2e-4
    np.testing.assert_allclose(gradient, slopes, atol=1e-5)
    _, theirs = kl_divergence_bh(points.astype(np.float64), p, dof=1, bh_params={"theta": 0.0}, n_jobs=1)
    np.testing.assert_allclose(gradient, 4 * np.asarray(theirs), atol=1e-5)
    assert descent.divergence() == pytest.approx(divergence(p, points), abs=1e-4)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_maps_are_as_good_as_openTSNEs(k):
    from openTSNE import TSNEEmbedding

    values = groups()
    given = affinities(values)
    ours, theirs = [], []
    for seed in range(3):  # each ends in an optimum of its own
        config = TSNEConfig(k, perplexity=10, n_iter=400, early_exaggeration_iter=150, init="random", seed=seed)
        coordinates, reported = tsne(values, config)
        assert coordinates.shape == (200, k) and coordinates.dtype == np.float32
        np.testing.assert_allclose(coordinates.mean(axis=0), 0, atol=1e-2)
        ours.append(divergence(given.P, coordinates))
        assert reported == pytest.approx(ours[-1], abs=1e-3)
        start = np.random.default_rng(seed).normal(0, 1e-4, (200, k))  # as ours starts
        other = TSNEEmbedding(start, given, negative_gradient_method="bh", random_state=0, n_jobs=1)
        theirs.append(divergence(given.P, np.asarray(other.optimize(150, exaggeration=12).optimize(400))))
    assert np.mean(ours) < np.mean(theirs) * (1.1 if k == 1 else 1.02)


def test_the_number_of_threads_changes_nothing():
    p = affinities(groups()).P
    maps = []
    for threads in (1, 2, 3):
        descent = tsne_descent.Descent(p, np.random.default_rng(0).normal(0, 1e-4, (200, 2)), threads)
        descent.run(60, 4.0, 20, lambda done, error, found: None)
        maps.append(descent.map)
    np.testing.assert_array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])


def test_images_that_coincide_get_a_finite_map():
    values = np.repeat(groups(40), 5, axis=0)
    coordinates, reported = tsne(values, SHORT)
    assert np.isfinite(coordinates).all() and math.isfinite(reported)
    assert np.isfinite(tsne(np.ones((50, 3), np.float32), SHORT)[0]).all()


def test_a_map_goes_on_from_the_one_on_screen():
    values = groups()
    graph = neighbours(values, 15, "euclidean")
    before, _ = tsne(values, SHORT, graph=graph)
    turned = before @ np.array([[0, 1], [-1, 0]], np.float32) + 5
    reports = []
    after, error = tsne(values, TSNEConfig(perplexity=12), reports.append, start=turned, graph=graph)
    _, least = tsne(values, TSNEConfig(perplexity=12))
    assert reports[-1].done == reports[-1].total == 60
    assert error < least * 1.05
    np.testing.assert_allclose(after.mean(axis=0), turned.mean(axis=0), atol=1e-3)
    moved = np.linalg.norm(after - turned, axis=1)
    assert np.median(moved) < 0.2 * np.ptp(turned)  # it lies where the start lies
    wide = np.linalg.norm(after - after.mean(axis=0), axis=1)
    assert error == pytest.approx(divergence(affinities(values, 12).P, after), abs=1e-3) and wide.max() > 1


def test_a_graph_that_is_wider_than_needed_gives_the_same_map():
    values = groups()
    np.testing.assert_array_equal(
        tsne(values, SHORT)[0], tsne(values, SHORT, graph=neighbours(values, 20, "euclidean"))[0]
    )


def test_a_start_or_a_graph_that_does_not_fit_is_refused():
    values = groups()
    narrow = neighbours(values, 5, "euclidean")
    with pytest.raises(ConfigError, match="needs 30 neighbours of each; the graph has shape"):
        tsne(values, SHORT, graph=narrow)
    with pytest.raises(ConfigError, match=r"shape \(10, 2\) does not fit a map of \(200, 2\)"):
        tsne(values, SHORT, start=np.zeros((10, 2)))
    with pytest.raises(ConfigError, match="needs 30"):
        tsne(values, SHORT, graph=Graph(narrow.rows[:10], narrow.distances[:10]))


@pytest.mark.parametrize("at", [20, 120])
def test_cancelling_passes_through_and_ends_the_threads(at):
    import threading

    before = threading.active_count()

    def stop(progress):
        if progress.done >= at:
            raise Cancelled

    with pytest.raises(Cancelled):
        tsne(groups(), SHORT, stop)
    assert threading.active_count() == before


def test_a_map_of_a_sample_comes_first_and_shows_all_images(monkeypatch):
    monkeypatch.setattr(sys.modules["core.projection.tsne"], "SAMPLE", 60)
    values, seen = groups(), []
    config = replace(SHORT, init="sample")
    found, error = tsne(values, config, seen.append)
    stages = list(dict.fromkeys(progress.stage for progress in seen))
    assert stages[-2:] == ["Finding neighbours", "t-SNE"] and "t-SNE of a sample" in stages[:-2]
    first = next(progress for progress in seen if progress.preview)
    assert first.stage == "t-SNE of a sample" and first.preview["coordinates"].shape == (200, 2)
    last = [progress for progress in seen if progress.stage == "t-SNE of a sample"][-1].preview["coordinates"]
    begun = next(progress for progress in seen if progress.stage == "t-SNE" and progress.preview).preview[
        "coordinates"
    ]
    turned = np.abs(np.corrcoef(last.T, begun.T)[:2, 2:])
    assert turned.max(axis=1).min() > 0.5  # the map grows out of it
    assert error < tsne(values, SHORT)[1] * 1.1
    np.testing.assert_array_equal(found, tsne(values, config)[0])


def test_a_small_set_is_its_own_sample():
    np.testing.assert_array_equal(
        tsne(groups(), replace(SHORT, init="sample"))[0].shape, tsne(groups(), SHORT)[0].shape
    )


def test_more_iterations_take_a_map_further_on():
    values = groups()
    before, _ = tsne(values, SHORT)
    errors = [tsne(values, TSNEConfig(perplexity=20), start=before, start_iter=count)[1] for count in (5, 60, 250)]
    assert errors == sorted(errors, reverse=True)
