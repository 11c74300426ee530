"""One kill each: prepare, start, kill at a random moment of the work, look at what is left, start again, compare the end."""

import os
import random
import shutil
import time
from pathlib import Path

from core import corrections, pipeline
from core.jobs import Jobs
from core.store import Store
from tests.faults import checks
from tests.faults.bench import MARKS, NAME, Bench, Round, written
from tests.faults.processes import Started, kill_workers, killed_at, start, until

DECISIONS = 300  # that a reviewer makes in a round


def command_line(bench: Bench, one: Round, chance: random.Random) -> None:
    """Kill `python -m core`."""
    folder = bench.fresh()
    command = bench.setting.train(folder) if one.phase == "train" else bench.setting.run(folder)
    started = start(command, folder)
    one.delay = chance.uniform(0, bench.seconds[one.phase])
    begun = (lambda: written(folder)) if one.phase == "export" else (lambda: started.says(MARKS[one.phase]))
    until(begun)
    time.sleep(one.delay)
    one.hit = started.kill(one.how)
    started.wait()
    one.wrong += checks.of_processes(folder)
    one.wrong += checks.store_in_new_process(folder / "store", bench.reference / "store")
    one.wrong += _files(bench, folder, False)
    again = start(command, folder)
    if code := again.wait():
        one.wrong.append(f"started again it ended with {code}: {again.text.decode(errors='replace')[-600:]}")
        return
    one.wrong += checks.store_in_new_process(folder / "store", bench.reference / "store")
    one.wrong += _files(bench, folder, True)


def _files(bench: Bench, folder: Path, complete: bool) -> list[str]:
    wrong = checks.of_models(folder / "models", bench.reference / "models" / NAME)
    if written(folder) or (complete and not (folder / "model.safetensors").exists()):
        wrong += checks.of_exports(folder / "out", bench.reference / "out", complete)
    path = folder / "model.safetensors"
    if path.exists() and checks.weights(path) != checks.weights(bench.reference / "model.safetensors"):
        wrong.append("model.safetensors does not hold the weights of an undisturbed training")
    return wrong


def worker(bench: Bench, one: Round, chance: random.Random) -> None:
    """Kill the worker process of a job; the same job is started again after."""
    folder = bench.fresh()
    store = Store(folder / "store")
    jobs = Jobs(store, workers=1)
    upto = "model" if one.phase == "train" else "projection"
    stage = {"train": "Training", "encode": "Encoding", "map": "t-SNE"}[one.phase]
    try:
        if one.phase != "train":
            shutil.copytree(bench.reference / "store" / "model", folder / "store" / "model")
        jobs.start(bench.setting.plan(False), "images")
        until(lambda: all(not job.active for job in jobs.all()))  # the worker is warm
        job = jobs.start(bench.setting.plan(False), upto)  # type: ignore[arg-type]

        def begun() -> bool:
            now = jobs.get(job.id)
            return now is None or not now.active or (now.progress is not None and now.progress.stage == stage)

        one.delay = chance.uniform(0, bench.seconds.get(one.phase, 0.5))
        outcome = killed_at(begun, one.delay, lambda: kill_workers(os.getpid()))
        until(lambda: not jobs.get(job.id).active)  # type: ignore[union-attr]
        one.hit = outcome()
        ended = jobs.get(job.id)
        assert ended is not None
        if one.hit and ended.state == "failed" and "worker" not in (ended.error or ""):
            one.wrong.append(f"the job does not say what happened: {ended.error}")
        one.wrong += checks.store_in_new_process(folder / "store", bench.reference / "store")
        again = jobs.start(bench.setting.plan(False), upto)  # type: ignore[arg-type]
        until(lambda: not jobs.get(again.id).active)  # type: ignore[union-attr]
        ended = jobs.get(again.id)
        if ended is None or ended.state != "done":
            one.wrong.append(f"started again the job is {ended and (ended.state, ended.error)}")
    finally:
        jobs.close()
    one.wrong += checks.of_processes(folder)
    one.wrong += checks.store_in_new_process(folder / "store", bench.reference / "store")
    one.wrong += has_stage(folder, bench, "model" if one.phase == "train" else "projection")


def has_stage(folder: Path, bench: Bench, stage: str) -> list[str]:
    """Return what is wrong when the entry that a plan is for is not in the store in the end."""
    results = pipeline.run(Store(folder / "store"), bench.setting.plan(False), stage, _nothing)  # type: ignore[arg-type]
    staged = getattr(results, stage)
    return [] if staged.found else [f"the {stage} was not in the store in the end"]


def _nothing(progress: object) -> None:
    """Take a report."""


def reviewer(bench: Bench, one: Round, chance: random.Random) -> None:
    """Kill a program that decides on one image after the other."""
    folder = bench.folder / "round"
    shutil.rmtree(folder, ignore_errors=True)
    path = folder / "reviews" / f"{'ef' * 16}.jsonl"
    first = 0
    one.delay = chance.uniform(0, 0.01)
    after = chance.randrange(1, DECISIONS - 1)
    started = start(_decide(path, first), folder)
    until(lambda: len(acknowledged(started)) >= after or started.process.poll() is not None, every=0.0005)
    time.sleep(one.delay)
    one.hit = started.kill(one.how)
    started.wait()
    told = acknowledged(started)
    one.wrong += of_review(path, told)
    again = start(_decide(path, len(corrections.load(path).events)), folder)
    if again.wait():
        one.wrong.append(f"the next reviewer cannot decide: {again.text.decode(errors='replace')[-600:]}")
    one.wrong += of_review(path, list(range(DECISIONS)))


def _decide(path: Path, first: int) -> list[str]:
    return ["-m", "tests.faults.reviewer", str(path), str(first), str(DECISIONS)]


def acknowledged(started: Started) -> list[int]:
    """Return the decisions that a reviewer was told are kept."""
    whole = bytes(started.text).rpartition(b"\n")[0]
    return [int(line) for line in whole.split() if line.isdigit()]


def of_review(path: Path, told: list[int]) -> list[str]:
    """Return what is wrong: each decision that was acknowledged must be there, in order, and at most one more."""
    if not path.exists():
        return [f"{len(told)} decisions are lost with their file"] if told else []
    events = [event.row for event in corrections.load(path).events]  # type: ignore[union-attr]
    if events[: len(told)] != told or len(events) > len(told) + 1:
        return [f"{len(told)} decisions were acknowledged, {len(events)} are there: {events[-5:]} after {told[-5:]}"]
    return []
