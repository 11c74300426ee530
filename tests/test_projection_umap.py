"""UMAP, apart from the others because its import compiles for seconds."""

import numpy as np
import pytest

from core.config import UMAPConfig
from core.errors import ConfigError
from core.progress import Cancelled
from core.projection import project
from tests.test_projection import apart, blobs

pytestmark = pytest.mark.xdist_group("umap")


@pytest.mark.parametrize("dimensions", [2, 3])
def test_umap_keeps_groups_together_and_repeats_itself(dimensions):
    values, y = blobs()
    config = UMAPConfig(dimensions, n_neighbors=8)
    first, second = project(values, config), project(values, config)
    assert first.coordinates.shape == (60, dimensions)
    assert first.coordinates.dtype == np.float32
    assert apart(first.coordinates, y)
    np.testing.assert_array_equal(first.coordinates, second.coordinates)


def test_umap_needs_more_images_than_neighbours():
    with pytest.raises(ConfigError, match="n_neighbors 60 needs at least 61 images; this set has 60"):
        project(blobs()[0], UMAPConfig(2, n_neighbors=60))


def test_umap_stops_when_asked():
    def stop(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        project(blobs()[0], UMAPConfig(2, n_neighbors=8), stop)
