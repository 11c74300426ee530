"""What a stage found beside its parts, as JSON in the root: a run that goes on does not find it again."""

from typing import Any

from core import parts
from core.checksums import sealed, unsealed
from core.readers import remote

LIMIT_BYTES = 256 << 20


def write(root: str, stage: str, key: str, values: dict[str, Any]) -> None:
    """Write plain JSON values; what was there is replaced.

    Raises
    ------
    ExportError : they cannot be written.
    """
    remote.write(parts.beside(root, f"{stage}.json"), sealed({"key": key, "values": values}))


def read(root: str, stage: str, key: str) -> dict[str, Any] | None:
    """Return the values that were written for this key; None where there are none, or they are damaged."""
    try:
        with parts.opened(parts.beside(root, f"{stage}.json")) as file:
            content = file.read(LIMIT_BYTES + 1)
        found = unsealed(content) if len(content) <= LIMIT_BYTES else {}
    except (OSError, ValueError):
        return None
    values = found.get("values")
    return values if found.get("key") == key and isinstance(values, dict) else None
