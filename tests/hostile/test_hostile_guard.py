"""The guard sees what must not happen: else the corpus would show nothing."""

import sys

import pytest

from tests.hostile.case import MB, Case

pytestmark = [
    pytest.mark.xdist_group("hostile"),
    pytest.mark.skipif(sys.platform != "linux", reason="memory is measured and limited as Linux does it"),
]


@pytest.mark.parametrize(
    ("deed", "seen"),
    [
        ("read outside", "open read: "),
        ("list outside", "os.listdir read: "),
        ("write into the data", "open written: "),
        ("run a program", "subprocess.Popen"),
        ("connect", "socket.connect"),
        ("unpickle", "pickle.find_class"),
    ],
)
def test_what_is_done_behind_the_programs_back_is_seen(deed, seen, guard, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("x")
    reply = guard.ask("misdeed", {"deed": deed, "path": str(tmp_path / "root")}, tmp_path / "root")
    assert any(seen in line for line in reply["seen"]), reply
    with pytest.raises(AssertionError):
        Case("", "", lambda root: {}, refused=".", holds=lambda value: None).check(reply, tmp_path / "root")


def test_memory_that_is_taken_and_given_back_is_seen_and_too_much_is_refused(guard, tmp_path):
    reply = guard.ask("misdeed", {"deed": "take 300 MB", "path": str(tmp_path)}, tmp_path)
    assert 290 * MB < reply["peak"] < 400 * MB
    assert "MemoryError" in guard.ask("misdeed", {"deed": "take 100 GB", "path": str(tmp_path)}, tmp_path)["crash"]
    assert guard.ask("misdeed", {"deed": "nothing", "path": str(tmp_path)}, tmp_path)["peak"] < 20 * MB


def test_a_case_that_ends_the_process_is_told_and_the_next_one_has_another(guard, tmp_path):
    assert "died" in guard.ask("misdeed", {"deed": "die", "path": str(tmp_path)}, tmp_path)
    assert guard.ask("misdeed", {"deed": "nothing", "path": str(tmp_path)}, tmp_path)["value"] == "done"
