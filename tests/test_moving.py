"""A map that goes on from another one has a key of its own, is found again, and is the same each time."""

from dataclasses import replace

import made_up
import numpy as np
import pytest

from core import keys, moving, pipeline, recipes, stages
from core.cli import arguments, parser
from core.config import ClusterConfig, KMeansConfig, ReductionConfig, TSNEConfig, UMAPConfig
from core.errors import ConfigError
from core.jobs import job_id
from core.plans import Staged
from core.projection import Reduced
from core.store import Store

BEFORE = TSNEConfig(perplexity=5, n_iter=60, early_exaggeration_iter=40)
AFTER = TSNEConfig(perplexity=8, n_iter=60, early_exaggeration_iter=40)


@pytest.fixture
def latents(rng):
    """Latents of 60 images, as a stage."""
    return Staged(Reduced(rng.normal(size=(60, 4)).astype(np.float32)), "latents", True, 0.0)


def test_a_moved_map_is_found_again_and_never_taken_for_one_begun_anew(store, latents):
    first = moving.projection(store, latents, AFTER, BEFORE)
    again = moving.projection(store, latents, AFTER, BEFORE)
    assert not first.found and again.found
    np.testing.assert_array_equal(first.value.coordinates, again.value.coordinates)
    assert first.value.kl_divergence == again.value.kl_divergence > 0
    anew = moving.projection(store, latents, AFTER, None)
    assert not anew.found and anew.key == keys.projection_key("latents", AFTER) != first.key
    assert not (anew.value.coordinates == first.value.coordinates).all()
    other = moving.projection(store, latents, AFTER, replace(BEFORE, perplexity=6))
    assert other.key not in (first.key, anew.key)


def test_a_moved_map_is_decided_by_the_settings_alone(store, latents, tmp_path):
    stages.projection(store, latents, BEFORE)
    moving.projection(store, latents, replace(BEFORE, perplexity=12), BEFORE)
    maps = [moving.projection(s, latents, AFTER, BEFORE) for s in (store, Store(tmp_path / "other"))]
    assert maps[0].key == maps[1].key
    np.testing.assert_array_equal(maps[0].value.coordinates, maps[1].value.coordinates)


def test_a_moved_map_lies_where_its_start_lies(store, latents):
    start = stages.projection(store, latents, BEFORE).value.coordinates
    moved = moving.projection(store, latents, AFTER, BEFORE).value.coordinates
    anew = moving.projection(store, latents, AFTER, None).value.coordinates
    assert np.linalg.norm(moved - start, axis=1).mean() < np.linalg.norm(anew - start, axis=1).mean()


def test_the_start_is_not_made_where_the_moved_map_is_there(store, latents, monkeypatch):
    moving.projection(store, latents, AFTER, BEFORE)
    store.drop("projection", keys.projection_key("latents", BEFORE))
    monkeypatch.setattr(moving, "project", None)  # would raise when called
    assert moving.projection(store, latents, AFTER, BEFORE).found


def test_neighbours_are_found_once(store, latents, monkeypatch):
    stages.projection(store, latents, BEFORE)
    monkeypatch.setattr(stages, "search", None)  # would raise when called
    moving.projection(store, latents, AFTER, BEFORE)
    moving.projection(store, latents, TSNEConfig(perplexity=10, n_iter=60, early_exaggeration_iter=40), BEFORE)


@pytest.mark.parametrize(
    ("config", "start"),
    [
        (replace(AFTER, n_components=3), BEFORE),
        (AFTER, replace(BEFORE, seed=1)),
        (UMAPConfig(), UMAPConfig()),
        (AFTER, UMAPConfig()),
    ],
)
def test_a_map_goes_on_only_from_one_that_differs_in_its_perplexity(store, latents, config, start):
    with pytest.raises(ConfigError, match="settings differ in the perplexity alone"):
        moving.projection(store, latents, config, start)


@pytest.mark.parametrize(
    ("old", "new", "iterations", "near"),
    [(30, 40, 60, True), (30, 100, 60, True), (30, 20, 60, True), (40, 20, 250, True), (5, 50, 250, True),
     (30, 10, 250, False), (5, 51, 250, False)],
)  # fmt: skip
def test_far_moves_take_more_iterations_and_the_farthest_had_better_begin_anew(old, new, iterations, near):
    config, start = TSNEConfig(perplexity=new), TSNEConfig(perplexity=old)
    assert moving.iterations(config, start) == iterations
    assert moving.near_enough(config, start) == near


def test_in_three_dimensions_a_move_upwards_is_far_sooner():
    start = TSNEConfig(3, perplexity=10)
    assert [moving.iterations(replace(start, perplexity=p), start) for p in (20, 30)] == [60, 250]


@pytest.fixture
def plan(tmp_path):
    """A plan on a tiny file of images whose map goes on from another, and whose clusters are those of the map."""
    plan = made_up.plan(made_up.write(tmp_path))
    return replace(
        plan,
        reduction=ReductionConfig(),
        start=plan.projection,
        projection=replace(plan.projection, perplexity=8.0),
        cluster=ClusterConfig(KMeansConfig(3), "projection"),
    )


def test_the_pipeline_makes_the_map_that_goes_on_and_clusters_it(store, plan):
    moved, anew = pipeline.run(store, plan), pipeline.run(store, replace(plan, start=None))
    assert moved.projection.key == keys.map_key(moved.reduced.key, plan.projection, plan.start)
    assert moved.projection.key != anew.projection.key and moved.clustering.key != anew.clustering.key
    assert job_id(plan, "projection") != job_id(replace(plan, start=None), "projection")
    assert job_id(plan, "reduced") == job_id(replace(plan, start=None), "reduced")


def test_a_recipe_says_where_a_map_went_on_from_and_runs_again_to_the_same_map(plan):
    values = recipes.to_json(recipes.of_plan(plan, "moved"))
    assert values["start"]["perplexity"] == 5
    again = recipes.from_json(values)
    assert again.start == plan.start
    assert "start" not in recipes.to_json(recipes.of_plan(replace(plan, start=None), "anew"))
    args = parser.build().parse_args(
        ["run", "--data", "digits", "--out", "x", "--perplexity", "40", "--start-perplexity", "30"]
    )
    recipe, _ = arguments.asked(args)
    assert (recipe.projection, recipe.start) == (TSNEConfig(perplexity=40), TSNEConfig(perplexity=30))
    args = parser.build().parse_args(
        ["run", "--data", "digits", "--out", "x", "--projection", "pca", "--start-perplexity", "30"]
    )
    with pytest.raises(ConfigError, match="--start-perplexity is for --projection tsne"):
        arguments.asked(args)
