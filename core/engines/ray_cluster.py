"""The way to a Ray cluster: one that is there, or Ray started on this machine; quiet, and with what its workers must know."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import ConfigError

CONNECT_SECONDS = 10.0
PASSED = ("EXPLORER_", "EMBEDDING_EXPLORER_")  # beginnings of variables that workers get, too


def imported() -> Any:
    """Return Ray, which takes most of a second to load.

    Raises
    ------
    ConfigError : it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError('Ray is not installed; install it with pip install -e ".[cluster]".') from error
    return ray


def connect(ray: Any, address: str | None, cpus: int) -> None:
    """Connect to a cluster, or start Ray on this machine with so many cores.

    Raises
    ------
    ConfigError : it cannot be reached.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray's core would warn of what Ray Data itself does (ray issue 57733), and of what its next version does otherwise.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    start: dict[str, Any] = {"address": "local", "num_cpus": cpus, "include_dashboard": False}
    if address is not None:
        _check_listens(address)
        start = {"address": address}
    told: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    try:
        with _own_signals():
            ray.init(**start, **told, runtime_env={"env_vars": _variables()})
    except (OSError, RuntimeError, ValueError) as error:  # among the first is ConnectionError
        where = "cannot be started on this machine" if address is None else f"at {address!r:.80} cannot be reached"
        words = " ".join(str(error).split())[:200].rstrip(".")
        raise ConfigError(f"The Ray cluster {where}: {words}.") from error


def _check_listens(address: str) -> None:
    """Check that something listens at host:port: Ray itself would try for minutes.

    Raises
    ------
    ConfigError : nothing does.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdecimal():
        return  # "auto", or what Ray has its own words for
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"The Ray cluster at {address!r:.80} cannot be reached: nothing answers there.") from error


def _variables() -> dict[str, str]:
    """Return the variables of workers: where this package lies, and what this process was told of folders and threads."""
    own = str(Path(__file__).parents[2])
    path = os.pathsep.join(part for part in (own, os.environ.get("PYTHONPATH")) if part)
    passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED)}
    return {**passed, "PYTHONPATH": path, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or "1"}


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does when it is told to end: Ray would put its own in place."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None:  # None is not one of Python's, and cannot be put back
            signal.signal(signal.SIGTERM, before)
