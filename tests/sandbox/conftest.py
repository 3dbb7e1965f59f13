"""One sandbox for all tests of this folder, put back to its first state before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portal.sandbox.server import Running, running_sandbox
from tests.sandbox.practice import Practice


@pytest.fixture(scope="session")
def _server() -> Iterator[Running]:
    with running_sandbox(clients=40) as running:
        yield running


@pytest.fixture
def sandbox(_server: Running) -> Running:
    """Forty clients in the practice, no consent, no fault, real time."""
    _server.control.reset(clients=40)
    return _server


@pytest.fixture
def practice(sandbox: Running) -> Practice:
    """Connected by tokens without a browser."""
    token = sandbox.control.tokens()
    tenant = next(t["id"] for t in sandbox.control.tenants() if t["name"] == "Marlow & Co")
    return Practice(sandbox, tenant, token)
