"""Every page through Streamlit's AppTest: empty, filled, and with input that cannot work."""

import pytest
from pages import (  # noqa: F401  fresh is a fixture
    APP,
    TIMEOUT,
    buttons,
    can_start,
    choose,
    cut_short,
    fresh,
    metric,
    page,
    search,
    settled,
    texts,
    tiny,
)
from streamlit.testing.v1 import AppTest

from dashboard import server

pytestmark = pytest.mark.xdist_group("dashboard")


def test_first_page_opens_on_the_finished_map_of_the_digits_without_a_job():
    at = AppTest.from_file(str(APP), default_timeout=TIMEOUT).run()

    assert not at.exception and not at.error
    assert metric(at, "Images") == "5,000"
    assert metric(at, "Clusters") == "10"
    assert server.jobs().all() == []
    assert "computed" not in " ".join(item.value for item in at.sidebar.caption)
    assert "found in the store" in " ".join(item.value for item in at.sidebar.caption)


def test_k_slider_makes_other_clusters_and_keeps_the_map():
    at = page().run()
    next(item for item in at.sidebar.slider if item.label.startswith("k ")).set_value(4).run()
    assert not at.exception
    assert metric(at, "Clusters") == "4"
    assert "Clusters: computed" in " ".join(item.value for item in at.sidebar.caption)


def test_an_empty_path_says_what_to_do():
    at = choose(page().run(), "")
    assert "Type the path" in at.info[0].value


@pytest.mark.parametrize(("path", "sentence"), [("/no/such/folder", "not a sample"), ("x.npy", "x.npy")])
def test_a_path_that_is_not_there_is_one_sentence_and_the_sidebar_stays(path, sentence):
    at = choose(page().run(), path)
    settled(at, lambda at: at.error)
    assert not at.exception
    assert sentence in at.error[0].value
    assert at.sidebar.selectbox[0].label == "Data set"


def test_a_selection_shows_its_pictures():
    at = page().run()
    search(at, "4999")
    assert not at.exception
    assert "1 of 5,000 selected" in texts(at)
    assert "1 to 1 of 1 selected images" in texts(at)


def test_images_without_a_model_lead_to_training(tmp_path):
    at = choose(page().run(), tiny(tmp_path))
    settled(at, lambda at: at.info)
    assert "no model" in at.info[0].value
    assert not at.exception


def test_training_then_exploring_a_tiny_set(tmp_path):
    at = choose(page("train").run(), tiny(tmp_path))
    settled(at, can_start)
    at.session_state["set.train.epochs"] = 2
    at.session_state["set.train.width"] = 4
    at.session_state["set.train.precision"] = "full"
    at.session_state["set.train.jitter"], at.session_state["set.train.contrast"] = 1.0, 0.05
    at.run()
    at.button(key="start").click().run()
    settled(at, lambda at: at.success)
    assert not at.exception
    made = server.jobs().all()[-1].plan.model.training
    assert (made.precision, made.jitter, made.contrast, made.temperature) == ("full", 1.0, 0.05, 0.2)
    assert "2 epochs" in at.success[0].value
    at.text_input(key="set.library.name").set_value("two sides").run()
    next(item for item in at.button if item.label == "Keep").click().run()
    assert (tmp_path / "models" / "two sides" / "model.json").is_file()

    at = choose(page().run(), tmp_path / "tiny.npz")
    settled(at, lambda at: at.metric)
    assert metric(at, "Images") == "24"
    assert not at.exception

    cut_short(tmp_path / "store")
    at = choose(page().run(), tmp_path / "tiny.npz")
    settled(at, lambda at: at.metric)
    assert metric(at, "Images") == "24"
    assert not at.exception


def test_nine_images_allow_nine_clusters_and_no_more(tmp_path):
    from core import checkpoints
    from core.config import AutoencoderConfig, TrainingConfig
    from core.images import load, parse_source
    from core.training import train

    path = tiny(tmp_path, n=9)
    trained = train(load(parse_source(str(path))), AutoencoderConfig(2, 4), TrainingConfig(epochs=1))
    checkpoints.keep(trained, "nine", tmp_path / "models")
    at = choose(page().run(), path)
    settled(at, lambda at: at.metric)
    slider = next(item for item in at.sidebar.slider if item.label.startswith("k "))
    assert slider.max == 9
    # t-SNE of 9 images cannot have the default perplexity: the page says what it takes.
    assert "perplexity is 2: so few images allow no more." in texts(at)
    assert metric(at, "Images") == "9"
    assert not at.exception and not at.error


@pytest.mark.parametrize(("n", "method", "most"), [(24, "tsne", 7), (60, "tsne", 19), (24, "umap", 23)])
def test_few_images_bound_what_can_be_chosen(n, method, most):
    def script(n, method):
        import streamlit as st

        from dashboard.sidebar import maps

        st.session_state["set.map"] = method
        maps.projection(n, 4)

    name = {"tsne": "perplexity", "umap": "n_neighbors"}[method]
    at = AppTest.from_function(script, args=(n, method)).run()
    assert not at.exception
    bounded = next(item for item in at.slider if item.label == name)
    assert (bounded.min, bounded.max, bounded.value) == (2, most, min({"tsne": 30, "umap": 15}[method], most))


@pytest.mark.parametrize(("n", "method"), [(6, "tsne"), (2, "umap")])
def test_too_few_images_for_a_method_are_mapped_by_pca_and_told_so(n, method):
    def script(n, method):
        import streamlit as st

        from core.config import PCAConfig
        from dashboard.sidebar import maps

        st.session_state["set.map"] = method
        assert maps.projection(n, 4)[1] == PCAConfig(2)

    at = AppTest.from_function(script, args=(n, method)).run()
    assert not at.exception and f"this set has {n}, so the map is PCA" in at.caption[0].value


def test_settings_survive_a_visit_to_another_page():
    at = AppTest.from_function(_both, default_timeout=TIMEOUT)
    at.session_state["set.data"] = "emoji"
    at.session_state["show"] = "explore"
    at.run()
    at.session_state["show"] = "neither"
    at.run()
    at.session_state["show"] = "explore"
    at.run()
    assert at.sidebar.selectbox[0].value == "emoji"


def _both():
    import streamlit as st

    from dashboard import state
    from dashboard.sidebar import images

    state.keep_settings()
    if st.session_state["show"] == "explore":
        with st.sidebar:
            images.choose()


def test_the_train_page_without_images_says_what_to_do():
    at = choose(page("train").run(), "")
    assert "Type the path" in at.info[0].value
    assert not at.exception


def test_clearing_the_store_forgets_results_and_keeps_the_shipped_ones():
    at = page().run()
    next(item for item in at.sidebar.slider if item.label.startswith("k ")).set_value(4).run()

    assert server.store().size() > 0
    next(item for item in at.sidebar.button if item.label == "Clear store").click().run()
    assert metric(at, "Clusters") == "4"  # made again at once
    assert not at.exception and not at.error


def test_compare_is_empty_at_first_and_then_shows_the_runs_of_the_store(tmp_path):
    from core.__main__ import main

    at = page("compare").run()
    assert "No run is in the store yet" in at.info[0].value
    command = ["run", "--data", str(tiny(tmp_path)), "--latent-size", "2", "--width", "4", "--epochs", "1"]
    flags = ["--projection", "pca", "--no-pictures", "--quiet"]
    assert main([*command, *flags, "--out", str(tmp_path / "one")]) == 0
    at.run()
    assert not at.exception
    frame = at.dataframe[0].value
    assert list(frame["run"]) == ["one (tiny)"]
    assert frame["n"].tolist() == [24]
    assert not any("different versions" in item.value for item in at.caption)

    from dashboard import server

    (kept,) = server.store().entries("run")
    values = {**kept["info"]["metrics"], "versions": {"numpy": "1.*0*"}}
    server.store().put("run", "older", {}, {"name": "older", "metrics": values}, 0.0)
    at.run()
    assert any("numpy 1" in item.value and r"1.\*0\*" in item.value for item in at.caption)


def test_a_classifier_is_run_by_a_job_and_its_answers_shown(tmp_path):
    import torch
    from safetensors.torch import save_file
    from torchvision import models

    torch.manual_seed(0)
    save_file(models.squeezenet1_1(num_classes=2).state_dict(), tmp_path / "w.safetensors")
    (tmp_path / "c.json").write_text('["left", "<b>right</b>"]')
    at = choose(page("classify"), tiny(tmp_path))
    settled(at, lambda at: "Give the file of a classifier's weights" in texts(at))
    for name, value in (
        ("model", "squeezenet1_1"),
        ("weights", str(tmp_path / "w.safetensors")),
        ("classes", str(tmp_path / "c.json")),
        ("resize", 32),
        ("crop", 32),
        ("top", 2),
    ):
        at.session_state[f"set.classify.{name}"] = value
    at.run()
    at.button(key="classify").click().run()
    settled(at, lambda at: metric(at, "Accuracy") is not None)
    assert (metric(at, "Images"), metric(at, "Classes"), metric(at, "Top-2")) == ("24", "2", "100.0 %")
    confusion, answers = at.dataframe[0].value, at.dataframe[1].value
    assert confusion.to_numpy().sum() == 24
    assert list(answers["label name"][:2]) == ["left", "<b>right</b>"]
    at.session_state["set.classify.layer"] = "no.such"
    at.run()
    at.button(key="classify").click().run()
    settled(at, lambda at: "There is no layer" in texts(at))


def test_a_network_that_nobody_allowed_is_not_imported(tmp_path, monkeypatch):
    from core.config import ClassifierConfig
    from core.errors import ConfigError
    from core.plans import TrainedClassifier
    from dashboard import offers

    ref = TrainedClassifier(ClassifierConfig("os:getcwd"), "/w")
    with pytest.raises(ConfigError, match="may not be imported here"):
        offers.check_allowed(ref)
    monkeypatch.setenv("EMBEDDING_EXPLORER_CLASSIFIERS", "a:b; os:getcwd")
    offers.check_allowed(ref)
    assert offers.classifier_names()[:2] == ("a:b", "os:getcwd")


def test_pictures_for_a_report_are_shown_when_asked_for():
    at = page().run()
    (box,) = [box for box in at.selectbox if box.label == "Picture"]
    assert {"reconstructions", "grids", "losses", "map-2d-label-names", "map-2d-label-markers"} <= set(box.options)
    assert "PNG" not in buttons(at)
    at.session_state["set.picture"] = "reconstructions"
    at.run()
    assert not at.exception
    assert {"PNG", "PDF"} <= buttons(at)
    assert not [item for item in at.toggle if item.label == "The selection stands out"]
    search(at, "499")
    at.session_state["set.picture"] = "map-2d-label-markers"
    at.run()
    assert [item.value for item in at.toggle if item.label == "The selection stands out"] == [True]
    assert not at.exception and {"PNG", "PDF"} <= buttons(at)


def test_a_map_is_added_to_the_comparison_once_and_forgotten():
    at = page().run()
    for _ in range(2):
        next(item for item in at.button if item.key == "compare.add").click().run()
    assert "Added" in " ".join(item.value for item in at.success)
    there = page("compare").run()
    frame = there.dataframe[0].value
    assert list(frame["recipe"]) == ["default"]
    assert 0.9 < frame["trustworthiness"][0] <= 1
    next(item for item in there.button if item.label == "Forget these").click().run()
    assert "No run is in the store" in there.info[0].value


def test_clusters_that_take_long_are_asked_for_and_say_how_long(monkeypatch):
    from dashboard import results

    monkeypatch.setattr(results, "ASK_SECONDS", 0.0)
    monkeypatch.setattr(results, "LIVE_SECONDS", 0.0)
    at = page().run()
    at.session_state["set.way"] = "own"
    at.session_state["set.cluster.method"] = "GaussianMixture"
    at.session_state["set.on"] = "projection"
    at.run()
    assert not at.exception and not at.error
    assert "Gaussian mixture with these settings takes about" in at.info[0].value
    assert server.jobs().all() == []
    next(item for item in at.button if item.label == "Run").click().run()
    settled(
        at, lambda at: any(box.label == "Colour by" and "Cluster probability" in box.options for box in at.selectbox)
    )
    assert not at.exception and not at.error
