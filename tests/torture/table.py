"""`make torture`: every ledger and the practice app, every moment, every fault; and the table in docs/torture.md.

    python -m tests.torture.table [--ledger xero,quickbooks,digits,xpm] [--crowd] [--dry] [more for pytest]

Each ledger is tortured in a process of its own, with a portal, a database and stand-ins of its own, all at the same
time. `--crowd`: only the five hundred invoices killed twenty times over, and the restored backup. `--dry`: the page is
left as it is. The page is written only when every ledger was asked for and nothing went wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "torture.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
LEDGERS = ("xero", "quickbooks", "digits")
NAMES = {"xero": "Xero", "quickbooks": "QuickBooks", "digits": "Digits", "xpm": "Xero Practice Manager"}
LEAST = 200  # cases of each ledger, below which the table says nothing
LONGEST = 45 * 60.0  # seconds; whatever hangs longer has failed
CROWD = "tests/torture/test_many_and_restored.py"


@dataclass
class Running:
    """One ledger's run."""

    slug: str
    process: subprocess.Popen[bytes]
    log: Path
    found: Path
    out: IO[bytes]
    began: float
    seconds: float = 0.0

    @property
    def tried(self) -> list[dict[str, Any]]:
        return json.loads(self.found.read_text()) if self.found.exists() else []


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--ledger", default=",".join(NAMES))
    wanted.add_argument("--crowd", action="store_true")
    wanted.add_argument("--dry", action="store_true")
    chosen, more = wanted.parse_known_args()
    slugs = [one for one in chosen.ledger.split(",") if one in LEDGERS or not chosen.crowd]
    with tempfile.TemporaryDirectory(prefix="counterpart-torture-") as folder:
        what = [CROWD] if chosen.crowd else ["tests/torture"]
        runs = [_start(slug, what, more, Path(folder)) for slug in slugs]
        failed = _wait(runs)
        tried = [one for run in runs for one in run.tried]
        if failed:
            raise SystemExit(1)
        print(table(tried))
        few = [slug for slug in LEDGERS if _cases(tried, slug) < LEAST]
        if not (chosen.dry or chosen.crowd or more or few or set(slugs) != set(NAMES)):
            write(tried)
            print(f"Written to {DOCS.relative_to(ROOT)}.")


def _start(slug: str, what: list[str], more: list[str], folder: Path) -> Running:
    found, log = folder / f"{slug}.json", folder / f"{slug}.log"
    environment = os.environ | {"TORTURE": os.environ.get("TORTURE", "full"), "TORTURE_TABLE": str(found)}
    environment |= {"TORTURE_ROUNDS": os.environ.get("TORTURE_ROUNDS", "20"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "tests.strictness", "-p", "no:cacheprovider", "-q", "-rA"]
    # Jobs for a practice app, and what tests the harness itself, are parametrized by no ledger.
    which = slug if slug in LEDGERS else " and ".join(f"not {one}" for one in LEDGERS)
    command += [*what, "-k", which, *more]
    out = log.open("wb")
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
    )
    return Running(slug, process, log, found, out, time.monotonic())


def _wait(runs: list[Running]) -> list[str]:
    """Which of them failed. One that fails does not end the others; a Ctrl-C ends them all."""
    failed = []
    try:
        for run in runs:
            left = max(1.0, LONGEST - (time.monotonic() - run.began))
            try:
                code = run.process.wait(left)
            except subprocess.TimeoutExpired:
                code = -1
            run.seconds = time.monotonic() - run.began
            run.out.close()
            cases = sum(int(one["cases"]) for one in run.tried)
            print(
                f"{NAMES[run.slug]}: {cases} cases, {run.seconds / 60:.1f} minutes, {_last_line(run.log)}", flush=True
            )
            if code != 0:
                failed.append(run.slug)
                print(run.log.read_text(errors="replace")[-20_000:], flush=True)
    finally:
        for run in runs:
            if run.process.poll() is None:
                os.killpg(run.process.pid, signal.SIGTERM)  # a group of our own making
                run.process.wait(30)
    return failed


def _last_line(log: Path) -> str:
    lines = [one for one in log.read_text(errors="replace").splitlines() if one.strip()]
    return lines[-1].strip("= ") if lines else "nothing was said"


def _cases(tried: list[dict[str, Any]], slug: str) -> int:
    return sum(int(one["cases"]) for one in tried if one["ledger"] == slug)


def write(tried: list[dict[str, Any]]) -> None:
    """Put the table where the page has it."""
    text = DOCS.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCS.write_text(f"{before}{BEGIN}\n{table(tried)}\n{END}{after}")


def table(tried: list[dict[str, Any]]) -> str:
    lines = ["| ledger | what was under way | how it was broken | moments, calls or invoices in it | cases |",
             "|---|---|---|---:|---:|"]  # fmt: skip
    sums: dict[str, int] = defaultdict(int)
    for one in tried:
        slug, cases = str(one["ledger"]), int(one["cases"])
        sums[slug] += cases
        what = str(one["what"]).rstrip(".")
        lines.append(f"| {NAMES[slug]} | {what} | {one['how']} | {one['moments']} | {cases} |")
    lines += [f"| **{NAMES[slug]}** | | | | **{sums[slug]}** |" for slug in NAMES if slug in sums]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
