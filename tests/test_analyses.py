"""Analyses: found again under a key of what they need alone, made by jobs, stopped without a trace."""

import time
from dataclasses import dataclass, replace

import made_up
import numpy as np
import pytest

from core import analyses, pipeline
from core.config import AnalysisConfig, ClusterConfig, KMeansConfig, TSNEConfig
from core.errors import ConfigError
from core.jobs import Jobs, job_id
from core.neighbours import GraphConfig, graph
from core.progress import Cancelled
from core.store import Store

PATIENCE = 120


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return made_up.plan(made_up.write(tmp_path_factory.mktemp("images")))


@pytest.fixture(scope="module")
def kept(tmp_path_factory, plan):
    """A store that holds every stage of the plan."""
    store = Store(tmp_path_factory.mktemp("store"))
    pipeline.run(store, plan)
    return store


def test_the_graph_is_made_once_and_read_again_as_it_was(kept, plan):
    made = analyses.analyse(kept, plan, GraphConfig(4))
    again = analyses.analyse(kept, plan, GraphConfig(4))
    assert (made.found, again.found, made.key == again.key) == (False, True, True)
    expected = graph(pipeline.run(kept, plan, "latents").latents.value.latents, 4)
    for value in (made.value, again.value):
        np.testing.assert_array_equal(value.rows, expected.rows)
        np.testing.assert_array_equal(value.distances, expected.distances)
    assert analyses.analyse(kept, plan, GraphConfig(5)).key != made.key
    assert analyses.analyse(kept, plan, GraphConfig(4, "cosine")).key != made.key


def other_k(plan):
    return replace(plan, cluster=ClusterConfig(KMeansConfig(5)))


def other_map(plan):
    return replace(plan, projection=TSNEConfig(perplexity=6.0, early_exaggeration_iter=10, n_iter=20))


@pytest.mark.parametrize("other", [other_k, other_map])
def test_an_analysis_of_the_latents_is_the_same_for_every_map_and_k(kept, plan, other):
    own, others = pipeline.run(kept, plan), pipeline.run(kept, other(plan))
    assert analyses.key(own, GraphConfig()) == analyses.key(others, GraphConfig())
    assert job_id(plan, GraphConfig()) == job_id(other(plan), GraphConfig())
    assert analyses.upto(plan, GraphConfig()) == "latents"


def test_only_what_is_needed_decides_a_key(kept, plan, monkeypatch):
    @dataclass(frozen=True)
    class Asked(AnalysisConfig):
        number: int = 1

    own = pipeline.run(kept, plan)
    more_clusters, on_map = other_k(plan), replace(plan, cluster=ClusterConfig(KMeansConfig(3), "projection"))
    relabelled = replace(own.images.value, y=own.images.value.y[::-1].copy())
    changed = {
        "k": pipeline.run(kept, more_clusters),
        "coordinates": pipeline.run(kept, on_map),
        "labels": replace(own, images=replace(own.images, value=relabelled)),
    }
    expected = {
        ("latents",): set(),
        ("coordinates",): {"coordinates"},
        ("clustering",): {"k", "coordinates"},
        ("labels", "latents"): {"labels"},
        ("labels", "clustering"): {"labels", "k", "coordinates"},
    }
    base = analyses.ANALYSES[GraphConfig]
    for needs, differ in expected.items():
        monkeypatch.setattr(analyses, "ANALYSES", {Asked: replace(base, needs=needs)})
        keys = {name: analyses.key(found, Asked()) for name, found in changed.items()}
        assert {name for name, key in keys.items() if key != analyses.key(own, Asked())} == differ, needs
        jobs = {name: job_id(p, Asked()) for name, p in (("k", more_clusters), ("coordinates", on_map))}
        assert {name for name, key in jobs.items() if key != job_id(plan, Asked())} == differ - {"labels"}, needs
        assert analyses.key(own, Asked(2)) != analyses.key(own, Asked())


def test_what_is_no_analysis_is_one_sentence(kept, plan):
    class Nothing(AnalysisConfig):
        """Asks for nothing that there is."""

    with pytest.raises(ConfigError, match="Nothing is not an analysis"):
        analyses.analyse(kept, plan, Nothing())


def test_a_stopped_analysis_leaves_nothing(store, plan):
    pipeline.run(store, plan, "latents")

    def stop(progress):
        raise Cancelled

    config = GraphConfig(7)
    with pytest.raises(Cancelled):
        analyses.analyse(store, plan, config, stop)
    assert analyses.found(store, pipeline.run(store, plan, "latents"), config) is None
    assert not any(entry["stage"] == "neighbours" for entry in store.entries())


def _ended(jobs, job):
    end = time.monotonic() + PATIENCE
    while (now := jobs.get(job.id)).active:
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)
    return now


def test_a_job_makes_an_analysis_with_the_stages_it_needs(store, plan):
    jobs = Jobs(store, workers=1)
    try:
        job = jobs.start(plan, GraphConfig(3))
        assert jobs.start(plan, GraphConfig(3)).id == job.id != job_id(plan, GraphConfig(4))
        now = _ended(jobs, job)
        assert (now.state, now.error) == ("done", None)
        assert (now.progress.stage, now.progress.done) == ("Finding neighbours", 60)
        results = pipeline.run(store, plan, "latents")
        assert results.latents.found and not list(store.entries("projection"))
        assert analyses.found(store, results, GraphConfig(3)).value.rows.shape == (60, 3)
        failed = _ended(jobs, jobs.start(replace(plan, source=replace(plan.source, path="/nowhere")), GraphConfig(3)))
        assert failed.state == "failed" and "nowhere" in failed.error
    finally:
        jobs.close()
