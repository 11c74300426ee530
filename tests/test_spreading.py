"""Labels that spread: by hand, against scikit-learn, and on the digits."""

import numpy as np
import pytest
from sklearn.datasets import make_moons

from core import neighbours, pipeline, recipes, spreading
from core.errors import ConfigError
from core.images import SampleSource
from core.neighbours import Graph
from core.plans import Plan


def chain(n):
    """n images in a row, each joined to the next: the same similarity 1/e everywhere."""
    rows = np.array([1, *range(n - 1)])[:, None].astype(np.int32)
    return Graph(rows, np.ones((n, 1), np.float32))


def given(n, **labels):
    found = np.full(n, -1)
    for row, label in labels.items():
        found[int(row[1:])] = label
    return found


def test_a_chain_of_three_by_hand():
    # Weights cancel: S joins both ends to the middle by 1/√2. With a label 0 on the first and 1 on the last image, the middle
    # is torn; with a = 0.5 and a label on the first only, F = (1 - a)(I - aS)^-1 Y: all shares are of that class.
    graph = chain(3)
    np.testing.assert_allclose(spreading.affinities(graph).toarray() * np.sqrt(2), [[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    both = spreading.spread(graph, given(3, r0=0, r2=1), 2)
    np.testing.assert_allclose(both.shares, [[1, 0], [0.5, 0.5], [0, 1]])
    np.testing.assert_allclose(both.confidence, [1, 0.5, 1])
    one = spreading.spread(graph, given(3, r0=1), 2, alpha=0.5)
    assert one.labels.tolist() == [1, 1, 1] and one.confidence.tolist() == [1, 1, 1]


def test_four_in_a_row_have_the_shares_of_the_linear_system():
    graph, alpha = chain(4), 0.5
    s = np.zeros((4, 4))
    s[0, 1] = s[1, 0] = s[2, 3] = s[3, 2] = 1 / np.sqrt(2)
    s[1, 2] = s[2, 1] = 1 / 2
    solved = np.linalg.solve(np.eye(4) - alpha * s, (1 - alpha) * np.eye(4)[:, [0, 3]])
    found = spreading.spread(graph, given(4, r0=0, r3=1), 2, alpha=alpha)
    np.testing.assert_allclose(found.shares[1:3], (solved / solved.sum(1, keepdims=True))[1:3], rtol=1e-3)
    assert found.labels.tolist() == [0, 0, 1, 1]


def test_given_labels_stay_and_a_class_with_many_does_not_win_by_that():
    values = np.array([[0.0], [0.1], [0.2], [0.3], [0.4]], np.float32)
    found = spreading.spread(neighbours.graph(values, 2), given(5, r0=0, r1=0, r2=1, r3=0, r4=0), 3)
    assert found.labels.tolist() == [0, 0, 1, 0, 0] and (found.confidence == 1).all()
    mirrored = spreading.spread(chain(7), given(7, r0=0, r1=0, r6=1), 2)
    assert mirrored.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_where_no_label_reaches_nothing_is_proposed():
    values = np.array([[0.0], [1], [2], [900], [901], [902]], np.float32)
    found = spreading.spread(neighbours.graph(values, 2), given(6, r1=1), 2)
    assert found.labels.tolist() == [1, 1, 1, -1, -1, -1]
    assert found.confidence.tolist() == [1, 1, 1, 0, 0, 0]
    assert (found.shares.sum(axis=1) == [1, 1, 1, 0, 0, 0]).all()


def test_two_moons_from_two_labels():
    values, y = make_moons(400, noise=0.05, random_state=0)
    labels = np.full(400, -1)
    for label in (0, 1):
        labels[np.flatnonzero(y == label)[0]] = label
    found = spreading.spread(neighbours.graph(values, 10), labels, 2, alpha=0.99)
    assert (found.labels == y).mean() > 0.99
    assert found.settled and found.confidence.dtype == np.float32


def test_images_that_are_all_equal_get_the_label():
    found = spreading.spread(neighbours.graph(np.zeros((20, 3), np.float32), 4), given(20, r0=0), 1)
    assert np.isfinite(found.shares).all() and (found.labels[found.confidence > 0] == 0).all()
    first = neighbours.graph(np.concatenate([np.zeros((9, 1)), np.arange(9)[:, None]]).astype(np.float32), 3)
    assert np.isfinite(spreading.affinities(first).toarray()).all()


def test_progress_is_told_and_can_stop_it():
    seen = []
    spreading.spread(chain(30), given(30, r0=0, r29=1), 2, callback=seen.append)
    assert seen[0].done == spreading.EVERY and seen[-1].metrics["change"] < spreading.SETTLED

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spreading.spread(chain(30), given(30, r0=0), 2, callback=stop)


@pytest.mark.parametrize(
    ("labels", "n_classes", "alpha", "what"),
    [
        (given(3), 2, 0.9, "No image is labelled"), (given(3, r0=2), 2, 0.9, "one of the 2 classes"),
        (given(4, r0=1), 2, 0.9, "of 3 images"), (given(3, r0=1), 2, 1.0, "alpha = 1.0"),
        (given(3, r0=-2, r1=0), 2, 0.9, "-1 or"),
    ],
)  # fmt: skip
def test_what_cannot_spread_is_refused(labels, n_classes, alpha, what):
    with pytest.raises(ConfigError, match=what):
        spreading.spread(chain(3), labels, n_classes, alpha)


def test_the_next_image_is_uncertain_and_represents_many_and_the_same_every_time():
    # A star of 6 around row 0 and a pair far away; nothing reaches the pair, so it is as uncertain as can be, but is two.
    values = np.array(
        [[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1], [0.9, 0.9], [50, 50], [50, 51], [50, 49]], np.float32
    )
    graph = neighbours.graph(values, 2)
    labels = given(9, r5=0)
    found = spreading.suggest(graph, spreading.spread(graph, labels, 2), labels, 8)
    again = spreading.suggest(graph, spreading.spread(graph, labels, 2), labels, 8)
    assert found.rows.tolist() == again.rows.tolist()
    assert sorted(found.rows.tolist()) == [0, 1, 2, 3, 4, 6, 7, 8]  # never one that is labelled
    assert found.rows[0] == 6 and found.uncertainty[0] == 1 and found.reach[0] == 2
    with pytest.raises(ConfigError, match="are 0, 9 and 9"):
        spreading.suggest(graph, spreading.spread(graph, labels, 2), labels, 0)


def test_a_middle_is_suggested_before_its_rim_and_what_is_beside_a_label_last():
    # 0 - 1 - 2 is a chain with both ends labelled; 3, 4, 5 and 6 are joined to 7 and no label reaches them.
    rows = np.array([1, 0, 1, 7, 7, 7, 7, 3], np.int32)[:, None]
    graph, labels = Graph(rows, np.ones((8, 1), np.float32)), given(8, r0=0, r2=1)
    found = spreading.suggest(graph, spreading.spread(graph, labels, 2), labels, 6)
    assert (found.rows[0], found.reach[0], found.uncertainty[0]) == (7, 4, 1)
    assert found.rows.tolist() == [7, 1, 3, 4, 5, 6]  # 1 reaches two, 3 to 6 one each
    labels[1] = 0
    labels[0] = labels[2] = -1
    assert spreading.suggest(graph, spreading.spread(graph, labels, 2), labels, 1).rows.tolist() == [7]


def test_an_image_beside_a_label_waits_for_one_that_reaches_fewer():
    rows = np.array([1, 0, 1, 4, 3], np.int32)[:, None]
    graph, labels = Graph(rows, np.ones((5, 1), np.float32)), given(5, r0=0, r2=1)
    found = spreading.suggest(graph, spreading.spread(graph, labels, 2), labels, 3)
    assert (found.rows.tolist(), found.reach.tolist()) == ([3, 1, 4], [1, 2, 1])


def test_suggestions_lie_apart_while_there_is_room():
    graph = neighbours.graph(np.arange(40, dtype=np.float32)[:, None], 2)
    labels = given(40, r0=0, r39=1)
    found = spreading.suggest(graph, spreading.spread(graph, labels, 2), labels, 8)
    rows = np.sort(np.concatenate([found.rows, [0, 39]]))
    assert (np.diff(rows) > 1).all()
    assert len(spreading.suggest(graph, spreading.spread(graph, labels, 2), labels, 99).rows) == 38
    single = spreading.suggest(graph, spreading.spread(graph, given(40, r0=0), 1), given(40, r0=0))
    assert len(single.rows) == 1


def test_on_digits_spreading_is_ahead_of_centroids_and_suggestions_of_chance(tmp_path):
    opened, source = pipeline.open_store(tmp_path), SampleSource("digits")
    images = pipeline.run(opened, Plan(source), "images").images.value
    plan = recipes.plan_of(recipes.Recipe(), source, images)
    results = pipeline.run(opened, plan, "latents")
    z, y = results.latents.value.latents, results.images.value.y
    graph, rng = neighbours.graph(z, 15), np.random.default_rng(7)
    labels = np.full(len(y), -1)
    labels[[rng.choice(np.flatnonzero(y == label)) for label in range(10)]] = np.arange(10)
    found = spreading.spread(graph, labels, 10)
    away = np.linalg.norm(z[:, None] - z[[np.flatnonzero(labels == label)[0] for label in range(10)]], axis=2)
    left = labels < 0
    assert (found.labels == y)[left].mean() > (away.argmin(axis=1) == y)[left].mean() + 0.1
    chance = labels.copy()
    for _ in range(3):
        rows = spreading.suggest(graph, spreading.spread(graph, labels, 10), labels, 10).rows
        labels[rows] = y[rows]
        rows = rng.choice(np.flatnonzero(chance < 0), 10, replace=False)
        chance[rows] = y[rows]
    scores = [(spreading.spread(graph, some, 10).labels == y)[some < 0].mean() for some in (labels, chance)]
    assert scores[0] > scores[1]
