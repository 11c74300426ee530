"""The models there are: those trained on these images, those kept under a name, and files to load."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from core import checkpoints
from core.config import to_json
from core.errors import ExplorerError
from core.images import ImageSet
from core.models import TrainedModel
from core.plans import KeptModel, ModelRef, TrainSpec, shape_text
from core.stages import read_model
from dashboard import components, inputs, offers, state


def show(found: ImageSet | None) -> None:
    """Draw the list of models; `found` are the images on the page."""
    st.subheader("Models")
    trained, kept, load = st.tabs(["Trained on these images", "Kept", "Load from a file"])
    with trained:
        _trained(found)
    with kept:
        _kept(found)
    with load:
        _load()


def describe(model: TrainedModel) -> str:
    """Write a model in one line: what it reads, its size, how it was trained."""
    parts = [
        f"reads {shape_text(model.image_shape)}",
        f"{model.n_latents:,} latents",
        f"{model.n_parameters:,} parameters",
    ]
    if model.history:
        last = model.history[-1]
        parts.append(f"{len(model.history)} epochs, training loss {last.train_loss:.4g}")
        if last.validation_loss is not None:
            parts.append(f"validation loss {last.validation_loss:.4g}")
    if model.trained_on:
        parts.append(f"trained on {model.trained_on}")
    return ", ".join(parts)


def _trained(found: ImageSet | None) -> None:
    choices = (
        [] if found is None else [c for c in offers.model_choices(found) if c.made and isinstance(c.ref, TrainSpec)]
    )
    if not choices or found is None:
        st.caption("None yet. Train one above; it is remembered until the store is cleared, and for good once kept.")
        return
    texts: dict[ModelRef, str] = {choice.ref: choice.text for choice in choices}
    refs = [choice.ref for choice in choices if isinstance(choice.ref, TrainSpec)]
    ref = st.selectbox(
        "Model", refs, format_func=lambda item: texts.get(item, ""), key=state.setting("library.model", refs[0], refs)
    )
    staged = inputs.model(ref, found)
    if staged is None or not isinstance(model := staged.value, TrainedModel):
        return
    st.caption(components.plain(describe(model)))
    st.caption(components.plain(components.settings_line(to_json(ref.training))))
    name, keep, explore = st.columns([3, 1, 1], vertical_alignment="bottom")
    chosen = name.text_input("Name to keep it under", key=state.setting("library.name", ""), placeholder="my model")
    if keep.button("Keep", width="stretch", icon=":material/save:"):
        _attempt(
            lambda: checkpoints.keep(model, chosen.strip(), checkpoints.models_root()), f"Kept as {chosen.strip()!r}."
        )
    if explore.button("Explore with it", width="stretch", on_click=_choose, args=(found, ref)):
        _open_explore()


def _kept(found: ImageSet | None) -> None:
    names = checkpoints.names(checkpoints.models_root())
    if not names:
        st.caption(components.plain(f"None yet. Kept models lie in {checkpoints.models_root()}."))
    for name in names:
        text, explore, download, delete = st.columns([5, 1, 1, 1], vertical_alignment="center")
        try:
            model = read_model(KeptModel(name))
        except ExplorerError as error:
            text.warning(components.plain(f"{name}: {error}"))
        else:
            text.markdown(f"**{components.plain(name)}** – {components.plain(describe(model))}")
            fits = found is not None and model.image_shape == found.image_shape
            if explore.button(
                "Explore", key=f"explore.{name}", width="stretch", disabled=not fits,
                help="Show these images' map by this model; it must read images of their shape.",
                on_click=_choose, args=(found, KeptModel(name)),
            ):  # fmt: skip
                _open_explore()
            download.download_button(
                "Download", partial(checkpoints.checkpoint_bytes, model), f"{name}.safetensors",
                key=f"download.{name}", on_click="ignore", width="stretch",
            )  # fmt: skip
        with delete.popover("Delete", width="stretch"):
            st.markdown(f"Delete **{components.plain(name)}** for good?")
            if st.button("Delete it", key=f"delete.{name}", type="primary"):
                _attempt(partial(checkpoints.delete, name, checkpoints.models_root()), f"{name!r} deleted.")
                st.rerun()


def _load() -> None:
    st.caption(
        "A .safetensors file from this program, or a PyTorch .pt file that holds `config` and `state_dict`. "
        "Files that need pickle are refused, as they can run code."
    )
    file = st.file_uploader("Model file", ["safetensors", "pt", "pth"])
    name = st.text_input("Name", value=Path(file.name).stem if file else "", placeholder="my model")
    if st.button("Load and keep", disabled=file is None, icon=":material/upload:") and file is not None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"model{Path(file.name).suffix}"
            path.write_bytes(file.getbuffer())
            with st.spinner("Checking the model…"):
                _attempt(lambda: _keep_checked(path, name.strip()), f"Kept as {name.strip()!r}.")


def _keep_checked(path: Path, name: str) -> None:
    from core.autoencoders import from_model  # loads torch, for seconds

    model = checkpoints.read_checkpoint(path)
    from_model(model)  # raises when the weights are of another architecture
    checkpoints.keep(model, name, checkpoints.models_root())


def _attempt(action: Callable[[], object], success: str) -> None:
    try:
        action()
    except ExplorerError as error:
        components.problem(error)
    else:
        st.toast(components.plain(success), icon=":material/check:")


def _choose(found: ImageSet | None, ref: ModelRef) -> None:
    if found is not None:
        state.choose_model(found.fingerprint, ref)


def _open_explore() -> None:
    page = state.page("explore")
    if page is not None:
        st.switch_page(page)
