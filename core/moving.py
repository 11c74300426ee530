"""A t-SNE map that goes on from the one with another perplexity, with neighbours that are found once.

It ends in another optimum than a map that begins anew, and is as reproducible: it goes on from a map that began anew with
settings that the plan names, and its key holds the key of that map. `stages.projection` neither finds nor makes it.
"""

from dataclasses import replace
from functools import partial

from core import stages
from core.config import ProjectionConfig, TSNEConfig, to_json
from core.entries import staged_in
from core.errors import ConfigError
from core.keys import map_key
from core.plans import Staged
from core.progress import Callback, ignore
from core.projection import Projection, Reduced, project
from core.store import Store


def projection(
    store: Store,
    before: Staged[Reduced],
    config: ProjectionConfig,
    start: ProjectionConfig | None,
    callback: Callback = ignore,
) -> Staged[Projection]:
    """Map the reduced latents to 2 or 3 dimensions, anew or from the map with the settings `start`, itself made anew.

    The latter is found or made only where the map is not there yet.

    Raises
    ------
    ConfigError : a map cannot go on from that one, or a setting does not fit the number of images.
    Cancelled : raised by the callback.
    """
    if start is None:
        return stages.projection(store, before, config, callback)
    check(config, start)
    values = before.value.values

    def make() -> Projection:
        begun = stages.projection(store, before, start, callback).value.coordinates
        graph = partial(stages.neighbours, store, before.key, values)
        return project(values, config, callback, graph=graph, start=begun)

    return staged_in(
        store,
        "projection",
        map_key(before.key, config, start),
        make,
        lambda v: {"coordinates": v.coordinates},
        lambda e: Projection(e.arrays["coordinates"], kl_divergence=e.info["kl_divergence"]),
        lambda v: {
            "config": to_json(config), "start": to_json(start), "n": len(values), "kl_divergence": v.kl_divergence
        },
    )  # fmt: skip


def check(config: ProjectionConfig, start: ProjectionConfig) -> None:
    """Check that a map can go on from one with the settings `start`: both are t-SNE and differ in their perplexity alone.

    Raises
    ------
    ConfigError : it cannot.
    """
    if not isinstance(config, TSNEConfig) or replace(config, perplexity=1.0) != _but_for_perplexity(start):
        raise ConfigError("A map goes on from another one by t-SNE whose settings differ in the perplexity alone.")


def _but_for_perplexity(config: ProjectionConfig) -> ProjectionConfig:
    return replace(config, perplexity=1.0) if isinstance(config, TSNEConfig) else config
