"""A t-SNE map that goes on from the one on screen when its perplexity moves, with neighbours that are found once.

It ends in another optimum than a map that begins anew, and is as reproducible: its key holds the key of the map that it
started from, so that it is never taken for a map of the settings alone. `stages.projection` neither finds nor makes it.
"""

import numpy as np

from core.config import Metric, TSNEConfig
from core.entries import staged_in
from core.keys import moved_key, neighbours_key
from core.plans import Staged
from core.progress import Callback, ignore
from core.projection import Neighbours, Projection, Reduced, neighbours, tsne
from core.store import Store

# Neighbours are kept for perplexities up to this one (24 MB for 10,000 images) and up to so many images; beyond, they are
# found for each map.
WIDEST = 100
KEPT_UP_TO = 20_000


def graph(store: Store, before: Staged[Reduced], metric: Metric) -> Staged[Neighbours]:
    """Find, once, the neighbours that maps need with a perplexity up to `WIDEST`: indices int32, distances float32."""
    values = before.value.values
    return staged_in(
        store,
        "neighbours",
        neighbours_key(before.key, metric, WIDEST),
        lambda: neighbours(values, WIDEST, metric),
        lambda v: {"indices": v.indices.astype(np.int32), "distances": v.distances.astype(np.float32)},
        lambda e: Neighbours(e.arrays["indices"], e.arrays["distances"]),
        lambda v: {"metric": metric, "n": len(values), "k": v.indices.shape[1]},
    )


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
        kept = config.perplexity <= WIDEST and len(values) <= KEPT_UP_TO
        known = graph(store, before, config.metric).value if kept else None
        made, divergence = tsne(values, config, callback, start=start.value.coordinates, graph=known)
        return Projection(made, kl_divergence=divergence)

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
