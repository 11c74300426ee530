"""How a device computes, never what: number formats, memory layout, images kept on it, and batches that fit into it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from core.config import Precision, ValueRange
from core.errors import TrainingError
from core.imageset import ImageSet

KEPT_SHARE = 4  # images stay on a device when they fill at most one fourth of its free memory
PIECE = 64 << 20  # bytes of images that are sent to it at once
COMPILE_FROM = 600.0  # seconds of training from where a minute or two of compiling are little
_log = logging.getLogger(__name__)
T = TypeVar("T")


def halves(precision: Precision, device: torch.device) -> torch.dtype | None:
    """Return the 16-bit format in which layers compute, or None for float32: on a GPU float16, on a CPU bfloat16.

    Parameters
    ----------
    precision : "auto" is 16 bits on a GPU and float32 on a CPU.
    """
    if precision == "full" or (precision == "auto" and device.type != "cuda"):
        return None
    return torch.float16 if device.type == "cuda" else torch.bfloat16


def autocast(precision: Precision, device: torch.device) -> Any:
    """Compute in `halves(precision, device)` while the block runs; parameters and losses stay float32."""
    chosen = halves(precision, device)
    return nullcontext() if chosen is None else torch.autocast(device.type, chosen)


@contextmanager
def on_threads(count: int) -> Iterator[Callable[[], None]]:
    """Compute on so many threads of the CPU while the block runs, 0 for as many as there happen to be.

    The block gets a function that sets the number again, after something that may have changed it; what it was changed to
    holds after the block.
    """
    outside = torch.get_num_threads()

    def again() -> None:
        nonlocal outside
        if count and torch.get_num_threads() != count:
            outside = torch.get_num_threads()
            torch.set_num_threads(count)

    again()
    try:
        yield again
    finally:
        if torch.get_num_threads() != outside:
            torch.set_num_threads(outside)


@contextmanager
def algorithms(deterministic: bool) -> Iterator[None]:
    """Let torch use only deterministic algorithms, or whichever is fastest, and bring its settings back after."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    with ExitStack() as stack:
        stack.enter_context(
            torch.backends.cudnn.flags(enabled=True, benchmark=not deterministic, deterministic=deterministic)
        )
        stack.callback(torch.use_deterministic_algorithms, before[0], warn_only=before[1])
        # cuBLAS is deterministic only with a workspace set before CUDA starts: warn of the rest, do not fail.
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
        # Filling memory that is about to be written changes nothing and took an eighth of an epoch.
        memory: Any = torch.utils.deterministic
        stack.callback(setattr, memory, "fill_uninitialized_memory", memory.fill_uninitialized_memory)
        memory.fill_uninitialized_memory = False
        yield


def arrange(module: nn.Module) -> nn.Module:
    """Lay the weights of convolutions out channels last, which the kernels of CPUs and GPUs read faster.

    Transposed convolutions of stride 1 stay as they are: measured, channels first is faster there. So do networks with
    batch normalisation that are trained on a CPU: it leaves the biases before it only rounding errors as gradients,
    of which Adam makes full steps, and other kernels round otherwise: the same seed would give quite another model.
    """
    normalised = any(isinstance(layer, nn.BatchNorm2d) for layer in module.modules())
    if normalised and module.training and next(module.parameters()).device.type == "cpu":
        return module
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) or (isinstance(layer, nn.ConvTranspose2d) and layer.stride != (1, 1)):
            layer.to(memory_format=torch.channels_last)
    return module


def to_batch(x: np.ndarray | torch.Tensor, device: torch.device, value_range: ValueRange = "unit") -> torch.Tensor:
    """Turn uint8 images (b, h, w, c) into float32 (b, c, h, w) in [0, 1] or [-1, 1] on a device."""
    if isinstance(x, np.ndarray):
        x = torch.from_numpy(x if x.flags.writeable else np.array(x))  # shipped arrays are read-only
        if device.type == "cuda":
            x = x.pin_memory().to(device, non_blocking=True)
    batch = x.permute(0, 3, 1, 2).to(torch.float32).div_(255)  # (b, h, w, c) → (b, c, h, w)
    return batch if value_range == "unit" else batch.mul_(2).sub_(1)


class Pixels:
    """Images as batches on a device: a small set lies there whole, of a large one each batch is sent."""

    def __init__(self, images: ImageSet, device: torch.device, value_range: ValueRange) -> None:
        self._x, self._device, self._range = images.x, device, value_range
        self._kept = _kept(images.x, device) if images.x.nbytes * KEPT_SHARE <= _free(device) else None

    def batch(self, rows: np.ndarray | slice) -> torch.Tensor:
        """Return the images of these rows as float32 (b, c, h, w) in the model's range."""
        if self._kept is not None:
            chosen = rows if isinstance(rows, slice) else torch.from_numpy(rows).to(self._device)
            return to_batch(self._kept[chosen], self._device, self._range)
        return to_batch(self._x[rows], self._device, self._range)


def _free(device: torch.device) -> int:
    """Return the free bytes of a device's own memory; a CPU has none."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def _kept(x: np.ndarray, device: torch.device) -> torch.Tensor | None:
    """Return images uint8 (n, h, w, c) on a device, sent piece by piece as they may be read from a file; None without room."""
    try:
        kept = torch.empty(x.shape, dtype=torch.uint8, device=device)
    except torch.cuda.OutOfMemoryError:  # free, but not in one piece
        return None
    step = max(1, PIECE // x[0].nbytes)
    for start in range(0, len(x), step):
        kept[start : start + step] = torch.from_numpy(np.array(x[start : start + step])).to(device)
    return kept


def compiled_if_it_pays(
    module: nn.Module, device: torch.device, seconds: float
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a module compiled by torch when it is trained for so many seconds more on a GPU, else the module itself.

    Never on a CPU: measured there in float32 (one thread of two busy cores), a step of conv-mnist took 37 ms compiled and
    27 ms as it is, one of conv-pool 463 and 353 ms, after 105 and 50 seconds of warm-up. What it brings on a GPU could not be
    measured. Where it cannot compile, a warning says so and the module goes on as it is.
    """
    if device.type != "cuda" or seconds < COMPILE_FROM or find_spec("triton") is None:
        return module
    from torch._dynamo.exc import TorchDynamoException

    chosen = [torch.compile(module)]

    def forward(x: torch.Tensor) -> torch.Tensor:
        try:
            made: torch.Tensor = chosen[0](x)
        except TorchDynamoException as error:
            _log.warning("The network cannot be compiled (%s); going on without.", type(error).__name__)
            chosen[0] = module
            made = module(x)
        return made

    return forward


def fit_memory(work: Callable[[int], T], at_once: int) -> tuple[T, int]:
    """Call `work(at_once)`, with half as many images each time that the memory does not do; return how many did.

    Raises
    ------
    TrainingError : the memory does not do for one image.
    """
    while True:
        try:
            return work(at_once), at_once
        except torch.cuda.OutOfMemoryError as error:
            if at_once == 1:
                raise TrainingError(
                    "The device has too little memory for 1 image; choose a smaller model."
                ) from error
        # Past the handler, whose traceback would keep the failed attempt's arrays alive.
        _log.warning(
            "The device has too little memory for %d images at once; going on with %d.", at_once, at_once // 2
        )
        at_once //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
