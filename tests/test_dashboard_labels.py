"""Few labels, through Streamlit's AppTest, against the core functions."""

from dataclasses import replace

import numpy as np
import pytest
from made_up import planted
from pages import fresh, press, select, texts  # noqa: F401  fresh is a fixture
from test_dashboard_clusters import drawn, frame, opened, unlabelled
from test_dashboard_findings import (
    button,
    page_of,
    results_of,
    review_of,
    selection,
    value_of,
)

from core import spreading
from core.neighbours import GraphConfig
from core.spreading import SpreadConfig

pytestmark = pytest.mark.xdist_group("dashboard")


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
