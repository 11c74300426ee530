"""What clusters stand for, tried against every possibility; and suspects, whatever the order and the names."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core import known, matching, quality
from core.arrangement import arrange
from core.ensemble import combine
from core.errors import ConfigError
from core.evidence import gather
from core.known import Known
from core.neighbours import graph
from core.suspects import SuspectWeights, rank
from tests.properties.strategies import labellings

TABLES = st.integers(1, 4).flatmap(
    lambda columns: st.lists(
        st.lists(st.integers(0, 9), min_size=columns, max_size=columns), min_size=1, max_size=4
    )
).map(lambda rows: np.array(rows, np.int64))  # fmt: skip
WEIGHTS = st.builds(SuspectWeights, *[st.floats(0.01, 5)] * 7)


def images_of(table):
    """Cluster and class of each image that a table counts."""
    rows, columns = np.indices(table.shape)
    return tuple(np.repeat(part.ravel(), table.ravel()) for part in (rows, columns))


def pairings(k, classes):
    """Every way to give clusters different classes, as many as can have one; -1 for none."""
    most = min(k, classes)
    for rows in itertools.combinations(range(k), most):
        for columns in itertools.permutations(range(classes), most):
            found = np.full(k, -1)
            found[list(rows)] = columns
            yield found


def right(table, of_cluster):
    there = np.flatnonzero(of_cluster >= 0)
    return table[there, of_cluster[there]].sum()


@given(TABLES)
def test_no_pairing_is_better_than_the_one_found_and_no_class_is_given_twice(table):
    found = matching.one_to_one(table)
    best = max(right(table, other) for other in pairings(*table.shape))
    assert right(table, found) == best
    given_classes = found[found >= 0]
    assert len(set(given_classes)) == len(given_classes)
    assert (table[np.flatnonzero(found >= 0), given_classes] > 0).all()
    assume(table.sum())
    assert quality.accuracy(*images_of(table)) == pytest.approx(best / table.sum())


@given(TABLES)
def test_no_choice_of_classes_has_more_images_right_than_the_majorities(table):
    found = matching.majority(table)
    every = itertools.product(range(table.shape[1]), repeat=len(table))
    assert right(table, found) == max(right(table, np.array(other)) for other in every)
    np.testing.assert_array_equal(found < 0, table.sum(axis=1) == 0)


@given(labellings(lowest=-1))
def test_clusters_paired_by_all_labels_are_as_right_as_the_best_pairing(found):
    labels, y, k, classes = found
    names = tuple(f"class {i}" for i in range(classes))
    mapped = known.map_by_labels(labels, k, y, names)
    table = matching.contingency(labels, y, k, classes)[:k, :classes]
    np.testing.assert_array_equal(mapped.votes, table)
    paired = matching.one_to_one(table)
    assert right(table, mapped.of_cluster) >= right(table, paired)
    assert (mapped.of_cluster[table.sum(axis=1) == 0] == -1).all()
    assert (mapped.codes(labels)[labels < 0] == -1).all()
    assert len(mapped.names()) == k


@given(labellings(lowest=-1))
def test_known_labels_give_each_cluster_its_majority_or_turn_two_the_better_way_round(found):
    labels, y, k, classes = found
    assume(classes > 1)
    mapped = known.map_clusters(labels, k, Known(y, tuple(map(str, range(classes))), "here"))
    if k == classes == 2:
        assert sorted(mapped.of_cluster) == [0, 1]
        assert right(mapped.votes, mapped.of_cluster) >= right(mapped.votes, known.inverted(mapped).of_cluster)
    else:
        np.testing.assert_array_equal(mapped.of_cluster, matching.majority(mapped.votes))


@given(labellings(lowest=-1), st.integers(1, 6))
def test_a_laid_out_table_leaves_out_just_what_it_says(found, limit):
    labels, y, k, classes = found
    assume((y >= 0).any())
    whole = matching.agree(labels, y, k, classes)
    laid = arrange(whole, limit)
    shown = whole.counts[np.ix_(laid.rows, laid.columns)]
    assert shown.sum() + laid.images_left_out == len(y)
    assert len(set(laid.rows)) == len(laid.rows) and len(set(laid.columns)) == len(laid.columns)
    assert (laid.rows < k).sum() + laid.clusters_left_out == k
    if not laid.clusters_left_out and not laid.classes_left_out:  # then as many are right as can be
        paired = whole.one_to_one.of_cluster
        assert np.diag(shown)[: (paired >= 0).sum()].sum() == whole.one_to_one.right


@given(labellings(), st.integers(2, 5), st.data())
def test_a_vote_of_clusterings_that_differ_in_names_alone_is_that_clustering(found, members, data):
    labels, _, k, _ = found
    named = [np.array(data.draw(st.permutations(range(k))))[labels] for _ in range(members)]
    vote = combine(named)
    assert quality.ari(vote.labels, labels) == 1 and (vote.confidence == 1).all() and (vote.agreement == 1).all()


@given(st.lists(labellings(lowest=-1, most=4, sizes=st.just(12)), min_size=2, max_size=4))
def test_a_vote_is_of_the_members_and_its_shares_are_shares(found):
    members = [labels for labels, *_ in found]
    try:
        vote = combine(members)
    except ConfigError:
        assert sum((labels < 0).sum() for labels in members) > 0
        return
    assert vote.labels.min() >= -1 and set(range(vote.k)) == set(vote.labels[vote.labels >= 0])
    assert (vote.confidence >= 0).all() and (vote.confidence <= 1).all()
    np.testing.assert_array_equal(vote.agreement, vote.agreement.T)


@st.composite
def evidence(draw):
    """Latents without ties, clusters, labels and errors of some images."""
    n, k = draw(st.integers(4, 30)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low = draw(st.sampled_from([-1, 0]))
    return (
        random.normal(size=(n, 3)),
        random.integers(low, k, n),
        random.integers(low, k, n),
        random.random(n),
        random.random(n),
    )


def ranked(values, weights):
    latents, clusters, labels, errors, confidence = values
    found = graph(latents, 10)
    return rank(gather(latents, found, clusters, labels, errors, confidence), weights)


@given(evidence(), WEIGHTS)
def test_parts_and_scores_of_suspects_lie_in_0_to_1_and_rank_them(values, weights):
    found = ranked(values, weights)
    assert ((found.score >= 0) & (found.score <= 1)).all()
    for part in found.evidence.parts.values():
        assert ((part[~np.isnan(part)] >= 0) & (part[~np.isnan(part)] <= 1)).all()
    assert (np.diff(found.score[found.order]) <= 0).all()
    assert sorted(found.order) == list(range(len(found.score)))
    groups = set(found.evidence.groups) | {-1}
    assert set(found.suggested) <= groups


@given(evidence(), WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_of_the_images_changes_no_score_of_a_suspect(values, weights, random):
    one = ranked(values, weights)
    rows = list(range(len(one.score)))
    random.shuffle(rows)
    other = ranked(tuple(part[rows] for part in values), weights)
    np.testing.assert_allclose(other.score, one.score[rows], atol=1e-6)
    np.testing.assert_array_equal(other.evidence.groups, one.evidence.groups[rows])


@given(evidence(), WEIGHTS, st.permutations(range(4)))
def test_the_names_of_the_groups_change_no_score_of_a_suspect(values, weights, names):
    latents, clusters, labels, *rest = values
    order = np.array([*names, -1])  # -1 finds the last
    other = ranked((latents, order[clusters], order[labels], *rest), weights)
    np.testing.assert_allclose(other.score, ranked(values, weights).score, atol=1e-6)


@given(evidence(), WEIGHTS, st.floats(0.1, 10))
def test_only_the_proportions_of_weights_and_distances_count(values, weights, factor):
    one = ranked(values, weights)
    more = SuspectWeights(*(factor * getattr(weights, name) for name in SuspectWeights.__dataclass_fields__))
    np.testing.assert_allclose(rank(one.evidence, more).score, one.score, atol=1e-5)
    wider = ranked((4 * values[0], *values[1:]), weights)
    np.testing.assert_allclose(wider.score, one.score, atol=1e-6)
