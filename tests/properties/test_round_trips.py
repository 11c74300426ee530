"""What is taken away comes back as it was: tables, models, views, selections, maps, and entries of the store."""

import io
import json
import struct
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core import (
    checkpoints,
    corrections,
    corrections_csv,
    entries,
    figures,
    known,
    metadata,
    recipes,
    selection,
    tables,
)
from core.clustering import Clustering
from core.config import AutoencoderConfig, LayersConfig, TrainingConfig
from core.decisions import KINDS, Choice, event_of
from core.figures import Category, MapSpec, Number
from core.images import Skipped, image_set
from core.models import Epoch, TrainedModel
from core.projection import Projection
from core.sheets import SheetLayout
from core.store import Entry, Store
from dashboard import sessions
from dashboard.sidebar import maps
from tests.properties.strategies import MODELS, RECIPES, built, or_none

SEEDS = st.integers(0, 2**32 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
TRICKY = st.sampled_from(
    ["=1+1", "'=1", "''=1", "+", "-1", "@a", "\t", "\r", "a\r\nb", "a\nb", '"', "'", ",", "NA", "001", " "]
)
IDS = st.lists(TEXT | TRICKY, min_size=1, max_size=8, unique=True)
NAME = st.text(st.characters(categories=["L", "N", "S"]), min_size=1, max_size=8) | st.sampled_from(
    ["=Ann", "'", "-x"]
)
LABEL = TEXT | TRICKY
KEY = "0123456789abcdef" * 2


@st.composite
def choices(draw, ids):
    """A decision on some of the images with these ids."""
    rows = draw(st.lists(st.sampled_from(range(len(ids))), min_size=1, unique=True))
    made = []
    for row in rows:
        kind = draw(st.sampled_from(KINDS))
        old, new, key = draw(LABEL), draw(LABEL.filter(bool)), ""
        if kind == "move" or (kind == "confirm" and draw(st.booleans())):
            old, new, key = (*(str(draw(st.integers(0, 20))) for _ in "ab"), KEY)
        score = draw(or_none(st.floats(allow_nan=False, allow_infinity=False)))
        made.append(Choice(row, ids[row], kind, old, new, score, key, draw(st.sampled_from(["person", "rule"]))))
    return made


@given(st.data(), IDS, NAME)
def test_corrections_come_back_from_their_csv_letter_by_letter(data, ids, reviewer):
    made = data.draw(choices(ids))
    with tempfile.TemporaryDirectory() as folder:
        review = corrections.decide(Path(folder) / "a.jsonl", corrections.Review(), made, reviewer)
        written = corrections_csv.csv(corrections_csv.corrections(review))
        back = corrections_csv.choices(written, ids, review)
        again = corrections.decide(Path(folder) / "b.jsonl", corrections.Review(), back, "somebody else")
    assert corrections_csv.csv(corrections_csv.corrections(again)) == written
    kept = {choice.row: (choice.id, choice.kind, choice.old, choice.new, choice.score, choice.by) for choice in made}
    assert {
        choice.row: (choice.id, choice.kind, choice.old, choice.new, choice.score, choice.by) for choice in back
    } == kept


@given(st.lists(st.tuples(LABEL, LABEL), min_size=1, max_size=8))
def test_predictions_are_in_their_csv_letter_by_letter(rows):
    frame = pd.DataFrame(rows, columns=["id", "label"])
    back = pd.read_csv(io.BytesIO(tables.plain_csv(frame)), dtype=str, keep_default_na=False)
    assert back.to_numpy().tolist() == frame.to_numpy().tolist()


@given(st.lists(LABEL, min_size=1, max_size=8), SEEDS)
def test_a_table_comes_back_from_parquet_with_its_types(texts, seed):
    random, n = np.random.default_rng(seed), len(texts)
    frame = pd.DataFrame(
        {
            "text": texts,
            "whole": random.integers(-9, 9, n),
            "float": random.normal(size=n).astype(np.float32),
            "flag": pd.arrays.BooleanArray(random.random(n) < 0.5, random.random(n) < 0.5),
            "group": pd.Categorical.from_codes(random.integers(0, 2, n), ["0", "noise"], ordered=True),
        }
    )
    back = pd.read_parquet(io.BytesIO(tables.parquet(frame)), engine="pyarrow")
    assert list(back) == list(frame) and back["text"].tolist() == texts
    for name in ("whole", "float", "flag", "group"):
        assert back[name].dtype == frame[name].dtype
        assert back[name].equals(frame[name])


# Neither numbers nor what pandas takes for a missing value.
WORDS = st.lists((TEXT | TRICKY).map(lambda text: f"a{text}".replace("\\", "/")), min_size=2, max_size=8, unique=True)


@given(WORDS, SEEDS, st.sampled_from(["csv", "parquet"]))
def test_further_values_come_to_their_images_from_csv_and_parquet(ids, seed, kind):
    random = np.random.default_rng(seed)
    images = image_set(np.zeros((len(ids), 8, 8), np.uint8), ids=ids)
    frame = pd.DataFrame(
        {"id": images.ids, "whole": random.integers(-9, 9, len(ids)), "float": random.normal(size=len(ids))}
    )
    frame = frame.sample(frac=1, random_state=seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table.{kind}"
        if kind == "csv":
            frame.to_csv(path, index=False, lineterminator="\n", quoting=1)
        else:
            frame.to_parquet(path)
        found = metadata.attached(images, str(path))
    order = [images.ids.index(id) for id in frame["id"]]
    np.testing.assert_array_equal(found.columns["whole"][order], frame["whole"])
    np.testing.assert_array_equal(found.columns["float"][order], frame["float"].astype(np.float32))


@given(
    st.lists(st.tuples(TEXT, LABEL.filter(bool)), min_size=1, max_size=8, unique_by=lambda pair: pair[0]),
    st.randoms(),
)
def test_known_labels_come_back_from_a_csv(rows, random):
    ids = [id for id, _ in rows]
    shuffled = [*rows]
    random.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "known.csv"
        path.write_bytes(tables.plain_csv(pd.DataFrame(shuffled, columns=["id", "label"])))
        found = known.from_csv(path, ids)
    assert [found.classes[i] for i in found.y] == [label for _, label in rows] and found.n == len(rows)


@given(st.integers(1, 70), SEEDS)
def test_a_selection_comes_back_from_its_bits_and_joins_and_leaves_as_sets_do(n, seed):
    random = np.random.default_rng(seed)
    one, other = random.random(n) < 0.5, random.random(n) < 0.5
    np.testing.assert_array_equal(selection.unpacked(selection.packed(one), n), one)
    for chosen in (other, np.flatnonzero(other)):
        np.testing.assert_array_equal(selection.combined(one, chosen, "add"), one | other)
        np.testing.assert_array_equal(selection.combined(one, chosen, "remove"), one & ~other)
        np.testing.assert_array_equal(selection.combined(one, chosen), other)


VIEWS = st.fixed_dictionaries(
    {},
    optional={
        "data": TEXT, "path": st.text(max_size=20), "only.digits": st.lists(TEXT, max_size=3),
        "limit.digits": or_none(st.integers(2, 2**31)), "map": st.sampled_from(list(maps.MAPS)),
        "tsne.perplexity": st.integers(2, 100), "umap.min_dist": st.floats(0, 1), "standardize": st.booleans(),
        "opacity": st.floats(0.1, 1), "model.digits": MODELS.map(recipes.plain),
        "camera": st.builds(lambda key, at: {"key": key, "eye": at}, TEXT, st.lists(st.floats(-9, 9), min_size=3, max_size=3)),
    },
)  # fmt: skip


@given(VIEWS)
def test_a_view_comes_back_from_its_address(view):
    written = sessions.to_text(view)
    in_unicode = json.dumps(view, ensure_ascii=False).encode(
        "utf-8", "replace"
    )  # bytes that are none are a "?" in an address
    assert sessions.from_text(written) == sessions.accepted(json.loads(in_unicode))
    assert set(sessions.from_text(written)) == set(view)
    assert sessions.to_text(dict(reversed(view.items()))) == written


@given(RECIPES)
def test_a_recipe_comes_back_from_its_file(recipe):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.json"
        path.write_text(json.dumps(recipes.to_json(recipe), indent=1) + "\n", "utf-8")
        assert recipes.find(str(path)) == recipe


@st.composite
def trained(draw):
    """A model with random weights and history."""
    random = np.random.default_rng(draw(SEEDS))
    names = draw(st.lists(st.from_regex(r"[a-z]{1,5}\.[a-z]{1,5}", fullmatch=True), unique=True, max_size=4))
    weights = {
        name: random.normal(size=draw(st.sampled_from([(), (0,), (3,), (2, 3), (2, 1, 3, 3)]))) for name in names
    }
    weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
    weights |= {"norm.num_batches_tracked": np.asarray(draw(st.integers(0, 99)), np.int64)}
    losses = st.floats(0, 1e6)
    history = tuple(Epoch(i + 1, draw(losses), draw(or_none(losses))) for i in range(draw(st.integers(0, 3))))
    config = draw(built(AutoencoderConfig) | st.just(LayersConfig("conv(4,3,2,1) relu", "deconv(c,4,2,1)")))
    training = draw(or_none(built(TrainingConfig)))
    return TrainedModel(
        config, training, (8, 8, draw(st.sampled_from([1, 3]))), weights, history, draw(TEXT), draw(st.booleans())
    )


@given(trained())
def test_a_model_comes_back_from_a_folder_and_from_one_file(model):
    with tempfile.TemporaryDirectory() as folder:
        checkpoints.save(model, Path(folder) / "kept")
        checkpoints.write_checkpoint(model, Path(folder) / "m.safetensors")
        found = [checkpoints.load(Path(folder) / "kept"), checkpoints.read_checkpoint(Path(folder) / "m.safetensors")]
    for back in found:
        assert back.fingerprint == model.fingerprint
        for name in ("autoencoder", "training", "image_shape", "history", "trained_on", "stopped_early"):
            assert getattr(back, name) == getattr(model, name), name
        assert back.weights.keys() == model.weights.keys()
        for name, array in model.weights.items():
            assert back.weights[name].shape == array.shape and back.weights[name].tobytes() == array.tobytes()
    slower = tuple(replace(epoch, seconds=9.5) for epoch in model.history)
    turned = replace(model, weights=dict(reversed(model.weights.items())), history=slower)
    assert checkpoints.checkpoint_bytes(turned) == checkpoints.checkpoint_bytes(model)


@st.composite
def drawings(draw):
    """A map with colours by group or number, shapes, fields and pictures."""
    m, random = draw(st.integers(1, 9)), np.random.default_rng(draw(SEEDS))

    def category(most):
        k = draw(st.integers(1, most))
        gray = draw(st.sampled_from([None, k - 1]))
        return Category(draw(TEXT), random.integers(-1, k, m).astype(np.int32), tuple(f"{i}" for i in range(k)), gray)

    def number():
        values = random.normal(size=m).astype(np.float32)
        values[random.random(m) < 0.3] = np.nan
        return Number(draw(TEXT), values)

    return MapSpec(
        random.normal(size=(m, draw(st.sampled_from([2, 3])))).astype(np.float32),
        np.sort(random.choice(draw(st.sampled_from([m, 40])), m, replace=False)).astype(np.int32),
        category(90) if draw(st.booleans()) else number(),
        category(6) if draw(st.booleans()) else None,
        tuple(category(300) if draw(st.booleans()) else number() for _ in range(draw(st.integers(0, 2)))),
        draw(or_none(st.just(tuple(f"é{i}" for i in range(m))))),
        ("x", "y", "z"),
        draw(TEXT),
        draw(or_none(st.just(SheetLayout(m, 8, 8, 1, 64, 8, 1, False)))),
        crowd=draw(st.booleans()),
    )


def decoded(data):
    """Read a frame as the browser does: the header, and its arrays by name."""
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    start = 4 + length
    assert start % 4 == 0
    arrays = {}
    for name, place in header["arrays"].items():
        assert place["offset"] % 4 == 0
        arrays[name] = np.frombuffer(data, np.dtype(place["dtype"]), place["length"], start + place["offset"])
    return header, arrays


def restored(header_names, codes):
    """Texts of codes; what has no name is missing."""
    return [header_names[i] if i < len(header_names) else None for i in codes]


@given(drawings())
def test_a_map_comes_back_from_its_bytes_to_the_last_bit(spec):
    data = figures.encode(spec)
    header, arrays = decoded(data)
    assert data == figures.encode(spec)
    assert (header["n"], header["dim"]) == spec.coordinates.shape
    np.testing.assert_array_equal(np.column_stack([arrays[a] for a in "xyz"[: header["dim"]]]), spec.coordinates)
    np.testing.assert_array_equal(arrays.get("row", np.arange(header["n"])), spec.rows)
    assert header["ids"] == (None if spec.ids is None else list(spec.ids))
    columns = [(spec.color, header["color"], "group" if isinstance(spec.color, Category) else "value")]
    columns += [(column, told, told["array"]) for column, told in zip(spec.fields, header["fields"], strict=True)]
    for column, told, name in columns:
        if isinstance(column, Number):
            assert arrays[name].tobytes() == column.values.tobytes()
        else:
            missing = (None, figures.MISSING)
            for shown, code in zip(restored(told["names"], arrays[name]), column.codes, strict=True):
                assert shown in missing if code < 0 else shown == column.names[code]
    moved = spec.coordinates.copy()
    moved[0, 0] += 1
    assert decoded(figures.encode(replace(spec, coordinates=moved)))[0]["key"] != header["key"]


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), st.tuples(
    st.sampled_from(["<f4", "<f8", "<i8", "<i4", "|u1", "|b1", "<U3"]), st.sampled_from([(), (0,), (3,), (2, 3), (0, 4)])
), max_size=4), SEEDS)  # fmt: skip
def test_arrays_come_back_from_the_store_read_only(forms, seed):
    random = np.random.default_rng(seed)
    arrays = {name: np.asarray(random.integers(0, 2, shape)).astype(kind) for name, (kind, shape) in forms.items()}
    with tempfile.TemporaryDirectory() as folder:
        made = Store(Path(folder)).put("stage", KEY, arrays, {"seed": seed}, 0.5)
        found = Store(Path(folder)).get("stage", KEY)
        assert found is not None and found.info["seed"] == seed and found.seconds == 0.5
        for entry in (made, found):
            assert entry.arrays.keys() == arrays.keys()
            for name, array in arrays.items():
                assert entry.arrays[name].dtype == array.dtype and entry.arrays[name].tobytes() == array.tobytes()
                assert entry.arrays[name].shape == array.shape and not entry.arrays[name].flags.writeable


@given(IDS, SEEDS, st.booleans())
def test_images_and_stages_come_back_from_entries(ids, seed, numbered):
    assume(len(ids) > 1)
    random, n = np.random.default_rng(seed), len(ids)
    images = image_set(
        random.integers(0, 256, (n, 8, 8, 3), np.uint8), random.integers(-1, 2, n), ("a", "b"),
        ids=None if numbered else ids, name=ids[0], skipped=[Skipped("x", "y")], columns={"Part": np.array(ids)},
    )  # fmt: skip
    info = json.loads(json.dumps(entries.images_info(images)))
    back = entries.images_of(Entry(entries.images_arrays(images), info, 0.0))
    for name in ("classes", "ids", "name", "fingerprint", "skipped"):
        assert getattr(back, name) == getattr(images, name)
    np.testing.assert_array_equal(back.x, images.x)
    np.testing.assert_array_equal(back.y, images.y)
    np.testing.assert_array_equal(back.columns["Part"], images.columns["Part"])
    grouped = Clustering(
        np.zeros(n, np.int32), np.zeros((1, 2), np.float32), 1 / 3, 4, strength=random.random(n).astype(np.float32)
    )
    found = entries.clustering_of(Entry(entries.clustering_arrays(grouped), {"inertia": 1 / 3, "n_iter": 4}, 0.0))
    assert (found.inertia, found.n_iter, found.confidence) == (1 / 3, 4, None)
    np.testing.assert_array_equal(found.strength, grouped.strength)
    place = Projection(
        random.random((n, 2), np.float32), kl_divergence=1 / 7, fitted=1, kept_fitted=0.5, kept_placed=0.25
    )
    info = json.loads(json.dumps(entries.projection_info(place)))
    found_map = entries.projection_of(Entry(entries.projection_arrays(place), info, 0.0))
    np.testing.assert_array_equal(found_map.coordinates, place.coordinates)
    assert replace(found_map, coordinates=0) == replace(place, coordinates=0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(JSON)
def test_no_json_at_all_breaks_the_readers_of_views_and_reviews(value):
    assert event_of(value, 0) is None
    assert sessions.accepted(value) == {}


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: b"", lambda data: b"\xff" + data])
def test_a_cut_or_changed_address_is_an_empty_view(spoil):
    written = sessions.to_text({"standardize": True}).encode()
    assert sessions.from_text(spoil(written).decode("latin-1")) in ({}, {"standardize": True})
