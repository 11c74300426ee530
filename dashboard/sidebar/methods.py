"""The settings of each clustering method, as widgets in and configs out."""

from typing import Any

import streamlit as st

from core import ways
from core.clustering import MIXTURE_SAMPLE, MOST_PAIRS, MOST_SPECTRAL, SAMPLE, start_sample
from core.config import (
    AgglomerativeConfig,
    ClusterMethod,
    Covariance,
    GaussianMixtureConfig,
    HDBSCANConfig,
    KMeansConfig,
    Linkage,
    MiniBatchKMeansConfig,
    Selection,
    SpectralConfig,
    seed_of,
)
from dashboard import state

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
BATCH = 1024  # of few images
REGULARISED = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
MOST_SIZE, MOST_NEIGHBORS = 500, 100  # of the sliders


def choose(n: int) -> str:
    """Choose a method for n images, by its name; of many one that begins with random batches, and is kept apart."""
    many = n > ways.MANY
    key = (
        state.setting("cluster.method.many", "MiniBatchKMeans") if many else state.setting("cluster.method", "KMeans")
    )
    return st.selectbox(
        "Clustering method", tuple(METHODS), format_func=METHODS.__getitem__, key=key,
        help="\n".join(f"- **{METHODS[method]}**: {text}" for method, text in HELPS.items()),
    )  # fmt: skip


def method(name: str, k: int, n: int) -> ClusterMethod:
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
        sample = st.checkbox(
            "Short runs first", key=state.setting("mixture.sample", False),
            help=f"Runs take a few steps on at most {MIXTURE_SAMPLE:,} images, and the likeliest goes on, on all: quicker.",
        )  # fmt: skip
        regularised = st.select_slider(
            "reg_covar", REGULARISED, key=state.setting("mixture.reg_covar", 1e-6, REGULARISED),
            help="Added to every variance, as a share of the mean one: more keeps clusters from shrinking to a line.",
        )  # fmt: skip
        return GaussianMixtureConfig(
            k,
            covariance=covariance,
            reg_covar=regularised,
            n_init=n_init,
            seed=_seed(),
            start_sample=MIXTURE_SAMPLE if sample else None,
        )
    if name == "Spectral":
        near = _graph_neighbors("spectral.graph_neighbors", n, "Few follow fine forms, many the overall one.")
        return SpectralConfig(k, graph_neighbors=near, n_init=_n_init("n_init", 4), seed=_seed())
    n_init, seed = _n_init("n_init", 4), _seed()
    return (
        KMeansConfig(k, n_init=n_init, seed=seed, start_sample=_start_sample(n))
        if name == "KMeans"
        else MiniBatchKMeansConfig(k, ways.BATCH if n > ways.MANY else BATCH, n_init, seed=seed)
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
        return found | {
            "mixture.covariance": method.covariance, "mixture.n_init": method.n_init, "mixture.reg_covar": method.reg_covar,
            "mixture.sample": method.start_sample is not None,
        }  # fmt: skip
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
