"""The engine for more than one machine: workers of a Ray cluster, or of Ray on this machine alone.

Heavy work goes through Ray Data: a pool of actors, each of which keeps what `make` made, such as a model on its GPU. Light work
goes as Ray tasks to wherever there is room. What dies with its worker is done again elsewhere; what costs every worker its life
that takes it on, most likely for want of memory, is given up after `TRIES`, so that it cannot hold up the rest for ever.

Workers need this package: those on other machines must have it installed, in the same version and with the same Python. On this
machine they import it from where the running one lies.
"""

import logging
import os
import warnings
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from types import TracebackType
from typing import Any

from core.engines.ray_cluster import connect, imported
from core.engines.ray_worker import GAVE_UP, TRIES, Failed, Held, Item, Pooled, Tries, do
from core.engines.work import Make, Outcome
from core.errors import ConfigError, JobError
from core.progress import Callback, Progress, stopwatch
from core.threads import cores

FATAL = 8  # items that each cost TRIES workers, with none done so far: then the fault is not theirs


class Ray:
    """Goes through items on the workers of a cluster, from the beginning of a with block to its end.

    Parameters
    ----------
    address : of the cluster: host:port, or "auto" for one that runs on this machine; None for that in `RAY_ADDRESS`, else
        Ray is started here and ended with the block.
    workers : how many do heavy work at once; as many as there are GPUs, or cores where there is none, when None.
    gpus : whether a heavy worker has a GPU of its own; None where the cluster has any.
    """

    name = "ray"

    def __init__(self, address: str | None = None, workers: int | None = None, gpus: bool | None = None) -> None:
        if workers is not None and workers < 1:
            raise ConfigError(f"{workers} workers: there must be at least 1.")
        self.address = address or os.environ.get("RAY_ADDRESS") or None
        self.workers = workers
        self.gpus = gpus
        self._mine = False

    def __enter__(self) -> "Ray":
        """Connect to the cluster, or start it.

        Raises
        ------
        ConfigError : Ray is not installed, the cluster cannot be reached, or it has no GPU and must.
        """
        ray = imported()
        if not ray.is_initialized():
            connect(ray, self.address, max(cores(), self.workers or 1))
            self._mine = True
        if self.gpus and not ray.cluster_resources().get("GPU"):
            self.__exit__(None, None, None)
            raise ConfigError("The Ray cluster has no GPU; leave the choice to it, or add a machine that has one.")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the cluster, which ends one that was started here."""
        if self._mine:
            self._mine = False
            imported().shutdown()

    def each(
        self,
        make: Make,
        items: Sequence[Any],
        callback: Callback,
        stage: str,
        *,
        unit: str = "shard",
        heavy: bool = True,
    ) -> Iterator[Outcome[Any]]:
        """Give the outcome of every item, as they end; see `Engine.each`.

        Raises
        ------
        JobError : an item fails by an error that is no `ExplorerError`, or nothing can be done without a worker dying.
        """
        if not items:
            return
        n, done, lost, left = len(items), 0, 0, stopwatch(len(items))
        callback(Progress(stage, 0, n, unit))
        queue = [Item(index, item) for index, item in enumerate(items)]
        with closing(self._heavy(make, queue) if heavy else _light(make, queue)) as outcomes, _told(stage):
            for outcome in outcomes:
                if isinstance(outcome, Failed):
                    raise outcome.error or JobError(f"{stage}: {unit} {outcome.index + 1} of {n}: {outcome.text}.")
                done, lost = done + 1, lost + (outcome.problem == GAVE_UP)
                if lost == done == FATAL:
                    raise JobError(f"{stage}: {FATAL} {unit}s were tried and none was done. {outcome.problem}")
                yield outcome
                callback(Progress(stage, done, n, unit, left(done)))

    def _heavy(self, make: Make, queue: list[Item]) -> Generator[Outcome[Any] | Failed, None, None]:
        """Go through items by Ray Data, with a pool of actors."""
        ray = _with_data()
        there = ray.cluster_resources()
        cpus = max(1, int(there.get("CPU", 1)))
        gpus = 0 if self.gpus is False else int(there.get("GPU", 0))
        count = self.workers or gpus or cpus
        threads = min(max(1, cpus // count), _largest(ray))
        size = min(count, len(queue))
        tries = _here(ray, Tries)
        pool = ray.data.ActorPoolStrategy(
            min_size=1, max_size=size, initial_size=size, max_tasks_in_flight_per_actor=1
        )  # a second item in an actor's queue would wait there while others idle
        rows = ray.data.from_items([{"item": item} for item in queue], override_num_blocks=len(queue))
        needs = {"num_gpus": 1} if gpus else {"num_cpus": threads}
        done = rows.map(Pooled, fn_constructor_args=(make, tries, threads), compute=pool, **needs)
        batches = iter(done.iter_batches(batch_size=None, prefetch_batches=0))  # each as soon as it is there
        try:
            for batch in batches:
                yield from batch["outcome"]
        finally:
            batches.close()  # ends the actors, whatever they are at
            ray.kill(tries)


def _light(make: Make, queue: list[Item]) -> Generator[Outcome[Any] | Failed, None, None]:
    """Go through items by Ray tasks, a few more at once than there are cores."""
    ray = imported()
    from ray.exceptions import RayError, RayTaskError

    held = Held(os.urandom(8).hex(), ray.put(make))
    work = ray.remote(num_cpus=1, max_retries=0)(do)
    waiting, tries = deque(queue), Counter[int]()
    running: dict[Any, Item] = {}
    try:
        while waiting or running:
            most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
            while waiting and len(running) < most:
                item = waiting.popleft()
                running[work.remote(held, item)] = item
            (ready,), _ = ray.wait(list(running), num_returns=1)
            item = running.pop(ready)
            try:
                outcome = ray.get(ready)
            except RayTaskError:
                raise
            except RayError:  # the worker or its machine is gone
                tries[item.index] += 1
                if tries[item.index] < TRIES:
                    waiting.appendleft(item)
                    continue
                outcome = Outcome(item.index, None, GAVE_UP)
            yield outcome
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


@contextmanager
def _told(stage: str) -> Iterator[None]:
    """Turn what goes wrong in the cluster into one sentence."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        words = " ".join(str(error).split())
        raise JobError(f"{stage}: the Ray cluster failed: {words[-300:].rstrip('.')}.") from error


def _with_data() -> Any:
    """Return Ray with Ray Data, which is to draw and tell nothing; what it has to say comes as results."""
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():  # of its own settings
        warnings.simplefilter("ignore")
        context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    return ray


def _here(ray: Any, cls: type) -> Any:
    """Start an actor that needs no core, on this machine where the cluster has it."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    place = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    return ray.remote(cls).options(num_cpus=0, scheduling_strategy=place).remote()


def _largest(ray: Any) -> int:
    """Return the cores of the machine that has most of them."""
    return max([int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]] + [1])
