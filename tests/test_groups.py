"""Tests that must not run beside each other: what the marks ask for is what pytest-xdist does."""

import os

import pytest


@pytest.mark.skipif(
    "PYTEST_XDIST_WORKER" not in os.environ, reason="runs in one process, where nothing is beside anything"
)
@pytest.mark.xdist_group("browser")
def test_a_group_is_known_to_what_shares_out_the_tests(request):
    # Pytest 9.2 ignores, without a word, how pytest-xdist 3.8 hands on the group; two browsers then drive one machine.
    assert request.node.nodeid.endswith("@browser")
