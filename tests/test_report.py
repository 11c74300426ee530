"""What people take away, on six images whose clusters can be read off."""

import io

import numpy as np
import pandas as pd
import pytest

from core import report, tables
from core.clustering import Clustering
from core.config import KernelPCAConfig, PCAConfig, TSNEConfig, UMAPConfig
from core.errors import ConfigError
from core.figures import Category, Number
from core.images import image_set
from core.latents import Latents
from core.plans import Results, Staged
from core.projection import Projection, Reduced
from core.stages import clustered, coordinates_of

IDS = ("=1+1", "a/b.png", "c", "d", "e", "f")


def staged(value, key="k"):
    return Staged(value, key, True, 0.0)


def results(labelled=True, dimensions=2):
    """Classes cat cat cat dog dog dog; clusters 1 1 0 0 0 0, so that the third cat sits with the dogs."""
    x = np.arange(6 * 64, dtype=np.uint8).reshape(6, 8, 8)
    y = np.array([0, 0, 0, 1, 1, 1]) if labelled else None
    many = np.array([f"v{i}" for i in range(6)])
    found = image_set(
        x,
        y,
        ["cat", "dog"] if labelled else [],
        ids=IDS,
        name="pets & co",
        columns={"age": np.arange(6.0), "Label": many},
    )
    latents = np.arange(12, dtype=np.float32).reshape(6, 2)
    encoded = Latents(latents, found.x[::-1].copy(), np.arange(6, dtype=np.float32) / 10)
    coordinates = np.arange(6 * dimensions, dtype=np.float32).reshape(6, dimensions)
    return Results(
        images=staged(found),
        latents=staged(encoded),
        reduced=staged(Reduced(latents)),
        projection=staged(Projection(coordinates, kl_divergence=1.25), "map"),
        clustering=staged(Clustering(np.array([1, 1, 0, 0, 0, 0], np.int32), np.zeros((2, 2), np.float32), 0.0, 1)),
    )


def test_columns_are_what_is_known_of_each_image():
    found = {column.title: column for column in report.columns(results())}
    assert list(found)[:5] == ["Cluster", "Label", "Agreement", "Matched class", "Reconstruction error"]
    agreement = found["Agreement"]
    assert [agreement.names[code] for code in agreement.codes] == ["agrees"] * 2 + ["disagrees"] + ["agrees"] * 3
    assert isinstance(found["age"], Number)
    assert isinstance(found["Label (data)"], Category)
    assert [column.title for column in report.columns(results(labelled=False))][:2] == [
        "Cluster",
        "Reconstruction error",
    ]


def test_table_has_a_row_for_each_image():
    frame = tables.table(results())
    assert list(frame.columns[:8]) == ["path", "label", "cluster", "matched", "agrees", "x", "y", "error"]
    assert list(frame["matched"]) == ["cat", "cat", "dog", "dog", "dog", "dog"]
    assert list(frame["agrees"]) == [True, True, False, True, True, True]
    assert "z" in tables.table(results(dimensions=3)).columns
    assert list(tables.table(results(labelled=False)).columns[:3]) == ["path", "cluster", "x"]


def test_a_text_that_begins_a_formula_is_made_harmless_in_tables_and_kept_in_predictions():
    table = pd.read_csv(io.BytesIO(tables.csv(tables.table(results()))))
    assert table["path"][0] == "'=1+1"
    assert list(table["path"][1:]) == list(IDS[1:])
    assert tables.predictions_csv(results()).decode().splitlines()[:3] == ["id,label", "=1+1,cat", "a/b.png,cat"]


def test_predictions_without_labels_are_the_clusters():
    assert list(tables.predictions(results(labelled=False))["label"]) == [1, 1, 0, 0, 0, 0]


def test_scores_are_of_what_was_clustered():
    found = report.scores(results())
    assert (found.n, found.k, found.accuracy, found.kl_divergence) == (6, 2, pytest.approx(5 / 6), 1.25)
    assert found.reconstruction_error == pytest.approx(0.25)
    assert report.scores(results(labelled=False)).accuracy is None


def test_the_map_shows_the_chosen_columns():
    spec = report.map_spec(results(), color="Label", symbol="Agreement")
    assert (spec.color.title, spec.symbol.title, spec.ids, spec.view_key) == ("Label", "Agreement", IDS, "map")
    assert spec.axes == ("t-SNE 1", "t-SNE 2")
    few = report.map_spec(results(), limit=3)
    assert len(few.rows) == len(few.coordinates) == len(few.ids) == 3
    assert few.ids == tuple(IDS[row] for row in few.rows)
    with pytest.raises(ConfigError, match="No column 'Mood'"):
        report.map_spec(results(), color="Mood")
    with pytest.raises(ConfigError, match="No column 'age' can give the shape"):
        report.map_spec(results(), symbol="age")


def test_latents_come_back_from_their_file():
    back = np.load(io.BytesIO(tables.latents_npy(results())), allow_pickle=False)
    np.testing.assert_array_equal(back, results().latents.value.latents)


def test_names_for_files_and_people():
    assert report.file_stem(results()) == "pets---co"
    titles = [report.title_of(config(2)) for config in (TSNEConfig, UMAPConfig, PCAConfig, KernelPCAConfig)]
    assert titles == ["t-SNE", "UMAP", "PCA", "Kernel PCA"]


def test_a_table_is_the_same_in_parquet():
    frame = tables.table(results())
    again = pd.read_parquet(io.BytesIO(tables.parquet(frame)))
    assert list(again.columns) == list(frame.columns)
    np.testing.assert_array_equal(again["x"], frame["x"])
    assert again["path"].tolist() == frame["path"].tolist()


def test_the_distance_to_the_centroid_is_that_in_what_was_clustered():
    found = results()
    values = tables.table(found)["centroid_distance"].to_numpy()
    clustering = found.clustering.value
    on = coordinates_of(clustered(found).value)
    expected = [np.linalg.norm(on[i] - clustering.centers[clustering.labels[i]]) for i in range(len(on))]
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_what_a_map_tells_in_part_is_told_whole_beside_it():
    n = 130
    found = image_set(
        np.zeros((n, 8, 8), np.uint8),
        ids=[str(i) for i in range(n)],
        name="many",
        columns={
            "name": np.array([f"name {i}" for i in range(n)]),  # more than can be groups
            "long": np.arange(n) + 2**24,  # 32-bit numbers are these only by twos
            "short": np.arange(n),
            "few": np.array(["a", "b"] * (n // 2)),
        },
    )
    made = Results(images=staged(found))
    texts = report.whole_texts(made)
    assert list(texts) == ["name", "long"]
    assert texts["name"][7] == "name 7" and texts["long"][1] == "16777217"
