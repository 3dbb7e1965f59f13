"""What adapter tests build on.

`sandbox`  the vendors' stand-in on a real port, as on its first start; `sandbox.control` makes it misbehave.
`door`     the XPM adapter wired to it. `door.session()` is a way to call the practice "Marlow & Co"; naps take no time.
`wired`    the portal wired to it, with a connection to that practice; tokens and budgets are in the database.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from portal.adapters.base import Allowance
from portal.adapters.http import MemoryBudget, Transport, VendorSession, Wait
from portal.adapters.xero_sign_in import XeroSignIn
from portal.adapters.xpm import Xpm
from portal.sandbox.client import Control
from portal.sandbox.server import Running, running_sandbox

if TYPE_CHECKING:
    from portal.config import Settings
    from portal.domain.apps import Connection

PRACTICE = "9a1f0d52-6a35-4a0e-8d57-1c3b0f6e2a01"  # Marlow & Co
CLIENT_ID, CLIENT_SECRET = "counterpart-sandbox", "sandbox-secret"
SCOPES = list(Xpm.info.scopes)


class Remembering(Control):
    """Knows whether it changed more than the next test's faults."""

    has_changed = False

    def ask(self, method: str, path: str, values: dict[str, Any] | None = None) -> Any:
        self.has_changed |= method != "GET" and not path.startswith(("faults", "tokens", "calls"))
        return super().ask(method, path, values)


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    with running_sandbox(clients=20) as one:
        one.control = Remembering(one.url)
        yield one


@pytest.fixture
def sandbox(running: Running) -> Iterator[Running]:
    yield running
    box, control = running.box, cast(Remembering, running.control)
    if control.has_changed or any(call.method != "GET" for call in box.calls.find(vendor="xpm")):
        control.reset(20)
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
    adapter: Xpm
    sign_in: XeroSignIn
    transport: Transport
    naps: Naps = field(default_factory=Naps)
    waits: list[Wait] = field(default_factory=list)
    tokens: HeldTokens | None = None
    budget: MemoryBudget = field(default_factory=lambda: MemoryBudget(Allowance(per_minute=100_000)))

    def session(self, **values: Any) -> VendorSession:
        if self.tokens is None:
            self.tokens = HeldTokens([self.token()])
        values = {"account_id": PRACTICE, "tokens": self.tokens, "budget": self.budget, "sleep": self.naps,
                  "on_wait": self.waits.append, "dice": random.Random(7), "now": self.now} | values  # fmt: skip
        return VendorSession(self.transport, self.adapter.dialect, **values)

    def now(self) -> datetime:
        """The real time and the naps that took none."""
        return datetime.now(UTC) + timedelta(seconds=self.naps.total)

    def token(self) -> str:
        return str(self.sandbox.control.tokens(scopes=SCOPES, tenants=[PRACTICE])["access_token"])

    def calls(self, path: str = "") -> list[dict[str, Any]]:
        return [call for call in self.sandbox.control.calls(path=path) if call["vendor"] == "xpm"]


@pytest.fixture
def make_door(sandbox: Running) -> Callable[..., Door]:
    def make(wire_format: str = "xml") -> Door:
        transport = Transport((sandbox.url,))
        xero = f"{sandbox.url}/xero"
        sign_in = XeroSignIn(transport, login_url=xero, identity_url=xero, api_url=xero)
        return Door(sandbox, Xpm(sign_in, api_url=f"{sandbox.url}/xpm", wire_format=wire_format), sign_in, transport)

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
    from portal.config import VendorApp

    return replace(
        settings, xpm_api_url=f"{url}/xpm", xero_api_url=f"{url}/xero", xero_identity_url=f"{url}/xero",
        xero_login_url=f"{url}/xero", xero=VendorApp(CLIENT_ID, CLIENT_SECRET),
    )  # fmt: skip


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
