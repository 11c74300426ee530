"""What stands of a review after decisions, undo and redo, by one reviewer or several."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core import corrections, review_log
from core.corrections import Review
from core.decisions import Choice, Decision, decision_record, event_of, naming_record, reversal_record, reviewer_name
from core.errors import ConfigError

ROOT = Path(__file__).parents[1]
KEY, OTHER = "0" * 32, "1" * 32
HOSTILE = ("=1+1", "a\nb\r\n", "<script>alert(1)</script>", "x" * 10_000, "\ud800", "'=1", "../../etc", "𝄞" * 10_000)
RECORD = decision_record(Choice(3, "a.png", "relabel", "3", "7", 0.5), "0123abcd", "Ann", "2024-05-01T12:00:00Z")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "review.jsonl"


def relabel(row, new, **further):
    return Choice(row, f"{row}.png", "relabel", "3", new, **further)


def test_a_decision_is_kept_whole(path):
    review = corrections.decide(path, Review(), [replace(relabel(3, "7"), score=0.25)], "Ann")
    found = review.current[3]
    assert (found.number, found.id, found.kind, found.old, found.new) == (0, "3.png", "relabel", "3", "7")
    assert (found.score, found.by, found.reviewer, found.owner) == (0.25, "person", "Ann", "Ann")
    assert found.time.endswith("Z") and len(found.time) == 24
    assert corrections.load(path).current == {3: found}
    assert review.counts() == {"confirm": 0, "relabel": 1, "move": 0, "junk": 0, "skip": 0}


def test_a_later_decision_stands_whoever_makes_it_and_both_are_seen(path):
    review = corrections.decide(path, Review(), [relabel(3, "7"), relabel(4, "7")], "Ann")
    review = corrections.decide(path, review, [relabel(3, "8")], "Bob")
    assert review.current[3].new == "8"
    assert [(item.reviewer, item.new) for item in review.of(3)] == [("Ann", "7"), ("Bob", "8")]
    assert corrections.disputed(review) == [3]
    review = corrections.decide(path, review, [relabel(3, "8")], "Ann")
    assert corrections.disputed(review) == []


def test_a_skip_takes_no_decisions_place_and_gives_way_to_any(path):
    review = corrections.decide(path, Review(), [Choice(1, "1", "skip"), Choice(2, "2", "junk")], "Ann")
    review = corrections.decide(path, review, [Choice(1, "1", "confirm", "3", "3"), Choice(2, "2", "skip")], "Bob")
    assert (review.current[1].kind, review.current[2].kind) == ("confirm", "junk")
    assert corrections.disputed(review) == []
    review = corrections.undo(path, corrections.undo(path, review, "Ann"), "Bob")
    assert review.current == {}


def test_an_action_on_a_selection_is_undone_in_one_step_and_redone(path):
    review = corrections.decide(path, Review(), [relabel(row, "7") for row in range(5)], "Ann")
    review = corrections.decide(path, review, [relabel(0, "8")], "Ann")
    review = corrections.undo(path, review, "Ann")
    assert [review.current[row].new for row in range(5)] == ["7"] * 5
    review = corrections.undo(path, review, "Ann")
    assert review.current == {} and review.of(0) == () and len(review.history[0]) == 2
    with pytest.raises(ConfigError, match="Ann has nothing to undo"):
        corrections.undo(path, review, "Ann")
    review = corrections.redo(path, corrections.redo(path, review, "Ann"), "Ann")
    assert [review.current[row].new for row in range(5)] == ["8", "7", "7", "7", "7"]
    with pytest.raises(ConfigError, match="Ann has nothing to redo"):
        corrections.redo(path, review, "Ann")


def test_a_new_action_ends_what_could_be_redone(path):
    review = corrections.undo(path, corrections.decide(path, Review(), [relabel(0, "7")], "Ann"), "Ann")
    review = corrections.decide(path, review, [relabel(1, "7")], "Ann")
    with pytest.raises(ConfigError, match="nothing to redo"):
        corrections.redo(path, review, "Ann")


def test_each_reviewer_undoes_only_what_they_did(path):
    review = corrections.decide(path, Review(), [relabel(0, "7")], "Ann")
    review = corrections.decide(path, review, [relabel(0, "8"), relabel(1, "8")], "Bob")
    review = corrections.undo(path, review, "Ann")
    assert {row: item.new for row, item in review.current.items()} == {0: "8", 1: "8"}
    review = corrections.redo(path, review, "Ann")
    assert review.current[0].new == "8"  # it comes back in its own place, before Bob's
    review = corrections.undo(path, review, "Bob")
    assert {row: item.new for row, item in review.current.items()} == {0: "7"}
    group = review.owners and next(group for group, owner in review.owners.items() if owner == "Ann")
    review_log.append(path, [reversal_record("undo", group, "Bob")])
    again = corrections.load(path, review)
    assert (again.current, again.refused) == (review.current, review.refused + 1)


def test_the_same_undo_from_two_tabs_counts_once(path):
    review = corrections.decide(path, Review(), [relabel(0, "7")], "Ann")
    review = corrections.decide(path, review, [relabel(1, "7")], "Ann")
    group = review.done["Ann"][-1]
    review_log.append(path, [reversal_record("undo", group, "Ann")] * 2)
    review = corrections.load(path, review)
    assert (list(review.current), review.refused, review.done["Ann"]) == ([0], 1, (review.current[0].group,))


def test_an_undo_of_what_was_not_the_last_action_does_not_count(path):
    review = corrections.decide(path, Review(), [relabel(0, "7")], "Ann")
    review = corrections.decide(path, review, [relabel(1, "7")], "Ann")
    review_log.append(path, [reversal_record("undo", review.done["Ann"][0], "Ann")])
    review = corrections.load(path, review)
    assert (list(review.current), review.refused) == ([0, 1], 1)


def test_two_tabs_see_each_others_decisions_by_reading_what_is_new(path):
    one = corrections.decide(path, Review(), [relabel(0, "7")], "Ann")
    other = corrections.decide(path, Review(), [relabel(1, "8")], "Bob")
    assert list(other.current) == [0, 1]
    one = corrections.load(path, one)
    assert one.current == other.current == corrections.load(path).current
    assert corrections.load(path, one) is one
    assert [event.number for event in one.events] == [0, 1]


def test_step_by_step_gives_what_reading_at_once_gives(path, rng):
    review = Review()
    for _ in range(150):
        reviewer, row = ("Ann", "Bob")[rng.integers(2)], int(rng.integers(6))
        try:
            match rng.integers(4):
                case 0:
                    review = corrections.undo(path, review, reviewer)
                case 1:
                    review = corrections.redo(path, review, reviewer)
                case 2:
                    review = corrections.name_cluster(path, review, KEY, row, f"name {row}", "", reviewer)
                case _:
                    new = str(rng.integers(10))
                    review = corrections.decide(path, review, [relabel(row, new), relabel(row + 1, new)], reviewer)
        except ConfigError:
            continue
    whole = corrections.load(path)
    for name in (
        "events",
        "current",
        "names",
        "undone",
        "done",
        "taken_back",
        "history",
        "members",
        "owners",
        "refused",
    ):
        assert getattr(review, name) == getattr(whole, name), name
    assert review.undone and review.current and review.names


def test_a_move_speaks_of_its_clustering_only(path):
    review = corrections.decide(path, Review(), [relabel(0, "7")], "Ann")
    moves = [Choice(row, str(row), "move", "2", "5", clustering=KEY) for row in (0, 1)]
    review = corrections.decide(path, review, moves, "Ann")
    assert [corrections.current_in(review, KEY)[row].kind for row in (0, 1)] == ["move", "move"]
    assert {row: item.kind for row, item in corrections.current_in(review, OTHER).items()} == {0: "relabel"}


def test_names_and_colours_belong_to_a_clustering_and_can_be_undone(path):
    review = corrections.name_cluster(path, Review(), KEY, 1, " open fours ", "#D55E00", "Ann")
    review = corrections.name_cluster(path, review, KEY, 1, "fours", "", "Ann")
    assert corrections.names_of(review, KEY, 3) == ("", "fours", "")
    assert corrections.names_of(review, OTHER, 3) == ("", "", "")
    review = corrections.undo(path, review, "Ann")
    assert corrections.names_of(review, KEY, 2) == ("", "open fours")
    assert corrections.colors_of(review, KEY, ("#000000", "#111111")) == ("#000000", "#d55e00")
    for name, color, what in (
        ("x" * 81, "", "cannot be named"),
        ("a\nb", "", "on one line"),
        ("a", "red", "is no colour"),
    ):
        with pytest.raises(ConfigError, match=what):
            corrections.name_cluster(path, review, KEY, 1, name, color, "Ann")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_ids_and_labels_come_back_letter_by_letter(text, path):
    corrections.decide(path, Review(), [Choice(0, text, "relabel", text, text)], "Ann")
    found = corrections.load(path).current[0]
    assert (found.id, found.old, found.new) == (text, text, text)
    assert path.read_bytes().count(b"\n") == 1


@pytest.mark.parametrize(
    ("choice", "what"),
    [
        (Choice(-1, "a", "junk"), "-1 is no image's row"),
        (Choice(0, "a" * 10_001, "junk"), "at most 10,000 letters"),
        (Choice(0, "a", "relabel", "3", ""), "The new label of image 0 is missing"),
        (Choice(0, "a", "relabel", "3", "4", clustering=KEY), "new label"),
        (Choice(0, "a", "move", "3", "4"), "A move needs its clustering"),
        (Choice(0, "a", "move", "3", "-4", clustering=KEY), "number of a cluster; '-4'"),
        (Choice(0, "a", "junk", clustering="../x"), "is no clustering's key"),
        (Choice(0, "a", "junk", score=float("nan")), "score of image 0 must be a number; it is nan"),
        (Choice(0, "a", "burn"), "'burn' is no decision; there are confirm"),
        (Choice(0, "a", "junk", by="chance"), "'chance' does not decide"),
        (Choice(0, "a", "junk", time="yesterday"), "'yesterday' is no time"),
    ],
)  # fmt: skip
def test_what_cannot_be_decided_is_one_sentence_and_nothing_is_kept(choice, what, path):
    with pytest.raises(ConfigError, match=what):
        corrections.decide(path, Review(), [Choice(1, "b", "junk"), choice], "Ann")
    assert not path.exists()


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\nb", "a\u202eb", "a\x00"])
def test_a_reviewers_name_is_one_line(name, path):
    with pytest.raises(ConfigError, match="A reviewer cannot be named"):
        reviewer_name(name)
    with pytest.raises(ConfigError, match="A reviewer cannot be named"):
        corrections.decide(path, Review(), [relabel(0, "7")], name)
    with pytest.raises(ConfigError, match="no image to decide on"):
        corrections.decide(path, Review(), [], "Ann")


@pytest.mark.parametrize(
    "change",
    [
        {"event": "explode"}, {"event": None}, {"event": ["decision"]}, {"row": True}, {"row": -1}, {"row": 1.5},
        {"row": 1 << 31}, {"id": 5}, {"id": None}, {"new": "x" * 10_001}, {"kind": "burn"}, {"kind": ["junk"]},
        {"score": float("inf")}, {"score": "1"}, {"score": True}, {"score": 10**400}, {"clustering": 3}, {"by": "chance"},
        {"reviewer": "a\nb"}, {"owner": ""}, {"time": 5}, {"time": "2024"}, {"group": "../x"}, {"group": None},
    ],
)  # fmt: skip
def test_what_a_file_holds_that_is_no_event_is_refused_and_the_rest_counts(change, path):
    bad = RECORD | change
    assert event_of(bad, 0) is None
    path.write_text(json.dumps(bad) + "\n" + json.dumps(RECORD | {"row": 9}) + "\n")
    review = corrections.load(path)
    assert (list(review.current), review.refused) == ([9], 1)


@pytest.mark.parametrize("value", [None, 5, "junk", [], [1, 2], {}, {"event": "undo"}])
def test_what_is_no_event_at_all_is_refused(value):
    assert event_of(value, 0) is None


def test_fields_of_a_later_version_are_ignored_and_missing_ones_refused():
    assert event_of(RECORD | {"mood": "good"}, 4) == Decision(
        4, 3, "a.png", "relabel", "3", "7", 0.5, "", "person", "Ann", "2024-05-01T12:00:00Z", "0123abcd", "Ann"
    )
    for name in set(RECORD) - {"score"}:
        assert event_of({key: value for key, value in RECORD.items() if key != name}, 0) is None, name
    for name in ("clustering", "cluster", "name", "color"):
        naming = naming_record(KEY, 1, "a", "#0072b2", "0123abcd", "Ann")
        assert event_of(naming, 0) is not None
        assert event_of(naming | {name: None}, 0) is None, name


def test_a_flipped_bit_in_the_file_is_told_and_changes_no_decision(path):
    review = corrections.decide(path, Review(), [relabel(4, "7"), relabel(5, "7")], "Ann")
    assert review.warning is None
    path.write_bytes(path.read_bytes().replace(b'"row":4', b'"row":6', 1))
    review = corrections.load(path)
    assert (list(review.current), review.damaged) == ([5], 1)
    assert "1 line of this review's file" in review.warning
    review = corrections.decide(path, review, [relabel(4, "8")], "Ann")
    assert (sorted(review.current), review.damaged) == ([4, 5], 1)  # told as long as it is there


def test_nobody_joins_a_group_of_someone_else_or_one_that_is_undone(path):
    review_log.append(path, [RECORD, RECORD | {"row": 4, "owner": "Bob"}, reversal_record("undo", "0123abcd", "Ann")])
    review_log.append(path, [RECORD | {"row": 5}])
    review = corrections.load(path)
    assert (review.current, review.refused) == ({}, 2)


def test_two_processes_that_decide_at_once_lose_no_decision(path):
    code = (
        "import sys; from pathlib import Path; from core import corrections; from core.decisions import Choice\n"
        "path, who, review = Path(sys.argv[1]), sys.argv[2], corrections.Review()\n"
        "for i in range(40): review = corrections.decide(path, review, [Choice(i, str(i), 'relabel', '3', who)], who)\n"
        "corrections.undo(path, review, who)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, path, who], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for who in ("Ann", "Bob")
    ]
    for process in both:
        _, problem = process.communicate()
        assert process.returncode == 0, problem
    review = corrections.load(path)
    assert (len(review.events), review.refused) == (82, 0)
    assert sorted(review.current) == list(range(39))
    for who in ("Ann", "Bob"):
        assert [item.row for item in review.events if isinstance(item, Decision) and item.reviewer == who] == list(
            range(40)
        )
        assert len(review.done[who]) == 39


def test_70_000_decisions_are_folded(path):
    review = corrections.decide(path, Review(), [relabel(row, "7") for row in range(35_000)], "Ann")
    single = [
        decision_record(relabel(row, "8"), f"{row:08x}", "Bob", "2024-05-01T12:00:00Z") for row in range(35_000)
    ]
    review_log.append(path, single)
    review = corrections.load(path, review)
    assert len(review.events) == 70_000 and review.counts()["relabel"] == 35_000
    assert {item.new for item in review.current.values()} == {"8"}
    review = corrections.undo(path, review, "Bob")
    assert [review.current[row].new for row in (34_998, 34_999)] == ["8", "7"]
    assert len(corrections.load(path).done["Bob"]) == 34_999
