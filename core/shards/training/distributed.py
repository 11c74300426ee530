"""A group of processes that train together: how it is found, what it adds up, and layers that see the batches of all.

A process alone is a group of one, for which nothing here costs anything.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import distributed, nn

from core.errors import ExplorerError, TrainingError
from core.shards.training.data_parallel import in_torchrun


def joined() -> bool:
    """Say whether this process belongs to a group."""
    return distributed.is_available() and distributed.is_initialized()


def world() -> int:
    """Return the number of processes."""
    return distributed.get_world_size() if joined() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return distributed.get_rank() if joined() else 0


@contextmanager
def group(device: str | None = None) -> Iterator[None]:
    """Join the group that torchrun started while the block runs: by NCCL where each process has a GPU, else by Gloo.

    A process that nobody started so, or that has joined already, goes on as it is.
    """
    if joined() or not in_torchrun():
        yield
        return
    on_gpus = own_device(device).type == "cuda"
    if on_gpus:
        torch.cuda.set_device(own_device(device))
    distributed.init_process_group("nccl" if on_gpus else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def own_device(device: str | None = None) -> torch.device:
    """Return the device given, else this process's own GPU, else the CPU, as where processes are more than GPUs."""
    if device is not None and device != "cuda":
        return torch.device(device)
    local, count = int(os.environ.get("LOCAL_RANK") or 0), torch.cuda.device_count()
    if count and int(os.environ.get("LOCAL_WORLD_SIZE") or 1) <= count:
        # Who shows each process just one GPU, as Ray does, has given it the right one.
        return torch.device("cuda", local if local < count else torch.cuda.current_device())
    return torch.device("cpu" if device is None else device)


def summed(values: Sequence[float], device: torch.device) -> list[float]:
    """Return the sums of numbers over all processes."""
    if world() == 1:
        return [float(value) for value in values]
    sums = torch.tensor(list(values), dtype=torch.float64, device=device)
    distributed.all_reduce(sums)
    return [float(value) for value in sums.cpu()]


def agree(problem: ExplorerError | None, device: torch.device) -> None:
    """Raise an error of this process, or of another, in all."""
    raise_any(problem, summed([problem is not None], device)[0])


def raise_any(problem: ExplorerError | None, failed: float) -> None:
    """Raise this process's error, or say that so many others failed."""
    if problem is not None:
        raise problem
    if failed:
        raise TrainingError("Another process of this training could not go on, and says why.")


def shared(data: bytes | None, device: torch.device) -> bytes | None:
    """Return the bytes that the first process has, or None when it has none."""
    if world() == 1:
        return data
    length = -1 if data is None else len(data)
    length = int(summed([0 if rank() else length], device)[0])
    if length < 0:
        return None
    sent = torch.empty(length, dtype=torch.uint8, device=device)
    if rank() == 0 and data is not None:
        sent.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
    distributed.broadcast(sent, 0)
    received: np.ndarray = sent.cpu().numpy()
    return received.tobytes()


class _Gathered(torch.autograd.Function):
    """Rows of all processes; torch.distributed.nn's own is deprecated from 2.14 on, and what is to follow it is not in 2.4."""

    @staticmethod
    def forward(context: Any, rows: torch.Tensor) -> torch.Tensor:
        """Join the rows of all processes."""
        found = [torch.empty_like(rows) for _ in range(world())]
        distributed.all_gather(found, rows.contiguous())
        return torch.cat(found)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        """Add up what all processes found for each row, and return what concerns the own."""
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total.chunk(world())[rank()]


class _Summed(torch.autograd.Function):
    """The sum over all processes; the gradient of a sum is the sum of gradients."""

    @staticmethod
    def forward(context: Any, values: torch.Tensor) -> torch.Tensor:
        """Add up."""
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        """Add up."""
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


def _total(values: torch.Tensor) -> torch.Tensor:
    if world() == 1:
        return values
    found: torch.Tensor = _Summed.apply(values)
    return found


def gathered(rows: torch.Tensor) -> torch.Tensor:
    """Return the rows (b, d) of all processes, (world · b, d), in their order, with gradients.

    Each process that computes one loss of all rows sends its gradient to each; their mean is that loss's gradient.
    """
    if world() == 1:
        return rows
    found: torch.Tensor = _Gathered.apply(rows)
    return found


class GroupBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the mean and variance of all processes' images; PyTorch has one for GPUs only.

    A process alone uses it, too: PyTorch's rounds otherwise, of which Adam may make another model.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise images (b, c, h, w)."""
        if not self.training:
            return super().forward(x)
        values = x.float()
        count = values.numel() // values.shape[1] * world()  # processes have as many images each
        mean = _total(values.sum((0, 2, 3))) / count  # (c,)
        centred = values - mean[:, None, None]
        variance = _total(centred.square().sum((0, 2, 3))) / count
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        with torch.no_grad():
            momentum = 0.1 if self.momentum is None else self.momentum
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (count / max(1, count - 1)), momentum)
        made = centred * (self.weight * torch.rsqrt(variance + self.eps))[:, None, None] + self.bias[:, None, None]
        return made.to(x.dtype)


def normalised_together(module: nn.Module, device: torch.device) -> nn.Module:
    """Let batch normalisation see the images of all processes; names and values of weights stay."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)
    for parent in list(module.modules()):
        for name, layer in parent.named_children():
            if type(layer) is nn.BatchNorm2d:
                made = GroupBatchNorm(layer.num_features, layer.eps, layer.momentum)
                made.load_state_dict(layer.state_dict())
                setattr(parent, name, made.to(device))
    return module


def still_biases(module: nn.Module) -> None:
    """Leave biases as they are whose effect batch normalisation takes away again.

    Their gradient is a rounding error, of which Adam would make full steps: another number of processes, another model.
    """
    for layers in module.modules():
        if isinstance(layers, nn.Sequential):
            order = [layer for layer in layers if not isinstance(layer, nn.MaxPool2d)]  # moves with what is added
            for layer, after in pairwise(order):
                made = isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and isinstance(after, nn.BatchNorm2d)
                if made and layer.bias is not None:
                    layer.bias.requires_grad_(False)
