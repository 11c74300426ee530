"""Which model turns images into latents."""

import streamlit as st

from core.images import ImageSet
from core.plans import ModelRef, TrainedClassifier
from dashboard import inputs, offers, state
from dashboard.sidebar.recipe import ChosenRecipe


def model(found: ImageSet, recipe: ChosenRecipe | None) -> ModelRef | None:
    """Choose a model that reads these images, a recipe's own first; None when there is none yet."""
    st.subheader("Model")
    choices = offers.model_choices(found)
    seen = state.classifier_of(found.fingerprint)
    if isinstance(seen, TrainedClassifier):
        choices.append(offers.ModelChoice(seen, f"{seen.config.model} (classifier)"))
    if recipe is not None and recipe.ref is not None:
        key = inputs.key_of(recipe.ref, found)
        choices = [choice for choice in choices if choice.ref != recipe.ref and (key is None or choice.key != key)]
        choices.insert(0, offers.ModelChoice(recipe.ref, recipe.text, key))
    refs: list[ModelRef | None] = [choice.ref for choice in choices]
    texts: dict[ModelRef | None, str] = {choice.ref: choice.text for choice in choices} | {None: "none yet"}
    if not any(choice.made for choice in choices):
        refs.insert(0, None)  # what takes minutes is begun when it is chosen
    own = next((ref for ref in refs if getattr(ref, "name", None) == found.name), refs[0])
    suffix = ""
    if recipe is not None and recipe.ref is not None:
        own, suffix = recipe.ref, f".{recipe.recipe.name}"
    return st.selectbox(
        "Model",
        refs,
        format_func=lambda ref: texts.get(ref, str(ref)),
        key=state.setting(f"{_name(found)}{suffix}", own, refs),
        help="What turns each image into latents, a short row of numbers, and back. Train others on the Train page. Pretrained "
        "features are what a network sees that learnt from millions of photographs; a decoder learns to turn them back.",
    )


def take(found: ImageSet, ref: ModelRef) -> None:
    """Let these images be read by a model that is offered for them; only in a callback."""
    state.change(_name(found), ref)


def _name(found: ImageSet) -> str:
    return f"model.{found.fingerprint[:8]}"
