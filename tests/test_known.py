"""Known labels and what they make of clusters, on cases that can be read off."""

import numpy as np
import pytest

from core import known
from core.errors import ConfigError, DataError

IDS = ("a", "b", "c", "d", "e")


def test_the_first_images_flip_two_clusters():
    clusters = np.array([1, 1, 0, 1, 0])
    mapped = known.map_clusters(clusters, 2, known.parse("first:2=0", IDS, None, ()))
    assert mapped.names() == ("1", "0")  # the known ones lie in cluster 1, so cluster 0 is the other class
    assert known.inverted(mapped).names() == ("0", "1")
    kept = known.map_clusters(1 - clusters, 2, known.parse("first:2=0", IDS, None, ()))
    assert kept.names() == ("0", "1")


def test_a_tie_leaves_two_clusters_as_they_are():
    mapped = known.map_clusters(np.array([0, 1, 0, 1, 0]), 2, known.first(2, "0", 5))
    assert mapped.names() == ("0", "1")


def test_two_clusters_of_one_named_class_are_it_and_not_it():
    mapped = known.map_clusters(np.array([0, 0, 1, 1, 1]), 2, known.first(1, "cat", 5))
    assert mapped.names() == ("cat", "not cat")


def test_more_clusters_take_the_majority_and_the_rest_keep_their_number(tmp_path):
    path = tmp_path / "known.csv"
    path.write_text("\ufeffid,label\na,dog\nb,cat\nc,cat\n", encoding="utf-8")
    found = known.parse(str(path), IDS, None, ("cat",))
    assert (found.n, found.classes) == (3, ("cat", "dog"))
    mapped = known.map_clusters(np.array([1, 1, 1, 0, 2]), 3, found)
    assert mapped.names() == ("cluster 0", "cat", "cluster 2")
    assert mapped.votes.tolist() == [[0, 0], [2, 1], [0, 0]]
    said = known.describe(found, mapped)
    assert "3 of 5 labels were known (3 labels of known.csv)" in said
    assert "cluster 1 → cat (2 of 3)" in said
    assert "cluster 0 → cluster 0 (none known)" in said


def test_a_class_may_be_given_by_its_number():
    assert known.first(1, "1", 3, ("cat", "dog")).y.tolist() == [1, -1, -1]
    assert known.first(1, "dog", 3, ("cat", "dog")).y.tolist() == [1, -1, -1]


def test_all_labels_pair_clusters_with_classes_whatever_has_no_label():
    mapped = known.map_by_labels(np.array([0, 0, 1, 1, 2]), 3, np.array([1, 1, 0, 0, -1]), ("x", "y"))
    assert mapped.names() == ("y", "x", "cluster 2")


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("name,label\na,b\n", "needs the columns 'id' and 'label'"),
        ("id,label\n", "has no row"),
        ("id,label\na,\n", "has no label for image 'a'"),
        ("id,label\na,x\na,y\n", "gives image 'a' twice"),
        ("id,label\n1,x\n2,x\n3,x\n4,x\n5,x\n6,x\n7,x\n", "'1', '2', '3', '4', '5' and 2 more"),
    ],
)
def test_a_csv_that_does_not_fit_is_named(tmp_path, text, sentence):
    path = tmp_path / "known.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        known.from_csv(path, IDS)
    assert sentence in str(caught.value)


def test_what_cannot_be_understood_is_said(tmp_path):
    (tmp_path / "k.csv").write_bytes(b"\xff\xfe\x00")
    for text, kind, sentence in (
        ("first:x=0", ConfigError, "write first:5=0"),
        ("first:9=0", ConfigError, "there are 5 images"),
        ("labels", ConfigError, "no labels of their own"),
        (str(tmp_path / "none.csv"), DataError, "none.csv cannot be read"),
        (str(tmp_path / "k.csv"), DataError, "k.csv cannot be read"),
    ):
        with pytest.raises(kind, match=sentence):
            known.parse(text, IDS, None, ())
    with pytest.raises(ConfigError, match="two clusters"):
        known.inverted(known.map_clusters(np.array([0, 1, 2]), 3, known.first(1, "0", 3)))
