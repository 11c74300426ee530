"""The map and what is done to the latents before it, as widgets in and configs out."""

from typing import Any, get_args

import streamlit as st

from core.config import (
    Init,
    Kernel,
    KernelPCAConfig,
    Metric,
    PCAConfig,
    ProjectionConfig,
    ReductionConfig,
    ReductionMethod,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
)
from core.ways import SAMPLE, SAMPLED_FROM
from dashboard import state

MOST_NEAR = 100  # the largest perplexity and number of neighbours to choose
FEWEST = {"tsne": 7, "umap": 3}  # images that a perplexity of 2 and 2 neighbours need
AUTOMATIC = "automatic"
INITS = (AUTOMATIC, *get_args(Init))
SAMPLE_FROM = 5_000  # above, a map takes long enough for one of a sample to be shown first
MAPS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA", "kernel-pca": "Kernel PCA"}
METRICS: tuple[Metric, ...] = ("euclidean", "cosine", "manhattan")
COSTS = "Quicker, and coarser: below the map stands how many neighbours that costs."
SAMPLES: tuple[int | None, ...] = (None, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
KERNELS: tuple[Kernel, ...] = ("rbf", "poly", "cosine")


def projection(n: int, d: int, given: ReductionConfig | None = None) -> tuple[ReductionConfig, ProjectionConfig]:
    """Choose the map of n images with d latents, and what is done to the latents before, unless that is given."""
    st.subheader("Map")
    method = st.selectbox("Method", tuple(MAPS), format_func=MAPS.__getitem__, key=state.setting("map", "tsne"))
    dims = st.radio(
        "Dimensions", (2, 3), format_func="{}-D".format, key=state.setting("dims", 2), horizontal=True,
        label_visibility="collapsed",
    )  # fmt: skip
    with st.expander("Map settings"):
        made = _map_settings(method, dims, n)
    with st.expander("Before the map"):
        if given is not None:
            st.caption(
                "The way to clusters, below, says what is done to the latents; with “own settings” you choose it here."
            )
        reduction = _reduction(n, d) if given is None else given
    return reduction, made


def _map_settings(method: str, dims: int, n: int) -> ProjectionConfig:
    if method == "pca":
        st.caption("PCA has no settings: the map shows the directions of largest variance.")
        return PCAConfig(dims)
    if method == "kernel-pca":
        return _kernel_pca("map", dims)
    needed = FEWEST[method]
    if n < needed:
        st.caption(f"{MAPS[method]} needs at least {needed} images; this set has {n}, so the map is PCA.")
        return PCAConfig(dims)
    if method == "umap":
        return UMAPConfig(
            dims,
            n_neighbors=up_to(
                "n_neighbors", "umap.n_neighbors", 15, n - 1,
                "How many near images shape each point's place: few show fine detail, many the overall form.",
            ),
            min_dist=st.slider(
                "min_dist", 0.0, 1.0, step=0.05, key=state.setting("umap.min_dist", 0.1),
                help="How close points may lie: 0 packs clusters tightly.",
            ),
            metric=st.selectbox("metric", METRICS, key=state.setting("umap.metric", "euclidean")),
            seed=st.number_input("seed", 0, 2**31, key=state.setting("umap.seed", 0)),
            sample=sample("Fit on at most", "umap", n, COSTS),
        )  # fmt: skip
    return TSNEConfig(
        dims,
        perplexity=float(
            up_to(
                "perplexity", "tsne.perplexity", 30, (n - 1) // 3,
                "About how many near images shape each point's place; it needs three times as many images.",
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
        init=_init(n),
        metric=st.selectbox("metric", METRICS, key=state.setting("tsne.metric", "euclidean")),
        seed=st.number_input("seed", 0, 2**31, key=state.setting("tsne.seed", 0)),
        sample=sample("Fit on at most", "tsne", n, COSTS),
    )  # fmt: skip


def up_to(label: str, name: str, usual: int, most: int, told: str) -> int:
    """Choose a number that few images bound; below 100 the choice is kept apart, so that a larger set finds its own again."""
    if most >= MOST_NEAR:
        return int(st.slider(label, 2, MOST_NEAR, key=state.setting(name, usual), help=told))
    if most == 2:
        st.caption(f"{label} is 2: so few images allow no more.")
        return 2
    key = state.bounded(f"{name}.{most}", min(usual, most), 2, most)
    return int(st.slider(label, 2, most, key=key, help=f"{told} These images allow {most} at most."))


def _init(n: int) -> Init:
    chosen = st.selectbox(
        "init", INITS, key=state.setting("tsne.init", AUTOMATIC),
        help="Where points start: “pca” on the principal components, “sample” on a map of 2,000 of the images, which is there "
        f"within seconds. Automatic is “sample” for more than {SAMPLE_FROM:,} images, else “pca”.",
    )  # fmt: skip
    if chosen == AUTOMATIC:
        return "sample" if n > SAMPLE_FROM else "pca"
    found: Init = chosen
    return found


def usual_sample(n: int) -> int | None:
    """Return how many of n images t-SNE and UMAP are fitted on unless another number is chosen; None for all."""
    return SAMPLE if n > SAMPLED_FROM else None


def sample(label: str, method: str, n: int, costs: str) -> int | None:
    """Choose how many images a method is fitted on; the choice is kept apart for sets above and below the limit."""
    many = usual_sample(n) is not None
    chosen = st.selectbox(
        label, SAMPLES, format_func=lambda size: "all images" if size is None else f"{size:,} images",
        placeholder="all images",  # what stands there while None is chosen
        key=state.setting(f"{method}.sample.many" if many else f"{method}.sample", usual_sample(n), SAMPLES),
        help=f"The others are placed by their nearest neighbours among these. {costs} Above {SAMPLED_FROM:,} images it begins "
        f"with {SAMPLE:,}.",
    )  # fmt: skip
    return chosen if chosen is not None and chosen < n else None


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


def reduction_settings(config: ReductionConfig) -> dict[str, Any]:
    """Return what the widgets show for a first reduction, by setting."""
    names = {PCAConfig: "pca", KernelPCAConfig: "kernel-pca", TruncatedSVDConfig: "svd"}
    found: dict[str, Any] = {"standardize": config.standardize, "reduction": "none"}
    if config.method is not None:
        found |= {"reduction": names[type(config.method)], "reduction.r": config.method.n_components}
    if isinstance(config.method, KernelPCAConfig):
        found |= {"reduction.kernel": config.method.kernel, "reduction.gamma.auto": config.method.gamma is None}
    return found
