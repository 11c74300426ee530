"""Classifiers that others trained: made by name or import path, with weights from a file, never by pickle."""

import ast
import difflib
import importlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from core.config import ClassifierConfig
from core.errors import CheckpointError, ConfigError
from core.latents import pick_device
from core.readers.weights import read_state_dict

if TYPE_CHECKING:
    import torch
    from torch import nn

# Networks of other packages, by a name of ours; their code is imported only when they are chosen.
PACKAGED: Mapping[str, str] = MappingProxyType(
    {"efficientnet-lite0": "efficientnet_lite_pytorch:EfficientNet.from_name('efficientnet-lite0')"}
)
NAMED = 5  # weights that an error names
LISTED = 40  # layers that an error lists
WITH_AUXILIARY = ("googlenet", "inception_v3")


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network with its weights, ready to run; `features` is the layer that gives them, `before` takes its input."""

    module: "nn.Module"
    config: ClassifierConfig
    n_classes: int
    features: str
    before: bool


def build(model: str, n_classes: int = 1000, allowed: Collection[str] | None = None) -> "nn.Module":
    """Make a network in evaluation mode, without its weights.

    Parameters
    ----------
    model : the name of a torchvision classifier or in `PACKAGED`, or `package.module:name`, perhaps with plain arguments as in
        `package.module:Net.from_name("small")`.
    allowed : import paths that may be used; None allows all.

    Raises
    ------
    ConfigError : there is none of this name, it may not be imported, or it is no network.
    """
    if ":" in model:
        if allowed is not None and model not in allowed:
            raise ConfigError(f"{model!r} may not be imported here: whoever starts the dashboard must allow it.")
        return _imported(model).eval()
    if model in PACKAGED:
        return _imported(PACKAGED[model]).eval()
    from torchvision import models

    check_name(model)
    options: dict[str, Any] = {"aux_logits": True, "init_weights": False} if model in WITH_AUXILIARY else {}
    made: nn.Module = models.get_model(model, weights=None, num_classes=n_classes, **options)
    return made.eval()


def check_name(model: str) -> None:
    """Check that torchvision has a classifier of this name.

    Raises
    ------
    ConfigError : it has not; the sentence says what is near.
    """
    from torchvision import models

    known = models.list_models(module=models)
    if model not in known:
        near = ", ".join(difflib.get_close_matches(model, known, 3, 0.0))
        raise ConfigError(f"There is no torchvision classifier {model!r}; near are {near}.")


def load(
    config: ClassifierConfig, weights: Path, allowed: Collection[str] | None = None, device: str | None = None
) -> Classifier:
    """Make a network with the weights of a file; the file says how many classes a torchvision network has.

    Raises
    ------
    CheckpointError : the file cannot be read, or is of another network. ConfigError : no such network or layer.
    """
    import torch

    state = read_state_dict(weights)
    if ":" in config.model or config.model in PACKAGED:
        module = build(config.model, allowed=allowed)
    else:
        with torch.device("meta"):
            module = build(config.model)
            last = _last_layer(module)
            if f"{last}.weight" in state and len(state[f"{last}.weight"]) != 1000:
                module = build(config.model, len(state[f"{last}.weight"]))
    _check(module, state, weights.name, config.model)
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
    module.load_state_dict(tensors, assign=True)
    features = _features(module, config)
    on = pick_device(device)
    return Classifier(module.to(on), config, _n_classes(module, config, on), features, config.layer is None)


def n_features(config: ClassifierConfig) -> int:
    """Return how many numbers the chosen layer gives an image, averaged over the picture, without computing anything.

    Raises
    ------
    ConfigError : there is no such network or layer.
    """
    import torch

    with torch.device("meta"), torch.inference_mode():
        module = build(config.model)
        with tapped(module, _features(module, config), config.layer is None) as held:
            module(torch.empty(1, 3, config.crop, config.crop))
    return int(averaged(held[-1]).shape[1])


@contextmanager
def tapped(module: "nn.Module", layer: str, before: bool) -> "Iterator[list[torch.Tensor]]":
    """Note what a layer puts out while the block runs, or what it takes in (`before`).

    Raises
    ------
    ConfigError : that is no tensor.
    """
    import torch

    held: list[torch.Tensor] = []

    def note(value: Any) -> None:
        if not isinstance(value, torch.Tensor):
            raise ConfigError(f"Layer {layer!r} gives no tensor; choose another layer.")
        held.append(value.detach().clone())  # a layer after it may work in place

    found = module.get_submodule(layer)
    if before:
        hook = found.register_forward_pre_hook(lambda module, given: note(given[0]))
    else:
        hook = found.register_forward_hook(lambda module, given, output: note(output))
    try:
        yield held
    finally:
        hook.remove()


def averaged(features: "torch.Tensor") -> "torch.Tensor":
    """Average features (b, c, h, w) over the picture, to (b, c); those without a place (b, d) stay as they are."""
    return features.mean(dim=(2, 3)) if features.ndim == 4 else features.flatten(1)


def _features(module: "nn.Module", config: ClassifierConfig) -> str:
    """Name the layer that gives the features, or takes them in when none is named."""
    if config.layer is None:
        return _last_layer(module)
    check_layer(module, config.layer)
    return config.layer


def layers(module: "nn.Module") -> tuple[str, ...]:
    """Return the names of a network's inner layers."""
    return tuple(name for name, _ in module.named_modules() if name)


def check_layer(module: "nn.Module", name: str) -> None:
    """Check that a network has a layer.

    Raises
    ------
    ConfigError : it has not; the sentence lists those there are.
    """
    there = layers(module)
    if name not in there:
        more = f" and {len(there) - LISTED} more" if len(there) > LISTED else ""
        raise ConfigError(f"There is no layer {name!r}; there are {', '.join(there[:LISTED])}{more}.")


def _n_classes(module: "nn.Module", config: ClassifierConfig, device: str) -> int:
    import torch

    with torch.inference_mode():
        scores = module(torch.zeros(1, 3, config.crop, config.crop, device=device))
    if not isinstance(scores, torch.Tensor) or scores.ndim != 2:
        raise ConfigError("The network must give one row of class scores an image.")
    return int(scores.shape[1])


def _last_layer(module: "nn.Module") -> str:
    """Name the last linear layer, or of a network without one the last convolution: what gives the class scores."""
    from torch import nn

    linear = [name for name, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    found = [name for name in linear if "aux" not in name.lower()]
    found = found or [name for name, layer in module.named_modules() if isinstance(layer, nn.Conv2d)]
    if not found:
        raise ConfigError("The network has no linear layer; name the layer whose output is wanted.")
    return found[-1]


def _check(module: "nn.Module", state: Mapping[str, np.ndarray], file: str, model: str) -> None:
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    wrong = [f"{name!r} is missing" for name in expected if name not in state]
    wrong += [f"{name!r} is not part of it" for name in state if name not in expected]
    wrong += [
        f"{name!r} has shape {state[name].shape}, not {shape}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    if wrong:
        more = f" and {len(wrong) - NAMED:,} more" if len(wrong) > NAMED else ""
        raise CheckpointError(f"{file} is not of the network {model!r}: {'; '.join(wrong[:NAMED])}{more}.")


def _imported(text: str) -> "nn.Module":
    from torch import nn

    path, _, expression = text.partition(":")
    try:
        names, given, named = _call(expression)
        found: Any = importlib.import_module(path)
        for name in names:
            found = getattr(found, name)
        made = found(*given, **named)
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"{text!r} cannot be imported as a network: {first_words(error)}") from error
    if not isinstance(made, nn.Module):
        raise ConfigError(f"{text!r} gives {type(made).__name__}; it must give a torch.nn.Module.")
    return made


def _call(expression: str) -> tuple[list[str], list[Any], dict[str, Any]]:
    """Take `Net.from_name("small", depth=3)` apart; its arguments are plain values, nothing is run."""
    tree: ast.expr = ast.parse(expression.strip(), mode="eval").body
    given: list[Any] = []
    named: dict[str, Any] = {}
    if isinstance(tree, ast.Call):
        given = [ast.literal_eval(value) for value in tree.args]
        named = {str(item.arg): ast.literal_eval(item.value) for item in tree.keywords}
        tree = tree.func
    names = []
    while isinstance(tree, ast.Attribute):
        names.append(tree.attr)
        tree = tree.value
    if not isinstance(tree, ast.Name):
        raise ValueError("write package.module:name or package.module:name('argument')")
    return [tree.id, *reversed(names)], given, named


def first_words(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return (words[:200].rstrip(".") or type(error).__name__) + "."
