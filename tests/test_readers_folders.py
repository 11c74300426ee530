"""Folders of pictures: what is read comes out upright and in order, what cannot be read is named."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import DataError
from core.images import FolderSource, load
from core.progress import Cancelled

RAMP = np.arange(96, dtype=np.uint8).reshape(8, 12)  # its turns and mirrors all differ


def picture(path, array=RAMP, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def read(folder, **settings):
    return load(FolderSource(str(folder), **settings))


def huge_png(path, side=20_000):
    """Write a PNG whose header says side × side, with next to nothing in it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    )


def test_sub_folders_are_classes_and_numbers_sort_as_numbers(tmp_path):
    for name in ("cat/10.png", "cat/2.png", "dog/1.png", "dog/deeper/1.png"):
        picture(tmp_path / name)
    found = read(tmp_path)
    assert found.ids == ("cat/2.png", "cat/10.png", "dog/1.png", "dog/deeper/1.png")
    assert found.classes == ("cat", "dog")
    np.testing.assert_array_equal(found.y, [0, 0, 1, 1])
    assert found.x.shape == (4, 8, 12, 1)
    np.testing.assert_array_equal(found.x[0, ..., 0], RAMP)


def test_a_flat_folder_has_no_labels_and_shared_levels_are_passed_over(tmp_path):
    for name in ("all/a.png", "all/b.png"):
        picture(tmp_path / name)
    assert read(tmp_path).y is None
    for name in ("all/x/a.png", "all/y/b.png"):
        picture(tmp_path / name)
    assert read(tmp_path).classes == ("(no folder)", "x", "y")


def test_mixed_sizes_are_fitted_and_keep_their_sides_in_proportion(tmp_path):
    picture(tmp_path / "wide.png", np.full((20, 40), 200, np.uint8))
    picture(tmp_path / "tall.png", np.full((100, 50), 200, np.uint8))
    found = read(tmp_path)
    assert found.x.shape == (2, 64, 64, 1)
    tall, wide = found.x[..., 0]
    assert (tall[:, 20:40] == 200).all() and (wide[20:40] == 200).all()
    assert read(tmp_path, size=16).image_shape == (16, 16, 1)
    assert read(tmp_path, color="rgb").image_shape == (64, 64, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_is_read(mode, tmp_path):
    gray = Image.fromarray(np.where(RAMP > 40, 255, 0).astype(np.uint8))
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    image = deep if mode == "I;16" else gray.convert(mode)
    for name in ("a", "b"):
        image.save(tmp_path / (f"{name}.tif" if mode == "CMYK" else f"{name}.png"))
    found = read(tmp_path)
    np.testing.assert_allclose(found.x[0].mean(axis=2), np.asarray(gray), atol=1)
    assert found.image_shape[2] == 1


def test_transparent_parts_lie_on_white(tmp_path):
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:4] = (255, 0, 0, 255)
    for name in ("a.png", "b.png"):
        picture(tmp_path / name, rgba)
    found = read(tmp_path)
    assert (found.x[0, :4] == (255, 0, 0)).all()
    assert (found.x[0, 4:] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright_by_exif(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = {  # how each orientation says the upright picture was stored
        1: RAMP, 2: RAMP[:, ::-1], 3: RAMP[::-1, ::-1], 4: RAMP[::-1],
        5: RAMP.T, 6: RAMP.T[::-1], 7: RAMP.T[::-1, ::-1], 8: RAMP.T[:, ::-1],
    }[orientation]  # fmt: skip
    for name in ("a.png", "b.png"):
        picture(tmp_path / name, np.ascontiguousarray(turned), exif=exif)
    np.testing.assert_array_equal(read(tmp_path).x[0, ..., 0], RAMP)


def test_what_cannot_be_read_is_named_and_counted_and_the_rest_is_read(tmp_path):
    for name in ("a.png", "b.png"):
        picture(tmp_path / name)
    whole = picture(
        tmp_path / "cut.png", np.random.default_rng(0).integers(0, 255, (8, 12), dtype=np.uint8)
    ).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:-40])
    (tmp_path / "text.png").write_text("I am no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not meant to be one")
    huge_png(tmp_path / "huge.png")
    found = read(tmp_path)
    assert found.ids == ("a.png", "b.png")
    reasons = {item.id: item.reason for item in found.skipped}
    assert set(reasons) == {"cut.png", "text.png", "empty.jpg", "huge.png"}
    assert "limit of 64 megapixels" in reasons["huge.png"]
    assert reasons["text.png"] == "not a picture that can be read"


def test_nothing_outside_the_folder_is_read(tmp_path):
    outside = picture(tmp_path / "outside" / "secret.png")
    for name in ("a.png", "b.png"):
        picture(tmp_path / "in" / name)
    (tmp_path / "in" / "link.png").symlink_to(outside)
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "inner.png").symlink_to(tmp_path / "in" / "a.png")
    found = read(tmp_path / "in")
    assert found.ids == ("a.png", "b.png", "inner.png")
    assert [(item.id, item.reason) for item in found.skipped] == [
        ("link.png", "link out of the folder"),
        ("loop", "link to a folder"),
    ]


def test_strange_file_names_stay_text(tmp_path):
    names = ("<img src=x onerror=alert(1)>.png", "a b'\"&.png", "=1+1.png")
    for name in names:
        picture(tmp_path / name)
    assert sorted(read(tmp_path).ids) == sorted(names)
    Path(bytes(tmp_path).decode() + "/bad").mkdir()
    (tmp_path / "bad" / b"\xff.png".decode("utf-8", "surrogateescape")).write_bytes(
        (tmp_path / names[0]).read_bytes()
    )
    assert any("\\xff" in name for name in read(tmp_path).ids)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [((), "has no images: no file in it"), (("a.png",), "needs at least 2 images; it has 1")],
)
def test_too_few_images_are_one_sentence(names, sentence, tmp_path):
    for name in names:
        picture(tmp_path / name)
    with pytest.raises(DataError, match=sentence):
        read(tmp_path)


def test_only_damaged_images_are_one_sentence(tmp_path):
    (tmp_path / "a.png").write_text("no")
    with pytest.raises(DataError, match=r"none of 1 can be read; the first, a\.png: not a picture"):
        read(tmp_path)
    with pytest.raises(DataError, match="not a folder that exists"):
        read(tmp_path / "none")


def test_progress_counts_pictures_and_can_stop(tmp_path):
    for i in range(5):
        picture(tmp_path / f"{i}.png")
    seen = []
    load(FolderSource(str(tmp_path)), seen.append)
    assert seen[-1].done == seen[-1].total == 5

    def stop(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        load(FolderSource(str(tmp_path)), stop)
