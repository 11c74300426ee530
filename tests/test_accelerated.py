"""Libraries for a GPU behind our configs: the same results on the CPU, and ours where they cannot be used."""

import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from core import accelerated, projection
from core.clustering import cluster
from core.config import KMeansConfig, PCAConfig, TSNEConfig
from core.errors import ConfigError
from core.progress import Cancelled
from core.projection import linear, project, torchdr_maps
from core.projection.tsne import tsne
from tests.test_tsne import affinities, divergence, groups

SHORT = TSNEConfig(perplexity=10, n_iter=150, early_exaggeration_iter=100)
needs_torchdr = pytest.mark.skipif(not accelerated.find_spec("torchdr"), reason="TorchDR is not installed")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


def say(monkeypatch, *libraries):
    """Let these libraries be usable, and note what is asked for on the GPU."""
    monkeypatch.setattr(accelerated, "usable", lambda library: library in libraries)


@needs_torchdr
@pytest.mark.parametrize("init", ["pca", "random"])
@pytest.mark.parametrize("k", [2, 3])
def test_torchdr_s_map_has_the_divergence_it_says(init, k):
    values, config = groups(), TSNEConfig(k, 10, early_exaggeration_iter=100, n_iter=150, init=init)
    state = torch.get_rng_state()
    coordinates, told = torchdr_maps.tsne(values, config, "cpu")
    assert torch.equal(torch.get_rng_state(), state)
    assert coordinates.shape == (200, k) and coordinates.dtype == np.float32
    np.testing.assert_allclose(coordinates.mean(axis=0), 0, atol=1e-4)
    assert told == pytest.approx(divergence(affinities(values).P, coordinates), abs=2e-3)
    np.testing.assert_array_equal(torchdr_maps.tsne(values, config, "cpu")[0], coordinates)


@needs_torchdr
@pytest.mark.parametrize("k", [2, 3])
def test_torchdr_s_maps_are_on_average_as_good_as_ours(k):
    values = groups()  # so few points end in one of many optima: which one, differs between kinds of processors
    configs = [TSNEConfig(k, 10, early_exaggeration_iter=100, seed=seed) for seed in range(4)]
    theirs = np.mean([torchdr_maps.tsne(values, config, "cpu")[1] for config in configs])
    assert theirs < 1.1 * np.mean([tsne(values, config)[1] for config in configs])


@needs_torchdr
def test_torchdr_reports_the_forming_map_and_can_be_cancelled():
    seen = []
    coordinates, told = torchdr_maps.tsne(groups(), SHORT, "cpu", seen.append)
    assert [item.done for item in seen] == [0, *range(20, 250, 20), 250]
    assert seen[-1].metrics["kl_divergence"] == told < seen[6].metrics["kl_divergence"]
    np.testing.assert_array_equal(seen[-1].preview["coordinates"], coordinates)

    def stop(progress):
        if progress.done == 40:
            raise Cancelled

    with pytest.raises(Cancelled):
        torchdr_maps.tsne(groups(), SHORT, "cpu", stop)


@needs_torchdr
def test_images_that_coincide_get_finite_places():
    values = np.repeat(groups(40), 3, axis=0)
    assert np.isfinite(torchdr_maps.tsne(values, SHORT, "cpu")[0]).all()


@needs_torchdr
@pytest.mark.parametrize("shape", [(300, 6), (8, 20)])
def test_torchdr_s_components_are_ours_with_their_signs(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32) * np.arange(1, shape[1] + 1) + 5
    scores, ratios = torchdr_maps.pca(values.astype(np.float32), 3, "cpu")
    ours, expected = linear.pca(values, 3)
    np.testing.assert_allclose(scores, ours, atol=1e-3)
    np.testing.assert_allclose(ratios, expected, atol=1e-5)
    assert scores.dtype == ratios.dtype == np.float32


def test_entropy_of_affinities_by_hand():
    # Rows of two points with one neighbour each: p = 1/2 both ways; of three in a ring, each half 1/6 both ways.
    assert torchdr_maps._entropy(np.full((2, 1), 0.5), np.array([[1], [0]])) == pytest.approx(np.log(2))
    ring = torchdr_maps._entropy(np.full((3, 1), 1 / 3), np.array([[1], [2], [0]]))
    assert ring == pytest.approx(np.log(6))


def test_nothing_is_used_without_a_gpu_or_where_someone_said_no(monkeypatch):
    monkeypatch.setattr(accelerated, "find_spec", lambda name: object() if name == "torchdr" else None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not accelerated.usable("torchdr")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert accelerated.usable("torchdr") and not accelerated.usable("cuml")
    for word in ("no", "NO", "0", "false"):
        monkeypatch.setenv(accelerated.SWITCH, word)
        assert not accelerated.usable("torchdr")


def test_a_map_goes_to_the_gpu_only_where_the_library_makes_it(monkeypatch):
    say(monkeypatch, "torchdr")
    asked = []

    def there(values, config, device, callback):
        asked.append((device, config.metric))
        return np.zeros((len(values), 2), np.float32), 0.5

    monkeypatch.setattr(torchdr_maps, "tsne", there)
    assert project(groups(), SHORT).kl_divergence == 0.5
    project(groups(60), TSNEConfig(perplexity=5, n_iter=20, early_exaggeration_iter=0, metric="cosine"))
    project(groups(60), TSNEConfig(perplexity=5, n_iter=20, early_exaggeration_iter=0, init="spectral"))
    assert asked == [("cuda", "euclidean")]
    with pytest.raises(ConfigError, match="Perplexity 100 needs at least 301"):
        project(groups(), TSNEConfig(perplexity=100))


def test_components_of_much_go_to_the_gpu(monkeypatch):
    say(monkeypatch, "torchdr")
    monkeypatch.setattr(torchdr_maps, "pca", lambda values, k, device: (values[:, :k], np.ones(k)))
    values = groups()
    assert project(values, PCAConfig(2)).coordinates is not values[:, :2]
    np.testing.assert_allclose(project(values, PCAConfig(2)).coordinates.mean(axis=0), 0, atol=1e-5)
    monkeypatch.setattr(linear, "SMALL_WORK", 0)
    np.testing.assert_array_equal(project(values, PCAConfig(2)).coordinates, values[:, :2])


def test_too_little_memory_is_said_once_and_the_cpu_goes_on(monkeypatch, caplog):
    say(monkeypatch, "torchdr")

    def there(values, config, device, callback):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torchdr_maps, "tsne", there)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    with caplog.at_level(logging.WARNING):
        made = project(groups(), SHORT)
    np.testing.assert_array_equal(made.coordinates, tsne(groups(), SHORT)[0])
    assert [record.getMessage() for record in caplog.records] == [
        "The GPU has too little memory for t-SNE of so many images; going on with the CPU."
    ]


def test_cuml_gets_our_settings_and_its_centers_end_where_ours_would(monkeypatch):
    asked = []

    class KMeans:
        def __init__(self, **settings):
            asked.append(settings)

        def fit(self, points):
            assert points.dtype == np.float32
            self.cluster_centers_ = points[[0, 1, 2, 3]]
            return self

    monkeypatch.setitem(sys.modules, "cuml", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cuml.cluster", SimpleNamespace(KMeans=KMeans))
    say(monkeypatch, "cuml")
    values = groups(d=4)
    found = cluster(values, KMeansConfig(4, n_init=3, max_iter=50, seed=7))
    assert asked == [{"n_clusters": 4, "n_init": 3, "max_iter": 50, "random_state": 7, "output_type": "numpy"}]
    say(monkeypatch)
    assert found.inertia == pytest.approx(cluster(values, KMeansConfig(4)).inertia, rel=1e-3)
    np.testing.assert_array_equal(found.labels, found.labels.astype(np.int32))


@pytest.mark.gpu
@needs_gpu
@needs_torchdr
def test_a_gpu_makes_maps_as_good_as_the_cpu_s():
    configs = [TSNEConfig(perplexity=10, early_exaggeration_iter=100, seed=seed) for seed in range(4)]
    made = np.mean([projection.project(groups(), config).kl_divergence for config in configs])
    assert made < 1.1 * np.mean([tsne(groups(), config)[1] for config in configs])
    np.testing.assert_allclose(torchdr_maps.pca(groups(), 3, "cuda")[0], linear._pca(groups(), 3)[0], atol=1e-3)
