"""The README's notebook lines, run as they stand."""

import re
from pathlib import Path

import numpy as np

from core import explore
from core.config import ClusterConfig, KMeansConfig, PCAConfig

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_the_lines_of_the_readme_work(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path))
    (code,) = re.findall(r"## In a notebook\n\n```python\n(.*?)```", README, re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 5
    names = {}
    exec("\n".join(lines), names)
    digits = names["digits"]
    assert digits.scores.accuracy > 0.5 and digits.latents.shape == (5000, 32)
    assert digits.table()["error"].notna().all() and len(digits.clusters) == 5000
    shown = eval(lines[-1].split("#")[0], names)._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and "allow-same-origin" not in shown
    assert not any(tmp_path.rglob("projection/*")), "the sample's own map is found, not made"


def test_settings_and_arrays_of_ones_own(tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (20, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "a.npy", x)
    from core.config import AutoencoderConfig, TrainingConfig
    from core.plans import TrainSpec

    found = explore(
        str(tmp_path / "a.npy"),
        model=TrainSpec(AutoencoderConfig(2, 4), TrainingConfig(epochs=1)),
        projection=PCAConfig(2),
        cluster=ClusterConfig(KMeansConfig(3)),
        store=tmp_path / "store",
    )
    assert found.results.projection.value.coordinates.shape == (20, 2)
    assert len(some := np.unique(found.clusters)) == 3, some
    queue = found.suspects()
    assert len(queue) == 20 and queue["score"].is_monotonic_decreasing and "label" not in queue
    page = found.map("Cluster").save(tmp_path / "map.html")
    assert "<!DOCTYPE html>" in page.read_text("utf-8")[:20]
