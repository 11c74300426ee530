"""What the page begins with for many images: a sample for the map, random batches for the clusters."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.config import ClusterConfig, KMeansConfig, MiniBatchKMeansConfig, TSNEConfig, UMAPConfig


def sidebar(n, **settings):
    """Run the sidebar's map settings for n images with 64 latents."""

    def script(n, settings):
        import streamlit as st

        from dashboard import state
        from dashboard.sidebar import maps

        state.keep_settings()
        if "settings" not in st.session_state:
            st.session_state["settings"] = settings
            for name, value in settings.items():
                state.change(name, value)
        st.session_state["made"] = maps.projection(n, 64)[1]

    at = AppTest.from_function(script, args=(n, settings)).run()
    assert not at.exception, at.exception
    return at


def fit_on(at):
    return next(item for item in at.selectbox if item.label == "Fit on at most")


@pytest.mark.parametrize(
    ("method", "config"), [("tsne", partial(TSNEConfig, init="sample")), ("umap", UMAPConfig)], ids=["tsne", "umap"]
)
def test_above_100_000_images_maps_begin_with_a_sample(method, config):
    assert sidebar(100_000, map=method).session_state["made"] == config()
    at = sidebar(100_001, map=method)
    assert at.session_state["made"] == config(sample=20_000)
    fit_on(at).select(None).run()
    assert at.session_state["made"] == config()
    few = sidebar(60_000, map=method)
    fit_on(few).select(50_000).run()
    assert few.session_state["made"] == config(sample=50_000)


def test_a_sample_of_more_than_all_is_all():
    at = sidebar(3000, **{"tsne.sample": 5000})
    assert fit_on(at).value == 5000 and at.session_state["made"] == TSNEConfig()


def test_a_link_carries_the_sample_and_nothing_that_is_not_offered():
    from dashboard import sessions

    good = {"tsne.sample": 5000, "tsne.sample.many": None, "umap.sample": 2000, "cluster.method.many": "KMeans"}
    assert sessions.accepted(json.loads(json.dumps(good))) == good
    assert sessions.accepted({"tsne.sample": 5001, "umap.sample.many": "all", "cluster.method.many": "none"}) == {}


def test_clusters_of_many_images_begin_with_random_batches(monkeypatch):
    from core import ways

    monkeypatch.setattr(ways, "MANY", 100)

    def script(n):
        import numpy as np
        import streamlit as st

        from core.images import image_set
        from dashboard import state
        from dashboard.sidebar import clusters

        state.keep_settings()
        for name in ("way", "way.many"):
            state.change(name, "own")
        st.session_state["made"] = clusters.cluster(image_set(np.zeros((n, 8, 8), np.uint8)))

    few, many = (AppTest.from_function(script, args=(n,)).run() for n in (100, 101))
    assert few.session_state["made"].method == KMeansConfig(10)
    assert many.session_state["made"].method == MiniBatchKMeansConfig(10, 4096)
    next(item for item in many.selectbox if item.label == "Clustering method").select("KMeans").run()
    assert many.session_state["made"].method == KMeansConfig(10)


def test_many_images_begin_with_the_way_that_takes_no_minutes_and_the_choice_is_kept_apart(monkeypatch):
    from core import ways

    monkeypatch.setattr(ways, "MANY", 100)

    def script(n):
        import numpy as np
        import streamlit as st

        from core.images import image_set
        from dashboard.sidebar import clusters

        st.session_state["made"] = clusters.cluster(image_set(np.zeros((n, 8, 8), np.uint8)))

    few, many = (AppTest.from_function(script, args=(n,)).run() for n in (100, 101))
    assert few.session_state["made"].on == "manifold"
    assert many.session_state["made"] == ClusterConfig(MiniBatchKMeansConfig(10, 4096))
    assert ("set.way" in many.session_state, "set.way.many" in many.session_state) == (False, True)


def test_further_maps_of_many_images_are_sampled_too():
    from core.images import ArraySource
    from core.plans import KeptModel, Plan

    def script(plan, n):
        import streamlit as st

        from dashboard import beside, state

        state.change("beside", ["map tsne", "map pca"])
        st.session_state["made"] = beside.choose(plan, {}, n)

    plan = Plan(ArraySource("a.npy"), KeptModel("digits"))
    for n, sample in ((100_000, None), (100_001, 20_000)):
        at = AppTest.from_function(script, args=(plan, n)).run()
        made = [plan.projection for plan, _ in at.session_state["made"]]
        assert made[0] == replace(TSNEConfig(), sample=sample)


def test_scores_of_a_sampled_map_stand_beside_it():
    from core import quality

    found = quality.score(np.array([0, 1, 1]), None, np.zeros((3, 2)))
    told = replace(found, kept_fitted=0.312, kept_placed=0.279)
    assert [quality.text(name, getattr(told, name)) for name in ("kept_fitted", "kept_placed")] == [
        "31.2 %",
        "27.9 %",
    ]
    assert {"kept_fitted", "kept_placed"} <= set(quality.TITLES) & set(quality.EXPLANATIONS)
