"""The index of neighbours: exact when small, measured when not, opened only as it was made. Suspects by it."""

import json
import sys
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import average_precision_score

from core import checksums, parts
from core.engines import Local
from core.errors import ConfigError, DataError, ExportError
from core.neighbours import graph
from core.progress import Cancelled
from core.shards import grouping, index
from core.shards.grouping import read_groups
from core.shards.index import build_index, open_index
from core.shards.suspects import margin, suspects, voted, without_own
from tests.cut_in_parts import Shuffled, blobs, cut, digits, whole

faiss = pytest.importorskip("faiss")


def test_a_small_set_is_searched_exactly(tmp_path):
    values, _ = digits()
    vectors = cut(tmp_path, values)
    path = str(tmp_path / "index" / "all.faiss")
    info = build_index(vectors, path)
    assert (info.n, info.d, info.kind, info.n_lists, info.recall) == (*values.shape, "all", 0, 1.0)
    opened = open_index(path)
    assert opened.info == info
    found, expected = opened.search(values[:50], 11), graph(values, 10)
    assert np.array_equal(found.rows[:, 1:], expected.rows[:50])
    np.testing.assert_allclose(found.distances[:, 1:], expected.distances[:50], rtol=1e-3)


@pytest.mark.parametrize("kind", ["lists", "lists of 8 bits"])
def test_a_larger_set_is_searched_in_lists_whose_recall_is_measured(tmp_path, monkeypatch, kind):
    values, _ = digits()
    vectors = cut(tmp_path, values)
    monkeypatch.setattr(index, "EXACT_BELOW", 1000)
    if kind == "lists of 8 bits":
        monkeypatch.setattr(index, "FLAT_BYTES", values.nbytes - 1)
    path = str(tmp_path / "lists.faiss")
    info = build_index(vectors, path)
    assert (info.kind, info.n_lists, info.queries) == (kind, round(4 * 5000**0.5), 200)
    assert info.recall >= 0.95 and 0 < info.recall_se < 0.02 and info.n_probe < info.n_lists
    assert info.bytes < (values.nbytes if kind == "lists" else values.nbytes / 4) + 8 * 5000 + info.n_lists * 200
    opened = open_index(path)
    found, expected = opened.search(values, 11).rows, graph(values, 10).rows
    recall = (found[:, :, None] == expected[:, None, :]).any(axis=2).sum(axis=1).mean() / 10
    print(f"\n{kind}: {info}, of all rows {recall:.4f}")
    assert abs(recall - info.recall) < 4 * info.recall_se
    if info.n_probe > 1:
        opened.faiss.nprobe = info.n_probe // 2
        less = opened.search(values, 11).rows
        assert (less[:, :, None] == expected[:, None, :]).any(axis=2).sum(axis=1).mean() / 10 < recall


def test_equal_rows_do_not_make_a_search_of_all_lists_necessary(tmp_path):
    values = np.repeat(np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32), 50, axis=0)
    info = build_index(cut(tmp_path, values), str(tmp_path / "i"), n_lists=20)
    assert info.recall == 1 and info.n_probe < 20


def test_only_an_index_as_it_was_made_is_opened(tmp_path, monkeypatch):
    values, _ = blobs(500)
    path = tmp_path / "i"
    build_index(cut(tmp_path, values), str(path))
    whole_file, told = path.read_bytes(), path.with_name("i.json").read_bytes()

    def refused(content, described, sentence):
        path.write_bytes(content)
        path.with_name("i.json").write_bytes(described)
        read = []
        with monkeypatch.context() as patch:
            patch.setattr(faiss, "read_index", lambda *given: read.append(given))
            with pytest.raises(DataError, match=sentence):
                open_index(str(path))
        assert not read  # FAISS never saw it

    refused(whole_file[:-1], told, "not one that was made here")
    flipped = bytearray(whole_file)
    flipped[100] ^= 1
    refused(bytes(flipped), told, "checksum")
    refused(whole_file, told.replace(b'"n": 500', b'"n": 501'), "checksum")
    refused(whole_file, b"{}", "not what was written")
    refused(whole_file, b"[" * 100_000, "not what was written|not one that was made")
    refused(whole_file, b"[" * 10_000, "not one that was made")
    odd = {
        "index": checksums.of_file(path),
        **asdict(index.IndexInfo(500, 8, "all", 0, 0, 1, 1.0, 0.0, 0)),
        "n_probe": "9",
    }
    refused(whole_file, checksums.sealed(odd), "not what was written")
    path.with_name("i.json").unlink()
    with pytest.raises(DataError, match="There is no index"):
        open_index(str(path))


def test_an_index_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    values, _ = blobs(3000)
    vectors = cut(tmp_path / "run", values)
    folder = tmp_path / "index"
    told = []
    build_index(vectors, str(folder / "i"), told.append, n_lists=50)
    before = (folder / "i").read_bytes()
    for stage in dict.fromkeys(progress.stage for progress in told):

        def stop(progress, stage=stage):
            if progress.stage == stage:
                raise Cancelled

        with pytest.raises(Cancelled):
            build_index(vectors, str(folder / "i"), stop, n_lists=50)
    monkeypatch.setattr(faiss, "write_index", lambda made, path: (_ for _ in ()).throw(RuntimeError("disk full")))
    with pytest.raises(ExportError, match="disk full"):
        build_index(vectors, str(folder / "i"), n_lists=50)
    assert sorted(path.name for path in folder.iterdir()) == ["i", "i.json"]
    assert (folder / "i").read_bytes() == before and open_index(str(folder / "i")).info.n == 3000


def test_an_index_at_an_address_is_fetched(tmp_path):
    values, _ = blobs(400)
    vectors = cut(tmp_path, values)
    info = build_index(vectors, "memory://shards-index/i")
    opened = open_index("memory://shards-index/i")
    assert opened.info == info and opened.search(values[:3], 1).rows.ravel().tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="There is no index"):
        open_index("memory://shards-index/other")


def test_what_an_index_needs_is_said(tmp_path, monkeypatch):
    vectors = cut(tmp_path, blobs(200)[0])
    with pytest.raises(ConfigError, match="n_lists"):
        build_index(vectors, str(tmp_path / "i"), n_lists=201)
    monkeypatch.setitem(sys.modules, "faiss", None)
    for call in (lambda: build_index(vectors, str(tmp_path / "i")), lambda: open_index(str(tmp_path / "i"))):
        with pytest.raises(ConfigError, match=r"FAISS: pip install .*\[cluster\]"):
            call()


def test_neighbours_vote_by_distance_and_never_for_themselves():
    groups = np.array([[1, 1, 2], [2, -1, -1], [-1, -1, -1], [0, 1, 1]])
    away = np.array([[1.0, 1, 1], [1, 2, 3], [1, 1, 1], [1, 2, 2]])
    others, looks_like = voted(groups, away, np.array([2, 0, 0, 0]))
    np.testing.assert_allclose(others, [2 / 3, 1, np.nan, 2 / 3])
    assert looks_like[[0, 1, 3]].tolist() == [1, 2, 0]  # of the last 1 against twice 1/4
    assert looks_like[2] == -1
    rows, left = without_own(np.array([[4, 0, 7], [8, 9, 2]]), np.array([[0.0, 0, 1], [0, 1, 2]]), np.array([0, 1]))
    assert rows.tolist() == [[4, 7], [8, 9]] and left.tolist() == [[0, 1], [0, 1]]


def test_the_margin_compares_the_own_centroid_with_the_nearest_other():
    centroids = np.array([[0.0], [10.0], [100.0]])
    found = margin(np.array([[2.0], [2.0], [5.0], [3.0]], np.float32), np.array([0, 1, 0, -1]), centroids)
    np.testing.assert_allclose(found, [(1 - 6 / 8) / 2, (1 + 6 / 8) / 2, 0.5, np.nan])


def test_groups_are_read_as_text_in_order_and_null_is_none(tmp_path):
    values = np.zeros((6, 2), np.float32) + np.arange(6, dtype=np.float32)[:, None]
    labels = pa.array(["b", None, "a", "", "c", "a"])
    vectors = cut(tmp_path, values, sizes=(2, 0, 4), label=labels)
    found = read_groups(Shuffled(), vectors, "label", lambda progress: None)
    assert found.names == ("a", "b", "c") and found.of.tolist() == [1, -1, 0, -1, 2, 0]
    for number, clusters in zip(vectors.numbers, ([10, 2], [], [2, -1, 2, 10]), strict=True):
        table = pa.table({"cluster": pa.array(clusters, pa.int32())})
        parts.write(vectors.root, "clustered", number, table, "key", {})
    found = read_groups(Local(), vectors, "cluster", lambda progress: None)
    assert found.names == ("2", "10") and found.of.tolist() == [1, 0, 0, -1, 0, 1]


def test_groups_that_cannot_be_compared_are_said(tmp_path, monkeypatch):
    values = np.zeros((4, 2), np.float32)

    def refused(labels, error, sentence):
        vectors = cut(tmp_path, values, sizes=(2, 2), label=pa.array(labels))
        with pytest.raises(error, match=sentence):
            read_groups(Local(), vectors, "label", lambda progress: None)

    refused(["a", "a", None, "a"], ConfigError, "at least 2 different labels; these rows have 1")
    refused(["a", "b" * 201, "a", "a"], DataError, "201 letters; there may be 200")
    refused([1.5, 2.5, 3.5, 4.5], DataError, "type double")
    monkeypatch.setattr(grouping, "MOST_GROUPS", 3)
    refused(["a", "b", "c", "d"], ConfigError, "more than 3 different labels")
    monkeypatch.setattr(grouping, "MOST_GROUPS", 1)
    refused(["a", "b", "c", "d"], ConfigError, "more than 1 different labels")


def planted(seed, rate=0.05):
    """Return the digits' latents, true labels, and labels of which a share is wrong."""
    values, y = digits()
    rng = np.random.default_rng(seed)
    labels = y.copy()
    rows = rng.choice(len(y), round(rate * len(y)), replace=False)
    labels[rows] = (y[rows] + rng.integers(1, 10, len(rows))) % 10
    return values, y, labels


@pytest.mark.parametrize("seed", [0, 1])
def test_planted_labels_are_found_as_well_as_by_neighbours_alone(tmp_path, seed):
    values, y, labels = planted(seed)
    vectors = cut(tmp_path, values, label=labels.astype(str))
    path = str(tmp_path / "index")
    build_index(vectors, path)
    made = suspects(Shuffled(), vectors, vectors.root, path, "label", "key")
    assert (made.n, made.grouped, made.groups) == (5000, 5000, tuple("0123456789"))
    assert list(made.sizes) == np.bincount(labels).tolist()
    score, share, margins = (whole(vectors.root, vectors, "suspects", c) for c in ("suspect", "neighbours", "margin"))
    near = graph(values, 10).rows
    np.testing.assert_allclose(share, (labels[near] != labels[:, None]).mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(score, (share + margins) / 2, atol=1e-6)
    wrong = labels != y
    found, alone = average_precision_score(wrong, score), average_precision_score(wrong, share)
    told = f"suspects {found:.3f}, share of neighbours alone {alone:.3f}, chance {wrong.mean():.3f}"
    print(f"\naverage precision, seed {seed}: {told}")
    assert found > 0.6 > 10 * wrong.mean() and found > alone - 0.02
    looks_like = whole(vectors.root, vectors, "suspects", "looks_like")
    assert (looks_like[wrong] == y[wrong].astype(str)).mean() > 0.85


def test_rows_without_a_label_have_nothing_against_them_and_the_order_of_parts_does_not_matter(tmp_path):
    values, y = blobs(1200)
    labels = np.where(np.arange(1200) % 7 == 0, None, y.astype(str))
    results = []
    for name, engine in (("a", Local()), ("b", Shuffled(2))):
        vectors = cut(tmp_path / name, values, label=pa.array(labels.tolist(), pa.string()))
        path = str(tmp_path / name / "index")
        build_index(vectors, path)
        told = suspects(engine, vectors, vectors.root, path, "label", "key")
        assert told.grouped == sum(label is not None for label in labels)
        results.append(pa.concat_tables([parts.read(vectors.root, "suspects", n) for n in vectors.numbers]))
    assert results[0].equals(results[1])
    for column in ("suspect", "neighbours", "margin", "looks_like"):
        missing = np.array(results[0].column(column).is_null())
        assert np.array_equal(missing, labels == None), column  # noqa: E711
    assert results[0].schema.field("suspect").type == pa.float32()
    assert np.nanmax(results[0].column("suspect").to_pandas().to_numpy()) < 0.5  # the groups are far apart


def test_suspects_of_clusters_and_an_index_of_other_rows(tmp_path):
    values, y = blobs(900)
    vectors = cut(tmp_path, values)
    for at, number in enumerate(vectors.numbers):
        rows = slice(vectors.starts[at], vectors.starts[at] + vectors.sizes[at])
        parts.write(
            vectors.root, "clustered", number, pa.table({"cluster": pa.array(y[rows], pa.int32())}), "key", {}
        )
    path = str(tmp_path / "index")
    build_index(vectors, path)
    assert suspects(Local(), vectors, vectors.root, path, "cluster", "key").groups == tuple("01234")
    other = cut(tmp_path / "other", values[:800])
    build_index(other, path)
    with pytest.raises(DataError, match="is of 800 rows; these are 900"):
        suspects(Local(), vectors, vectors.root, path, "cluster", "key")


def test_what_is_told_of_an_index_is_json_that_people_can_read(tmp_path):
    build_index(cut(tmp_path, blobs(300)[0]), str(tmp_path / "i"))
    told = json.loads((tmp_path / "i.json").read_text("utf-8"))
    assert (told["n"], told["d"], told["kind"], told["recall"]) == (300, 8, "all", 1.0)
