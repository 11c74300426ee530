"""Known labels as people give them, and the classes that clusters take from them."""

import numpy as np
import pytest

from core import known
from core.errors import ConfigError, DataError
from core.known import Known
from core.readers import labels

IDS = ("a.png", "b.png", "c.png", "d.png", "e.png", "f.png")


def _known(y, *classes):
    return Known(np.array(y, np.int64), classes, "made up")


def _csv(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "known.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_the_first_images_are_of_one_class():
    found = known.parse("first:2=0", IDS, None, ())
    np.testing.assert_array_equal(found.y, [0, 0, -1, -1, -1, -1])
    assert (found.y.dtype, found.classes, found.n) == (np.int64, ("0",), 2)
    assert found.how == "the first 2 images are '0'"


def test_a_class_is_one_of_the_data_s_own_else_a_new_one():
    np.testing.assert_array_equal(known.first(1, "dog", 2, ("cat", "dog")).y, [1, -1])
    assert known.first(1, "bird", 2, ("cat", "dog")).classes == ("cat", "dog", "bird")
    by_number = known.first(1, "1", 2, ("cat", "dog"))
    assert (by_number.classes, by_number.y[0]) == (("cat", "dog"), 1)
    assert known.first(1, "2", 2, ("cat", "dog")).classes == ("cat", "dog", "2")
    assert known.first(1, "0", 2, ("1", "0")).y[0] == 1  # a name comes before a number


def test_own_labels():
    found = known.parse(" labels ", IDS, np.array([0, 1, -1, 1, 0, 0]), ("cat", "dog"))
    assert (found.n, found.classes) == (5, ("cat", "dog"))
    with pytest.raises(ConfigError, match="no labels of their own"):
        known.parse("labels", IDS, None, ())


@pytest.mark.parametrize(
    "text", ["first:", "first:5", "first:5=", "first:x=0", "first:-1=0", f"first:{'9' * 5000}=0"]
)
def test_what_cannot_be_understood_is_said_in_short(text):
    with pytest.raises(ConfigError, match=r"cannot be understood; write first:5=0") as caught:
        known.parse(text, IDS, None, ())
    assert len(str(caught.value)) < 200


def test_a_label_of_many_digits_is_a_name():
    assert known.parse(f"first:1={'9' * 5000}", IDS, None, ("cat",)).classes[1] == "9" * 5000


@pytest.mark.parametrize("count", [0, 7])
def test_more_images_than_there_are_cannot_be_known(count):
    with pytest.raises(ConfigError, match=f"The first {count} labels cannot be known: there are 6 images"):
        known.first(count, "0", 6)


def test_a_csv_may_name_some_images_and_further_columns(tmp_path):
    path = _csv(tmp_path, 'id,note,label\r\nc.png,x,dog\r\na.png,,"cat, small"\r\n', "utf-8-sig")
    found = known.parse(str(path), IDS, None, ("dog",))
    assert found.classes == ("dog", "cat, small")
    np.testing.assert_array_equal(found.y, [1, -1, 0, -1, -1, -1])
    assert found.how == "2 labels of known.csv"


def test_names_in_a_csv_are_only_names(tmp_path):
    path = _csv(tmp_path, 'id,label\na.png,<script>\nb.png,=1+1\nc.png,"two\nlines"\n')
    assert known.from_csv(path, IDS).classes == ("<script>", "=1+1", "two\nlines")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "needs the columns 'id' and 'label'"),
        ("id,class\na.png,0\n", "needs the columns 'id' and 'label'"),
        ("id,label\n", "has no row with a known label"),
        ("id,label\na.png,\n", "has no label for image 'a.png'"),
        ("id,label\na.png\n", "has no label for image 'a.png'"),
        ("id,label\na.png,0\na.png,0\n", "gives image 'a.png' twice"),
        ("id,label\nx,0\n", r"images that are not there: 'x'. The ids are like 'a.png'"),
        ("id,label\n" + "".join(f"x{i},0\n" for i in range(7)), r"'x0', 'x1', 'x2', 'x3', 'x4' and 2 more\."),
        (f"id,label\na.png,{'x' * 200_000}\n", "is not a CSV that can be read"),
    ],
)
def test_what_is_wrong_with_a_csv(tmp_path, text, sentence):
    with pytest.raises(DataError, match=sentence):
        known.from_csv(_csv(tmp_path, text), IDS)


def test_what_is_no_csv(tmp_path):
    with pytest.raises(DataError, match="cannot be read as a CSV"):
        known.from_csv(_csv(tmp_path, "id,label\na.png,ä\n", "latin-1"), IDS)
    for text in (str(tmp_path), str(tmp_path / "missing.csv"), "a\0b"):
        with pytest.raises(DataError, match="cannot be read as a CSV"):
            known.parse(text, IDS, None, ())
    with pytest.raises(ConfigError, match="is not known"):
        known.parse("~nobody-of-this-name/known.csv", IDS, None, ())


def test_a_csv_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "LIMIT_BYTES", 4)
    with pytest.raises(DataError, match="the limit of a CSV of labels"):
        known.from_csv(_csv(tmp_path, "id,label\n"), IDS)


def test_clusters_take_the_class_of_most_of_their_known_images():
    clusters = np.array([0, 0, 0, 1, 1, 2, 3])
    mapped = known.map_clusters(clusters, 4, _known([1, 1, 0, 0, 1, -1, 2], "a", "b", "c"))
    np.testing.assert_array_equal(mapped.votes, [[1, 2, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(mapped.of_cluster, [1, 0, -1, 2])  # a tie goes to the class named first
    assert mapped.of_cluster.dtype == np.int32
    assert mapped.names() == ("b", "a", "cluster 2", "c")


def test_more_clusters_than_classes_may_share_one():
    mapped = known.map_clusters(np.array([0, 1, 2]), 3, _known([0, 0, 1], "a", "b"))
    np.testing.assert_array_equal(mapped.of_cluster, [0, 0, 1])


@pytest.mark.parametrize(
    ("y", "of_cluster"),
    [
        ([0, 0, -1, -1, -1, 1], [0, 1]),
        ([1, 1, 0, -1, -1, 0], [1, 0]),
        ([0, 1, -1, 0, 1, -1], [0, 1]),  # a tie
        ([1, 1, 1, 1, -1, -1], [1, 0]),  # most of both are b, but each class has one cluster
        ([-1] * 6, [0, 1]),
    ],
)
def test_two_clusters_always_get_different_classes(y, of_cluster):
    mapped = known.map_clusters(np.array([0, 0, 0, 1, 1, 1]), 2, _known(y, "a", "b"))
    np.testing.assert_array_equal(mapped.of_cluster, of_cluster)


@pytest.mark.parametrize(
    ("label", "names"), [("0", ("1", "0")), ("1", ("0", "1")), ("cat", ("not cat", "cat")), ("-1", ("not -1", "-1"))]
)
def test_one_known_class_says_what_both_clusters_are(label, names):
    clusters = np.array([1, 1, 0, 0, 0, 1])
    assert known.map_clusters(clusters, 2, known.first(3, label, 6)).names() == names


def test_all_labels_pair_clusters_with_classes_one_to_one():
    clusters, y = np.array([0, 0, 1, 1, 1]), np.array([0, 0, 0, 0, 1])
    np.testing.assert_array_equal(known.map_by_labels(clusters, 2, y, ("a", "b")).of_cluster, [0, 1])
    # Cluster 1 and the one that is empty have no labelled image.
    some = known.map_by_labels(np.array([0, 0, 1, 2]), 4, np.array([1, 1, -1, 0]), ("a", "b"))
    assert some.names() == ("b", "cluster 1", "a", "cluster 3")
    assert known.map_by_labels(clusters, 2, np.full(5, -1), ("a", "b")).names() == ("cluster 0", "cluster 1")


def test_two_classes_can_be_swapped():
    mapped = known.map_clusters(np.array([0, 0, 1]), 2, known.first(2, "0", 3))
    assert (mapped.names(), known.inverted(mapped).names()) == (("0", "1"), ("1", "0"))
    assert known.inverted(known.inverted(mapped)).names() == mapped.names()
    three = known.map_clusters(np.array([0, 1, 2]), 3, _known([0, 1, 0], "a", "b"))
    with pytest.raises(ConfigError, match="Only two clusters of two classes"):
        known.inverted(three)


def test_the_report_says_what_was_known():
    found = _known([0, 0, 1, -1, -1], "a", "b")
    mapped = known.map_clusters(np.array([0, 0, 0, 1, 2]), 3, found)
    assert known.describe(found, mapped) == (
        "3 of 5 labels were known (made up): cluster 0 → a (2 of 3), "
        "cluster 1 → cluster 1 (none known), cluster 2 → cluster 2 (none known)."
    )
