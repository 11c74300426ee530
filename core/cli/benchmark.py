"""`python -m core bench`: both sides of each benchmark, and their ratio."""

import argparse
import dataclasses
import json
import tempfile
from importlib.util import find_spec
from pathlib import Path

from core import bench, engines, report
from core.bench import clusters, million, sharded
from core.bench.data import Data
from core.cli import outputs
from core.cli.bars import Bars
from core.errors import ConfigError
from core.pipeline import open_store

ALONE = {million.NAME: million.WHAT, clusters.NAME: clusters.WHAT, sharded.NAME: sharded.WHAT}


def run(args: argparse.Namespace, bars: Bars) -> int:
    """Run the benchmarks that were named, or all, and print and write what came of them.

    Raises
    ------
    ConfigError : there is no benchmark of a name, or no run is asked for.
    """
    if args.list:
        width = max(map(len, (*bench.ALL, *ALONE)))
        for item in bench.ALL.values():
            print(
                f"{item.name:<{width}}  {item.what}: {item.ours.name} against {item.theirs.name}, ≥ {item.target:g}"
            )
        for name, what in ALONE.items():
            print(f"{name:<{width}}  {what}; only when it is named")
        return 0
    unknown = [name for name in args.names if name not in (*bench.ALL, *ALONE)]
    if unknown:
        raise ConfigError(f"There is no benchmark {unknown[0]!r}; there are {', '.join(bench.ALL)}.")
    if args.repeats is not None and args.repeats < 1:
        raise ConfigError(f"A benchmark needs at least 1 run; {args.repeats} is given.")
    for name in args.names:
        if name in ALONE and len(args.names) > 1:
            raise ConfigError(f"{name} runs alone; name no other with it.")
    if million.NAME in args.names:
        return _million(args, bars)
    if clusters.NAME in args.names:
        return _clusters(args, bars)
    if sharded.NAME in args.names:
        return _shards(args, bars)
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


def _million(args: argparse.Namespace, bars: Bars) -> int:
    """Run what has no other side, in `--store` where that is given, so that the dashboard can open it afterwards."""
    if args.count < 1000:
        raise ConfigError(f"--count {args.count} must be at least 1000.")

    def told(row: million.Row) -> None:
        bars.close()
        print(million.text(row), flush=True)

    with tempfile.TemporaryDirectory(prefix="embedding-explorer-") as folder:
        root = args.store or Path(folder)
        path = root / f"images-{args.count}.npy"
        million.write(path, args.count)
        sizes = {} if args.count >= million.SAMPLE * 2 else {"sample": args.count // 2, "learnt": args.count // 2}
        rows, found = million.run(open_store(root), million.plan_of(path, **sizes), bars, told)
        print(report.fitted_line(found))
        if args.store is not None:
            print(f"The images are {path}; open them in the dashboard with the same store.")
        if args.json is not None:
            outputs.put(args.json, json.dumps(million.as_json(rows, found), indent=1) + "\n")
    return 0


def _shards(args: argparse.Namespace, bars: Bars) -> int:
    """Go through a set in shards, in `--store` where that is given, so that the dashboard can open it afterwards."""
    if args.count < 1000:
        raise ConfigError(f"--count {args.count} must be at least 1000.")

    def told(row: sharded.Row) -> None:
        bars.close()
        print(sharded.text(row), flush=True)

    with (
        tempfile.TemporaryDirectory(prefix="embedding-explorer-") as folder,
        engines.open_engine(args.engine, None, args.workers) as engine,
    ):
        root = args.store or Path(folder)
        rows, made = sharded.run(open_store(root / "store"), engine, root / "run", args.count, bars, told)
        if args.store is not None:
            print(f"Open {root / 'run'} on the dashboard's page Atlas.")
        if args.json is not None:
            outputs.put(args.json, json.dumps(sharded.as_json(rows, made, engine.name), indent=1) + "\n")
    return 0


def _clusters(args: argparse.Namespace, bars: Bars) -> int:
    """Run what compares how right clusters are, and not how fast."""

    def told(row: clusters.Row) -> None:
        bars.close()
        print(clusters.text(row), flush=True)

    methods = args.methods or clusters.here()
    rows = clusters.run(open_store(args.store), args.data, args.test, methods, args.seeds, told, bars)
    print(clusters.table(rows))
    if args.json is not None:
        outputs.put(args.json, clusters.as_json(rows))
    return 0
