"""Images that are in no cluster, from the columns to the files, on seven images that can be read off."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from core import figures, illustrations, known, pictures, quality, report, review, tables
from core.clustering import Clustering
from core.images import image_set
from core.latents import Latents
from core.plans import Results, Staged
from core.projection import Projection, Reduced

# Classes cat cat cat dog dog dog and one without; clusters 1 1 noise 0 0 0 noise.
Y = np.array([0, 0, 0, 1, 1, 1, -1])
CLUSTERS = np.array([1, 1, -1, 0, 0, 0, -1], np.int32)
STRENGTH = np.array([1, 0.5, 0, 1, 1, 0.25, 0], np.float32)


def staged(value):
    return Staged(value, "k", True, 0.0)


def results(labelled=True, **changes):
    x = np.arange(7 * 64, dtype=np.uint8).reshape(7, 8, 8)
    found = image_set(x, Y if labelled else None, ["cat", "dog"] if labelled else [], ids=tuple("abcdefg"))
    latents = np.array([[0, 0], [0, 2], [50, 50], [10, 0], [10, 0], [13, 0], [90, 9]], np.float32)
    centers = np.array([[11, 0], [0, 1]], np.float32)
    clustering = Clustering(CLUSTERS, centers, 8.0, 0, strength=STRENGTH)
    return Results(
        images=staged(found),
        latents=staged(Latents(latents, found.x[::-1].copy(), np.arange(7, dtype=np.float32))),
        reduced=staged(Reduced(latents)),
        projection=staged(Projection(latents, kl_divergence=1.25)),
        clustering=staged(replace(clustering, **changes)),
    )


def column(found, title):
    return next(item for item in report.columns(found) if item.title == title)


def test_noise_is_a_gray_group_after_the_clusters():
    cluster = column(results(), "Cluster")
    assert [cluster.names[code] for code in cluster.codes] == ["1", "1", "noise", "0", "0", "0", "noise"]
    assert (cluster.gray, cluster.codes.dtype) == (2, np.int32)
    header, arrays = figures.parts(report.map_spec(results(), color="Cluster"))
    assert header["color"]["names"] == ["0", "1", "noise"]
    assert header["color"]["colors"] == [*figures.palettes.categorical(2), figures.palettes.MISSING]
    np.testing.assert_array_equal(arrays["group"], [1, 1, 2, 0, 0, 0, 2])
    field = next(item for item in header["fields"] if item["title"] == "Cluster")
    assert field["names"][arrays[field["array"]][2]] == "noise"
    few = report.map_spec(results(), color="Cluster", limit=3)
    assert few.color.gray == 2


def test_without_noise_nothing_is_gray():
    cluster = column(results(labels=np.array([1, 1, 0, 0, 0, 0, 0], np.int32)), "Cluster")
    assert (cluster.names, cluster.gray) == (("0", "1"), None)


def test_more_clusters_than_colours_leave_the_smallest_one_group_and_noise_apart():
    n = 150
    x = np.zeros((n + 1, 8, 8), np.uint8)
    labels = np.array([*range(n), -1], np.int32)
    many = Clustering(labels, np.zeros((n, 2), np.float32), 0.0, 0)
    images = Staged(image_set(x), "images", True, 0.0)
    found = report._cluster_columns(Results(images, clustering=Staged(many, "clusters", True, 0.0)))[0]
    assert len(x) == len(found.codes) and found.gray == 100 and found.names[98:] == ("98", "(others)", "noise")
    assert (found.codes[98], found.codes[99], found.codes[149], found.codes[150]) == (98, 99, 99, 100)
    assert len(figures.palettes.categorical(found.gray)) == 100


def test_noise_stands_for_no_class_and_has_no_distance():
    found = results()
    mapped = review.mapped(found)
    np.testing.assert_array_equal(mapped.of_cluster, [1, 0])  # cluster 0 is the dogs
    np.testing.assert_array_equal(mapped.votes, [[0, 3], [2, 0]])  # the cat that is noise has no vote
    np.testing.assert_array_equal(review.agreement(found), [0, 0, -1, 0, 0, 0, -1])
    assert review.mapped_accuracy(found) == pytest.approx(5 / 6)
    matched = column(found, "Matched class")
    assert [matched.names[code] if code >= 0 else None for code in matched.codes] == [
        "cat", "cat", None, "dog", "dog", "dog", None,
    ]  # fmt: skip
    np.testing.assert_array_equal(review.centroid_distances(found), [1, 1, np.nan, 1, 1, 2, np.nan])


def test_known_labels_of_noise_say_nothing_of_clusters():
    first = known.first(3, "cat", 7, ("cat", "dog"))
    found = replace(results(), known=replace(first, y=np.array([0, 1, 1, -1, -1, -1, 1])))
    np.testing.assert_array_equal(review.mapped(found).votes, [[0, 0], [1, 1]])
    np.testing.assert_array_equal(review.mapped(found).codes(np.array([-1, 1, 0])), [-1, 1, 0])


def test_scores_count_noise_as_wrong_and_as_one_group():
    found = report.scores(results())
    assert (found.n, found.k) == (7, 2)
    assert found.noise == pytest.approx(2 / 7)
    assert found.accuracy == pytest.approx(5 / 6)  # of six with a label
    grouped = np.array([1, 1, 2, 0, 0, 0])
    assert found.nmi == pytest.approx(quality.nmi(grouped, Y[:6]))
    assert found.ari == pytest.approx(quality.ari(grouped, Y[:6]))
    # Of the five in clusters: a and b of each, by hand.
    far = np.array([[10, 10, 13], [np.hypot(10, 2)] * 2 + [np.hypot(13, 2)]])  # (2, 3): from the cats to the dogs
    a = np.array([2, 2, 1.5, 1.5, 3])
    b = np.array([*far.mean(axis=1), *far.mean(axis=0)])
    assert found.silhouette == pytest.approx(((b - a) / np.maximum(a, b)).mean())
    assert quality.text("noise", found.noise) == "28.6 %"
    assert report.scores(results(labels=np.array([1, 1, 0, 0, 0, 0, 0], np.int32))).noise is None


def test_all_labelled_images_in_noise_are_accuracy_0():
    found = quality.score(np.array([0, 0, -1, -1]), np.array([-1, -1, 0, 1]), np.eye(4, dtype=np.float32))
    assert (found.accuracy, found.nmi, found.silhouette) == (0.0, 0.0, None)


def test_tables_say_noise_and_sort_it_last():
    frame = tables.table(results())
    assert list(frame["cluster"]) == ["1", "1", "noise", "0", "0", "0", "noise"]
    assert list(frame.sort_values("cluster", kind="stable")["path"]) == list("defabcg")
    assert list(frame["matched"]) == ["cat", "cat", "noise", "dog", "dog", "dog", "noise"]
    assert frame["agrees"].astype(object).where(frame["agrees"].notna(), None).tolist() == [
        True,
        True,
        None,
        True,
        True,
        True,
        None,
    ]
    pa.Table.from_pandas(frame)  # one type a column: the page's table and Parquet take it as it is
    np.testing.assert_array_equal(frame["membership_strength"], STRENGTH)
    for back in (
        pd.read_csv(io.BytesIO(tables.csv(frame)), dtype={"cluster": str}),
        pd.read_parquet(io.BytesIO(tables.parquet(frame))),
    ):
        assert list(back["cluster"].astype(str)) == ["1", "1", "noise", "0", "0", "0", "noise"]
    plain = tables.table(results(labels=np.array([1, 1, 0, 0, 0, 0, 0], np.int32)))
    assert plain["cluster"].dtype == np.int32


def test_predictions_say_noise_also_the_other_way_round():
    assert list(tables.predictions(results())["label"]) == ["cat", "cat", "noise", "dog", "dog", "dog", "noise"]
    other = tables.predictions(results(), inverted=True)["label"]
    assert list(other) == ["dog", "dog", "noise", "cat", "cat", "cat", "noise"]
    bare = results(labelled=False)
    assert list(tables.predictions(bare)["label"]) == ["1", "1", "noise", "0", "0", "0", "noise"]
    assert list(tables.predictions(bare, inverted=True)["label"]) == ["0", "0", "noise", "1", "1", "1", "noise"]
    assert "-1" not in tables.predictions_csv(bare).decode()


def test_probabilities_of_a_mixture_are_a_column():
    probabilities = np.array([[0.25, 0.75], [0, 1], [1, 0], [1, 0], [1, 0], [0.5, 0.5], [0, 1]], np.float32)
    labels = np.array([1, 1, 0, 0, 0, 0, 1], np.int32)
    found = results(labels=labels, probabilities=probabilities, strength=None)
    np.testing.assert_array_equal(column(found, "Cluster probability").values, [0.75, 1, 1, 1, 1, 0.5, 1])
    np.testing.assert_array_equal(tables.table(found)["cluster_probability"], [0.75, 1, 1, 1, 1, 0.5, 1])
    assert "Membership strength" not in [item.title for item in report.columns(found)]
    np.testing.assert_array_equal(column(results(), "Membership strength").values, STRENGTH)


def test_noise_is_gray_in_pictures_for_a_report():
    drawn = illustrations.maps(results(labelled=False))
    figure = drawn["map-2d-cluster-names"]()
    (axes,) = figure.axes
    legend = {text.get_text(): handle.get_facecolor() for text, handle in
              zip(axes.get_legend().get_texts(), axes.get_legend().legend_handles, strict=True)}  # fmt: skip
    assert list(legend) == ["noise", "0", "1"]
    assert tuple(np.round(legend["noise"][0][:3] * 255)) == (0x9A, 0x9A, 0x9A)
    assert [text.get_text() for text in axes.texts] == ["0", "1"]  # no name at the mean of the noise
    assert pictures.render(drawn["map-2d-cluster-bar"](), "png").startswith(b"\x89PNG")
