"""Who comes in: the login's rules, the addresses that are listened on, what a stranger is told."""

import re
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.errors import ConfigError
from dashboard import __main__ as start
from dashboard import door, sessions
from dashboard.access import Access, access_of, identity, is_allowed, is_over
from tests.browser.helpers import served

ROOT = Path(__file__).parents[1]


def test_who_may_come_in():
    access = access_of({"emails": ["Ann@Example.org"], "domains": ["@lab.example"], "hours": 8})
    assert access == Access(("ann@example.org",), ("lab.example",), 8.0)
    said = [
        ({"email": "ANN@example.org"}, True), ({"email": "bob@LAB.example"}, True), ({"email": "bob@example.org"}, False),
        ({"email": "x@notlab.example"}, False), ({"email": "x@lab.example@evil.org"}, False), ({}, False),
        ({"email": None}, False),
        ({"email": "ann@example.org", "email_verified": False}, False), ({"name": "ann@example.org"}, False),
    ]  # fmt: skip
    assert [is_allowed(claims, access) for claims, _ in said] == [allowed for _, allowed in said]
    assert is_allowed({}, access_of(None))
    for wrong in (
        {"email": ["a@b.c"]},
        {"emails": []},
        {"emails": "a@b.c"},
        {"emails": [""]},
        {"hours": 0},
        {"hours": True},
        "x",
    ):
        with pytest.raises(ConfigError, match="In the secrets"):
            access_of(wrong)


def test_a_login_lasts_its_hours_and_bears_one_name():
    for issued, over in ((1000, False), (1000 - 8 * 3600 - 1, True), (None, True), ("1000", True), (True, True)):
        assert is_over({"iat": issued}, Access(hours=8.0), 1000.0) is over
    assert identity({"name": "Ann", "email": " ann@example.org\n"}) == "ann@example.org"
    assert identity({"name": "Ann", "email": ""}) == "Ann"


def test_a_part_that_runs_alone_shows_nothing_to_who_may_stay_no_more(monkeypatch):
    class Rerun(Exception):
        pass

    def rerun():
        raise Rerun

    drawn, here = [], [True]
    monkeypatch.setattr(door.st, "fragment", lambda draw, run_every: draw)
    monkeypatch.setattr(door.st, "rerun", rerun)
    monkeypatch.setattr(door, "_stays", lambda: here[0])
    door.part(drawn.append)(1)
    here[0] = False
    with pytest.raises(Rerun):
        door.part(drawn.append)(2)
    assert drawn == [1]


def test_no_part_of_a_page_runs_alone_past_the_door():
    texts = {path.name: path.read_text() for path in Path(door.__file__).parent.rglob("*.py")}
    assert [name for name, text in texts.items() if "st.fragment(" in text or "@st.fragment" in text] == ["door.py"]


def test_no_link_sets_a_reviewers_name():
    assert sessions.accepted({"reviewer": "Eve", "panel": "Suspects"}) == {"panel": "Suspects"}


def test_secrets_that_cannot_be_read_let_nobody_in(tmp_path, monkeypatch):
    from streamlit import config, secrets

    (tmp_path / "secrets.toml").write_text("[auth\n", "utf-8")
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(tmp_path / "secrets.toml")])
    try:
        secrets._reset()
        with pytest.raises(ConfigError, match="nobody can be let in"):
            door._auth()
        (tmp_path / "secrets.toml").write_text("x = 1\n", "utf-8")
        assert door._auth() is None
    finally:
        config.set_option("secrets.files", before)
        secrets._reset()


def test_the_program_starts_with_the_same_options_both_ways():
    sections = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    values = {}
    for section, options in sections.items():
        for name, value in options.items():
            inner = value.items() if isinstance(value, dict) else [("", value)]
            values |= {".".join(filter(None, (section, name, key))): str(item) for key, item in inner}
    assert {name: text.lower() for name, text in values.items()} == {n: v.lower() for n, v in start.OPTIONS.items()}
    assert values["server.address"] == "localhost" and values["server.enableXsrfProtection"] == "True"


@contextmanager
def from_another_folder(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from dashboard.__main__ import main; main()"
    command = [
        sys.executable,
        "-c",
        code,
        "--server.headless",
        "true",
        "--server.port",
        str(port),
        "--root",
        str(folder),
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield f"http://localhost:{port}", process
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("way", ["checkout", "another folder"])
def test_it_listens_for_this_computer_alone_and_tells_a_stranger_nothing(way, tmp_path):
    store = {"EMBEDDING_EXPLORER_STORE": str(tmp_path / "store")}
    started = served("dashboard/app.py", tmp_path, store) if way == "checkout" else from_another_folder(tmp_path)
    with started as (url, _):
        end = time.monotonic() + 60
        while fetched(f"{url}/_stcore/health") != b"ok":
            assert time.monotonic() < end
            time.sleep(0.2)
        port = int(url.rpartition(":")[2])
        with socket.socket() as elsewhere, pytest.raises(OSError):  # as it would be if all addresses were listened on
            elsewhere.connect(("127.0.0.2", port))
        for place in ("", "_stcore/host-config", "_stcore/metrics", "media/x.png", "component/a/b", "app/static/a", "_stcore/x",
                      "_stcore/agent/openapi.json", "../core/roots.py", "..%2f..%2fetc/passwd"):  # fmt: skip
            body = fetched(f"{url}/{place}")
            assert not re.search(rb"(?i)digits|emoji|root:|import |" + re.escape(str(tmp_path).encode()), body), place
        request = urllib.request.Request(f"{url}/_stcore/upload_file/a/b", b"x", method="PUT")
        with pytest.raises(urllib.error.HTTPError, match="403"):  # no token against forged requests
            urllib.request.urlopen(request, timeout=10)


def fetched(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return error.read()
    except OSError:
        return b""
