"""What benchmarks work on: images, and the latents that a trained model makes of them, found in the store or made once."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from core import pipeline
from core.images import ImageSet, parse_source
from core.plans import KeptModel, Plan, some
from core.store import Store


@dataclass(frozen=True)
class Data:
    """Images by name, as on the command line, and the model that makes their latents."""

    name: str = "digits"
    model: str = "digits"
    store: Path | None = None
    kept: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def opened(self) -> Store:
        """The store in which latents are found again."""
        return pipeline.open_store(self.store)

    @cached_property
    def plan(self) -> Plan:
        """A plan on these images and this model."""
        return Plan(parse_source(self.name), KeptModel(self.model))

    @cached_property
    def images(self) -> ImageSet:
        """All images."""
        return pipeline.run(self.opened, self.plan, "images").images.value

    @cached_property
    def all_latents(self) -> np.ndarray:
        """The latents of all images, float32 (n, d)."""
        return some(pipeline.run(self.opened, self.plan, "latents").latents).value.latents

    def latents(self, n: int | None = None) -> np.ndarray:
        """Return the latents of n images, float32 (n, d), evenly spread over the set; of all when there are fewer."""
        found = self.all_latents
        if n is None or n >= len(found):
            return found
        return np.ascontiguousarray(found[np.linspace(0, len(found) - 1, n).astype(np.int64)])
