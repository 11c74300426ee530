"""The table of suspects, the sentences about one, and decisions on many, against an example worked out by hand."""

import numpy as np
import pytest

from core.choosing import choices, ruled, suggests
from core.clustering import Clustering
from core.errors import ConfigError
from core.evidence import Evidence
from core.imageset import image_set
from core.plans import Results, Staged
from core.reasons import reasons
from core.suspects import SuspectWeights, rank
from core.suspects_table import suspects

KEY = "c1a5" * 4
WEIGHTS = SuspectWeights(0, 0, 1, 1, 0, 0, 0)  # of silhouette and neighbours alone
SILHOUETTE = np.array([0.9, 0.1, 0.6, 0.2], np.float32)
NEIGHBOURS = np.array([0.8, 0.2, 1.0, np.nan], np.float32)  # scores 0.85, 0.15, 0.8, 0.1


def staged(value, key="0" * 16):
    return Staged(value, key, True, 0.0)


def example(labelled=True):
    """Four images: 0 and 2 lie with the other group; 3 is in no cluster and, where there are labels, has none."""
    x = np.zeros((4, 8, 8, 1), np.uint8)
    y = np.array([0, 0, 1, -1]) if labelled else None
    images = image_set(x, y=y, classes=("cat", "<b>dog</b>") if labelled else (), ids=["a", "b", "=c", "d"])
    clusters = Clustering(np.array([0, 0, 1, -1], np.int32), np.zeros((2, 2), np.float32), 0.0, 1)
    results = Results(staged(images), clustering=staged(clusters, KEY))
    groups = np.array([0, 0, 1, -1], np.int32)
    other = np.array([1, -1, 0, 1], np.int32)
    parts = {"silhouette": SILHOUETTE, "neighbours": NEIGHBOURS, "error": np.array([0.95, 0.2, 0.5, 0.5], np.float32)}
    rivals = {"silhouette": other, "neighbours": other}
    return results, rank(Evidence("label" if labelled else "cluster", groups, parts, rivals, {}), WEIGHTS)


def test_the_table_is_ranked_and_names_groups():
    table = suspects(*example())
    assert list(table) == ["id", "label", "cluster", "suggested", "score", "silhouette", "neighbours", "error"]
    assert table["id"].tolist() == ["a", "=c", "b", "d"]
    assert table["label"].tolist() == ["cat", "<b>dog</b>", "cat", ""]
    assert table["cluster"].tolist() == ["0", "1", "0", "noise"]
    assert table["suggested"].tolist() == ["<b>dog</b>", "cat", "cat", "<b>dog</b>"]
    np.testing.assert_allclose(table["score"], [0.85, 0.8, 0.15, 0.1], rtol=1e-6)
    bare = suspects(*example(labelled=False), rows=np.array([3, 0]))
    assert list(bare)[:3] == ["id", "cluster", "suggested"]
    assert bare["suggested"].tolist() == ["1", "1"]


def test_parts_that_speak_are_sentences_the_weightiest_first():
    _, found = example()
    assert reasons(found, 0, ("cat", "dog")) == [
        "The nearest images of label “dog” are nearer than those of label “cat” (silhouette 0.90).",
        "More of its neighbours are of label “dog” than of label “cat” (neighbours 0.80).",
        "It is reconstructed worse than 95.0 % of the images of label “cat” (error 0.95).",
    ]
    assert reasons(found, 1, ("cat", "dog")) == []
    assert reasons(found, 2, ("cat", "dog"))[0].startswith("More of its neighbours are of label “cat”")


def test_choices_of_labels():
    results, found = example()
    rows = np.arange(4)
    assert suggests(found).tolist() == [True, False, True, True]
    said = {kind: choices(results, found, rows, kind) for kind in ("confirm", "relabel", "junk", "skip")}
    assert [(c.row, c.old, c.new) for c in said["relabel"]] == [
        (0, "cat", "<b>dog</b>"), (2, "<b>dog</b>", "cat"), (3, "", "<b>dog</b>"),
    ]  # fmt: skip
    assert [(c.old, c.new, c.clustering) for c in said["confirm"]][:3] == [
        ("cat", "cat", ""), ("cat", "cat", ""), ("<b>dog</b>", "<b>dog</b>", ""),
    ]  # fmt: skip
    assert all(c.new == "" and c.by == "person" for c in (*said["junk"], *said["skip"]))
    assert said["relabel"][0].score == pytest.approx(0.85)
    (typed,) = choices(results, found, rows[1:2], "relabel", "bird")
    assert (typed.old, typed.new) == ("cat", "bird")
    moved = choices(results, found, rows[2:], "move", "0")
    assert [(c.old, c.new, c.clustering) for c in moved] == [("1", "0", KEY), ("", "0", KEY)]
    with pytest.raises(ConfigError, match="suggested label cannot be used to move"):
        choices(results, found, rows, "move")


def test_choices_of_clusters():
    results, found = example(labelled=False)
    rows = np.arange(3)
    assert [(c.kind, c.old, c.new, c.clustering) for c in choices(results, found, rows, "move")] == [
        ("move", "0", "1", KEY), ("move", "1", "0", KEY),
    ]  # fmt: skip
    assert [(c.old, c.new, c.clustering) for c in choices(results, found, rows, "confirm")] == [
        ("0", "0", KEY), ("0", "0", KEY), ("1", "1", KEY),
    ]  # fmt: skip
    assert all((c.old, c.clustering) == ("", "") for c in choices(results, found, rows, "junk"))
    with pytest.raises(ConfigError, match="suggested cluster cannot be used to relabel"):
        choices(results, found, rows, "relabel")


@pytest.mark.parametrize(("labelled", "kind", "key"), [(True, "relabel", ""), (False, "move", KEY)])
def test_a_rule_takes_what_is_above_the_threshold_and_not_decided(labelled, kind, key):
    results, found = example(labelled)
    made = ruled(results, found, 0.8)
    assert [(c.row, c.kind, c.by, c.clustering) for c in made] == [(0, kind, "rule", key), (2, kind, "rule", key)]
    assert [c.row for c in ruled(results, found, 0.8, {0: None})] == [2]
    assert [c.row for c in ruled(results, found, 0.81)] == [0]
    assert ruled(results, found, 0.9) == []
