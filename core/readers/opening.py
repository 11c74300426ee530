"""Open a file that somebody named, if it is one: a pipe would be waited for without end, and a device has none."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


def open_file(path: Path, links: bool = True) -> BufferedReader:
    """Open a regular file for reading; without `links`, not the one that a link leads to.

    Raises
    ------
    OSError : it is not there, cannot be opened, or is a folder, a pipe, a socket or a device.
    """
    number = os.open(path, _FLAGS | (0 if links else getattr(os, "O_NOFOLLOW", 0)))
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def size_of(file: BinaryIO) -> int:
    """Return the bytes of an open file."""
    return os.fstat(file.fileno()).st_size
