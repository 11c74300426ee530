"""The clusters, the labels known beforehand, and ensembles, as widgets in and configs out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from core.config import (
    ClusterConfig,
    ClusterOn,
    KernelPCAConfig,
    KMeansConfig,
    MiniBatchKMeansConfig,
    PCAConfig,
    ReductionConfig,
    TruncatedSVDConfig,
)
from core.images import ImageSet
from core.plans import ModelRef, Plan
from core.recipes import Recipe
from dashboard import state

CLUSTER_ON: dict[ClusterOn, str] = {
    "latents": "latents",
    "reduced": "reduced latents",
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
    limit = min(MAX_CLUSTERS, len(found))
    name, first = f"k.{found.fingerprint[:8]}", len(found.classes) or 10
    if recipe is not None:
        name, first = f"{name}.{recipe.name}", recipe.n_clusters or first
    key = state.bounded(name, first, 1, limit)
    state.remember_k_setting(name)
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
