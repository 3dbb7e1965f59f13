"""`make torture`: every ledger, every moment, every fault; and the table in docs/torture.md of what was tried.

python -m tests.torture.table [more arguments for pytest]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "torture.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
NAMES = {"xero": "Xero", "quickbooks": "QuickBooks", "digits": "Digits"}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "tried.json"
        environment = os.environ | {"TORTURE": os.environ.get("TORTURE", "full"), "TORTURE_TABLE": str(found)}
        environment |= {"TORTURE_ROUNDS": os.environ.get("TORTURE_ROUNDS", "20")}
        command = [sys.executable, "-m", "pytest", "-p", "tests.strictness", "-q", "tests/torture", *sys.argv[1:]]
        done = subprocess.run(command, cwd=ROOT, env=environment)
        if found.exists() and done.returncode == 0:
            write(json.loads(found.read_text()))
    raise SystemExit(done.returncode)


def write(tried: list[dict[str, object]]) -> None:
    """Put the table where the page has it."""
    text = DOCS.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCS.write_text(f"{before}{BEGIN}\n{table(tried)}\n{END}{after}")


def table(tried: list[dict[str, object]]) -> str:
    lines = ["| ledger | what was under way | how it was broken | moments or calls in it | cases |",
             "|---|---|---|---:|---:|"]  # fmt: skip
    sums: dict[str, int] = defaultdict(int)
    for one in tried:
        slug, cases = str(one["ledger"]), int(str(one["cases"]))
        sums[slug] += cases
        what = str(one["what"]).rstrip(".")
        lines.append(f"| {NAMES[slug]} | {what} | {one['how']} | {one['moments']} | {cases} |")
    lines += [f"| **{NAMES[slug]}** | | | | **{sums[slug]}** |" for slug in NAMES if slug in sums]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
