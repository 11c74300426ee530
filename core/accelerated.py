"""Libraries that compute on a GPU, where one is installed: never needed, never used on a CPU unless called by name.

Device says how, not what: a result has the same key, and the same quality, wherever it was made.
"""

import logging
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal, TypeVar

SWITCH = "EMBEDDING_EXPLORER_ACCELERATED"  # "no" leaves a GPU to the training alone
Library = Literal["torchdr", "cuml"]
T = TypeVar("T")
_log = logging.getLogger(__name__)


def usable(library: Library) -> bool:
    """Say whether a library is installed, there is a CUDA GPU, and nobody said no."""
    if os.environ.get(SWITCH, "").strip().lower() in ("no", "0", "false") or find_spec(library) is None:
        return False
    import torch

    return torch.cuda.is_available()


def there_or_here(
    library: Library, what: str, there: Callable[[], T], here: Callable[[], T], wanted: bool = True
) -> T:
    """Return what `there` makes on the GPU where it is wanted, a library usable and the memory does, else that of `here`."""
    if not wanted or not usable(library):
        return here()
    import torch

    try:
        return there()
    except (torch.cuda.OutOfMemoryError, MemoryError):  # the latter is cuML's
        _log.warning("The GPU has too little memory for %s of so many images; going on with the CPU.", what)
    # Past the handler, whose traceback would keep the failed attempt's arrays alive.
    torch.cuda.empty_cache()
    return here()
