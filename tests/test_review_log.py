"""The file of a review: what is kept survives kills, other writers and damage."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core import review_log
from core.checksums import sealed
from core.errors import ReviewError
from core.review_log import Cursor

ROOT = Path(__file__).parents[1]
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")


def records(path, since=None):
    return [record for _, record in review_log.read(path, since).records]


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


def test_what_is_appended_is_read_in_order_and_later_only_what_is_new(tmp_path):
    path = tmp_path / "reviews" / "x.jsonl"
    assert review_log.read(path).records == ()
    review_log.append(path, [{"a": 1}, {"a": "é\n\ud800"}])
    first = review_log.read(path)
    assert first.records == ((0, {"a": 1}), (1, {"a": "é\n\ud800"}))
    assert path.read_bytes().count(b"\n") == 2
    assert review_log.read(path, first.cursor).records == ()
    review_log.append(path, [{"a": 3}])
    second = review_log.read(path, first.cursor)
    assert (second.records, second.restarted) == (((2, {"a": 3}),), False)


def test_an_append_is_one_write_followed_by_a_sync(tmp_path, monkeypatch):
    calls, write, sync = [], os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda file, data: calls.append(bytes(data)) or write(file, data))
    monkeypatch.setattr(os, "fsync", lambda file: calls.append("sync") or sync(file))
    review_log.append(tmp_path / "x.jsonl", [{"a": 1}, {"a": 2}])
    assert calls == [
        sealed({"a": 1}, separators=(",", ":")) + b"\n" + sealed({"a": 2}, separators=(",", ":")) + b"\n",
        "sync",
    ]


def test_two_processes_that_append_at_once_lose_nothing_of_each_other(tmp_path):
    path = tmp_path / "x.jsonl"
    code = (
        "import os, sys; from pathlib import Path; from core import review_log\n"
        "write = os.write; os.write = lambda file, data: write(file, data[:4000])\n"  # as on a disk that takes less
        "for i in range(60): review_log.append(Path(sys.argv[1]), [{'who': sys.argv[2], 'i': i, 'pad': 'x' * 9000}] * 2)"
    )
    both = [start(code, path, who) for who in "ab"]
    for process in both:
        _, problem = process.communicate()
        assert process.returncode == 0, problem
    found = review_log.read(path)
    assert (len(found.records), found.skipped, found.torn) == (240, 0, 0)
    for who in "ab":
        assert [r["i"] for _, r in found.records if r["who"] == who] == [i for i in range(60) for _ in range(2)]
    pairs = [record for _, record in found.records]
    assert all(pairs[i] == pairs[i + 1] for i in range(0, 240, 2))  # an action's lines stay together


@needs_kill
def test_a_process_killed_between_two_writes_has_kept_the_first(tmp_path):
    path = tmp_path / "x.jsonl"
    code = (
        "import sys; from pathlib import Path; from core import review_log\n"
        "review_log.append(Path(sys.argv[1]), [{'a': 1}]); print('kept', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "kept\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    review_log.append(path, [{"a": 2}])
    assert records(path) == [{"a": 1}, {"a": 2}]


@needs_kill
def test_a_process_killed_with_the_lock_in_hand_stops_nobody(tmp_path):
    path = tmp_path / "x.jsonl"
    code = (
        "import os, sys; from pathlib import Path; from core import review_log\n"
        "write = os.write\n"
        "def half(file, data): write(file, data[:7]); print('half', flush=True); sys.stdin.read()\n"
        "os.write = half; review_log.append(Path(sys.argv[1]), [{'a': 'never whole'}])"
    )
    review_log.append(path, [{"a": 1}])
    process = subprocess.Popen(
        [sys.executable, "-c", code, path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert path.read_bytes().endswith(b'"a":1}\n{"sum":')
    review_log.append(path, [{"a": 2}])
    assert records(path) == [{"a": 1}, {"a": 2}]


def test_a_torn_last_line_is_passed_over_with_a_warning_and_ended_by_the_next_writer(tmp_path, caplog):
    path = tmp_path / "x.jsonl"
    review_log.append(path, [{"a": 1}])
    with path.open("ab") as file:
        file.write(b'{"a": 2, "id": "cat')
    with caplog.at_level(logging.WARNING):
        torn = review_log.read(path)
    assert (torn.records, torn.torn) == (((0, {"a": 1}),), 19)
    assert "the last line has no end" in caplog.text
    caplog.clear()
    assert review_log.read(path, torn.cursor).records == ()
    assert caplog.text == ""  # a poll does not say it again
    review_log.append(path, [{"a": 3}])
    after = review_log.read(path, torn.cursor)
    assert (after.records, after.skipped) == (((2, {"a": 3}),), 1)
    assert records(path) == [{"a": 1}, {"a": 3}]


def test_a_line_that_lacked_only_its_end_does_not_come_back_with_the_next_one(tmp_path):
    path = tmp_path / "x.jsonl"
    review_log.append(path, [{"a": 1}, {"a": 2}])
    path.write_bytes(path.read_bytes()[:-1])
    assert records(path) == [{"a": 1}]
    review_log.append(path, [{"a": 3}])
    assert records(path) == [{"a": 1}, {"a": 3}]


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe\x00", b"{", b"[" * 100_000, b'{"a": ' + b"9" * 6000 + b"}", b'"' + b"x" * (600 << 10) + b'"'],
    ids=["bytes", "half", "deep", "huge number", "long"],
)  # fmt: skip
def test_damaged_lines_are_passed_over(line, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n\n{"a": 2}\n')
    found = review_log.read(path)
    assert ([number for number, _ in found.records], found.skipped) == ([0, 3], 1)
    assert records(path) == [{"a": 1}, {"a": 2}]


def test_no_flipped_bit_makes_another_decision_and_each_is_told(tmp_path, caplog):
    path = tmp_path / "x.jsonl"
    review_log.append(path, [{"row": 5, "id": "é"}, {"row": 6, "id": "b"}, {"row": 7, "id": "c"}])
    whole, original = path.read_bytes(), records(path)
    for bit in range(len(whole) * 8):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        caplog.clear()
        found = review_log.read(path)
        assert found.skipped or found.torn, f"bit {bit}"
        assert caplog.text
        assert all(record in original for _, record in found.records), f"bit {bit}"


def test_lines_of_an_earlier_version_have_no_checksum_and_are_read(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"event":"decision","row":5}\n')
    review_log.append(path, [{"row": 6}])
    assert records(path) == [{"event": "decision", "row": 5}, {"row": 6}]


def test_another_file_in_the_same_place_is_read_from_its_beginning(tmp_path):
    path = tmp_path / "x.jsonl"
    review_log.append(path, [{"a": 1}, {"a": 2}])
    cursor = review_log.read(path).cursor
    path.write_text('{"b": 1}\n')  # shorter
    assert review_log.read(path, cursor).restarted
    other = tmp_path / "y.jsonl"
    review_log.append(other, [{"c": i} for i in range(9)])
    other.replace(path)
    found = review_log.read(path, cursor)
    assert found.restarted and len(found.records) == 9
    path.unlink()
    assert review_log.read(path, cursor) is not None and review_log.read(path, cursor).restarted
    assert not review_log.read(path, Cursor()).restarted


def test_a_file_or_an_event_over_its_limit_is_refused_and_what_was_there_stays(tmp_path, monkeypatch):
    path = tmp_path / "x.jsonl"
    review_log.append(path, [{"a": 1}])
    with pytest.raises(ReviewError, match="524,288 is the limit"):
        review_log.append(path, [{"a": "x" * (600 << 10)}])
    monkeypatch.setattr(review_log, "LIMIT_BYTES", 20)
    with pytest.raises(ReviewError, match="more than 0 MiB, its limit"):
        review_log.append(path, [{"a": 2}, {"a": 3}])
    assert records(path) == [{"a": 1}]


def test_what_a_full_disk_takes_only_in_part_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "x.jsonl"
    review_log.append(path, [{"a": 1}])
    before, write = path.read_bytes(), os.write

    def full(file, data):
        if len(data) < 9:
            raise OSError(28, "No space left on device")
        return write(file, data[:-5])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(ReviewError, match="No space left on device"):
            review_log.append(path, [{"a": 22222}])
    assert path.read_bytes() == before
    review_log.append(path, [{"a": 3}])
    assert records(path) == [{"a": 1}, {"a": 3}]


def test_a_place_that_cannot_be_written_or_read_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReviewError, match="the last decision is not recorded"):
        review_log.append(tmp_path / "file" / "x.jsonl", [{"a": 1}])
    with pytest.raises(ReviewError, match="cannot be read"):
        review_log.read(tmp_path)


@pytest.mark.parametrize("name", ["", "../x", "ABCDEF00", "a" * 65, "0123abcd/..", "0123abcd\n"])
def test_only_a_fingerprint_names_a_file(name, tmp_path):
    with pytest.raises(ReviewError, match="is not the fingerprint"):
        review_log.log_path(name, tmp_path)


def test_reviews_lie_beside_the_kept_models_or_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.delenv("EMBEDDING_EXPLORER_REVIEWS", raising=False)
    monkeypatch.setenv("EMBEDDING_EXPLORER_MODELS", str(tmp_path / "models"))
    assert review_log.log_path("0123abcd") == tmp_path / "reviews" / "0123abcd.jsonl"
    monkeypatch.setenv("EMBEDDING_EXPLORER_REVIEWS", str(tmp_path / "mine"))
    assert review_log.log_path("0123abcd") == tmp_path / "mine" / "0123abcd.jsonl"
    assert not list(tmp_path.iterdir())  # asking makes nothing
