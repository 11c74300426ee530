"""The stages joined through the store: made once, found ever after, and only what changed is made again."""

from dataclasses import replace

import made_up
import numpy as np
import pytest

from core import checkpoints, keys, pipeline, plans, projection, stages
from core.config import (
    ClusterConfig,
    GaussianMixtureConfig,
    KMeansConfig,
    PCAConfig,
    ReductionConfig,
    TSNEConfig,
    UMAPConfig,
)
from core.errors import CheckpointError, ConfigError
from core.images import SampleSource
from core.plans import STAGES, CheckpointFile, KeptModel
from core.progress import Cancelled
from core.store import Store


@pytest.fixture
def plan(tmp_path):
    """A plan on a tiny file of images."""
    return made_up.plan(made_up.write(tmp_path))


@pytest.fixture
def calls(monkeypatch):
    """Count how often each stage is really computed."""
    counted = []

    def counting(name):
        original = getattr(stages, name)

        def count(*args, **kwargs):
            counted.append(name)
            return original(*args, **kwargs)

        return count

    for name in ("load", "encode", "reduce", "unfold", "project", "cluster"):
        monkeypatch.setattr(stages, name, counting(name))
    return counted


def _stages(results):
    return {name: staged for name in STAGES if (staged := getattr(results, name)) is not None}


def test_the_first_run_makes_every_stage_and_the_second_finds_them_all(store, plan, calls):
    first = pipeline.run(store, plan)
    assert not any(staged.found for staged in _stages(first).values())
    assert calls == ["load", "encode", "reduce", "project", "cluster"]
    calls.clear()
    second = pipeline.run(Store(store.root), plan)
    assert all(staged.found for staged in _stages(second).values())
    assert calls == []
    assert {n: s.key for n, s in _stages(first).items()} == {n: s.key for n, s in _stages(second).items()}


def test_found_values_equal_made_ones(store, plan):
    first, second = pipeline.run(store, plan), pipeline.run(Store(store.root), plan)
    a, b = first.images.value, second.images.value
    assert (a.ids, a.classes, a.name, a.fingerprint, a.skipped) == (
        b.ids,
        b.classes,
        b.name,
        b.fingerprint,
        b.skipped,
    )
    np.testing.assert_array_equal(a.x, b.x)
    np.testing.assert_array_equal(a.y, b.y)
    assert first.model.value.fingerprint == second.model.value.fingerprint
    assert first.model.value.history == second.model.value.history
    for name in ("latents", "reconstructions", "errors"):
        np.testing.assert_array_equal(getattr(first.latents.value, name), getattr(second.latents.value, name))
    np.testing.assert_array_equal(first.reduced.value.values, second.reduced.value.values)
    np.testing.assert_array_equal(first.projection.value.coordinates, second.projection.value.coordinates)
    assert first.projection.value.kl_divergence == second.projection.value.kl_divergence
    np.testing.assert_array_equal(first.clustering.value.labels, second.clustering.value.labels)
    assert first.clustering.value.inertia == second.clustering.value.inertia


def test_another_k_makes_only_the_clusters_again(store, plan, calls):
    pipeline.run(store, plan)
    calls.clear()
    results = pipeline.run(store, replace(plan, cluster=ClusterConfig(KMeansConfig(n_clusters=5))))
    assert calls == ["cluster"]
    assert len(results.clustering.value.centers) == 5


def test_another_perplexity_makes_the_map_again_and_leaves_clusters_of_latents(store, plan, calls):
    pipeline.run(store, plan)
    calls.clear()
    pipeline.run(store, replace(plan, projection=replace(plan.projection, perplexity=6.0)))
    assert calls == ["project"]


def test_clusters_of_the_map_follow_the_map(store, plan, calls):
    plan = replace(plan, cluster=replace(plan.cluster, on="projection"))
    pipeline.run(store, plan)
    calls.clear()
    results = pipeline.run(store, replace(plan, projection=PCAConfig()))
    assert calls == ["project", "cluster"]
    assert results.clustering.value.centers.shape == (3, 2)
    assert stages.clustered(results) is results.projection


def test_umap_coordinates_are_made_once_for_all_clusters_and_before_them_alone(store, plan, calls):
    pipeline.run(store, plan)
    calls.clear()
    unfolded = ClusterConfig(KMeansConfig(3), "manifold", UMAPConfig(6, n_neighbors=8, min_dist=0.0))
    results = pipeline.run(store, replace(plan, cluster=unfolded))
    assert calls == ["unfold", "cluster"]
    assert results.manifold.value.coordinates.shape == (60, 6)
    assert results.clustering.value.centers.shape == (3, 6)
    assert stages.clustered(results) is results.manifold
    calls.clear()
    other_k = replace(plan, cluster=replace(unfolded, method=GaussianMixtureConfig(5, "tied")))
    assert pipeline.run(store, other_k).manifold.key == results.manifold.key
    assert calls == ["cluster"]
    calls.clear()
    assert pipeline.run(store, replace(other_k, projection=PCAConfig()), "projection").manifold is None
    assert pipeline.run(store, replace(other_k, projection=PCAConfig(3)), "manifold").projection is None
    assert calls == ["project"], "a map needs no coordinates of clusters, and these need no map"
    wider = replace(unfolded, manifold=replace(unfolded.manifold, n_components=7))
    pipeline.run(store, replace(plan, cluster=wider))
    assert calls == ["project", "unfold", "cluster"]
    assert len(list(store.entries("neighbours"))) == 1, "all look at the same neighbours"


def test_each_stage_changes_the_keys_of_the_stages_after_it_only(store, plan):
    before = pipeline.run(store, plan)
    after = pipeline.run(store, replace(plan, reduction=ReductionConfig(method=PCAConfig(2))))
    same = {name for name, staged in _stages(before).items() if staged.key == _stages(after)[name].key}
    assert same == {"images", "model", "latents", "clustering"}


def test_another_number_of_components_needs_no_second_decomposition(store, plan, monkeypatch):
    found = []
    real = projection.components
    monkeypatch.setattr(projection, "components", lambda values: found.append(values.shape) or real(values))
    made = {}
    for k in (3, 2):
        made[k] = pipeline.run(store, replace(plan, reduction=ReductionConfig(True, PCAConfig(k))), "reduced").reduced
    assert len(found) == 1
    np.testing.assert_allclose(made[2].value.values, made[3].value.values[:, :2], atol=1e-6)
    fresh = Store(store.root.parent / "fresh")  # what is stored does not depend on what was made before
    alone = pipeline.run(fresh, replace(plan, reduction=ReductionConfig(True, PCAConfig(2))), "reduced").reduced
    assert alone.key == made[2].key
    np.testing.assert_array_equal(alone.value.values, made[2].value.values)
    pipeline.run(store, replace(plan, reduction=ReductionConfig(False, PCAConfig(2))), "reduced")
    assert len(found) == 3  # of latents that were not standardised


def test_without_a_reduction_the_latents_go_on_under_their_own_key(store, plan):
    results = pipeline.run(store, replace(plan, reduction=ReductionConfig()), "reduced")
    assert results.reduced.key == results.latents.key
    assert results.reduced.value.values is results.latents.value.latents


def test_a_run_ends_at_the_stage_that_was_asked_for(store, plan, calls):
    results = pipeline.run(store, plan, "latents")
    assert calls == ["load", "encode"]
    assert results.latents is not None
    assert results.reduced is None


def test_a_changed_file_is_read_again(store, plan, tmp_path, calls):
    first = pipeline.run(store, plan, "images")
    made_up.write(tmp_path, n=61)
    second = pipeline.run(store, plan, "images")
    assert (len(first.images.value), len(second.images.value)) == (60, 61)
    assert calls == ["load", "load"]


@pytest.mark.parametrize("stage", ["projection", "latents"])
def test_a_stopped_stage_leaves_no_entry(store, plan, stage):
    pipeline.run(store, plan, STAGES[STAGES.index(stage) - 1])

    def stop(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        pipeline.run(store, plan, stage, stop)
    assert list(store.entries(stage)) == []


def test_a_training_stopped_in_epoch_two_is_found_as_a_training_of_one_epoch(store, tmp_path):
    path = made_up.write(tmp_path)
    plan = made_up.plan(path, epochs=9)

    def stop(progress):
        if progress.stage == "Training" and progress.metrics.get("epoch", 0) >= 1 and progress.done > 3:
            raise Cancelled

    stopped = pipeline.run(store, plan, "model", stop)
    epochs = len(stopped.model.value.history)
    assert 1 <= epochs < 9
    found = pipeline.run(store, made_up.plan(path, epochs=epochs), "model")
    assert found.model.found
    assert found.model.value.fingerprint == stopped.model.value.fingerprint
    again = pipeline.run(store, plan, "model")
    assert not again.model.found
    assert len(again.model.value.history) == 9


def test_the_user_error_of_a_stage_passes_through_and_leaves_no_entry(store, plan):
    with pytest.raises(ConfigError, match="61"):
        pipeline.run(store, replace(plan, cluster=ClusterConfig(KMeansConfig(n_clusters=61))))
    assert list(store.entries("clustering")) == []


def test_kept_models_and_files_give_the_latents_of_the_trained_one(store, plan, tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDDING_EXPLORER_MODELS", str(tmp_path / "models"))
    trained = pipeline.run(store, plan, "latents")
    checkpoints.keep(trained.model.value, "mine", checkpoints.models_root())
    checkpoints.write_checkpoint(trained.model.value, tmp_path / "mine.safetensors")
    for ref in (KeptModel("mine"), CheckpointFile(str(tmp_path / "mine.safetensors"))):
        results = pipeline.run(store, replace(plan, model=ref), "latents")
        assert results.latents.key == trained.latents.key
        assert results.latents.found


def test_a_model_of_other_images_is_refused_with_both_shapes(store, plan):
    with pytest.raises(CheckpointError, match=r"28×28 gray.*8×8 gray"):
        pipeline.run(store, replace(plan, model=KeptModel("digits")), "model")


def test_sample_maps_ship_with_the_program(store):
    shipped = pipeline.open_store(store.root)
    for name in ("digits", "emoji"):
        plan = plans.Plan(SampleSource(name), KeptModel(name), projection=TSNEConfig())
        images = stages.images(shipped, plan.source)
        model = stages.model(shipped, plan.model, images.value)
        key = keys.latents_key(model.value, images)
        assert shipped.has("latents", key) == (name == "digits")  # the emoji's are made in seconds
        assert shipped.has("projection", keys.projection_key(key, plan.projection))
