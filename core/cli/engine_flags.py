"""Flags of sets that are gone through shard by shard."""

import argparse

from core.engines import ENGINES

LEARNT = 100_000  # images that a model learns from where no flag says otherwise


def add(command: argparse.ArgumentParser) -> None:
    """Add the flags to a command."""
    group = command.add_argument_group("sets larger than one machine")
    told = "go through the images shard by shard: in this process, or on the workers of a Ray cluster (all in memory)"
    group.add_argument("--engine", choices=ENGINES, help=told)
    group.add_argument(
        "--address",
        metavar="HOST",
        help="of the cluster: host:port, or auto for one on this machine (workers started here)",
    )
    group.add_argument("--workers", type=int, metavar="N", help="workers (as many as there are cores or GPUs)")
    told = (
        "where results of the shards lie; for workers on several machines an address such as s3://bucket/run (--out)"
    )
    group.add_argument("--parts", metavar="PLACE", help=told)
    told = f"images that a model learns from, chosen at random ({LEARNT}); 0 for all of them, data-parallel"
    group.add_argument("--train-sample", type=int, metavar="N", help=told)
