"""A few kills and a little damage; `python -m tests.faults` does the same 50 times and more."""

import random

import numpy as np
import pytest

from core import corrections
from core.decisions import Choice
from core.store import Store
from tests.faults import checks, flips, material, rounds
from tests.faults.bench import Bench, Round, Setting, attempt

pytestmark = pytest.mark.xdist_group("browser")  # not beside what else starts many processes


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """An undisturbed run of little work."""
    bench = Bench(tmp_path_factory.mktemp("faults"), Setting(images=200, epochs=3, pictures=False))
    bench.prepare(commands=("run",))
    return bench


@pytest.mark.parametrize(
    ("phase", "kill", "how"),
    [
        ("review", rounds.reviewer, "SIGKILL"),
        ("review", rounds.reviewer, "group"),
        ("review", rounds.reviewer, "SIGTERM"),
        ("train", rounds.worker, "SIGKILL"),
        ("map", rounds.worker, "SIGKILL"),
        ("export", rounds.command_line, "SIGKILL"),
    ],
)
def test_after_a_kill_everything_is_whole_and_the_next_start_ends_as_if_nothing_had_been(bench, phase, kill, how):
    one = Round(phase, kill.__name__, how)
    attempt(bench, one, kill, random.Random(phase + how))
    assert one.wrong == []
    assert one.hit


@pytest.mark.filterwarnings("ignore")  # of Streamlit without a page, and of torchvision
def test_damage_to_any_kind_of_file_is_noticed_and_made_good(tmp_path):
    tallies = flips.everything(material.build(tmp_path), flips=1, cuts=1, files=1)
    assert [text for tally in tallies for text in tally.wrong] == []
    assert sum(tally.outcomes["noticed"] for tally in tallies) > len(tallies)


def test_damage_is_what_it_says():
    data = bytes(range(100))
    flipped, cut, shorter = flips.damages(data, 1, 2, random.Random(0))
    assert sum((a ^ b).bit_count() for a, b in zip(data, flipped[1], strict=True)) == 1
    assert cut[1] == b""
    assert data.startswith(shorter[1])


def test_a_half_export_a_changed_entry_and_a_lost_decision_are_noticed(tmp_path):
    for name in ("right", "left"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "table.csv").write_text("id,label\n1,2\n")
        store = Store(tmp_path / name / "store")
        store.put("latents", "0" * 32, {"x": np.arange(4.0)}, {"n": 4}, 0.0)
    left, right = tmp_path / "left", tmp_path / "right"
    assert checks.of_store(left / "store", right / "store", strict=True) == []
    (left / "table.csv").write_text("id,la")
    assert checks.of_exports(left, right) == ["table.csv is not whole: 5 of 13 bytes"]
    store = Store(left / "store")
    store.drop("latents", "0" * 32)
    store.put("latents", "0" * 32, {"x": np.arange(4.0) + 1e-9}, {"n": 4}, 0.0)
    (left / "store" / "latents" / "half").mkdir()
    wrong = checks.of_store(left / "store", right / "store", strict=True)
    assert [text.partition(" ")[2] for text in wrong] == ["is there and no entry", "is not as in an undisturbed run"]
    log = tmp_path / "reviews" / f"{'ef' * 16}.jsonl"
    for row in (0, 2):
        corrections.decide(log, corrections.load(log), [Choice(row, f"image {row}", "junk")], "Ada")
    assert rounds.of_review(log, [0, 2]) == rounds.of_review(log, [0]) == []
    assert rounds.of_review(log, [0, 1]) != []
