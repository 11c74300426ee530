"""Predictions only have to sort stages: what follows a slider, and what waits for a button."""

from core.config import ClusterConfig, KernelPCAConfig, PCAConfig, ReductionConfig, TSNEConfig, UMAPConfig
from core.timing import predict_seconds


def test_pca_and_kmeans_of_the_samples_follow_a_slider():
    for config in (
        PCAConfig(2),
        KernelPCAConfig(2),
        ReductionConfig(),
        ReductionConfig(True, PCAConfig(10)),
        ClusterConfig(),
    ):
        assert predict_seconds(config, 5000, 32) < 2


def test_tsne_and_umap_of_the_samples_wait_for_a_button():
    assert predict_seconds(TSNEConfig(2), 5000, 32) > 2
    assert predict_seconds(UMAPConfig(2), 5000, 32) > 2


def test_more_images_and_a_third_dimension_take_longer():
    assert predict_seconds(TSNEConfig(2), 10_000, 32) > predict_seconds(TSNEConfig(2), 5000, 32)
    assert predict_seconds(TSNEConfig(3), 5000, 32) > predict_seconds(TSNEConfig(2), 5000, 32)


def test_a_moved_perplexity_of_10000_images_follows_a_slider():
    assert predict_seconds(TSNEConfig(2, perplexity=40), 10_000, 32, going_on=60) < 2
    assert predict_seconds(TSNEConfig(2, perplexity=40), 10_000, 32) > 2
    far = predict_seconds(TSNEConfig(2, perplexity=40), 10_000, 32, going_on=250)
    assert predict_seconds(TSNEConfig(2, perplexity=40), 10_000, 32, going_on=60) < far
