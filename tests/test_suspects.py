"""The queue of suspects, against tables worked out by hand."""

import numpy as np
import pytest

from core import evidence, rivals
from core.errors import ConfigError, DataError
from core.evidence import gather, quantiles
from core.neighbours import Graph, graph
from core.progress import Cancelled
from core.suspects import SuspectWeights, rank

NONE = dict.fromkeys(evidence.PARTS, 0.0)
# Two groups on a line, and at 11 an image that is labelled as one of the left.
LINE = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]], np.float32)
LABELS = np.array([0, 0, 0, 1, 0, 1])
CLUSTERS = np.array([0, 0, 0, 1, 1, 1])


def only(**weights):
    return SuspectWeights(**{**NONE, **weights})


def found(latents=LINE, k=5, **arrays):
    return gather(latents, graph(latents, k), **arrays)


def blobs(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return (rng.normal(size=(n, 4)) + 8 * np.eye(4)[y]).astype(np.float32), y


def test_the_majority_of_a_cluster_speaks_against_other_labels():
    parts = found(clusters=np.array([0, 0, 0, 1, 1, 1]), labels=LABELS)
    np.testing.assert_allclose(parts.parts["majority"], [0, 0, 0, 0, 1 - 1 / 2, 0])
    assert parts.rivals["majority"].tolist() == [-1, -1, -1, -1, 1, -1]
    noise = found(clusters=np.array([0, 0, 0, -1, -1, 1]), labels=np.array([0, 0, 1, 1, 0, -1]))
    np.testing.assert_allclose(noise.parts["majority"], [0, 0, 1 / 2, np.nan, np.nan, np.nan])
    assert noise.rivals["majority"].tolist() == [-1, -1, 0, -1, -1, -1]


def test_the_margin_compares_the_own_centroid_with_the_nearest_other():
    # Centroids: label 0 at (0 + 1 + 2 + 11) / 4 = 3.5, label 1 at 11.
    margin = found(labels=LABELS).parts["margin"]
    s = np.array([1 - 3.5 / 11, 1 - 2.5 / 10, 1 - 1.5 / 9, 1 - 1 / 6.5, -1, 1 - 1 / 8.5])
    np.testing.assert_allclose(margin, (1 - s) / 2, rtol=1e-6)


def test_the_silhouette_is_of_the_nearest_of_each_group(monkeypatch):
    monkeypatch.setattr(rivals, "NEAREST", 2)
    parts = found(labels=LABELS)
    # Own and other group, a mean of two distances each: 0 has 1 and 2, and 10 and 12.
    a = np.array([1.5, 1, 1.5, 2, 9.5, 2])
    b = np.array([11, 10, 9, (1 + 8) / 2, 1, (1 + 10) / 2])
    # Of label 1 there is one other image, so that one is asked for.
    s = (b - a) / np.maximum(a, b)
    np.testing.assert_allclose(parts.parts["silhouette"], (1 - s) / 2, rtol=1e-6)
    assert parts.rivals["silhouette"].tolist() == [1, 1, 1, 0, 1, 0]


def test_images_of_a_group_beyond_the_neighbours_count_as_the_last_neighbour(monkeypatch):
    monkeypatch.setattr(rivals, "NEAREST", 2)
    parts = found(k=2, labels=LABELS)
    # Image 4 at 11 has the neighbours 10 and 12, none of its label: a = 1, the last distance; b = 1.
    assert parts.parts["silhouette"][4] == 0.5
    # Image 0 has none of label 1 among 1 and 2: b = 2; a = 1.5.
    np.testing.assert_allclose(parts.parts["silhouette"][0], (1 - 0.25) / 2)


def test_neighbours_vote_by_distance_and_never_for_themselves():
    near = Graph(np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]], np.int32), np.tile([1.0, 1, 2], (4, 1)))
    latents = np.zeros((4, 1), np.float32)
    parts = gather(latents, near, labels=np.array([0, 1, 1, 2]))
    # Weights 1, 1, 1/4. Image 0: none its own, label 1 has 2 of 2.25. Image 1: own 1 of 2.25, label 0 has as many.
    own, most = np.array([0, 1, 1, 0]) / 2.25, np.array([2, 1, 1, 1.25]) / 2.25
    np.testing.assert_allclose(parts.parts["neighbours"], (1 - own + most) / 2, rtol=1e-6)
    assert parts.rivals["neighbours"].tolist() == [1, 0, 0, 1]
    unlabelled = gather(latents, near, labels=np.array([0, -1, -1, 1]))
    np.testing.assert_allclose(unlabelled.parts["neighbours"], [1, np.nan, np.nan, 1])
    assert unlabelled.rivals["neighbours"].tolist() == [1, 0, 0, 0]


def test_errors_are_ranked_within_the_class():
    values = quantiles(np.array([1.0, 5, 3, 100, 3, 7]), np.array([0, 0, 0, 1, 0, -1]))
    np.testing.assert_allclose(values, [1 / 8, 7 / 8, 1 / 2, 1 / 2, 1 / 2, np.nan])
    parts = found(labels=LABELS, errors=np.array([0, 1, 2, 0, 3, 9]))
    np.testing.assert_allclose(parts.parts["error"], [1 / 8, 3 / 8, 5 / 8, 1 / 4, 7 / 8, 3 / 4])


def test_consensus_and_isolation():
    parts = found(clusters=CLUSTERS, confidence=np.array([1, 1, 0.75, 1, 0.5, 0.25], np.float32))
    np.testing.assert_allclose(parts.parts["consensus"], [0, 0, 0.25, 0, 0.5, 0.75])
    # Distances to the fifth neighbour: 12, 11, 10, 10, 11, 12.
    np.testing.assert_allclose(parts.parts["isolation"], np.array([5.5, 3.5, 1.5, 1.5, 3.5, 5.5]) / 6 - 1 / 12)


def test_the_score_is_the_weighted_mean_and_the_order_follows_the_weights():
    parts = found(labels=LABELS, clusters=CLUSTERS, errors=np.array([9.0, 0, 1, 0, 2, 1]))
    both = rank(parts, only(neighbours=3, error=1))
    np.testing.assert_allclose(both.score, (3 * parts.parts["neighbours"] + parts.parts["error"]) / 4, rtol=1e-6)
    assert rank(parts).order[0] == 4
    assert rank(parts).suggested.tolist() == [0, 0, 0, 1, 1, 1]
    assert {name for name, named in rank(parts).named_by.items() if named[4]} >= {"margin", "neighbours", "majority"}
    by_error = rank(parts, only(error=1))
    assert by_error.order.tolist() == [0, 5, 4, 2, 3, 1]  # 7/8, 3/4, 5/8, 3/8, 1/4, 1/8
    assert by_error.suggested.tolist() == LABELS.tolist()
    np.testing.assert_array_equal(rank(parts, only(error=5)).score, by_error.score)


def test_equal_scores_stay_in_order_of_rows():
    parts = found(clusters=CLUSTERS, confidence=np.array([0.5, 0.2, 0.5, 0.2, 0.5, 0.5]))
    assert rank(parts, only(consensus=1)).order.tolist() == [1, 3, 0, 2, 4, 5]
    latents, y = blobs(300)
    parts = found(latents, clusters=y, confidence=np.tile([0.5, 0.2, 0.5], 100))
    expected = [*range(1, 300, 3), *(row for row in range(300) if row % 3 != 1)]
    assert rank(parts, only(consensus=1)).order.tolist() == expected


def test_without_labels_there_are_no_parts_or_words_of_labels():
    for labels in (None, np.full(6, -1)):
        moved = CLUSTERS.copy()
        moved[4] = 0
        parts = found(clusters=moved, labels=labels)
        assert parts.of == "cluster"
        assert set(parts.parts) == {"margin", "silhouette", "neighbours", "isolation"}
        assert "label" not in " ".join([*parts.parts, *parts.missing, *parts.missing.values()])
        assert (rank(parts).order[0], rank(parts).suggested[4]) == (4, 1)


def test_images_without_a_label_or_in_no_cluster_are_not_ranked_by_their_groups():
    labels = np.array([0, 0, -1, 1, 0, 1])
    parts = found(clusters=CLUSTERS, labels=labels)
    for name in ("majority", "margin", "silhouette", "neighbours"):
        assert np.isnan(parts.parts[name]).tolist() == [False, False, True, False, False, False]
    result = rank(parts, only(silhouette=1, neighbours=1))
    assert (result.order[0], result.order[-1], result.score[2]) == (4, 2, 0)
    assert result.suggested[2] == 0  # what is near it
    noise = rank(found(clusters=np.array([0, 0, -1, 1, 1, 1])))
    assert (noise.order[-1], noise.suggested[2]) == (2, 0)


def test_an_image_without_a_label_gets_a_suggestion_even_where_the_parts_are_at_odds():
    # The nearest centroid is that of 5 and 13, the only neighbour is of 10.5 and 29.5.
    latents = np.array([[5.0], [13.0], [10.5], [29.5], [11.0]], np.float32)
    parts = found(latents, 1, labels=np.array([0, 0, 1, 1, -1]))
    assert (parts.rivals["margin"][4], parts.rivals["neighbours"][4]) == (0, 1)
    assert rank(parts, only(margin=1, neighbours=1)).suggested[4] == 0
    assert rank(parts, only(margin=1, neighbours=1.5)).suggested[4] == 1


@pytest.mark.parametrize("arrays", [{"labels": np.zeros(6, int)}, {"clusters": np.zeros(6, int)}, {}])
def test_one_class_or_one_cluster_has_nothing_to_compare(arrays):
    parts = found(**arrays, errors=np.arange(6.0))
    kind = "label" if "labels" in arrays else "cluster"
    assert parts.missing["margin"] == f"There are no two {kind}s to compare."
    assert set(parts.parts) == {"error", "isolation"}
    assert rank(parts, only(error=1)).order[0] == 5
    with pytest.raises(ConfigError, match="Only error, isolation can be told of these images"):
        rank(parts, only(margin=1))


def test_one_cluster_still_has_a_majority():
    parts = found(clusters=np.zeros(6, int), labels=LABELS)
    np.testing.assert_allclose(parts.parts["majority"], [0, 0, 0, 1 / 2, 0, 1 / 2])


def test_identical_images_lie_on_the_border_and_have_a_score():
    same = np.zeros((6, 2), np.float32)
    parts = found(same, labels=LABELS, clusters=np.zeros(6, int), errors=np.zeros(6))
    for name in ("margin", "silhouette", "error", "isolation"):
        np.testing.assert_array_equal(parts.parts[name], 0.5)
    score = rank(parts).score
    assert np.isfinite(score).all()
    assert 0 <= score.min() <= score.max() <= 1


def test_a_label_that_one_image_has_is_on_the_border():
    labels = np.array([0, 0, 0, 1, 2, 1])
    parts = found(labels=labels)
    assert (parts.parts["silhouette"][4], parts.parts["neighbours"][4] > 0.5) == (0.5, True)
    gap = found(labels=np.where(labels == 2, 7, labels))  # numbers that nobody has change nothing
    for name, values in parts.parts.items():
        np.testing.assert_array_equal(gap.parts[name], values)


def test_wrong_labels_are_found_whatever_the_block(monkeypatch):
    latents, y = blobs()
    wrong = y.copy()
    wrong[[5, 17, 40]] = (y[[5, 17, 40]] + 1) % 3
    first = rank(found(latents, 20, labels=wrong, clusters=y, errors=np.ones(60)))
    assert sorted(first.order[:3]) == [5, 17, 40]
    assert first.suggested.tolist() == y.tolist()
    monkeypatch.setattr(rivals, "BLOCK", 7)
    again = rank(found(latents, 20, labels=wrong, clusters=y, errors=np.ones(60)))
    np.testing.assert_array_equal(again.order, first.order)
    for name, values in first.evidence.parts.items():
        np.testing.assert_array_equal(again.evidence.parts[name], values)
        assert values.dtype == np.float32
        assert 0 <= values.min() <= values.max() <= 1


def test_progress_and_cancelling(monkeypatch):
    monkeypatch.setattr(rivals, "BLOCK", 4)
    near, seen = graph(LINE, 5), []
    gather(LINE, near, labels=LABELS, callback=seen.append)
    assert [(p.stage, p.done, p.total) for p in seen] == [("Weighing suspects", 4, 6), ("Weighing suspects", 6, 6)]

    def stop(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        gather(LINE, near, labels=LABELS, callback=stop)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"labels": np.zeros(5, int)}, "5 labels do not fit 6 images"),
        ({"clusters": np.zeros(7, int)}, "7 clusters do not fit 6 images"),
        ({"labels": LABELS, "errors": np.zeros(2)}, "2 errors do not fit 6 images"),
        ({"labels": LABELS - 2}, "labels must be whole numbers from 0"),
        ({"clusters": LABELS / 2}, "clusters must be whole numbers from 0"),
        ({"errors": np.array([0, 1, 2, 3, 4, np.nan])}, "errors must be finite"),
        ({"confidence": np.array([0, 1, 0, 1, 0, 1.5])}, "must not exceed 1; the largest is 1.5"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(arrays, sentence):
    with pytest.raises(DataError, match=sentence):
        found(**arrays)


def test_latents_and_neighbours_must_fit_too():
    with pytest.raises(DataError, match="Neighbours of 6 images do not fit 5 images"):
        gather(LINE[:5], graph(LINE, 2))
    with pytest.raises(DataError, match="finite latents"):
        gather(np.full((6, 1), np.nan, np.float32), graph(LINE, 2))


def test_weights_are_checked_when_made():
    with pytest.raises(ConfigError, match="weight of margin must be 0 or more; it is -1"):
        SuspectWeights(margin=-1)
    with pytest.raises(ConfigError, match="weight of error must be 0 or more; it is nan"):
        SuspectWeights(error=float("nan"))
    with pytest.raises(ConfigError, match="All weights are 0"):
        SuspectWeights(**NONE)
