"""Pictures in a ZIP, read from it one at a time: nothing in it says where anything is written or what else is opened.

How many entries there are is found out before Python's `zipfile` makes an object of each; how much they unpack to, before any
is unpacked.
"""

import re
import stat
import struct
import weakref
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from core.errors import DataError
from core.imageset import Skipped
from core.readers.files import EXTENSIONS, Listing, PictureFile, listing
from core.readers.opening import open_file, size_of
from core.readers.sources import as_text

MOST_ENTRIES = 200_000
DIRECTORY_BYTES = 64 << 20
MEMBER_BYTES = 64 << 20  # of a picture's file: a few are held in memory at a time
TOTAL_BYTES = 64 << 30
RATIO = 200  # a ZIP may unpack to so many times its size, and 1 GiB
_FREE_BYTES = 1 << 30
UNIX = 3  # where an archive was made whose entries say what kind of file they are
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA's header can ask for 4 GiB
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_BYTES, _ENDS64_BYTES = 22, 76
_BROKEN = (OSError, ValueError, EOFError, RuntimeError, ArithmeticError, struct.error, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Archive:
    """A ZIP in an open file; members are read one at a time."""

    zip: zipfile.ZipFile
    lock: Lock = field(default_factory=Lock)

    def read(self, member: zipfile.ZipInfo) -> BinaryIO:
        """Unpack a member into memory.

        Raises
        ------
        DataError : it is damaged; the text is the bare reason.
        """
        try:
            with self.lock, self.zip.open(member) as file:
                content = file.read(member.file_size)  # never more, whatever is packed there
        except _BROKEN as error:
            raise DataError("damaged in the archive") from error
        if len(content) != member.file_size:
            raise DataError("its size in the archive is not what the archive says")
        return BytesIO(content)


def list_archive(path: str) -> Listing:
    """List the pictures in a ZIP by extension, as `list_pictures` does those of a folder; it is open while the list is held.

    Hidden files and folders are passed over; what is no plain file, or has a name that leads elsewhere, is skipped and named.

    Raises
    ------
    DataError : there is no such file, it is no ZIP, or it holds too much.
    """
    name = as_text(Path(path).name)
    archive, size = _archive(path, name)
    members = archive.zip.infolist()
    shared = overlapping(members, archive.zip.start_dir)
    files: list[PictureFile] = []
    skipped: list[Skipped] = []
    total = 0
    for member in members:
        if member.filename.endswith(("/", "\\")):
            continue
        id, problem = _looked_at(member, member.header_offset in shared)
        if problem:
            skipped.append(Skipped(id, problem))
        elif id:
            total += member.file_size
            files.append(PictureFile(id, partial(archive.read, member), member.file_size, 0))
    _check_total(total, size, name)
    return listing(files, skipped)


def _archive(path: str, name: str) -> tuple[Archive, int]:
    """Open a ZIP until nothing holds it any more; return it and its size."""
    try:
        file = open_file(Path(path))
        try:
            archive = Archive(open_zip(file, name))
        except BaseException:
            file.close()
            raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{as_text(path)} cannot be opened: {reason}.") from error
    except zipfile.BadZipFile as error:
        raise DataError(f"{name} is not a ZIP archive that can be read; it is damaged or of another kind.") from error
    weakref.finalize(archive, file.close)
    return archive, size_of(file)


def open_zip(file: BinaryIO, name: str) -> zipfile.ZipFile:
    """Read the directory of a ZIP in an open file, which stays the caller's, after a look at how much it holds.

    Raises
    ------
    DataError : it has too many entries. OSError, BadZipFile : it cannot be read, or is none.
    """
    try:
        _check_directory(file, name)
        return zipfile.ZipFile(file)
    except (
        ValueError,
        RuntimeError,
        ArithmeticError,
        struct.error,
    ) as error:  # names that are no UTF-8, later versions
        raise zipfile.BadZipFile(str(error)) from error


def overlapping(members: list[zipfile.ZipInfo], end: int) -> set[int]:
    """Return where members begin whose bytes also belong to another, or to the directory, which begins at `end`."""
    found: set[int] = set()
    reach, owner = 0, -1
    for member in sorted(members, key=lambda member: member.header_offset):
        start = member.header_offset
        if start < reach:
            found |= {owner, start}
        stop = start + zipfile.sizeFileHeader + len(member.orig_filename) + member.compress_size  # type: ignore[attr-defined]
        if stop > end or start < 0:
            found.add(start)
        if stop > reach:
            reach, owner = stop, start
    return found


def _check_directory(file: BinaryIO, name: str) -> None:
    """Count the entries without keeping them."""
    size = size_of(file)
    start = max(0, size - (1 << 16) - _END_BYTES - _ENDS64_BYTES)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END)
    if not 0 <= at <= len(tail) - _END_BYTES:
        raise zipfile.BadZipFile("no end of a directory")
    length, end = struct.unpack_from("<I", tail, at + 12)[0], start + at
    if at >= _ENDS64_BYTES and tail[at - 20 : at - 16] == _LOCATOR64 and tail[at - 76 : at - 72] == _END64:
        length, end = struct.unpack_from("<Q", tail, at - 76 + 40)[0], end - _ENDS64_BYTES
    if length > end:
        raise zipfile.BadZipFile("a directory longer than the file")
    if length > DIRECTORY_BYTES:
        raise DataError(
            f"{name} has a list of entries of {length >> 20:,} MiB; {DIRECTORY_BYTES >> 20} MiB is the limit. "
            "Unpack it and give the folder."
        )
    file.seek(end - length)
    directory, at, count = file.read(length), 0, 0
    while at + 46 <= len(directory):
        at += 46 + sum(struct.unpack_from("<3H", directory, at + 28))  # name, extra field and comment
        count += 1
        if count > MOST_ENTRIES:
            raise DataError(
                f"{name} has more than {MOST_ENTRIES:,} entries, the limit of a ZIP; unpack it and give the folder."
            )
    file.seek(0)


def _check_total(total: int, own: int, name: str) -> None:
    limit = min(TOTAL_BYTES, _FREE_BYTES + RATIO * own)
    if total > limit:
        raise DataError(
            f"{name} would unpack to {total / 2**30:,.1f} GiB, {total / max(1, own):,.0f} times its size; "
            f"{limit / 2**30:,.1f} GiB is the limit. Unpack it, if you trust it, and give the folder."
        )


def _looked_at(member: zipfile.ZipInfo, shared: bool) -> tuple[str, str]:
    """Return the id of a member and why it is skipped; "" twice for what is no picture."""
    name = member.orig_filename.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    id = "/".join(parts)
    kind = stat.S_IFMT(member.external_attr >> 16) if member.create_system == UNIX else 0
    if not name.lower().endswith((*EXTENSIONS, ".zip")) and "\0" not in name:
        return "", ""
    if "\0" in name or ".." in parts or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return name, "its name leads out of the archive"
    if any(part.startswith(".") for part in parts) or parts[0] == "__MACOSX":
        return "", ""
    reasons = (
        (id.lower().endswith(".zip"), "an archive within the archive"),
        (kind not in (0, stat.S_IFREG), "not a regular file"),
        (member.flag_bits & 0x2041, "encrypted"),
        (member.compress_type not in METHODS, "compressed in a way that is not read; deflate is"),
        (shared, "its bytes belong to another entry, too"),
        (member.file_size > MEMBER_BYTES, f"larger than {MEMBER_BYTES >> 20} MiB"),
    )
    return id, next((reason for found, reason in reasons if found), "")
