"""Where CI=true, tests that need PostgreSQL or a browser must run: to be skipped is to fail. The Makefile loads it."""

from __future__ import annotations

import os
from typing import Any

import pytest

MUST_RUN = ("postgresql", "browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    marked = [name for name in MUST_RUN if item.get_closest_marker(name)]
    if report.skipped and marked and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{' and '.join(marked)} tests must run here, but this one was skipped: {reason}"
    return report
