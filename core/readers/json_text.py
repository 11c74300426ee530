"""JSON from elsewhere: what is not JSON, is nested without end or holds half a character is one kind of error."""

import json
import re
from typing import Any

_HALVES = re.compile(rb"\\u[dD][89a-fA-F]")  # pairs of them are whole characters, one alone is none


def parsed(data: bytes, paths: bool = False) -> Any:
    """Understand JSON in UTF-8; where it holds `paths`, bytes of file names that are no UTF-8 may be in it, as Python has them.

    Raises
    ------
    ValueError : it is none, is nested too deep, or a text in it is no Unicode.
    """
    try:
        values = json.loads(data.decode("utf-8-sig"))
        if _HALVES.search(data):
            json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogateescape" if paths else "strict")
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return values
