"""The clusters, the labels known beforehand, and ensembles, as widgets in and configs out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from core.clustering import MOST_PAIRS, MOST_SPECTRAL, SAMPLE, start_sample, title_of
from core.config import (
    AgglomerativeConfig,
    ClusterConfig,
    ClusterMethod,
    ClusterOn,
    Covariance,
    GaussianMixtureConfig,
    HDBSCANConfig,
    KernelPCAConfig,
    KMeansConfig,
    Linkage,
    MiniBatchKMeansConfig,
    PCAConfig,
    ReductionConfig,
    Selection,
    SpectralConfig,
    TruncatedSVDConfig,
    clusters_of,
    seed_of,
    with_clusters,
    with_seed,
)
from core.images import ImageSet
from core.plans import ModelRef, Plan
from core.recipes import Recipe
from dashboard import state
from dashboard.sidebar import places

CLUSTER_ON: dict[ClusterOn, str] = {
    "latents": "latents",
    "reduced": "reduced latents",
    "projection": "the map's coordinates",
}
METHODS = {
    "KMeans": "KMeans",
    "MiniBatchKMeans": "MiniBatchKMeans",
    "GaussianMixture": "Gaussian mixture",
    "Agglomerative": "Agglomerative",
    "HDBSCAN": "HDBSCAN",
    "Spectral": "Spectral",
}
HELPS = {
    "KMeans": "k balls of about one size; the usual choice.",
    "MiniBatchKMeans": "the same from random batches; quicker on many images.",
    "GaussianMixture": "k ellipsoids; says how probable each image's cluster is.",
    "Agglomerative": f"joins the nearest groups until k are left; up to {MOST_PAIRS:,} images, more by neighbours.",
    "HDBSCAN": "finds how many dense groups there are, of any form; the rest is noise.",
    "Spectral": f"cuts a graph of neighbours into k parts of any form; up to {MOST_SPECTRAL:,} images.",
}
COVARIANCES: tuple[Covariance, ...] = ("full", "tied", "diag", "spherical")
LINKAGES: tuple[Linkage, ...] = ("ward", "average", "complete", "single")
SELECTIONS: tuple[Selection, ...] = ("eom", "leaf")
MAX_CLUSTERS = 100
BATCH, LARGE_BATCH = 1024, 4096  # the larger one of many images, where small ones take longer to settle
MANY = 200_000  # images above which the page begins with KMeans on random batches
MOST_SIZE, MOST_NEIGHBORS = 500, 100  # of the sliders
REDUCED = {
    "standardised": ReductionConfig(True),
    "PCA to 10": ReductionConfig(method=PCAConfig(10)),
    "standardised, PCA to 10": ReductionConfig(True, PCAConfig(10)),
    "truncated SVD to 10": ReductionConfig(method=TruncatedSVDConfig(10)),
    "kernel PCA to 50": ReductionConfig(method=KernelPCAConfig(50)),
}


def cluster(found: ImageSet, recipe: Recipe | None = None) -> ClusterConfig:
    """Choose the clustering; for each image set k starts at a recipe's number or that of its classes."""
    st.subheader("Clusters")
    name = st.selectbox(
        "Clustering method", tuple(METHODS), format_func=METHODS.__getitem__, key=_method_setting(len(found)),
        help="\n".join(f"- **{METHODS[method]}**: {text}" for method, text in HELPS.items()),
    )  # fmt: skip
    k = 1 if name == "HDBSCAN" else _k(found, recipe)
    with st.expander("Cluster settings"):
        on = st.selectbox(
            "Cluster by", tuple(CLUSTER_ON), format_func=CLUSTER_ON.__getitem__, key=state.setting("on", "latents"),
            help="Latents hold all the model knows; clusters of the map agree with what you see.",
        )  # fmt: skip
        return ClusterConfig(_method(name, k, len(found)), on)


def _method_setting(n: int) -> str:
    """Return the widget key of the method; of many images one of its own, which begins with random batches."""
    if n > MANY:
        return state.setting("cluster.method.many", "MiniBatchKMeans")
    return state.setting("cluster.method", "KMeans")


def _k(found: ImageSet, recipe: Recipe | None) -> int:
    limit = min(MAX_CLUSTERS, len(found))
    name, first = f"k.{found.fingerprint[:8]}", len(found.classes) or 10
    if recipe is not None:
        name, first = f"{name}.{recipe.name}", recipe.n_clusters or first
    key = state.bounded(name, first, 1, limit)
    state.remember_k_setting(name)
    return st.slider("k (number of clusters)", 1, limit, key=key)


def _method(name: str, k: int, n: int) -> ClusterMethod:
    """Choose the settings of a method for n images."""
    if name == "HDBSCAN":
        return _hdbscan(n)
    if name == "Agglomerative":
        return _agglomerative(k, n)
    if name == "GaussianMixture":
        covariance = st.selectbox(
            "covariance", COVARIANCES, key=state.setting("mixture.covariance", "full"),
            help="Form of the clusters: “full” any ellipsoid, “tied” one for all, “diag” along the axes, “spherical” balls.",
        )  # fmt: skip
        n_init = _n_init("mixture.n_init", 1)
        return GaussianMixtureConfig(k, covariance=covariance, n_init=n_init, seed=_seed())
    if name == "Spectral":
        near = _graph_neighbors("spectral.graph_neighbors", n, "Few follow fine forms, many the overall one.")
        return SpectralConfig(k, graph_neighbors=near, n_init=_n_init("n_init", 4), seed=_seed())
    n_init, seed = _n_init("n_init", 4), _seed()
    return (
        KMeansConfig(k, n_init=n_init, seed=seed, start_sample=_start_sample(n))
        if name == "KMeans"
        else MiniBatchKMeansConfig(k, LARGE_BATCH if n > MANY else BATCH, n_init, seed=seed)
    )


def _agglomerative(k: int, n: int) -> AgglomerativeConfig:
    linkage = st.selectbox(
        "linkage", LINKAGES, key=state.setting("agglomerative.linkage", "ward"),
        help="Which two groups are joined next: those that add least to the inertia (“ward”), or that are nearest by the mean "
        "(“average”), largest (“complete”) or smallest (“single”) distance of their images.",
    )  # fmt: skip
    if linkage != "ward" or not st.checkbox(
        "Join only neighbours", key=state.setting("agglomerative.graph", n > MOST_PAIRS),
        help=f"Takes far less memory; needed for more than {MOST_PAIRS:,} images.",
    ):  # fmt: skip
        return AgglomerativeConfig(k, linkage)
    near = _graph_neighbors("agglomerative.graph_neighbors", n, "Images that may be joined to each one.")
    return AgglomerativeConfig(k, linkage, near)


def _hdbscan(n: int) -> HDBSCANConfig:
    high = max(2, min(MOST_SIZE, n))
    size = st.slider(
        "min_cluster_size", 2, high, key=state.bounded("hdbscan.min_cluster_size", 15, 2, high),
        help="Smaller groups are noise.",
    ) if high > 2 else 2  # fmt: skip
    samples = None
    if not st.checkbox(
        "min_samples = min_cluster_size", key=state.setting("hdbscan.min_samples.auto", True),
        help="How many images must lie around one for it to count as dense: fewer leave less noise.",
    ):  # fmt: skip
        samples = st.slider("min_samples", 1, high, key=state.bounded("hdbscan.min_samples", 5, 1, high))
    selection = st.selectbox(
        "cluster_selection_method", SELECTIONS, key=state.setting("hdbscan.selection", "eom"),
        help="“eom”: clusters that last longest as density rises; “leaf”: the smallest ones.",
    )  # fmt: skip
    return HDBSCANConfig(size, samples, selection)


def _graph_neighbors(name: str, n: int, text: str) -> int:
    high = min(MOST_NEIGHBORS, n - 1)
    if high <= 2:
        return 2
    return st.slider("graph_neighbors", 2, high, key=state.bounded(name, 10, 2, high), help=text)


def _n_init(name: str, first: int) -> int:
    return st.slider("n_init", 1, 20, key=state.setting(name, first), help="Runs from other starts; the best stays.")


def _start_sample(n: int) -> int | None:
    if start_sample(n) is None or not st.checkbox(
        "Choose starts on a sample", key=state.setting("kmeans.sample", True),
        help=f"Three times n_init starts are tried on {SAMPLE:,} images, and the best n_init go on on all: several times "
        "faster, at about the same inertia.",
    ):  # fmt: skip
        return None
    return start_sample(n)


def _seed() -> int:
    return st.number_input("seed", 0, 2**31, key=state.setting("cluster.seed", 0))


def settings(method: ClusterMethod) -> dict[str, Any]:
    """Return what the widgets show for a method, by setting; k is apart."""
    name = type(method).__name__.removesuffix("Config")
    found: dict[str, Any] = {"cluster.method": name, "cluster.method.many": name}
    seed = seed_of(method)
    if seed is not None:
        found["cluster.seed"] = seed
    if isinstance(method, KMeansConfig):
        found["kmeans.sample"] = method.start_sample is not None
    if isinstance(method, KMeansConfig | MiniBatchKMeansConfig):
        return found | {"n_init": method.n_init}
    if isinstance(method, GaussianMixtureConfig):
        return found | {"mixture.covariance": method.covariance, "mixture.n_init": method.n_init}
    if isinstance(method, SpectralConfig):
        return found | {"spectral.graph_neighbors": method.graph_neighbors, "n_init": method.n_init}
    near = method.graph_neighbors if isinstance(method, AgglomerativeConfig) else method.min_samples
    if isinstance(method, AgglomerativeConfig):
        found |= {"agglomerative.linkage": method.linkage, "agglomerative.graph": near is not None}
        return found if near is None else found | {"agglomerative.graph_neighbors": near}
    found |= {
        "hdbscan.min_cluster_size": method.min_cluster_size,
        "hdbscan.min_samples.auto": near is None,
        "hdbscan.selection": method.cluster_selection_method,
    }
    return found if near is None else found | {"hdbscan.min_samples": near}


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
            return places.typed("Path of the CSV", "known.csv", ("csv",), placeholder="/data/known.csv")
    return ""


def ensemble(plan: Plan, choices: Sequence[ModelRef], texts: Mapping[ModelRef, str]) -> tuple[Plan, ...]:
    """Choose further runs to combine with a plan by vote: other seeds, models, reductions and numbers of clusters."""
    with st.expander("Ensemble"):
        st.caption("Each choice is one more run on the same images; clusters are decided by vote.")
        seed, of_k = seed_of(plan.cluster.method), clusters_of(plan.cluster.method) is not None
        if seed is None:
            st.caption(f"{title_of(plan.cluster.method)} is not random: another seed changes nothing.")
        seeds = 0 if seed is None else st.slider(
            "Other seeds of the clustering", 0, 9, key=state.setting("ensemble.seeds", 0)
        )  # fmt: skip
        others = [ref for ref in choices if ref != plan.model]
        refs = st.multiselect(
            "Other models", others, format_func=lambda ref: texts.get(ref, str(ref)),
            key=state.setting("ensemble.models", []),
        ) if others else []  # fmt: skip
        names = st.multiselect("Other reductions", tuple(REDUCED), key=state.setting("ensemble.reductions", []))
        ks = st.multiselect(
            "Other k", range(2, MAX_CLUSTERS + 1), key=state.setting("ensemble.k", [])
        ) if of_k else []  # fmt: skip
    cluster = plan.cluster
    found = [replace(plan, cluster=replace(cluster, method=with_seed(cluster.method, (seed or 0) + i)))
             for i in range(1, seeds + 1)]  # fmt: skip
    found += [replace(plan, model=ref) for ref in refs]
    on = cluster.on if cluster.on != "latents" else "reduced"  # a reduction changes nothing before it
    found += [replace(plan, reduction=REDUCED[name], cluster=replace(cluster, on=on)) for name in names]
    return tuple(
        found + [replace(plan, cluster=replace(cluster, method=with_clusters(cluster.method, k))) for k in ks]
    )
