"""One sandbox for all tests of this folder, put back to its first state before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portal.sandbox.server import Running, running_sandbox
from tests.sandbox.books import Books, connected
from tests.sandbox.company_app import CompanyApp
from tests.sandbox.ledger_app import LedgerApp
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


@pytest.fixture
def ledger_app(sandbox: Running) -> LedgerApp:
    """Installed in the Digits books of Marlow & Co."""
    return LedgerApp(sandbox, sandbox.control.tokens(vendor="digits")["access_token"])


@pytest.fixture
def company(sandbox: Running) -> CompanyApp:
    """Connected to the QuickBooks company of Marlow & Co, which takes calls as fast as they come."""
    sandbox.control.limits(second=10_000, minute=10_000, batch_minute=10_000)
    return CompanyApp(sandbox, sandbox.control.tokens(vendor="quickbooks"))


@pytest.fixture
def books(sandbox: Running) -> Books:
    """Connected to the firm's own organisation."""
    return connected(sandbox)
