"""Training: repeatable, stoppable without loss, and honest about its losses."""

import numpy as np
import pytest
import torch

from core.autoencoders import from_model
from core.config import AutoencoderConfig, TrainingConfig
from core.devices import to_batch
from core.errors import ConfigError, TrainingError
from core.images import image_set
from core.jitter import jittered
from core.progress import Cancelled
from core.training import train
from tests.made_up import blobs

SMALL = AutoencoderConfig(4, 4)


def images(n=30, channels=1):
    return image_set(blobs(n, channels=channels)[0])


def config(**changes):
    return TrainingConfig(**({"epochs": 3, "batch_size": 8} | changes))


def stop_in(epoch):
    def callback(progress):
        if progress.preview is None and progress.metrics["epoch"] == epoch:
            raise Cancelled
        if progress.preview is not None and progress.metrics["epoch"] >= epoch - 1:
            raise Cancelled

    return callback


def test_same_seed_same_weights_other_seed_other_weights():
    first, second = train(images(), SMALL, config(seed=1)), train(images(), SMALL, config(seed=1))
    assert first.fingerprint == second.fingerprint
    assert train(images(), SMALL, config(seed=2)).fingerprint != first.fingerprint


def test_random_states_outside_are_neither_used_nor_changed():
    torch.manual_seed(5)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = train(images(), SMALL, config())
    assert torch.equal(before, torch.get_rng_state())
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002
    torch.manual_seed(6)
    assert train(images(), SMALL, config()).fingerprint == first.fingerprint


def test_stopped_after_two_epochs_is_the_training_of_two_epochs():
    stopped = train(images(), SMALL, config(epochs=9), stop_in(3))
    whole = train(images(), SMALL, config(epochs=2))
    assert stopped.stopped_early and not whole.stopped_early
    assert stopped.fingerprint == whole.fingerprint
    assert stopped.training == whole.training
    assert len(stopped.history) == 2


def test_stopped_in_the_first_epoch_leaves_nothing():
    def stop(progress):
        raise Cancelled

    # The first report comes after the first epoch at the latest, which is complete then.
    with pytest.raises(Cancelled):
        train(images(4000), SMALL, config(epochs=1, batch_size=1), stop)


def test_loss_falls_on_images_that_can_be_learnt():
    history = train(images(60), SMALL, config(epochs=20, learning_rate=0.01)).history
    assert history[-1].train_loss < history[0].train_loss / 2
    assert [item.epoch for item in history] == list(range(1, 21))


def test_a_loss_that_is_not_finite_ends_with_advice():
    with pytest.raises(TrainingError, match=r"learning_rate 1e\+20 .*Lower the learning rate"):
        train(images(), SMALL, config(optimizer="sgd", learning_rate=1e20, epochs=20))


@pytest.mark.parametrize("loss", ["mse", "l1", "huber"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_loss_and_optimizer_trains(loss, optimizer):
    model = train(images(), SMALL, config(loss=loss, optimizer=optimizer, epochs=1, weight_decay=1e-4))
    assert np.isfinite(model.history[0].train_loss)


def test_progress_rises_to_its_total_with_previews_of_held_out_images():
    seen = []
    found = images(30)
    train(found, SMALL, config(validation_share=0.4), seen.append)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert seen[-1].done == seen[-1].total == 3 * 3  # 18 images in batches of 8, three times
    previews = [p.preview for p in seen if p.preview is not None]
    assert [p["epoch"] for p in previews] == [1, 2, 3]
    assert previews[0]["originals"].shape == previews[0]["reconstructions"].shape == (8, 8, 8, 1)
    assert previews[0]["reconstructions"].dtype == np.uint8
    assert not np.array_equal(previews[0]["reconstructions"], previews[2]["reconstructions"])


def test_without_held_out_images_there_is_no_validation_loss():
    assert all(item.validation_loss is None for item in train(images(), SMALL, config(validation_share=0.0)).history)
    assert all(item.validation_loss is not None for item in train(images(), SMALL, config()).history)


@pytest.mark.parametrize(("n", "batch", "share"), [(2, 1, 0.5), (2, 8, 0.1), (9, 8, 0.0)])
def test_few_images_and_a_last_batch_of_one_train(n, batch, share):
    model = train(images(n, channels=3), SMALL, config(batch_size=batch, validation_share=share, epochs=1))
    assert model.image_shape == (8, 8, 3)


def test_weights_spoilt_by_the_very_last_step_are_not_returned(monkeypatch):
    step = torch.optim.SGD.step

    def spoil(self, *args):
        step(self, *args)
        with torch.no_grad():
            self.param_groups[0]["params"][0].fill_(torch.nan)

    monkeypatch.setattr(torch.optim.SGD, "step", spoil)
    with pytest.raises(TrainingError, match="weights are not finite after epoch 1"):
        train(images(8), SMALL, config(optimizer="sgd", epochs=1, validation_share=0.0))


def test_jitter_and_contrast_change_what_is_learnt_and_the_loss_stays_that_of_the_reconstruction():
    plain, turned, drawn = (
        train(images(), SMALL, config(**more)) for more in ({}, {"jitter": 1.0}, {"jitter": 1.0, "contrast": 50.0})
    )
    assert len({plain.fingerprint, turned.fingerprint, drawn.fingerprint}) == 3
    assert all(
        epoch.train_loss < 1 for epoch in drawn.history
    )  # pixels are in [0, 1]; 50 times the other loss is not


def test_contrast_draws_two_pictures_of_one_image_together():
    found = image_set(np.random.default_rng(0).integers(0, 255, (64, 16, 16, 1), np.uint8))

    def likeness(contrast):
        settings = config(
            epochs=30, batch_size=32, jitter=0.5, contrast=contrast, temperature=0.5, validation_share=0.0
        )
        module = from_model(train(found, SMALL, settings))
        random = np.random.default_rng(1)
        with torch.inference_mode():
            x = to_batch(found.x, torch.device("cpu"))
            one, other = (torch.nn.functional.normalize(module.encode(jittered(x, 0.5, random))) for _ in range(2))
            likeness = one @ other.T
        return float(likeness.diagonal().mean() - likeness.mean())

    assert likeness(1.0) > likeness(0.0) + 0.1


def test_decay_makes_later_steps_smaller_and_whole_trainings_stay_beginnings_of_longer_ones():
    few, more = (train(images(), SMALL, config(epochs=epochs, decay=1e-6)) for epochs in (1, 3))
    learnt = [name for name in few.weights if "running" not in name and "tracked" not in name]
    for name in learnt:
        np.testing.assert_allclose(few.weights[name], more.weights[name], atol=1e-6)
    stopped = train(images(), SMALL, config(epochs=3, decay=0.5), stop_in(2))
    assert stopped.fingerprint == train(images(), SMALL, config(epochs=1, decay=0.5)).fingerprint


def test_contrast_without_jitter_is_refused():
    with pytest.raises(ConfigError, match="set jitter above 0"):
        TrainingConfig(contrast=0.1)


def test_a_contrastive_loss_that_is_not_finite_stops_the_training():
    with pytest.raises(TrainingError, match="ran away"):
        train(images(), SMALL, config(jitter=1.0, contrast=100.0, optimizer="sgd", learning_rate=1e6, epochs=40))
