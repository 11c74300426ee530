"""A map that goes on from another one has a key of its own, is found again, and is the same each time."""

import numpy as np
import pytest

from core import keys, moving, stages
from core.config import TSNEConfig
from core.errors import ConfigError
from core.plans import Staged
from core.projection import Reduced
from core.store import Store

BEFORE = TSNEConfig(perplexity=5, n_iter=60, early_exaggeration_iter=40)
AFTER = TSNEConfig(perplexity=8, n_iter=60, early_exaggeration_iter=40)


@pytest.fixture
def latents(rng):
    """Latents of 60 images, as a stage."""
    return Staged(Reduced(rng.normal(size=(60, 4)).astype(np.float32)), "latents", True, 0.0)


def test_a_moved_map_is_found_again_and_never_taken_for_one_begun_anew(store, latents):
    start = stages.projection(store, latents, BEFORE)
    first = moving.moved(store, latents, start, AFTER)
    again = moving.moved(store, latents, start, AFTER)
    assert not first.found and again.found
    np.testing.assert_array_equal(first.value.coordinates, again.value.coordinates)
    anew = stages.projection(store, latents, AFTER)
    assert not anew.found and anew.key != first.key
    assert not (anew.value.coordinates == first.value.coordinates).all()
    further = moving.moved(store, latents, first, BEFORE)
    assert further.key not in (start.key, keys.moved_key("latents", BEFORE, start.key))


def test_a_moved_map_is_the_same_in_another_store(store, latents, tmp_path):
    other = Store(tmp_path / "other")
    maps = [moving.moved(s, latents, stages.projection(s, latents, BEFORE), AFTER) for s in (store, other)]
    assert maps[0].key == maps[1].key
    np.testing.assert_array_equal(maps[0].value.coordinates, maps[1].value.coordinates)


def test_neighbours_are_found_once(store, latents, monkeypatch):
    start = stages.projection(store, latents, BEFORE)
    monkeypatch.setattr(stages, "search", None)  # would raise when called
    moving.moved(store, latents, start, AFTER)
    moving.moved(store, latents, start, TSNEConfig(perplexity=10, n_iter=60))


def test_a_map_of_other_dimensions_is_refused(store, latents):
    start = stages.projection(store, latents, BEFORE)
    with pytest.raises(ConfigError, match=r"does not fit a map of \(60, 3\)"):
        moving.moved(store, latents, start, TSNEConfig(3, perplexity=8))
