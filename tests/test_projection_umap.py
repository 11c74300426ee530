"""UMAP: neighbourhoods kept, the same map for a seed, its graph and start by hand."""

import math
import sys

import numpy as np
import pytest

from core.config import UMAPConfig
from core.errors import ConfigError
from core.progress import Cancelled
from core.projection import project, umap_layout
from core.projection.umap_graph import first_map, spectral, union, weights
from tests.test_projection import apart, blobs


@pytest.mark.parametrize("dimensions", [2, 3])
def test_umap_keeps_groups_together_and_repeats_itself(dimensions):
    values, y = blobs()
    config = UMAPConfig(dimensions, n_neighbors=8)
    first, second = project(values, config), project(values, config)
    assert first.coordinates.shape == (60, dimensions)
    assert first.coordinates.dtype == np.float32
    assert apart(first.coordinates, y)
    np.testing.assert_array_equal(first.coordinates, second.coordinates)


def test_another_seed_gives_another_map():
    first, second = (project(blobs()[0], UMAPConfig(2, n_neighbors=8, seed=seed)) for seed in (0, 1))
    assert not np.array_equal(first.coordinates, second.coordinates)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_neighbours_on_the_map_are_neighbours_in_the_data(rng, metric):
    from sklearn.manifold import trustworthiness

    turns = rng.uniform(0, 2 * np.pi, 400)
    values = np.stack([np.cos(turns), np.sin(turns), rng.normal(0, 0.05, 400)], axis=1)  # a noisy circle
    found = project(values, UMAPConfig(2, metric=metric)).coordinates
    assert trustworthiness(values, found, n_neighbors=15) > 0.95
    shuffled = found[rng.permutation(400)]
    assert trustworthiness(values, shuffled, n_neighbors=15) < 0.6


def test_images_that_are_all_equal_still_get_a_map():
    found = project(np.ones((30, 4), np.float32), UMAPConfig(3, n_neighbors=5)).coordinates
    assert np.isfinite(found).all()


@pytest.mark.parametrize("n", [3, 4, 16, 17])
def test_the_smallest_sets_get_a_map(rng, n):
    found = project(rng.normal(size=(n, 5)), UMAPConfig(3, n_neighbors=2)).coordinates
    assert found.shape == (n, 3)
    assert np.isfinite(found).all()


def test_umap_needs_more_images_than_neighbours():
    with pytest.raises(ConfigError, match="n_neighbors 60 needs at least 61 images; this set has 60"):
        project(blobs()[0], UMAPConfig(2, n_neighbors=60))


@pytest.mark.parametrize("reports", [0, 1, 2, 3])
def test_umap_stops_when_asked(reports):
    seen = []

    def stop(progress):
        if len(seen) == reports:
            raise Cancelled
        seen.append(progress)

    with pytest.raises(Cancelled):
        project(blobs()[0], UMAPConfig(2, n_neighbors=8), stop)
    assert len(seen) == reports


def test_the_map_is_shown_while_it_forms_and_shown_maps_stay_as_they_were():
    seen = []
    final = project(blobs()[0], UMAPConfig(3, n_neighbors=8), seen.append).coordinates
    previews = [progress.preview["coordinates"] for progress in seen if progress.preview]
    assert all(preview.shape == (60, 3) for preview in previews)
    assert len(previews) >= 2
    assert not np.array_equal(previews[0], final)
    np.testing.assert_array_equal(previews[-1], final)


def test_weights_sum_to_log2_and_the_nearest_weighs_one():
    distances = np.array([[1.0, 2.0, 3.0], [0.5, 0.5, 4.0]])
    found = weights(distances)
    np.testing.assert_allclose(found.sum(axis=1), [2, 2], atol=1e-6)  # log2(3 + 1)
    assert found[0, 0] == 1
    # 1 + q + q² = 2: q is the golden ratio less one.
    np.testing.assert_allclose(found[0, 1:], [(math.sqrt(5) - 1) / 2, ((math.sqrt(5) - 1) / 2) ** 2], atol=1e-6)
    np.testing.assert_allclose(found[1], [1, 1, 0], atol=1e-6)


def test_the_union_of_two_views_is_p_plus_q_less_both():
    rows = np.array([[1], [0], [0]])
    found = union(rows, np.array([[0.5], [0.8], [0.25]])).toarray()
    expected = [[0, 0.5 + 0.8 - 0.4, 0.25], [0.9, 0, 0], [0.25, 0, 0]]
    np.testing.assert_allclose(found, expected)


def test_the_start_of_a_path_is_its_known_waves():
    from scipy.sparse import csr_array

    n = 40
    path = csr_array(np.eye(n, k=1) + np.eye(n, k=-1))
    found = spectral(path, 2, 0)
    degrees = np.r_[1, np.full(n - 2, 2), 1]
    for axis in (0, 1):  # eigenvectors √degree · cos(π j i / (n - 1))
        wave = np.sqrt(degrees) * np.cos(np.pi * (axis + 1) * np.arange(n) / (n - 1))
        assert abs(found[:, axis] @ wave / np.linalg.norm(wave)) == pytest.approx(1, abs=1e-4)


def test_a_graph_in_two_pieces_has_no_spectral_start():
    rows = np.array([[(i + 1) % 20 + 20 * half] for half in (0, 1) for i in range(20)])
    assert spectral(union(rows, np.ones((40, 1))), 2, 0) is None


def test_a_first_map_is_ten_wide_and_missing_axes_are_noise():
    found = first_map(np.linspace(0, 1, 50)[:, None], 3, 0)
    assert found[:, 0].min() == pytest.approx(0, abs=1e-3)
    assert found[:, 0].max() == pytest.approx(10, abs=1e-3)
    assert 0 < np.ptp(found[:, 1]) < 0.01
    assert (found[:, 3] == 0).all()


def test_the_curve_is_the_known_one_of_a_tenth():
    assert umap_layout.curve(0.1) == pytest.approx((1.577, 0.895), abs=1e-3)


def test_coefficients_are_close_to_their_formulas():
    a, b = 1.577, 0.895
    attraction, repulsion = umap_layout.tables(a, b)
    for square in (1e-6, 0.01, 1.0, 7.3, 400.0):
        place = int(np.float32(square).view(np.int32)) >> 17
        assert attraction[place] == pytest.approx(-2 * a * b * square ** (b - 1) / (1 + a * square**b), rel=0.02)
        assert repulsion[place] == pytest.approx(2 * b / ((0.001 + square) * (1 + a * square**b)), rel=0.03)
    assert attraction[0] == repulsion[0] == 0


def test_without_a_folder_for_its_cache_the_layout_is_compiled_all_the_same(monkeypatch):
    import numba

    real = numba.njit

    def no_folder(*args, **options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(*args, **options)

    monkeypatch.setattr(numba, "njit", no_folder)
    points = np.zeros((2, 4), np.float32)
    points[1, 0] = 1
    edges = np.array([0, 1, 2], np.int32), np.array([1, 0], np.int32), np.ones(2, np.float32)
    zeros = np.zeros(1 << 14, np.float32)
    pull = np.full(1 << 14, -0.5, np.float32)
    umap_layout.epoch_kernel()(points, *edges, pull, zeros, np.float32(0.5), 0, umap_layout.generator(0))
    # Each of the two edges moves both ends by a quarter of the way between them: 1 → 1/2 → 1/4.
    np.testing.assert_allclose(points[:, 0], [0.375, 0.625])


def test_of_many_images_a_map_of_a_sample_is_shown_first_and_changes_nothing(monkeypatch):
    values = np.repeat(blobs()[0], 4, axis=0)
    values += np.random.default_rng(0).normal(0, 0.1, values.shape).astype(values.dtype)
    before = project(values, UMAPConfig(2, n_neighbors=8)).coordinates
    module = sys.modules["core.projection.umap_map"]
    monkeypatch.setattr(module, "SAMPLE_FROM", 100)
    monkeypatch.setattr(module, "SAMPLE", 80)
    seen = []
    after = project(values, UMAPConfig(2, n_neighbors=8), seen.append).coordinates
    np.testing.assert_array_equal(before, after)
    first = next(progress for progress in seen if progress.preview)
    assert (first.stage, first.preview["coordinates"].shape) == ("UMAP of a sample", (240, 2))
