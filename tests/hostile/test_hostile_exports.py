"""Hostile names in what is taken away: text in pages, plain names in a ZIP, words in a PDF."""

import io
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest

from core import export, pictures, sheets
from core.figures import Category, MapSpec
from tests.hostile.names import NAMES, text_of

IDS = tuple(text_of(name) for name in NAMES.values())
N = len(IDS)
X = np.random.default_rng(0).integers(0, 255, (N, 8, 12, 1), dtype=np.uint8)


def test_pictures_in_a_zip_stay_inside_whatever_they_are_called():
    folders = [*IDS[1:], "../../.."]
    with zipfile.ZipFile(io.BytesIO(export.pictures_zip(X, IDS, folders, b"id\n"))) as archive:
        inside = archive.namelist()
        assert archive.testzip() is None
    assert len(inside) == N + 1 == len(set(inside))
    for name in inside[1:]:
        path = PurePosixPath(name)
        assert len(path.parts) == 2 and not path.is_absolute() and ".." not in path.parts
        assert all(letter.isalnum() or letter in " ._-" for part in path.parts for letter in part)
        assert not any(part.startswith((".", "-", " ")) or len(part.encode()) > 400 for part in path.parts)


def test_an_exported_page_holds_names_only_as_text():
    group = Category("<b>", (np.arange(N) % 2).astype(np.int32), (IDS[0], IDS[1]))
    spec = MapSpec(
        coordinates=np.random.default_rng(1).normal(size=(N, 2)).astype(np.float32),
        rows=np.arange(N, dtype=np.int32), color=group, symbol=None, fields=(group,), ids=IDS, axes=("x", "y"), view_key="v",
        image=sheets.layout(X, None),
    )  # fmt: skip
    for title in (IDS[0], IDS[1], "{{script}}"):
        page = export.html(spec, X, None, title, {title: title}, texts={"<b>": IDS})
        assert "<img src=x" not in page and "<script>fetch" not in page
        assert page.count("<script") == page.count("</script")


@pytest.mark.parametrize("what", NAMES)
def test_a_picture_for_a_report_can_have_any_title(what):
    name = text_of(NAMES[what])
    figure = pictures.reconstruction_rows(X[:2], X[:2], [name, name], [name, name])
    made = pictures.render(figure, "pdf")
    assert made.startswith(b"%PDF") and b"/JavaScript" not in made and b"/Launch" not in made
