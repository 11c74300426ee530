"""`python -m core bench`: both sides of each benchmark, and their ratio."""

import argparse
import dataclasses
import json
from importlib.util import find_spec

from core import bench
from core.bench.data import Data
from core.cli import outputs
from core.cli.bars import Bars
from core.errors import ConfigError


def run(args: argparse.Namespace, bars: Bars) -> int:
    """Run the benchmarks that were named, or all, and print and write what came of them.

    Raises
    ------
    ConfigError : there is no benchmark of a name, or no run is asked for.
    """
    if args.list:
        width = max(map(len, bench.ALL))
        for item in bench.ALL.values():
            print(
                f"{item.name:<{width}}  {item.what}: {item.ours.name} against {item.theirs.name}, ≥ {item.target:g}"
            )
        return 0
    unknown = [name for name in args.names if name not in bench.ALL]
    if unknown:
        raise ConfigError(f"There is no benchmark {unknown[0]!r}; there are {', '.join(bench.ALL)}.")
    if args.repeats is not None and args.repeats < 1:
        raise ConfigError(f"A benchmark needs at least 1 run; {args.repeats} is given.")
    data = Data(args.data, store=args.store)
    outcomes = []
    for name in args.names or bench.ALL:
        needs = bench.ALL[name].needs
        if needs and find_spec(needs) is None:
            print(f"{name}: left out, as {needs} is not installed", flush=True)
            continue
        outcomes.append(bench.run(bench.ALL[name], data, args.repeats, bars))
        bars.close()
        print(bench.report(outcomes[-1:]), flush=True)
    if args.json is not None:
        found = [{**dataclasses.asdict(item), "ratio": item.ratio, "met": item.met} for item in outcomes]
        outputs.put(args.json, json.dumps(found, indent=1) + "\n")
    return 0
