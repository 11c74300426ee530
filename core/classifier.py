"""Run a trained classifier: probabilities of every class, and the output of a named inner layer, batch by batch."""

import ast
import difflib
import importlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.config import ClassifierConfig
from core.errors import CheckpointError, ConfigError
from core.latents import pick_device
from core.progress import Callback, Progress, ignore, stopwatch
from core.readers.weights import read_state_dict

if TYPE_CHECKING:
    from torch import nn

LIMIT_BYTES = 4 << 30
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


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a classifier makes of n images.

    Parameters
    ----------
    probabilities : float32 (n, classes), softmax; each row's sum is 1.
    features : float32 (n, d), the named layer's output, flattened.
    """

    probabilities: np.ndarray
    features: np.ndarray


def build(model: str, n_classes: int = 1000, allowed: Collection[str] | None = None) -> "nn.Module":
    """Make a network in evaluation mode, without its weights.

    Parameters
    ----------
    model : the name of a torchvision classifier, or `package.module:name`, perhaps with plain arguments as in
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
    from torchvision import models

    known = models.list_models(module=models)
    if model not in known:
        near = ", ".join(difflib.get_close_matches(model, known, 3, 0.0))
        raise ConfigError(f"There is no torchvision classifier {model!r}; near are {near}.")
    options: dict[str, Any] = {"aux_logits": True, "init_weights": False} if model in WITH_AUXILIARY else {}
    made: nn.Module = models.get_model(model, weights=None, num_classes=n_classes, **options)
    return made.eval()


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
    if ":" in config.model:
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
    features = config.layer if config.layer is not None else _last_layer(module)
    if config.layer is not None:
        check_layer(module, config.layer)
    on = pick_device(device)
    return Classifier(module.to(on), config, _n_classes(module, config, on), features, config.layer is None)


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


def infer(
    classifier: Classifier,
    pixels: Callable[[int, int], np.ndarray],
    n: int,
    callback: Callback = ignore,
    device: str | None = None,
    done: Mapping[int, Predictions] | None = None,
    finished: Callable[[int, Predictions], None] | None = None,
    chunk: int = 256,
) -> Predictions:
    """Classify n images.

    Parameters
    ----------
    pixels : gives rows start..stop-1 as uint8 (b, h, w, 3).
    done : results that are there already, by their first row; these images are not read again.
    finished : gets each further chunk of results with its first row.

    Raises
    ------
    ConfigError : the layer gives no tensor, or too many numbers. CheckpointError : values that are not finite.
    """
    parts: dict[int, Predictions] = dict(done or {})
    seconds_left = stopwatch(n - sum(len(part.features) for part in parts.values()))
    made = 0
    for start in range(0, n, chunk):
        stop = min(n, start + chunk)
        if start not in parts or len(parts[start].features) != stop - start:
            batches = []
            for row in range(start, stop, classifier.config.batch_size):
                end = min(stop, row + classifier.config.batch_size)
                batches.append(_batch(classifier, pixels(row, end), pick_device(device)))
                made += end - row
                callback(Progress("Classifying", end, n, "image", seconds_left(made)))
            parts[start] = joined(batches)
            if finished is not None:
                finished(start, parts[start])
        width = parts[start].features.shape[1] + parts[start].probabilities.shape[1]
        if 4 * n * width > LIMIT_BYTES:
            raise ConfigError(
                f"Layer {classifier.features!r} gives {width:,} numbers an image, more than {LIMIT_BYTES >> 30} GiB for "
                f"{n:,} images; choose a later layer or fewer images."
            )
    return joined([parts[start] for start in range(0, n, chunk)])


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Join the results of parts to one."""
    return Predictions(
        np.concatenate([part.probabilities for part in parts]), np.concatenate([part.features for part in parts])
    )


def top(probabilities: np.ndarray, n: int) -> np.ndarray:
    """Return the n likeliest classes of each image, int64 (rows, n), likeliest first; ties by number."""
    order: np.ndarray = np.argsort(-probabilities, axis=1, kind="stable")[:, :n]
    return order


def top_correct(probabilities: np.ndarray, y: np.ndarray, n: int) -> np.ndarray:
    """Say of each image whether its class is among the n likeliest, bool (rows,); without a label (-1) it is not."""
    found: np.ndarray = (top(probabilities, n) == y[:, None]).any(axis=1)
    return found


def confusion(y: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Count images by true (rows) and predicted class (columns), int64 (classes, classes); -1 in y is left out."""
    table = np.zeros((n_classes, n_classes), np.int64)
    there = y >= 0
    np.add.at(table, (y[there], predicted[there]), 1)
    return table


def _batch(classifier: Classifier, pixels: np.ndarray, device: str) -> Predictions:
    import torch

    held: list[torch.Tensor] = []
    layer = classifier.module.get_submodule(classifier.features)

    def note(value: Any) -> None:
        if not isinstance(value, torch.Tensor):
            raise ConfigError(f"Layer {classifier.features!r} gives no tensor; choose another layer.")
        held.append(value.detach().flatten(1).clone())  # a layer after it may work in place

    if classifier.before:
        hook = layer.register_forward_pre_hook(lambda module, given: note(given[0]))
    else:
        hook = layer.register_forward_hook(lambda module, given, output: note(output))
    mean, std = (
        torch.tensor(values, device=device).view(1, 3, 1, 1)
        for values in (classifier.config.mean, classifier.config.std)
    )
    try:
        with torch.inference_mode():
            x = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float().div(255)  # (b, 3, h, w)
            scores = classifier.module((x - mean) / std)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"The network cannot read images of {pixels.shape[1]}×{pixels.shape[2]}: {_first(error)}"
        ) from error
    finally:
        hook.remove()
    if not isinstance(scores, torch.Tensor) or scores.ndim != 2 or not held:
        raise ConfigError("The network must give one row of class scores an image, and use the named layer.")
    found = Predictions(scores.float().softmax(dim=1).cpu().numpy(), held[-1].float().cpu().numpy())
    if not (np.isfinite(found.probabilities).all() and np.isfinite(found.features).all()):
        raise CheckpointError("The network's weights give values that are not finite.")
    return found


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
        raise ConfigError(f"{text!r} cannot be imported as a network: {_first(error)}") from error
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


def _first(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return (words[:200].rstrip(".") or type(error).__name__) + "."
