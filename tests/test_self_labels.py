"""Labels that a training gives its own images: right where they are sure, and learnt from."""

import numpy as np
import pytest
import torch

from core import self_labels
from core.config import AutoencoderConfig, TrainingConfig
from core.errors import ConfigError
from core.images import image_set
from core.progress import Cancelled
from core.self_labels import Head, agreement_loss, check_size, find, sample
from core.training import train
from tests.made_up import blobs

SETTINGS = {"epochs": 2, "batch_size": 16, "jitter": 0.5, "self_label_from": 1, "self_label_every": 1}


def groups(n=90, k=3, apart=4.0):
    """Points of k groups in 5 dimensions, and their groups."""
    random = np.random.default_rng(0)
    y = np.arange(n) % k
    centers = random.normal(size=(k, 5)) * apart
    return (centers[y] + random.normal(size=(n, 5))).astype(np.float32), y


def test_clusters_are_found_under_the_images_own_rows():
    values, y = groups()
    rows = np.arange(len(values)) * 3 + 1
    found = find(rows, values, 3, 0)
    of = (found.rows - 1) // 3
    assert len(of) > 60 and (np.diff(found.rows) > 0).all()
    assert all(len(set(y[of][found.labels == label])) == 1 for label in range(3))


def test_images_between_two_clusters_are_left_out():
    values, _ = groups(180, 2, apart=3.0)
    middle = values[:2].mean(axis=0) + np.random.default_rng(1).normal(size=(20, 5)).astype(np.float32) * 2
    found = find(np.arange(200), np.concatenate([values, middle.astype(np.float32)]), 2, 0)
    assert np.isin(np.arange(180, 200), found.rows).mean() < np.isin(np.arange(180), found.rows).mean()


def test_an_island_is_given_to_the_cluster_of_its_further_neighbours():
    values, y = groups(450, apart=8.0)
    random = np.random.default_rng(2)
    island = values[y == 0].mean(axis=0) + np.array([7, 0, 0, 0, 0]) + random.normal(size=(25, 5)) * 0.3
    found = find(np.arange(475), np.concatenate([values, island.astype(np.float32)]), 3, 0)
    label_of = dict(zip(found.rows.tolist(), found.labels.tolist(), strict=True))
    (group,) = {label_of[row] for row in np.flatnonzero(y == 0) if row in label_of}
    given = [label_of[row] for row in range(450, 475) if row in label_of]
    assert len(given) > 12 and set(given) == {group}
    kept = [np.isin(np.flatnonzero(y == group), found.rows).mean() for group in range(3)]
    assert min(kept) > 0.6 and max(kept) < 0.9


@pytest.mark.parametrize(("n", "k"), [(17, 2), (17, 8), (40, 20)])
def test_as_few_images_as_there_may_be_are_clustered(n, k):
    check_size(k, n)
    found = find(np.arange(n), np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32), k, 0)
    assert set(found.labels) <= set(range(k))
    with pytest.raises(ConfigError, match="needs at least"):
        check_size(k, n - 1)


def test_the_same_seed_finds_the_same():
    values, _ = groups(apart=1.0)
    first, again = (find(np.arange(90), values, 3, 5) for _ in range(2))
    np.testing.assert_array_equal(first.rows, again.rows)
    np.testing.assert_array_equal(first.labels, again.labels)


def test_of_many_images_a_sample_is_looked_at(monkeypatch):
    monkeypatch.setattr(self_labels, "SAMPLE", 10)
    rows = np.arange(100, 150)
    found = sample(rows, np.random.default_rng(0))
    assert len(set(found)) == 10 and set(found) <= set(rows) and (np.diff(found) > 0).all()
    np.testing.assert_array_equal(sample(rows[:10], np.random.default_rng(0)), rows[:10])


def test_only_what_the_network_is_sure_of_is_learnt_from():
    sure, unsure = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.2, 0.0]])
    view = torch.tensor([[0.0, 1.0]], requires_grad=True)
    assert agreement_loss(unsure, (view, view)).item() == 0
    loss = agreement_loss(sure, (view,))
    assert loss.item() == pytest.approx(float(torch.log(1 + torch.exp(torch.tensor(1.0)))), rel=1e-6)
    loss.backward()
    assert view.grad is not None and bool((view.grad != 0).all())


def test_a_head_knows_directions_and_begins_anew_the_same():
    head, latents = Head(4, 3, 1), torch.rand(5, 4)
    torch.testing.assert_close(head(latents), head(latents * 9))
    before = head(latents)
    head.begin(2)
    assert not torch.equal(before, head(latents))
    head.begin(1)
    assert torch.equal(before, head(latents))


def test_clusters_are_looked_for_when_they_are_due(monkeypatch):
    looked = []
    real = self_labels.find

    def find(rows, latents, k, seed, callback):
        looked.append((len(rows), k))
        return real(rows, latents, k, seed, callback)

    monkeypatch.setattr(self_labels, "find", find)
    settings = TrainingConfig(
        **SETTINGS | {"epochs": 6, "self_label_from": 2, "self_label_every": 3, "self_label_clusters": 2}
    )
    found = image_set(blobs(40)[0])
    train(found, AutoencoderConfig(4, 4), settings)
    assert looked == [(36, 2)] * 2  # before epochs 3 and 6; a tenth is held out


def test_what_is_learnt_from_them_changes_the_weights():
    found = image_set(blobs(40)[0])
    none, some = (
        train(found, AutoencoderConfig(4, 4), TrainingConfig(**SETTINGS | {"self_label_clusters": k})) for k in (0, 2)
    )
    assert none.fingerprint != some.fingerprint
    assert none.weights.keys() == some.weights.keys()  # what says the labels is no part of the model


def test_images_that_are_not_labelled_follow_what_the_network_is_sure_of(monkeypatch):
    found, settings = image_set(blobs(40)[0]), TrainingConfig(**SETTINGS | {"self_label_clusters": 2})
    monkeypatch.setattr(self_labels, "SURE", 0.0)
    learnt = train(found, AutoencoderConfig(4, 4), settings)
    monkeypatch.setattr(self_labels, "agreement_loss", lambda plain, views: 0 * plain.sum())
    assert train(found, AutoencoderConfig(4, 4), settings).fingerprint != learnt.fingerprint


def test_a_training_says_that_it_looks_for_clusters():
    seen = []
    settings = TrainingConfig(**SETTINGS | {"self_label_clusters": 2})
    train(image_set(blobs(40)[0]), AutoencoderConfig(4, 4), settings, seen.append)
    stages = {progress.stage for progress in seen}
    assert "Training" in stages and any(stage.startswith("Looking for clusters: ") for stage in stages)


def test_a_training_is_stopped_while_it_looks_for_clusters():
    asked = []

    def stop(progress):
        asked.append(progress)
        if progress.preview is None and progress.metrics == {"epoch": 2}:
            raise Cancelled

    stopped = train(
        image_set(blobs(40)[0]),
        AutoencoderConfig(4, 4),
        TrainingConfig(**SETTINGS | {"self_label_clusters": 2}),
        stop,
    )
    assert stopped.stopped_early and len(stopped.history) == 1


def test_too_few_images_and_settings_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="needs at least 17 images; there are 9"):
        train(
            image_set(blobs(10)[0]), AutoencoderConfig(4, 4), TrainingConfig(**SETTINGS | {"self_label_clusters": 2})
        )
    with pytest.raises(ConfigError, match="set jitter above 0"):
        TrainingConfig(self_label_clusters=10)
