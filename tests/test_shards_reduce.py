"""Moments and reductions of parts, against those of all rows at once; reading parts; samples."""

import numpy as np
import pyarrow as pa
import pytest

from core import parts, projection
from core.config import KernelPCAConfig, PCAConfig, ReductionConfig, TruncatedSVDConfig
from core.engines import Local
from core.errors import ConfigError, DataError
from core.progress import Cancelled, ignore
from core.shards import columns, sampling
from core.shards.moments import Moments, components, merged, moments, of_values, reduce
from tests.cut_in_parts import Shuffled, blobs, cut, digits, whole


def stop(progress):
    raise Cancelled


def uneven(n=4000, d=6, seed=0):
    """Features of very different means and spreads, float32 (n, d); the last never changes."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * 3.0 ** np.arange(d) + 50 * np.arange(d)
    values[:, -1] = 0.1
    return values.astype(np.float32)


def test_moments_of_parts_are_those_of_all_by_hand():
    a, b = np.array([[0, 0], [2, 0]], np.float32), np.array([[4, 3]], np.float32)
    found = merged(of_values(a), of_values(b))
    assert (found.n, found.mean.tolist()) == (3, [2, 1])
    np.testing.assert_allclose(found.scatter, [[8, 6], [6, 6]])
    assert (found.low.tolist(), found.high.tolist()) == ([0, 0], [4, 3])
    empty = merged(of_values(a[:0]), of_values(a))
    assert empty.mean.tolist() == [1, 0] and empty.scatter.tolist() == [[2, 0], [0, 0]]


def test_moments_are_the_same_to_the_last_bit_in_whatever_order_parts_end(tmp_path):
    vectors = cut(tmp_path, uneven() + 1e4)
    first = moments(Local(), vectors)
    np.testing.assert_allclose(
        first.scatter / first.n, np.cov((uneven() + 1e4).T.astype(np.float64), bias=True), atol=1e-3
    )
    for seed in range(3):
        again = moments(Shuffled(seed), vectors)
        assert np.array_equal(again.scatter, first.scatter) and np.array_equal(again.mean, first.mean)


@pytest.mark.parametrize("engine", [Local(), Shuffled()], ids=["local", "shuffled"])
@pytest.mark.parametrize(
    "config",
    [
        ReductionConfig(method=PCAConfig(3)),
        ReductionConfig(standardize=True, method=PCAConfig(5)),
        ReductionConfig(method=TruncatedSVDConfig(4)),
        ReductionConfig(standardize=True, method=TruncatedSVDConfig(2)),
        ReductionConfig(standardize=True),
        ReductionConfig(),
    ],
    ids=["pca", "standardized pca", "svd", "standardized svd", "standardized", "nothing"],
)
def test_a_reduction_is_that_of_all_rows_at_once(tmp_path, config, engine):
    values = uneven()
    vectors = cut(tmp_path, values)
    made = reduce(engine, vectors, config, str(tmp_path), "key")
    expected = projection.reduce(values, config)
    found = whole(tmp_path, vectors, "reduced", "values")
    scale = max(1.0, float(np.abs(expected.values).max()))
    np.testing.assert_allclose(found / scale, expected.values / scale, atol=1e-5)
    assert (made.n, made.n_components) == found.shape
    if config.method is None:
        assert made.explained_variance_ratio is None
    else:
        np.testing.assert_allclose(made.explained_variance_ratio, expected.explained_variance_ratio, atol=1e-5)


def test_a_feature_that_never_changes_becomes_0_though_its_variance_is_not_quite():
    low = np.array([0, 5], np.float32)
    found = Moments(4, np.array([1, 5 + 1e-9]), np.diag([4, 1e-16]), low, np.array([2, 5], np.float32))
    basis = components(found, standardize=True)
    assert basis.scores(np.array([[2, 5], [0, 5]], np.float32), None).tolist() == [[1, 0], [-1, 0]]


def test_digits_are_reduced_as_they_are_at_once(tmp_path):
    values, _ = digits()
    vectors = cut(tmp_path, values)
    config = ReductionConfig(method=PCAConfig(8))
    reduce(Local(), vectors, config, str(tmp_path), "key")
    found = whole(tmp_path, vectors, "reduced", "values")
    np.testing.assert_allclose(found, projection.reduce(values, config).values, atol=1e-5 * np.abs(found).max())


def test_parts_that_are_there_for_a_key_stay_and_others_are_written_anew(tmp_path):
    vectors = cut(tmp_path, uneven())
    root, config = str(tmp_path), ReductionConfig(method=PCAConfig(2))
    reduce(Local(), vectors, config, root, "one")
    marked = vectors.numbers[0]
    parts.write(root, "reduced", marked, pa.table({"values": parts.vectors(np.zeros((700, 2)))}), "one", {})
    reduce(Local(), vectors, config, root, "one")
    assert not parts.matrix(parts.read(root, "reduced", marked).column("values")).any()
    reduce(Local(), vectors, config, root, "two")
    assert parts.matrix(parts.read(root, "reduced", marked).column("values")).any()


def test_what_cannot_be_reduced_is_said(tmp_path):
    vectors = cut(tmp_path, uneven(50))
    with pytest.raises(ConfigError, match=r"Kernel PCA.*choose PCA"):
        reduce(Local(), vectors, ReductionConfig(method=KernelPCAConfig()), str(tmp_path), "key")
    with pytest.raises(ConfigError, match="n_components 7 must be at most 6"):
        reduce(Local(), vectors, ReductionConfig(method=PCAConfig(7)), str(tmp_path), "key")
    with pytest.raises(Cancelled):
        reduce(Local(), vectors, ReductionConfig(), str(tmp_path), "key", stop)
    assert not parts.there(str(tmp_path), "reduced", vectors.numbers, "key")


def test_parts_that_are_not_what_was_counted_are_not_read(tmp_path):
    values, root = uneven(100), str(tmp_path)
    vectors = cut(tmp_path, values, sizes=(60, 40))

    def refused(table, sentence):
        parts.write(root, "encoded", vectors.numbers[1], table, "made", {})
        with pytest.raises(DataError, match=sentence):
            moments(Local(), vectors)

    refused(pa.table({"latents": parts.vectors(values[:39])}), "39 rows, where 40")
    refused(pa.table({"latents": parts.vectors(np.full((40, 6), np.nan))}), "40 rows with values that are not finite")
    refused(pa.table({"latents": parts.vectors(values[:40, :5])}), "vectors of 6 numbers, others of 5")
    refused(pa.table({"latents": ["x"] * 40}), "no whole vectors of numbers")
    refused(pa.table({"latents": pa.array([None] * 40, pa.list_(pa.float32(), 6))}), "no whole vectors of numbers")
    refused(pa.table({"other": [1.0] * 40}), "cannot be read|no whole|does not exist|No match")
    wide = pa.table({"latents": parts.vectors(np.zeros((40, columns.WIDEST + 1)))})
    refused(wide, "may be 1 to 8,192")
    with pytest.raises(DataError, match=r"000099\.parquet is not there"):
        columns.find(root, "encoded", "latents", [99])


def test_rows_are_located_by_running_number_beyond_empty_parts():
    vectors = columns.Vectors("", "", "", (7, 8, 9, 4), (2, 0, 3, 0))
    at, rows = vectors.located(np.array([0, 1, 2, 4]))
    assert (at.tolist(), rows.tolist()) == ([0, 0, 2, 2], [0, 1, 0, 2])
    assert (vectors.n, vectors.starts.tolist()) == (5, [0, 2, 2, 5])


def test_rows_are_gathered_in_the_order_asked_and_from_their_parts_alone(tmp_path):
    values, y = blobs(3000)
    vectors = cut(tmp_path, values, label=y.astype(str))
    running = np.array([2999, 5, 700, 1999, 5])
    at, rows = vectors.located(running)
    numbers = np.array(vectors.numbers)[at]
    read = []
    found = sampling.gather(vectors, numbers, rows, read.append)
    assert np.array_equal(found, values[running])
    assert read[-1].total == len(set(numbers)) < len(vectors.numbers)
    labels = sampling.gather_column(str(tmp_path), "encoded", "label", numbers, rows)
    assert labels.to_pylist() == y[running].astype(str).tolist()
    with pytest.raises(DataError, match="no part 1 among"):
        sampling.gather(vectors, np.array([1]), np.array([0]))
    with pytest.raises(DataError, match="Part 3 has 700 rows; row 700"):
        sampling.gather(vectors, np.array([3]), np.array([700]))


def test_a_uniform_sample_has_each_row_once(tmp_path):
    values, _ = blobs(3000)
    vectors = cut(tmp_path, values)
    found = sampling.uniform(vectors, 500, 0)
    running = found.running(vectors)
    assert len(found) == len(set(running.tolist())) == 500 and (np.diff(running) > 0).all() and found.n == 3000
    assert np.array_equal(found.values, values[running])
    assert 1300 < running.mean() < 1700
    assert np.array_equal(sampling.uniform(vectors, 500, 0, ignore, Shuffled()).rows, found.rows)
    assert not np.array_equal(sampling.uniform(vectors, 500, 1).rows, found.rows)
    assert len(sampling.uniform(vectors, 5000, 0)) == 3000


def test_a_stratified_sample_holds_each_group_in_proportion(tmp_path):
    values, y = blobs()
    order = np.argsort(y, kind="stable")  # parts of one group each, as folders of classes are
    vectors = cut(tmp_path, values[order])
    found = sampling.stratified(Local(), vectors, 600, 0)
    running = found.running(vectors)
    assert len(set(running.tolist())) == 600 and (np.diff(running) > 0).all()
    assert np.array_equal(found.values, values[order][running])
    counts = np.bincount(y[order][running], minlength=5)
    np.testing.assert_allclose(counts, np.bincount(y) * 600 / len(y), atol=8)
    again = sampling.stratified(Shuffled(3), vectors, 600, 0)
    assert np.array_equal(again.numbers, found.numbers) and np.array_equal(again.rows, found.rows)
    assert not np.array_equal(sampling.stratified(Local(), vectors, 600, 1).rows, found.rows)
    assert len(sampling.stratified(Local(), vectors, 10_000, 0)) == 6000


def test_another_seed_draws_other_rows_of_the_same_stratum(tmp_path):
    vectors = cut(tmp_path, blobs(3000)[0])  # 30 rows: a single stratum
    drawn = [sampling.stratified(Local(), vectors, 30, seed).running(vectors) for seed in (0, 1)]
    assert len(set(drawn[0].tolist()) & set(drawn[1].tolist())) < 10


def test_a_stratum_whose_keys_are_unlucky_is_drawn_again_in_full(tmp_path, monkeypatch):
    values, _ = blobs(3000)
    vectors = cut(tmp_path, values)
    expected = sampling.stratified(Local(), vectors, 400, 0).rows
    monkeypatch.setattr(sampling, "SURE", -1000.0)
    assert np.array_equal(sampling.stratified(Local(), vectors, 400, 0).rows, expected)


def test_a_stratified_sample_is_as_good_as_one_of_all_rows_at_once(tmp_path):
    values, y = digits()
    vectors = cut(tmp_path, values)
    found = y[sampling.stratified(Local(), vectors, 1000, 0).running(vectors)]
    np.testing.assert_allclose(np.bincount(found, minlength=10), np.bincount(y) / 5, atol=15)


def test_samples_can_be_stopped_and_need_a_row(tmp_path):
    vectors = cut(tmp_path, blobs(500)[0])
    with pytest.raises(Cancelled):
        sampling.stratified(Local(), vectors, 50, 0, stop)
    with pytest.raises(ConfigError, match="at least 1 image; 0"):
        sampling.uniform(vectors, 0, 0)


def test_components_of_fewer_rows_than_numbers_are_as_many_as_rows():
    found = components(of_values(np.eye(3, 7, dtype=np.float32)))
    assert found.components.directions.shape == (7, 3)
    np.testing.assert_allclose(found.explained.sum(), 1, atol=1e-6)
