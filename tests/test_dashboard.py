"""Every page through Streamlit's AppTest: empty, filled, and with input that cannot work."""

import time
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import inputs, server

APP = Path(__file__).parents[1] / "dashboard" / "app.py"
TIMEOUT = 120

pytestmark = pytest.mark.xdist_group("dashboard")


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """A store and models of this test only, and nothing cached from another."""
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EMBEDDING_EXPLORER_MODELS", str(tmp_path / "models"))
    st.cache_resource.clear()
    st.cache_data.clear()
    yield

    server.jobs().close()
    st.cache_resource.clear()
    st.cache_data.clear()


def page(name="explore"):
    def script(name):
        from core.errors import ExplorerError
        from dashboard import components, state
        from dashboard.views import classify, compare, explore, train

        state.keep_settings()
        try:
            views = {"explore": explore, "train": train, "compare": compare, "classify": classify}
            views[name].show()
        except ExplorerError as error:
            components.problem(error)

    return AppTest.from_function(script, default_timeout=TIMEOUT, args=(name,))


def settled(at, until, seconds=TIMEOUT):
    """Run the page again and again until a condition holds, as the browser's polling does."""
    end = time.monotonic() + seconds
    while not until(at):
        assert time.monotonic() < end, [item.value for item in (*at.error, *at.info, *at.caption)]
        time.sleep(0.3)
        at.run()
    return at


def tiny(tmp_path, n=24, name="tiny.npz"):
    """Two kinds of 8×8 pictures: bright on the left, bright on the right."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 60, (n, 8, 8), dtype=np.uint8)
    y = np.arange(n) % 2
    x[y == 0, :, :4] += 150
    x[y == 1, :, 4:] += 150
    np.savez(tmp_path / name, x=x, y=y, classes=np.array(["left", "<b>right</b>"]))
    return tmp_path / name


def choose(at, path):
    from dashboard.sidebar import images

    at.session_state["set.data"] = images.OTHER
    at.session_state["set.path"] = str(path)
    return at.run()


def can_start(at):
    return any(item.key == "start" for item in at.button)


def texts(at):
    return " ".join(
        str(item.value) for kind in (at.error, at.info, at.warning, at.caption, at.markdown) for item in kind
    )


def cut_short(store):
    """Damage every entry of a store, as a full disk or a power cut may, and forget what is in memory."""
    arrays = list(store.glob("*/*/*.npy"))
    assert {path.parts[-3] for path in arrays} >= {"images", "model", "latents", "projection"}
    for path in arrays:
        if path.parts[-3] != "model":
            path.write_bytes(path.read_bytes()[:-8])
    from dashboard import results

    for cached in (inputs._images, results._latents, results._reduced, results._projection, results._clustering):
        cached.clear()


def buttons(at):
    return {item.proto.label for item in at.get("download_button")}


def press(at, key):
    return next(item for item in at.button if item.key == key).click().run()


def search(at, text):
    """Select the images whose id or label holds a text."""
    next(item for item in at.text_input if item.label.startswith("Search")).set_value(text).run()
    return press(at, "pick.search")


def metric(at, label):
    return next((item.value for item in at.metric if item.label == label), None)


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
    at.run()
    at.button(key="start").click().run()
    settled(at, lambda at: at.success)
    assert not at.exception
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


def select(at, label):
    return next(item for item in at.selectbox if item.label == label)


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


@pytest.mark.parametrize("name", ["conv-pool", "strided-small", "conv-mnist", "deep-bn"])
def test_the_sidebar_says_exactly_what_a_recipe_says(name):
    def script(name):
        import numpy as np
        import streamlit as st

        from core.images import image_set
        from core.recipes import RECIPES
        from dashboard import state
        from dashboard.sidebar import clusters, maps, recipe

        for setting, value in recipe.settings(RECIPES[name]).items():
            state.change(setting, value)
        found = image_set(np.arange(300 * 64, dtype=np.uint8).reshape(300, 8, 8))
        reduction, projection = maps.projection(300, 4096)
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


def test_a_selection_is_undone_redone_inverted_and_cleared():
    at = search(page().run(), "4999")
    search(at, "499")
    count = sum("499" in str(i) for i in range(5000))
    assert f"{count} of 5,000 selected" in texts(at)
    press(at, "selection.Invert")
    assert f"{5000 - count:,} of 5,000 selected" in texts(at)
    press(at, "selection.Undo")
    press(at, "selection.Undo")
    assert "1 of 5,000 selected" in texts(at)
    press(at, "selection.Redo")
    assert f"{count} of 5,000 selected" in texts(at)
    press(at, "selection.Clear")
    assert "None of 5,000 images selected" in texts(at)
    assert "selection" not in at.query_params


def test_a_selection_survives_other_clusters_and_a_reload_by_its_address(tmp_path):
    at = search(page().run(), "4999")
    next(item for item in at.sidebar.slider if item.label.startswith("k ")).set_value(5).run()
    assert "1 of 5,000 selected" in texts(at)
    key = "".join(at.query_params["selection"])
    again = page()
    again.query_params["selection"] = key
    assert "1 of 5,000 selected" in texts(again.run())
    for wrong in ("0" * 32, "../../etc", key * 40):
        other = page()
        other.query_params["selection"] = wrong
        other.run()
        assert not other.exception and "images selected" in texts(other)


def test_a_selection_of_other_images_is_not_taken_over():
    at = search(page().run(), "4999")
    key = "".join(at.query_params["selection"])
    again = page()
    again.query_params["selection"] = key
    again.session_state["set.data"] = "emoji"
    settled(again.run(), lambda at: "images selected" in texts(at))


def test_groups_and_numbers_select_and_add():
    at = page().run()
    select(at, "By column").select("Label").run()
    next(item for item in at.multiselect if item.label == "is one of").set_value(["3", "5"]).run()
    press(at, "pick.values")
    assert "1,000 of 5,000 selected" in texts(at)
    at.session_state["set.pick.mode"] = "add"
    select(at, "By column").select("Reconstruction error").run()
    low = next(item for item in at.number_input if item.label == "from")
    low.set_value(0.02).run()
    press(at, "pick.values")

    (errors,) = [entry for entry in [server.store().get("latents", key) for key in latents_keys()] if entry]
    labels = np.load(Path(__file__).parents[1] / "assets" / "digits" / "images.npz")["y"]
    expected = int((np.isin(labels, (3, 5)) | (errors.arrays["errors"] >= 0.02)).sum())
    assert f"{expected:,} of 5,000 selected" in texts(at)


def latents_keys():
    """Keys of the digits' latents, which come with the sample."""
    root = Path(__file__).parents[1] / "assets" / "store" / "latents"
    return [path.name for path in root.iterdir() if "digits" in (path / "entry.json").read_text()]


def test_the_table_sorts_all_rows_not_only_those_of_a_page():
    at = page().run()
    at.session_state["set.panel"] = "Table"
    at.run()
    select(at, "Sort all rows by").select("error").run()
    next(item for item in at.toggle if item.label == "Largest first").set_value(True).run()
    (frame,) = [item.value for item in at.dataframe if "error" in item.value]
    assert len(frame) == 500 and frame["error"].is_monotonic_decreasing

    errors = server.store().get("latents", latents_keys()[0]).arrays["errors"]
    np.testing.assert_allclose(frame["error"], np.sort(errors)[::-1][:500])
    assert "Rows 1 to 500 of 5,000 images." in texts(at)


def test_every_panel_has_an_empty_and_a_filled_state():
    at = page().run()
    for name, empty, filled in (
        ("Neighbours", "Select one image or several", "Nearest to 4999, which is left out."),
        ("Walks", "Select two images or more", "Select two images or more"),
    ):
        at.session_state["set.panel"] = name
        assert empty in texts(at.run())
        search(at, "4999")
        assert filled in texts(at)
        press(at, "selection.Clear")
    at.session_state["set.panel"] = "Walks"
    search(at, "499")
    assert "At each step" in texts(at)
    for kind in ("around a cluster", "along a principal direction"):
        select(at, "Walk").select(kind).run()
        assert "At each step" in texts(at) and not at.exception


def test_metadata_colours_the_map_and_is_searched_and_counts_what_does_not_fit(tmp_path):
    at = page().run()
    table = tmp_path / "more.csv"
    rows = [f"{i},{'red' if i % 7 else '<b>blue</b>'},{i / 10}" for i in range(10, 5010)]
    table.write_text("id,colour,score\n" + "\n".join(rows))
    next(item for item in at.sidebar.text_input if item.label == "CSV or Parquet").set_value(str(table)).run()
    assert "4,990 of 5,000 images have a row, by id in column 'id'".replace(",", ",") in texts(at).replace("\\", "")
    assert "10 images without a row" in texts(at) and "10 rows without an image" in texts(at)
    assert {"colour", "score"} <= set(select(at, "Colour by").options)
    search(at, "blue")
    assert f"{len(range(14, 5000, 7))} of 5,000 selected" in texts(at)
    table.write_text("nobody\n1.5\n")
    at.run()
    assert "No column of more.csv names these images" in at.error[0].value.replace("\\", "")


def test_a_link_opens_the_same_view_in_a_new_session():
    def value(at, label):
        return next(
            item for item in (*at.sidebar.selectbox, *at.sidebar.slider, *at.radio) if item.label == label
        ).value

    at = AppTest.from_file(str(APP), default_timeout=TIMEOUT).run()
    assert "view" not in at.query_params, "the defaults need no address"
    next(item for item in at.sidebar.slider if item.label.startswith("k ")).set_value(7).run()
    select(at, "Colour by").select("Label").run()
    next(item for item in at.sidebar.selectbox if item.label == "Method").select("pca").run()
    link = "".join(at.query_params["view"])
    again = AppTest.from_file(str(APP), default_timeout=TIMEOUT)
    again.query_params["view"] = link
    again.run()
    assert not again.exception
    assert value(again, "k (number of clusters)") == 7
    assert value(again, "Colour by") == "Label"
    assert metric(again, "Expl. variance") is not None and metric(again, "Clusters") == "7"


@pytest.mark.parametrize(
    "values",
    [
        {"map": "nonsense", "dims": 7, "tsne.perplexity": 10_000, "k.0": True, "opacity": -3, "data": "nobody", "color": "<b>"},
        {"tsne.n_iter": 1e9, "panel": "Secrets", "order": 5, "only.12345678": "x", "__class__": "os", "selections": {}},
        {"model.51c2b6f4": {"type": "TrainedClassifier", "config": {"type": "ClassifierConfig", "model": "os:system"},
                            "weights": "/etc/passwd"}, "camera": {"key": 5}, "train.epochs": 1},
        ["a"], "text", 5,
    ],
)  # fmt: skip
def test_a_view_that_cannot_be_opens_the_defaults(values):
    import json
    import zlib
    from base64 import urlsafe_b64encode

    at = AppTest.from_file(str(APP), default_timeout=TIMEOUT)
    at.query_params["view"] = urlsafe_b64encode(zlib.compress(json.dumps(values).encode())).decode()
    at.run()
    assert not at.exception and not at.error
    assert metric(at, "Images") == "5,000" and metric(at, "Clusters") == "10"


def test_addresses_that_are_no_view_are_empty_and_bombs_are_not_unpacked():
    import zlib
    from base64 import urlsafe_b64encode

    from dashboard import sessions

    bomb = urlsafe_b64encode(zlib.compress(b" " * 50_000_000)).decode()
    for text in ("", "!", "aGFsbG8", "x" * 200_000, bomb):
        assert sessions.from_text(text) == {}
    values = {
        "map": "umap",
        "umap.min_dist": 0.25,
        "path": "/ä/<b>",
        "camera": {"key": "a", "x": [0.0, 1.5], "y": [-1, 2]},
    }
    assert sessions.from_text(sessions.to_text(values)) == values


def test_a_view_is_kept_under_a_name_and_opened_again(tmp_path):
    at = search(page().run(), "4999")
    next(item for item in at.sidebar.slider if item.label.startswith("k ")).set_value(7).run()
    next(item for item in at.text_input if item.label == "Name").set_value("../odd ones").run()
    press(at, "views.keep")
    assert [path.name for path in (tmp_path / "views").iterdir()] == ["odd ones.json"]
    press(at, "views.keep")
    assert "There is a view 'odd ones' already" in " ".join(item.value for item in at.error).replace("\\", "")
    again = page().run()
    again.session_state["set.color"] = "Label"
    assert metric(again.run(), "Clusters") == "10"
    press(again, "views.open")
    assert metric(again, "Clusters") == "7" and select(again, "Colour by").value == "Cluster"
    assert "1 of 5,000 selected" in texts(again)
    press(again, "views.delete")
    assert not list((tmp_path / "views").iterdir())


def test_the_views_show_only_what_was_selected_until_all_are_shown_again(tmp_path):
    at = search(page().run(), "499")
    ids = [str(i) for i in range(5000) if "499" in str(i)]
    assert f"{len(ids)} of 5,000 selected" in texts(at)
    press(at, "selection.Only these")
    assert f"None of {len(ids)} shown selected" in texts(at)
    assert f"1 to {len(ids)} of {len(ids)} images" in texts(at)
    press(at, "selection.Invert")
    assert f"{len(ids)} of {len(ids)} shown selected" in texts(at)
    search(at, "1")
    inside = sum("1" in name for name in ids)
    assert f"{inside} of {len(ids)} shown selected" in texts(at), "what is left out is not selected"
    next(item for item in at.text_input if item.label == "Name").set_value("few").run()
    press(at, "views.keep")
    press(at, "selection.Show all")
    assert f"{inside} of 5,000 selected" in texts(at)
    press(at, "selection.Undo")
    assert f"{inside} of {len(ids)} shown selected" in texts(at)
    again = page().run()
    press(again, "views.open")
    assert f"{inside} of {len(ids)} shown selected" in texts(again) and not again.exception


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"view": 5}', b"[" * 100_000, b'{"view": {}, "selection": {"bits": "!", "images": "a", "n": 5}}',
     b'{"view": {}, "selection": {"bits": "AAAA", "images": "a", "n": 5}}',
     b'{"view": {}, "selection": {"bits": "AA", "images": 5, "n": 5}}',
     b'{"view": {}, "selection": {"bits": "AA==", "scope": "AAAA", "images": "a", "n": 5}}'],
)  # fmt: skip
def test_a_file_that_is_no_view_is_one_sentence(data):
    from core.errors import ConfigError
    from dashboard import saved

    with pytest.raises(ConfigError, match=r"is not a view|cannot be read|needs 1 bytes"):
        saved.read(data)


def test_maps_side_by_side_are_scored_and_tell_who_keeps_company():
    at = page().run()
    box = next(item for item in at.sidebar.multiselect if item.label == "Maps beside this one")
    box.set_value(["map pca", "map kernel-pca"]).run()
    assert not at.exception
    told = [item.value for item in at.caption if "trustworthiness" in item.value]
    assert len(told) == 3 and told[0].startswith("trustworthiness 0.9")
    values = [float(text.split("trustworthiness ")[1].split(",")[0]) for text in told]
    assert values[0] > values[1], "t-SNE keeps neighbours better than PCA"
    assert all("continuity" in text and "neighbours kept" in text for text in told)
    next(item for item in at.toggle if item.label == "Colour by company kept").set_value(True).run()
    assert not at.exception and not at.error


def test_noise_is_called_noise_in_every_panel():
    at = page()
    at.session_state["set.cluster.method"] = "HDBSCAN"
    at.session_state["set.on"] = "projection"
    at.session_state["set.hdbscan.min_cluster_size"] = 40
    at.session_state["set.panel"] = "Clusters × labels"
    at.run()
    assert not at.exception and not at.error
    assert metric(at, "Noise").endswith(" %")
    matrix = at.dataframe[0].value
    assert "cluster 0" in matrix.index and matrix.index[-1] == "noise"
    assert int(matrix.to_numpy().sum()) == 5000
    share = matrix.loc["noise"].sum() / 5000
    assert float(metric(at, "Noise").removesuffix(" %")) == pytest.approx(100 * share, abs=0.06)
    for panel in ("Table", "Pictures", "Histograms", "Walks", "Neighbours"):
        at.session_state["set.panel"] = panel
        at.session_state["set.walk.kind"] = "around a cluster"
        at.run()
        assert not at.exception and not at.error, panel
        assert "cluster -1" not in texts(at), panel
        if panel == "Table":
            at.session_state["set.table.by"] = "cluster"
            at.session_state["set.table.down"] = True
            at.run()
            assert list(at.dataframe[0].value["cluster"][:100]) == ["noise"] * 100
            at.session_state["set.table.down"] = False


def test_settings_that_leave_only_noise_are_one_sentence_and_the_map_stays():
    at = page()
    at.session_state["set.map"] = "pca"
    at.run()
    at.session_state["set.cluster.method"] = "HDBSCAN"
    at.session_state["set.on"] = "projection"
    at.session_state["set.hdbscan.min_cluster_size"] = 500
    at.run()
    assert not at.exception
    sentence = "HDBSCAN finds no cluster: with min_cluster_size 500 all 5,000 images are noise"
    assert sentence in at.error[0].value.replace("\\", "")
    assert metric(at, "Images") == "5,000" and metric(at, "Clusters") == "10"


def test_clusters_that_take_long_are_asked_for_and_say_how_long(monkeypatch):
    from dashboard import results

    monkeypatch.setattr(results, "ASK_SECONDS", 0.0)
    monkeypatch.setattr(results, "LIVE_SECONDS", 0.0)
    at = page().run()
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
