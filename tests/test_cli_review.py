"""`review` on the command line: what it writes, what it finds, and how it ends."""

import csv
import json
import re

import made_up
import numpy as np
import pytest

from core import corrections, review_log
from core.__main__ import main
from core.decisions import Choice
from core.images import (
    LabelledSource,
    SampleSource,
    SubsetSource,
    load,
    parse_source,
    source_from_json,
    source_to_json,
)

TINY = ["--latent-size", "4", "--width", "4", "--epochs", "4", "--batch-size", "10", "--projection", "pca"]
PLANTED = (7, 30, 44)  # rows whose label is another one than their picture's
TABLES = {"suspects.csv", "outliers.csv", "duplicates.csv", "clusters.csv", "matrix.csv"}
FILES = {*TABLES, "metrics.json", "recipe.json", "pictures"}
CLASSES = ("top", "middle", "bottom")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EMBEDDING_EXPLORER_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("EMBEDDING_EXPLORER_REVIEWS", str(tmp_path / "reviews"))


@pytest.fixture
def data(tmp_path):
    """Path of a tiny file of images, three of whose labels are wrong and one of which is there twice."""
    x, y = made_up.blobs()
    x[59] = x[56]
    y[list(PLANTED)] = (y[list(PLANTED)] + 1) % 3
    path = tmp_path / "blobs.npz"
    np.savez(path, x=x, y=y, classes=np.array(CLASSES))
    return str(path)


@pytest.fixture
def bare(tmp_path):
    """Path of the same images without labels."""
    np.save(tmp_path / "bare.npy", made_up.blobs()[0])
    return str(tmp_path / "bare.npy")


def _rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _review(data, out, *flags):
    return main(["review", "--data", data, *TINY, "--out", str(out), "--quiet", "--no-pictures", *flags])


def test_it_writes_everything_and_finds_it_all_the_second_time(tmp_path, data, capsys):
    out = tmp_path / "found"
    command = ["review", "--data", data, *TINY, "--out", str(out), "--sweep", "2", "4", "--top", "5"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "60 images of 8×8 gray, 3 classes, 3 clusters" in said.out
    assert "duplicates: 2 images in 1 groups" in said.out
    assert {path.name for path in out.iterdir()} == FILES | {"sweep.csv"}
    drawn = {
        f"{n}.{k}" for n in ("suspects", "map-suspects", "matrix", "duplicates", "sweep") for k in ("png", "pdf")
    }
    assert {path.name for path in (out / "pictures").iterdir()} == drawn

    metrics = json.loads((out / "metrics.json").read_text())
    assert not any(metrics["found"].values())
    assert {"graph", "suspects", "duplicates", "sweep", "latents"} <= set(metrics["found"])
    assert metrics["weights"]["silhouette"] == 4 and "consensus" in metrics["settings"]["parts_left_out"]
    assert metrics["sweep"]["k"] == [2, 3, 4] and metrics["sweep"]["suggested_k"] in (2, 3, 4)
    assert [row["k"] for row in _rows(out / "sweep.csv")] == ["2", "3", "4"]
    before = {name: (out / name).read_bytes() for name in TABLES}
    assert main(command) == 0
    assert all(json.loads((out / "metrics.json").read_text())["found"].values())
    assert {name: (out / name).read_bytes() for name in before} == before
    assert (
        main(["review", "--recipe", str(out / "recipe.json"), "--out", str(tmp_path / "again"), "--no-pictures"]) == 0
    )
    assert {name: (tmp_path / "again" / name).read_bytes() for name in before} == before
    assert main(["compare", str(out), str(tmp_path / "again")]) == 0

    assert _review(data, out) == 0  # no sweep and no pictures: none of the old ones stay
    assert {path.name for path in out.iterdir()} == FILES and not any((out / "pictures").iterdir())


def test_planted_labels_are_first_and_the_tables_agree(tmp_path, data):
    out = tmp_path / "found"
    assert _review(data, out) == 0
    suspects = _rows(out / "suspects.csv")
    parts = ["majority", "margin", "silhouette", "neighbours", "error", "isolation"]
    assert list(suspects[0]) == ["id", "label", "cluster", "suggested", "score", *parts]
    assert {row["id"] for row in suspects[:3]} == set(map(str, PLANTED))
    true = [CLASSES[i % 3] for i in range(60)]
    assert all(row["suggested"] == true[int(row["id"])] != row["label"] for row in suspects[:3])
    scores = [float(row["score"]) for row in suspects]
    assert scores == sorted(scores, reverse=True) and len(scores) == 60

    y = np.array([true[i] for i in range(60)])
    y[list(PLANTED)] = [CLASSES[(i + 1) % 3] for i in PLANTED]
    cluster_of = {row["id"]: row["cluster"] for row in suspects}
    matrix = _rows(out / "matrix.csv")
    columns = list(matrix[0])[1:]
    assert sorted(columns) == sorted(CLASSES)
    for row in matrix:
        for name in columns:
            counted = sum(cluster_of[str(i)] == row["cluster"] and y[i] == name for i in range(60))
            assert int(row[name]) == counted
    metrics = json.loads((out / "metrics.json").read_text())
    diagonal = sum(int(row[name]) for row, name in zip(matrix, columns, strict=True))
    assert metrics["one_to_one"]["accuracy"] == pytest.approx(diagonal / 60) == metrics["accuracy"]
    assert metrics["one_to_one"]["right"] == diagonal and metrics["labelled"] == 60
    assert metrics["suspects"] == sum(row["suggested"] != row["label"] for row in suspects) >= 3
    assert metrics["outliers"] == len(_rows(out / "outliers.csv"))
    duplicates = _rows(out / "duplicates.csv")
    assert [(row["id"], row["kind"]) for row in duplicates] == [("56", "exact"), ("59", "exact")]
    assert (metrics["duplicate_groups"], metrics["duplicate_images"], metrics["conflicting_groups"]) == (1, 2, 0)
    clusters = _rows(out / "clusters.csv")
    assert [row["majority"] for row in clusters if row["cluster"] == matrix[0]["cluster"]] == [columns[0]]
    assert sum(int(row["size"]) for row in clusters) == 60


def test_without_labels_there_is_no_word_of_them(tmp_path, bare, capsys):
    out = tmp_path / "found"
    out.mkdir()
    (out / "matrix.csv").write_text("of an earlier review")
    assert main(["review", "--data", bare, *TINY, "--clusters", "3", "--out", str(out)]) == 0
    assert "No image has a label: matrix.csv is not written" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == FILES - {"matrix.csv"}
    assert list(_rows(out / "suspects.csv")[0])[:4] == ["id", "cluster", "suggested", "score"]
    for name in ("suspects.csv", "outliers.csv", "duplicates.csv", "clusters.csv"):
        assert "label" not in (out / name).read_text().splitlines()[0]
    metrics = json.loads((out / "metrics.json").read_text())
    assert not {"accuracy", "nmi", "ari", "purity", "one_to_one", "labelled"} & set(metrics)
    assert metrics["silhouette"] is not None and "majority" not in metrics["weights"]


def test_a_csv_gives_labels_to_some_images_of_any_source(tmp_path, bare):
    table = tmp_path / "some.csv"
    table.write_text("note,id,label\n" + "".join(f"x,{i},{CLASSES[i % 3] if i else ''}\n" for i in range(40)))
    out = tmp_path / "found"
    assert _review(bare, out, "--labels", str(table)) == 0
    matrix = _rows(out / "matrix.csv")
    assert list(matrix[0]) == ["cluster", *list(matrix[0])[1:4], "(none)"]
    assert sum(int(row["(none)"]) for row in matrix) == 21  # twenty that it does not name, one that it names without
    assert json.loads((out / "metrics.json").read_text())["labelled"] == 39
    assert json.loads((out / "recipe.json").read_text())["source"]["type"] == "LabelledSource"

    digits = tmp_path / "digits.csv"
    digits.write_text("id,label\n3,10\n4,9\n5,cat\n")
    source = parse_source("digits", str(digits), limit=100, classes=("9", "10"))
    assert source == SubsetSource(LabelledSource(SampleSource("digits"), str(digits)), 100, ("9", "10"))
    assert source_from_json(json.loads(json.dumps(source_to_json(source)))) == source
    found = load(source)
    assert (found.ids, found.classes, found.y.tolist()) == (("3", "4"), ("9", "10"), [1, 0])


def test_weights_decide_the_order(tmp_path, data):
    zero = [f"{name}=0" for name in ("majority", "margin", "silhouette", "neighbours", "error")]
    assert _review(data, tmp_path / "found", "--weights", *zero, "isolation=2") == 0
    rows = _rows(tmp_path / "found" / "suspects.csv")
    assert [row["score"] for row in rows] == [row["isolation"] for row in rows]


def test_corrections_of_a_file_or_of_the_kept_review(tmp_path, data):
    given = tmp_path / "mine.csv"
    given.write_text("id,old,new,kind\n7,bottom,middle,relabel\n8,bottom,,junk\n")
    kept = given.read_bytes()
    out = tmp_path / "found"
    assert _review(data, out, "--corrections", str(given)) == 0
    rows = _rows(out / "corrections.csv")
    assert [(row["id"], row["old"], row["new"], row["kind"]) for row in rows] == [
        ("7", "bottom", "middle", "relabel"), ("8", "bottom", "", "junk")
    ]  # fmt: skip
    predicted = {row["id"]: row["label"] for row in _rows(out / "corrected_predictions.csv")}
    assert predicted["7"] == "middle" and "8" not in predicted and len(predicted) == 59
    assert json.loads((out / "metrics.json").read_text())["decisions"]["junk"] == 1
    assert given.read_bytes() == kept and not (tmp_path / "reviews").exists()

    path = review_log.log_path(load(parse_source(data)).fingerprint)
    corrections.decide(path, corrections.Review(), [Choice(30, "30", "relabel", "middle", "top")], "ann")
    before = path.read_bytes()
    assert _review(data, out) == 0
    (row,) = _rows(out / "corrections.csv")
    assert (row["id"], row["new"], row["reviewer"]) == ("30", "top", "ann")
    assert _review(data, tmp_path / "other", "--corrections", str(given)) == 0
    assert [row["id"] for row in _rows(tmp_path / "other" / "corrections.csv")] == ["7", "8"]
    assert path.read_bytes() == before


def test_noise_is_a_group_of_its_own(tmp_path):
    out = tmp_path / "found"
    x, y = made_up.blobs()
    x[:4] = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 1))
    np.savez(tmp_path / "noisy.npz", x=x, y=y)
    flags = ["--cluster-method", "hdbscan", "--min-cluster-size", "10", "--min-samples", "5"]
    command = ["review", "--data", str(tmp_path / "noisy.npz"), *TINY, *flags, "--out", str(out), "--quiet"]
    assert main(command) == 0
    clusters, matrix = _rows(out / "clusters.csv"), _rows(out / "matrix.csv")
    noise = int(sum(row["cluster"] == "noise" for row in _rows(out / "suspects.csv")))
    assert noise > 0, "the settings of this test no longer give any noise"
    assert (clusters[-1]["cluster"], int(clusters[-1]["size"]), clusters[-1]["medoid"]) == ("noise", noise, "")
    assert matrix[-1]["cluster"] == "noise"
    assert sum(int(value) for name, value in matrix[-1].items() if name != "cluster") == noise


def _bad(tmp_path):
    """Files that are wrong, by name."""
    x, y = made_up.blobs()
    np.save(tmp_path / "short.npy", y[:50])
    np.savez(tmp_path / "one.npz", x=x, y=np.zeros(60, np.int64), classes=np.array(["top", "never"]))
    np.savez(tmp_path / "same.npz", x=np.full((60, 8, 8), 7, np.uint8), y=y)
    (tmp_path / "elsewhere.csv").write_text("id,new\nnobody,top\n")
    (tmp_path / "moved.csv").write_text("id,new,kind\n3,1,move\n")
    (tmp_path / "columns.csv").write_text("name,class\n1,top\n")
    (tmp_path / "empty.csv").write_text("id,label\n1,\n")
    (tmp_path / "strange.csv").write_text("id,label\nnobody,top\n")
    (tmp_path / "suspects.csv").write_text("id,label\n1,top\n")


@pytest.mark.parametrize(
    ("name", "flags", "words"),
    [
        ("bare.npy", ["--labels", "{tmp}/short.npy"], "60 images but labels of shape .50"),
        ("one.npz", [], "All labels of one are 'top'; labels need at least 2 classes"),
        ("blobs.npz", ["--clusters", "1"], "A review needs at least 2 clusters; here is k = 1"),
        ("blobs.npz", ["--cluster-method", "hdbscan", "--min-cluster-size", "60"], "cluster"),
        ("same.npz", [], "All 60 images of same are the same"),
        ("same.npz", ["--cluster-method", "hdbscan"], "All 60 images of same are the same"),
        ("blobs.npz", ["--corrections", "{tmp}/elsewhere.csv"], "1 image.* not in this set: nobody"),
        ("blobs.npz", ["--corrections", "{tmp}/moved.csv"], "move needs its clustering"),
        ("blobs.npz", ["--corrections", "{tmp}/none.csv"], "none.csv' cannot be read"),
        (
            "blobs.npz",
            ["--weights", "marg=1"],
            "'marg=1' must be name=value; the names are majority, margin, .*isolation",
        ),
        ("blobs.npz", ["--weights", "margin"], "'margin' must be name=value"),
        ("blobs.npz", ["--weights", "margin=much"], "'margin=much' must be a name and a number"),
        ("blobs.npz", ["--weights", "margin=-1"], "weight of margin must be 0 or more"),
        ("blobs.npz", ["--labels", "{tmp}/columns.csv"], "columns.csv needs the columns 'id' and 'label'"),
        ("blobs.npz", ["--labels", "{tmp}/empty.csv"], "empty.csv has no row with a label"),
        ("blobs.npz", ["--labels", "{tmp}/strange.csv"], "strange.csv names images that are not there: 'nobody'"),
        ("blobs.npz", ["--labels", "{tmp}/none.csv"], "none.csv' is not there|none.csv is not there"),
        ("blobs.npz", ["--sweep", "5", "2"], "--sweep 5 2 must go from the smaller"),
        ("blobs.npz", ["--sweep", "1", "3"], "k 1 must be at least 2"),
        ("blobs.npz", ["--cluster-method", "hdbscan", "--sweep", "2", "3"], "takes no number of clusters"),
        ("blobs.npz", ["--top", "0"], "--top 0 must be between 1 and 400"),
        ("blobs.npz", ["--labels", "{tmp}/suspects.csv", "--out", "{tmp}"], "suspects.csv would be written over"),
        ("blobs.npz", ["--recipe", "classifier"], "--classifier-weights is needed"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(tmp_path, data, bare, capsys, name, flags, words):
    _bad(tmp_path)
    flags = [flag.format(tmp=tmp_path) for flag in flags]
    tiny = [] if "--recipe" in flags else TINY
    tiny += ["--out", str(tmp_path / "found"), "--quiet"]
    assert main(["review", "--data", str(tmp_path / name), *tiny, *flags]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(f"error: .*(?:{words}).*\n", said), said
    assert not (tmp_path / "found").exists()
