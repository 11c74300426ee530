"""The clusters, the labels known beforehand, and ensembles, as widgets in and configs out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from core.clustering import title_of
from core.config import (
    ClusterConfig,
    ClusterOn,
    KernelPCAConfig,
    PCAConfig,
    ReductionConfig,
    TruncatedSVDConfig,
    clusters_of,
    seed_of,
    with_clusters,
    with_seed,
)
from core.images import ImageSet
from core.plans import ModelRef, Plan
from core.recipes import Recipe
from core.ways import FEWEST, cluster_of
from dashboard import state
from dashboard.sidebar import methods, places, ways

CLUSTER_ON: dict[ClusterOn, str] = {
    "latents": "latents",
    "reduced": "reduced latents",
    "manifold": "UMAP coordinates",
    "projection": "the map's coordinates",
}
MAX_CLUSTERS = 100
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
    n = len(found)
    way = ways.choose(n)
    if way is not None:
        return cluster_of(way, n, _k(found, recipe))
    name = methods.choose(n)
    k = 1 if name == "HDBSCAN" else _k(found, recipe)
    with st.expander("Cluster settings"):
        offered = tuple(on for on in CLUSTER_ON if on != "manifold" or n >= FEWEST)
        on: ClusterOn = st.selectbox(
            "Cluster by", offered, format_func=CLUSTER_ON.__getitem__, key=state.setting("on", "latents", offered),
            help="Latents hold all the model knows; their UMAP coordinates draw what lies together closer; clusters of the map "
            "agree with what you see.",
        )  # fmt: skip
        config = ClusterConfig(methods.method(name, k, n), on)
        return replace(config, manifold=ways.manifold(n)) if on == "manifold" else config


def _k(found: ImageSet, recipe: Recipe | None) -> int:
    limit = min(MAX_CLUSTERS, len(found))
    name, first = f"k.{found.fingerprint[:8]}", len(found.classes) or 10
    if recipe is not None:
        name, first = f"{name}.{recipe.name}", recipe.n_clusters or first
    key = state.bounded(name, first, 1, limit)
    state.remember_k_setting(name)
    return st.slider("k (number of clusters)", 1, limit, key=key)


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
    found = [replace(plan, cluster=_reseeded(cluster, i)) for i in range(1, seeds + 1)]
    found += [replace(plan, model=ref) for ref in refs]
    on = cluster.on if cluster.on != "latents" else "reduced"  # a reduction changes nothing before it
    found += [replace(plan, reduction=REDUCED[name], cluster=replace(cluster, on=on)) for name in names]
    return tuple(
        found + [replace(plan, cluster=replace(cluster, method=with_clusters(cluster.method, k))) for k in ks]
    )


def _reseeded(config: ClusterConfig, more: int) -> ClusterConfig:
    """Return clusters with a seed so many higher, and the UMAP coordinates that were made for them."""
    found = replace(config, method=with_seed(config.method, (seed_of(config.method) or 0) + more))
    if config.on != "manifold":
        return found
    return replace(found, manifold=replace(config.manifold, seed=config.manifold.seed + more))
