"""A training goes on from its state as if it had never been interrupted: the same weights, bit for bit on a CPU."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from core import training, training_run
from core.architectures import ARCHITECTURES
from core.config import AutoencoderConfig, LayersConfig, TrainingConfig
from core.images import image_set
from core.progress import Cancelled
from core.store import Entry
from core.threads import cores
from core.training import train
from core.training_state import Position, from_entry, to_entry
from tests.made_up import blobs

SMALL = AutoencoderConfig(4, 4)
STRIDED = LayersConfig("conv(8,3,2,1) conv(12,3,2,1) relu", "deconv(8,2,2,0) relu deconv(c,2,2,0) sigmoid", 6)
NETWORKS = {"default": SMALL, "own layers": STRIDED, **{name: known.config for name, known in ARCHITECTURES.items()}}

SELF_LABELLED = TrainingConfig(
    epochs=3, batch_size=8, jitter=1.0, contrast=0.1, self_label_clusters=2, self_label_from=1, self_label_every=1
)


@pytest.fixture(autouse=True)
def kept_at_every_chance(monkeypatch):
    """States are kept between all batches, however long that takes."""
    monkeypatch.setattr(training, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(training, "KEEP_SHARE", 1e9)


def images(n=22, side=8, channels=1):
    return image_set(blobs(n, side, channels)[0])


def config(**changes):
    return TrainingConfig(**({"epochs": 3, "batch_size": 8, "learning_rate": 0.01} | changes))


def states(found, network=SMALL, settings=None, **more):
    """Train and return the model with all states on the way, as they come back from a store's entry."""
    kept = []
    model = train(found, network, settings or config(), keep=kept.append, **more)
    return model, [from_entry(Entry(*to_entry(state), 0.0)) for state in kept]


def losses(model):
    return [(item.epoch, item.train_loss, item.validation_loss) for item in model.history]


def same(one, other):
    assert losses(one) == losses(other)
    assert {n: (a.dtype, a.tobytes()) for n, a in one.weights.items()} == {
        n: (a.dtype, a.tobytes()) for n, a in other.weights.items()
    }


@pytest.mark.parametrize("precision", ["full", "mixed"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("name", NETWORKS)
def test_from_any_batch_on_the_weights_are_those_of_an_uninterrupted_training(name, optimizer, precision):
    known = ARCHITECTURES.get(name)
    side, channels = (8, 1) if known is None else (known.image_shape[0], known.image_shape[2])
    n, rate = (10, 4) if name == "conv-pool" else (22, 8)
    settings = config(
        optimizer=optimizer, precision=precision, weight_decay=1e-4, learning_rate=1e-3, batch_size=rate, epochs=2
    )
    found = images(n, side, channels)
    whole, kept = states(found, NETWORKS[name], settings)
    batches = -(-round(n * 0.9) // rate)
    assert [state.position for state in kept] == [
        Position(*divmod(i, batches)) for i in range(1, 2 * batches + 1)
    ]  # after each batch, the last of an epoch with its end
    for state in kept if name != "conv-pool" else kept[::2]:
        same(train(found, NETWORKS[name], settings, state=state), whole)


@pytest.mark.parametrize("loss", ["l1", "huber"])
def test_other_losses_and_images_to_validate_on_go_on_as_well(loss):
    settings, held_out = config(loss=loss, validation_share=0.0), images(9)
    whole, kept = states(images(), SMALL, settings, validation=held_out)
    same(train(images(), SMALL, settings, validation=held_out, state=kept[3]), whole)


@pytest.mark.parametrize("contrast", [0.0, 0.1])
@pytest.mark.parametrize("labels", [0, 2])
@pytest.mark.parametrize("precision", ["full", "mixed"])
def test_what_a_step_draws_and_how_long_it_is_go_on_as_well(contrast, labels, precision):
    settings = config(
        jitter=1.0, contrast=contrast, decay=0.5, precision=precision,
        self_label_clusters=labels, self_label_from=1, self_label_every=1,
    )  # fmt: skip
    whole, kept = states(images(), SMALL, settings)
    for state in kept[::3]:
        same(train(images(), SMALL, settings, state=state), whole)


def test_twice_interrupted_is_as_good_as_once():
    whole, kept = states(images())
    again = []
    train(images(), SMALL, config(), state=kept[1], keep=again.append)
    assert [state.position for state in again] == [state.position for state in kept[2:]]
    same(train(images(), SMALL, config(), state=again[2]), whole)


def test_more_epochs_go_on_from_where_fewer_ended():
    _, kept = states(images(), settings=config(epochs=2))
    seen, longer = [], config(epochs=5)
    more = train(images(), SMALL, longer, seen.append, state=kept[-1])
    same(more, train(images(), SMALL, longer))
    assert [p.metrics["epoch"] for p in seen if p.metrics and p.preview] == [3, 4, 5]


def test_a_state_at_the_last_epoch_is_the_model_without_a_step():
    whole, kept = states(images())
    same(train(images(), SMALL, config(), state=kept[-1]), whole)


def test_stopped_while_it_is_validated_it_goes_on_with_the_validation(monkeypatch):
    monkeypatch.setattr("core.steps.REPORT_SECONDS", 0.0)
    whole, kept, asked = train(images(), SMALL, config()), [], []

    def stop_in_validation(progress):
        asked.append(progress.done)
        if asked.count(6) == 1 and progress.preview is None:  # the last of 3 batches of the second epoch is done
            raise Cancelled

    stopped = train(images(), SMALL, config(), stop_in_validation, keep=kept.append)
    assert stopped.stopped_early
    assert len(stopped.history) == 1
    assert kept[-1].position == Position(1, 3)
    same(train(images(), SMALL, config(), state=kept[-1]), whole)


def test_stopped_twice_in_one_epoch_it_keeps_the_state_and_returns_what_was_complete(monkeypatch):
    monkeypatch.setattr("core.steps.REPORT_SECONDS", 0.0)
    monkeypatch.setattr(training, "KEEP_SECONDS", 1e9)
    kept, found = [], images(40)  # 5 batches an epoch

    def stop_at(done):
        def stop(progress):
            if progress.done == done:
                raise Cancelled

        return stop

    first = train(found, SMALL, config(), stop_at(7), keep=kept.append)
    second = train(found, SMALL, config(), stop_at(8), keep=kept.append, state=kept[0])
    assert [state.position for state in kept] == [Position(1, 2), Position(1, 3)]
    for stopped in (first, second):
        assert stopped.stopped_early
        same(stopped, train(found, SMALL, config(epochs=1)))
    same(train(found, SMALL, config(), state=kept[1]), train(found, SMALL, config()))


def test_stopped_in_the_first_epoch_it_keeps_the_state(monkeypatch):
    def stop(progress):
        raise Cancelled

    kept = []
    monkeypatch.setattr("core.steps.REPORT_SECONDS", 0.0)
    with pytest.raises(Cancelled):
        train(images(), SMALL, config(), stop, keep=kept.append)
    assert kept[-1].position == Position(0, 1)
    same(train(images(), SMALL, config(), state=kept[-1]), train(images(), SMALL, config()))


def test_what_went_on_says_from_where_and_counts_on_with_the_whole_history():
    whole, kept = states(images())
    seen = []
    train(images(), SMALL, config(), seen.append, state=kept[4])
    assert kept[4].position == Position(1, 2)
    first = seen[0]
    assert (first.done, first.total, first.seconds_left) == (5, 9, None)
    assert first.preview["went_on"] == "epoch 1 of 3, batch 2" and len(first.preview["history"]) == 1
    assert [(p.done, len(p.preview["history"])) for p in seen[1:] if p.preview] == [(6, 2), (9, 3)]
    assert losses(whole)[0] == tuple(first.preview["history"][0].__dict__.values())[:3]
    seen.clear()
    train(images(), SMALL, config(), seen.append)
    assert not any("went_on" in p.preview for p in seen if p.preview)


def test_time_left_is_estimated_from_what_this_process_did(monkeypatch):
    _, kept = states(images())
    monkeypatch.setattr("core.progress.time.monotonic", iter([0.0, 200.0, 203.0]).__next__)
    run = training._begun(images(), SMALL, config(), torch.device("cpu"), None)  # the clock starts at 0
    training_run.bring_back(run, kept[4])  # 5 of 9 batches, at 200
    run.batch += 1
    assert run.progress({}).seconds_left == pytest.approx(3.0 * 3)  # a batch took 3 s, 3 are left


def test_a_state_of_another_network_is_a_warning_and_a_training_from_the_start(caplog):
    _, kept = states(images(), AutoencoderConfig(5, 4))
    with caplog.at_level(logging.WARNING):
        model = train(images(), SMALL, config(), state=kept[2])
    same(model, train(images(), SMALL, config()))
    assert "cannot be used (it is of another network); it begins anew" in caplog.text


def test_a_state_of_another_optimiser_is_a_warning_and_leaves_no_trace(caplog):
    _, kept = states(images(), settings=config(optimizer="adam"))
    index = [[name.replace("optimizer.0.", "optimizer.99."), *rest] for name, *rest in kept[2].index]
    state = replace(kept[2], index=index)
    with caplog.at_level(logging.WARNING):
        same(train(images(), SMALL, config(), state=state), train(images(), SMALL, config()))
    assert "it begins anew" in caplog.text


@pytest.mark.parametrize("name", ["float32", "int64", "history"])
def test_an_entry_that_lacks_a_piece_is_no_state(name):
    _, kept = states(images())
    arrays, info = to_entry(kept[4])
    for piece in (arrays[name][:-1], None):
        broken = {key: piece if key == name else value for key, value in arrays.items()}
        broken = {key: value for key, value in broken.items() if value is not None}
        with pytest.raises((ValueError, LookupError)):
            from_entry(Entry(broken, info, 0.0))


def test_the_number_of_threads_is_the_states_and_comes_back_after_what_changes_it(monkeypatch):
    monkeypatch.setattr(training, "cores", lambda: 2)
    before, seen = torch.get_num_threads(), []

    def share(progress):
        seen.append(torch.get_num_threads())
        torch.set_num_threads(3)  # as a worker does whose share of the cores is another now

    try:
        _, kept = states(images())
        assert {state.threads for state in kept} == {2} and torch.get_num_threads() == before
        monkeypatch.setattr(training, "cores", lambda: 4)
        train(images(), SMALL, config(), share, state=kept[0])
        assert set(seen) == {2} and torch.get_num_threads() == 3  # the newest share holds again
    finally:
        torch.set_num_threads(before)


def test_more_threads_than_there_are_cores_are_not_started_and_a_warning_says_so(caplog):
    _, kept = states(images())
    with caplog.at_level(logging.WARNING):
        train(images(), SMALL, config(), state=replace(kept[0], threads=cores() + 5))
    assert f"begun with {cores() + 5} threads and goes on with {cores()}" in caplog.text


def test_another_device_or_release_of_pytorch_is_told(caplog):
    _, kept = states(images())
    with caplog.at_level(logging.WARNING):
        train(images(), SMALL, config(), state=replace(kept[0], torch="2.4.0", device="cuda"))
    assert "begun with PyTorch 2.4.0 on cuda and goes on" in caplog.text


def test_no_step_draws_a_random_number():
    # Else a state would have to hold the random states as well.
    network = LayersConfig(
        "conv(4,3,1,1) batchnorm leakyrelu(0.1) maxpool(2)", "deconv(4,2,2,0) relu deconv(c,1,1,0) sigmoid", 5
    )
    before, drawn = torch.get_rng_state(), []

    def note(progress):
        drawn.append(torch.equal(before, torch.get_rng_state()))

    for chosen, settings in ((network, config()), (SMALL, config()), (SMALL, SELF_LABELLED)):
        train(images(), chosen, settings, note)
    assert drawn and all(drawn)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("precision", ["mixed", "full"])
def test_a_gpu_goes_on_with_its_optimiser_and_its_scaler(precision):
    settings = config(precision=precision)
    whole, kept = states(images(), SMALL, settings, device="cuda")
    assert bool(kept[0].scaler) == (precision == "mixed")
    again = train(images(), SMALL, settings, device="cuda", state=kept[4])
    np.testing.assert_allclose(again.history[-1].train_loss, whole.history[-1].train_loss, rtol=1e-5)
