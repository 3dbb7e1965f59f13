"""The worlds of the scenarios, and processes to be killed, for the torture of deliveries.

TORTURE=full tries every moment of a delivery, and of the longer stories those between which something leaves the
process; TORTURE=all every moment of all of them; otherwise a few of each, so that it fits into an ordinary run. With
TORTURE_TABLE a file is written there that tells what was tried.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.config import Settings
from portal.sandbox.server import Running
from portal.sandbox.vendor import addresses
from tests.scenarios.conftest import flying, make_world, running
from tests.torture.killing import Killers, killers

__all__ = ["flying", "make_world", "running"]
TRIED: list[dict[str, object]] = []


@pytest.fixture(scope="session")
def workers(running: Running, test_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killers]:
    with killers(test_settings, addresses(running.url), tmp_path_factory.mktemp("torture")) as made:
        yield made


@pytest.fixture
def tried() -> list[dict[str, object]]:
    """Where tests note what they tried, for the table."""
    return TRIED


def pytest_sessionfinish() -> None:
    if (path := os.environ.get("TORTURE_TABLE")) and TRIED:
        Path(path).write_text(json.dumps(TRIED))
