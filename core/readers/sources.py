"""Where images come from, as plain values that fit into JSON, a command line and a job."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from core.errors import ConfigError, DataError
from core.imageset import MAX_SIDE, MIN_IMAGES, MIN_SIDE
from core.readers import addresses

Color = Literal["auto", "gray", "rgb"]
Dataset = Literal["mnist", "fashion-mnist", "cifar-10"]
SAMPLES = ("digits", "emoji")
LONGEST_COLUMN = 500  # letters


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
        _frame(self.size, self.color)


@dataclass(frozen=True)
class ArchiveSource:
    """A ZIP of pictures, which is read as the folder that it would unpack to; `core.readers.archives` says what it may hold.

    Parameters
    ----------
    size, color : as of a `FolderSource`.
    """

    path: str
    size: int | None = None
    color: Color = "auto"

    def __post_init__(self) -> None:
        _texts(self, "path")
        _frame(self.size, self.color)


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
class ShardedSource:
    """Pictures in Parquet files, in WebDataset's tars or in a folder, as shards that are read one at a time.

    Parameters
    ----------
    path : a folder, one file, or an address, s3:// or gs://, of either; file:// becomes the path behind it.
    size : side in pixels, 8..128; None is that of the first shard's pictures where they are all of one, else 64.
    color : "auto" is gray where no picture of the first shard that can be read has a colour.
    image, label, id : columns of the encoded pictures, of labels and of ids; "" finds those of usual names.
    """

    path: str
    size: int | None = None
    color: Color = "auto"
    image: str = ""
    label: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        _texts(self, "path")
        object.__setattr__(self, "path", addresses.checked(self.path))
        _frame(self.size, self.color)
        for name in ("image", "label", "id"):
            value = getattr(self, name)
            if not isinstance(value, str) or "\0" in value or len(value) > LONGEST_COLUMN:
                raise ConfigError(f"{name} {value!r:.80} must be the name of a column.")


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


@dataclass(frozen=True)
class JoinedSource:
    """The parts of a data set, such as "train" and "test", as one set of images with a column that names the part."""

    parts: tuple[str, ...]
    sources: tuple["Source", ...]

    def __post_init__(self) -> None:
        for name in ("parts", "sources"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        if not 1 <= len(self.parts) == len(self.sources) == len(set(self.parts)):
            raise ConfigError("A joined source needs a source for each of its parts, each part named once.")
        if not all(isinstance(part, str) and part for part in self.parts):
            raise ConfigError("The parts of a joined source must be texts.")
        if not all(isinstance(source, _SINGLE) for source in self.sources):
            raise ConfigError("The parts of a joined source must be folders, files or data sets.")


@dataclass(frozen=True)
class LabelledSource:
    """The images of a source with the labels of a CSV of `id,label` in place of their own."""

    source: "Source"
    labels: str

    def __post_init__(self) -> None:
        if not isinstance(self.source, (*_SINGLE, JoinedSource)):
            raise ConfigError("Labels need a source that is no subset and has no other labels.")
        _texts(self, "labels")


@dataclass(frozen=True)
class SubsetSource:
    """Some images of a source: those of these classes, and of them `limit` chosen at random with a fixed seed."""

    source: "Source"
    limit: int | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))  # JSON has lists
        if not isinstance(self.source, (*_SINGLE, JoinedSource, LabelledSource)):
            raise ConfigError("A subset needs a source that is no subset.")
        if self.limit is not None and (
            isinstance(self.limit, bool) or not isinstance(self.limit, int) or self.limit < MIN_IMAGES
        ):
            raise ConfigError(f"limit {self.limit!r} must be a whole number of at least {MIN_IMAGES}.")
        if not all(isinstance(name, str) for name in self.classes):
            raise ConfigError("The classes of a subset must be texts.")


Source = (
    SampleSource
    | FolderSource
    | ArchiveSource
    | ArraySource
    | TorchvisionSource
    | ShardedSource
    | JoinedSource
    | LabelledSource
    | SubsetSource
)
_SINGLE: tuple[type, ...] = (
    SampleSource,
    FolderSource,
    ArchiveSource,
    ArraySource,
    TorchvisionSource,
    ShardedSource,
)
_CLASSES: tuple[type, ...] = (*_SINGLE, JoinedSource, LabelledSource, SubsetSource)


def _texts(source: Any, *names: str) -> None:
    for name in names:
        value = getattr(source, name)
        if not isinstance(value, str) or not value or "\0" in value:
            raise ConfigError(f"{name} {value!r:.80} must be a text.")


def _frame(size: Any, color: Any) -> None:
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or not MIN_SIDE <= size <= MAX_SIDE):
        raise ConfigError(f"size {size!r:.80} must be a whole number between {MIN_SIDE} and {MAX_SIDE}.")
    if color not in get_args(Color):
        raise ConfigError(f"color {color!r:.80} must be one of {', '.join(get_args(Color))}.")


def source_to_json(source: Any) -> dict[str, Any]:
    """Turn a source into plain JSON values; `type` names its class."""
    values: dict[str, Any] = {"type": type(source).__name__}
    for item in dataclasses.fields(source):
        value = getattr(source, item.name)
        if isinstance(value, _CLASSES):
            value = source_to_json(value)
        elif isinstance(value, tuple):
            value = [source_to_json(each) if isinstance(each, _CLASSES) else each for each in value]
        values[item.name] = value
    return values


def source_from_json(values: Mapping[str, Any]) -> Source:
    """Rebuild a source from `source_to_json`'s values.

    Raises
    ------
    ConfigError : the type or a setting is not known, or a value is out of its range.
    DataError : there is no sample of this name, or an address is of no kind that is read.
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
    source: Source = cls(**{name: _rebuilt(value) for name, value in given.items()})
    return source


def _rebuilt(value: Any) -> Any:
    if isinstance(value, Mapping):
        return source_from_json(value)
    return tuple(_rebuilt(each) for each in value) if isinstance(value, list) else value


def is_folder(path: str) -> bool:
    """Say whether a folder is there; a path that cannot exist at all (too long) is none."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def as_text(path: str) -> str:
    """Make a path valid Unicode: bytes that are not UTF-8 become `\\xff`."""
    try:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a pair of surrogates, which is no file's name
        return path.encode("utf-8", "backslashreplace").decode()
