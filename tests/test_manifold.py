"""UMAP coordinates of more dimensions than a map's: neighbours kept, the same for a seed, of any number of images."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.clustering import cluster
from core.config import GaussianMixtureConfig, UMAPConfig
from core.errors import ConfigError
from core.neighbours import search
from core.progress import Cancelled
from core.projection import project, umap_layout, unfold
from core.projection.sampling import kept
from core.projection.umap_graph import first_map
from tests.test_projection import apart, blobs

TEN = UMAPConfig(10, n_neighbors=8, min_dist=0.0)


@pytest.fixture(scope="module")
def digits():
    """1,000 real digits of 64 pixels, and their labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.data[:1000].astype(np.float32), found.target[:1000]


@pytest.mark.parametrize("dimensions", [1, 4, 10, 17])
def test_groups_stay_together_and_a_seed_repeats_itself(dimensions):
    values, y = blobs()
    config = UMAPConfig(dimensions, n_neighbors=8, min_dist=0.0)
    first, second = unfold(values, config).coordinates, unfold(values, config).coordinates
    assert (first.shape, first.dtype) == ((60, dimensions), np.float32)
    assert apart(first, y)
    np.testing.assert_array_equal(first, second)
    other = unfold(values, UMAPConfig(dimensions, n_neighbors=8, min_dist=0.0, seed=1)).coordinates
    assert not np.array_equal(first, other)


def test_ten_dimensions_keep_as_many_neighbours_and_part_groups_as_well_as_umap_learn(digits):
    umap = pytest.importorskip("umap")
    from sklearn.metrics import silhouette_score

    values, y = digits
    ours = unfold(values, UMAPConfig(10, min_dist=0.0)).coordinates
    theirs = umap.UMAP(n_components=10, min_dist=0.0, random_state=0, n_jobs=1).fit_transform(values)
    rows = np.arange(len(values))
    assert kept(values, ours, rows) > kept(values, theirs, rows) - 0.01
    assert silhouette_score(ours, y) > silhouette_score(theirs, y) - 0.02


def test_more_dimensions_keep_more_neighbours_than_a_map(digits):
    values, _ = digits
    wide, flat = (unfold(values, UMAPConfig(d, min_dist=0.0)).coordinates for d in (10, 2))
    rows = np.arange(len(values))
    assert kept(values, wide, rows) > kept(values, flat, rows) + 0.02


@pytest.mark.parametrize("threads", ["1", "1", "2"])  # an order of sums that hangs on memory differs by chance
def test_another_process_with_any_number_of_threads_gives_the_same_coordinates(tmp_path, digits, threads):
    values = digits[0][:400]
    np.save(tmp_path / "values.npy", values)
    code = (
        "import sys, numpy as np\n"
        "from core.config import UMAPConfig\n"
        "from core.projection import unfold\n"
        "np.save(sys.argv[2], unfold(np.load(sys.argv[1]), UMAPConfig(10, min_dist=0.0)).coordinates)"
    )
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "values.npy", tmp_path / "made.npy"],
        env=os.environ | dict.fromkeys(names, threads), cwd=Path(__file__).parents[1], check=True,
    )  # fmt: skip
    here = unfold(values, UMAPConfig(10, min_dist=0.0)).coordinates
    np.testing.assert_array_equal(np.load(tmp_path / "made.npy"), here)


def test_the_epoch_of_any_width_moves_points_as_that_of_three_axes_does(rng):
    start = first_map(rng.normal(size=(50, 3)), 3, 0)
    near = search(start, 5, "euclidean").rows
    graph = np.arange(0, 251, 5, dtype=np.int32), near.ravel().astype(np.int32), np.ones(250, np.float32)
    coefficients = umap_layout.tables(*umap_layout.curve(0.0))
    moved = []
    for dimensions in (3, 4):
        points, state = start.copy(), umap_layout.generator(0)
        umap_layout.epoch_kernel(dimensions)(points, *graph, *coefficients, np.float32(0.01), 0, state)
        moved.append(points)
    assert not np.allclose(moved[0], start, atol=0.02)
    np.testing.assert_allclose(moved[0], moved[1], atol=1e-3)
    assert (moved[1][:, 3] == 0).all()


@pytest.mark.parametrize("n", [3, 4, 10, 15, 16, 17])
def test_the_smallest_sets_get_coordinates_and_their_clusters(rng, n):
    found = unfold(rng.normal(size=(n, 5)), UMAPConfig(10, n_neighbors=min(15, n - 1), min_dist=0.0)).coordinates
    assert found.shape == (n, 10) and np.isfinite(found).all()
    for k in (1, 2, n):
        made = cluster(found, GaussianMixtureConfig(k, reg_covar=1e-4, n_init=5))
        assert len(np.unique(made.labels)) == k


def test_images_that_are_all_equal_still_get_coordinates():
    assert np.isfinite(unfold(np.ones((30, 4), np.float32), TEN).coordinates).all()


def test_a_mixture_finds_pieces_that_no_neighbour_joins_and_parts_them_further(rng):
    centers = rng.normal(size=(6, 8)) * 50
    y = np.repeat(np.arange(6), (200, 150, 100, 60, 30, 20))
    found = unfold(centers[y] + rng.normal(size=(560, 8)), UMAPConfig(10, min_dist=0.0)).coordinates
    method = GaussianMixtureConfig(6, reg_covar=1e-4, n_init=5)
    np.testing.assert_array_equal(cluster(found, method).labels, y)
    finer = cluster(found, GaussianMixtureConfig(12, reg_covar=1e-4, n_init=5)).labels
    assert len(np.unique(finer)) == 12
    assert all(len(np.unique(y[finer == i])) == 1 for i in range(12))


def test_what_is_too_wide_for_a_map_is_no_map_and_is_not_shown_as_one():
    values, _ = blobs()
    with pytest.raises(ConfigError, match="A map has 2 or 3 dimensions; n_components is 10"):
        project(values, TEN)
    seen = []
    unfold(values, TEN, seen.append)
    assert [progress.done for progress in seen if progress.stage == "UMAP"][-1] == 500
    assert not any(progress.preview for progress in seen)


def test_more_neighbours_than_there_are_others_are_refused():
    with pytest.raises(ConfigError, match="n_neighbors 60 needs at least 61 images; this set has 60"):
        unfold(blobs()[0], UMAPConfig(10, n_neighbors=60))


@pytest.mark.parametrize("reports", [0, 1, 2, 3])
def test_it_stops_when_asked(reports):
    seen = []

    def stop(progress):
        if len(seen) == reports:
            raise Cancelled
        seen.append(progress)

    with pytest.raises(Cancelled):
        unfold(blobs()[0], TEN, stop)
    assert len(seen) == reports


def test_of_many_images_a_sample_is_fitted_and_the_others_are_placed_among_their_own(digits):
    values, y = digits
    found = unfold(values, UMAPConfig(10, min_dist=0.0, sample=400))
    assert (found.coordinates.shape, found.fitted) == ((1000, 10), 400)
    near = search(found.coordinates, 5, "euclidean").rows
    assert (y[near] == y[:, None]).mean() > 0.9
