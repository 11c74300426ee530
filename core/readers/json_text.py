"""JSON from elsewhere: what is not JSON, is nested without end or holds half a character is one kind of error."""

import json
import re
from typing import Any

_HALVES = re.compile(rb"\\u[dD][89a-fA-F]")  # pairs of them are whole characters, one alone is none


def parsed(data: bytes) -> Any:
    """Understand JSON in UTF-8.

    Raises
    ------
    ValueError : it is none, is nested too deep, or a text in it is no Unicode.
    """
    try:
        values = json.loads(data.decode("utf-8-sig"))
        if _HALVES.search(data):
            json.dumps(values, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return values
