"""The benchmark of clusters: on images whose groups anything finds, and on ones that cannot be scored."""

import json

import numpy as np
import pytest

from core import pretrained
from core.__main__ import main
from core.bench import clusters
from core.bench.clusters import Row
from core.config import TrainingConfig


@pytest.fixture
def images(tmp_path):
    random = np.random.default_rng(0)
    for name, n in (("learnt", 240), ("test", 60)):
        y = np.arange(n) % 3
        x = random.integers(0, 20, (n, 8, 8), np.uint8)
        for group in range(3):
            x[y == group, group * 2 : group * 2 + 3] += np.uint8(200)
        np.savez(tmp_path / f"{name}.npz", x=x, y=y)
    return tmp_path


def test_each_way_is_scored_on_what_it_learnt_from_and_the_default_on_a_test_part_too(images, capsys):
    told = images / "rows.json"
    flags = ["--data", str(images / "learnt.npz"), "--test", str(images / "test.npz"), "--seeds", "0", "1"]
    flags += [
        "--methods",
        "pixels",
        "default",
        "maps",
        "--json",
        str(told),
        "--store",
        str(images / "store"),
        "--quiet",
    ]
    assert main(["bench", "clusters", *flags]) == 0
    rows = clusters.from_json(told.read_text())
    assert [(r.method, r.of, r.n) for r in rows if r.seed == 0] == [
        ("pixels", "learnt from", 240), ("default", "learnt from", 240), ("default", "test part", 60), ("default", "both", 300),
        ("map by PCA", "learnt from", 240), ("map by TSNE", "learnt from", 240), ("map by UMAP", "learnt from", 240),
    ]  # fmt: skip
    assert len(rows) == 14
    for row in rows:
        if row.accuracy is None:
            assert 0.5 < row.trustworthiness <= 1 and 0 < row.kept <= 1
        else:
            assert row.accuracy == row.ari == 1
    default = next(row for row in rows if row.method == "default")
    assert default.minutes > 0 and default.silhouette > 0.5 and 0 < default.error < 1
    printed = capsys.readouterr().out
    assert "pixels, learnt from (240 images, 2 seeds): accuracy 1.0000 ± 0.0000" in printed


def test_the_spread_is_over_the_seeds():
    rows = [
        Row("d", "default", seed, "both", 9, accuracy=0.5 + seed / 10, nmi=0.4, ari=0.3, minutes=2.0)
        for seed in (0, 1, 2)
    ]
    assert clusters.table(rows) == (
        "d, default, both (9 images, 3 seeds): accuracy 0.6000 ± 0.1000, nmi 0.4000 ± 0.0000, ari 0.3000 ± 0.0000, minutes 2.0"
    )
    assert (
        clusters.from_json(clusters.as_json(rows)) == rows and json.loads(clusters.as_json(rows))[0]["minutes"] == 2
    )


def test_what_cannot_be_scored_is_told(images, capsys):
    np.save(images / "bare.npy", np.zeros((20, 8, 8), np.uint8))
    assert (
        main(["bench", "clusters", "--data", str(images / "bare.npy"), "--store", str(images / "store"), "--quiet"])
        == 2
    )
    assert "has no labels" in capsys.readouterr().err
    flags = ["--data", str(images / "learnt.npz"), "--methods", "magic", "--store", str(images / "store"), "--quiet"]
    assert main(["bench", "clusters", *flags]) == 2
    assert "There is no method 'magic'; there are pixels, conv-pool" in capsys.readouterr().err


def test_features_are_scored_where_their_weights_are_and_asked_for_by_name_where_they_are_not(
    images, capsys, monkeypatch
):
    flags = ["bench", "clusters", "--data", str(images / "test.npz"), "--methods", "features", "--quiet"]
    flags += ["--store", str(images / "store")]
    if pretrained.available():
        assert "features" in clusters.here()
        monkeypatch.setattr(pretrained, "TRAINING", TrainingConfig(epochs=1))
        assert main(flags) == 0
        assert "features, learnt from (60 images, 1 seeds): accuracy" in capsys.readouterr().out
    monkeypatch.setattr(pretrained, "available", lambda: ())
    monkeypatch.setattr(pretrained, "_packaged", lambda name: None)
    assert "features" not in clusters.here()
    assert main(flags) == 2
    assert "pip install" in capsys.readouterr().err
