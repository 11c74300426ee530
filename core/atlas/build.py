"""An atlas made of a run's parts: looked through, joined, sorted along the curve, and put in its place as a whole."""

import posixpath
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core import whole
from core.atlas import joining, sorting
from core.atlas.described import FOLDER, NAME, Described, file_name, shape_of, to_json
from core.atlas.survey import look
from core.errors import ExportError
from core.progress import Callback, ignore
from core.readers.addresses import is_address


def build(
    root: str,
    numbers: Sequence[int],
    about: Mapping[str, Any],
    callback: Callback = ignore,
    memory: str = "4GB",
    stages: Sequence[str] | None = None,
) -> None:
    """Make the atlas of a run's parts; one that was there is replaced once the new one is whole.

    Rows are sorted along a space-filling curve of the map, in row groups of 4,096, so that those of a small view lie in
    few of them. Memory holds one part's numbers and texts, a few thousand rows, and what DuckDB is allowed.

    Parameters
    ----------
    numbers : of the parts. `encoded` and `map2` must be there for each, `clustered` and `suspects` for each or none.
    about : told again by `Atlas.about`; its "image_shape" is (h, w, c) of the images that the model takes.
    memory : most that DuckDB takes; beyond that it uses the disk, beside the atlas.
    stages : of these four, those to join, where others may lie there from earlier; None: all that are there.

    Raises
    ------
    ConfigError : `about` has no image_shape or is no JSON; `memory` is no size.
    DataError : a part is missing, cannot be read, or does not fit the others; no rows; points that are not finite.
    ExportError : the atlas cannot be written. Cancelled : raised by the callback.
    """
    shape = shape_of(about.get("image_shape"))
    survey = look(root, numbers, stages, callback)
    key = secrets.token_hex(8)
    fetched = tuple(survey.schema.names)
    try:
        with _workplace(root) as made:
            rows = joining.batches(root, survey)
            found = sorting.sort(made, joining.schema_of(survey), rows, survey.n, callback, memory)
            files = []
            for i, path in enumerate(found):
                files.append(sorting.looked_at(path, file_name(key, i)))
                path.rename(made / file_name(key, i))
                whole.sync(made / file_name(key, i))
            described = Described(
                key, survey.n, survey.d, survey.columns, fetched, survey.bounds, shape, dict(about), tuple(files)
            )
            _placed(root, made, to_json(described), [file.name for file in files])
    except OSError as error:
        raise ExportError(f"The atlas in {root} cannot be written: {error.strerror or error!s:.200}.") from error


@contextmanager
def _workplace(root: str) -> Iterator[Path]:
    """Give a folder to make the atlas in, gone afterwards: beside its place, or for an address where temporary files lie."""
    if is_address(root):
        with tempfile.TemporaryDirectory(prefix="atlas-") as made:
            yield Path(made)
        return
    place = Path(root)
    place.mkdir(parents=True, exist_ok=True)
    whole.sweep([path for path in place.iterdir() if whole.is_owned(path)])  # of processes that were killed
    folder = whole.beside(place / FOLDER)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _placed(root: str, made: Path, description: bytes, names: Sequence[str]) -> None:
    """Put the atlas in its place: locally in one step; at an address the description last, and then away with older files."""
    if not is_address(root):
        for path in made.iterdir():
            if path.is_dir():  # DuckDB's
                shutil.rmtree(path)
        whole.write(made / NAME, description)
        whole.replace(made, Path(root) / FOLDER)
        return
    import fsspec

    system, inner = fsspec.core.url_to_fs(posixpath.join(root, FOLDER))
    system.makedirs(inner, exist_ok=True)
    for name in names:
        system.put_file(str(made / name), posixpath.join(inner, name))
    system.pipe_file(posixpath.join(inner, NAME), description)
    for path in system.ls(inner, detail=False):
        if path.endswith(".parquet") and posixpath.basename(path) not in names:
            system.rm_file(path)
