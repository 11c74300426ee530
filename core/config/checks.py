"""What a setting may be: each check raises `ConfigError` with one sentence that names value and limit."""

import math
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_args

from core.errors import ConfigError

# A setting that came later is left out of JSON while it is at its default, so that what was kept before is found again.
LATER: Mapping[str, bool] = MappingProxyType({"later": True})


def between(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Check that a number lies in low..high."""
    most = min(high, sys.float_info.max)  # JSON may hold whole numbers beyond every float
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= most:
        limit = f"at least {low}" if math.isinf(high) else f"between {low} and {high}"
        raise ConfigError(f"{name} {value!r:.80} must be {limit}.")


def whole(name: str, value: int, low: int, high: float = math.inf) -> None:
    """Check that a value is a whole number in low..high."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name} {value!r} must be a whole number.")
    between(name, value, low, high)


def positive(name: str, value: float) -> None:
    """Check that a number is greater than 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= sys.float_info.max:
        raise ConfigError(f"{name} {value!r:.80} must be greater than 0.")


def yes_or_no(name: str, value: bool) -> None:
    """Check that a value is true or false."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} {value!r} must be true or false.")


def one_of(name: str, value: str, allowed: Any) -> None:
    """Check that a text is one that a Literal allows."""
    if value not in get_args(allowed):
        raise ConfigError(f"{name} {value!r} must be one of {', '.join(get_args(allowed))}.")
