"""What is only in memory goes once nobody is there, and not before."""

import subprocess
import sys

import pytest
import streamlit as st

from dashboard import caches, presence
from dashboard.caches import cached
from dashboard.presence import Presence


@pytest.fixture
def there():
    return {"ann", "ben"}


@pytest.fixture
def found(there):
    made = Presence(there.__contains__)
    made.seen("ann")
    made.seen("ben")
    return made


def test_all_have_left_when_the_last_one_has_and_that_is_said_once(found, there):
    assert not found.all_left()
    there.remove("ann")
    assert not found.all_left()
    there.remove("ben")
    assert found.all_left() and not found.all_left()
    there.add("eve")
    found.seen("eve")
    assert not found.all_left()
    there.remove("eve")
    assert found.all_left()


def test_nobody_has_left_where_nobody_came():
    assert not Presence(lambda session: False).all_left()


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(caches, "_all", [])
    calls = []

    @cached(max_entries=2)
    def result(key):
        calls.append(key)
        return [key]

    @st.cache_data
    def text(key):
        calls.append(f"text {key}")
        return key

    @st.cache_resource
    def jobs():
        calls.append("jobs")
        return object()

    def ask():
        result("a"), text("b"), jobs()
        return list(calls)

    return ask


def test_results_are_found_again_while_somebody_is_there_and_made_again_after_all_left(made, found, there):
    trimmed = []
    assert made() == ["a", "text b", "jobs"]
    presence.look(found, trimmed.append)
    assert made() == ["a", "text b", "jobs"] and trimmed == [0]
    there.clear()
    presence.look(found, trimmed.append)
    assert made() == ["a", "text b", "jobs", "a", "text b"] and trimmed == [0, 0]


def test_results_are_kept_so_and_what_there_is_one_of_in_a_server_is_not():
    from dashboard import door, drawn, inputs, results, reviewing, server, uploads

    for kept in (results._latents, results._clustering, inputs._images, drawn.columns):
        assert kept in caches._all or not hasattr(kept, "clear")
    assert results._projection in caches._all
    for one in (
        server.store,
        server.jobs,
        uploads.of_server,
        presence.of_server,
        door._logged_out,
        reviewing._newest,
    ):
        assert one not in caches._all and hasattr(one, "clear")


SERVED = """
import time
from unittest import mock
from dashboard import presence
presence.LOOK_SECONDS = 0.1
with mock.patch.object(presence, "look") as look:
    presence.of_server()
    time.sleep(1)
    assert look.call_count > 2
    found, trim = look.call_args.args
    assert found is presence.of_server()
    assert trim(0) in (0, 1, False)
    print(getattr(trim, "__name__", trim))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_trim is glibc's")
def test_a_server_looks_again_and_again_with_the_c_librarys_own_trim():
    told = subprocess.run([sys.executable, "-c", SERVED], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "malloc_trim" in told.stdout
