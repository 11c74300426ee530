"""The Train page offers what was interrupted, goes on with it, and shows the whole of it."""

from dataclasses import replace

import numpy as np
import pytest

from core import keys, stages, trainings, usual_training
from core.config import AutoencoderConfig, TrainingConfig
from core.images import ArraySource
from core.plans import TrainSpec
from core.progress import Cancelled
from core.training_state import Position
from dashboard import server
from tests.pages import can_start, choose, fresh, page, press, settled, texts, tiny  # noqa: F401

EPOCHS = 4


@pytest.fixture
def left(tmp_path, monkeypatch):
    """A training of 4 epochs of 3 batches that was interrupted in its second epoch; returns its images' file."""
    monkeypatch.setattr("core.steps.REPORT_SECONDS", 0.0)
    path = tiny(tmp_path)
    found = stages.images(server.store(), ArraySource(str(path))).value

    def stop(progress):
        if progress.stage == "Training" and progress.done == 5:
            raise Cancelled

    stages.model(server.store(), spec(), found, stop)
    for item in list(server.store().entries("model")):  # a killed training leaves none
        server.store().drop("model", item["key"])
    return path


def spec(epochs=EPOCHS):
    return TrainSpec(AutoencoderConfig(4, 4), TrainingConfig(epochs=epochs, batch_size=8, validation_share=0.0))


def button(at, label):
    return next(item for item in at.button if item.label == label)


def said(at):
    return texts(at) + " " + " ".join(str(item.value) for item in at.success)


def test_an_interrupted_training_is_offered_and_goes_on(left):
    at = choose(page("train").run(), left)
    assert "Interrupted after epoch 1 of 4, batch 2 \\(" in said(at) and "default, 4 latents" in said(at)
    button(at, "Go on").click().run()
    assert "Interrupted" not in said(at)
    settled(at, lambda at: "Trained for 4 epochs" in said(at))
    assert "It went on after epoch 1 of 4, batch 2" in said(at)
    assert [item.epoch for item in server.jobs().all()[-1].preview["history"]] == [1, 2, 3, 4]
    assert "Interrupted" not in said(at)
    found = stages.images(server.store(), ArraySource(str(left))).value
    assert server.store().has("model", keys.model_key(found, spec()))


def test_an_interrupted_training_can_be_discarded(left):
    at = choose(page("train").run(), left)
    button(at, "Discard").click().run()
    assert "Interrupted" not in said(at)
    assert list(server.store().entries(trainings.STAGE)) == []


def test_the_same_settings_go_on_by_themselves_and_more_epochs_after_that(left):
    at = choose(page("train").run(), left)
    for name, chosen in {
        "latent_size": 4, "width": 4, "epochs": EPOCHS, "batch_size": 16, "validation_share": 0.0, "value_range": "unit",
    }.items():  # fmt: skip
        at.session_state[f"set.train.{name}"] = chosen
    at.run()
    press(at, "start")  # other settings, a batch size of 16: nothing to go on from
    settled(at, lambda at: "Trained for 4 epochs" in said(at))
    assert "It went on" not in said(at) and "Interrupted" in said(at)
    at.session_state["set.train.epochs"] = 6
    press(at.run(), "start")
    settled(at, lambda at: "Trained for 6 epochs" in said(at))
    assert "It went on after epoch 4 of 6" in said(at)


def test_a_stopped_training_says_where_it_stopped_and_goes_on(tmp_path):
    at = settled(choose(page("train").run(), tiny(tmp_path)), can_start)
    at.session_state["set.train.epochs"] = 10_000
    at.session_state["set.train.width"] = 4
    press(at.run(), "start")
    settled(at, lambda at: (now := server.jobs().all()[-1]).preview and now.preview["epoch"] >= 2)
    button(at, "Stop").click().run()
    settled(at, lambda at: "Stopped after" in said(at))
    found = stages.images(server.store(), ArraySource(str(tmp_path / "tiny.npz"))).value
    (kept,) = trainings.interrupted(server.store(), found)
    assert kept.position >= Position(2)
    assert f"Stopped after {kept.position.epoch:,} epochs" in said(at) and "Interrupted" not in said(at)
    button(at, "Go on").click().run()
    settled(at, lambda at: "It went on after epoch" in said(at))
    assert server.jobs().all()[-1].active


def test_settings_nobody_moved_follow_the_images_and_those_that_were_moved_stay(tmp_path):
    at = settled(choose(page("train").run(), tiny(tmp_path)), can_start)
    usual = usual_training.usual((8, 8, 1), 24, 2).training
    assert at.session_state["set.train.epochs"] == usual.epochs == 100
    assert at.session_state["set.train.batch_size"] == usual.batch_size
    at.session_state["set.train.learning_rate"] = 1e-4
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "more.npz", x=rng.integers(0, 255, (3000, 8, 8, 3), np.uint8), y=np.arange(3000) % 4)
    settled(choose(at, tmp_path / "more.npz"), lambda at: "3,000 images" in said(at))
    more = usual_training.usual((8, 8, 3), 3000, 4).training
    assert more.epochs < 100
    for name in ("epochs", "batch_size", "decay", "jitter", "contrast", "self_label_clusters", "self_label_from"):
        assert at.session_state[f"set.train.{name}"] == getattr(more, name)
    assert at.session_state["set.train.learning_rate"] == 1e-4 and at.session_state["set.train.latent_size"] == 32
    button(at, "Train").click().run()
    assert server.jobs().all()[-1].plan.model.training == replace(more, learning_rate=1e-4)


def test_what_is_not_wanted_is_not_asked_further_and_not_trained_with(tmp_path):
    at = settled(choose(page("train").run(), tiny(tmp_path)), can_start)
    at.session_state["set.train.jitter"] = 0.0
    at.run()
    assert not {"contrast", "temperature", "self_label_clusters"} & {
        getattr(item, "label", "") for kind in (at.slider, at.select_slider, at.number_input) for item in kind
    }
    press(at, "start")
    made = server.jobs().all()[-1].plan.model.training
    assert (made.jitter, made.contrast, made.self_label_clusters) == (0.0, 0.0, 0)


def test_a_model_is_trained_from_explore_with_one_press(tmp_path):
    at = settled(choose(page().run(), tiny(tmp_path)), lambda at: "no model for these images yet" in texts(at))
    button(at, "Train the default autoencoder, 100 epochs").click().run()
    assert "The model is trained first" in texts(at)
    job = server.jobs().all()[-1]
    assert job.plan.model == usual_training.usual((8, 8, 1), 24, 2) and job.active
    settled(at, lambda at: "images selected" in texts(at))
    assert not at.exception and at.session_state["kept"]
