"""What a review finds, as tables, against tables worked out by hand."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core import corrections, finding_pictures, findings, outliers, pictures, suspects, suspects_table
from core.clustering import of_labels
from core.decisions import Naming
from core.evidence import gather
from core.findings import Findings
from core.imageset import image_set
from core.latents import Latents
from core.neighbours import graph
from core.outliers import Isolation
from core.plans import Results, Staged
from core.projection import Projection, Reduced

# Three groups on a line: a at 0, b at 10, c at 20. At 11 one of b has the label a, at 21 one has none; 100 is noise.
LINE = np.array([0, 1, 2, 3, 10, 11, 12, 20, 21, 100], np.float32)
CLUSTERS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, -1], np.int32)
Y = np.array([0, 0, 0, 0, 1, 0, 1, 2, -1, 2])
IDS = ("=a", "b;c", *map(str, range(2, 10)))


def staged(value, key="0123456789abcdef"):
    return Staged(value, key, False, 0.0)


def results(y=Y, clusters=CLUSTERS, classes=("a", "b", "cluster"), errors=True):
    """Results of ten images whose one latent is its place on the line."""
    x = np.arange(10, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
    latents = LINE[:, None]
    found = Latents(latents, None, np.arange(10, dtype=np.float32) / 10 if errors else None)
    flat = np.c_[LINE, LINE].astype(np.float32)
    return Results(
        staged(image_set(x, y, () if y is None else classes, ids=IDS, name="line")), None, staged(found),
        staged(Reduced(latents, None)), projection=staged(Projection(flat, None, None)),
        clustering=staged(of_labels(latents, clusters, int(clusters.max()) + 1)),
    )  # fmt: skip


def ranked(found):
    latents, y = found.latents.value.latents, found.images.value.y
    evidence = gather(latents, graph(latents, 9), found.clustering.value.labels, y, found.latents.value.errors)
    return suspects.rank(evidence)


def named(found, cluster, name):
    naming = Naming(0, found.clustering.key, cluster, name, "", "2024-05-01T12:00:00Z", "0" * 8, "me")
    return replace(found, review=corrections.fold([naming]))


def test_the_planted_label_is_the_first_suspect_with_what_it_should_be():
    found = results()
    table = suspects_table.suspects(found, ranked(found))
    assert list(table) == [
        "id", "label", "cluster", "suggested", "score", "majority", "margin", "silhouette", "neighbours", "error", "isolation",
    ]  # fmt: skip
    assert table.iloc[0][["id", "label", "cluster", "suggested"]].tolist() == ["5", "a", "1", "b"]
    assert table.iloc[0]["majority"] == pytest.approx(1 - 1 / 2)
    assert table["score"].is_monotonic_decreasing and sorted(table["id"]) == sorted(IDS)
    by_id = table.set_index("id")
    assert (by_id.loc["8", "label"], by_id.loc["9", "cluster"]) == ("", "noise")
    assert 5 in findings.disputed(ranked(found)) and 8 not in findings.disputed(ranked(found))


def test_without_labels_clusters_are_suggested_and_no_word_is_of_labels():
    found = results(y=None, errors=False)
    table = suspects_table.suspects(found, ranked(found))
    assert list(table) == ["id", "cluster", "suggested", "score", "margin", "silhouette", "neighbours", "isolation"]
    assert set(table["suggested"]) <= {"0", "1", "2", ""}
    assert findings.agreement(found) is None
    clusters = findings.clusters(found, None)
    assert list(clusters) == ["cluster", "size", "share", "medoid", "closest", "farthest"]
    assert findings.agreement(results(y=np.full(10, -1))) is None


def test_the_matrix_is_in_the_order_of_its_matches():
    # Cluster 0 is b, 1 is a, 2 is the class named "cluster".
    swapped = results(y=np.array([1, 1, 1, 0, 0, 0, 0, 2, -1, 2]))
    table = findings.matrix(swapped, findings.agreement(swapped))
    assert list(table) == ["cluster", "a", "b", "cluster (2)", "(none)"]
    assert table["cluster"].tolist() == ["1", "0", "2", "noise"]
    np.testing.assert_array_equal(table.iloc[:, 1:], [[3, 0, 0, 0], [1, 3, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0]])
    given = named(swapped, 0, "=sum")
    assert findings.matrix(given, findings.agreement(given))["name"].tolist() == ["", "=sum", "", ""]


def test_a_row_a_cluster_says_what_it_stands_for_and_who_is_in_it():
    found = named(results(), 1, "tens")
    table = findings.clusters(found, findings.agreement(found)).set_index("cluster")
    assert table.index.tolist() == ["0", "1", "2", "noise"]
    assert table["size"].tolist() == [4, 3, 2, 1] and table["share"].sum() == pytest.approx(1)
    assert table["name"].tolist() == ["", "tens", "", ""]
    assert table.loc["1", ["one-to-one", "majority", "medoid"]].tolist() == ["b", "b", "5"]
    assert table.loc["1", "one-to-one share"] == table.loc["1", "majority share"] == pytest.approx(2 / 3)
    assert table.loc["2", "majority share"] == 1  # of its labelled images
    assert json.loads(table.loc["1", "labels"]) == {"b": 2, "a": 1}
    assert json.loads(table.loc["2", "labels"]) == {"cluster": 1, "(none)": 1}
    assert json.loads(table.loc["0", "closest"]) == ["b;c", "2", "=a", "3"]  # the mean is 1.5, ties by row
    assert json.loads(table.loc["0", "farthest"]) == ["=a", "3", "b;c", "2"]
    assert table.loc["1", "mean error"] == pytest.approx((0.4 + 0.5 + 0.6) / 3)
    assert table.loc["noise", "one-to-one"] == "" and pd.isna(table.loc["noise", "medoid"])


def test_the_larger_of_two_clusters_of_a_class_is_its_match_and_both_have_its_majority():
    found = results(y=np.array([0, 0, 0, 0, 0, 0, 1, 2, 2, 2]))
    table = findings.clusters(found, findings.agreement(found)).set_index("cluster")
    assert table.loc["1", "one-to-one"] == "b" and table.loc["1", "majority"] == "a"
    assert table.loc["1", "one-to-one share"] == pytest.approx(1 / 3)
    assert table.loc["1", "majority share"] == pytest.approx(2 / 3)


def test_outliers_are_beyond_a_fence_the_farthest_first():
    isolation = Isolation(
        np.array([1, 1, 1, 1, 1, 1, 1, 1, 5, 9], np.float32), np.array([1, 1, 3, 1, 1, 1, 1, 1, 1, 1], np.float32)
    )
    table = findings.outlying(results(), isolation, True)
    assert table["id"].tolist() == ["9", "8", "2"]
    assert table["far by neighbour distance"].tolist() == [True, True, False]
    assert table["far by local outlier factor"].tolist() == [False, False, True]
    assert table["neighbour distance"].tolist() == [9, 5, 1]
    assert list(table)[:3] == ["id", "label", "cluster"]
    assert "label" not in findings.outlying(results(), isolation, False)
    assert len(findings.outlying(results(), Isolation(np.ones(10, np.float32), np.ones(10, np.float32)), True)) == 0


@pytest.mark.parametrize("y", [Y, None])
def test_the_store_has_all_the_second_time_and_every_picture_can_be_drawn(store, y):
    found = findings.find(store, results(y=y))
    assert set(found.staged) == {"graph", "suspects", "duplicates"}
    again = findings.find(store, results(y=y))
    assert not any(item.found for item in found.staged.values()) and all(item.found for item in again.staged.values())
    expected = outliers.isolation(graph(LINE[:, None], 9))
    np.testing.assert_array_equal(again.isolation.knn_distance, expected.knn_distance)
    drawn = finding_pictures.drawable(again, 4)
    assert set(drawn) == {"suspects", "map-suspects"} | ({"matrix"} if y is not None else set())
    figures = {name: draw() for name, draw in drawn.items()}
    for figure in figures.values():
        assert pictures.render(figure, "png").startswith(b"\x89PNG")
    titles = [axes.get_title() for axes in figures["suspects"].axes]
    assert len(titles) == 4
    if y is not None:
        assert titles[0].startswith("a → b\n5: ")


def test_numbers_count_the_rows(store):
    found = findings.find(store, results())
    counted = findings.numbers(found)
    table = suspects_table.suspects(found.results, found.ranked)
    other = (table["suggested"] != table["label"]) & (table["label"] != "") & (table["suggested"] != "")
    assert counted["suspects"] == other.sum() > 0
    assert counted["outliers"] == len(findings.outlying(found.results, found.isolation, True))
    assert (counted["duplicate_groups"], counted["conflicting_groups"]) == (0, 0)
    assert isinstance(found, Findings)
