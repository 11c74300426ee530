"""The life of a map on the page: it goes on when the perplexity moves, and stays, marked, when it is stopped."""

import time
from dataclasses import replace

import numpy as np
import pytest
from pages import APP, TIMEOUT, buttons, fresh, metric, page, press, search, settled, texts
from streamlit.testing.v1 import AppTest

from core.config import TSNEConfig
from core.images import SampleSource, image_set
from core.jobs import Job
from core.plans import Plan, Results, Staged
from core.projection import Projection
from dashboard import scenes, server

__all__ = ["fresh"]
pytestmark = pytest.mark.xdist_group("dashboard")


def slider(at, label):
    return next(item for item in at.sidebar.slider if item.label == label)


def went_on(at, perplexity):
    return f"Went on from the map at perplexity {perplexity}." in texts(at)


def test_a_moved_perplexity_goes_on_from_the_map_that_is_there_until_it_is_begun_anew():
    at = AppTest.from_file(str(APP), default_timeout=TIMEOUT).run()
    assert "Went on" not in texts(at)
    for perplexity in (40, 55):
        slider(at, "perplexity").set_value(perplexity).run()
        assert not any(item.label == "Run" for item in at.button), "it follows the slider"
        settled(at, lambda at: went_on(at, 30))
        assert server.jobs().all()[-1].plan.start == TSNEConfig()
    link = "".join(at.query_params["view"])

    slider(at, "perplexity").set_value(30).run()
    assert "Went on" not in texts(at) and len(server.jobs().all()) == 2

    again = AppTest.from_file(str(APP), default_timeout=TIMEOUT)
    again.query_params["view"] = link
    again.run()
    assert not again.exception and went_on(again, 30) and slider(again, "perplexity").value == 55

    press(again, "begin anew")
    settled(again, lambda at: server.jobs().all()[-1].state == "done" and "Went on" not in texts(at))
    assert server.jobs().all()[-1].plan.start is None and len(server.jobs().all()) == 3
    slider(again, "perplexity").set_value(60).run()
    settled(again, lambda at: went_on(at, 55))
    slider(again, "perplexity").set_value(55).run()
    assert "Went on" not in texts(again) and not again.exception


def test_a_far_move_and_another_setting_begin_anew():
    at = page().run()
    slider(at, "perplexity").set_value(10).run()  # a third: the map would end worse
    assert any(item.label == "Run" for item in at.button) and server.jobs().all() == []
    slider(at, "perplexity").set_value(30).run()
    slider(at, "perplexity").set_value(40)
    slider(at, "n_iter").set_value(100).run()
    assert at.session_state["set.tsne.start"] == "" and server.jobs().all() == []


@pytest.mark.parametrize("start", ["x", "nan 0", "-3 ", "1e9 1", "30"])
def test_a_link_with_a_start_that_cannot_be_opens_the_map_begun_anew(start):
    at = page()
    at.session_state["set.tsne.start"] = start
    at.run()
    assert not at.exception and not at.error and "Went on" not in texts(at)


def stopped(at):
    """Run a long map, and stop it once it has shown itself; return its job."""
    slider(at, "n_iter").set_value(2000).run()
    press(at, "run")
    job = server.jobs().all()[-1]
    end = time.monotonic() + TIMEOUT
    while not (now := server.jobs().get(job.id)).preview or now.progress.stage != "t-SNE" or now.progress.done < 40:
        assert now.active and time.monotonic() < end
        time.sleep(0.02)
    server.jobs().cancel(job.id)
    settled(at, lambda at: "Unfinished" in texts_of_warnings(at))
    return server.jobs().get(job.id)


def texts_of_warnings(at):
    return " ".join(str(item.value) for item in at.warning)


def test_a_map_that_is_stopped_stays_marked_as_unfinished_until_it_is_dismissed():
    at = page().run()
    finished = metric(at, "KL")
    job = stopped(at)
    assert job.state == "cancelled"
    said = texts_of_warnings(at).replace("\\", "")
    assert (
        f"Unfinished: stopped at iteration {job.progress.done} of 2,250, KL {job.progress.metrics['kl_divergence']:.2f}."
        in said
    )
    assert None not in (finished, metric(at, "KL")) and metric(at, "KL") != finished
    assert not at.exception and not buttons(at) & {"Map as offline HTML", "Table CSV"}
    assert "The map is unfinished" in texts(at)
    search(at, "499")
    assert not at.exception and "Unfinished" in texts_of_warnings(at)
    assert not any(entry["info"]["config"].get("n_iter") == 2000 for entry in server.store().entries("projection"))

    again = page()  # after a reload
    again.session_state["set.tsne.n_iter"] = 2000
    again.run()
    assert "stopped at iteration" in texts_of_warnings(again)
    press(again, f"dismiss.{job.id}")
    assert "Unfinished" not in texts_of_warnings(again) and "Stopped before it was complete" in texts(again)
    assert not again.exception and buttons(again) & {"Map as offline HTML"}
    again.run()
    assert "Unfinished" not in texts_of_warnings(again)
    at.run()
    assert "Unfinished" in texts_of_warnings(at), "it was dismissed in the other session"


def test_a_stopped_map_is_made_when_it_is_to_go_on():
    at = page().run()
    job = stopped(at)
    press(at, f"again.{job.id}")
    assert server.jobs().get(job.id).active and "Unfinished" not in texts_of_warnings(at)
    settled(at, lambda at: not at.info and server.jobs().get(job.id).state == "done" and buttons(at))
    assert any(entry["info"]["config"].get("n_iter") == 2000 for entry in server.store().entries("projection"))


@pytest.mark.parametrize(("n", "chosen", "init"), [(5000, None, "pca"), (5001, None, "sample"), (9000, "pca", "pca")])
def test_a_map_of_many_images_starts_from_one_of_a_sample_by_default(n, chosen, init):
    def script(n):
        import streamlit as st

        from dashboard.sidebar import maps

        st.session_state["made"] = maps.projection(n, 32)[1]

    at = AppTest.from_function(script, args=(n,))
    if chosen:
        at.session_state["set.tsne.init"] = chosen
    at.run()
    assert not at.exception
    assert at.session_state["made"] == replace(TSNEConfig(), init=init)


@pytest.mark.parametrize("state", ["running", "cancelled"])
def test_a_map_whose_sample_forms_shows_the_sample_alone(state):
    rows, places = np.array([1, 4, 5]), np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    plan = Plan(SampleSource("digits"))
    shown = Results(
        Staged(image_set(np.zeros((6, 8, 8), np.uint8)), "images", True, 0.0),
        projection=Staged(Projection(np.ones((6, 2), np.float32)), "before", True, 0.0),
    )
    job = Job("made", plan, "projection", state, preview={"sample": places, "rows": rows})
    scene = scenes.Scene(plan, plan.projection, shown, "projection", 1.0)
    if state == "cancelled":
        scene = scenes.with_left(scene, job)
        assert scene.unfinished
        drawn = scene.shown
    else:
        drawn = scenes._forming(shown, job, "forming")
    np.testing.assert_array_equal(drawn.projection.value.coordinates[rows], places)
    np.testing.assert_array_equal(scenes.formed(scene, job), rows)
    assert scenes.formed(scene, replace(job, preview={"coordinates": np.ones((6, 2))})) is None
