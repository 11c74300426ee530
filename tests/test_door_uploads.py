"""What a session brings: a folder of its own, within limits, gone when the session is."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.errors import DataError
from dashboard import uploads

ROOT = Path(__file__).parents[1]


@pytest.fixture
def lent(tmp_path):
    """Uploads of a server with two sessions, of which those in `here` are connected."""
    here, busy = {"a", "b"}, set()
    made = uploads.Uploads(tmp_path / "uploads", 10.0, here.__contains__, lambda folder: folder in busy)
    yield made, here, busy
    made.close()


def test_a_session_has_its_own_folder_within_limits_and_a_name_is_never_a_path(lent, tmp_path):
    made, *_ = lent
    names = [
        "../../etc/passwd.png",
        "C:\\x\\up.PNG",
        "up.png",
        ".hidden.png",
        "a\0b.png",
        "x" * 300 + ".png",
        "\u202egnp.exe",
        "..",
        "",
    ]
    kept = [made.add("a", "pictures", name, b"12", 100) for name in names]
    assert kept[:4] == ["passwd.png", "up.png", "up (2).png", "hidden.png"] and len(set(kept)) == len(kept)
    folder = made.folder("a")
    assert sorted(path.name for path in (folder / "pictures").iterdir()) == sorted(kept)
    assert {path.parent for path in made.files("a")} == {folder / "pictures"}
    made.add("b", "files", "up.png", b"12", 100)
    assert folder not in made.folder("b").parents and folder != made.folder("b")
    with pytest.raises(DataError, match="limit of all together"):
        made.add("a", "pictures", "more.png", bytes(83), 100)
    assert made.folder("nobody") is None and list(made.files("nobody")) == []


def test_uploads_go_with_their_session_but_not_under_a_job(lent):
    made, here, busy = lent
    for session in ("a", "b"):
        made.add(session, "files", "x.npy", b"1", 100)
    folder, now = made.folder("a"), time.monotonic()
    made.look(now + 100)
    here.discard("a")
    made.look(now + 109)  # away for nine seconds
    assert folder.exists()
    busy.add(folder)
    made.look(now + 200)
    assert folder.exists()
    busy.clear()
    made.look(now + 201)
    assert not folder.exists() and made.folder("a") is None and made.folder("b").exists()
    made.close()
    assert list(made._root.iterdir()) == []


def test_what_a_killed_server_left_is_swept_and_what_a_living_one_holds_is_not(lent, tmp_path, monkeypatch):
    made, *_ = lent
    made.add("a", "files", "x.npy", b"1", 100)
    code = (
        "import sys, pathlib, os; from dashboard import uploads; "
        "made = uploads.Uploads(pathlib.Path(sys.argv[1]), 10.0, bool, bool); "
        "made.add('s', 'files', 'x.npy', b'1', 9); print(made.folder('s'), flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "uploads")], cwd=ROOT, capture_output=True, text=True
    )
    left = Path(done.stdout.strip())
    assert left.exists()
    monkeypatch.setattr(uploads, "YOUNG", -1.0)
    another = uploads.Uploads(tmp_path / "uploads", 10.0, bool, bool)
    another.sweep()
    assert not left.exists() and made.folder("a").exists()


def test_uploads_are_safe_to_call_from_threads(lent):
    made, *_ = lent
    workers = [threading.Thread(target=made.add, args=("a", "files", f"{i}.npy", b"1", 100)) for i in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(list(made.files("a"))) == 20
