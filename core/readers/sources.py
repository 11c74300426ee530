"""Where images come from, as plain values that fit into JSON, a command line and a job."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from core.errors import ConfigError, DataError
from core.imageset import MAX_SIDE, MIN_SIDE

Color = Literal["auto", "gray", "rgb"]
Dataset = Literal["mnist", "fashion-mnist", "cifar-10"]
SAMPLES = ("digits", "emoji")


@dataclass(frozen=True)
class SampleSource:
    """A set of images that comes with the program: one of `SAMPLES`."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in SAMPLES:
            raise DataError(f"There is no sample {self.name!r}; the samples are {' and '.join(SAMPLES)}.")


@dataclass(frozen=True)
class FolderSource:
    """A folder of pictures; `core.readers.folders` says how it is read.

    Parameters
    ----------
    size : side in pixels, 8..128, to which every picture is brought; None keeps pictures that are all of one size.
    color : "gray" and "rgb" convert; "auto" is gray when no picture has a colour.
    """

    path: str
    size: int | None = None
    color: Color = "auto"

    def __post_init__(self) -> None:
        _texts(self, "path")
        if self.size is not None and (
            isinstance(self.size, bool) or not isinstance(self.size, int) or not MIN_SIDE <= self.size <= MAX_SIDE
        ):
            raise ConfigError(f"size {self.size!r} must be a whole number between {MIN_SIDE} and {MAX_SIDE}.")
        if self.color not in get_args(Color):
            raise ConfigError(f"color {self.color!r} must be one of {', '.join(get_args(Color))}.")


@dataclass(frozen=True)
class ArraySource:
    """A `.npy` or `.npz` file of images, perhaps with a `.npy` of labels; `x`, `y`, `classes` name arrays in a `.npz`."""

    path: str
    labels: str | None = None
    x: str = "x"
    y: str = "y"
    classes: str = "classes"

    def __post_init__(self) -> None:
        _texts(self, "path", "x", "y", "classes")
        if self.labels is not None:
            _texts(self, "labels")


@dataclass(frozen=True)
class TorchvisionSource:
    """A data set as torchvision lays it out under `root`, its training or its test part."""

    root: str
    dataset: Dataset
    train: bool = True

    def __post_init__(self) -> None:
        _texts(self, "root")
        if self.dataset not in get_args(Dataset):
            raise ConfigError(f"dataset {self.dataset!r} must be one of {', '.join(get_args(Dataset))}.")
        if not isinstance(self.train, bool):
            raise ConfigError(f"train {self.train!r} must be true or false.")


Source = SampleSource | FolderSource | ArraySource | TorchvisionSource
_CLASSES: tuple[type, ...] = (SampleSource, FolderSource, ArraySource, TorchvisionSource)


def _texts(source: Any, *names: str) -> None:
    for name in names:
        value = getattr(source, name)
        if not isinstance(value, str) or not value or "\0" in value:
            raise ConfigError(f"{name} {value!r} must be a text.")


def source_to_json(source: Source) -> dict[str, Any]:
    """Turn a source into plain JSON values; `type` names its class."""
    return {"type": type(source).__name__, **dataclasses.asdict(source)}


def source_from_json(values: Mapping[str, Any]) -> Source:
    """Rebuild a source from `source_to_json`'s values.

    Raises
    ------
    ConfigError : the type or a setting is not known, or a value is out of its range.
    DataError : there is no sample of this name.
    """
    known = {cls.__name__: cls for cls in _CLASSES}
    if not isinstance(values, Mapping) or not isinstance(values.get("type"), str) or values["type"] not in known:
        raise ConfigError(f"a source in JSON needs a 'type', one of {', '.join(known)}.")
    cls = known[values["type"]]
    given = {name: value for name, value in values.items() if name != "type"}
    fields = dataclasses.fields(cls)
    for name in sorted(set(given) - {item.name for item in fields}):
        raise ConfigError(f"{values['type']} has no setting {name!r}.")
    for item in fields:
        if item.default is dataclasses.MISSING and item.name not in given:
            raise ConfigError(f"{values['type']} needs {item.name!r}.")
    source: Source = cls(**given)
    return source


def parse_source(text: str, labels: str | None = None, size: int | None = None) -> Source:
    """Understand what people type: `digits`, `/a/folder`, `a.npy`, `a.npz`, `mnist:/dir`, `cifar-10:/dir:test`.

    A sample's name wins over a folder of the same name; write `./digits` for the folder. Paths become absolute.

    Raises
    ------
    DataError : there is nothing of this name.
    ConfigError : `labels` or `size` were given for a source that cannot use them.
    """
    text = text.strip()
    source = _named(text) or _path(text, labels, size)
    if labels is not None and not isinstance(source, ArraySource):
        raise ConfigError(
            f"Labels {labels!r} can only be given with a .npy or .npz file of images, not with {text!r}."
        )
    if size is not None and not isinstance(source, FolderSource):
        raise ConfigError(f"A size can only be given for a folder of images, not for {text!r}.")
    return source


def _named(text: str) -> Source | None:
    if text in SAMPLES:
        return SampleSource(text)
    for dataset in get_args(Dataset):
        if text.startswith(f"{dataset}:"):
            root = text.removeprefix(f"{dataset}:")
            train = not root.endswith(":test")
            root = root.removesuffix(":test").removesuffix(":train")
            if not root:
                raise DataError(f"{text!r} needs a folder, such as {dataset}:/data.")
            return TorchvisionSource(_absolute(root), dataset, train)
    return None


def _path(text: str, labels: str | None, size: int | None) -> Source:
    if not text or "\0" in text:
        raise DataError(f"{text!r} is not the path of a folder or a file.")
    path = _absolute(text)
    if is_folder(path):
        return FolderSource(path, size)
    if path.lower().endswith((".npy", ".npz")):
        return ArraySource(path, _absolute(labels) if labels else None)
    raise DataError(
        f"{as_text(text)!r} is not a sample ({', '.join(SAMPLES)}), a folder that exists, a .npy or .npz file, "
        "or a data set such as mnist:/folder."
    )


def _absolute(text: str) -> str:
    try:
        return str(Path(text).expanduser().absolute())
    except RuntimeError:  # ~somebody who is not known
        return str(Path(text).absolute())


def is_folder(path: str) -> bool:
    """Say whether a folder is there; a path that cannot exist at all (too long) is none."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def as_text(path: str) -> str:
    """Make a path valid Unicode: bytes that are not UTF-8 become `\\xff`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
