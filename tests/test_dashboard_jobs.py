"""The Jobs page and the sign that leads to it: what runs, waits and ended, in any session."""

from dataclasses import replace

import pytest
from pages import APP, TIMEOUT, choose, fresh, page, press, settled, texts, tiny  # noqa: F401  fresh is a fixture
from streamlit.testing.v1 import AppTest

from core.config import AutoencoderConfig, ClusterConfig, KMeansConfig, TrainingConfig, TSNEConfig
from core.images import ArraySource, SampleSource, SubsetSource
from core.jobs import Job, process
from core.plans import Plan, TrainSpec
from core.sweep import SweepConfig
from dashboard import busy, components, job_words, server
from tests.test_jobs_odd import ODD_WORKER

pytestmark = pytest.mark.xdist_group("dashboard")


@pytest.fixture
def odd(monkeypatch):
    """Let workers be those of `odd_worker.py`."""
    monkeypatch.setattr(process, "PROGRAM", (str(ODD_WORKER),))


def plan(name, seed=0):
    """Return a plan whose job does what it is called, by training."""
    return Plan(ArraySource(f"/pictures/{name}.npy"), TrainSpec(AutoencoderConfig(4, 4), TrainingConfig(seed=seed)))


def has(at, key):
    return any(item.key == key for item in at.button)


def shown(at):
    return texts(at).replace("\\", "")


def test_without_a_job_the_page_says_what_a_job_is():
    at = page("jobs").run()
    assert not at.exception
    assert "No job has run" in at.info[0].value and "close or reload this tab" in at.info[0].value


def test_any_session_sees_what_runs_and_waits_and_can_stop_it(odd):
    jobs = server.jobs()
    running, waiting, third = (jobs.start(plan("slow", seed), "model") for seed in (1, 2, 3))
    at = page("jobs").run()
    settled(at, lambda at: "Half way: 2 of 5 steps" in shown(at) or any(at.get("progress")))
    assert not at.exception
    assert [item.value for item in at.subheader] == ["Running (1)", "Waiting (2)"]
    assert "**Training** · slow.npy" in shown(at)
    assert "latent_size 4, epochs 20, batch_size 128, learning_rate 0.001, seed 1" in shown(at)
    assert "next to start" in shown(at) and "1 job before it" in shown(at)
    press(at, f"stop.{third.id}")
    settled(at, lambda at: jobs.get(third.id).state == "cancelled")
    press(at, f"stop.{running.id}")
    settled(at, lambda at: jobs.get(running.id).state == "cancelled" and jobs.get(waiting.id).state == "running")
    at.run()
    assert [item.value for item in at.subheader] == ["Running (1)", "Ended (2)"]
    assert "Asked to stop." in " ".join(item.value for item in at.code)


def test_a_job_that_failed_says_why_and_can_be_tried_again(odd):
    job = server.jobs().start(plan("gone"), "images")
    at = page("jobs").run()
    settled(at, lambda at: at.error)
    assert "ended with code 7" in at.error[0].value and "It was at 40 %" in shown(at)
    press(at, f"again.{job.id}")
    assert server.jobs().get(job.id).run != job.run
    settled(at, lambda at: at.error)
    at.run()
    press(at, "clear")
    assert server.jobs().all() == [] and "No job has run" in at.info[0].value


def test_hostile_names_are_shown_letter_by_letter(odd):
    server.jobs().start(plan("ours-<b>_*[a](b)*\u202e"), "images")
    at = page("jobs").run()
    settled(at, lambda at: at.error)
    assert "ours\\-\\<b\\>\\_\\*\\[a\\]\\(b\\)\\*\\\\u202e.npy" in texts(at)
    assert components.printable("a\u202eb\tc\nd") == "a\\u202eb\\tc\nd"


def test_the_sign_says_what_runs_and_that_a_job_failed_until_that_was_seen(odd):
    def script():
        import streamlit as st

        from dashboard import busy

        st.session_state["told"] = busy.told()[0]

    at = AppTest.from_function(script, default_timeout=TIMEOUT).run()
    assert at.session_state["told"] == ""
    running, waiting = (server.jobs().start(plan("slow", seed), "model") for seed in (1, 2))
    settled(at, lambda at: at.session_state["told"] == "2 jobs: Slow 25 %")
    for job in (waiting, running):
        server.jobs().cancel(job.id)
    settled(at, lambda at: at.session_state["told"] == "")
    failed = server.jobs().start(plan("ours"), "images")
    settled(at, lambda at: at.session_state["told"] == "1 job failed")
    at.session_state["marked seen"] = {server.jobs().get(failed.id).run}
    assert at.run().session_state["told"] == ""
    assert busy.POLL_SECONDS >= 1


def test_the_app_has_the_sign_only_while_there_is_something_to_say(odd):
    at = AppTest.from_file(str(APP), default_timeout=TIMEOUT).run()
    assert not at.exception and not at.get("page_link")
    server.jobs().start(plan("slow"), "images")
    at.run()
    assert not at.exception
    (link,) = at.get("page_link")
    assert link.proto.label.startswith("1 job: ")


def test_a_stop_in_another_tab_is_told_apart_from_one_here(tmp_path, odd):
    tiny(tmp_path, name="stuck.npz")
    at = choose(page().run(), tmp_path / "stuck.npz")
    other = choose(page().run(), tmp_path / "stuck.npz")
    (job,) = server.jobs().all()
    press(at, f"stop.{job.id}")
    settled(at, lambda at: at.info)
    settled(other, lambda at: at.info)
    assert at.info[0].value == "Stopped before it was complete."
    assert other.info[0].value == "Stopped before it was complete, in another tab or before a reload."


def test_a_full_queue_is_an_error_in_its_place_and_no_dead_page(tmp_path, odd):
    server.jobs()._most = 0
    tiny(tmp_path)
    at = choose(page().run(), tmp_path / "tiny.npz")
    settled(at, lambda at: at.error)
    assert not at.exception
    assert "0 jobs are waiting, and no more may" in at.error[0].value
    assert at.sidebar.selectbox[0].label == "Data set"


def test_show_brings_back_the_settings_that_a_job_was_started_with(tmp_path):
    at = page().run()
    at.session_state["set.tsne.n_iter"] = 2000
    at.run()
    press(at, "run")
    job = server.jobs().all()[-1]
    server.jobs().cancel(job.id)
    assert job.origin["tsne.n_iter"] == 2000

    def script(name):
        import streamlit as st

        from dashboard import server, state
        from dashboard.views import explore, jobs

        state.keep_settings()
        job = server.jobs().get(name)
        st.button("Show", key="show", on_click=jobs._open, args=(job,))
        st.session_state["page"] = jobs._page(job)
        explore.show()

    other = AppTest.from_function(script, default_timeout=TIMEOUT, args=(job.id,)).run()
    assert other.session_state["set.tsne.n_iter"] == 500
    press(other, "show")
    assert not other.exception
    assert other.session_state["set.tsne.n_iter"] == 2000 and other.session_state["page"] == "explore"


@pytest.mark.parametrize(
    ("upto", "title", "settings"),
    [
        ("images", "Reading images", ""),
        ("model", "Training", "latent_size 4, epochs 20, batch_size 128, learning_rate 0.001, seed 0"),
        ("projection", "t-SNE map in 3-D", "perplexity 30, n_iter 500, seed 0"),
        ("clustering", "KMeans", "k 7, on latents"),
        (SweepConfig(ks=(2, 3, 4)), "Trying numbers of clusters", "k 2 to 4, on latents"),
    ],
)
def test_a_job_is_told_in_words(upto, title, settings):
    given = replace(plan("a"), projection=TSNEConfig(3), cluster=ClusterConfig(KMeansConfig(n_clusters=7)))
    job = Job("made", given, upto)
    assert (job_words.title(job), job_words.settings(job)) == (title, settings)


def test_images_are_named_by_what_they_are_a_part_of():
    assert job_words.images(SubsetSource(SampleSource("digits"), 100, ("3", "5"))) == "digits (3, 5; at most 100)"
    assert job_words.images(ArraySource("/deep/down/pictures.npz")) == "pictures.npz"
