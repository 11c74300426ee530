"""A Ray cluster of two nodes on this machine, each of one worker, for the tests of the xdist group "ray".

`from tests.ray_cluster import ray_cluster` gives a test module the fixture: the address of a cluster that its tests share. It
lives in a process of its own, which ends it when its input ends: so no test run leaves one behind, however it ends.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MEMORY = 80 << 20  # of a node's object store: results are small


@pytest.fixture(scope="module")
def ray_cluster():
    """The address of a cluster with two workers, which begin when they have something to do."""
    pytest.importorskip("ray")
    command, pipe = [sys.executable, __file__], subprocess.PIPE
    with (
        pytest.MonkeyPatch.context() as patch,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process,
    ):
        patch.setenv(
            "PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep
        )  # workers import what tests give them to do
        for line in process.stdout:
            if line.startswith("address "):
                yield line.split()[1]
                break
        else:
            pytest.fail("the Ray cluster did not start")
        process.stdin.close()
        process.wait(60)


def main():
    """Run a cluster until the input ends."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_BACKEND_LOG_LEVEL="fatal", OMP_NUM_THREADS="1")
    os.environ.update(
        RAY_memory_monitor_refresh_ms="0"
    )  # what else runs on the machine is no reason to kill a worker
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": MEMORY, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        cluster.add_node(**node)
        print("address", cluster.address, flush=True)
        sys.stdin.read()
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
