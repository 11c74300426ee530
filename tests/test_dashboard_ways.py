"""The way from latents to clusters on the page: one choice, told in words; the map stays while UMAP is made by a job."""

import json

from pages import APP, TIMEOUT, choose, fresh, metric, page, press, select, settled, texts, tiny  # noqa: F401  a fixture
from streamlit.testing.v1 import AppTest

from dashboard import server
from tests.test_dashboard_clusters import mapped

STEPS = (
    "5,000 × 32 latents → UMAP to 10 dimensions, 15 neighbours, min_dist 0 → Gaussian mixture of 10, full covariances"
)


def said(at):
    return texts(at).replace("\\", "")


def labels(at):
    return {item.label for item in (*at.sidebar.selectbox, *at.sidebar.slider, *at.sidebar.checkbox)}


def test_a_sample_opens_with_clusters_of_umap_coordinates_at_once_and_says_how_they_came_about():
    at = page().run()
    assert not at.exception and not at.error
    assert server.jobs().all() == [], "they ship with the program"
    assert select(at, "Way to clusters").value == "umap-mixture"
    assert STEPS in said(at)
    assert float(metric(at, "Accuracy").split()[0]) > 90
    assert "Clustering method" not in labels(at) and "Standardise latents" not in labels(at)
    next(item for item in at.sidebar.slider if item.label.startswith("k ")).set_value(9).run()
    assert metric(at, "Clusters") == "9" and server.jobs().all() == [], "another k needs no other coordinates"
    select(at, "Way to clusters").select("kmeans-latents").run()
    assert "5,000 × 32 latents → KMeans of 9" in said(at)
    assert "Standardise latents" in labels(at), "clusters of the latents leave the map's reduction to the map"


def test_settings_of_ones_own_begin_as_the_way_and_every_step_can_be_changed():
    at = page()
    at.session_state["set.map"] = "pca"
    at.run()
    accuracy = metric(at, "Accuracy")
    select(at, "Way to clusters").select("own").run()
    assert (metric(at, "Accuracy"), server.jobs().all()) == (accuracy, []) and STEPS in said(at)
    assert select(at, "Clustering method").value == "GaussianMixture"
    assert select(at, "Cluster by").value == "manifold"
    assert {"UMAP dimensions", "UMAP n_neighbors", "UMAP min_dist", "reg_covar", "Standardise latents"} <= labels(
        at
    ) | {item.label for item in at.select_slider}
    select(at, "Clustering method").select("KMeans").run()
    assert "min_dist 0 → KMeans of 10" in said(at)
    select(at, "Way to clusters").select("standardised-pca-kmeans").run()
    assert "5,000 × 32 latents → standardised → PCA to 10 → KMeans of 10" in said(at)
    select(at, "Way to clusters").select("own").run()
    assert "5,000 × 32 latents → standardised → PCA to 10 → KMeans of 10" in said(at)
    assert select(at, "First reduction").value == "pca"


def opened(values):
    from dashboard import sessions

    at = AppTest.from_file(str(APP), default_timeout=TIMEOUT)
    at.query_params["view"] = sessions.to_text(values)
    at.run()
    assert not at.exception
    return at


def test_links_and_views_of_before_there_were_ways_open_with_their_own_settings():
    for values in ({"color": "Label"}, {"cluster.method": "MiniBatchKMeans"}, {"on": "reduced", "standardize": True}):
        at = opened(values)
        assert select(at, "Way to clusters").value == "own"
        assert select(at, "Clustering method").value == values.get("cluster.method", "KMeans")
        assert select(at, "Cluster by").value == values.get("on", "latents")
    assert select(opened({"map": "nonsense"}), "Way to clusters").value == "umap-mixture", "this is no view at all"


def test_a_link_carries_the_way_also_where_it_is_the_usual_one():
    from dashboard import saved, sessions

    at = AppTest.from_file(str(APP), default_timeout=TIMEOUT).run()
    assert "view" not in at.query_params
    select(at, "Colour by").select("Label").run()
    values = sessions.from_text("".join(at.query_params["view"]))
    assert values["way"] == "umap-mixture"
    assert select(opened(values), "Way to clusters").value == "umap-mixture"
    kept = json.dumps({"view": {"color": "Label"}}).encode()
    assert saved.read(kept)[0] == {"color": "Label", "way": "own", "way.many": "own"}


def test_the_map_and_other_clusters_stay_while_umap_coordinates_are_made_by_a_job(tmp_path):
    at = mapped(page().run(), tiny(tmp_path, 40))
    settled(at, lambda at: metric(at, "Images") == "40")
    jobs = [job for job in server.jobs().all() if job.upto == "manifold"]
    assert jobs and "Clusters meanwhile: 40 × 4 latents → KMeans of 2." in said(at)
    settled(at, lambda at: "UMAP to 10 dimensions, 15 neighbours" in said(at) and "meanwhile" not in said(at))
    assert not at.exception and not at.error
    assert metric(at, "Clusters") == "2"
    assert len(list(server.store().entries("manifold"))) == 1


def test_a_handful_of_images_has_as_many_neighbours_as_there_are(tmp_path):
    at = mapped(page().run(), tiny(tmp_path, 8))
    settled(at, lambda at: "UMAP to 10 dimensions, 7 neighbours" in said(at))
    assert not at.exception and not at.error


def test_umap_coordinates_that_take_long_are_asked_for_once_the_map_is_there(tmp_path, monkeypatch):
    from dashboard import results

    monkeypatch.setattr(results, "ASK_SECONDS", 0.0)
    at = mapped(page().run(), tiny(tmp_path, 40))
    settled(at, lambda at: metric(at, "Images") == "40")
    assert "UMAP to 10 dimensions with these settings takes about" in at.info[0].value
    assert "Clusters meanwhile: 40 × 4 latents → KMeans of 2." in said(at)
    assert not [job for job in server.jobs().all() if job.upto == "manifold"]
    press(at, "run")
    settled(at, lambda at: "meanwhile" not in said(at))
    assert "→ UMAP to 10 dimensions" in said(at) and not at.error


def test_settings_that_cannot_work_are_one_sentence_before_umap_coordinates_are_made(tmp_path):
    at = page().run()
    at.session_state["set.way"] = "own"
    at.session_state["set.on"] = "manifold"
    at.session_state["set.cluster.method"] = "Spectral"
    at = mapped(at, tiny(tmp_path, 8))
    next(item for item in at.sidebar.slider if item.label.startswith("k ")).set_value(8).run()
    assert "Spectral clustering into k = 8 needs more than 8 images" in said(at)
    assert metric(at, "Images") == "8"
    assert not [job for job in server.jobs().all() if job.plan.cluster.method.n_clusters == 8]
