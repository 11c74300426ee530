"""A published system as one choice: it fills the settings below and names a model to train."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from core import architectures
from core.config import PCAConfig, TSNEConfig, UMAPConfig
from core.images import ImageSet, parts_of
from core.plans import ModelRef, TrainedClassifier, TrainSpec
from core.recipes import RECIPES, Recipe, model_of, spec_for
from core.ways import WAYS
from dashboard import state
from dashboard.sidebar import images, maps, methods, ways

OWN = "none"


@dataclass(frozen=True)
class ChosenRecipe:
    """A recipe for the images on the page: `ref` is its model, None for a classifier whose weights are not given yet."""

    recipe: Recipe
    ref: ModelRef | None

    @property
    def text(self) -> str:
        """Name of the model for people."""
        epochs = f", {self.ref.training.epochs} epochs" if isinstance(self.ref, TrainSpec) else ""
        return f"{self.recipe.name}{epochs} (recipe)"


def choose(opened: images.Opened) -> ChosenRecipe | None:
    """Choose a recipe; None for settings of one's own."""
    found, place = opened.read.value, opened.chosen.place
    options = (OWN, *(name for name, recipe in RECIPES.items() if _fits(recipe, found)))
    key = state.setting(f"recipe.{place}", OWN, options)
    name = st.selectbox(
        "Recipe", options, key=key, on_change=_apply, args=(key, opened),
        help="A published system: its model is trained on these images, and the settings below become its own. Those whose "
        "autoencoder fits the images are listed.",
    )  # fmt: skip
    if name == OWN:
        return None
    recipe = RECIPES[name]
    st.caption(recipe.summary[0].upper() + recipe.summary[1:] + ". The settings below began as it says.")
    if isinstance(recipe.model, TrainedClassifier):
        return ChosenRecipe(recipe, state.classifier_of(found.fingerprint))
    source = opened.chosen.source
    ref = spec_for(recipe, opened.chosen.whole, source) or model_of(recipe, source, found)
    if not isinstance(ref, TrainSpec):
        return None
    epochs = st.number_input(
        "epochs", 1, 100_000, key=state.setting(f"recipe.epochs.{name}", ref.training.epochs),
        help=f"As published: {ref.training.epochs}. Fewer are quicker.",
    )  # fmt: skip
    return ChosenRecipe(recipe, replace(ref, training=replace(ref.training, epochs=epochs)))


def _fits(recipe: Recipe, found: ImageSet) -> bool:
    if isinstance(recipe.model, TrainSpec):
        return architectures.fits(recipe.model.autoencoder, found.image_shape)
    return True


def _apply(key: str, opened: images.Opened) -> None:
    """Bring the settings below to what the recipe says, and show the part of the data set that it maps."""
    name = st.session_state[key]
    if name == OWN:
        return
    recipe = RECIPES[name]
    for setting, value in settings(recipe).items():
        state.change(setting, value)
    if recipe.parts is not None and recipe.parts.map in parts_of(opened.chosen.whole):
        state.change(images.part_setting(opened.chosen.place), recipe.parts.map)


def settings(recipe: Recipe) -> Mapping[str, Any]:
    """Return what the widgets of the sidebar show for a recipe, by setting."""
    found: dict[str, Any] = maps.reduction_settings(recipe.reduction) | _map(recipe.projection)
    way = next(
        (w.name for w in WAYS.values() if (w.reduction, w.cluster) == (recipe.reduction, recipe.cluster)), ways.OWN
    )
    found |= {
        **ways.settings(way, recipe.cluster.manifold),
        "on": recipe.cluster.on,
        **methods.settings(recipe.cluster.method),
        "known": "all",
        "ensemble.seeds": 0,
        "ensemble.models": [],
        "ensemble.reductions": [],
        "ensemble.k": [],
    }
    if recipe.known.startswith("first:"):
        count, _, label = recipe.known.removeprefix("first:").partition("=")
        found |= {"known": "first", "known.first": int(count), "known.class": label}
    return found


def _map(config: Any) -> dict[str, Any]:
    if isinstance(config, TSNEConfig):
        own = ("early_exaggeration", "n_iter", "init", "metric", "seed", "perplexity")
        values = {f"tsne.{name}": getattr(config, name) for name in own}
        return {"map": "tsne", **{k: int(v) if isinstance(v, float) else v for k, v in values.items()}}
    if isinstance(config, UMAPConfig):
        return {
            "map": "umap",
            **{f"umap.{name}": getattr(config, name) for name in ("n_neighbors", "min_dist", "metric", "seed")},
        }
    return {"map": "pca" if isinstance(config, PCAConfig) else "kernel-pca"}
