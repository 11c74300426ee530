"""A training over shards is kept after its epochs, and goes on from there in all processes of a group."""

from pathlib import Path
from typing import Any

import torch

from core.autoencoders import to_weights
from core.config import ModelConfig, to_json
from core.errors import CheckpointError
from core.shards.training import files
from core.shards.training.distributed import agree, rank, shared
from core.shards.training.steps import Run
from core.store import key_of
from core.training_run import fill, tensors_of
from core.training_state import Position, State, packed


def told_of(run: Run, autoencoder: ModelConfig) -> dict[str, Any]:
    """Return what a training is of, in plain JSON values: not how long it is, nor by how many processes."""
    training = {name: value for name, value in to_json(run.config).items() if name != "epochs"}
    names = [item.name for item in run.shards.items]
    return {
        "model": to_json(autoencoder), "settings": training, "image_shape": list(run.shards.image_shape),
        "number_of_streams": run.plan.streams, "set_of_shards": key_of(1, names, list(run.plan.sizes)),
    }  # fmt: skip


def go_on(run: Run, folder: Path | None, told: dict[str, Any]) -> None:
    """Bring back what a folder keeps of this training, in all processes; the first reads it for all.

    Raises
    ------
    CheckpointError : it is damaged, of another training, or longer than this one.
    """
    if folder is None:
        return
    data, problem = None, None
    try:
        data = files.look(folder) if rank() == 0 else None
    except CheckpointError as error:
        problem = error
    agree(problem, run.device)
    data = shared(data, run.device)
    if data is None:
        return
    state = files.read(data, told, folder)
    weights = state.tensors("module")
    own = {name: tuple(value.shape) for name, value in run.module.state_dict().items()}
    if len(state.history) > run.config.epochs:
        raise CheckpointError(f"{folder} holds {len(state.history)} epochs; epochs {run.config.epochs} are fewer.")
    try:
        if {name: array.shape for name, array in weights.items()} != own:
            raise ValueError("it is of another network")
        fill(run.module, run.optimizer, weights, state.tensors("optimizer"))
    except (ValueError, LookupError) as error:
        raise CheckpointError(f"The training in {folder} cannot be used: {error!s:.100}.") from error
    if state.scaler and run.scaler.is_enabled():
        run.scaler.load_state_dict(dict(state.scaler))
    run.history, run.complete = list(state.history), to_weights(run.module)
    run.went_on = Position(len(run.history)).text(run.config.epochs)
    run.start_clock()
    run.report({}, {"epoch": len(run.history), "history": tuple(run.history)})


def keep(run: Run, folder: Path | None, told: dict[str, Any]) -> None:
    """Keep a training as it is after an epoch; the first process writes, and all hear when it cannot.

    Raises
    ------
    CheckpointError : it cannot be written.
    """
    if folder is None:
        return
    problem = None
    if rank() == 0:
        arrays, index = packed(tensors_of(run.module, run.optimizer))
        state = State(
            Position(len(run.history)), arrays, index, tuple(run.history), 0.0, 0.0, run.config.batch_size,
            0, run.device.type, torch.__version__, run.scaler.state_dict(),
        )  # fmt: skip
        try:
            files.write(folder, state, told)
        except CheckpointError as error:
            problem = error
    agree(problem, run.device)
