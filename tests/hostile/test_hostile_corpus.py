"""Every case of the corpus: a clear sentence or a correct result; nothing runs, nothing else is opened, memory stays."""

import os
import sys

import pytest

from tests.hostile import archives, arrays, checkpoints, json_files, names, pictures, shards, tables

KINDS = {
    "pictures": pictures.CASES, "names": names.CASES, "archives": archives.CASES, "arrays": arrays.CASES,
    "tables": tables.CASES, "json": json_files.CASES, "checkpoints": checkpoints.CASES, "shards": shards.CASES,
}  # fmt: skip
CASES = [pytest.param(case, id=f"{kind}: {case.name}") for kind, cases in KINDS.items() for case in cases]

pytestmark = [
    pytest.mark.xdist_group("hostile"),
    pytest.mark.skipif(sys.platform != "linux", reason="memory is measured and limited as Linux does it"),
]


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_file_is_read_right_or_refused_in_a_sentence(case, guard, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    given = case.build(root)
    case.check(guard.ask(case.task, given, root), root)
    made = [file for _, _, files in os.walk(tmp_path) for file in files if file.startswith("ran")]
    assert made == [], "a payload ran"
    assert sorted(path.name for path in (tmp_path / "outside").iterdir()) in ([], ["secret.png"])


def test_there_are_at_least_200_cases_of_names_of_their_own():
    counts = {kind: len(cases) for kind, cases in KINDS.items()}
    print(f"{sum(counts.values())} hostile cases: {counts}")
    assert sum(counts.values()) >= 200
    assert len({param.id for param in CASES}) == len(CASES)
