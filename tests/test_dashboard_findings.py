"""Outliers, duplicates, cluster cards and few labels, through Streamlit's AppTest, against the core functions."""

from dataclasses import replace

import numpy as np
import pytest
from made_up import COPIES, NEAR, ODD, planted
from pages import fresh, press, select, texts  # noqa: F401  fresh is a fixture
from test_dashboard_clusters import drawn, frame, mapped, opened, unlabelled

from core import analyses, corrections, duplicates, findings, outliers, pipeline, spreading, tables
from core.cluster_cards import cluster_card
from core.config import AutoencoderConfig, TrainingConfig
from core.corrections import current_in
from core.corrections_csv import corrected_predictions
from core.duplicates import DuplicateConfig
from core.images import ArraySource
from core.neighbours import GraphConfig
from core.plans import Plan, TrainSpec
from core.review_log import log_path
from core.spreading import SpreadConfig
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
    at.session_state["set.cluster.method"] = "HDBSCAN"
    at.run()
    assert not at.exception
    assert "are noise" in texts(at)


def label(at, names):
    """Give the image shown one class after the other, by the buttons."""
    rows = []
    for i in names:
        asked = next(item.value for item in at.markdown if item.value.startswith("**What is"))
        rows.append(int(asked.removeprefix("**What is ").split("?")[0]))
        press(at, f"labels.give.{i}")
    return rows


def test_labels_given_by_buttons_spread_as_core_spreads_them_and_are_accepted_in_one_action(tmp_path):
    path = planted(tmp_path)
    at = page_of(path, "Few labels")
    assert "those of the data set are not used" in texts(at) and "two classes or more" in texts(at)
    rows = label(at, [0])
    assert "an image of a second class" in texts(at)
    rows += label(at, [1, 0])
    names = ("<b>right</b>", "left")
    given = dict(zip(rows, ("left", "<b>right</b>", "left"), strict=True))
    review = review_of(path)
    assert {row: item.new for row, item in review.current.items()} == given and len(review.members) == 3
    config = SpreadConfig(tuple((row, names.index(given[row])) for row in sorted(given)), 2)
    found = value_of(path, config)
    expected = spreading.spread(value_of(path, GraphConfig()).first(15), config.given(40), 2)
    np.testing.assert_array_equal(found.labels, expected.labels)
    counts = frame(at, "Proposed")
    assert list(counts["Class"]) == list(names) and list(counts["Labelled"]) == [1, 2]
    free = np.setdiff1d(np.arange(40), rows)
    assert list(counts["Proposed"]) == [int((found.labels[free] == i).sum()) for i in (0, 1)]
    next(item for item in at.slider if item.label == "Confidence at least").set_value(0.5)
    select(at, "Class").select("left").run()
    sure = free[(found.labels[free] == 1) & (found.confidence[free] >= 0.5)]
    press(at, "labels.select")
    assert f"{len(sure)} of 40 selected" in selection(at)
    press(at, "labels.accept")
    review = review_of(path)
    accepted = {row: item for row, item in review.current.items() if item.by == "rule"}
    assert set(accepted) == set(sure) and len(review.members) == 4
    assert {item.new for item in accepted.values()} == {"left"}
    row = int(sure[0])
    assert accepted[row].score == pytest.approx(found.confidence[row]) and button(at, "labels.accept").disabled
    assert list(frame(at, "Proposed")["Labelled"]) == [1, 2], "what a rule accepted is not spread further"
    press(at, "labels.undo")
    assert set(review_of(path).current) == set(rows)


def test_proposals_colour_the_map_and_go_when_labels_are_undone(tmp_path):
    from dashboard.panels.proposals import proposals_table

    path = planted(tmp_path)
    at = page_of(path, "Few labels")
    rows = label(at, [0, 1])
    press(at, "labels.color")
    assert select(at, "Colour by").value == "Proposed label" and not at.exception
    at.session_state["set.panel"] = "Table"
    table = frame(at.run(), "Proposed label")
    assert set(table["Proposed label"]) <= {"left", "<b>right</b>", ""}
    names, given = ("<b>right</b>", "left"), dict(zip(rows, ("left", "<b>right</b>"), strict=True))
    found = value_of(path, SpreadConfig(tuple((row, names.index(given[row])) for row in sorted(given)), 2))
    np.testing.assert_allclose(table["Proposal confidence"], found.confidence)
    written = proposals_table(results_of(path).images.value, found, given, names)
    assert list(written.columns) == ["id", "label", "confidence", "given"]
    assert list(np.flatnonzero(written["given"])) == sorted(rows)
    assert list(written["label"][rows]) == ["left", "<b>right</b>"]
    at = opened("Few labels", at)
    press(at, "labels.undo")
    assert not at.exception and not at.error, "the colour is gone, the map stays"
    assert "an image of a second class" in texts(at)


def test_a_column_that_an_undo_took_away_no_longer_colours(tmp_path):
    from dashboard import further

    shown = results_of(planted(tmp_path))
    for title in ("Proposed label", "Isolation", "Decision", "Corrected label"):
        assert further.usable(shown, title) is None
    assert further.usable(shown, "Label") == "Label" and further.usable(shown, None) is None
    images = shown.images.value
    there = replace(shown, images=replace(shown.images, value=replace(images, columns={"Isolation": np.ones(40)})))
    assert further.usable(there, "Isolation") == "Isolation"


def test_an_unlabelled_set_gets_classes_by_name_skips_and_labels_of_a_selection(tmp_path):
    path = unlabelled(tmp_path)
    at = page_of(path, "Few labels")
    assert "those of the data set" not in texts(at)
    first = next(item.value for item in at.markdown if item.value.startswith("**What is"))
    press(at, "labels.skip")
    assert review_of(path).counts()["skip"] == 1
    assert first not in texts(at), "what is skipped is not asked again"
    at.text_input(key="labels.name").set_value(" :red[cat] ")
    next(item for item in at.button if "Give to this image" in item.label).click().run()
    assert [item.new for item in review_of(path).current.values() if item.kind == "relabel"] == [":red[cat]"]
    assert button(at, "labels.give.0").label == "\\:red\\[cat\\]"
    next(item for item in at.text_input if item.label.startswith("Search")).set_value("1").run()
    press(at, "pick.search")
    count = int(selection(at).strip("*").split()[0])
    assert "Label" in button(at, "labels.selected").label and button(at, "labels.selected").disabled
    at.selectbox(key="labels.class").select(":red[cat]").run()
    press(at, "labels.selected")
    review = review_of(path)
    found = np.flatnonzero(["1" in text for text in results_of(path).images.value.ids])
    assert count == len(found) and {review.current[row].new for row in found} == {":red[cat]"}
    assert len(review.members) == 3, "a skip, a label, a selection"
    at.text_input(key="labels.name").set_value("dog")
    next(item for item in at.button if "Give to this image" in item.label).click().run()
    assert list(frame(at, "Proposed")["Class"]) == [":red[cat]", "dog"]


def test_keys_are_the_classes_own_where_all_have_one():
    from dashboard.panels.labels import shortcuts

    assert shortcuts(["0", "7", "A"]) == ["0", "7", "a"]
    assert shortcuts(["left", "7"]) == ["1", "2"]
    assert shortcuts(["a", "c"]) == ["1", "2"], "c clears Streamlit's cache"
    assert shortcuts(["a", "A"]) == ["1", "2"]
    assert shortcuts(["²", "x"]) == ["1", "2"]
    assert shortcuts([f"class {i}" for i in range(11)])[8:] == ["9", None, None]


def test_without_labels_no_panel_but_few_labels_speaks_of_them(tmp_path):
    path = planted(tmp_path, labels=False)
    at = page_of(path, "Pictures")
    other = drawn(at)
    for name in ("Outliers", "Duplicates", "Cluster cards"):
        at = opened(name, at)
        assert not at.exception and not at.error
        for text in drawn(at) - other:
            text = text.replace("label_visibility", "").replace("label:", "")  # of the protocol, not for people
            text = text.replace("Few labels", "")  # the panel's name
            assert "label" not in text.casefold() and "class" not in text.casefold(), text
