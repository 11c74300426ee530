"""A t-SNE map that goes on from the one on screen when its perplexity moves, with neighbours that are found once.

It ends in another optimum than a map that begins anew, and is as reproducible: its key holds the key of the map that it
started from, so that it is never taken for a map of the settings alone. `stages.projection` neither finds nor makes it.
"""

from functools import partial

from core.config import TSNEConfig
from core.entries import staged_in
from core.keys import moved_key
from core.plans import Staged
from core.progress import Callback, ignore
from core.projection import Projection, Reduced, project
from core.stages import neighbours
from core.store import Store


def moved(
    store: Store, before: Staged[Reduced], start: Staged[Projection], config: TSNEConfig, callback: Callback = ignore
) -> Staged[Projection]:
    """Take the map `start` of the reduced latents on to other settings of t-SNE in as many dimensions.

    Raises
    ------
    ConfigError : the start has other dimensions, or there are too few images for the perplexity.
    Cancelled : raised by the callback.
    """
    values = before.value.values

    def make() -> Projection:
        graph = partial(neighbours, store, before.key, values)
        return project(values, config, callback, graph=graph, start=start.value.coordinates)

    return staged_in(
        store,
        "projection",
        moved_key(before.key, config, start.key),
        make,
        lambda v: {"coordinates": v.coordinates},
        lambda e: Projection(e.arrays["coordinates"], kl_divergence=e.info["kl_divergence"]),
        lambda v: {
            "perplexity": config.perplexity,
            "from": start.key,
            "n": len(values),
            "kl_divergence": v.kl_divergence,
        },
    )
