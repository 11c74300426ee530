"""One table of several runs."""

import io
import json

import pandas as pd
import pytest

from core import compare
from core.errors import DataError


@pytest.fixture
def runs(tmp_path):
    """Two runs; the second one better and hostile in name."""
    made = []
    for name, values in {
        "first": {
            "recipe": "deep-bn",
            "parameters": 2222,
            "n": 100,
            "k": 10,
            "nmi": 0.5,
            "seconds": {"model": 12.34},
        },
        "=<script>": {"recipe": None, "n": 100, "k": 10, "nmi": 0.75, "accuracy": 0.9, "seconds": {"odd": 1}},
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps(values))
        made.append(compare.read_run(tmp_path / name))
    return made


def test_a_row_a_run_and_the_best_of_each_score(runs):
    frame = compare.table(runs)
    assert list(frame["run"]) == ["first", "=<script>"]
    assert list(frame["NMI"]) == [0.5, 0.75]
    assert [name for name in frame if name.endswith(" s")] == ["model s", "odd s"]
    assert compare.best(frame) == {"NMI": {1}}  # the accuracy of one run is the best of none


def test_text_has_a_column_a_run_with_stars_and_dashes(runs):
    lines = compare.text(compare.table(runs)).splitlines()
    rows = {line.split("  ")[0]: line.split()[-2:] for line in lines[1:]}
    assert rows["parameters"] == ["2,222", "–"]
    assert rows["NMI"] == ["0.5", "0.75*"]
    assert rows["model s"] == ["12.3", "–"]


def test_csv_and_html_are_harmless(runs):
    frame = compare.table(runs)
    back = pd.read_csv(io.BytesIO(compare.csv(frame)))
    assert list(back["run"]) == ["first", "'=<script>"]
    page = compare.html(frame)
    assert "<script" not in page
    assert "=&lt;script&gt;" in page
    assert "<b>0.75</b>" in page


def test_runs_of_one_name_are_told_apart(runs):
    assert list(compare.table([runs[0], runs[0]])["run"]) == ["first", "first (2)"]


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("{", "is not JSON"),
        ("[1]", "must hold an object"),
        ('{"seconds": 5}', "must hold an object"),
        ('{"nmi": "good"}', "'nmi' is 'good'; it must be a number"),
        ('{"seconds": {"model": [1]}}', "'model'"),
    ],
)
def test_what_is_no_run_is_said(tmp_path, text, sentence):
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(DataError) as caught:
        compare.read_run(tmp_path)
    assert sentence in str(caught.value)
    with pytest.raises(DataError, match="holds no finished run"):
        compare.read_run(tmp_path / "none")
