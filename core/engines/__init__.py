"""Engines: who goes through many items, such as shards. This process itself, or workers of a Ray cluster.

An engine knows nothing of images. It gets a picklable `make`, which each worker calls once (to load a model, say) and
whose result it calls with every item that it is given, and hands back the results as they come.
"""

from contextlib import AbstractContextManager, nullcontext

from core.engines.local import Local
from core.engines.ray import Ray
from core.engines.work import Engine, Make, Outcome
from core.errors import ConfigError

ENGINES = ("local", "ray")

__all__ = ["ENGINES", "Engine", "Local", "Make", "Outcome", "Ray", "open_engine"]


def open_engine(name: str, address: str | None = None, workers: int | None = None) -> AbstractContextManager[Engine]:
    """Return an engine for a with block: "local", or "ray" on the cluster at an address; see `Ray`.

    Raises
    ------
    ConfigError : there is no such engine, or, once the block begins, Ray is not installed or the cluster cannot be reached.
    """
    if name == "ray":
        return Ray(address, workers)
    if name != "local":
        raise ConfigError(f"There is no engine {name!r:.80}; the engines are {' and '.join(ENGINES)}.")
    if address is not None or (workers or 1) != 1:
        raise ConfigError("The engine 'local' is this process alone: it has neither an address nor other workers.")
    return nullcontext(Local())
