"""Addresses such as s3://bucket/folder, as far as they are texts: which may be read, and what they are called."""

import re

from core.errors import DataError

SCHEMES = ("s3", "gs", "file", "memory")  # memory: what tests write; no other system that fsspec knows is ever asked
LONGEST = 4096  # letters
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


def is_address(text: str) -> bool:
    """Say whether a text is an address and not the path of a file or a folder."""
    return _ADDRESS.fullmatch(text) is not None


def checked(address: str) -> str:
    """Return an address that may be asked for; of file:///a/b the path /a/b, of any other path the path itself.

    Raises
    ------
    DataError : its kind is not one of `SCHEMES`, or it is more than one address.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return address
    scheme, rest = found[1].lower(), found[2]
    if scheme not in SCHEMES:
        raise DataError(
            f"{_shown(address)} is not a file that exists, and only s3://, gs:// and file:// are addresses."
        )
    if "::" in rest or "\0" in rest or len(address) > LONGEST:  # :: chains one system to another
        raise DataError(f"{_shown(address)} is not an address that can be read.")
    if scheme == "file":
        if not rest.startswith("/"):
            raise DataError(f"{_shown(address)} must be file:// and a whole path, such as file:///data.")
        return rest
    if not rest.strip("/"):
        raise DataError(f"{_shown(address)} names no bucket and no folder.")
    return f"{scheme}://{rest}"


def last_part(address: str) -> str:
    """Return what an address ends with, as a name for people."""
    return address.split("://", 1)[-1].rstrip("/").rsplit("/", 1)[-1]


def _shown(address: str) -> str:
    return repr(address[:200].encode("utf-8", "backslashreplace").decode())
