"""Maps of parts: PCA as of all rows at once, and sampled maps whose rest is placed, with the neighbours that are kept."""

from dataclasses import replace

import numpy as np
import pytest

from core import parts, projection
from core.config import KernelPCAConfig, PCAConfig, TSNEConfig, UMAPConfig
from core.engines import Local
from core.errors import ConfigError
from core.neighbours import graph
from core.progress import Cancelled
from core.projection import sampling as whole_sampling
from core.shards import placing
from core.shards.nearest import nearest
from core.shards.placing import project
from core.shards.sampling import stratified
from tests.cut_in_parts import Shuffled, blobs, cut, digits, whole

QUICK = TSNEConfig(perplexity=10, early_exaggeration_iter=50, n_iter=60, sample=400)


def map_of(vectors, axes="xy"):
    stage = f"map{len(axes)}"
    return np.stack([whole(vectors.root, vectors, stage, axis) for axis in axes], axis=1)


@pytest.mark.parametrize("axes", ["xy", "xyz"])
def test_a_map_by_pca_is_that_of_all_rows_at_once(tmp_path, axes):
    values, _ = digits()
    vectors = cut(tmp_path, values)
    made = project(Shuffled(), vectors, PCAConfig(2), len(axes), vectors.root, "key")
    expected = projection.project(values, PCAConfig(len(axes)))
    scale = np.abs(expected.coordinates).max()
    np.testing.assert_allclose(map_of(vectors, axes) / scale, expected.coordinates / scale, atol=1e-5)
    np.testing.assert_allclose(made.explained_variance_ratio, expected.explained_variance_ratio, atol=1e-5)
    assert whole(vectors.root, vectors, f"map{len(axes)}", "fitted").all()
    assert (made.n, made.fitted, made.kept_placed, made.kept_fitted.judged) == (5000, 5000, None, 1000)


@pytest.mark.parametrize("config", [QUICK, UMAPConfig(sample=400)], ids=["t-SNE", "UMAP"])
def test_a_map_of_a_sample_has_the_fitted_rows_where_they_were_and_the_others_among_them(tmp_path, config):
    values, y = blobs(3000)
    vectors = cut(tmp_path, values)
    made = project(Local(), vectors, config, 2, vectors.root, "key")
    found, fitted = map_of(vectors), whole(vectors.root, vectors, "map2", "fitted")
    sample = stratified(Local(), vectors, 400, config.seed)
    rows = sample.running(vectors)
    assert np.array_equal(np.flatnonzero(fitted), rows)
    places = projection.project(sample.values, replace(config, sample=None))
    assert np.array_equal(found[rows], places.coordinates) and made.kl_divergence == places.kl_divergence
    expected = projection.transform(sample.values, places.coordinates, values[~fitted])
    np.testing.assert_allclose(found[~fitted], expected, atol=1e-4)
    near = graph(found, 5).rows
    assert (y[near] == y[:, None]).mean() > 0.98
    again = cut(tmp_path / "again", values)
    told = project(Shuffled(4), again, config, 2, again.root, "key")
    assert np.array_equal(map_of(again), found)
    assert (told.kept_fitted, told.kept_placed) == (made.kept_fitted, made.kept_placed)


def test_neighbours_kept_are_those_counted_at_once(tmp_path, monkeypatch):
    values, _ = digits()
    vectors = cut(tmp_path, values)
    monkeypatch.setattr(placing, "JUDGED", 10_000)  # so that both judge all rows
    monkeypatch.setattr(whole_sampling, "JUDGED", 10_000)
    made = project(Local(), vectors, QUICK, 2, vectors.root, "key")
    found, fitted = map_of(vectors), whole(vectors.root, vectors, "map2", "fitted")
    for kept, rows in ((made.kept_fitted, np.flatnonzero(fitted)), (made.kept_placed, np.flatnonzero(~fitted))):
        expected = whole_sampling.kept(values, found, rows)
        assert kept.judged == len(rows)
        np.testing.assert_allclose(kept.share, expected, atol=2e-4)
    assert (made.n, made.fitted) == (5000, 400)
    print(f"\nkept: fitted {made.kept_fitted}, placed {made.kept_placed}")


def test_a_thousand_rows_tell_the_share_of_all_within_their_error(tmp_path):
    values, _ = digits()
    vectors = cut(tmp_path, values)
    made = project(Local(), vectors, PCAConfig(2), 2, vectors.root, "key").kept_fitted
    everyone = whole_sampling.kept(values, map_of(vectors), np.arange(5000))
    assert 0 < made.se < 0.01 and abs(made.share - everyone) < 4 * made.se


def test_rows_that_were_not_fitted_are_drawn_from_all_of_them():
    taken = np.array([0, 1, 5, 9])
    found = placing._others(taken, 10, np.random.default_rng(0))
    assert found.tolist() == [2, 3, 4, 6, 7, 8]
    few = placing._others(np.arange(0, 10_000, 2), 10_000, np.random.default_rng(0))
    assert len(set(few.tolist())) == 1000 and (few % 2 == 1).all() and 4500 < few.mean() < 5500
    assert placing._others(np.arange(4), 4, np.random.default_rng(0)).tolist() == []


def test_of_few_rows_all_are_fitted_and_none_placed(tmp_path):
    values, _ = blobs(300)
    vectors = cut(tmp_path, values, sizes=(100, 0, 200))
    made = project(Local(), vectors, UMAPConfig(), 3, vectors.root, "key")
    expected = projection.project(values, UMAPConfig(3))
    assert np.array_equal(map_of(vectors, "xyz"), expected.coordinates)
    assert (made.fitted, made.kept_placed) == (300, None)


def test_exact_neighbours_over_parts_are_those_of_all_rows(tmp_path):
    values, _ = digits()
    vectors = cut(tmp_path, values, sizes=(3, 0, 1500))  # a part with fewer rows than neighbours
    own = np.array([0, 2, 3, 4999])
    found = nearest(Shuffled(), vectors, values[own], own, 10)
    expected = graph(values, 10)
    assert np.array_equal(found.rows, expected.rows[own])
    np.testing.assert_allclose(found.distances, expected.distances[own], rtol=1e-5)
    cosine = nearest(Local(), vectors, values[own], own, 10, "cosine")
    assert np.array_equal(cosine.rows, graph(values, 10, "cosine").rows[own])
    few = cut(tmp_path / "few", values[:3])
    assert nearest(Local(), few, values[:1], np.array([0]), 10).rows.shape == (1, 3)
    assert nearest(Local(), few, values[:1], np.array([0]), 10).rows[0, -1] == -1


def test_maps_that_cannot_be_are_said(tmp_path):
    values, _ = blobs(200)
    vectors = cut(tmp_path, values)
    for config, dimensions, sentence in (
        (KernelPCAConfig(), 2, r"Kernel PCA.*choose PCA"),
        (PCAConfig(), 4, "2 or 3 dimensions; n_components is 4"),
        (TSNEConfig(perplexity=150), 2, "Perplexity 150 needs at least 451 images; this set has 200"),
        (TSNEConfig(perplexity=50, sample=100), 2, "Perplexity 50 needs at least 151 images; this set has 100"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            project(Local(), vectors, config, dimensions, vectors.root, "key")


def test_a_map_can_be_stopped_at_every_stage_and_no_preview_is_of_a_sample(tmp_path):
    values, _ = blobs(1000)
    vectors = cut(tmp_path, values)
    told = []
    project(Local(), vectors, QUICK, 2, str(tmp_path / "counted"), "key", told.append)
    assert all(progress.preview is None for progress in told)
    for stage in dict.fromkeys(progress.stage for progress in told):
        if stage == "Looking at neighbours":
            continue
        target = str(tmp_path / f"stopped at {stage}")

        def stop(progress, stage=stage):
            if progress.stage == stage:
                raise Cancelled

        with pytest.raises(Cancelled):
            project(Local(), vectors, QUICK, 2, target, "key", stop)
        assert not parts.there(target, "map2", vectors.numbers, "key")
