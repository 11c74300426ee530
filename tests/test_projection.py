"""Reductions and maps, on points whose result can be worked out by hand."""

import numpy as np
import pytest

from core.config import KernelPCAConfig, PCAConfig, ReductionConfig, TruncatedSVDConfig, TSNEConfig
from core.errors import ConfigError, DataError
from core.progress import Cancelled
from core.projection import check_size, project, reduce
from core.projection.linear import components, pca, pca_on


def blobs(n=60, d=5, k=3, seed=0):
    """k groups of points, 100 apart along other axes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    return (rng.normal(0, 0.1, (n, d)) + 100 * np.eye(k, d)[y]).astype(np.float32), y


def apart(coordinates, y):
    """Say whether each point's nearest other point is of its group."""
    distances = np.linalg.norm(coordinates[:, None] - coordinates[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return (y[distances.argmin(axis=1)] == y).all()


def test_pca_of_points_on_a_line_is_the_line():
    line = np.array([[-3.0, -4.0], [0.0, 0.0], [3.0, 4.0]], np.float32)  # 5 apart, along (3, 4) / 5
    found = project(line, PCAConfig(2))
    np.testing.assert_allclose(found.coordinates, [[-5, 0], [0, 0], [5, 0]], atol=1e-5)
    np.testing.assert_allclose(found.explained_variance_ratio, [1, 0], atol=1e-6)
    assert found.coordinates.dtype == np.float32


def test_svd_does_not_centre():
    values = np.array([[1.0, 0.0], [3.0, 0.0]], np.float32)
    reduced = reduce(values, ReductionConfig(method=TruncatedSVDConfig(1)))
    np.testing.assert_allclose(reduced.values, [[1], [3]], atol=1e-5)


def test_standardised_features_have_mean_0_and_variance_1_and_constant_ones_stay_0():
    values = np.array([[1.0, 100.0, 7.0], [3.0, 300.0, 7.0]], np.float32)
    reduced = reduce(values, ReductionConfig(standardize=True))
    np.testing.assert_allclose(reduced.values, [[-1, -1, 0], [1, 1, 0]], atol=1e-5)


def test_nothing_asked_for_is_nothing_done():
    values, _ = blobs()
    assert (reduce(values, ReductionConfig()).values == values).all()


def test_nystroem_comes_close_to_exact_kernel_pca():
    values, y = blobs(200)
    exact = project(values, KernelPCAConfig(2, gamma=0.01, n_landmarks=200)).coordinates
    near = project(values, KernelPCAConfig(2, gamma=0.01, n_landmarks=50)).coordinates
    assert apart(exact, y)
    for i in range(2):  # the same axes, up to small differences
        assert abs(np.corrcoef(exact[:, i], near[:, i])[0, 1]) > 0.99


@pytest.mark.parametrize("kernel", ["rbf", "poly", "cosine"])
def test_every_kernel_gives_a_finite_map(kernel):
    found = project(blobs()[0], KernelPCAConfig(3, kernel=kernel))
    assert found.coordinates.shape == (60, 3)
    assert np.isfinite(found.coordinates).all()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_tsne_keeps_groups_together_and_repeats_itself(dimensions):
    values, y = blobs()
    config = TSNEConfig(dimensions, perplexity=5, n_iter=100, early_exaggeration_iter=50)
    before = np.random.get_state()[1].copy()  # noqa: NPY002  it must stay as it is
    first, second = project(values, config), project(values, config)
    assert first.coordinates.shape == (60, dimensions)
    assert apart(first.coordinates, y)
    np.testing.assert_array_equal(first.coordinates, second.coordinates)
    assert first.kl_divergence is not None and first.kl_divergence >= 0
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("init", ["pca", "random", "spectral"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_tsne_with_every_start_and_metric(init, metric):
    found = project(
        blobs()[0], TSNEConfig(2, perplexity=5, n_iter=20, early_exaggeration_iter=10, init=init, metric=metric)
    )
    assert np.isfinite(found.coordinates).all()


def test_tsne_reports_every_stretch_with_the_map_so_far():
    seen = []
    project(blobs()[0], TSNEConfig(2, perplexity=5, n_iter=60, early_exaggeration_iter=40), seen.append)
    assert {p.stage for p in seen[:2]} == {"Finding neighbours"}
    seen = [p for p in seen if p.stage == "t-SNE"]
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert seen[-1].done == seen[-1].total == 100
    previews = [p.preview["coordinates"] for p in seen if p.preview is not None]
    assert len(previews) >= 2 and all(p.shape == (60, 2) for p in previews)


def test_tsne_stops_when_asked():
    def stop(progress):
        if progress.done >= 20:
            raise Cancelled

    with pytest.raises(Cancelled):
        project(blobs()[0], TSNEConfig(2, perplexity=5), stop)


def test_too_large_a_perplexity_names_the_limit():
    with pytest.raises(ConfigError, match="Perplexity 50 needs at least 151 images; this set has 60"):
        project(blobs()[0], TSNEConfig(2, perplexity=50))
    with pytest.raises(ConfigError, match="151 images"):
        check_size(TSNEConfig(2, perplexity=50), 60)
    check_size(TSNEConfig(2, perplexity=50), 151)


def test_more_components_than_there_can_be_are_refused():
    with pytest.raises(ConfigError, match="n_components 6 must be at most 5"):
        reduce(blobs()[0], ReductionConfig(method=PCAConfig(6)))
    with pytest.raises(ConfigError, match="2 or 3 dimensions"):
        project(blobs()[0], PCAConfig(4))


def test_values_that_are_not_finite_are_refused():
    values = blobs()[0].copy()
    values[3, 1] = np.nan
    with pytest.raises(DataError, match="1 of 60 rows"):
        project(values, PCAConfig(2))


@pytest.mark.parametrize("n", [3, 4, 10])
def test_a_handful_of_images_or_equal_ones_gives_a_map(n):
    rng = np.random.default_rng(0)
    config = TSNEConfig(2, perplexity=max(1.0, (n - 1) / 3 - 0.1), n_iter=20, early_exaggeration_iter=10)
    if n >= 4:
        assert np.isfinite(project(rng.normal(size=(n, 4)).astype(np.float32), config).coordinates).all()
    same = np.ones((n, 4), np.float32)
    assert np.isfinite(project(same, PCAConfig(2)).coordinates).all()


@pytest.mark.parametrize("shape", [(50, 6), (5, 8)])
def test_the_first_of_all_components_are_pca_of_so_many(rng, shape):
    values = rng.normal(size=shape) * np.arange(1, shape[1] + 1)
    found = components(values)
    assert found.directions.shape == (shape[1], min(shape))
    for k in (1, 3, min(shape)):
        scores, shares = pca_on(values, found, k)
        expected, expected_shares = pca(values, k)
        np.testing.assert_allclose(scores, expected, atol=1e-4)
        np.testing.assert_allclose(shares, expected_shares, atol=1e-6)
    with pytest.raises(ConfigError, match=f"n_components 9 must be at most {min(shape)}"):
        pca_on(values, found, 9)
