"""One table of several runs, as text, CSV and a page."""

import csv
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest

from core import compare, tables
from core.compare import Run
from core.errors import DataError

GOOD = {"recipe": "small", "parameters": 12345, "n": 2000, "k": 10, "ari": 0.51234567, "reconstruction_error": 0.02}
BAD = {"recipe": "large", "n": 2000, "k": 10, "ari": 0.25, "reconstruction_error": 0.01, "nmi": 0.5}


def _folder(path, values):
    path.mkdir(parents=True)
    (path / "metrics.json").write_text(values if isinstance(values, str) else json.dumps(values), "utf-8")
    return path


def _two():
    return compare.table([Run("good", GOOD), Run("bad", BAD)])


class _Page(HTMLParser):
    """Every tag, and the cells of every row."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.attributes = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_what_runs_were_made_with_is_told_where_it_differs():
    runs = [
        Run("a", {"versions": {"numpy": "2.1", "python": "3.11"}}),
        Run("b", {"versions": {"numpy": "2.4", "python": "3.11", "device": "\x1b[0mGPU"}}),
        Run("earlier", GOOD),
        Run("foreign", {"versions": [1]}),
    ]
    assert compare.differences(runs) == ["device  [0mGPU, none", "numpy 2.1, 2.4"]
    assert compare.differences(runs[:1]) == []


def test_a_run_is_named_after_its_folder(tmp_path):
    run = compare.read_run(_folder(tmp_path / "first", GOOD | {"name": "other", "found": {"images": True}}))
    assert run.name == "first"
    assert compare.table([run])["ARI"][0] == GOOD["ari"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "must hold an object of numbers and texts"),
        ("3", "must hold an object"),
        ('{"seconds": [1]}', "with `seconds` by stage"),
        ('{"ari": "=1+1"}', r"'ari' is '=1\+1'; it must be a number"),
        ('{"ari": true}', "'ari' is 'True'; it must be a number"),
        ('{"k": [1]}', "it must be a number"),
        ('{"recipe": 3}', "'recipe' is '3'"),
        ('{"seconds": {"images": "soon"}}', "'images' is 'soon'"),
        ('{"n": Infinity}', "'n' is too large a number"),
        ('{"training_loss": -1e999}', "'training_loss' is too large a number"),
        ('{"ari": 1' + "0" * 400 + "}", "'ari' is too large a number"),
    ],
)
def test_metrics_that_cannot_be_read(tmp_path, content, sentence):
    with pytest.raises(DataError, match=sentence):
        compare.read_run(_folder(tmp_path / "run", content))


def test_folders_without_metrics(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="holds no finished run"):
        compare.read_run(tmp_path)
    (tmp_path / "bytes").mkdir()
    (tmp_path / "bytes" / "metrics.json").write_bytes(b'{"recipe": "\xff"}')
    with pytest.raises(DataError, match="is not JSON"):
        compare.read_run(tmp_path / "bytes")
    monkeypatch.setattr(compare, "LIMIT_BYTES", 1)
    with pytest.raises(DataError, match="it is not what a run wrote"):
        compare.read_run(_folder(tmp_path / "large", GOOD))


def test_columns_in_order_with_stages_in_that_of_the_pipeline():
    seconds = {"warm-up": 5.0, "projection-3d": 4.0, "model": 2, "images": 1.5}
    frame = compare.table([Run("a", GOOD | {"seconds": seconds}), Run("b", {"nmi": None, "seconds": None})])
    assert list(frame) == ["run", *compare.COLUMNS.values(), "images s", "model s", "projection-3d s", "warm-up s"]
    assert (frame["model s"][0], frame["n"][0]) == (2, 2000)
    assert frame.loc[1].drop("run").isna().all()


def test_equal_names_are_numbered_without_making_new_ones_equal():
    frame = compare.table([Run(name, {}) for name in ("a", "a", "a (2)", "a")])
    assert list(frame["run"]) == ["a", "a (2)", "a (2) (2)", "a (3)"]


def test_best_of_scores_that_several_runs_have():
    frame = compare.table([Run("a", GOOD), Run("b", BAD), Run("c", {"ari": GOOD["ari"], "training_loss": 1.0})])
    assert compare.best(frame) == {"ARI": {0, 2}, "error (MSE)": {1}}  # NMI: one run only; losses differ in kind
    assert compare.best(compare.table([Run("a", GOOD)])) == {}


def test_a_number_that_is_none_is_missing(tmp_path):
    frame = compare.table([compare.read_run(_folder(tmp_path / "a", '{"n": NaN, "ari": NaN}')), Run("b", BAD)])
    assert np.isnan(frame["n"][0])
    assert compare.best(frame) == {}
    assert [line.split()[1:] for line in compare.text(frame).splitlines() if line.startswith("n ")] == [
        ["–", "2,000"]
    ]


def test_text_is_aligned_and_stars_the_best():
    lines = compare.text(_two()).splitlines()
    assert len({len(line) for line in lines}) == 1
    rows = {line[:15].strip(): line[15:].split() for line in lines}
    assert rows[""] == ["good", "bad"]
    assert (rows["n"], rows["parameters"]) == (["2,000", "2,000"], ["12,345", "–"])
    assert (rows["ARI"], rows["error (MSE)"]) == (["0.5123*", "0.25"], ["0.02", "0.01*"])


def test_nothing_controls_the_terminal():
    hostile = "a\x1b[31m\nb\u202e"
    frame = compare.table([Run(hostile, {"recipe": hostile, "seconds": {hostile: 1}})])
    lines = compare.text(frame).splitlines()
    assert all(line.isprintable() for line in lines)
    assert len(lines) == len(frame.columns)
    assert len({len(line) for line in lines}) == 1


def test_csv_has_every_digit_and_no_formula():
    hostile = {"recipe": "@sum", "ari": -0.25, "seconds": {"=1+1": 2.5, "two\nlines": 1}}
    data = tables.csv(compare.table([Run("=1+1", hostile), Run("good, too", GOOD)]))
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))
    assert [row["run"] for row in rows] == ["'=1+1", "good, too"]
    assert [row["recipe"] for row in rows] == ["'@sum", "small"]
    assert [row["ARI"] for row in rows] == ["-0.25", "0.51234567"]
    assert (rows[0]["'=1+1 s"], rows[0]["two\nlines s"]) == ("2.5", "1.0")


def test_a_page_holds_nothing_but_text():
    hostile = '<script>alert("1")</script>&"\''
    frame = compare.table([Run(hostile, GOOD | {"recipe": hostile, "seconds": {hostile: 1}}), Run("b", BAD)])
    page = _Page(compare.html(frame))
    allowed = {
        "html",
        "meta",
        "title",
        "style",
        "h1",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "b",
        "p",
        "caption",
    }
    assert set(page.tags) <= allowed
    assert {name for name, _ in page.attributes} <= {"lang", "charset", "title", "http-equiv", "content"}
    assert page.rows[0] == list(frame.columns)
    assert page.rows[1][:2] == [hostile, hostile]
    assert "url(" not in compare.html(frame)


def test_a_page_marks_the_best_and_explains_scores():
    page = compare.html(_two())
    assert "<b>0.5123</b>" in page
    assert "<b>0.25</b>" not in page
    assert "<b>0.01</b>" in page
    assert '<th title="Adjusted Rand index' in page
    assert "color-scheme: light dark" in page


def test_what_utf_8_cannot_write_is_replaced():
    frame = compare.table([Run("a\udcff", {"recipe": "\ud800", "seconds": {"\ud800": 1}}), Run("a?", {})])
    assert list(frame["run"]) == ["a?", "a? (2)"]
    tables.csv(frame)
    compare.html(frame).encode("utf-8")
    compare.text(frame).encode("utf-8")
