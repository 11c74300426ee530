"""With which versions a result was made: the program's own, Python's and those of its libraries."""

import platform
import re
import sys
from functools import cache
from importlib import metadata

NAME = "embedding-explorer"
_OTHER = re.compile(r"""extra\s*==\s*['"](?!cuda)""")  # tests and tools take no part in a result


def versions() -> dict[str, str]:
    """Return the version of each part by name, of Python and the platform too, and the GPU if one is in use."""
    device = _device()
    return {**_installed(), **({} if device is None else {"device": device})}


@cache
def _installed() -> dict[str, str]:
    found = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    try:
        found = {NAME: metadata.version(NAME), **found}
        needed = metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:  # run from a folder, not installed
        needed = ["numpy", "torch"]
    for need in needed:
        name = re.split(r"[^\w.-]", need, maxsplit=1)[0]
        if _OTHER.search(need) is None:
            try:
                found[name.lower()] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue  # one for GPUs
    return found


def _device() -> str | None:
    """Name the GPU that this process uses; a process without torch, or that has not touched the GPU, uses none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return str(torch.cuda.get_device_name())
