"""Training over shards by the workers of a Ray cluster: each does what a process that torchrun started does."""

import secrets
import shutil
import time
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core import checkpoints, errors
from core.config import ModelConfig, TrainingConfig
from core.engines.ray import Ray
from core.errors import CheckpointError, ConfigError, ExplorerError, JobError, TrainingError, one_line
from core.models import TrainedModel
from core.progress import Callback, Cancelled, Progress, ignore
from core.readers.sources import ShardedSource
from core.shards.training.streams import Shards

LOOK_SECONDS = 0.1
TRIES = 3  # a worker that dies costs an epoch at most, where there is a checkpoint


def ray_train(
    source: ShardedSource | Shards,
    autoencoder: ModelConfig,
    training: TrainingConfig,
    storage: Path,
    *,
    workers: int = 2,
    address: str | None = None,
    gpus: bool | None = None,
    streams: int = 8,
    accumulate: int = 1,
    checkpoint: Path | None = None,
    callback: Callback = ignore,
) -> TrainedModel:
    """Train an autoencoder on shards by workers of a Ray cluster; see `core.shards.training.loop.train`.

    Parameters
    ----------
    storage : folder that all machines of the cluster have, where Ray takes notes meanwhile and the model comes back.
    address : of the cluster, as of `core.engines.ray.Ray`.
    gpus : whether each worker has a GPU of its own; None where the cluster has as many.
    checkpoint : folder that all machines have; workers that died are then started again, and go on from there.

    Raises
    ------
    ConfigError, DataError, TrainingError, CheckpointError : as of `train`. Cancelled : the callback asked to stop early.
    JobError : the workers, or the cluster, died.
    """
    if workers < 1:
        raise ConfigError(f"{workers} workers: there must be at least 1.")
    storage.mkdir(parents=True, exist_ok=True)
    name = f"training-{secrets.token_hex(8)}"
    task = Task(
        source, autoencoder, training, streams, accumulate, None if checkpoint is None else checkpoint.absolute(),
        storage.absolute() / f"{name}.safetensors", gpus,
    )  # fmt: skip
    with Ray(address, workers, gpus):
        try:
            return _trained(task, workers, name, callback)
        finally:
            task.model.unlink(missing_ok=True)
            shutil.rmtree(task.model.with_suffix(""), ignore_errors=True)  # what Ray noted


@dataclass(frozen=True)
class Task:
    """What each worker does, and the file in which the first of them leaves the model."""

    source: ShardedSource | Shards
    autoencoder: ModelConfig
    training: TrainingConfig
    streams: int
    accumulate: int
    checkpoint: Path | None
    model: Path
    gpus: bool | None


class Board:
    """An actor where workers tell how far they are, and are told to stop."""

    def __init__(self) -> None:
        self._told: list[dict[str, Any]] = []
        self._problems: list[tuple[str, str]] = []
        self._stop = False

    def tell(self, told: dict[str, Any]) -> bool:
        """Leave a report of progress, and hear whether to stop."""
        self._told.append(told)
        return self._stop

    def fail(self, kind: str, text: str) -> None:
        """Leave an error of ours."""
        self._problems.append((kind, text))

    def problems(self) -> list[tuple[str, str]]:
        """Return the errors that were left."""
        return self._problems

    def take(self) -> list[dict[str, Any]]:
        """Return the reports since the last time."""
        told, self._told = self._told, []
        return told

    def stop(self) -> None:
        """Let the workers stop after their batch."""
        self._stop = True


def _trained(task: Task, workers: int, name: str, callback: Callback) -> TrainedModel:
    import ray

    there = ray.cluster_resources()
    gpus = task.gpus is not False and there.get("GPU", 0) >= workers
    if task.gpus and not gpus:
        raise ConfigError(f"{workers} workers with a GPU each are more than the cluster has GPUs.")
    if workers > there.get("CPU", 0):
        raise ConfigError(f"{workers} workers are more than the {there.get('CPU', 0):g} cores of the cluster.")
    board: Any = ray.remote(Board).options(num_cpus=0).remote()
    try:
        _follow(_trainer(replace(task, gpus=gpus), board, workers, name), board, callback)
        _raise(ray.get(board.problems.remote()))
    finally:
        ray.kill(board)
    if not task.model.exists():
        raise Cancelled
    return checkpoints.read_checkpoint(task.model)


def _trainer(task: Task, board: Any, workers: int, name: str) -> Any:
    with warnings.catch_warnings():  # of its own settings
        warnings.simplefilter("ignore")
        from ray.data import DataContext
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        DataContext.get_current()  # makes the settings that all share
        return TorchTrainer(
            _work,
            train_loop_config={"task": task, "board": board},
            torch_config=TorchConfig(backend="nccl" if task.gpus else "gloo"),
            scaling_config=ScalingConfig(num_workers=workers, use_gpu=bool(task.gpus)),
            run_config=RunConfig(
                name=name,
                storage_path=str(task.model.parent),
                failure_config=FailureConfig(max_failures=0 if task.checkpoint is None else TRIES - 1),
            ),
        )


def _follow(trainer: Any, board: Any, callback: Callback) -> None:
    """Wait for the workers in a thread of its own, and hand on what they tell from this one."""
    import ray
    from ray.exceptions import RayError
    from ray.train import TrainingFailedError

    stopped = False
    with ThreadPoolExecutor(1, "ray-train") as pool:
        fitted = pool.submit(trainer.fit)
        try:
            while True:
                ended = fitted.done()
                for told in ray.get(board.take.remote()):
                    try:
                        if not stopped:
                            callback(Progress(**told))
                    except Cancelled:
                        stopped = True
                        board.stop.remote()
                if ended:
                    break
                time.sleep(LOOK_SECONDS)
        finally:
            board.stop.remote()  # also where the callback fails otherwise
        try:
            fitted.result()
        except (TrainingFailedError, RayError) as error:
            _raise(ray.get(board.problems.remote()))
            words = one_line(" ".join(str(error).split()))
            raise JobError(f"The workers of this training failed: {words[-300:]}") from error


def _raise(problems: list[tuple[str, str]]) -> None:
    """Raise the error that says most, of those that workers left."""
    known: Mapping[str, type[ExplorerError]] = {
        cls.__name__: cls for cls in (ConfigError, errors.DataError, TrainingError, CheckpointError)
    }
    for kind, text in sorted(problems, key=lambda problem: problem[1].startswith("Another process")):
        raise known.get(kind, JobError)(text)


def _work(given: dict[str, Any]) -> None:
    """Train in a worker, as one of a group that Ray Train has joined."""
    import ray

    from core.shards.training import distributed
    from core.shards.training.loop import train

    task: Task = given["task"]
    board = given["board"]
    if ray.get(board.problems.remote()):
        return  # our errors come again, however often it is tried

    def tell(progress: Progress) -> None:
        if distributed.rank() != 0:
            return
        told = {**vars(progress), "metrics": dict(progress.metrics)}
        if ray.get(board.tell.remote(told)):
            raise Cancelled

    try:
        model = train(
            task.source, task.autoencoder, task.training, streams=task.streams, accumulate=task.accumulate,
            checkpoint=task.checkpoint, callback=tell, device="cuda" if task.gpus else "cpu",
        )  # fmt: skip
        if distributed.rank() == 0:
            checkpoints.write_checkpoint(model, task.model)
    except Cancelled:
        return
    except ExplorerError as error:
        ray.get(board.fail.remote(type(error).__name__, str(error)))
        raise
