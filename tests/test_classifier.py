"""Trained classifiers, on networks small enough to be worked out by hand."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models
from torchvision.transforms import v2

from core import classified, classifier, networks, pipeline, review, tables
from core.config import ClassifierConfig, KMeansConfig, PCAConfig
from core.errors import CheckpointError, ConfigError, DataError
from core.images import ArraySource, FolderSource, load
from core.plans import ClusterConfig, Plan, TrainedClassifier
from core.progress import Cancelled, ignore
from core.readers.classnames import ClassName, match_classes, read_class_names
from core.readers.pixels import Pixels

NETWORK = """
import torch
from torch import nn

class Mean(nn.Module):
    def __init__(self, n=2):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.relu = nn.ReLU(inplace=True)
        self.last = nn.Linear(3, n)

    def forward(self, x):
        x = self.pool(x).flatten(1)
        self.seen = x
        return self.last(self.relu(x))

    @classmethod
    def of_size(cls, n, *, extra=0):
        return cls(n + extra)

def text():
    return "no network"
"""
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


@pytest.fixture
def network(tmp_path, monkeypatch):
    """Weights of a network that calls an image 1 when it is bright, in a module that can be imported."""
    (tmp_path / "brightness_net.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    weights = {"last.weight": torch.tensor([[-1.0, 0, 0], [1.0, 0, 0]]), "last.bias": torch.tensor([0.5, -0.5])}
    save_file(weights, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def _config(**options):
    return ClassifierConfig("brightness_net:Mean", resize=8, crop=8, batch_size=2, **PLAIN | options)


def _pixels(values):
    def give(start, stop):
        return np.stack([np.full((8, 8, 3), value, np.uint8) for value in values[start:stop]])

    return give


def test_probabilities_and_features_by_hand(network):
    loaded = networks.load(_config(), network)
    assert (loaded.n_classes, loaded.features) == (2, "last")
    found = classifier.infer(loaded, _pixels([0, 255, 102]), 3)
    brightness = np.array([0, 1, 0.4])
    np.testing.assert_allclose(found.features, np.repeat(brightness[:, None], 3, axis=1), atol=1e-6)
    np.testing.assert_allclose(found.probabilities[:, 1], 1 / (1 + np.exp(1 - 2 * brightness)), atol=1e-6)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)


def test_what_works_in_place_after_a_layer_does_not_change_its_output(network):
    config = _config(layer="pool", mean=(0.5, 0.5, 0.5))
    found = classifier.infer(networks.load(config, network), _pixels([0, 255]), 2)
    np.testing.assert_allclose(found.features, [[-0.5] * 3, [0.5] * 3], atol=1e-6)


def test_finished_chunks_are_not_read_again(network):
    loaded = networks.load(_config(), network)
    asked, kept = [], {}

    def give(start, stop):
        asked.append((start, stop))
        return _pixels(range(0, 200, 20))(start, stop)

    def stop_after_two(start, part):
        kept[start] = part
        if len(kept) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        classifier.infer(loaded, give, 10, finished=stop_after_two, chunk=4)
    assert set(kept) == {0, 4}
    asked.clear()
    whole = classifier.infer(loaded, give, 10, done=kept, chunk=4)
    assert asked == [(8, 10)]
    again = classifier.infer(loaded, give, 10, chunk=4)
    np.testing.assert_array_equal(whole.probabilities, again.probabilities)


def test_a_torchvision_network_has_as_many_classes_as_its_file_says(tmp_path):
    torch.manual_seed(0)
    save_file(models.squeezenet1_1(num_classes=7).state_dict(), tmp_path / "s.safetensors")
    torch.save(models.resnet18(num_classes=5).state_dict(), tmp_path / "r.pt")
    loaded = networks.load(ClassifierConfig("resnet18", "layer1", resize=32, crop=32), tmp_path / "r.pt")
    found = classifier.infer(loaded, lambda a, b: np.zeros((b - a, 32, 32, 3), np.uint8), 2)
    assert found.probabilities.shape == (2, 5)
    assert found.features.shape == (2, 64 * 8 * 8)
    loaded = networks.load(ClassifierConfig("squeezenet1_1", resize=64, crop=64), tmp_path / "s.safetensors")
    assert (loaded.n_classes, loaded.features) == (7, "classifier.1")


def test_the_second_fully_connected_layer_of_vgg16_has_4096_numbers():
    with torch.device("meta"):
        network = networks.build("vgg16", 100)
    networks.check_layer(network, "classifier.4")
    assert network.get_submodule("classifier.3").out_features == 4096
    assert network.get_submodule("classifier.4").__class__.__name__ == "ReLU"


def test_what_cannot_be_built_is_said(network, tmp_path):
    for model, sentence in (
        ("vgg61", "There is no torchvision classifier 'vgg61'; near are vgg19"),
        ("no_such_package:Net", "cannot be imported"),
        ("brightness_net:Nothing", "cannot be imported"),
        ("brightness_net:text", "gives str; it must give a torch.nn.Module"),
        ("brightness_net:Mean(__import__('os'))", "cannot be imported"),
        ("brightness_net:Mean() + 1", "write package.module:name"),
    ):
        with pytest.raises(ConfigError, match=sentence.replace("(", r"\(")):
            networks.build(model)
    assert networks.build("brightness_net:Mean.of_size(3, extra=2)").last.out_features == 5
    with pytest.raises(ConfigError, match="must allow it"):
        networks.build("brightness_net:Mean", allowed=["other:Net"])
    assert networks.build("brightness_net:Mean", allowed=["brightness_net:Mean"])
    with pytest.raises(ConfigError, match="no layer 'conv'; there are pool, relu, last"):
        networks.load(_config(layer="conv"), network)


def test_weights_of_another_network_name_at_most_five(network, tmp_path):
    with pytest.raises(
        CheckpointError, match=r"not of the network 'resnet18': 'conv1.weight' is missing.* and .* more"
    ):
        networks.load(ClassifierConfig("resnet18"), network)
    with pytest.raises(CheckpointError, match=r"'last.weight' has shape \(2, 3\), not \(4, 3\)"):
        networks.load(ClassifierConfig("brightness_net:Mean(4)", resize=8, crop=8), network)
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pt")
    with pytest.raises(CheckpointError, match="needs pickle"):
        networks.load(_config(), tmp_path / "whole.pt")
    with pytest.raises(CheckpointError, match="no file of weights"):
        networks.load(_config(), tmp_path / "none.pt")


def test_top_n_and_confusion_by_hand():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.2, 0.4, 0.4]], np.float32)
    assert classifier.top(probabilities, 2).tolist() == [[0, 1], [2, 0], [1, 2]]
    assert classifier.top_correct(probabilities, np.array([1, 1, -1]), 2).tolist() == [True, False, False]
    assert classifier.confusion(np.array([0, 0, 1, -1]), np.array([0, 1, 1, 1]), 2).tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize(
    "values, names",
    [
        ({"0": "cat", "1": "dog"}, ("cat", "dog")),
        (["cat", "dog"], ("cat", "dog")),
        ({"0": ["n01", "cat"], "1": ["n02", "dog"]}, ("cat", "dog")),
    ],
)
def test_class_names_in_three_forms(tmp_path, values, names):
    (tmp_path / "c.json").write_text(json.dumps(values))
    known = read_class_names(tmp_path / "c.json")
    assert tuple(item.name for item in known) == names
    assert match_classes(["dog", "0"], known).tolist() == [1, 0]


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("{", "not a JSON"),
        ("{}", "must hold an object"),
        ('{"0": "a", "2": "b"}', "class 1 is missing"),
        ('["a", ""]', "class 1 must have a name"),
        ("[[1]]", "class 0 must have a name"),
    ],
)
def test_class_names_that_cannot_be_read(tmp_path, text, sentence):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(DataError) as caught:
        read_class_names(tmp_path / "c.json")
    assert sentence in str(caught.value)


def test_folders_that_are_no_class_are_named():
    known = [ClassName("n01", "cat"), ClassName("n02", "crane"), ClassName("n03", "crane")]
    assert match_classes(["n01", "n03", "1"], known).tolist() == [0, 2, 1]
    with pytest.raises(DataError, match="'crane', 'emu' are not among the classifier's 3 classes"):
        match_classes(["cat", "crane", "emu"], known)


@pytest.fixture
def folder(tmp_path):
    """Dark and bright pictures of several sizes, larger than what the map shows."""
    for name, level in (("dark", 30), ("bright", 220)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(4):
            noise = np.random.default_rng(i).integers(0, 30, (150 + 10 * i, 200, 3), dtype=np.uint8)
            Image.fromarray(noise + np.uint8(level)).save(tmp_path / "pictures" / name / f"{i}.png")
    return FolderSource(str(tmp_path / "pictures"))


def test_files_are_read_in_their_own_size_as_torchvision_prepares_them(folder):
    images = load(folder)
    assert images.image_shape == (64, 64, 3)
    row = images.ids.index("dark/3.png")
    found = Pixels(folder, images, 100, 80)(row, row + 1)[0]
    picture = Image.open(f"{folder.path}/dark/3.png")
    expected = np.asarray(v2.Compose([v2.Resize(100), v2.CenterCrop(80)])(picture))
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_picture_that_is_gone_is_named(folder, tmp_path):
    images = load(folder)
    pixels = Pixels(folder, images, 16, 16)
    (tmp_path / "pictures" / "dark" / "0.png").write_text("no picture")
    with pytest.raises(DataError, match=r"'dark/0.png' cannot be read any more"):
        pixels(images.ids.index("dark/0.png"), images.ids.index("dark/0.png") + 1)


def test_a_classifier_takes_the_place_of_an_autoencoder(folder, network, tmp_path):
    (tmp_path / "c.json").write_text('["dark", "bright"]')
    ref = TrainedClassifier(_config(), str(network), str(tmp_path / "c.json"))
    plan = Plan(folder, ref, projection=PCAConfig(2), cluster=ClusterConfig(KMeansConfig(2)))
    store = pipeline.open_store(tmp_path / "store")
    found = pipeline.run(store, plan)
    assert found.latents.value.reconstructions is None
    answers = review.predicted(found)
    assert (answers.accuracy(), answers.names) == (1.0, ("dark", "bright"))
    frame = tables.answers(found, 2)
    assert list(frame.columns) == [
        "path", "label id", "label name", "top-1 predicted id", "top-1 predicted name", "top-2 predicted id",
        "top-2 predicted name", "top-1 correct", "top-2 correct", "confidence dark", "confidence bright",
    ]  # fmt: skip
    assert frame["label name"].tolist() == [name.split("/")[0] for name in frame["path"]]
    assert frame["top-1 correct"].all()
    assert pipeline.run(store, plan).latents.found
    with pytest.raises(ConfigError, match="top 3 must be between 1 and the 2 classes"):
        tables.answers(found, 3)


def test_names_that_are_too_few_and_folders_without_a_class(folder, network, tmp_path):
    (tmp_path / "c.json").write_text('["dark", "bright", "gray"]')
    store = pipeline.open_store(tmp_path / "store")
    ref = TrainedClassifier(_config(), str(network), str(tmp_path / "c.json"))
    with pytest.raises(DataError, match="3 class names for a classifier of 2 classes"):
        pipeline.run(store, Plan(folder, ref), "latents")
    (tmp_path / "c.json").write_text('["dark", "light"]')
    with pytest.raises(DataError, match="'bright' are not among the classifier's 2 classes"):
        pipeline.run(store, Plan(folder, ref), "latents")
    apart = TrainedClassifier(_config(), str(network), str(tmp_path / "c.json"), compared=False)
    found = pipeline.run(store, Plan(folder, apart, projection=PCAConfig(2), cluster=ClusterConfig(KMeansConfig(2))))
    assert review.predicted(found).truth is None


def test_arrays_are_classified_from_the_set_itself(network, tmp_path):
    x = np.zeros((4, 8, 8), np.uint8)
    x[2:] = 255
    np.save(tmp_path / "x.npy", x)
    source = ArraySource(str(tmp_path / "x.npy"))
    model = classified.read(_config(), str(network), None)
    found = classified.encode(model, load(source), source, pipeline.open_store(tmp_path / "store"), "k", ignore)
    assert found.probabilities.argmax(axis=1).tolist() == [0, 0, 1, 1]
