"""Exported pages: one file, everything escaped, as exact as its size allows."""

import io
import re
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core import export, figures, sheets
from core.errors import ExportError
from core.figures import Category, MapSpec

EVIL = "</title><script>alert(1)</script>"
X = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
COLOR = Category(EVIL, np.zeros(60, np.int32), (EVIL,))
SPEC = MapSpec(
    coordinates=np.random.default_rng(1).normal(size=(60, 2)).astype(np.float32),
    rows=np.arange(60, dtype=np.int32),
    color=COLOR,
    symbol=None,
    fields=(COLOR,),
    ids=(EVIL,) * 60,
    axes=("x", "y"),
    view_key="v",
    image=sheets.layout(X, X),
)


def test_a_page_loads_nothing_and_says_so_to_the_browser():
    page = export.html(SPEC, X, X, "title")
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page[: page.index("<script>")])


def test_names_are_escaped_wherever_they_stand():
    page = export.html(SPEC, X, X, EVIL, {EVIL: EVIL})
    assert EVIL not in page
    assert "&lt;/title&gt;&lt;script&gt;" in page
    assert page.count("</script>") == 1


def test_pictures_are_exact_where_they_fit_and_compressed_where_they_do_not():
    exact = export.html(SPEC, X, X, "title")
    assert "Pictures are exact." in exact
    smaller = export.html(SPEC, X, X, "title", max_bytes=len(exact) - 10_000)
    assert "quality" in smaller
    assert len(smaller) <= len(exact) - 10_000
    smallest = export.html(SPEC, X, X, "title", max_bytes=1000)  # cannot be met: lowest quality, nothing left out
    assert f"quality {export.QUALITIES[-1]}" in smallest


def test_a_map_without_pictures_is_a_page_too():
    page = export.html(replace(SPEC, image=None), X, None, "title")
    assert "sheets: []" in page
    assert figures.encode(replace(SPEC, image=None))


def test_files_are_written_whole_or_not_at_all(tmp_path):
    export.write(tmp_path / "new" / "a.txt", "text")
    assert (tmp_path / "new" / "a.txt").read_text() == "text"
    (tmp_path / "folder").mkdir()
    with pytest.raises(ExportError, match="cannot be written"):
        export.write(tmp_path / "folder", b"data")
    with pytest.raises(ExportError, match="cannot be written"):
        export.write(tmp_path / "new" / "a.txt" / "b", b"data")
    assert [path.name for path in tmp_path.rglob("*.part")] == []


def test_pictures_are_packed_by_cluster_with_safe_names_and_the_table():
    x = np.arange(2 * 64, dtype=np.uint8).reshape(2, 8, 8, 1)
    names = ["../../etc/pass<wd>", "b.png"]
    data = export.pictures_zip(x, names, ["cluster 0", "cluster/1"], b"a,b\n")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["table.csv", "cluster 0/000001 etc-pass-wd.png", "cluster-1/000002 b.png.png"]
        assert archive.read("table.csv") == b"a,b\n"
        for i, name in enumerate(archive.namelist()[1:]):
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(archive.read(name)))), x[i, ..., 0])
    assert export.file_name(" . ") == "unnamed" and len(export.file_name("a" * 200)) == 80


def test_the_same_pictures_are_the_same_zip_at_any_time(monkeypatch):
    x = np.arange(2 * 64, dtype=np.uint8).reshape(2, 8, 8, 1)
    made = export.pictures_zip(x, ["a", "b"], ["one", "two"], b"id\n")
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    assert export.pictures_zip(x, ["a", "b"], ["one", "two"], b"id\n") == made
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert {item.external_attr >> 16 for item in archive.infolist()} == {0o644}
