"""The review of suspects through Streamlit's AppTest: the queue, decisions, undo, files, without labels, disputed."""

import io

import numpy as np
import pandas as pd
import pytest
from pages import fresh, page, press, settled, texts, tiny  # noqa: F401  fresh is a fixture
from test_dashboard_clusters import drawn, frame, mapped, opened, unlabelled

from core import corrections
from core.decisions import Choice
from core.review_log import log_path
from dashboard import reviewing, server

pytestmark = pytest.mark.xdist_group("dashboard")


def ready(at):
    """Wait until the queue is there."""
    return settled(at, lambda at: any(item.key == "review.undo" for item in at.button))


@pytest.fixture
def review():
    """The page with the suspects of the digits."""
    return ready(opened("Suspects"))


def button(at, name):
    """An action's button, whose key holds the image it is of."""
    return next(item for item in at.button if item.key and item.key.startswith(f"review.{name}"))


def act(at, name):
    button(at, name).click().run()
    assert not at.exception
    return at


def under_review(at):
    """Id and place in the ranking of the image under review."""
    head = next(item.value for item in at.markdown if "score" in item.value and "rank" in item.value)
    return head.split("**")[1], int(head.split("rank ")[1].split(" ")[0])


def evidence():
    """What the page shows, and what speaks against each image."""
    from core import analyses, pipeline, ways
    from core.evidence import SuspectConfig
    from core.images import SampleSource
    from core.plans import KeptModel, Plan

    plan = Plan(SampleSource("digits"), KeptModel("digits"), cluster=ways.cluster_of(ways.usual(5000), 5000, 10))
    found = pipeline.run(server.store(), plan, "clustering")
    return found, analyses.of_results(server.store(), found, SuspectConfig()).value


def file_of(found):
    return log_path(found.images.value.fingerprint)


def test_the_queue_is_the_ranking_and_weights_change_it(review):
    from core.suspects import SuspectWeights, rank
    from core.suspects_table import suspects

    shown, parts = evidence()
    wanted = suspects(shown, rank(parts)).head(200)
    queue = frame(review, "rank")
    assert queue["rank"].tolist() == list(range(1, 201))
    for column in wanted.columns:
        assert queue[column].tolist() == wanted[column].tolist(), column
    assert (queue["score"].diff().dropna() <= 0).all()
    assert under_review(review) == (queue["id"][0], 1)
    for name in parts.parts:
        review.session_state[f"set.suspects.weight.{name}"] = 1.0 if name == "error" else 0.0
    review.run()
    only = frame(review, "rank")
    assert only["id"].tolist() != queue["id"].tolist()
    order = rank(parts, SuspectWeights(0, 0, 0, 0, 1, 0, 0)).order[:200]
    assert only["id"].tolist() == [shown.images.value.ids[row] for row in order]
    review.session_state["set.suspects.weight.error"] = 0.0
    review.run()
    assert not review.exception
    assert "and their weights are 0" in texts(review).replace("\\", "")
    press(review, "suspects.reset")
    assert frame(review, "rank")["id"].tolist() == queue["id"].tolist()


def test_decisions_move_on_are_kept_and_are_undone_and_redone(review):
    shown, _ = evidence()
    queue = frame(review, "rank")
    first, second, third = queue["id"][:3]
    act(review, "suggested")
    assert under_review(review) == (second, 2)
    act(review, "confirm")
    assert under_review(review) == (third, 3)
    kept = corrections.load(file_of(shown)).current
    assert {(item.id, item.kind, item.old, item.new, item.by) for item in kept.values()} == {
        (first, "relabel", queue["label"][0], queue["suggested"][0], "person"),
        (second, "confirm", queue["label"][1], queue["label"][1], "person"),
    }
    assert kept[shown.images.value.ids.index(first)].score == pytest.approx(queue["score"][0])
    assert frame(review, "rank")["id"][:2].tolist() == [third, queue["id"][3]]
    act(review, "undo")
    assert under_review(review) == (second, 2), "what was undone is looked at again"
    act(review, "undo")
    assert under_review(review) == (first, 1)
    assert not corrections.load(file_of(shown)).current
    act(review, "redo")
    (again,) = corrections.load(file_of(shown)).current.values()
    assert (again.id, under_review(review)[0]) == (first, second)
    act(review, "skip")
    act(review, "junk")
    review.session_state["set.suspects.show"] = "decided"
    review.run()
    assert frame(review, "rank")["decision"].tolist() == [f"relabel → {queue['suggested'][0]}", "junk"]
    review.session_state["set.suspects.show"] = "skipped"
    assert frame(review.run(), "rank")["decision"].tolist() == ["skip"]


def test_a_second_press_before_the_next_image_is_drawn_decides_nothing(review, monkeypatch):
    import secrets

    shown, _ = evidence()
    with monkeypatch.context() as still:
        still.setattr(secrets, "token_hex", lambda n: "0" * 2 * n)  # as if nothing was drawn in between
        review.run()
        act(review, "confirm")
        act(review, "confirm")
    assert len(corrections.load(file_of(shown)).events) == 1
    act(review.run(), "confirm")
    assert len(corrections.load(file_of(shown)).events) == 2


def test_another_label_and_another_cluster(review):
    shown, _ = evidence()
    second, third = frame(review, "rank")["id"][:2]
    review.session_state["set.review.label"] = "7"
    act(review.run(), "relabel")
    review.session_state["set.review.cluster"] = 4
    act(review.run(), "move")
    kept = {item.id: item for item in corrections.load(file_of(shown)).current.values()}
    assert kept[second].new == "7"
    assert (kept[third].kind, kept[third].new, kept[third].clustering) == ("move", "4", shown.clustering.key)


def test_the_whole_selection_is_one_action(review):
    shown, _ = evidence()
    queue = frame(review, "rank")
    review.session_state["set.suspects.first"] = 5
    press(review.run(), "suspects.select")
    review.session_state["set.review.whole"] = True
    act(review.run(), "junk")
    kept = corrections.load(file_of(shown))
    assert {item.id for item in kept.current.values()} == set(queue["id"][:5])
    assert not review.session_state["set.review.whole"], "the next action is of one image again"
    assert under_review(review) == (queue["id"][5], 6)
    act(review, "undo")
    assert not corrections.load(file_of(shown)).current


def test_a_rule_asks_first_and_is_undone_in_one_step(review):
    shown, _ = evidence()
    act(review, "confirm")
    all_of = frame(review, "rank")
    before = corrections.load(file_of(shown)).current
    assert next(item for item in review.button if item.key == "review.rule").disabled
    next(item for item in review.checkbox if item.label.startswith("I have looked")).check().run()
    act(review, "rule")
    kept = corrections.load(file_of(shown)).current
    made = {row: item for row, item in kept.items() if row not in before}
    assert made and {(item.by, item.kind) for item in made.values()} == {("rule", "relabel")}
    assert min(item.score for item in made.values()) >= 0.5
    asked = all_of[(all_of["score"] >= 0.5) & (all_of["suggested"] != all_of["label"])]
    assert set(asked["id"]) <= {item.id for item in made.values()}
    assert f"{len(kept)} decided of" in " ".join(str(item.proto) for item in review.get("progress")).replace(",", "")
    act(review, "undo")
    assert corrections.load(file_of(shown)).current == before


def test_what_reviewers_do_not_agree_on_is_disputed(review):
    shown, _ = evidence()
    images = shown.images.value
    first = frame(review, "rank")["id"][0]
    row = images.ids.index(first)
    review.session_state["set.reviewer"] = " Ada "
    act(review.run(), "confirm")
    path = file_of(shown)
    old = images.classes[images.y[row]]
    corrections.decide(path, corrections.load(path), [Choice(row, first, "relabel", old, "8")], "Grace")
    review.session_state["set.suspects.show"] = "disputed"
    review.run()
    assert frame(review, "rank")["decision"].tolist() == ["disputed: relabel → 8"]
    review.session_state["under review"] = {images.fingerprint: (row, False)}
    review.run()
    assert "Ada: confirm" in texts(review).replace("\\", "") and "Grace: relabel → 8" in texts(review).replace(
        "\\", ""
    )
    act(review, "undo")
    assert [item.reviewer for item in corrections.load(path).current.values()] == ["Grace"], (
        "each undoes only their own"
    )


def test_a_decision_whose_line_is_damaged_is_told_and_not_counted(review):
    shown, _ = evidence()
    act(review, "confirm")
    path = file_of(shown)
    path.write_bytes(path.read_bytes().replace(b'"confirm"', b'"confisk"', 1))
    reviewing._newest.clear()  # as after a restart of the server
    review.run()
    assert any("1 line of this review's file" in item.value for item in review.warning)
    assert not review.exception


def test_corrections_come_in_from_a_file_and_errors_are_one_sentence(review):
    shown, _ = evidence()
    ids = shown.images.value.ids

    def upload(text):
        next(iter(review.get("file_uploader"))).set_value(("corrections.csv", text.encode(), "text/csv")).run()

    upload("id,new\nnobody,3\n")
    assert "names 1 image(s) that are not in this set: nobody" in texts(review).replace("\\", "")
    upload(f"id,new\n{ids[3]},7\n{ids[9]},new one\n")
    act(review, "bring")
    kept = corrections.load(file_of(shown)).current
    assert {row: item.new for row, item in kept.items()} == {3: "7", 9: "new one"}
    act(review, "undo")
    assert not corrections.load(file_of(shown)).current


def test_without_labels_clusters_are_reviewed_and_no_word_is_of_labels(tmp_path):
    at = mapped(page().run(), unlabelled(tmp_path, 60))
    other = drawn(opened("Pictures", at))
    at = ready(opened("Suspects", at))
    assert not at.exception and not at.error
    queue = frame(at, "rank")
    assert "label" not in queue and {"cluster", "suggested", "score"} <= set(queue)
    first = under_review(at)[0]
    act(at, "confirm")
    kept = list(corrections.load(next((tmp_path / "reviews").glob("*.jsonl"))).current.values())
    assert [(item.id, item.kind, item.old, item.new) for item in kept] == [
        (first, "confirm", queue["cluster"][0], queue["cluster"][0])
    ]
    assert kept[0].clustering
    for text in drawn(at) - other:
        # Of the protocol, not for people, and the panel where labels are given.
        for word in ("label_visibility", "label:", '\\"label\\"', "Few labels"):
            text = text.replace(word, "")
        assert "label" not in text.casefold() and "class" not in text.casefold(), text


def test_one_cluster_has_no_suspects(tmp_path):
    from core.imageset import image_set

    x = np.full((12, 8, 8), 7, np.uint8)
    np.savez(tmp_path / "same.npz", x=x)
    at = page().run()
    at.session_state[f"set.k.{image_set(x[..., None]).fingerprint[:8]}"] = 1
    at = opened("Suspects", mapped(at, tmp_path / "same.npz"))
    settled(at, lambda at: "All images are in one cluster" in texts(at))
    assert not at.exception and not at.error


def test_a_search_that_takes_long_asks_first(tmp_path, monkeypatch):
    from dashboard import results

    monkeypatch.setattr(results, "ASK_SECONDS", -1.0)
    at = mapped(page().run(), tiny(tmp_path))
    at = opened("Suspects", at)
    assert not at.exception
    assert any(item.key == "analyse.SuspectConfig" for item in at.button)
    press(at, "analyse.SuspectConfig")
    ready(at)
    assert len(server.jobs().all()) == 1
    assert frame(at, "rank")["rank"].tolist() == list(range(1, 25))


def test_the_tables_of_suspects_and_corrections_hold_the_same_images(review):
    from core import corrections_csv, tables
    from core.suspects import rank
    from core.suspects_table import suspects

    shown, parts = evidence()
    first = frame(review, "rank").iloc[0]
    act(review, "suggested")
    labels = {item.proto.label for item in review.get("download_button")}
    assert {"Suspects CSV", "Corrections CSV", "History CSV", "Corrected predictions CSV"} <= labels
    kept = corrections.load(file_of(shown))
    back = pd.read_csv(io.BytesIO(corrections_csv.csv(corrections_csv.corrections(kept))), dtype=str)
    assert back.loc[0, ["id", "old", "new"]].tolist() == [first["id"], first["label"], first["suggested"]]
    whole = pd.read_csv(io.BytesIO(tables.csv(suspects(shown, rank(parts)))))
    assert len(whole) == 5000 and whole["score"].is_monotonic_decreasing
