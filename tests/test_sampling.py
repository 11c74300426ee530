"""Sampled maps: who is in the sample, where the others go, and that the error is measured and shown."""

import json
from dataclasses import replace

import numpy as np
import pytest

from core import report
from core.config import TSNEConfig, UMAPConfig, from_json, to_json
from core.errors import ConfigError
from core.keys import projection_key
from core.plans import Results, Staged
from core.progress import Cancelled
from core.projection import Projection, Reduced, check_size, project, sampling, transform
from core.projection.placing import spatial_median, weights
from core.projection.sampling import kept, shares, stratified
from core.stages import projection
from core.timing import predict_seconds


def groups(sizes=(900, 90, 10), d=6, seed=0):
    """Groups of points far apart, of these sizes, in turn."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    return (rng.normal(0, 0.1, (len(y), d)) + 50 * np.eye(len(sizes), d)[y]).astype(np.float32), y


def test_shares_follow_the_sizes_and_leave_no_stratum_out():
    assert shares(np.array([500, 300, 200]), 10).tolist() == [5, 3, 2]
    assert shares(np.array([990, 9, 1]), 10).tolist() == [8, 1, 1]
    assert shares(np.array([3, 0, 3]), 6).tolist() == [3, 0, 3]
    assert shares(np.array([5, 5, 5]), 2).sum() == 2  # fewer than strata
    assert shares(np.array([70, 20, 10]), 33).tolist() == [23, 7, 3]  # 23.1, 6.6, 3.3


def test_a_sample_holds_each_group_in_proportion():
    values, y = groups()
    rows = stratified(values, 100)
    assert len(rows) == len(set(rows.tolist())) == 100
    assert (np.diff(rows) > 0).all()
    counts = np.bincount(y[rows], minlength=3)
    assert abs(counts - [90, 9, 1]).max() <= 2 and counts.min() >= 1
    assert (stratified(values, 100) == rows).all()
    assert (stratified(values, 100, seed=1) != rows).any()
    assert stratified(values, 5000).tolist() == list(range(1000))


def test_equal_images_can_be_sampled():
    assert len(stratified(np.ones((500, 3), np.float32), 50)) == 50


def test_weights_have_the_perplexity_asked_for():
    distances = np.sort(np.random.default_rng(0).uniform(1, 2, (50, 15)), axis=1)
    found = weights(distances, 5.0)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(-(found * np.log(found)).sum(axis=1)), 5, rtol=1e-3)
    assert (np.diff(found, axis=1) <= 0).all()
    assert weights(np.array([[0.0, 0.0, 1.0]])).tolist() == [[0.5, 0.5, 0.0]]
    np.testing.assert_allclose(weights(np.ones((1, 4))), 0.25)  # all equally far


def test_the_spatial_median_stays_where_most_weight_is():
    spots = np.array([[[0.0, 0.0], [0.0, 0.0], [9.0, 9.0]], [[0.0, 0.0], [3.0, 0.0], [6.0, 0.0]]])
    found = spatial_median(spots, np.full((2, 3), 1 / 3))
    np.testing.assert_allclose(found, [[0, 0], [3, 0]], atol=0.02)  # the mean of the first is (3, 3)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_new_images_go_where_equal_ones_lie(metric):
    values = np.random.default_rng(0).normal(0, 1, (40, 3)).astype(np.float32)
    places = np.random.default_rng(1).normal(0, 1, (40, 2)).astype(np.float32)
    np.testing.assert_allclose(transform(values, places, values[5:9].copy(), metric), places[5:9], atol=1e-3)


def test_new_images_go_among_their_group_and_can_be_stopped(monkeypatch):
    values, y = groups((30, 30, 30))
    places = 10.0 * np.eye(3, 2, dtype=np.float32)[y] + np.random.default_rng(0).normal(0, 0.1, (90, 2))
    new, of = groups((5, 5, 5), seed=1)
    found = transform(values, places.astype(np.float32), new)
    assert (np.linalg.norm(found[:, None] - 10.0 * np.eye(3, 2), axis=2).argmin(axis=1) == of).all()
    assert len(transform(values[:4], places[:4].astype(np.float32), new)) == 15  # fewer than 15 are there
    monkeypatch.setattr("core.projection.placing.ROWS", 4)
    seen = []

    def stop(progress):
        seen.append(progress.done)
        if progress.done >= 8:
            raise Cancelled

    with pytest.raises(Cancelled):
        transform(values, places.astype(np.float32), new, callback=stop)
    assert seen == [4, 8]


def test_neighbours_kept_of_a_copy_are_all_and_of_a_line_turned_around_none():
    values = np.random.default_rng(0).normal(0, 1, (60, 2)).astype(np.float32)
    assert kept(values, values * 3 + 1, np.arange(60)) == 1.0
    # Two neighbours of 12 points on a line; on the map the even and the odd ones lie far apart.
    line = np.arange(12, dtype=np.float32)[:, None]
    assert kept(line, line * np.where(np.arange(12) % 2, 1, -100)[:, None], np.arange(12)) < 1
    assert kept(line[:4], line[:4], np.arange(4)) == 1.0  # three others


def test_an_image_is_never_its_own_neighbour_where_others_equal_it():
    pairs = np.array([[0], [0], [5], [5]], np.float32)
    assert sampling._others(pairs, np.arange(4), 1, "euclidean").tolist() == [[1], [0], [3], [2]]


@pytest.mark.parametrize(
    "config", [TSNEConfig(n_iter=50, perplexity=5), UMAPConfig(n_neighbors=5)], ids=["tsne", "umap"]
)
def test_a_sampled_map_places_all_images_and_measures_the_error(config):
    values, y = groups((100, 100, 100))
    reports = []
    found = project(values, replace(config, sample=60), reports.append)
    assert found.coordinates.shape == (300, 2) and np.isfinite(found.coordinates).all()
    assert found.fitted == 60
    assert 0 < found.kept_fitted <= 1 and 0 < found.kept_placed <= 1
    middles = np.stack([np.median(found.coordinates[y == k], axis=0) for k in range(3)])
    nearest = np.linalg.norm(found.coordinates[:, None] - middles, axis=2).argmin(axis=1)
    assert (nearest == y).mean() > 0.95
    previews = [item.preview for item in reports if item.preview is not None]
    assert previews and all(set(item) == {"sample", "rows"} for item in previews)
    assert {item.stage for item in reports} >= {"Choosing a sample", "Placing the others", "Looking at neighbours"}
    again = project(values, replace(config, sample=60))
    assert (again.coordinates == found.coordinates).all() and again.kept_placed == found.kept_placed


def test_a_sample_of_all_is_the_map_of_all():
    values, _ = groups((20, 20, 20))
    config = TSNEConfig(n_iter=30, perplexity=5)
    whole = project(values, config)
    found = project(values, TSNEConfig(n_iter=30, perplexity=5, sample=60))
    assert found.fitted is None and (found.coordinates == whole.coordinates).all()


def test_a_sample_must_hold_enough_for_the_perplexity():
    with pytest.raises(ConfigError, match="Perplexity 30 needs at least 91 images; this set has 50"):
        check_size(TSNEConfig(sample=50), 10_000)
    with pytest.raises(ConfigError, match="sample 3 must be at least 10"):
        TSNEConfig(sample=3)
    with pytest.raises(ConfigError, match="sample"):
        UMAPConfig(sample=20.5)


def test_maps_of_all_keep_their_keys():
    # Keys of before there were samples; shipped results lie under them.
    for config, old in (
        (TSNEConfig(), {"type": "TSNEConfig", "n_components": 2, "perplexity": 30.0, "early_exaggeration": 12.0,
                        "early_exaggeration_iter": 250, "n_iter": 500, "init": "pca", "metric": "euclidean", "seed": 0}),
        (UMAPConfig(), {"type": "UMAPConfig", "n_components": 2, "n_neighbors": 15, "min_dist": 0.1,
                        "metric": "euclidean", "seed": 0}),
    ):  # fmt: skip
        assert to_json(config) == old
    sampled = TSNEConfig(sample=500)
    assert projection_key("k", sampled) != projection_key("k", TSNEConfig())
    assert from_json(json.loads(json.dumps(to_json(sampled)))) == sampled


def test_the_error_is_kept_in_the_store_and_said(store, monkeypatch):
    values, _ = groups((50, 50, 50))
    monkeypatch.setattr(sampling, "JUDGED", 20)
    config = TSNEConfig(n_iter=30, perplexity=5, sample=60)
    first = projection(store, Staged(Reduced(values), "k", True, 0.0), config)
    again = projection(store, Staged(Reduced(values), "k", True, 0.0), config)
    assert again.found and not first.found
    for name in ("fitted", "kept_fitted", "kept_placed", "kl_divergence"):
        assert getattr(again.value, name) == getattr(first.value, name) is not None


def test_the_line_under_the_map_says_what_was_fitted_and_what_it_costs():
    def line(value):
        return report.fitted_line(Results(None, projection=Staged(value, "k", True, 0.0)))

    coordinates = np.zeros((1_000_000, 2), np.float32)
    assert line(Projection(coordinates)) is None
    assert line(Projection(coordinates, fitted=20_000, kept_fitted=0.312, kept_placed=0.279)) == (
        "Fitted on 20,000 of 1,000,000 images; the others are placed by their neighbours among them. Of their 10 nearest "
        "neighbours fitted images keep 31 %, placed ones 28 %."
    )


def test_a_sample_is_predicted_to_be_quicker():
    assert (
        predict_seconds(TSNEConfig(sample=20_000), 1_000_000, 64) < predict_seconds(TSNEConfig(), 1_000_000, 64) / 10
    )
    assert predict_seconds(UMAPConfig(sample=20_000), 10_000, 64) == predict_seconds(UMAPConfig(), 10_000, 64)
