"""A ZIP of pictures is the folder that it would unpack to; `tests/hostile` has the ones that are none."""

import json
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from core.errors import ConfigError, DataError
from core.images import (
    ArchiveSource,
    FolderSource,
    LabelledSource,
    load,
    parse_source,
    signature,
    source_from_json,
    source_to_json,
)
from core.readers import archives


@pytest.fixture
def both(tmp_path):
    """A folder of pictures of two classes and sizes, one of them no picture, and the same as a ZIP."""
    folder = tmp_path / "pets"
    rng = np.random.default_rng(0)
    for name, side in (("cats/2.png", 20), ("cats/10.jpg", 30), ("dogs/deep/1.png", 40), ("dogs/1.gif", 20)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (side, 20, 3), dtype=np.uint8)).save(folder / name)
    (folder / "dogs" / "no.png").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "pets.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return folder, tmp_path / "pets.zip"


@pytest.mark.parametrize("settings", [{}, {"size": 16}, {"size": 24, "color": "gray"}])
def test_it_is_read_as_its_folder(both, settings):
    folder, path = both
    one, other = load(FolderSource(str(folder), **settings)), load(ArchiveSource(str(path), **settings))
    assert one.fingerprint == other.fingerprint and one.ids == other.ids and one.classes == other.classes
    assert one.skipped == other.skipped and one.name == other.name == "pets"
    np.testing.assert_array_equal(one.y, other.y)
    assert sorted(path.parent.iterdir()) == [folder, path]  # nothing was unpacked


def test_what_people_type_and_json_name_it(both):
    path = both[1]
    source = parse_source(str(path), size=32)
    assert source == ArchiveSource(str(path), 32)
    assert source_from_json(json.loads(json.dumps(source_to_json(source)))) == source
    with pytest.raises(ConfigError, match="size 4"):
        ArchiveSource(str(path), 4)
    with pytest.raises(DataError, match="not a file that exists"):
        parse_source("none.zip")


def test_its_signature_follows_the_file(both):
    source = ArchiveSource(str(both[1]))
    first = signature(source)
    assert signature(source) == first
    os.utime(both[1], (1, 1))
    assert signature(source) != first


def test_labels_of_a_csv_go_with_it(both, tmp_path):
    (tmp_path / "labels.csv").write_text("id,label\ncats/2.png,old\ndogs/1.gif,young\n")
    found = load(parse_source(str(both[1]), labels=str(tmp_path / "labels.csv")))
    assert isinstance(parse_source(str(both[1]), labels=str(tmp_path / "labels.csv")), LabelledSource)
    assert found.classes == ("old", "young") and found.y.tolist() == [0, -1, 1, -1]


def test_it_is_closed_when_nobody_reads_it_any_more(both):
    listing = archives.list_archive(str(both[1]))
    opened = listing.files[0].open.func.__self__.zip.fp
    assert not opened.closed
    del listing
    assert opened.closed
