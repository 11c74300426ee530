"""Ways from latents to clusters: what fits a set of images, what was done told in words, and that groups are found."""

from dataclasses import replace

import made_up
import numpy as np
import pytest

from core import keys, pipeline, recipes, ways
from core.clustering import cluster
from core.config import (
    ClusterConfig,
    GaussianMixtureConfig,
    HDBSCANConfig,
    KernelPCAConfig,
    KMeansConfig,
    MiniBatchKMeansConfig,
    PCAConfig,
    ReductionConfig,
    TSNEConfig,
    UMAPConfig,
    from_json,
    to_json,
)
from core.errors import ConfigError
from core.images import SampleSource
from core.jobs import job_id
from core.plans import KeptModel, Plan
from core.quality import accuracy
from core.ways import KMEANS, UMAP, WAYS


def test_umap_is_begun_with_unless_it_takes_minutes():
    assert ways.usual(2) is ways.usual(70_000) is ways.usual(200_000) is WAYS[UMAP]
    assert ways.usual(200_001) is WAYS[KMEANS]


@pytest.mark.parametrize("name", WAYS)
def test_a_way_says_what_it_is_and_why_with_a_source(name):
    way = WAYS[name]
    assert way.name == name and way.title and way.summary
    assert any(year in way.reason for year in ("1982", "2004", "2018", "2019"))


def test_few_images_have_fewer_neighbours_and_two_are_left_to_kmeans():
    found = {n: ways.cluster_of(WAYS[UMAP], n, 2) for n in (2, 3, 15, 16, 100_000, 100_001)}
    assert found[2] == ClusterConfig(KMeansConfig(2))
    assert {n: one.manifold.n_neighbors for n, one in found.items() if n > 2} == {
        3: 2, 15: 14, 16: 15, 100_000: 15, 100_001: 15
    }  # fmt: skip
    assert {one.method.n_clusters for one in found.values()} == {2}
    assert (found[100_000].manifold.sample, found[100_001].manifold.sample) == (None, 20_000)


def test_kmeans_chooses_starts_on_a_sample_of_many_and_takes_batches_of_very_many():
    way = WAYS[KMEANS]
    assert ways.cluster_of(way, 5000, 7) == ClusterConfig(KMeansConfig(7))
    assert ways.cluster_of(way, 5001, 7) == ClusterConfig(KMeansConfig(7, start_sample=3000))
    assert ways.cluster_of(way, 200_001, 7) == ClusterConfig(MiniBatchKMeansConfig(7, 4096))


def test_a_way_reduces_to_as_many_numbers_as_there_are():
    way = WAYS["standardised-pca-kmeans"]
    assert ways.reduction_of(way, 1000, 32) == ReductionConfig(True, PCAConfig(10))
    assert ways.reduction_of(way, 1000, 4) == ReductionConfig(True, PCAConfig(4))
    assert ways.reduction_of(way, 3, 32) == ReductionConfig(True, PCAConfig(3))
    assert ways.reduction_of(WAYS[KMEANS], 1000, 32) is None, (
        "clusters of the latents leave the map's reduction alone"
    )


def test_umap_coordinates_that_nobody_clusters_are_refused_and_defaults_are_left_out_of_json():
    with pytest.raises(ConfigError, match="manifold is set, but clusters are on 'latents'"):
        ClusterConfig(manifold=UMAPConfig(5))
    with pytest.raises(ConfigError, match="PCAConfig cannot give the coordinates to cluster"):
        ClusterConfig(on="manifold", manifold=PCAConfig(5))
    assert set(to_json(ClusterConfig())) == set(to_json(ClusterConfig(on="manifold"))) == {"type", "method", "on"}
    made = ClusterConfig(on="manifold", manifold=UMAPConfig(5))
    assert from_json(to_json(made)) == made


def test_keys_and_jobs_tell_umap_coordinates_apart_and_not_what_clusters_them():
    plan = Plan(SampleSource("digits"), cluster=ClusterConfig(KMeansConfig(3), "manifold"))
    other_k = replace(plan, cluster=replace(plan.cluster, method=HDBSCANConfig()))
    wider = replace(plan, cluster=replace(plan.cluster, manifold=UMAPConfig(12, min_dist=0.0)))
    assert job_id(plan, "manifold") == job_id(other_k, "manifold") != job_id(wider, "manifold")
    assert job_id(plan, "manifold") == job_id(replace(plan, projection=PCAConfig()), "manifold")
    assert job_id(plan, "manifold") != job_id(plan, "projection")
    config = plan.cluster.manifold
    found = {keys.manifold_key("a", config), keys.manifold_key("b", config), keys.projection_key("a", config)}
    assert len(found | {keys.manifold_key("a", wider.cluster.manifold)}) == 4


def found_steps(store, plan):
    return ways.steps(plan, pipeline.run(store, plan))


def test_the_steps_say_what_was_done_with_the_numbers_in_order(store, tmp_path):
    plan = replace(made_up.plan(made_up.write(tmp_path)), projection=PCAConfig())
    assert found_steps(store, plan) == ("60 × 4 latents", "KMeans of 3")
    way = replace(plan, reduction=ReductionConfig(), cluster=ways.cluster_of(WAYS[UMAP], 60, 3))
    unfolded = "UMAP to 10 dimensions, 15 neighbours, min_dist 0"
    mixture = "Gaussian mixture of 3, full covariances, likeliest of 10 starts"
    assert found_steps(store, way) == ("60 × 4 latents", unfolded, mixture)
    config = replace(way.cluster, manifold=UMAPConfig(1, 8, 0.25, "cosine", sample=40))
    few = replace(way, reduction=ReductionConfig(True, KernelPCAConfig(5)), cluster=config)
    assert found_steps(store, few)[1:4] == (
        "standardised", "kernel PCA to 5",
        "UMAP to 1 dimension, 8 neighbours, min_dist 0.25, cosine distance, fitted on 40 images and the others placed",
    )  # fmt: skip
    mapped = replace(plan, cluster=ClusterConfig(HDBSCANConfig(5), "projection"))
    assert found_steps(store, mapped)[-2:] == ("PCA map in 2-D", found_steps(store, mapped)[-1])
    assert found_steps(store, mapped)[-1].startswith("HDBSCAN, which found ")


def test_the_digits_come_apart_without_a_label(store):
    shipped = pipeline.open_store(store.root)
    plan = Plan(SampleSource("digits"), KeptModel("digits"), cluster=ways.cluster_of(WAYS[UMAP], 5000, 10))
    results = pipeline.run(shipped, plan)
    assert results.manifold.found and results.clustering.found, "they ship with the program"
    plain = pipeline.run(shipped, replace(plan, cluster=ways.cluster_of(WAYS[KMEANS], 5000, 10)))
    y = results.images.value.y
    assert accuracy(results.clustering.value.labels, y) > 0.9 > 0.7 > accuracy(plain.clustering.value.labels, y)


def test_short_runs_find_the_mixture_that_whole_ones_find(rng):
    centers = rng.normal(size=(8, 6)) * 6
    y = rng.integers(0, 8, 3000)
    values = (centers[y] + rng.normal(size=(3000, 6))).astype(np.float32)
    method = GaussianMixtureConfig(8, n_init=10)
    whole = cluster(values, method)
    for sample in (500, 5000):
        short = cluster(values, replace(method, start_sample=sample))
        assert accuracy(short.labels, whole.labels) > 0.99
        np.testing.assert_array_equal(short.labels, cluster(values, replace(method, start_sample=sample)).labels)
        assert short.probabilities.shape == (3000, 8)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_short_runs_go_on_with_every_form_of_covariance(rng, covariance):
    values = np.concatenate([rng.normal(size=(100, 3)), rng.normal(size=(50, 3)) + 20]).astype(np.float32)
    found = cluster(values, GaussianMixtureConfig(2, covariance, n_init=3, start_sample=60))
    assert np.bincount(found.labels).tolist() == [100, 50]


def test_the_recipe_goes_the_usual_way_with_a_model_of_its_own(store, tmp_path):
    recipe = recipes.RECIPES["manifold"]
    assert (recipe.reduction, recipe.cluster) == (WAYS[UMAP].reduction, WAYS[UMAP].cluster)
    assert recipe.model is None and isinstance(recipe.projection, TSNEConfig)  # what is usual for the images
    assert recipes.from_json(recipes.to_json(recipe)) == recipe
    small = made_up.plan(made_up.write(tmp_path))
    images = pipeline.run(store, small, "images").images.value
    plan = replace(recipes.plan_of(replace(recipe, model=small.model), small.source, images), projection=PCAConfig())
    results = pipeline.run(store, plan)
    assert results.manifold is not None and results.clustering.value.k == 3
