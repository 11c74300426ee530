"""Outliers, duplicates and cluster cards, through Streamlit's AppTest, against the core functions."""

import numpy as np
import pytest
from made_up import COPIES, NEAR, ODD, planted
from pages import fresh, press, select, texts  # noqa: F401  fresh is a fixture
from test_dashboard_clusters import frame, mapped, opened

from core import analyses, corrections, duplicates, findings, outliers, pipeline, tables
from core.cluster_cards import cluster_card
from core.config import AutoencoderConfig, TrainingConfig
from core.corrections import current_in
from core.corrections_csv import corrected_predictions
from core.duplicates import DuplicateConfig
from core.images import ArraySource
from core.neighbours import GraphConfig
from core.plans import Plan, TrainSpec
from core.review_log import log_path
from dashboard import server

pytestmark = pytest.mark.xdist_group("dashboard")


def results_of(path):
    """The results that the page shows, with the review of their images as it is now."""
    from dashboard import reviewing

    spec = TrainSpec(AutoencoderConfig(4, 4), TrainingConfig(epochs=1, batch_size=8))
    made = pipeline.run(server.store(), Plan(ArraySource(str(path)), spec), "latents")
    return reviewing.attached(made)


def value_of(path, config):

    return analyses.of_results(server.store(), results_of(path), config).value


def review_of(path):
    return corrections.load(log_path(results_of(path).images.value.fingerprint))


def page_of(path, name):
    from pages import page

    at = opened(name, mapped(page().run(), path))
    assert not at.exception and not at.error
    return at


def selection(at):
    return next(item.value for item in at.markdown if " selected" in item.value)


def button(at, key):
    return next(item for item in at.button if item.key == key)


def test_outliers_are_ranked_fenced_selected_and_marked_as_core_says(tmp_path):
    path = planted(tmp_path)
    at = page_of(path, "Outliers")
    graph = value_of(path, GraphConfig())
    scores = outliers.isolation(graph.first(15)).knn_distance
    beyond = np.flatnonzero(scores > outliers.fence(scores))
    assert ODD in beyond, "the picture like no other is far out"
    assert f"{len(beyond)} of 40 images lie beyond the fence" in texts(at)
    press(at, "outliers.select beyond the fence")
    assert f"{len(beyond)} of 40 selected" in selection(at)
    press(at, "outliers.junk beyond the fence")
    review = review_of(path)
    assert set(review.current) == set(beyond) and len(review.members) == 1
    decision = review.current[ODD]
    assert (decision.kind, decision.by) == ("junk", "rule") and decision.score == pytest.approx(scores[ODD])
    assert f"0 of {40 - len(beyond)} images lie beyond" in texts(at), "what is junk is no longer listed"
    press(at, "outliers.undo")
    assert not review_of(path).current and f"{len(beyond)} of 40" in texts(at)
    press(at, "outliers.redo")
    assert set(review_of(path).current) == set(beyond)
    press(at, "outliers.undo")
    press(at, "outliers.junk on this page")
    assert len(review_of(path).current) == 40 and review_of(path).current[0].by == "person"
    assert "All images that are shown are marked as junk" in texts(at)


def test_the_other_measure_another_k_and_the_score_as_a_colour(tmp_path):
    path = planted(tmp_path)
    at = page_of(path, "Outliers")
    select(at, "Isolated by").select("lof").run()
    next(item for item in at.number_input if item.label == "k neighbours").set_value(5).run()
    found = outliers.isolation(value_of(path, GraphConfig()).first(5))
    beyond = int((found.lof > outliers.fence(found.lof)).sum())
    assert f"{beyond} of 40 images lie beyond the fence" in texts(at)
    shown = results_of(path)
    table = findings.outlying(shown, found, True, "lof", every=True)
    order = outliers.ranked(found.lof)
    assert table["local outlier factor"].is_monotonic_decreasing
    assert list(table["id"]) == [shown.images.value.ids[row] for row in order]
    np.testing.assert_array_equal(table["neighbour distance"], found.knn_distance[order])
    assert table["far by local outlier factor"].sum() == beyond
    press(at, "outliers.color")
    assert select(at, "Colour by").value == "Isolation" and not at.exception
    at.session_state["set.panel"] = "Table"
    np.testing.assert_allclose(frame(at.run(), "Isolation")["Isolation"], found.lof)


def test_duplicates_are_groups_conflicts_first_and_copies_become_junk_in_one_action(tmp_path):
    path = planted(tmp_path)
    at = page_of(path, "Duplicates")
    found = value_of(path, DuplicateConfig())
    assert [sorted(group.rows.tolist()) for group in found.groups] == [COPIES, NEAR]
    assert "2 groups of 5 images**: 1 exact, 1 near; in 1 the labels conflict" in texts(at)
    assert "labels conflict: \\<b\\>right\\</b\\>, left" in texts(at)
    assert texts(at).index("**Group 2**") < texts(at).index("**Group 1**"), "the conflict comes first"
    press(at, "duplicates.select.2")
    assert "2 of 40 selected" in selection(at)
    press(at, "duplicates.junk.1")
    assert sorted(review_of(path).current) == COPIES[1:] and "1 are finished" in texts(at)
    press(at, "duplicates.undo")
    press(at, "duplicates.junk")
    review = review_of(path)
    copies = sorted(int(row) for group in found.groups for row in group.rows[1:])
    assert sorted(review.current) == copies and {item.by for item in review.current.values()} == {"rule"}
    assert len([group for group in review.members if group not in review.undone]) == 1
    assert button(at, "duplicates.junk").disabled
    press(at, "duplicates.undo")
    assert not review_of(path).current
    select(at, "Groups").select("exact").run()
    assert "1 group of 3 images" in texts(at)
    written = duplicates.table(found.groups, results_of(path).images.value.ids)
    assert "label" not in written and len(written) == 5


def distance(at, name):
    return next(item for item in at.number_input if item.label == f"{name.capitalize()} distance up to")


def test_other_distances_find_other_duplicates(tmp_path):
    path = planted(tmp_path)
    at = page_of(path, "Duplicates")
    far = {"latent": 1e6, "pixel": 1.0}
    for name, value in far.items():
        distance(at, name).set_value(value)
    at.run()
    found = value_of(path, DuplicateConfig(1e6, 1.0))
    assert f"{len(found.groups)} group" in texts(at) and not at.exception
    distance(at, "latent").set_value(0.0).run()
    assert "1 group of 3 images**: 1 exact" in texts(at)
    select(at, "Groups").select("near").run()
    assert "Allow larger distances" in texts(at)


def test_junk_that_leaves_none_of_a_group_is_never_proposed(tmp_path):
    path = planted(tmp_path)
    at = page_of(path, "Duplicates")
    press(at, "duplicates.junk.1")
    at.session_state["set.duplicates.open"] = False
    at.run()
    assert button(at, "duplicates.junk.1").disabled
    from dashboard import reviewing
    from dashboard.panels import findings

    images = results_of(path).images.value
    assert findings.junk_rows(reviewing.attached(results_of(path))).sum() == 2 and len(images) == 40
    press(at, "duplicates.junk")
    assert sorted(set(range(40)) - set(review_of(path).current)) == sorted(set(range(40)) - {*COPIES[1:], NEAR[1]})


def test_a_card_says_what_core_says_and_names_reach_legend_table_and_predictions(tmp_path):
    path = planted(tmp_path)
    at = page_of(path, "Cluster cards")

    shown = pipeline.run(server.store(), plan_of(at, path), "clustering")
    labels, encoded = shown.clustering.value.labels, shown.latents.value
    card = cluster_card(0, labels, encoded.latents, encoded.latents, errors=encoded.errors)
    told = next(item.value for item in at.markdown if item.value.startswith("**cluster 0**"))
    assert (
        f"{card.size:,} images, {card.share:.1%} · error {card.mean_error:.4g}, median {card.median_error:.4g}"
        in told
    )
    press(at, "cards.select.0")
    assert f"{card.size} of 40 selected" in selection(at)
    press(at, "selection.Clear")
    name = "<b>cats</b> **x**"
    field = next(item for item in at.text_input if item.key.startswith("cards.name.") and ".0." in item.key)
    field.set_value(name).run()
    assert not at.exception and not at.error
    (naming,) = review_of(path).names.values()
    assert (naming.cluster, naming.name, naming.color) == (0, name, "")
    assert "<b>" not in texts(at)
    now = results_of_page(at, path)
    from core import report

    legend = next(column for column in report.columns(now) if column.title == "Cluster")
    assert legend.names[0] == f"0 · {name}"
    assert set(tables.table(now)["cluster_name"]) >= {name}
    named = corrected_predictions(now, now.review, named=True)
    assert (named["label"][labels == 0] == name).all()
    assert any("Predictions with names" in item.proto.label for item in at.get("download_button"))
    press(at, "cards.undo")
    assert not review_of(path).names and not current_in(review_of(path), shown.clustering.key)


def plan_of(at, path):
    from core.config import ClusterConfig, KMeansConfig, PCAConfig

    spec = TrainSpec(AutoencoderConfig(4, 4), TrainingConfig(epochs=1, batch_size=8))
    k = next(item for item in at.sidebar.slider if item.label.startswith("k ")).value
    return Plan(
        ArraySource(str(path)),
        spec,
        projection=PCAConfig(2),
        cluster=ClusterConfig(KMeansConfig(n_clusters=k), "latents"),
    )


def results_of_page(at, path):
    from dashboard import reviewing

    look = pipeline.run(server.store(), plan_of(at, path), "clustering")
    return reviewing.attached(look)


def test_a_colour_is_kept_and_one_too_near_another_is_told(tmp_path):
    path = planted(tmp_path)
    at = page_of(path, "Cluster cards")
    picker = next(item for item in at.color_picker if ".0." in item.key)
    usual = next(item for item in at.color_picker if ".1." in item.key).value
    picker.set_value(usual).run()
    assert "hard to tell from that of cluster 1" in texts(at)
    (naming,) = review_of(path).names.values()
    assert (naming.name, naming.color) == ("", usual)
    next(item for item in at.color_picker if ".0." in item.key).set_value("#000000").run()
    assert "hard to tell" not in texts(at)
    next(item for item in at.button if item.key.startswith("cards.reset.")).click().run()
    (naming,) = review_of(path).names.values()
    assert (naming.name, naming.color) == ("", "")


def test_images_that_are_all_the_same_have_a_card_and_none_is_isolated(tmp_path):
    from pages import page

    from core.imageset import image_set

    x = np.full((12, 8, 8), 7, np.uint8)
    np.savez(tmp_path / "same.npz", x=x)
    at = page().run()
    at.session_state[f"set.k.{image_set(x[..., None]).fingerprint[:8]}"] = 1
    at = opened("Cluster cards", mapped(at, tmp_path / "same.npz"))
    assert not at.exception and "12 images, 100.0%" in texts(at)
    assert "none is isolated" in texts(opened("Outliers", at))
    at = opened("Duplicates", at)
    assert not at.exception and "1 group of 12 images**: 1 exact" in texts(at)
    at = opened("Few labels", at)
    assert not at.exception and "Label images of two classes or more" in texts(at)


def test_noise_has_no_card_but_is_counted(tmp_path):
    path = planted(tmp_path)
    at = page_of(path, "Cluster cards")
    at.session_state["set.way"] = "own"
    at.session_state["set.cluster.method"] = "HDBSCAN"
    at.run()
    assert not at.exception
    assert "are noise" in texts(at)
