"""Every fault of docs/faults.md is injected by a test that says so."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CITED = re.compile(r"fault rows? ((?:\d+(?:,| and| to)?\s*)+)", re.IGNORECASE)


def rows() -> dict[int, str]:
    found = re.findall(r"^\| (\d+) \| (.*) \|$", (ROOT / "docs" / "faults.md").read_text("utf-8"), re.MULTILINE)
    return {int(number): text for number, text in found}


def cited() -> set[int]:
    numbers: set[int] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for listed in CITED.findall(path.read_text("utf-8")):
            for first, last in re.findall(r"(\d+)(?: to (\d+))?", listed):
                numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


def test_every_fault_has_a_test_that_injects_it() -> None:
    wanted = {number for number, text in rows().items() if "does not apply" not in text}
    missing = sorted(wanted - cited())
    assert len(wanted) > 50
    advice = "write one, with 'Fault row N.' in its docstring"
    assert not missing, f"No test cites rows {missing} of docs/faults.md: {advice}."
