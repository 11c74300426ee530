"""What an analyst can choose from: models, networks, architectures."""

import os
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core import checkpoints, keys, pretrained, stages
from core.architectures import DEFAULT, name_of
from core.config import (
    FeaturesConfig,
    ModelConfig,
    from_json,
)
from core.errors import ConfigError, ExplorerError
from core.images import SAMPLES, ImageSet
from core.models import TrainedModel
from core.plans import (
    KeptModel,
    ModelRef,
    StoredModel,
    TrainedClassifier,
    TrainSpec,
)
from core.usual_training import usual
from dashboard.caches import cached
from dashboard.inputs import model_stamp
from dashboard.server import store

ALLOWED = "EMBEDDING_EXPLORER_CLASSIFIERS"


@dataclass(frozen=True)
class ModelChoice:
    """A model that fits the images, with a text for people, and its key when it lies in the store; `made` when it is there."""

    ref: ModelRef
    text: str
    key: str | None = None
    made: bool = True


def allowed_imports() -> tuple[str, ...]:
    """Return the import paths of networks that whoever started the server allows, parted by ";"."""
    return tuple(path.strip() for path in os.environ.get(ALLOWED, "").split(";") if path.strip())


@st.cache_data(show_spinner="Loading the list of networks…")
def _torchvision_names() -> tuple[str, ...]:
    from torchvision import models as networks

    return tuple(networks.list_models(module=networks))


def classifier_names() -> tuple[str, ...]:
    """Return the networks that can be chosen: those that may be imported, then torchvision's."""
    return (*allowed_imports(), *_torchvision_names())


def check_allowed(ref: TrainedClassifier) -> None:
    """Check that a network may be imported here.

    Raises
    ------
    ConfigError : it may not.
    """
    if ":" in ref.config.model and ref.config.model not in allowed_imports():
        raise ConfigError(
            f"{ref.config.model!r} may not be imported here; whoever starts the program must name it in {ALLOWED}."
        )


def model_choices(found: ImageSet) -> list[ModelChoice]:
    """List the models that read images of this shape.

    Samples' own, kept ones, trained ones; and, yet to be trained, the usual one and pretrained features.
    """
    choices: list[ModelChoice] = []
    for name in (*SAMPLES, *checkpoints.names(checkpoints.models_root())):
        try:
            known = _described(model_stamp(KeptModel(name)), KeptModel(name))
        except ExplorerError:
            continue  # a kept model that cannot be read is named on the Train page
        if known.image_shape == found.image_shape:
            origin = "comes with the sample" if name in SAMPLES else "kept"
            choices.append(ModelChoice(KeptModel(name), f"{name} ({origin})"))
    for item in sorted(trained_on(found), key=lambda item: str(item["made"]), reverse=True):
        spec, key = _spec(item), str(item["key"])
        # Validated on other images, a model has another key; its spec does not say which.
        ref = spec if keys.model_key(found, spec) == key else StoredModel(key)
        choices.append(ModelChoice(ref, f"trained here: {_told(spec, item)}", key))
    for item in store().entries("model"):
        info = item["info"]
        if info.get("images") != found.fingerprint and tuple(info.get("image_shape", ())) == found.image_shape:
            text = f"trained on {info.get('trained_on') or 'other images'}: {_told(_spec(item), item)}"
            choices.append(ModelChoice(StoredModel(str(item["key"])), text, str(item["key"])))
    there = {choice.ref for choice in choices}
    usual = usual_of(found)
    text = f"default autoencoder, {usual.training.epochs} epochs (to be trained)"
    begun = [ModelChoice(usual, text, made=False), *_features()]
    return choices + [choice for choice in begun if choice.ref not in there]


def usual_of(found: ImageSet) -> TrainSpec:
    """Return the model that is trained on these images unless something else is asked for."""
    return usual(found.image_shape, len(found), len(found.classes))


def _features() -> list[ModelChoice]:
    """List the features of the pretrained networks that are on this computer; their decoder is yet to be trained."""
    choices = []
    for name in _pretrained_names():
        try:
            config = _pretrained(name)
        except ExplorerError:
            continue  # its weights cannot be read
        choices.append(
            ModelChoice(TrainSpec(config, pretrained.TRAINING), f"pretrained features: {name}", made=False)
        )
    return choices


@st.cache_data(ttl=60, show_spinner="Looking for pretrained networks…")
def _pretrained_names() -> tuple[str, ...]:
    return pretrained.available()


@st.cache_data(ttl=600, max_entries=50, show_spinner="Looking at a pretrained network…")
def _pretrained(name: str) -> FeaturesConfig:
    return pretrained.choose(name)


def how_to_install() -> str | None:
    """Return the command that brings pretrained features, or None where there are any."""
    return None if _pretrained_names() else next(iter(pretrained.PACKAGES.values())).install


def _spec(item: Any) -> TrainSpec:
    return TrainSpec(from_json(item["info"]["autoencoder"]), from_json(item["info"]["training"]))


def _told(spec: TrainSpec, item: Any) -> str:
    name = name_of(spec.autoencoder)
    size = "" if spec.autoencoder.latent_size is None else f"{spec.autoencoder.latent_size} latents, "
    made = str(item["made"])[:16].replace("T", " ")
    return f"{'' if name == DEFAULT else name + ', '}{size}{spec.training.epochs} epochs, {made}"


def trained_on(found: ImageSet) -> list[Any]:
    """Return the store's sidecars of models trained on these images and not thrown away since."""
    return [item for item in store().entries("model") if item["info"].get("images") == found.fingerprint]


@cached(max_entries=50, show_spinner=False)
def _described(stamp: str, _ref: KeptModel) -> TrainedModel:
    return stages.read_model(_ref)


@cached(max_entries=20, show_spinner="Building the layers…")
def summary(config: ModelConfig, image_shape: tuple[int, int, int]) -> tuple[Any, list[dict[str, Any]]]:
    """Return an autoencoder's summary, and its layers as rows for people."""
    from core.autoencoders import summarize  # torch

    found = summarize(config, image_shape)
    rows = [
        {"layer": row.name, "output shape": "×".join(map(str, row.output_shape)), "parameters": row.n_parameters,
         "trainable": row.n_trainable}
        for row in found.layers
    ]  # fmt: skip
    return found, rows
