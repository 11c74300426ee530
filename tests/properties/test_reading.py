"""Images read back as they were written, whichever format, mode, order in memory or folder they are kept in."""

import csv
import io
import itertools
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core import export
from core.errors import DataError
from core.images import ArraySource, FolderSource, LabelledSource, SubsetSource, load
from core.readers.files import natural_key

SIDES = st.integers(8, 12)
SEEDS = st.integers(0, 2**32 - 1)
LOSSLESS = [
    *(("png", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    *(("tif", mode) for mode in ("1", "L", "RGB", "RGBA", "I;16")),
    *(("bmp", mode) for mode in ("1", "L", "RGB")),
    *(("webp", mode) for mode in ("RGB", "RGBA")),
    ("gif", "L"),
    ("gif", "P"),
    ("ppm", "RGB"),
    ("pgm", "L"),
]
CHANNELS = {"LA": 2, "RGB": 3, "RGBA": 4}


def picture(random, mode, h, w):
    """A random picture of a mode, and what the README says it is read as, uint8 (h, w, 3)."""
    if mode == "I;16":
        values = random.integers(0, 65536, (h, w)).astype(np.uint16)
        return Image.fromarray(values), np.repeat(np.round(values / 257).astype(np.uint8)[..., None], 3, 2)
    if mode == "P":
        colors, codes = random.integers(0, 256, (16, 3), np.uint8), random.integers(0, 16, (h, w), np.uint8)
        made = Image.fromarray(codes, "L").convert("P")
        made.putdata(codes.ravel().tolist())
        made.putpalette(colors.tobytes())
        return made, colors[codes]
    if mode == "1":
        values = random.integers(0, 2, (h, w)).astype(bool)
        return Image.fromarray(values), np.repeat(255 * values.astype(np.uint8)[..., None], 3, 2)
    values = random.integers(0, 256, (h, w, CHANNELS.get(mode, 1)), np.uint8)
    made = Image.fromarray(values[..., 0] if mode == "L" else values)
    colors = values if mode in ("L", "RGB") else values[..., :-1]
    whole = np.repeat(colors, 3, 2) if colors.shape[2] == 1 else colors
    if mode in ("LA", "RGBA"):  # on white
        share = values[..., -1:] / 255
        return made, np.round(whole * share + 255 * (1 - share)).astype(np.uint8)
    return made, whole


@pytest.mark.parametrize(("ending", "mode"), LOSSLESS)
@given(seed=SEEDS, h=SIDES, w=SIDES)
def test_a_picture_without_loss_is_read_as_it_was_written(ending, mode, seed, h, w):
    random = np.random.default_rng(seed)
    made = [picture(random, mode, h, w) for _ in range(2)]
    more = {"lossless": True, "exact": True} if ending == "webp" else {}
    with tempfile.TemporaryDirectory() as folder:
        for i, (image, _) in enumerate(made):
            image.save(Path(folder) / f"{i}.{ending}", **more)
        found = load(FolderSource(folder))
    expected = np.array([values for _, values in made])
    gray = (expected[..., :1] == expected).all()
    expected = expected[..., :1] if gray else expected
    assert found.x.shape == expected.shape and not found.skipped
    most = 1 if mode in ("LA", "RGBA") else 0  # of rounding when it is put on white
    assert np.abs(found.x.astype(int) - expected).max() <= most


def classes(n):
    return st.lists(st.sampled_from(["cat", "dog", "2", "10", "Ähre"]), min_size=n, max_size=n)


@st.composite
def sets(draw):
    """Images uint8 (n, h, w, c) in classes of which there are at least two."""
    n, h, w, c = draw(st.integers(2, 6)), draw(SIDES), draw(SIDES), draw(st.sampled_from([1, 3]))
    random = np.random.default_rng(draw(SEEDS))
    names = draw(classes(n).filter(lambda names: len(set(names)) > 1))
    return random.integers(0, 256, (n, h, w, c), np.uint8), names


@given(sets())
def test_a_folder_of_classes_an_npz_and_an_unpacked_zip_of_ours_are_the_same_images(found):
    x, names = found
    order = sorted(range(len(x)), key=lambda i: (natural_key(names[i]), i))  # as folders are read
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for i in order:
            (root / "pictures" / names[i]).mkdir(parents=True, exist_ok=True)
            Image.fromarray(x[i, ..., 0] if x.shape[3] == 1 else x[i]).save(root / "pictures" / names[i] / f"{i}.png")
        np.savez(root / "a.npz", x=x[order], y=np.array(names)[order])
        packed = export.pictures_zip(x, [str(i) for i in range(len(x))], names, b"")
        zipfile.ZipFile(io.BytesIO(packed)).extractall(root / "unpacked")
        sets = [load(FolderSource(str(root / "pictures"))), load(ArraySource(str(root / "a.npz")))]
        sets.append(load(FolderSource(str(root / "unpacked"))))
    for one in sets:
        np.testing.assert_array_equal(one.x, x[order])
        assert [one.classes[i] for i in one.y] == [names[i] for i in order]
        assert (one.fingerprint, one.classes) == (sets[0].fingerprint, sets[0].classes)
    assert sets[0].ids == tuple(f"{names[i]}/{i}.png" for i in order)


@given(sets(), st.booleans())
def test_the_order_of_an_array_in_its_file_does_not_matter(found, squeezed):
    x, _ = found
    x = x[..., 0] if squeezed else x
    with tempfile.TemporaryDirectory() as folder:
        read = []
        for name, array in (("c", np.ascontiguousarray(x)), ("f", np.asfortranarray(x))):
            np.save(Path(folder) / f"{name}.npy", array)
            np.savez_compressed(Path(folder) / f"{name}.npz", x=array)
            read += [load(ArraySource(f"{folder}/{name}.npy")), load(ArraySource(f"{folder}/{name}.npz"))]
    for one in read:
        np.testing.assert_array_equal(one.x, x if x.ndim == 4 else x[..., None])
        assert one.fingerprint == read[0].fingerprint and one.x.flags.c_contiguous


@given(SEEDS, st.integers(1, 40), st.integers(1, 40), st.integers(8, 20))
def test_a_picture_of_one_colour_fills_the_frame_but_for_a_border_of_black_or_white(seed, h, w, side):
    gray = int(np.random.default_rng(seed).integers(0, 256))
    inner = min(side, max(1, round(h * side / max(h, w)))), min(side, max(1, round(w * side / max(h, w))))
    with tempfile.TemporaryDirectory() as folder:
        for i in range(2):
            Image.new("L", (w, h), gray).save(Path(folder) / f"{i}.png")
        x = load(FolderSource(folder, size=side)).x[0, ..., 0]
    assert x.shape == (side, side)
    top, left = ((side - inner[0]) // 2, (side - inner[1]) // 2)
    inside = np.zeros(x.shape, bool)
    inside[top : top + inner[0], left : left + inner[1]] = True
    assert (x[inside] == gray).all() and (x[~inside] == (255 if gray > 127 else 0)).all()


@given(SEEDS, st.integers(4, 40), st.integers(4, 40), st.integers(8, 20))
def test_a_picture_on_its_side_becomes_the_same_on_its_side(seed, h, w, side):
    values = np.random.default_rng(seed).integers(64, 120, (h, w), np.uint8)  # no overshoot, and a border in black
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(values).save(Path(folder) / "0.png")
        Image.fromarray(values.T.copy()).save(Path(folder) / "1.png")
        x = load(FolderSource(folder, size=side)).x[..., 0].astype(int)
    assert np.abs(x[0] - x[1].T).max() <= 2  # rows are scaled before columns, each time to whole numbers


@pytest.mark.parametrize("ending", ["png", "webp"])
@given(seed=SEEDS, h=SIDES, w=SIDES)
def test_a_turned_picture_is_turned_upright(ending, seed, h, w):
    values = np.random.default_rng(seed).integers(0, 256, (h, w, 3), np.uint8)
    turned = {  # what a camera held so writes, and the number it puts beside
        1: values, 2: values[:, ::-1], 3: values[::-1, ::-1], 4: values[::-1],
        5: values.swapaxes(0, 1), 6: values.swapaxes(0, 1)[::-1], 7: values[::-1, ::-1].swapaxes(0, 1),
        8: values.swapaxes(0, 1)[:, ::-1],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for orientation, array in turned.items():
            exif = Image.Exif()
            exif[0x0112] = orientation
            image = Image.fromarray(np.ascontiguousarray(array))
            image.save(
                Path(folder) / f"{orientation}.{ending}",
                exif=exif,
                **({"lossless": True} if ending == "webp" else {}),
            )
        found = load(FolderSource(folder))
    for image in found.x:
        np.testing.assert_array_equal(image, values)


@given(st.lists(st.from_regex(r"[ab]{0,2}[0-9]{1,3}", fullmatch=True), min_size=2, max_size=12, unique=True))
def test_pictures_are_in_natural_order_with_their_own_pixels(names):
    with tempfile.TemporaryDirectory() as folder:
        for i, name in enumerate(names):
            Image.new("L", (8, 8), i).save(Path(folder) / f"{name}.png")
        found = load(FolderSource(folder))
    ids = [name.removesuffix(".png") for name in found.ids]
    assert sorted(ids) == sorted(names)
    assert found.x[:, 0, 0, 0].tolist() == [names.index(name) for name in ids]
    for one, other in itertools.pairwise(ids):
        words = [text.rstrip("0123456789") for text in (one, other)]
        assert words[0] != words[1] or int(one[len(words[0]) :]) <= int(other[len(words[1]) :])


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=2, max_size=8, unique_by=lambda pair: pair[0]), st.integers(0, 8))
def test_labels_in_a_csv_come_to_their_images_letter_by_letter(rows, named):
    x = np.zeros((len(rows), 8, 8), np.uint8)
    ids, labels = zip(*rows, strict=True)
    given_rows = rows[:named]
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "a.npz", x=x, ids=np.array(ids))
        with (Path(folder) / "l.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("id", "label"), *given_rows])
        source = LabelledSource(ArraySource(f"{folder}/a.npz"), f"{folder}/l.csv")
        if not any(label for _, label in given_rows):
            with pytest.raises(DataError, match="no row with a label"):
                load(source)
            return
        found = load(source)
    expected = [label if i < named else "" for i, label in enumerate(labels)]
    assert ["" if i < 0 else found.classes[i] for i in found.y] == expected
    assert list(found.classes) == sorted({label for label in expected if label}, key=natural_key)


@given(sets(), st.integers(2, 6), st.data())
def test_a_subset_holds_images_of_its_classes_in_order_with_their_labels(found, limit, data):
    x, names = found
    wanted = tuple(data.draw(st.sets(st.sampled_from(sorted(set(names))), min_size=1)))
    rows = [i for i, name in enumerate(names) if name in wanted]
    if len(rows) < 2:
        return
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "a.npz", x=x, y=np.array(names))
        part = load(SubsetSource(ArraySource(f"{folder}/a.npz"), limit, wanted))
    taken = [int(i) for i in part.ids]
    assert taken == sorted(taken) and set(taken) <= set(rows) and len(taken) == min(limit, len(rows))
    np.testing.assert_array_equal(part.x, x[taken])
    assert [part.classes[i] for i in part.y] == [names[i] for i in taken]
