"""Trainings in the store: a model that is found, gone on with or trained, and the states that trainings leave.

A state lies under the key of its training without the number of epochs, so that one of more epochs goes on from where one of
fewer ended. A newer state is written whole before the one it replaces is dropped: there is always one.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core import features, models
from core.config import FeaturesConfig, TrainingConfig, from_json, to_json
from core.errors import ConfigError, DataError
from core.images import ImageSet, source_from_json, source_to_json
from core.keys import model_key, training_key
from core.models import TrainedModel
from core.plans import Staged, TrainSpec
from core.progress import Callback
from core.store import Store, key_of
from core.training_state import Position, State, from_entry, to_entry

STAGE = "training"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Interrupted:
    """A training that ended before its last epoch: `of` is its key, `made` when its state was kept."""

    of: str
    spec: TrainSpec
    position: Position
    made: str


def trained(
    store: Store,
    spec: TrainSpec,
    learnt: ImageSet,
    validation: ImageSet | None,
    callback: Callback,
    device: str | None,
) -> Staged[TrainedModel]:
    """Find a model in the store, or train it, from the last state that a training of it left."""
    key = model_key(learnt, spec, validation)
    of = training_key(learnt, spec, validation)

    def found() -> Staged[TrainedModel] | None:
        entry = store.get("model", key)
        return None if entry is None else Staged(models.from_entry(entry), key, True, entry.seconds)

    if (there := found()) is not None:
        return there
    with store.making(STAGE, of, callback):  # no two write one training's states, whatever their numbers of epochs
        return found() or _train(store, spec, learnt, validation, callback, device)


def _train(
    store: Store,
    spec: TrainSpec,
    learnt: ImageSet,
    validation: ImageSet | None,
    callback: Callback,
    device: str | None,
) -> Staged[TrainedModel]:
    from core.training import train  # torch

    key, of = model_key(learnt, spec, validation), training_key(learnt, spec, validation)
    found = None
    if isinstance(spec.autoencoder, FeaturesConfig):
        own = features.compute(store, spec.autoencoder, learnt, callback, device)
        other = own if validation is None else features.compute(store, spec.autoencoder, validation, callback, device)
        found = own, other
    state = _latest(store, of, spec.training.epochs)
    started = time.perf_counter() - (0.0 if state is None else state.spent)

    def keep(value: TrainedModel) -> str:
        # A model after e epochs is exactly the one trained for e epochs, stopped or not: it gets that key.
        place = model_key(learnt, replace(spec, training=value.training or spec.training), validation)
        arrays, info = models.to_entry(value)
        store.put("model", place, arrays, {**info, "images": learnt.fingerprint}, time.perf_counter() - started)
        return place

    told = {"of": of, "model": key, "images": learnt.fingerprint, "spec": _spec_to_json(spec)}
    value = train(
        learnt, spec.autoencoder, spec.training, callback, device, validation=validation, features=found,
        checkpoint=keep, checkpoint_every=spec.checkpoint_every, state=state, keep=_keeper(store, told, spec.training.epochs),
    )  # fmt: skip
    place = keep(value)
    if not value.stopped_early:
        _only_the_furthest(store, of)
    return Staged(value, place, False, time.perf_counter() - started)


def interrupted(store: Store, images: ImageSet) -> list[Interrupted]:
    """List the trainings on these images that ended before their last epoch and can go on, newest first."""
    found = []
    for item in sorted(store.entries(STAGE), key=lambda item: str(item.get("made")), reverse=True):
        info = item["info"]
        try:
            spec, position = _spec_from_json(info["spec"]), Position(info["epoch"], info["batch"])
            if info["images"] != images.fingerprint or position >= Position(spec.training.epochs):
                continue
            if not store.has("model", info["model"]):
                found.append(Interrupted(info["of"], spec, position, str(item["made"])))
        except (ConfigError, DataError, LookupError, TypeError, AttributeError):
            continue  # not one of this version
    return found


def discard(store: Store, of: str) -> None:
    """Drop the states of a training, so that it begins anew; models that it left stay."""
    for _, key in _states(store, of):
        store.drop(STAGE, key)


def _states(store: Store, of: str) -> list[tuple[Position, str]]:
    """Return position and store key of the states of a training, the furthest first."""
    found = [item for item in store.entries(STAGE) if item["info"].get("of") == of]
    at = [(Position(int(item["info"]["epoch"]), int(item["info"]["batch"])), str(item["key"])) for item in found]
    return sorted(at, reverse=True)


def _latest(store: Store, of: str, epochs: int) -> State | None:
    """Return the furthest state of a training that is whole and not beyond so many epochs."""
    for position, key in _states(store, of):
        if position > Position(epochs) or (entry := store.get(STAGE, key)) is None:
            continue
        try:
            return from_entry(entry)
        except (ValueError, TypeError, LookupError) as error:
            _log.warning("The state of a training at %s cannot be used: %s.", position.text(epochs), error)
            store.drop(STAGE, key)
    return None


def _keeper(store: Store, told: Mapping[str, Any], epochs: int) -> Callable[[State], None]:
    """Return a function that keeps a state in place of those before it."""
    on_disk = [key for position, key in _states(store, told["of"]) if position <= Position(epochs)]
    in_memory: list[str] = []

    def keep(state: State) -> None:
        arrays, info = to_entry(state)
        key = key_of(1, told["of"], epochs, state.position.epoch, state.position.batch)
        store.put(STAGE, key, arrays, {**told, **info}, state.spent)
        written = store.problem is None  # else the one on the disk is still what a killed program leaves
        for old in {*in_memory, *(on_disk if written else ())} - {key}:
            store.drop(STAGE, old)
        in_memory[:] = [] if written else [key]
        on_disk[:] = [key] if written else on_disk

    return keep


def _only_the_furthest(store: Store, of: str) -> None:
    """Drop all states of a training that has ended but the one that more epochs can go on from."""
    for _, key in _states(store, of)[1:]:
        store.drop(STAGE, key)


def _spec_to_json(spec: TrainSpec) -> dict[str, Any]:
    sources = {name: getattr(spec, name) and source_to_json(getattr(spec, name)) for name in ("data", "validation")}
    configs = {"autoencoder": to_json(spec.autoencoder), "training": to_json(spec.training)}
    return {**configs, **sources, "checkpoint_every": spec.checkpoint_every}


def _spec_from_json(values: Mapping[str, Any]) -> TrainSpec:
    training = from_json(values["training"])
    if not isinstance(training, TrainingConfig):
        raise ConfigError("the settings are not those of a training.")
    data, validation = (values[name] and source_from_json(values[name]) for name in ("data", "validation"))
    return TrainSpec(from_json(values["autoencoder"]), training, data, validation, values["checkpoint_every"])
