"""What flags were given, and settings with them; one that was not given is None."""

import argparse
import dataclasses
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any


def setting_names(classes: Iterable[type]) -> set[str]:
    """Return the names of the settings that some configs have."""
    return {field.name for cls in classes for field in dataclasses.fields(cls)}


def flags_given(args: argparse.Namespace, names: Iterable[str]) -> list[str]:
    """Return which of some flags were given, in order."""
    return [name for name in sorted(names) if getattr(args, name, None) is not None]


def seeded(config: Any, args: argparse.Namespace) -> Any:
    """Return a config with the seed that was given, if it has one."""
    return replace(config, seed=args.seed) if args.seed is not None and hasattr(config, "seed") else config


def with_flags(base: Any, args: argparse.Namespace, without: Iterable[str] = ()) -> Any:
    """Return a config with the flags that were given; the others keep what it says."""
    own = {field.name for field in dataclasses.fields(base)} - set(without)
    return replace(base, **{name: getattr(args, name) for name in flags_given(args, own)})


def absolute(path: str) -> str:
    """Return a path that stays right in another folder."""
    return str(Path(path).expanduser().absolute())
