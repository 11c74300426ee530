"""Every clustering method from the sidebar, a link and the command line to its results."""

import csv
import json
import re

import made_up
import pytest
from streamlit.testing.v1 import AppTest

from core import recipes
from core.__main__ import main
from core.cli import arguments, parser
from core.config import (
    AgglomerativeConfig,
    ClusterConfig,
    GaussianMixtureConfig,
    HDBSCANConfig,
    KMeansConfig,
    MiniBatchKMeansConfig,
    SpectralConfig,
    UMAPConfig,
    clusters_of,
)
from core.images import load
from core.timing import predict_seconds
from core.ways import UMAP, WAYS

CHOSEN = [
    KMeansConfig(7, n_init=3, seed=5),
    MiniBatchKMeansConfig(7, n_init=2, seed=4),
    GaussianMixtureConfig(7, covariance="tied", n_init=2, seed=3),
    GaussianMixtureConfig(7, reg_covar=1e-4, n_init=10, start_sample=5000),
    AgglomerativeConfig(7, "complete"),
    AgglomerativeConfig(7, "ward", 12),
    HDBSCANConfig(20),
    HDBSCANConfig(8, 3, "leaf"),
    SpectralConfig(7, 6, seed=2),
]
DEFAULTS = {
    "KMeans": KMeansConfig(10),
    "MiniBatchKMeans": MiniBatchKMeansConfig(10),
    "GaussianMixture": GaussianMixtureConfig(10),
    "Agglomerative": AgglomerativeConfig(10),
    "HDBSCAN": HDBSCANConfig(),
    "Spectral": SpectralConfig(10),
}


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EMBEDDING_EXPLORER_MODELS", str(tmp_path / "models"))


def sidebar(settings=None, n=300):
    """Draw the sidebar's clusters, with settings of one's own, and its ensemble for n images: `made` and `others`."""

    def script(settings, n):
        import numpy as np
        import streamlit as st

        from core.images import SampleSource, image_set
        from core.plans import Plan
        from dashboard import state
        from dashboard.sidebar import clusters

        state.keep_settings()
        if "settings" not in st.session_state:
            st.session_state["settings"] = settings
            for name, value in {"way": "own", "way.many": "own", **settings}.items():
                state.change(name, value)
        found = image_set(np.arange(n * 64, dtype=np.int64).astype(np.uint8).reshape(n, 8, 8))
        st.session_state["made"] = clusters.cluster(found)
        st.session_state["names"] = [str(key)[4:] for key in st.session_state if str(key).startswith("set.")]
        st.session_state["others"] = clusters.ensemble(
            Plan(SampleSource("digits"), cluster=st.session_state["made"]), (), {}
        )

    at = AppTest.from_function(script, args=(settings or {}, n)).run()
    assert not at.exception, at.exception
    return at


def labels(at):
    return {item.label for item in (*at.slider, *at.selectbox, *at.number_input, *at.checkbox, *at.multiselect)}


@pytest.mark.parametrize("name", DEFAULTS)
def test_choosing_a_method_in_the_sidebar_shows_its_settings_at_their_defaults(name):
    at = sidebar()
    next(item for item in at.selectbox if item.label == "Clustering method").select(name).run()
    assert not at.exception
    assert at.session_state["made"] == ClusterConfig(DEFAULTS[name])
    method = DEFAULTS[name]
    assert ("k (number of clusters)" in labels(at)) == (clusters_of(method) is not None)
    assert ("Other k" in labels(at)) == (clusters_of(method) is not None)
    assert ("seed" in labels(at)) == ("Other seeds of the clustering" in labels(at)) == hasattr(method, "seed")


def test_of_many_images_the_starts_are_chosen_on_a_sample_unless_a_recipe_says_otherwise():
    from dashboard.sidebar import methods

    box = "Choose starts on a sample"
    assert box not in labels(sidebar(n=300)) and box in labels(sidebar(n=5001))
    at = sidebar(n=5001)
    assert at.session_state["made"].method == KMeansConfig(10, start_sample=3000)
    next(item for item in at.checkbox if item.label == box).uncheck().run()
    assert at.session_state["made"].method == KMeansConfig(10)
    for method in (KMeansConfig(10), KMeansConfig(10, start_sample=3000)):
        assert sidebar(methods.settings(method), 5001).session_state["made"].method == method


@pytest.mark.parametrize("method", CHOSEN, ids=repr)
def test_the_sidebar_shows_exactly_what_a_method_says_and_a_link_carries_it(method):
    from dashboard import sessions
    from dashboard.sidebar import methods

    settings = methods.settings(method)
    assert sessions.accepted(json.loads(json.dumps(settings))) == settings
    at = sidebar(settings)
    if clusters_of(method) is not None:
        next(item for item in at.slider if item.label.startswith("k ")).set_value(7).run()
    assert at.session_state["made"] == ClusterConfig(method)


def test_every_setting_of_the_sidebar_has_its_range_in_a_link():
    from dashboard import sessions
    from dashboard.sidebar import methods

    for method in CHOSEN:
        names = sidebar(methods.settings(method)).session_state["names"]
        assert len(names) > 3
        assert [name for name in names if sessions._check(name) is None] == []
    bad = {
        "way": "best", "way.many": None, "manifold.n_components": 51, "manifold.n_neighbors": 1, "manifold.n_neighbors.9": 101,
        "manifold.min_dist": 2, "manifold.metric": "hamming", "manifold.seed": -1, "manifold.sample": 7, "mixture.reg_covar": 5,
        "cluster.method": "DBSCAN", "mixture.covariance": "round", "mixture.n_init": 0, "agglomerative.linkage": "centroid",
        "agglomerative.graph": "yes", "agglomerative.graph_neighbors": 1, "spectral.graph_neighbors": 101,
        "hdbscan.min_cluster_size": 1, "hdbscan.min_samples": 0, "hdbscan.min_samples.auto": 1, "hdbscan.selection": "all",
    }  # fmt: skip
    assert sessions.accepted(bad) == {}


UNFOLDED = ClusterConfig(
    GaussianMixtureConfig(7, seed=2), "manifold", UMAPConfig(6, 20, 0.25, "cosine", 3, sample=2000)
)


def test_the_sidebar_shows_exactly_what_umap_coordinates_are_clustered_and_a_link_carries_it():
    from dashboard import sessions
    from dashboard.sidebar import methods, ways

    settings = {"on": "manifold", **methods.settings(UNFOLDED.method), **ways.settings(config=UNFOLDED.manifold)}
    assert sessions.accepted(json.loads(json.dumps(settings))) == settings
    at = sidebar(settings, 3000)
    next(item for item in at.slider if item.label.startswith("k ")).set_value(7).run()
    assert at.session_state["made"] == UNFOLDED
    assert [name for name in at.session_state["names"] if sessions._check(name) is None] == []


@pytest.mark.parametrize("n", [2, 3, 4, 12, 300])
def test_umap_coordinates_have_as_many_neighbours_as_there_are_others(n):
    at = sidebar({"on": "manifold"}, n)
    made = at.session_state["made"]
    assert made.on == ("latents" if n == 2 else "manifold")
    if n > 2:
        assert made.manifold == UMAPConfig(10, min(15, n - 1), 0.0)


def test_an_ensemble_of_other_seeds_has_other_umap_coordinates():
    (first, second) = sidebar({"on": "manifold", "ensemble.seeds": 2}).session_state["others"]
    assert [other.cluster.method.seed for other in (first, second)] == [1, 2]
    assert [other.cluster.manifold.seed for other in (first, second)] == [1, 2]


def test_an_ensemble_offers_only_what_changes_something():
    at = sidebar(
        {"cluster.method": "HDBSCAN", "ensemble.seeds": 3, "ensemble.k": [4], "ensemble.reductions": ["PCA to 10"]}
    )
    (other,) = at.session_state["others"]
    assert other.cluster == ClusterConfig(HDBSCANConfig(), "reduced")
    assert "HDBSCAN is not random" in " ".join(item.value for item in at.caption)
    at = sidebar({"cluster.method": "Agglomerative", "ensemble.seeds": 3, "ensemble.k": [4]})
    assert [other.cluster.method for other in at.session_state["others"]] == [AgglomerativeConfig(4)]
    at = sidebar({"cluster.method": "GaussianMixture", "ensemble.seeds": 2, "ensemble.k": [4]})
    assert [other.cluster.method for other in at.session_state["others"]] == [
        GaussianMixtureConfig(10, seed=1), GaussianMixtureConfig(10, seed=2), GaussianMixtureConfig(4),
    ]  # fmt: skip


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("name", DEFAULTS)
def test_a_handful_of_images_draws_every_widget(name, n):
    sidebar({"cluster.method": name, "agglomerative.graph": True, "hdbscan.min_samples.auto": False}, n)


@pytest.mark.parametrize(
    ("flags", "method"),
    [
        (["--cluster-method", "gaussian-mixture", "--covariance", "diag", "--n-init", "3", "--reg-covar", "0.01"],
         GaussianMixtureConfig(10, "diag", 0.01, 3)),
        (["--cluster-method", "agglomerative", "--linkage", "average", "--clusters", "5", "--seed", "4"],
         AgglomerativeConfig(5, "average")),
        (["--cluster-method", "agglomerative", "--graph-neighbors", "20"], AgglomerativeConfig(10, "ward", 20)),
        (["--cluster-method", "hdbscan", "--min-cluster-size", "9", "--min-samples", "2", "--cluster-selection-method", "leaf"],
         HDBSCANConfig(9, 2, "leaf")),
        (["--cluster-method", "spectral", "--graph-neighbors", "5", "--n-init", "2", "--seed", "4"],
         SpectralConfig(10, 5, 2, 4)),
        (["--n-init", "7", "--max-iter", "50"], KMeansConfig(10, 7, 50)),
        (["--start-sample", "2000"], KMeansConfig(10, start_sample=2000)),
        (["--cluster-method", "gaussian-mixture", "--start-sample", "2000"], GaussianMixtureConfig(10, start_sample=2000)),
        (["--cluster-method", "minibatch", "--max-iter", "50"], MiniBatchKMeansConfig(10, max_iter=50)),
    ],
)  # fmt: skip
def test_flags_become_the_settings_of_the_method(flags, method):
    args = parser.build().parse_args(["run", "--data", "digits", "--out", "x", *flags])
    assert arguments.asked(args)[0].cluster.method == method


@pytest.mark.parametrize(
    ("flags", "cluster"),
    [
        (["--cluster-on", "manifold"], ClusterConfig(KMeansConfig(), "manifold")),
        (["--cluster-on", "manifold", "--manifold-components", "5", "--manifold-neighbors", "30", "--manifold-min-dist", "0.2",
          "--manifold-sample", "500", "--seed", "4"],
         ClusterConfig(KMeansConfig(seed=4), "manifold", UMAPConfig(5, 30, 0.2, seed=4, sample=500))),
        (["--recipe", "manifold"], WAYS[UMAP].cluster),
        (["--recipe", "manifold", "--cluster-on", "latents"], ClusterConfig(WAYS[UMAP].cluster.method)),
    ],
)  # fmt: skip
def test_flags_say_what_umap_coordinates_are_clustered(flags, cluster):
    args = parser.build().parse_args(["run", "--data", "digits", "--out", "x", *flags])
    assert arguments.asked(args)[0].cluster == cluster


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--manifold-components", "5"], "--manifold-components needs --cluster-on manifold."),
        (["--cluster-on", "manifold", "--manifold-neighbors", "60"], "n_neighbors 60 needs at least 61 images"),
        (["--linkage", "ward"], "--linkage is not a setting of --cluster-method kmeans."),
        (["--cluster-method", "hdbscan", "--clusters", "4"], "--clusters is not a setting of .*; it finds the number itself."),
        (["--cluster-method", "hdbscan", "--n-init", "4"], "--n-init is not a setting of --cluster-method hdbscan."),
        (["--cluster-method", "hdbscan", "--ensemble-clusters", "4"], "--ensemble-clusters is not a setting of .* hdbscan"),
        (["--cluster-method", "spectral", "--max-iter", "4"], "--max-iter is not a setting of --cluster-method spectral."),
        (["--cluster-method", "agglomerative", "--linkage", "single", "--graph-neighbors", "5"], "graph_neighbors is for ward"),
        (["--cluster-method", "hdbscan", "--min-cluster-size", "61"], "min_cluster_size 61 needs at least 61 images"),
        (["--cluster-method", "gaussian-mixture", "--clusters", "61"], "k = 61 clusters need at least 61 images"),
    ],
)  # fmt: skip
def test_a_flag_that_does_not_belong_to_the_method_is_refused(tmp_path, capsys, flags, words):
    command = [
        "run",
        "--data",
        str(made_up.write(tmp_path)),
        "--projection",
        "pca",
        *flags,
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(command) == 2
    assert re.fullmatch(f"error: {words}.*", capsys.readouterr().err.splitlines()[-1])
    assert not (tmp_path / "out").exists()  # and nothing was trained


def test_seeds_that_change_nothing_are_refused(capsys):
    flags = ["--projection", "pca", "--cluster-method", "hdbscan", "--ensemble-seeds", "1", "2"]
    assert main(["run", "--data", "digits", *flags, "--out", "x"]) == 2
    assert "--ensemble-seeds changes nothing here" in capsys.readouterr().err


def test_other_seeds_change_what_is_on_umap_coordinates():
    flags = ["--cluster-on", "manifold", "--cluster-method", "agglomerative", "--ensemble-seeds", "1", "2"]
    args = parser.build().parse_args(["run", "--data", "digits", "--out", "x", *flags])
    recipe, chosen = arguments.asked(args)
    found = load(chosen)
    made = arguments.plan(args, recipe, chosen, found, found)
    assert [other.cluster.manifold.seed for other in made.others] == [1, 2]


TINY = ["--latent-size", "4", "--width", "4", "--epochs", "2", "--batch-size", "20", "--projection", "pca"]


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_run_with_hdbscan_says_noise_and_its_recipe_runs_again(tmp_path, capsys):
    out, again = tmp_path / "out", tmp_path / "again"
    method = ["--cluster-method", "hdbscan", "--min-cluster-size", "3", "--cluster-selection-method", "leaf"]
    command = ["run", "--data", str(made_up.write(tmp_path)), *TINY, *method]
    assert main([*command, "--ensemble-reductions", "none", "--out", str(out)]) == 0
    assert "HDBSCAN" in capsys.readouterr().err
    metrics = json.loads((out / "metrics.json").read_text())
    table, predictions = rows(out / "table.csv"), rows(out / "predictions.csv")
    noise = [row["cluster"] == "noise" for row in table]
    assert 0 < sum(noise) < 60
    assert metrics["noise"] == pytest.approx(sum(noise) / 60)
    assert metrics["k"] == len({row["cluster"] for row in table} - {"noise"})
    assert [row["label"] == "noise" for row in predictions] == noise
    assert not any("-1" in (row["cluster"], row["label"]) for row in table)
    recipe = recipes.find(str(out / "recipe.json"))
    assert (recipe.cluster.method, recipe.n_clusters, len(recipe.others)) == (HDBSCANConfig(3, None, "leaf"), None, 1)
    assert main(["run", "--recipe", str(out / "recipe.json"), "--quiet", "--out", str(again)]) == 0
    assert (again / "table.csv").read_bytes() == (out / "table.csv").read_bytes()


def test_a_run_with_a_mixture_writes_how_probable_clusters_are(tmp_path):
    out = tmp_path / "out"
    method = ["--cluster-method", "gaussian-mixture", "--covariance", "spherical", "--quiet", "--no-pictures"]
    assert main(["run", "--data", str(made_up.write(tmp_path)), *TINY, *method, "--out", str(out)]) == 0
    found = [float(row["cluster_probability"]) for row in rows(out / "table.csv")]
    assert all(1 / 3 <= value <= 1 for value in found)
    assert json.loads((out / "metrics.json").read_text())["noise"] is None
    assert recipes.find(str(out / "recipe.json")).cluster.method == GaussianMixtureConfig(3, "spherical")


def test_a_run_on_umap_coordinates_says_its_steps_and_its_recipe_runs_again(tmp_path, capsys):
    out, again = tmp_path / "out", tmp_path / "again"
    on = ["--cluster-on", "manifold", "--manifold-components", "4", "--manifold-neighbors", "9", "--standardize"]
    command = ["run", "--data", str(made_up.write(tmp_path)), *TINY, *on, "--no-pictures", "--out", str(out)]
    assert main([*command, "--ensemble-seeds", "1"]) == 0
    steps = [
        "60 × 4 latents",
        "standardised",
        "UMAP to 4 dimensions, 9 neighbours, min_dist 0",
        "KMeans of 3",
        "vote of 2 runs",
    ]
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["steps"] == steps
    assert "manifold" in metrics["seconds"]
    assert f"clusters: {' → '.join(steps)}" in capsys.readouterr().out
    assert recipes.find(str(out / "recipe.json")).cluster.manifold == UMAPConfig(4, 9, 0.0)
    assert main(["run", "--recipe", str(out / "recipe.json"), "--quiet", "--no-pictures", "--out", str(again)]) == 0
    assert (again / "table.csv").read_bytes() == (out / "table.csv").read_bytes()


@pytest.mark.parametrize("method", CHOSEN, ids=repr)
def test_few_images_are_predicted_to_be_live_and_no_method_to_be_quicker_on_more(method):
    few, many = (predict_seconds(ClusterConfig(method), n, 32) for n in (2000, 70_000))
    assert 0 < few < 2
    assert few <= many
    if not isinstance(method, KMeansConfig | MiniBatchKMeansConfig):
        assert many > 5
