"""Jobs in a real worker process: progress, results in the store, stopping, and surviving a dead worker."""

import os
import signal
from dataclasses import replace

import made_up
import numpy as np
import pytest

from core import pipeline, plans
from core.jobs import Jobs, job_id
from core.store import Store
from tests.waiting import PATIENCE, end_of, until


@pytest.fixture(scope="module")
def image_file(tmp_path_factory):
    """A tiny file of images."""
    return made_up.write(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Jobs with one warm worker, for tests that leave it alive."""
    jobs = Jobs(Store(tmp_path_factory.mktemp("store")), workers=1)
    yield jobs
    jobs.close()


@pytest.fixture
def jobs(store):
    """Jobs with a worker of their own."""
    jobs = Jobs(store, workers=1)
    yield jobs
    jobs.close()


def _training(jobs, job):
    """Wait until a job has completed an epoch."""
    return until(lambda: (now := jobs.get(job.id)) and now.preview and now)


def test_a_job_reports_progress_and_leaves_its_results_in_the_store(shared, image_file):
    plan = made_up.plan(image_file)
    job = shared.start(plan, "clustering")
    assert job.state == "waiting"
    seen = until(lambda: shared.get(job.id).progress)
    assert seen.preview is None
    now = end_of(shared, job)
    assert (now.state, now.error) == ("done", None)
    assert now.seconds > 0
    assert {"originals", "reconstructions"} <= set(now.preview) or "coordinates" in now.preview
    results = pipeline.run(Store(shared._store.root), plan)
    assert all(
        getattr(results, stage).found for stage in plans.STAGES if stage != "manifold"
    )  # of which it has no use


def test_the_same_plan_is_one_job_and_another_stage_is_another(shared, image_file):
    plan = made_up.plan(image_file, seed=1)
    first = shared.start(plan, "model")
    assert shared.start(made_up.plan(image_file, seed=1), "model").id == first.id
    assert job_id(plan, "latents") != first.id
    assert [job.id for job in shared.all()].count(first.id) == 1
    assert end_of(shared, first).state == "done"


def test_a_mistake_is_the_jobs_error_and_can_be_forgotten(shared, image_file):
    job = shared.start(made_up.plan(image_file, perplexity=50.0), "projection")
    ended = end_of(shared, job)
    assert ended.state == "failed"
    assert "erplexity 50" in ended.error
    assert "60" in ended.error
    shared.forget(job.id)
    assert shared.get(job.id) is None


def test_stopping_a_training_keeps_its_complete_epochs(shared, image_file):
    plan = made_up.plan(image_file, epochs=50_000)
    training = replace(plan.model.training, seed=77)  # that no other test of this store trains with
    plan = replace(plan, model=replace(plan.model, training=training))
    job = shared.start(plan, "model")
    _training(shared, job)
    shared.cancel(job.id)
    assert end_of(shared, job).state == "cancelled"
    store = Store(shared._store.root)
    (kept,) = [item["info"]["training"] for item in store.entries("model") if item["info"]["training"]["seed"] == 77]
    assert 1 <= kept["epochs"] < 50_000


def test_a_waiting_job_is_stopped_at_once_and_a_late_stop_does_not_hit_the_next_job(shared, image_file):
    running = shared.start(made_up.plan(image_file, epochs=50_000, seed=2), "model")
    waiting = shared.start(made_up.plan(image_file, seed=3), "model")
    _training(shared, running)
    shared.cancel(waiting.id)
    assert shared.get(waiting.id).state == "cancelled"
    for _ in range(5):
        shared.cancel(running.id)
    after = shared.start(made_up.plan(image_file, seed=4), "model")
    assert end_of(shared, running).state == "cancelled"
    shared.cancel(running.id)  # has ended: nothing happens
    assert end_of(shared, after).state == "done"
    assert shared.get(waiting.id).started is None


def test_a_killed_worker_is_a_sentence_and_the_next_job_gets_a_new_one(jobs, image_file):
    job = jobs.start(made_up.plan(image_file, epochs=50_000), "model")
    _training(jobs, job)
    os.kill(jobs._running[job.id].pid, signal.SIGKILL)
    ended = end_of(jobs, job)
    assert ended.state == "failed"
    assert ended.error.startswith("The worker process was killed")
    assert end_of(jobs, jobs.start(made_up.plan(image_file), "images")).state == "done"


def test_closing_stops_the_running_job_and_keeps_its_epochs(store, image_file):
    jobs = Jobs(store, workers=1)
    running = jobs.start(made_up.plan(image_file, epochs=50_000), "model")
    waiting = jobs.start(made_up.plan(image_file, seed=5), "model")
    _training(jobs, running)
    jobs.close(seconds=PATIENCE)
    assert (jobs.get(running.id).state, jobs.get(waiting.id).state) == ("cancelled", "cancelled")
    assert len(list(store.entries("model"))) == 1


def test_what_a_worker_cannot_write_reaches_the_caller_and_the_next_worker(tmp_path, image_file):
    blocked = tmp_path / "store"
    blocked.write_text("a file where the folder should be")
    store = Store(blocked)
    jobs = Jobs(store, workers=1)
    try:
        plan = made_up.plan(image_file)
        assert end_of(jobs, jobs.start(plan, "model")).state == "done"
        assert "cannot be written" in store.problem
        (place,) = [place for place in store.unsaved if place[0] == "model"]
        made = store.unsaved[place]
        assert end_of(jobs, jobs.start(plan, "latents")).state == "done"
        assert store.unsaved[place] is made  # not trained again
        results = pipeline.run(store, plan, "latents")
        assert results.latents.found
        with pytest.raises(ValueError, match="read-only"):
            results.latents.value.errors[0] = np.nan
    finally:
        jobs.close()
