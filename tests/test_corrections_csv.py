"""Corrections as tables, there and back; predictions after a review; decisions by a rule."""

import io

import numpy as np
import pandas as pd
import pytest
from made_up import blobs, plan, write

from core import corrections, corrections_csv, formulas, pipeline, tables
from core.corrections import Review
from core.decisions import Choice
from core.errors import ConfigError, DataError

KEY, OTHER, TIME = "0" * 32, "1" * 32, "2024-05-01T12:00:00Z"
IDS = ["=1+1", "'=1+1", "''=x", "a\nb", "a\rb", 'say "x", y', "<b>&", "x" * 10_000, " blank ", "NA", "001", "é𝄞", "'"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "review.jsonl"


def decided(path, *choices, reviewer="Ann", before=None):
    return corrections.decide(path, before or Review(), choices, reviewer)


def test_corrections_say_what_stands_by_whom_and_with_which_score(path):
    review = decided(path, Choice(2, "c.png", "relabel", "3", "7", 0.5), Choice(1, "b.png", "junk", "4", by="rule"))
    review = decided(path, Choice(2, "c.png", "relabel", "3", "8"), reviewer="Bob", before=review)
    frame = corrections_csv.corrections(review)
    assert list(frame) == ["id", "old", "new", "kind", "decided by", "reviewer", "score", "time", "clustering"]
    assert frame[["id", "old", "new", "kind", "decided by", "reviewer"]].to_numpy().tolist() == [
        ["b.png", "4", "", "junk", "rule", "Ann"],
        ["c.png", "3", "8", "relabel", "person", "Bob"],
    ]
    assert np.isnan(frame["score"]).all()
    whole = corrections_csv.history(corrections.undo(path, review, "Bob"))
    assert whole[["number", "id", "new", "undone"]].to_numpy().tolist() == [
        [0, "c.png", "7", False], [1, "b.png", "", False], [2, "c.png", "8", True]
    ]  # fmt: skip
    assert whole["score"].tolist()[0] == 0.5


def test_no_decisions_are_a_table_of_no_rows():
    assert corrections_csv.csv(corrections_csv.corrections(Review())).count(b"\n") == 1
    assert len(corrections_csv.history(Review())) == 0


def test_a_csv_runs_no_formula_and_comes_back_letter_by_letter(path):
    review = decided(
        path, *[Choice(i, text, "relabel", text, text, 1 / 3) for i, text in enumerate(IDS)], reviewer="=Ann"
    )
    data = corrections_csv.csv(corrections_csv.corrections(review))
    cells = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False).to_numpy().ravel()
    assert not [cell for cell in cells if formulas.is_formula(cell) and not cell.startswith("'")]
    back = corrections_csv.choices(data, IDS, Review())
    assert [(item.row, item.id, item.old, item.new) for item in back] == [(i, t, t, t) for i, t in enumerate(IDS)]
    again = decided(path.with_name("again"), *back, reviewer="Bob")
    assert corrections_csv.csv(corrections_csv.corrections(again)) == data  # who, when and the score as well
    assert again.done == {"Bob": (again.current[0].group,)}  # but it is Bob's to undo


def test_moves_leave_with_the_names_of_clusters_and_come_back_by_them(path):
    review = decided(
        path, Choice(0, "a", "move", "2", "5", clustering=KEY), Choice(1, "b", "move", "2", "3", clustering=KEY)
    )
    review = corrections.name_cluster(path, review, KEY, 5, "open fours", "", "Ann")
    review = corrections.name_cluster(path, review, OTHER, 3, "another", "", "Ann")
    frame = corrections_csv.corrections(review)
    assert frame[["old", "new", "clustering"]].to_numpy().tolist() == [["2", "open fours", KEY], ["2", "3", KEY]]
    data = corrections_csv.csv(frame)
    assert [item.new for item in corrections_csv.choices(data, ["a", "b"], review)] == ["5", "3"]
    with pytest.raises(DataError, match="speaks of a cluster 'open fours'; none has"):
        corrections_csv.choices(data, ["a", "b"], Review())
    twice = corrections.name_cluster(path, review, KEY, 6, "open fours", "", "Ann")
    with pytest.raises(DataError, match="'open fours'; more than one has"):
        corrections_csv.choices(data, ["a", "b"], twice)


def test_ids_that_are_not_there_are_named_up_to_five():
    lines = "".join(f"ghost {i},7\n" for i in range(7))
    with pytest.raises(DataError) as error:
        corrections_csv.choices(f"id,new\na,7\n{lines}".encode(), ["a"], Review(), "mine.csv")
    assert str(error.value) == (
        "mine.csv names 7 image(s) that are not in this set: ghost 0, ghost 1, ghost 2, ghost 3, ghost 4 and 2 more."
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "cannot be read as CSV"), ("id,new\n", "has no rows"), ("id,label\na,7\n", "it has no new"),
        ("id,new\na,7,8,9\n", "more values than columns"), ('id,new\na,"7\n', "cannot be read as CSV"),
        ("id,new\na,7\na,8\n", "more than one row for image 'a'"), ("id,new\ntwin,7\n", "more than one has the id 'twin'"),
        ("id,new,kind\na,7,burn\n", "has the kind 'burn' for image 'a'"), ("id,new,score\na,7,high\n", "has the score 'high'"),
        ("id,new\n\xff,7\n", "cannot be read as CSV"),
    ],
)  # fmt: skip
def test_a_csv_that_cannot_be_read_is_one_sentence(text, what):
    with pytest.raises(DataError, match=what):
        corrections_csv.choices(text.encode("latin-1"), ["a", "twin", "twin"], Review())


def test_a_csv_of_ids_and_labels_relabels():
    found = corrections_csv.choices("\ufeffid,new\na,7\n".encode(), ["b", "a"], Review())
    assert found == [Choice(1, "a", "relabel", "", "7")]


def test_a_rule_relabels_what_is_at_least_at_its_threshold_and_undecided():
    rows, scores = np.array([4, 2, 3, 0, 1]), np.array([0.9, 0.8, 0.8, 0.8, np.nan])
    found = corrections_csv.by_rule(
        rows, ["7", "7", "", "3", "7"], scores, 0.8, [f"{i}.png" for i in range(5)], ["3"] * 5, decided={4}
    )
    assert found == [Choice(2, "2.png", "relabel", "3", "7", 0.8, by="rule")]
    with pytest.raises(ConfigError, match="of 5 suspects, not 1"):
        corrections_csv.by_rule(rows, ["7"], scores, 0.8, ["a"] * 5, ["3"] * 5)
    with pytest.raises(ConfigError, match="speaks of image 4; there are 3"):
        corrections_csv.by_rule(rows, ["7"] * 5, scores, 0.8, ["a"] * 3, ["3"] * 3)
    with pytest.raises(ConfigError, match="it is nan"):
        corrections_csv.by_rule(rows, ["7"] * 5, scores, float("nan"), ["a"] * 5, ["3"] * 5)


def test_predictions_after_a_review_by_hand():
    review_of = {
        0: ("relabel", "3", "7", ""), 1: ("confirm", "4", "4", ""), 2: ("junk", "1", "", ""), 3: ("move", "0", "1", KEY),
        4: ("skip", "", "", ""), 5: ("confirm", "0", "0", KEY), 99: ("junk", "", "", ""),
    }  # fmt: skip
    records = [
        corrections.decision_record(Choice(row, str(row), kind, old, new, clustering=key), "0123abcd", "Ann", TIME)
        for row, (kind, old, new, key) in review_of.items()
    ]
    review = corrections.fold(corrections.event_of(record, i) for i, record in enumerate(records))
    labels = ["3", "9", "1", "zero", "5", "zero"]
    frame = corrections_csv.corrected(list("abcdef"), labels, ["zero", "one"], corrections.current_in(review, KEY))
    assert frame.to_numpy().tolist() == [["a", "7"], ["b", "4"], ["d", "one"], ["e", "5"], ["f", "zero"]]
    kept = corrections_csv.corrected(
        list("abcdef"), labels, ["zero", "one"], corrections.current_in(review, OTHER), junk=True
    )
    assert kept["label"].tolist() == ["7", "4", "1", "zero", "5", "zero"]
    with pytest.raises(ConfigError, match="moved to cluster 1; there are 1"):
        corrections_csv.corrected(list("abcdef"), labels, ["zero"], corrections.current_in(review, KEY))


def test_corrected_predictions_are_the_predictions_but_for_what_was_decided(tmp_path, store, path):
    results = pipeline.run(store, plan(write(tmp_path)))
    key, clusters = results.clustering.key, results.clustering.value.labels
    before = tables.predictions(results)
    pd.testing.assert_frame_equal(corrections_csv.corrected_predictions(results, Review()), before)
    review = decided(path, Choice(0, "0", "relabel", "top", "=new"), Choice(1, "1", "junk"))
    other = (int(clusters[2]) + 1) % 3
    review = decided(path, Choice(2, "2", "move", str(clusters[2]), str(other), clustering=key), before=review)
    review = corrections.name_cluster(path, review, key, other, "by hand", "", "Ann")
    after = corrections_csv.corrected_predictions(results, review)
    assert after["id"].tolist() == [text for text in before["id"] if text != "1"]
    moved_to = before["label"][np.flatnonzero(clusters == other)[0]]
    assert after["label"].tolist()[:2] == ["=new", moved_to]
    assert after["label"].tolist()[2:] == before["label"].tolist()[3:]
    named = corrections_csv.corrected_predictions(results, review, named=True)
    assert named["label"].tolist()[1] == "by hand"


def test_clusters_without_labels_go_by_the_names_given_by_hand(tmp_path, store, path):
    np.save(tmp_path / "plain.npy", blobs()[0])
    results = pipeline.run(store, plan(tmp_path / "plain.npy"))
    review = corrections.name_cluster(path, Review(), results.clustering.key, 1, "dark", "", "Ann")
    frame = corrections_csv.corrected_predictions(results, review)
    assert frame["label"].tolist() == [("0", "dark", "2")[i] for i in results.clustering.value.labels]
