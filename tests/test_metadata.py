"""Metadata joined to images by id or file name; what does not fit is counted."""

import numpy as np
import pandas as pd
import pytest

from core import metadata
from core.errors import DataError
from core.imageset import image_set

IDS = ["cats/a.png", "cats/b.png", "dogs/c.png"]
IMAGES = image_set(np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8), ids=IDS)


def test_rows_find_their_images_by_id_whatever_their_order():
    frame = pd.DataFrame(
        {"score": [3.5, 1.0, 9.0], "id": ["dogs/c.png", "cats/a.png", "nobody.png"], "who": ["x", None, "z"]}
    )
    found = metadata.join(IMAGES, frame)
    np.testing.assert_array_equal(found.images.columns["score"], np.array([1, np.nan, 3.5], np.float32))
    assert found.images.columns["who"].tolist() == ["", "", "x"]
    assert (found.without_row, found.without_image) == (("cats/b.png",), ("nobody.png",))
    assert found.by == "2 of 3 images have a row, by id in column 'id'"
    assert found.images.fingerprint == IMAGES.fingerprint and not IMAGES.columns


def test_file_names_find_images_when_each_is_there_once():
    frame = pd.DataFrame({"year": [2001, 2002, 2003], "file": ["c.png", "b.png", "a.png"]})
    found = metadata.join(IMAGES, frame)
    assert found.images.columns["year"].tolist() == [2003, 2002, 2001] and "file name" in found.by
    assert (
        metadata.join(IMAGES, frame.replace({"file": {"a.png": "a", "b.png": "b", "c.png": "c"}})).without_row == ()
    )
    same = image_set(IMAGES.x, ids=["cats/a.png", "dogs/a.png", "dogs/c.png"])
    with pytest.raises(DataError, match="No column of the table names these images"):
        metadata.join(same, frame)


def test_an_image_named_twice_is_refused():
    frame = pd.DataFrame({"id": ["cats/a.png", "cats/a.png"], "v": [1, 2]})
    with pytest.raises(DataError, match=r"more than one row for image 'cats/a\.png'"):
        metadata.join(IMAGES, frame)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_of_both_kinds_are_read(tmp_path, kind):
    frame = pd.DataFrame(
        {"id": IDS, "n": [1, 2, 3], "day": pd.to_datetime(["2026-01-01"] * 3), "ok": [True, False, True]}
    )
    path = tmp_path / f"table.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    found = metadata.attached(IMAGES, str(path))
    assert found.columns["n"].tolist() == [1, 2, 3] and found.columns["ok"].tolist() == ["True", "False", "True"]
    assert all(text.startswith("2026-01-01") for text in found.columns["day"])
    assert metadata.attached(IMAGES, "") is IMAGES


def test_what_is_no_table_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "c.csv").write_text("id\n")
    (tmp_path / "d.txt").write_text("id\n1\n")
    cases = {
        "a.parquet": "cannot be",
        "b.csv": "cannot be",
        "c.csv": "no rows",
        "d.txt": "must end",
        "e.csv": "cannot be",
    }
    for name, said in cases.items():
        with pytest.raises(DataError, match=said):
            metadata.read(tmp_path / name)
    pd.DataFrame({f"c{i}": [1] for i in range(201)}).to_csv(tmp_path / "wide.csv", index=False)
    with pytest.raises(DataError, match="201 columns"):
        metadata.read(tmp_path / "wide.csv")
    monkeypatch.setattr(metadata, "LIMIT_BYTES", 2)
    with pytest.raises(DataError, match="limit"):
        metadata.read(tmp_path / "c.csv")
