"""The pictures of a shard that is some files of a folder, here or behind an address; the first folder is the class."""

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from core.readers import remote
from core.readers.addresses import is_address
from core.readers.opening import open_file
from core.readers.rows import PICTURE_BYTES, TOO_LARGE, Row, clean_id, short
from core.readers.shard_lists import Shard

AT_ONCE = 16  # files behind an address that are asked for together


def picture_rows(shard: Shard) -> Iterator[Row]:
    """Yield the pictures of a shard; what lies elsewhere, though it is named so, is not opened.

    Raises
    ------
    DataError : an address cannot be asked.
    """
    if not is_address(shard.url):
        root = Path(shard.url)
        for name in shard.names:
            yield _row(name, _here(root, name))
        return
    for start in range(0, len(shard.names), AT_ONCE):
        names = shard.names[start : start + AT_ONCE]
        for name, content in zip(names, remote.contents(shard.url, names, PICTURE_BYTES + 1), strict=True):
            yield _row(name, _fetched(content))


def _row(name: str, opened: Callable[[], BinaryIO] | str) -> Row:
    id = clean_id(name)
    folder, _, inner = id.partition("/")
    return Row(id, opened, short(folder) if inner else None)


def _here(root: Path, name: str) -> Callable[[], BinaryIO] | str:
    try:
        path = (root / name).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # RuntimeError: a loop of links, before Python 3.13
        return "it is not there any more"
    if not path.is_relative_to(root):
        return "link out of the folder"
    return partial(open_file, path, links=False)


def _fetched(content: bytes | str) -> Callable[[], BinaryIO] | str:
    if isinstance(content, str):
        return content
    return TOO_LARGE if len(content) > PICTURE_BYTES else partial(io.BytesIO, content)
