"""The lock file holds every dependency, within its bounds, with hashes and without an address."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def needed():
    """What the lock is made of: the dependencies, and the networks that an extra brings."""
    return [*project()["dependencies"], *project()["optional-dependencies"]["pretrained"]]


@pytest.fixture(scope="module")
def locked():
    """Each line of the lock file, with how many hashes it has; comments left out."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    lines = [line for line in text.replace("\\\n", "").splitlines() if not line.strip().startswith("#")]
    return {Requirement(HASH.sub("", line).strip()): len(HASH.findall(line)) for line in lines}


def here(locked):
    """The versions locked for this system and this Python, by name."""
    found = {}
    for item in locked:
        if item.marker is None or item.marker.evaluate():
            assert canonicalize_name(item.name) not in found, f"{item.name} is locked twice for one system"
            found[canonicalize_name(item.name)] = next(iter(item.specifier)).version
    return found


def test_every_dependency_has_a_lower_and_an_upper_bound():
    for text in needed():
        kinds = {part.operator for part in Requirement(text).specifier}
        assert kinds == {">=", "<"}, text


def test_every_dependency_is_locked_within_its_bounds_on_every_system(locked):
    for asked in map(Requirement, needed()):
        found = [item for item in locked if canonicalize_name(item.name) == canonicalize_name(asked.name)]
        assert found, f"{asked.name} is not in requirements.lock: make it anew as its first lines say"
        for item in found:
            assert asked.specifier.contains(next(iter(item.specifier)).version), f"{item} is not {asked.specifier}"


def test_every_line_is_one_version_with_hashes_and_no_address(locked):
    for item, hashes in locked.items():
        assert [part.operator for part in item.specifier] == ["=="] and item.url is None, str(item)
        assert hashes, f"{item} has no hash"
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in text and "index" not in text


def test_what_locked_packages_need_is_locked_as_well(locked):
    """As far as they are installed here in the version that is locked."""
    versions, looked_at = here(locked), 0
    extras = {canonicalize_name(item.name): item.extras for item in map(Requirement, project()["dependencies"])}
    for name, version in versions.items():
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if found.version.partition("+")[0] != version:
            continue
        looked_at += 1
        for wanted in map(Requirement, found.requires or ()):
            asked = ["", *extras.get(name, ())]
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in asked):
                there = versions.get(canonicalize_name(wanted.name))
                assert there is not None and wanted.specifier.contains(there, prereleases=True), (
                    f"{name} needs {wanted}"
                )
    if not looked_at:
        pytest.skip("nothing is installed here in the version that is locked")
