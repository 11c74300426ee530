"""The sidebar: every choice an analyst makes, as widgets in and configs out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from core.config import (
    ClusterConfig,
    ClusterOn,
    Init,
    Kernel,
    KernelPCAConfig,
    KMeansConfig,
    Metric,
    MiniBatchKMeansConfig,
    PCAConfig,
    ProjectionConfig,
    ReductionConfig,
    ReductionMethod,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
)
from core.images import SAMPLES, ImageSet, SampleSource, Source, parse_source
from core.plans import ModelRef, Plan, Results, TrainedClassifier, shape_text
from dashboard import components, results, state

OTHER = "Folder, file or data set…"
SAMPLE_TEXTS = {"digits": "Digits (sample, MNIST)", "emoji": "Emoji (sample, Twitter)"}
INITS: tuple[Init, ...] = ("pca", "random", "spectral")
MAPS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA", "kernel-pca": "Kernel PCA"}
CLUSTER_ON: dict[ClusterOn, str] = {
    "latents": "latents",
    "reduced": "reduced latents",
    "projection": "the map's coordinates",
}
STAGE_TITLES = {"latents": "Latents", "reduced": "Reduced latents", "projection": "Map", "clustering": "Clusters"}
METRICS: tuple[Metric, ...] = ("euclidean", "cosine", "manhattan")
KERNELS: tuple[Kernel, ...] = ("rbf", "poly", "cosine")
MAX_CLUSTERS = 100
REDUCED = {
    "standardised": ReductionConfig(True),
    "PCA to 10": ReductionConfig(method=PCAConfig(10)),
    "standardised, PCA to 10": ReductionConfig(True, PCAConfig(10)),
    "truncated SVD to 10": ReductionConfig(method=TruncatedSVDConfig(10)),
    "kernel PCA to 50": ReductionConfig(method=KernelPCAConfig(50)),
}


@dataclass(frozen=True)
class Display:
    """How points are drawn: columns that colour and shape them, size in pixels, opacity in (0, 1]."""

    color: str
    symbol: str | None
    point_size: float
    opacity: float


def data() -> Source | None:
    """Choose the images; None while the path is still empty.

    Raises
    ------
    DataError, ConfigError : there is nothing of this name.
    """
    st.subheader("Images")
    options = (*SAMPLES, OTHER)
    chosen = st.selectbox(
        "Data set",
        options,
        format_func=lambda name: SAMPLE_TEXTS.get(name, name),
        key=state.setting("data", "digits", options),
    )
    if chosen != OTHER:
        return SampleSource(chosen)
    path = st.text_input(
        "Path",
        key=state.setting("path", ""),
        placeholder="/pictures, a.npy, a.npz, mnist:/data",
        help="A folder of pictures (its sub-folders are the classes), a .npy or .npz file of uint8 images, or "
        "`mnist:`, `fashion-mnist:` or `cifar-10:` and the folder where torchvision keeps that data set. "
        "The path is one on the computer that runs this program.",
    )
    if not path.strip():
        return None
    labels = None
    if path.strip().lower().endswith((".npy", ".npz")):
        labels = st.text_input(
            "Labels (optional)", key=state.setting("labels", ""), placeholder="/data/labels.npy",
            help="A .npy file with one whole number or text an image. A .npz may hold its labels as `y`.",
        )  # fmt: skip
    size = None
    if ":" not in path and not path.strip().lower().endswith((".npy", ".npz")):
        size = st.select_slider(
            "Side in pixels", (None, 8, 16, 24, 28, 32, 48, 64, 96, 128), key=state.setting("size", None),
            format_func=lambda side: "as they are" if side is None else str(side),
            help="Every picture is scaled to fit a square of this side. “As they are” keeps pictures of one size, "
            "8 to 128 pixels a side, and brings others to 64.",
        )  # fmt: skip
    return parse_source(path, labels or None, size)


def described(found: ImageSet) -> None:
    """Say how many images and classes there are, and which files could not be used."""
    st.caption(
        f"{len(found):,} images of {shape_text(found.image_shape)}, "
        + (f"{len(found.classes)} classes" if found.classes else "no labels")
    )
    if found.skipped:
        with st.expander(f"{len(found.skipped):,} files could not be used", icon=":material/warning:"):
            st.dataframe([{"file": item.id, "why": item.reason} for item in found.skipped[:1000]], hide_index=True)


def model(found: ImageSet) -> ModelRef | None:
    """Choose a model that reads these images; None when there is none yet."""
    st.subheader("Model")
    choices = results.model_choices(found)
    seen = state.classifier_of(found.fingerprint)
    if isinstance(seen, TrainedClassifier):
        choices.append(results.ModelChoice(seen, f"{seen.config.model} (classifier)"))
    if not choices:
        st.caption(f"No model reads {shape_text(found.image_shape)} images yet.")
        return None
    refs = [choice.ref for choice in choices]
    texts = {choice.ref: choice.text for choice in choices}
    own = next((ref for ref in refs if getattr(ref, "name", None) == found.name), refs[0])
    return st.selectbox(
        "Model",
        refs,
        format_func=lambda ref: texts.get(ref, str(ref)),
        key=state.setting(f"model.{found.fingerprint[:8]}", own, refs),
        help="What turns each image into latents, a short row of numbers, and back. Train others on the Train page.",
    )


def projection(n: int, d: int) -> tuple[ReductionConfig, ProjectionConfig]:
    """Choose the map of n images with d latents, and what is done to the latents before."""
    st.subheader("Map")
    method = st.selectbox("Method", tuple(MAPS), format_func=MAPS.__getitem__, key=state.setting("map", "tsne"))
    dims = st.radio(
        "Dimensions", (2, 3), format_func="{}-D".format, key=state.setting("dims", 2), horizontal=True,
        label_visibility="collapsed",
    )  # fmt: skip
    with st.expander("Map settings"):
        made = _map_settings(method, dims)
    with st.expander("Before the map"):
        reduction = _reduction(n, d)
    return reduction, made


def _map_settings(method: str, dims: int) -> ProjectionConfig:
    if method == "pca":
        st.caption("PCA has no settings: the map shows the directions of largest variance.")
        return PCAConfig(dims)
    if method == "kernel-pca":
        return _kernel_pca("map", dims)
    if method == "umap":
        return UMAPConfig(
            dims,
            n_neighbors=st.slider(
                "n_neighbors", 2, 100, key=state.setting("umap.n_neighbors", 15),
                help="How many near images shape each point's place: few show fine detail, many the overall form.",
            ),
            min_dist=st.slider(
                "min_dist", 0.0, 1.0, step=0.05, key=state.setting("umap.min_dist", 0.1),
                help="How close points may lie: 0 packs clusters tightly.",
            ),
            metric=st.selectbox("metric", METRICS, key=state.setting("umap.metric", "euclidean")),
            seed=st.number_input("seed", 0, 2**31, key=state.setting("umap.seed", 0)),
        )  # fmt: skip
    return TSNEConfig(
        dims,
        perplexity=float(
            st.slider(
                "perplexity", 2, 100, key=state.setting("tsne.perplexity", 30),
                help="About how many near images shape each point's place; it needs three times as many images.",
            )
        ),
        early_exaggeration=float(
            st.slider(
                "early_exaggeration", 1, 40, key=state.setting("tsne.early_exaggeration", 12),
                help="How strongly near images attract each other in the first 250 iterations.",
            )
        ),
        n_iter=st.slider(
            "n_iter", 100, 2000, step=50, key=state.setting("tsne.n_iter", 500),
            help="Iterations after the 250 of early exaggeration.",
        ),
        init=st.selectbox(
            "init", INITS, key=state.setting("tsne.init", "pca"),
            help="Where points start; “pca” keeps the overall form best.",
        ),
        metric=st.selectbox("metric", METRICS, key=state.setting("tsne.metric", "euclidean")),
        seed=st.number_input("seed", 0, 2**31, key=state.setting("tsne.seed", 0)),
    )  # fmt: skip


def _kernel_pca(name: str, n_components: int) -> KernelPCAConfig:
    kernel = st.selectbox("kernel", KERNELS, key=state.setting(f"{name}.kernel", "rbf"))
    gamma = None
    if kernel != "cosine" and not st.checkbox(
        "gamma = 1 / number of latents", key=state.setting(f"{name}.gamma.auto", True)
    ):
        exponent = st.slider(
            "log₁₀ gamma", -6.0, 2.0, step=0.1, key=state.setting(f"{name}.gamma", -1.5),
            help="How quickly the kernel falls off with distance: large values see only near neighbours.",
        )  # fmt: skip
        gamma = float(10**exponent)
    degree = 3
    if kernel == "poly":
        degree = st.slider("degree", 1, 6, key=state.setting(f"{name}.degree", 3))
    return KernelPCAConfig(n_components, kernel=kernel, gamma=gamma, degree=degree)


def _reduction(n: int, d: int) -> ReductionConfig:
    standardize = st.checkbox(
        "Standardise latents", key=state.setting("standardize", False),
        help="Bring each latent to mean 0 and variance 1, so that all weigh the same.",
    )  # fmt: skip
    options = {"none": "none", "pca": "PCA", "kernel-pca": "Kernel PCA", "svd": "Truncated SVD"}
    kind = st.selectbox(
        "First reduction", tuple(options), format_func=options.__getitem__, key=state.setting("reduction", "none"),
        help="Fewer dimensions before the map: less noise, and t-SNE and UMAP are quicker.",
    )  # fmt: skip
    if kind == "none":
        return ReductionConfig(standardize)
    limit = min(n, d) if kind != "kernel-pca" else min(n, 1000)
    key = state.bounded("reduction.r", 10, 1, limit)
    r = st.slider("n_components (r)", 1, limit, key=key) if limit > 1 else 1
    methods: dict[str, ReductionMethod] = {"pca": PCAConfig(r), "svd": TruncatedSVDConfig(r)}
    return ReductionConfig(standardize, methods.get(kind) or _kernel_pca("reduction", r))


def cluster(found: ImageSet) -> ClusterConfig:
    """Choose the clustering; for each image set k starts at its number of classes."""
    st.subheader("Clusters")
    limit = min(MAX_CLUSTERS, len(found))
    key = state.bounded(f"k.{found.fingerprint[:8]}", len(found.classes) or 10, 1, limit)
    k = st.slider("k (number of clusters)", 1, limit, key=key)
    with st.expander("Cluster settings"):
        on = st.selectbox(
            "Cluster by", tuple(CLUSTER_ON), format_func=CLUSTER_ON.__getitem__, key=state.setting("on", "latents"),
            help="Latents hold all the model knows; clusters of the map agree with what you see.",
        )  # fmt: skip
        method = st.selectbox("Method", ("KMeans", "MiniBatchKMeans"), key=state.setting("cluster.method", "KMeans"))
        n_init = st.slider(
            "n_init", 1, 20, key=state.setting("n_init", 4), help="Runs from other starts; the best stays."
        )
        seed = st.number_input("seed", 0, 2**31, key=state.setting("cluster.seed", 0))
    if method == "KMeans":
        return ClusterConfig(KMeansConfig(k, n_init=n_init, seed=seed), on)
    return ClusterConfig(MiniBatchKMeansConfig(k, n_init=n_init, seed=seed), on)


def known(found: ImageSet) -> str:
    """Choose the labels that are known beforehand; "" matches clusters with all labels there are."""
    with st.expander("Known labels"):
        kinds = {"all": "all labels of the images", "first": "the first images", "csv": "a CSV of id,label"}
        if found.y is None:
            kinds["all"] = "none"
        kind = st.radio(
            "Clusters take their class from", tuple(kinds), format_func=kinds.__getitem__, key=state.setting("known", "all"),
            help="Each cluster stands for the class of most of its known images; two clusters get one class each.",
        )  # fmt: skip
        if kind == "first":
            count = st.number_input("How many", 1, len(found), key=state.bounded("known.first", 5, 1, len(found)))
            label = st.text_input("Their class", key=state.setting("known.class", "0"))
            return f"first:{count}={label.strip()}" if label.strip() else ""
        if kind == "csv":
            path = st.text_input("Path of the CSV", key=state.setting("known.csv", ""), placeholder="/data/known.csv")
            return path.strip()
    return ""


def ensemble(plan: Plan, choices: Sequence[ModelRef], texts: Mapping[ModelRef, str]) -> tuple[Plan, ...]:
    """Choose further runs to combine with a plan by vote: other seeds, models, reductions and numbers of clusters."""
    with st.expander("Ensemble"):
        st.caption("Each choice is one more run on the same images; clusters are decided by vote.")
        seeds = st.slider("Other seeds of the clustering", 0, 9, key=state.setting("ensemble.seeds", 0))
        others = [ref for ref in choices if ref != plan.model]
        refs = st.multiselect(
            "Other models", others, format_func=lambda ref: texts.get(ref, str(ref)),
            key=state.setting("ensemble.models", []),
        ) if others else []  # fmt: skip
        names = st.multiselect("Other reductions", tuple(REDUCED), key=state.setting("ensemble.reductions", []))
        ks = st.multiselect("Other k", range(2, MAX_CLUSTERS + 1), key=state.setting("ensemble.k", []))
    cluster = plan.cluster
    found = [replace(plan, cluster=replace(cluster, method=replace(cluster.method, seed=cluster.method.seed + i)))
             for i in range(1, seeds + 1)]  # fmt: skip
    found += [replace(plan, model=ref) for ref in refs]
    on = cluster.on if cluster.on != "latents" else "reduced"  # a reduction changes nothing before it
    found += [replace(plan, reduction=REDUCED[name], cluster=replace(cluster, on=on)) for name in names]
    return tuple(
        found + [replace(plan, cluster=replace(cluster, method=replace(cluster.method, n_clusters=k))) for k in ks]
    )


def display(colors: tuple[str, ...], symbols: tuple[str, ...], dims: int) -> Display:
    """Choose how points are drawn; names are those of the columns there are."""
    st.subheader("Display")
    color = st.selectbox("Colour by", colors, key=state.setting("color", colors[0], colors))
    symbol = st.selectbox(
        "Shape by", ("nothing", *symbols), key=state.setting("symbol", "nothing", ("nothing", *symbols))
    )
    left, right = st.columns(2)
    size = left.slider("Point size", 1, 15, key=state.setting("point_size", 5))
    opacity = right.slider(
        "Opacity", 0.1, 1.0, step=0.05, key=state.setting("opacity", 0.8), disabled=dims == 3,
        help="3-D points are always opaque, as only then do near ones hide far ones.",
    )  # fmt: skip
    return Display(color, None if symbol == "nothing" else symbol, float(size), float(opacity))


def store_status(shown: Results) -> None:
    """Say which results were found and which computed, how large the store is, and offer to clear it."""
    st.subheader("Results")
    lines = []
    for stage in ("latents", "reduced", "projection", "clustering"):
        staged = getattr(shown, stage)
        if staged is None or (stage == "reduced" and staged.key == getattr(shown.latents, "key", None)):
            continue
        made = state.awaited(staged.key, staged.found)
        how = f"computed in {components.duration(staged.seconds)}" if made else "found in the store"
        lines.append(f"- {STAGE_TITLES[stage]}: {how}")
    st.caption("\n".join(lines))
    store = results.store()
    if store.problem:
        st.warning(components.plain(store.problem))
    text, button = st.columns([3, 2], vertical_alignment="center")
    text.caption(f"Store: {store.size() / 1e6:,.1f} MB", help=components.plain(f"Kept in {store.root}"))
    if button.button("Clear", help="Delete all results in the store. Images and kept models stay.", width="stretch"):
        results.clear_store()
        st.rerun()
