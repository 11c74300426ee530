"""Read images, train an autoencoder on them, map, cluster, score and export them; no user interface."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Load what a notebook uses only when it asks: `from core import explore`."""
    if name == "explore":
        from core.notebook import explore

        return explore
    raise AttributeError(f"module 'core' has no attribute {name!r}")
