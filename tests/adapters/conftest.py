"""What adapter tests build on.

`sandbox`    the vendors' stand-in on a real port, as on its first start; `sandbox.control` makes it misbehave.
`make_door`  an adapter wired to it: `make_door(Xpm, XPM_WIRE_FORMAT="json")`. `door.session()` is a way to call the
             first account of its kind; naps take no time.
`door`       the XPM adapter so wired; its account is the practice "Marlow & Co".
`wired`      the portal wired to it, with a connection to that practice; tokens and budgets are in the database.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from portal.adapters.base import Allowance, ClientAdapter
from portal.adapters.http import MemoryBudget, Transport, VendorSession, Wait
from portal.adapters.xpm import Xpm
from portal.sandbox.client import Control
from portal.sandbox.vendor import addresses

if TYPE_CHECKING:
    from portal.config import Settings
    from portal.domain.apps import Connection
    from portal.sandbox.server import Running

PRACTICE = "9a1f0d52-6a35-4a0e-8d57-1c3b0f6e2a01"  # Marlow & Co
CLIENT_ID, CLIENT_SECRET = "counterpart-sandbox", "sandbox-secret"
SCOPES = list(Xpm.info.scopes)


class Remembering(Control):
    """Knows whether it changed more than the next test's faults."""

    has_changed = False
    kept: sqlite3.Connection  # all vendors as they were at the start

    def ask(self, method: str, path: str, values: dict[str, Any] | None = None) -> Any:
        self.has_changed |= method != "GET" and not path.startswith(("faults", "tokens", "calls"))
        return super().ask(method, path, values)


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    from portal.sandbox.server import running_sandbox  # tests that need no vendor do not wait for it

    with running_sandbox(clients=20) as one:
        one.control = Remembering(one.url)
        one.control.kept = one.box.store.copy()
        yield one


@pytest.fixture
def sandbox(running: Running) -> Iterator[Running]:
    from portal.sandbox import webhooks

    yield running
    box, control = running.box, cast(Remembering, running.control)
    accounts = {tenant.vendor for tenant in box.tenants}
    if control.has_changed or any(call.method != "GET" and call.vendor in accounts for call in box.calls.find()):
        webhooks.quiet(box)
        box.store.put_back(control.kept)
        box.clock.reset()
        box.switches.reset()
        control.has_changed = False
    box.limits.reset()
    box.faults.clear()
    box.calls.clear()


@dataclass
class HeldTokens:
    """Tokens in a list; the vendor's refusal of one brings the next."""

    held: list[str]
    renewals: int = 0

    def current(self) -> str:
        return self.held[0]

    def renewed(self, refused: str) -> str:
        self.renewals += 1
        if len(self.held) > 1:
            self.held.pop(0)
        return self.held[0]


@dataclass
class Naps:
    """A sleep that takes no time and adds up."""

    total: float = 0.0
    longest: float = 0.0

    def __call__(self, seconds: float) -> None:
        self.total += seconds
        self.longest = max(self.longest, seconds)


@dataclass
class Door:
    sandbox: Running
    adapter: Any  # a ClientAdapter, with what else its own tests look at
    transport: Transport
    account: dict[str, Any]  # as the sandbox's controls tell it: id, name, kind, vendor
    naps: Naps = field(default_factory=Naps)
    waits: list[Wait] = field(default_factory=list)
    tokens: HeldTokens | None = None
    budget: MemoryBudget = field(default_factory=lambda: MemoryBudget(Allowance(per_minute=100_000)))

    def session(self, **values: Any) -> VendorSession:
        if self.tokens is None:
            self.tokens = HeldTokens([self.token()])
        values = {"account_id": self.account["id"], "tokens": self.tokens, "budget": self.budget, "sleep": self.naps,
                  "on_wait": self.waits.append, "dice": random.Random(7), "now": self.now} | values  # fmt: skip
        return VendorSession(self.transport, self.adapter.dialect, **values)

    def now(self) -> datetime:
        """The real time and the naps that took none."""
        return datetime.now(UTC) + timedelta(seconds=self.naps.total)

    def token(self) -> str:
        info = self.adapter.info
        given = self.sandbox.control.tokens(vendor=info.vendor, scopes=list(info.scopes), tenants=[self.account["id"]])
        return str(given["access_token"])

    def calls(self, path: str = "") -> list[dict[str, Any]]:
        return [call for call in self.sandbox.control.calls(path=path) if call["vendor"] == self.account["vendor"]]


@pytest.fixture
def make_door(sandbox: Running) -> Callable[..., Door]:
    def make(app: type[ClientAdapter] = Xpm, **environment: str) -> Door:
        given = addresses(sandbox.url) | environment
        settings = {one.name: given.get(one.name, one.default) for one in app.info.settings}
        transport = Transport()
        adapter = app(transport, settings.__getitem__)
        account = next(one for one in sandbox.control.tenants() if one["kind"] in app.info.account_kinds)
        return Door(sandbox, adapter, transport, account)

    return make


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    return make_door()


@dataclass
class Wired:
    """The portal with a connection to the sandbox's practice."""

    sandbox: Running
    connection_id: int
    token_set_id: int

    def connection(self) -> Connection:
        from portal.db import db
        from portal.domain.apps import Connection

        return db.session.get_one(Connection, self.connection_id)


def sandbox_settings(settings: Settings, url: str) -> Settings:
    registered = {
        f"{vendor}_{name}": value
        for vendor in ("XERO", "QUICKBOOKS", "DIGITS")
        for name, value in (("CLIENT_ID", CLIENT_ID), ("CLIENT_SECRET", CLIENT_SECRET))
    }
    return replace(settings, environment=addresses(url) | registered)


@pytest.fixture
def wired(sandbox: Running, database: Any, test_settings: Settings) -> Iterator[Wired]:
    from portal import integrations
    from portal.domain.apps import TokenSet
    from tests.cast import make_connection

    integrations.configure(sandbox_settings(test_settings, sandbox.url))
    given = sandbox.control.tokens(scopes=SCOPES, tenants=[PRACTICE])
    now = datetime.now(UTC)
    tokens = TokenSet(
        vendor="xero", client_id=CLIENT_ID, access_token=given["access_token"], refresh_token=given["refresh_token"],
        expires_at=now + timedelta(seconds=1800), changed_at=now,
    )  # fmt: skip
    database.add(tokens)
    database.flush()
    connection = make_connection(account_id=PRACTICE, token_set_id=tokens.id)
    found = Wired(sandbox, connection.id, tokens.id)
    database.commit()
    yield found
    integrations.configure(test_settings)
