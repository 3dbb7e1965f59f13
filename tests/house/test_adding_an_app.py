"""Adding an app takes the four steps docs/adding-an-app.md names, and nothing else. Each app has taken them all."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator

import pytest

from portal import integrations
from portal.adapters.base import AppInfo, Setting
from portal.sandbox.vendor import discover
from tests.house.source import ROOT, modules, tree

GUIDE = ROOT / "docs" / "adding-an-app.md"
INFOS: list[AppInfo] = [offered.info for offered in integrations.OFFERED]
SLUGS = [info.slug for info in INFOS]


@pytest.mark.parametrize("offered", integrations.OFFERED, ids=SLUGS)
def test_step_one_the_adapter_is_a_file_or_folder_of_its_own(offered: type) -> None:
    home = offered.__module__.removeprefix("portal.adapters.").split(".")[0]
    assert offered.__module__.startswith("portal.adapters.") and home == offered.info.slug, (
        f"{offered.__name__} belongs into portal/adapters/{offered.info.slug}."
    )


@pytest.mark.parametrize("info", INFOS, ids=SLUGS)
def test_step_two_every_address_of_the_app_has_its_stand_in(info: AppInfo) -> None:
    stand_ins = {name for vendor in discover() for name in vendor.addresses}
    missing = [one.name for one in info.settings if one.name.endswith("_URL") and one.name not in stand_ins]
    assert not missing, f"No vendor of portal/sandbox answers for {missing}: give its VENDOR.addresses them."


def test_step_three_the_apps_stand_in_one_literal_line() -> None:
    lines = [
        node
        for node in tree(ROOT / "portal" / "integrations.py").body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "OFFERED"
    ]
    assert len(lines) == 1 and isinstance(lines[0].value, ast.Tuple), "OFFERED is one tuple of adapter classes."
    named = [getattr(one, "id", "?") for one in lines[0].value.elts]
    assert named == [offered.__name__ for offered in integrations.OFFERED]


@pytest.mark.parametrize("info", INFOS, ids=SLUGS)
def test_step_four_the_contract_is_kept(info: AppInfo) -> None:
    assert info.slug in set(_under_contract()), (
        f"Derive a test class from AdapterContract for {info.slug}: an `app` of that slug, in tests/wire."
    )


def _under_contract() -> Iterator[str]:
    contract = importlib.import_module("tests.wire.contract").AdapterContract
    for name, _ in modules("tests.wire"):
        if "test_" not in name:
            continue
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and issubclass(value, contract) and value is not contract:
                yield value.app


def test_the_guide_names_four_steps_and_files_that_exist() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert re.findall(r"^(\d)\. \*\*", text, re.MULTILINE) == ["1", "2", "3", "4"]
    gone = [name for name in re.findall(r"`((?:portal|tests|docs)/[\w./]+)`", text) if not (ROOT / name).exists()]
    assert not gone, f"docs/adding-an-app.md speaks of {gone}, which are not there."


def test_settings_of_apps_are_told_apart_by_their_names() -> None:
    """Two apps may share a setting (one sign-in), but then they mean the same by it."""
    known: dict[str, Setting] = {}
    for info in INFOS:
        for one in info.settings:
            assert known.setdefault(one.name, one) == one, f"{one.name} is declared twice, differently."
