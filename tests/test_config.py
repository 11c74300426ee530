"""Configs: what they refuse, and that JSON gives back what it was given."""

import json

import pytest

from core.config import (
    AgglomerativeConfig,
    AutoencoderConfig,
    ClassifierConfig,
    ClusterConfig,
    FeaturesConfig,
    GaussianMixtureConfig,
    HDBSCANConfig,
    KernelPCAConfig,
    KMeansConfig,
    LayersConfig,
    MiniBatchKMeansConfig,
    PCAConfig,
    ReductionConfig,
    SpectralConfig,
    TrainingConfig,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
    clusters_of,
    from_json,
    plain,
    seed_of,
    to_json,
    with_clusters,
    with_seed,
)
from core.errors import ConfigError

EXAMPLES = [
    AutoencoderConfig(latent_size=1, width=4, value_range="symmetric"),
    LayersConfig("conv(4, 3,1,1)  RELU", "deconv(c,3,1,1)", latent_size=5),
    ClassifierConfig("resnet18", layer="layer1", crop=32, resize=40),
    FeaturesConfig(ClassifierConfig("resnet18", crop=32), 512, "0f" * 16, file="/r.pt", width=16),
    TrainingConfig(loss="huber", optimizer="sgd", learning_rate=0.5, epochs=1, validation_share=0.5, seed=7),
    PCAConfig(n_components=3),
    KernelPCAConfig(kernel="poly", gamma=0.25, degree=2),
    TruncatedSVDConfig(n_components=5, seed=1),
    TSNEConfig(perplexity=7.5, n_iter=1, init="random", metric="cosine"),
    UMAPConfig(n_neighbors=2, min_dist=0.0, metric="manhattan"),
    KMeansConfig(n_clusters=1),
    MiniBatchKMeansConfig(batch_size=1),
    GaussianMixtureConfig(n_clusters=2, covariance="tied", reg_covar=1e-3),
    AgglomerativeConfig(n_clusters=4, graph_neighbors=8),
    HDBSCANConfig(min_cluster_size=5, min_samples=2, cluster_selection_method="leaf"),
    SpectralConfig(n_clusters=3, graph_neighbors=4, seed=9),
    ReductionConfig(standardize=True, method=KernelPCAConfig(n_components=4)),
    ClusterConfig(method=MiniBatchKMeansConfig(n_clusters=3), on="projection"),
]

REFUSED = [
    (AutoencoderConfig, {"latent_size": 0}, "latent_size 0 must be between 1 and 4096."),
    (AutoencoderConfig, {"latent_size": 4097}, "latent_size 4097 must be between 1 and 4096."),
    (AutoencoderConfig, {"latent_size": 8.0}, "latent_size 8.0 must be a whole number."),
    (AutoencoderConfig, {"latent_size": True}, "latent_size True must be a whole number."),
    (AutoencoderConfig, {"width": 3}, "width 3 must be between 4 and 256."),
    (TrainingConfig, {"loss": "bce"}, "loss 'bce' must be one of mse, l1, huber."),
    (TrainingConfig, {"optimizer": "lion"}, "optimizer 'lion' must be one of adam, adamw, sgd."),
    (TrainingConfig, {"learning_rate": 0.0}, "learning_rate 0.0 must be greater than 0."),
    (TrainingConfig, {"learning_rate": float("inf")}, "learning_rate inf must be greater than 0."),
    (TrainingConfig, {"learning_rate": float("nan")}, "learning_rate nan must be greater than 0."),
    (TrainingConfig, {"learning_rate": 10**400}, f"learning_rate 1{'0' * 79} must be greater than 0."),
    (TSNEConfig, {"perplexity": 10**400}, f"perplexity 1{'0' * 79} must be at least 1."),
    (TrainingConfig, {"weight_decay": -1e-9}, "weight_decay -1e-09 must be at least 0."),
    (TrainingConfig, {"weight_decay": float("nan")}, "weight_decay nan must be at least 0."),
    (TrainingConfig, {"batch_size": 0}, "batch_size 0 must be between 1 and 65536."),
    (TrainingConfig, {"epochs": 0}, "epochs 0 must be between 1 and 100000."),
    (TrainingConfig, {"validation_share": 0.51}, "validation_share 0.51 must be between 0 and 0.5."),
    (TrainingConfig, {"seed": -1}, "seed -1 must be between 0 and 4294967295."),
    (PCAConfig, {"n_components": 0}, "n_components 0 must be at least 1."),
    (KernelPCAConfig, {"kernel": "sigmoid"}, "kernel 'sigmoid' must be one of rbf, poly, cosine."),
    (KernelPCAConfig, {"gamma": -1.0}, "gamma -1.0 must be greater than 0."),
    (KernelPCAConfig, {"degree": 11}, "degree 11 must be between 1 and 10."),
    (KernelPCAConfig, {"n_landmarks": 9}, "n_landmarks 9 must be between 10 and 10000."),
    (TruncatedSVDConfig, {"n_components": 0}, "n_components 0 must be at least 1."),
    (TSNEConfig, {"n_components": 4}, "n_components 4 must be between 1 and 3."),
    (TSNEConfig, {"perplexity": 0.5}, "perplexity 0.5 must be at least 1."),
    (TSNEConfig, {"perplexity": "30"}, "perplexity '30' must be at least 1."),
    (TSNEConfig, {"early_exaggeration": 0.9}, "early_exaggeration 0.9 must be between 1 and 1000."),
    (TSNEConfig, {"n_iter": 0}, "n_iter 0 must be between 1 and 100000."),
    (TSNEConfig, {"init": "zero"}, "init 'zero' must be one of pca, random, spectral, sample."),
    (TSNEConfig, {"metric": "l7"}, "metric 'l7' must be one of euclidean, cosine, manhattan."),
    (UMAPConfig, {"n_neighbors": 1}, "n_neighbors 1 must be at least 2."),
    (UMAPConfig, {"min_dist": 1.5}, "min_dist 1.5 must be between 0 and 1."),
    (KMeansConfig, {"n_clusters": 0}, "n_clusters 0 must be at least 1."),
    (KMeansConfig, {"n_init": 0}, "n_init 0 must be between 1 and 1000."),
    (MiniBatchKMeansConfig, {"batch_size": 0}, "batch_size 0 must be at least 1."),
    (
        GaussianMixtureConfig,
        {"covariance": "round"},
        "covariance 'round' must be one of full, tied, diag, spherical.",
    ),
    (GaussianMixtureConfig, {"reg_covar": 0.0}, "reg_covar 0.0 must be greater than 0."),
    (GaussianMixtureConfig, {"reg_covar": 2.0}, "reg_covar 2.0 must be between 0 and 1."),
    (
        AgglomerativeConfig,
        {"linkage": "centroid"},
        "linkage 'centroid' must be one of ward, average, complete, single.",
    ),
    (AgglomerativeConfig, {"graph_neighbors": 1}, "graph_neighbors 1 must be between 2 and 1000."),
    (
        AgglomerativeConfig,
        {"linkage": "single", "graph_neighbors": 5},
        "graph_neighbors is for ward linkage; with single leave it out.",
    ),
    (HDBSCANConfig, {"min_cluster_size": 1}, "min_cluster_size 1 must be at least 2."),
    (HDBSCANConfig, {"min_samples": 0}, "min_samples 0 must be at least 1."),
    (HDBSCANConfig, {"cluster_selection_method": "all"}, "cluster_selection_method 'all' must be one of eom, leaf."),
    (SpectralConfig, {"graph_neighbors": 1001}, "graph_neighbors 1001 must be between 2 and 1000."),
    (SpectralConfig, {"n_clusters": 0}, "n_clusters 0 must be at least 1."),
    (
        FeaturesConfig,
        {"network": ClassifierConfig("os:system('x')"), "n_features": 8, "weights": "0" * 32},
        "Pretrained features need the settings of a named network.",
    ),
    (
        FeaturesConfig,
        {"network": ClassifierConfig(), "n_features": 8, "weights": "0"},
        "weights '0' must be a checksum of 32 hexadecimal digits.",
    ),
    (
        FeaturesConfig,
        {"network": ClassifierConfig(), "n_features": 0, "weights": "0" * 32},
        "n_features 0 must be between 1 and 65536.",
    ),
    (ReductionConfig, {"standardize": 1}, "standardize 1 must be true or false."),
    (ClusterConfig, {"method": TSNEConfig()}, "TSNEConfig is not a clustering."),
    (ReductionConfig, {"method": TSNEConfig()}, "TSNEConfig cannot be the first reduction."),
    (ClusterConfig, {"on": "pixels"}, "on 'pixels' must be one of latents, reduced, manifold, projection."),
]


def test_every_config_class_has_an_example():
    assert {type(example) for example in EXAMPLES} == set(plain.CLASSES)


@pytest.mark.parametrize("cls", sorted(set(plain.CLASSES) - {LayersConfig, FeaturesConfig}, key=str))
def test_defaults_pass_their_own_checks_and_survive_json(cls):
    assert from_json(json.loads(json.dumps(to_json(cls())))) == cls()


@pytest.mark.parametrize("example", EXAMPLES)
def test_json_gives_back_an_equal_config(example):
    assert from_json(json.loads(json.dumps(to_json(example), allow_nan=False))) == example


@pytest.mark.parametrize(("cls", "settings", "sentence"), REFUSED)
def test_what_cannot_work_is_refused_with_value_and_limit(cls, settings, sentence):
    with pytest.raises(ConfigError) as caught:
        cls(**settings)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(("cls", "settings", "sentence"), REFUSED)
def test_json_is_checked_like_a_call(cls, settings, sentence):
    values = {"type": cls.__name__, **settings}
    if isinstance(values.get("method"), TSNEConfig):
        values["method"] = to_json(values["method"])
    with pytest.raises(ConfigError, match=r"^" + sentence.split(" ")[0]):
        from_json(values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"type": "PCAConfig", "perplexity": 3}, "PCAConfig has no setting 'perplexity'"),
        ({"type": "ISOMAPConfig"}, "'ISOMAPConfig' is not one of"),
        ({"n_components": 2}, "needs a 'type'"),
        ({"type": 3}, "needs a 'type'"),
        ([1, 2], "needs a 'type'"),
        (None, "needs a 'type'"),
    ],
)
def test_json_with_unknown_types_and_settings_is_refused(values, words):
    with pytest.raises(ConfigError, match=words):
        from_json(values)


def test_a_clustering_that_takes_no_number_or_no_seed_stays_as_it_is():
    assert (clusters_of(KMeansConfig(4)), seed_of(KMeansConfig(seed=2))) == (4, 2)
    assert with_seed(with_clusters(SpectralConfig(), 5), 6) == SpectralConfig(5, seed=6)
    assert (clusters_of(AgglomerativeConfig(7)), seed_of(AgglomerativeConfig())) == (7, None)
    assert with_seed(AgglomerativeConfig(7), 1) == AgglomerativeConfig(7)
    assert (clusters_of(HDBSCANConfig()), seed_of(HDBSCANConfig())) == (None, None)
    assert with_seed(with_clusters(HDBSCANConfig(9), 3), 3) == HDBSCANConfig(9)


def test_configs_cannot_be_changed():
    with pytest.raises(AttributeError):
        PCAConfig().n_components = 3
