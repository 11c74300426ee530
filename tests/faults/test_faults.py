"""A few kills and a little damage; `python -m tests.faults` does the same 50 times and more."""

import random

import pytest

from tests.faults import flips, material, rounds
from tests.faults.bench import Bench, Round, Setting

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
    kill(bench, one, random.Random(phase + how))
    assert one.wrong == []


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
