"""Compile inner loops with numba, and keep the machine code on disk where there is a place for it."""

from collections.abc import Callable
from typing import Any


def compiled(signature: str | None = None, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that compiles a function with numba's options, for one signature at once where that is given.

    The machine code lies beside the function's file, or in the user's cache folder where that cannot be written. Where
    neither can, each process compiles anew.
    """
    from numba import njit

    def compile_one(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            made: Callable[..., Any] = njit(signature, cache=True, **options)(function)
        except RuntimeError:  # numba finds no folder to write to
            made = njit(signature, **options)(function)
        return made

    return compile_one
