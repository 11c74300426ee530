"""Store keys: equal settings have equal keys, any other setting has another, and nothing else counts."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import analyses, classified, keys, recipes, runs
from core.config import ClassifierConfig, ClusterConfig, FeaturesConfig, LayersConfig, from_json, plain, to_json
from core.config.checks import LATER
from core.images import image_set, source_from_json, source_to_json
from core.models import TrainedModel
from core.plans import Plan, TrainSpec
from core.recipes import Recipe
from core.store import fingerprint, key_of
from tests.properties.strategies import PLANS, RECIPES, SETTINGS, SOURCES, built

ROOT = Path(__file__).parents[2]
IMAGES = image_set(np.arange(2 * 64, dtype=np.uint8).reshape(2, 8, 8))
ABOVE = "0" * 32  # key of the stage before
WITHOUT_DEFAULTS = (LayersConfig, FeaturesConfig)
CLASSES = sorted(SETTINGS, key=lambda cls: cls.__name__)
# Settings that say how a result is made and not what it is, or that another part of the key stands for.
NOT_IN_KEY = {(ClassifierConfig, "batch_size"), (ClusterConfig, "on"), (FeaturesConfig, "file")}


def key_with(config, weights):
    """Return the key of the stage that a config is for, as the pipeline makes it."""
    name = type(config).__name__
    if isinstance(config, ClassifierConfig):
        return classified.read(config, str(weights), None).fingerprint
    if isinstance(config, ClusterConfig):
        on = keys.manifold_key(ABOVE, config.manifold) if config.on == "manifold" else ABOVE
        return keys.clustering_key(on, config)
    if name == "ReductionConfig":
        return keys.reduced_key(ABOVE, config)
    if name == "TrainingConfig":
        return keys.model_key(IMAGES, TrainSpec(training=config))
    if name in ("AutoencoderConfig", "LayersConfig", "FeaturesConfig"):
        return keys.model_key(IMAGES, TrainSpec(config))
    if type(config) in analyses.ANALYSES:
        return key_of(1, ABOVE, to_json(config))
    return keys.projection_key(ABOVE, config)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    path.write_bytes(b"weights")
    return path


def test_every_setting_of_every_config_class_is_tried():
    assert set(SETTINGS) == {*plain.CLASSES, *analyses.ANALYSES}
    for cls, settings in SETTINGS.items():
        assert set(settings) == {item.name for item in dataclasses.fields(cls)}, cls.__name__


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_configs_are_equal_just_where_their_json_is(cls, data):
    one = data.draw(built(cls))
    other = data.draw(built(cls))
    same = dataclasses.replace(one)
    assert (json.dumps(to_json(one)) == json.dumps(to_json(other))) == (one == other)
    assert one == same and json.dumps(to_json(one)) == json.dumps(to_json(same))


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls in plain.CLASSES], ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_a_whole_number_is_the_same_setting_as_the_float_that_equals_it(cls, data):
    config = data.draw(built(cls))
    fields = [item for item in dataclasses.fields(cls) if item.type in (float, float | None)]
    for item in fields:
        value = getattr(config, item.name)
        if value is not None and value == int(value):
            for twin in (int(value), float(value), value * 1.0 - 0.0):
                other = dataclasses.replace(config, **{item.name: twin})
                assert other == config and json.dumps(to_json(other)) == json.dumps(to_json(config))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_another_value_of_any_setting_is_another_key(cls, data, weights):
    config = data.draw(st.builds(cls, **SETTINGS[cls]))  # of which each setting can change alone
    for name, strategy in SETTINGS[cls].items():
        other = dataclasses.replace(config, **{name: data.draw(strategy)})
        expected = (cls, name) in NOT_IN_KEY or other == config
        assert (key_with(other, weights) == key_with(config, weights)) == expected, name


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls in plain.CLASSES], ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_a_config_comes_back_from_json_whatever_its_order(cls, data):
    config = data.draw(built(cls))
    values = json.loads(json.dumps(to_json(config), allow_nan=False))
    assert from_json(values) == config
    turned = dict(reversed(values.items()))
    assert from_json(turned) == config
    assert key_of(1, turned) == key_of(1, values) == key_of(1, to_json(config))


@pytest.mark.parametrize(
    "cls", [cls for cls in plain.CLASSES if cls not in WITHOUT_DEFAULTS], ids=lambda cls: cls.__name__
)
def test_a_setting_that_came_later_leaves_the_key_as_it_was_while_it_is_at_its_default(cls):
    field = ("came_later", int | None, dataclasses.field(default=None, metadata=LATER))
    newer = dataclasses.make_dataclass(cls.__name__, [field], bases=(cls,), frozen=True)
    assert to_json(newer()) == to_json(cls())
    assert key_of(1, to_json(newer(came_later=3))) != key_of(1, to_json(cls()))


@given(SOURCES)
def test_a_source_comes_back_from_json(source):
    assert source_from_json(json.loads(json.dumps(source_to_json(source)))) == source


@given(PLANS)
def test_a_plan_comes_back_from_json_with_the_same_key(plan):
    back = recipes.rebuilt(json.loads(json.dumps(recipes.plain(plan), allow_nan=False)))
    assert isinstance(back, Plan) and back == plan
    assert runs.key(back) == runs.key(plan)


@given(RECIPES)
def test_a_recipe_comes_back_from_json(recipe):
    back = recipes.from_json(json.loads(json.dumps(recipes.to_json(recipe), allow_nan=False)))
    assert isinstance(back, Recipe) and back == recipe


@given(PLANS, PLANS)
def test_only_equal_plans_have_one_key(one, other):
    assert (runs.key(one) == runs.key(other)) == (one == other)


@given(st.lists(st.integers(0, 255), min_size=64, max_size=64), st.integers(0, 63))
def test_any_pixel_is_in_the_fingerprint_and_the_layout_in_memory_is_not(pixels, at):
    x = np.array([pixels, pixels[::-1]], np.uint8).reshape(2, 8, 8, 1)
    assert fingerprint(np.asfortranarray(x)) == fingerprint(x) == fingerprint(np.repeat(x, 2, 0)[::2])
    other = x.copy()
    other.reshape(-1)[at] ^= 1
    assert fingerprint(other) != fingerprint(x) != fingerprint(x.reshape(2, 4, 16, 1))


def test_neither_names_nor_labels_nor_the_device_are_in_the_key_of_a_model():
    named = image_set(IMAGES.x, np.array([0, 1]), ("a", "b"), ids=["p.png", "q.png"], name="elsewhere")
    spec = TrainSpec()
    assert keys.model_key(named, spec) == keys.model_key(IMAGES, spec)
    assert keys.model_key(IMAGES, dataclasses.replace(spec, checkpoint_every=5)) == keys.model_key(IMAGES, spec)
    weights = {"a": np.ones(2, np.float32), "b": np.zeros(3, np.float32)}
    one = TrainedModel(spec.autoencoder, spec.training, (8, 8, 1), weights, trained_on="here")
    other = dataclasses.replace(one, weights=dict(reversed(weights.items())), trained_on="there", stopped_early=True)
    assert one.fingerprint == other.fingerprint


def test_another_process_with_another_hash_seed_and_other_threads_has_the_same_keys(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.properties.test_keys import of_defaults; print(of_defaults())"
    )
    found = []
    for seed, threads in (("1", "1"), ("2", "2")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads}
        found.append(
            subprocess.run(
                [sys.executable, "-c", code, str(ROOT)],
                cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
            ).stdout.strip()
        )  # fmt: skip
    assert found == [str(of_defaults())] * 2


def of_defaults():
    """Return keys of each stage at its defaults, and of all recipes."""
    configs = [cls() for cls in plain.CLASSES if cls not in (*WITHOUT_DEFAULTS, ClassifierConfig)]
    return [key_with(config, None) for config in configs] + [
        key_of(1, recipes.to_json(recipe)) for recipe in recipes.RECIPES.values()
    ]
