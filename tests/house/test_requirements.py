"""What is installed is written down exactly, and nothing in it points at one machine."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement

from tests.house.source import ROOT

LOCKS = ("requirements.txt", "requirements-dev.txt")


def _pins(name: str) -> list[Requirement]:
    lines = [line.split("  #")[0].split(" # ")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def _wanted(name: str) -> list[Requirement]:
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_to_one_version(name: str) -> None:
    loose = [str(one) for one in _pins(name) if not re.fullmatch(r"==[0-9][^,*]*", str(one.specifier))]
    assert not loose, f"{name} leaves these open: {loose}. Run: make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_file_names_no_index_and_no_path(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text, f"{name} names an address. Run: make lock"
    assert not re.search(
        r"(^|\s)(-i|--index-url|--extra-index-url|--find-links|--trusted-host)\b", text, re.MULTILINE
    ), f"{name} chooses an index, which is each machine's own setting. Run: make lock"
    assert not re.search(r"(?<![\w.])/\w+/", text), f"{name} holds a path of one machine. Run: make lock"


@pytest.mark.parametrize(("wanted", "lock"), [("requirements.in", LOCKS[0]), ("requirements-dev.in", LOCKS[1])])
def test_the_lock_file_has_what_is_wanted(wanted: str, lock: str) -> None:
    pinned = {_key(one.name): one for one in _pins(lock)}
    for one in _wanted(wanted):
        pin = pinned.get(_key(one.name))
        assert pin is not None, f"{one.name} is in {wanted} but not in {lock}. Run: make lock"
        version = str(pin.specifier).removeprefix("==")
        assert one.specifier.contains(version), f"{lock} has {pin}, {wanted} wants {one}. Run: make lock"


def test_development_runs_on_what_production_runs_on() -> None:
    production = {_key(one.name): str(one.specifier) for one in _pins(LOCKS[0])}
    development = {_key(one.name): str(one.specifier) for one in _pins(LOCKS[1])}
    apart = {name for name, pin in production.items() if development.get(name) != pin}
    assert not apart, f"The two lock files disagree about {sorted(apart)}. Run: make lock"
