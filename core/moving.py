"""A t-SNE map that goes on from the one with another perplexity, with neighbours that are found once.

It ends in another optimum than a map that begins anew, and is as reproducible: it goes on from a map that began anew with
settings that the plan names, and its key holds the key of that map. `stages.projection` neither finds nor makes it.
"""

from dataclasses import replace
from functools import partial

from core import stages
from core.config import ProjectionConfig, TSNEConfig, to_json
from core.entries import projection_arrays, projection_info, projection_of, staged_in
from core.errors import ConfigError
from core.keys import map_key
from core.plans import Staged
from core.progress import Callback, ignore
from core.projection import WARM_ITERATIONS, Projection, Reduced, project
from core.store import Store

# New perplexity by old one. In the first range, which in 3-D ends sooner, a few iterations do, in the second these many;
# beyond, a map better begins anew. Divergence against a map begun anew, 10,000 MNIST digits, 2-D: after 60 iterations 30 to
# 40 -0.6 %, 30 to 100 -0.4 %, 10 to 30 +0.4 %, 5 to 15 +1.1 %, 30 to 20 +0.7 %; but 40 to 20 +2.1 %, 30 to 15 +2.5 %, 60 to
# 30 +3.5 %, 5 to 50 +6.8 %. After 250: 40 to 20 and 30 to 15 0.0 %, 60 to 30 +1.6 %; 5 to 50 +1.5 % after 200. After 200
# still: 30 to 5 +4.3 %, 100 to 10 +8.3 %. 3-D, after 60: 30 to 15 0.0 %, 30 to 100 +1.7 %, 10 to 30 +3.0 %.
NEAR, NEAR_3D, FAR = (0.65, 3.5), (0.65, 2.5), (0.5, 10.0)
FAR_ITERATIONS = 250


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
    count = iterations(config, start)
    values = before.value.values

    def make() -> Projection:
        begun = stages.projection(store, before, start, callback).value.coordinates
        graph = partial(stages.neighbours, store, before.key, values)
        return project(values, config, callback, graph=graph, start=begun, start_iter=count)

    return staged_in(
        store,
        "projection",
        map_key(before.key, config, start),
        make,
        projection_arrays,
        projection_of,
        lambda v: {"config": to_json(config), "start": to_json(start), "n": len(values), **projection_info(v)},
        callback,
    )  # fmt: skip


def check(config: ProjectionConfig, start: ProjectionConfig) -> None:
    """Check that a map can go on from one with the settings `start`: both are t-SNE and differ in their perplexity alone.

    Raises
    ------
    ConfigError : it cannot.
    """
    if not isinstance(config, TSNEConfig) or replace(config, perplexity=1.0) != _but_for_perplexity(start):
        raise ConfigError("A map goes on from another one by t-SNE whose settings differ in the perplexity alone.")


def iterations(config: ProjectionConfig, start: ProjectionConfig) -> int:
    """Return the iterations that a map needs to go on from another one: few where the perplexity is a similar one."""
    low, high = NEAR_3D if config.n_components == 3 else NEAR
    return WARM_ITERATIONS if low <= _ratio(config, start) <= high else FAR_ITERATIONS


def near_enough(config: ProjectionConfig, start: ProjectionConfig) -> bool:
    """Say whether a map that goes on from another one ends as well as one begun anew."""
    low, high = FAR
    return low <= _ratio(config, start) <= high


def _ratio(config: ProjectionConfig, start: ProjectionConfig) -> float:
    assert isinstance(config, TSNEConfig) and isinstance(start, TSNEConfig)
    return config.perplexity / start.perplexity


def _but_for_perplexity(config: ProjectionConfig) -> ProjectionConfig:
    return replace(config, perplexity=1.0) if isinstance(config, TSNEConfig) else config
