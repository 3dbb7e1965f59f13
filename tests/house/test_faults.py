"""Every fault of docs/faults.md is injected by a test that says so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from portal import integrations
from tests.scenarios.apps import SIDES

ROOT = Path(__file__).resolve().parents[2]
CITED = re.compile(r"fault rows? ((?:\d+(?:,| and| to)?\s*)+)", re.IGNORECASE)


def rows() -> dict[int, str]:
    found = re.findall(r"^\| (\d+) \| (.*) \|$", (ROOT / "docs" / "faults.md").read_text("utf-8"), re.MULTILINE)
    return {int(number): text for number, text in found}


def cited(paths: Iterable[Path]) -> set[int]:
    numbers: set[int] = set()
    for path in paths:
        for listed in CITED.findall(path.read_text("utf-8")):
            for first, last in re.findall(r"(\d+)(?: to (\d+))?", listed):
                numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


def of_every_app() -> dict[int, str]:
    """Which file shows the row for every app."""
    text = (ROOT / "docs" / "faults.md").read_text("utf-8")
    return {int(row): name for row, name in re.findall(r"^\| row (\d+) \| (\w+) \| .* \|$", text, re.MULTILINE)}


def test_every_fault_has_a_test_that_injects_it() -> None:
    wanted = {number for number, text in rows().items() if "does not apply" not in text}
    missing = sorted(wanted - cited((ROOT / "tests").rglob("*.py")))
    assert len(wanted) > 50
    advice = "write one, with 'Fault row N.' in its docstring"
    assert not missing, f"No test cites rows {missing} of docs/faults.md: {advice}."


def test_what_a_vendor_can_do_wrong_is_tried_on_every_app() -> None:
    told = of_every_app()
    assert set(told) == {13, *range(17, 42), 90, 98}
    for row, name in told.items():
        path = ROOT / "tests" / "scenarios" / f"test_every_apps_faults_{name}.py"
        assert row in cited([path]), f"{path.name} does not cite row {row}: write its test, or mend docs/faults.md."
    unknown = {offered.info.slug for offered in integrations.OFFERED} ^ set(SIDES)
    assert not unknown, f"Give {sorted(unknown)} an entry in tests/scenarios/apps.py, by which faults are tried on it."
