"""Recipes, ensembles and parts of data sets on the page, without a browser."""

import numpy as np
import pytest
from pages import can_start, choose, fresh, metric, page, select, settled, texts, tiny  # noqa: F401  fresh is a fixture
from streamlit.testing.v1 import AppTest

from dashboard import inputs, server

pytestmark = pytest.mark.xdist_group("dashboard")


def test_an_ensemble_is_voted_by_a_job_and_known_labels_say_what_clusters_are():
    at = page()
    at.session_state["set.map"] = "pca"
    at.run()
    at.session_state["set.ensemble.seeds"] = 2
    at.session_state["set.ensemble.reductions"] = ["PCA to 10"]
    at.session_state["set.known"] = "first"
    at.run()

    def colours(at):
        (box,) = [box for box in at.selectbox if box.label == "Colour by"]
        return box.options

    settled(at, lambda at: "Ensemble confidence" in colours(at))
    assert not at.error
    assert "Matched class" in colours(at)
    at.session_state["set.known"] = "csv"
    at.session_state["set.known.csv"] = "/no/such.csv"
    at.run()
    assert "cannot be read as a CSV" in at.error[0].value.replace("\\", "")
    assert metric(at, "Images") == "5,000"  # the map stays


def test_published_architectures_are_offered_where_they_fit_and_show_their_layers():
    at = page("train").run()
    (box,) = [box for box in at.selectbox if box.label == "architecture"]
    assert list(box.options) == ["default", "strided-small", "conv-mnist", "deep-bn"]  # not conv-pool
    at.session_state["set.train.architecture"] = "deep-bn"
    at.session_state["set.train.layers"] = True
    at.run()
    assert "2,222 parameters" in texts(at).replace("\\", "")
    assert at.dataframe[0].value["parameters"].sum() == 2222


def in_parts(tmp_path):
    """Two kinds of 28×28 pictures, 40 to learn from and 30 to test."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", 40), ("test", 30)):
        x = rng.integers(0, 60, (n, 28, 28), dtype=np.uint8)
        y = np.arange(n) % 2
        x[y == 0, :, :14] += 150
        x[y == 1, :, 14:] += 150
        arrays |= {f"x_{part}": x, f"y_{part}": y}
    np.savez(tmp_path / "parts.npz", **arrays)
    return tmp_path / "parts.npz"


def test_a_recipe_is_one_choice_that_trains_on_one_part_and_maps_another(tmp_path):
    from core.config import KMeansConfig

    at = page().run()
    at.session_state["set.recipe.epochs.conv-mnist"] = 1
    at.session_state["set.on"] = "projection"
    choose(at, in_parts(tmp_path))
    settled(at, lambda at: any(item.label == "Recipe" for item in at.selectbox))
    assert select(at, "Part").value == "all"
    assert "conv-pool" not in select(at, "Recipe").options
    select(at, "Recipe").select("conv-mnist").run()
    settled(at, lambda at: metric(at, "Images") or at.error)
    assert metric(at, "Images") == "30"
    assert select(at, "Part").value == "test"
    (entry,) = server.store().entries("model")
    assert entry["info"]["history"][0]["validation_loss"] > 0
    assert entry["info"]["training"]["epochs"] == 1
    job = max(server.jobs().all(), key=lambda job: job.submitted)
    assert job.plan.cluster.on == "latents" and isinstance(job.plan.cluster.method, KMeansConfig)
    assert len(inputs.images(job.plan.model.data).value) == 40
    select(at, "Part").select("train").run()
    settled(at, lambda at: metric(at, "Images") == "40" or at.error)
    assert len(list(server.store().entries("model"))) == 1, "the same model places the other part"


def test_some_classes_and_a_limit_are_another_set_of_images(tmp_path):
    at = choose(page().run(), tiny(tmp_path))
    settled(at, lambda at: can_start(at) or at.info)
    next(item for item in at.multiselect if item.label == "Only these classes").select("left").run()
    settled(at, lambda at: "12 images" in texts(at))
    next(item for item in at.number_input if item.label == "At most so many images").set_value(5).run()
    settled(at, lambda at: "5 images of 8×8 gray, 1 classes" in texts(at))
    assert not at.exception


def test_a_recipe_without_weights_leads_to_the_classify_page():
    at = page().run()
    select(at, "Recipe").select("classifier").run()
    assert "give the file of its weights" in texts(at)
    assert not at.exception


@pytest.mark.parametrize("name", ["conv-pool", "strided-small", "conv-mnist", "deep-bn", "manifold"])
def test_the_sidebar_says_exactly_what_a_recipe_says(name):
    def script(name):
        import numpy as np
        import streamlit as st

        from core.images import image_set
        from core.recipes import RECIPES
        from dashboard import state
        from dashboard.sidebar import clusters, maps, recipe, ways

        for setting, value in recipe.settings(RECIPES[name]).items():
            state.change(setting, value)
        found = image_set(np.arange(300 * 64, dtype=np.uint8).reshape(300, 8, 8))
        reduction, projection = maps.projection(300, 4096, ways.reduction(300, 4096))
        st.session_state["made"] = (
            reduction,
            projection,
            clusters.cluster(found, RECIPES[name]),
            clusters.known(found),
        )

    from core.recipes import RECIPES

    at = AppTest.from_function(script, args=(name,)).run()
    recipe = RECIPES[name]
    assert not at.exception
    assert at.session_state["made"] == (recipe.reduction, recipe.projection, recipe.cluster, recipe.known)
