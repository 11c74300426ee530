"""Which k: blobs whose number is known, scores worked out by hand, and points that allow no choice."""

from dataclasses import replace

import made_up
import numpy as np
import pytest

from core import analyses, pipeline
from core.config import ClusterConfig, HDBSCANConfig, KMeansConfig, MiniBatchKMeansConfig
from core.errors import ConfigError
from core.jobs import job_id
from core.progress import Cancelled
from core.suggestion import elbow, suggest
from core.sweep import Sweep, SweepConfig, predict_seconds, sweep


def blobs(k, each=40, d=8):
    """Groups of width 1 around centres that are far apart: float32 (k * each, d)."""
    rng = np.random.default_rng(k)
    centers = 6 * rng.normal(size=(k, d))
    return (np.repeat(centers, each, axis=0) + rng.normal(size=(k * each, d))).astype(np.float32)


@pytest.mark.parametrize("k", range(3, 9))
def test_the_number_of_blobs_is_suggested(k):
    found = sweep(blobs(k), SweepConfig(ks=tuple(range(2, 11)), subsamples=3))
    suggestion = suggest(found)
    assert suggestion.k == k
    assert f"k = {k} is best by silhouette" in suggestion.reason
    at = k - 2
    assert found.stability[at] == pytest.approx(1) and found.silhouette[at] == found.silhouette.max() > 0.5
    assert (np.diff(found.inertia) < 0).all()


def test_scores_by_hand():
    # Pairs 0, 2 and 10, 12: means 1 and 11, of all 6.
    values = np.array([[0.0], [2.0], [10.0], [12.0]], np.float32)
    found = sweep(values, SweepConfig(ks=(2,)))
    assert found.inertia[0] == pytest.approx(4)
    assert found.calinski_harabasz[0] == pytest.approx((4 * 25 / 1) / (4 / 2))
    assert found.davies_bouldin[0] == pytest.approx((1 + 1) / 10)
    assert found.silhouette[0] == pytest.approx((2 * (1 - 2 / 11) + 2 * (1 - 2 / 9)) / 4)
    assert (found.n, found.fitted, found.note) == (4, 4, "")


def test_the_same_seed_gives_the_same_and_a_method_of_another_k_is_the_same_question():
    values = blobs(4)
    config = SweepConfig(MiniBatchKMeansConfig(7), ks=(2, 5))
    assert config == SweepConfig(MiniBatchKMeansConfig(33), ks=(2, 5))
    one, other = sweep(values, config), sweep(values, config)
    np.testing.assert_array_equal(one.stability, other.stability)
    np.testing.assert_array_equal(one.silhouette, other.silhouette)


def test_of_many_images_a_sample_is_clustered_and_counted():
    found = sweep(blobs(3, each=200), SweepConfig(ks=(2, 3, 4), most=90))
    assert (found.n, found.fitted) == (600, 90)
    assert suggest(found).k == 3


def test_k_beyond_the_different_points_are_left_out_and_said():
    three = np.repeat([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], [5, 4, 6], axis=0).astype(np.float32)
    found = sweep(three, SweepConfig(ks=(2, 3, 4, 5)))
    assert found.ks.tolist() == [2, 3]
    assert "Larger k than 3 were left out" in found.note and "these images give 3" in found.note
    assert found.silhouette[1] == pytest.approx(1) and np.isnan(found.calinski_harabasz[1])
    assert suggest(found).k == 3


@pytest.mark.parametrize("values", [np.zeros((20, 3), np.float32), np.zeros((1, 3), np.float32)])
def test_images_that_are_all_the_same_are_one_sentence(values):
    with pytest.raises(ConfigError, match="k = 2 clusters need at least 2"):
        sweep(values, SweepConfig(ks=(2, 3)))


def test_as_many_clusters_as_images_have_no_scores_but_an_end():
    found = sweep(np.arange(4, dtype=np.float32)[:, None], SweepConfig(ks=(2, 4)))
    assert np.isnan([found.silhouette[1], found.calinski_harabasz[1], found.davies_bouldin[1]]).all()
    assert suggest(found).k == 2


@pytest.mark.parametrize("ks", [(), (3, 2), (2, 2), (1, 2)])
def test_numbers_that_cannot_be_tried(ks):
    with pytest.raises(ConfigError, match=r"ks|k 1"):
        SweepConfig(ks=ks)


def test_a_method_without_a_number_of_clusters_has_no_k_to_choose():
    with pytest.raises(ConfigError, match="HDBSCANConfig takes no number of clusters"):
        SweepConfig(HDBSCANConfig())


def test_progress_rises_to_the_end_and_a_stop_is_heard_within_one_clustering():
    seen = []
    sweep(blobs(3), SweepConfig(ks=(2, 3), subsamples=2), seen.append)
    assert [item.done for item in seen] == [0, 1, 2, 3, 4, 5, 6]
    assert {item.total for item in seen} == {6} and seen[3].stage == "Trying k = 3"

    def stop(progress):
        if progress.done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        sweep(blobs(3), SweepConfig(ks=(2, 3), subsamples=2), stop)


def test_the_elbow_is_farthest_below_the_chord():
    ks = np.array([2, 3, 4, 5, 6])
    assert elbow(ks, np.array([100.0, 50.0, 20.0, 18.0, 16.0])) == 4  # 1 - 1/2 - 4/84 is the largest
    assert elbow(ks, np.array([5.0, 4.0, 3.0, 2.0, 1.0])) is None
    assert elbow(ks[:2], np.array([5.0, 1.0])) is None
    assert elbow(ks, np.zeros(5)) is None


def scored(**scores):
    m = len(scores["silhouette"])
    columns = {name: np.asarray(values, float) for name, values in scores.items()}
    return Sweep(np.arange(2, 2 + m, dtype=np.int32), np.arange(m, 0, -1.0) ** 2, **columns, n=9, fitted=9)


def test_ranks_are_added_up_and_the_reason_says_them():
    found = scored(
        silhouette=[0.1, 0.5, 0.6, 0.2], calinski_harabasz=[1, 9, 8, 7], davies_bouldin=[4, 1, 2, 3],
        stability=[1.0, 0.9, 0.2, np.nan],
    )  # fmt: skip
    suggestion = suggest(found)  # sums: 4+4+4+1, 2+1+1+2, 1+2+2+3, 3+3+3+4
    assert suggestion.k == 3
    assert suggestion.reason.startswith(
        "k = 3 is best by Calinski–Harabasz and Davies–Bouldin, second by silhouette and second by stability among 4 tried"
    )
    assert "wider range" not in suggestion.reason and "is low" not in suggestion.reason


def test_a_suggestion_at_the_edge_or_without_structure_says_so():
    found = scored(
        silhouette=[0.2, 0.1, 0.1], calinski_harabasz=[3, 2, 1], davies_bouldin=[1, 2, 3], stability=[1, 1, 1]
    )
    reason = suggest(found).reason
    assert "smallest that was tried" in reason and "silhouette of 0.20 is low" in reason
    assert suggest(sweep(blobs(3), SweepConfig(ks=(3,)))).reason == "k = 3 is the only one that was tried."


def test_a_sweep_is_kept_for_what_is_clustered_whatever_the_k(store, tmp_path):
    plan = made_up.plan(made_up.write(tmp_path))
    config = SweepConfig(plan.cluster.method, ks=(2, 3, 4), subsamples=2)
    made = analyses.analyse(store, plan, config)
    again = analyses.of_results(store, pipeline.run(store, plan), config)
    assert (made.found, again.found) == (False, True)
    for name in ("ks", "inertia", "silhouette", "calinski_harabasz", "davies_bouldin", "stability"):
        np.testing.assert_array_equal(getattr(made.value, name), getattr(again.value, name))
    assert (again.value.n, again.value.fitted, again.value.note) == (60, 60, "")
    other = replace(plan, cluster=ClusterConfig(KMeansConfig(9), "latents"))
    assert analyses.analyse(store, other, config).found and job_id(plan, config) == job_id(other, config)
    on_map = replace(plan, cluster=ClusterConfig(KMeansConfig(3), "projection"))
    assert job_id(plan, config) != job_id(on_map, config)
    assert analyses.upto(on_map, config) == "projection" and not analyses.analyse(store, on_map, config).found


def test_longer_sweeps_are_predicted_to_take_longer():
    short, long = SweepConfig(ks=(2, 3)), SweepConfig(ks=tuple(range(2, 30)))
    assert predict_seconds(short, 5000, 32) < predict_seconds(long, 5000, 32)
    assert predict_seconds(long, 10_000, 32) == predict_seconds(long, 70_000, 32)
