"""Samples of a WebDataset tar, read from its beginning to its end; nothing in it is ever written anywhere.

Members whose paths are the same up to the first dot of the file's name are one sample: `a/7.jpg`, `a/7.cls`, `a/7.json`. A
label is in `.cls`, in the field `label` of a `.json`, or in `.txt`; further fields and texts are columns.
"""

import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, Self

from core.errors import DataError
from core.readers.files import EXTENSIONS
from core.readers.json_text import parsed
from core.readers.rows import IDS, LABELS, PICTURE_BYTES, TOO_LARGE, Row, Value, as_label, clean_id, decoded, short
from core.readers.sources import ShardedSource, as_text

MOST_MEMBERS = 5_000_000
MOST_SHARED = 100  # headers that hold for all that follows
HEADER_BYTES = 64 << 10  # of a long name, or what else stands before a member
TEXT_BYTES = 1 << 20
MEMBER_BYTES = 64 << 30  # of what is passed over
STREAM_BYTES = 1 << 18
ENDINGS = tuple(ending[1:] for ending in EXTENSIONS)
TEXTS = ("cls", "txt", "json")
_NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)
_LONG = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_BROKEN = (
    tarfile.TarError, OSError, ValueError, EOFError, RuntimeError, LookupError, ArithmeticError, MemoryError,
)  # fmt: skip


@dataclass
class _Sample:
    """A sample while its members come."""

    key: str
    picture: bytes | None = None
    rank: int = len(ENDINGS)  # of the picture's ending: the lowest is taken
    texts: dict[str, bytes] = field(default_factory=dict)
    lacking: str = ""  # why a picture was not taken, should there be no other
    problem: str = ""


@dataclass
class _Seen:
    """What was seen of a tar: headers, those that hold for all that follows, and whether the last was the end's."""

    headers: int = 0
    shared: int = 0
    ended: bool = False


def rows(file: BinaryIO, source: ShardedSource, name: str) -> Iterator[Row]:
    """Yield the samples of an open tar.

    Raises
    ------
    DataError : it is damaged, cut off, or holds too much.
    """
    seen = _Seen()
    sample = _Sample("")
    try:
        with tarfile.open(
            fileobj=file, mode="r|", bufsize=STREAM_BYTES, tarinfo=_header_class(seen, name)
        ) as archive:
            while (member := archive.next()) is not None:
                if member.size > MEMBER_BYTES:  # what is not there would be looked for without end
                    raise DataError(
                        f"{name} is not a tar that can be read: it tells of a file of {member.size:,} bytes."
                    )
                archive.members = []  # type: ignore[attr-defined]  # it would keep them all
                found = _NAME.fullmatch(as_text(member.name))
                if found is None or member.isdir():
                    continue
                if found[1] != sample.key:
                    yield from _row(sample, source)
                    sample = _Sample(found[1])
                _take(sample, archive, member, found[2].lower(), source)
    except _BROKEN as error:
        words = " ".join(str(error).split())[:150]
        raise DataError(f"{name} is not a tar that can be read: {words}.") from error
    if not seen.ended:
        raise DataError(f"{name} is cut off or damaged: it has no end after {seen.headers:,} files.")
    yield from _row(sample, source)


def _header_class(seen: _Seen, name: str) -> type[tarfile.TarInfo]:
    """Return a class of headers that are counted, and that are looked at before what they announce is read."""

    class Header(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: Any, encoding: str, errors: str) -> Self:
            seen.ended = bool(buf) and not any(buf)  # a block of zeros ends a tar
            made = super().frombuf(buf, encoding, errors)
            seen.headers += 1
            seen.shared += made.type == tarfile.XGLTYPE
            if seen.headers > MOST_MEMBERS or seen.shared > MOST_SHARED:
                raise DataError(f"{name} has more than {MOST_MEMBERS:,} files, the limit of a shard.")
            if made.size < 0 or (made.type in _LONG and made.size > HEADER_BYTES):
                raise DataError(f"{name} is not a tar that can be read: a header of {made.size:,} bytes.")
            return made

    return Header


def _take(
    sample: _Sample, archive: tarfile.TarFile, member: tarfile.TarInfo, ending: str, source: ShardedSource
) -> None:
    """Read a member into its sample when it may be needed."""
    rank, is_text = _rank(ending, source.image), ending in (*TEXTS, source.label)
    if rank >= sample.rank and not is_text:
        return
    told = ""
    if not member.isreg() or member.issparse():
        told = f"its .{short(ending)} is not a regular file"
    elif member.size > (TEXT_BYTES if is_text else PICTURE_BYTES):
        told = f"its .{short(ending)} is larger than {TEXT_BYTES >> 20} MiB" if is_text else TOO_LARGE
    if told and is_text:
        sample.problem = sample.problem or told
    elif told:
        sample.lacking = sample.lacking or told
    if told:
        return
    opened = archive.extractfile(member)
    content = b"" if opened is None else opened.read(member.size)
    if is_text:
        sample.texts[ending] = content
    else:
        sample.picture, sample.rank = content, rank


def _rank(ending: str, asked: str) -> int:
    """Return how likely an ending is the picture's, 0 the likeliest; of "a.seg.png" the ending is "seg.png"."""
    if asked:
        return 0 if ending == asked.lower() else len(ENDINGS)
    if ending in ENDINGS:
        return 0
    return 1 if ending.rsplit(".", 1)[-1] in ENDINGS else len(ENDINGS)


def _row(sample: _Sample, source: ShardedSource) -> Iterator[Row]:
    """Yield what a sample is; none when it is neither a picture nor what belongs to one."""
    if sample.picture is None and not (sample.texts or sample.lacking or sample.problem):
        return
    try:
        label, id, values = _told(sample.texts, source)
    except ValueError:
        label, id, values = None, "", {}
        sample.problem = sample.problem or "its .json cannot be read"
    key = clean_id(id) or clean_id(sample.key)
    if sample.problem or sample.picture is None:
        yield Row(key, sample.problem or sample.lacking or "no picture")
    else:
        yield Row(key, partial(io.BytesIO, sample.picture), label, values, len(sample.picture))


def _told(texts: Mapping[str, bytes], source: ShardedSource) -> tuple[str | None, str, dict[str, Value]]:
    """Return label, id and columns of a sample's texts."""
    fields = parsed(texts["json"]) if "json" in texts else {}
    fields = fields if isinstance(fields, dict) else {}
    plain = {short(title): value for title, value in fields.items() if isinstance(value, str | int | float) and title}
    others = {ending: decoded(content) for ending, content in texts.items() if ending != "json"}
    id = next((str(plain[title]) for title in _asked(source.id, IDS) if title in plain), "")
    used = [title for title in _asked(source.id, IDS) if title in plain][:1]
    label: object = None
    for title in [source.label] if source.label else ["cls", *LABELS, "txt"]:
        if title in others:
            label = others.pop(title)
        elif title in plain:
            label = plain[title]
            used.append(title)
        if label is not None:
            break
    values = {title: _value(value) for title, value in plain.items() if title not in used}
    return as_label(label), id, {**{title: short(text).strip() for title, text in others.items()}, **values}


def _asked(asked: str, usual: tuple[str, ...]) -> tuple[str, ...]:
    return (asked,) if asked else usual


def _value(value: str | int | float) -> Value:
    if isinstance(value, str | bool):
        return short(str(value))
    try:
        return float(value)
    except OverflowError:
        return short(str(value))
