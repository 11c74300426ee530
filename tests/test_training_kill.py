"""Trainings in processes of their own: killed at any moment, or told to stop, they go on to the same weights bit for bit."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core import checkpoints, stages, steps, trainings
from core import training as training_module
from core.__main__ import main
from core.config import AutoencoderConfig
from core.images import ArraySource
from core.store import Store
from core.training_state import Position
from core.usual_training import usual
from tests.made_up import blobs

ROOT = Path(__file__).parents[1]
PATIENCE = 120
FLAGS = ["--width", "4", "--latent-size", "4", "--batch-size", "8", "--precision", "full"]
FORKS = multiprocessing.get_context(
    "forkserver"
)  # a process each, but torch is loaded once, with what its optimisers load
FORKS.set_forkserver_preload([__name__, "torch._dynamo"])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A file of 40 images: 5 batches an epoch, 30 in all."""
    path = tmp_path_factory.mktemp("data") / "x.npy"
    np.save(path, blobs(40)[0])
    return path


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The model of a training that nothing interrupted."""
    return bytes_of(finished(data, tmp_path_factory.mktemp("whole")))


def child(command, log, folder, pause, environment, die):
    """Run a command with a state after every batch and a pause before it; `die` ends it within the writing of a state."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update({"EMBEDDING_EXPLORER_MODELS": str(folder / "models"), **environment})
    training_module.KEEP_SECONDS, training_module.KEEP_SHARE, steps.REPORT_SECONDS = 0.0, 1e9, 0.0
    step = steps._step
    steps._step = lambda *given: (time.sleep(pause), step(*given))[1]
    if die is not None:
        dying_in_state_8(die)
    sys.exit(main(command))


def dying_in_state_8(moment):
    """Kill the own process before the 8th state is written, with half a file, before the earlier one is dropped, or after."""
    put, drop, save = Store.put, Store.drop, np.save
    states = []

    def die_in(*moments):
        if len(states) == 8 and moment in moments:
            os.kill(os.getpid(), signal.SIGKILL)

    def putting(self, stage, *rest):
        if stage == "training":
            states.append(stage)
        die_in("before")
        return put(self, stage, *rest)

    def saving(file, array, **how):
        if len(states) == 8 and moment == "half":
            save(file, array[: len(array) // 2], **how)
        die_in("half")
        save(file, array, **how)

    def dropping(self, stage, key):
        die_in("both")
        drop(self, stage, key)
        die_in("after")

    Store.put, Store.drop, np.save = putting, dropping, saving


def begun(data, folder, epochs=6, pause=0.02, flags=(), environment=(), die=None):
    """Start the training in a process of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "log").unlink(missing_ok=True)
    command = [
        "train",
        "--data",
        str(data),
        *FLAGS,
        "--epochs",
        str(epochs),
        *flags,
        "--store",
        str(folder / "store"),
    ]
    given = ([*command, "--name", "m"], folder / "log", folder, pause, dict(environment), die)
    process = FORKS.Process(target=child, args=given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))  # tests of pages leave a script there
        process.start()
    return process


def ended(process, folder):
    """Wait for the end of a process; return its exit code and what it said."""
    process.join(PATIENCE)
    assert process.exitcode is not None, "it does not end"
    said = (folder / "log").read_text("utf-8", "replace")
    assert "Traceback" not in said, said
    return process.exitcode, said


def killed(process):
    process.kill()
    process.join()


def until(process, folder, pattern):
    """Wait until a process has said something like this."""
    end = time.monotonic() + PATIENCE
    while not (folder / "log").exists() or not re.search(pattern, (folder / "log").read_text("utf-8", "replace")):
        assert process.is_alive() and time.monotonic() < end, (folder / "log").read_text()
        time.sleep(0.005)


def finished(data, folder, after=None, **more):
    """Run the training to its end and return its model; it must say after what it went on, if it did."""
    code, said = ended(begun(data, folder, pause=0.0, **more), folder)
    assert code == 0, said
    assert re.findall(r"Goes on after (.*)\.", said) == ([] if after is None else [after.text(more.get("epochs", 6))])
    return model_in(folder)


def model_in(folder):
    return checkpoints.load(folder / "models" / "m")


def bytes_of(model):
    losses = [(item.epoch, item.train_loss, item.validation_loss) for item in model.history]
    return losses, {name: array.tobytes() for name, array in model.weights.items()}


def left_in(folder, data):
    """Return the interrupted trainings that a store knows of, and check that all its entries can be read."""
    store = Store(folder / "store")
    for item in store.entries():
        assert store.get(item["stage"], item["key"]) is not None
    return trainings.interrupted(store, stages.images(store, ArraySource(str(data))).value)


def test_killed_at_random_moments_it_ends_with_the_same_weights(data, tmp_path):
    rng = np.random.default_rng(8)
    positions = []
    for _ in range(8):
        process = begun(data, tmp_path, epochs=20)
        until(process, tmp_path, "Training")  # its first report
        time.sleep(rng.uniform(0.0, 0.3))
        killed(process)
        positions += [item.position for item in left_in(tmp_path, data)][:1]
    assert positions == sorted(positions) and len(set(positions)) >= 3  # each went on from the one before
    assert any(position.batch for position in positions)
    model = finished(data, tmp_path, positions[-1], epochs=20)
    assert bytes_of(model) == bytes_of(finished(data, tmp_path / "whole", epochs=20))
    assert left_in(tmp_path, data) == []
    (state,) = Store(tmp_path / "store").entries("training")
    assert (state["info"]["epoch"], state["info"]["batch"]) == (20, 0)


@pytest.mark.parametrize(("moment", "batch"), [("before", 2), ("half", 2), ("both", 3), ("after", 3)])
def test_killed_while_it_writes_the_earlier_or_the_newer_state_is_there(moment, batch, data, whole, tmp_path):
    process = begun(data, tmp_path, pause=0.0, die=moment)
    assert ended(process, tmp_path)[0] == -signal.SIGKILL
    positions = sorted(item.position for item in left_in(tmp_path, data))
    assert positions == [Position(1, 2), Position(1, 3)] if moment == "both" else [Position(1, batch)]
    assert bytes_of(finished(data, tmp_path, Position(1, batch))) == whole
    assert len(list(Store(tmp_path / "store").entries("training"))) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_the_state_and_the_same_command_goes_on(number, data, whole, tmp_path):
    process = begun(data, tmp_path)
    until(process, tmp_path, "epoch=2")
    os.kill(process.pid, number)
    code, said = ended(process, tmp_path)
    (left,) = left_in(tmp_path, data)
    stopped = model_in(tmp_path)
    assert code == 130
    assert f"Stopped after {left.position.epoch} of 6 epochs. The same command goes on from there." in said
    assert stopped.stopped_early and len(stopped.history) == left.position.epoch
    assert bytes_of(finished(data, tmp_path, left.position)) == whole
    code, said = ended(begun(data, tmp_path), tmp_path)
    assert code == 2 and "There is a model 'm' already" in said  # it is no longer unfinished


def test_a_stopped_model_of_other_images_is_not_replaced(data, tmp_path):
    process = begun(data, tmp_path)
    until(process, tmp_path, "epoch=2")
    os.kill(process.pid, signal.SIGINT)
    assert ended(process, tmp_path)[0] == 130
    np.save(tmp_path / "other.npy", blobs(41)[0])
    code, said = ended(begun(tmp_path / "other.npy", tmp_path), tmp_path)
    assert code == 2 and "m is a model of other images already" in said


def test_fresh_begins_anew(data, whole, tmp_path):
    process = begun(data, tmp_path)
    until(process, tmp_path, "epoch=2")
    killed(process)
    assert left_in(tmp_path, data)
    assert bytes_of(finished(data, tmp_path, flags=["--fresh"])) == whole


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_it_goes_on_with_the_threads_that_it_began_with(data, whole, tmp_path):
    process = begun(data, tmp_path)  # with one, as all tests
    until(process, tmp_path, "epoch=2")
    killed(process)
    position, two = left_in(tmp_path, data)[0].position, {"OMP_NUM_THREADS": "2"}
    assert bytes_of(finished(data, tmp_path, position, environment=two)) == whole
    assert bytes_of(finished(data, tmp_path / "two", environment=two)) != whole  # else this shows nothing


def endless():
    """Return what the flags ask for, but for the number of epochs."""
    begun = usual((8, 8, 1), 40)
    training = replace(begun.training, batch_size=8, epochs=50_000, precision="full")
    return replace(begun, autoencoder=AutoencoderConfig(4, 4), training=training)


SERVER = """
import sys, time
from pathlib import Path
from core.images import ArraySource
from core.jobs import Jobs
from core.plans import Plan
from core.store import Store
from tests.test_training_kill import endless

jobs = Jobs(Store(Path(sys.argv[1])), workers=1)
job = jobs.start(Plan(ArraySource(sys.argv[2]), endless()), "model")
while (now := jobs.get(job.id)).active:
    print(int(now.progress.metrics.get("epoch", 0)) if now.progress else 0, flush=True)
    time.sleep(0.05)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_whose_server_has_ended_keeps_the_state(number, data, tmp_path):
    command = [sys.executable, "-c", SERVER, str(tmp_path / "store"), str(data)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        while (line := server.stdout.readline()) and int(line) < 3:
            pass
        server.send_signal(number)
    end = time.monotonic() + PATIENCE
    while not (left := left_in(tmp_path, data)):
        assert time.monotonic() < end, "the worker left no state"
        time.sleep(0.1)
    assert left[0].spec == endless()
    # What it left is the beginning of every training with these settings.
    epochs = left[0].position.epoch + 1
    finished(data, tmp_path, left[0].position, epochs=epochs)
