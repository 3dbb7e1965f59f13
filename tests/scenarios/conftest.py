"""Stories over the real portal and the sandbox on a real port.

`world` is a portal wired to a sandbox, with the firm, its people and a connection to the practice already made:
`world.control` changes the other side, `world.sync()` runs a sync here and now, `world.calls()` counts calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.db import db
from portal.domain import clients
from portal.domain.activity import Actor, Origin
from portal.domain.apps import (
    ClientLink,
    Connection,
    ConnectionState,
    Outcome,
    RunItem,
    RunKind,
    RunState,
    RunTrigger,
    SyncRun,
    TokenSet,
)
from portal.domain.clients import Client
from portal.sandbox.client import Control
from portal.sandbox.server import Running, running_sandbox
from tests import cast

PRIYA = Actor("Priya Sharma", Origin.SCREEN)


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    with running_sandbox(clients=20) as sandbox:
        yield sandbox


@dataclass
class World:
    app: Flask
    control: Control
    tenant: str
    connection_id: int

    def now(self) -> datetime:
        return datetime.now(UTC)

    def connection(self) -> Connection:
        return db.session.get_one(Connection, self.connection_id)

    def request(self, kind: RunKind = RunKind.SYNC, **values: Any) -> SyncRun:
        from portal.sync import request_run

        values = {"trigger": RunTrigger.PERSON, "by": PRIYA, "now": self.now()} | values
        run, _joined = request_run(self.connection(), kind=kind, **values)
        db.session.commit()
        return run

    def sync(self, kind: RunKind = RunKind.SYNC, **values: Any) -> SyncRun:
        """A run, done here and now."""
        from portal.sync import work

        run = self.request(kind, **values)
        work(run.id)
        db.session.expire_all()
        return db.session.get_one(SyncRun, run.id)

    def done(self, **values: Any) -> SyncRun:
        """A run that must end well."""
        run = self.sync(**values)
        assert run.state == RunState.DONE, run.message
        return run

    def remote(self, name: str) -> dict[str, Any]:
        """The one record of this name there."""
        found = [one for one in self.control.clients(name, tenant=self.tenant, limit=200) if one["name"] == name]
        assert len(found) == 1, f"{len(found)} records are called {name}"
        return self.control.client(found[0]["uuid"], self.tenant)

    def client(self, name: str) -> Client:
        return db.session.scalars(select(Client).where(Client.name == name)).one()

    def link(self, client: Client) -> ClientLink:
        return db.session.scalars(select(ClientLink).where(ClientLink.client_id == client.id)).one()

    def items(self, run: SyncRun, outcome: Outcome) -> list[RunItem]:
        query = select(RunItem).where(RunItem.run_id == run.id, RunItem.outcome == outcome).order_by(RunItem.id)
        return list(db.session.scalars(query))

    def edit(self, client: Client, **values: Any) -> ClientLink:
        """Save a change as the edit page does; nothing is sent yet."""
        clients.edit(client, values, by=PRIYA, now=self.now())
        db.session.commit()
        return self.link(client)

    def edit_unlinked(self, client: Client, **values: Any) -> None:
        """The same for a client without a link."""
        clients.edit(client, values, by=PRIYA, now=self.now())
        db.session.commit()

    def calls(self, path: str = "") -> list[dict[str, Any]]:
        return self.control.calls(vendor="xpm", path=path, limit=5000)


@pytest.fixture
def make_world(make_app: Callable[..., Flask], running: Running) -> Callable[..., AbstractContextManager[World]]:
    from contextlib import contextmanager

    @contextmanager
    def make(clients: int = 0) -> Iterator[World]:
        running.control.reset(clients=clients)
        running.control.clock(reset=True)
        running.control.clear_faults()
        running.control.limits(minute=100_000, day=1_000_000, app_minute=1_000_000)
        app = make_app(
            xpm_api_url=f"{running.url}/xpm", xero_api_url=f"{running.url}/xero",
            xero_identity_url=f"{running.url}/xero", xero_login_url=f"{running.url}/xero",
        )  # fmt: skip
        with app.app_context():
            cast.person("admin")
            yield World(app, running.control, *connect(running.control))

    return make


@pytest.fixture
def world(make_world: Callable[..., AbstractContextManager[World]]) -> Iterator[World]:
    with make_world() as made:
        yield made


def connect(control: Control) -> tuple[str, int]:
    """Connect to the sandbox's first practice; the tenant and the connection's id."""
    practice = next(one for one in control.tenants() if one["kind"] == "PRACTICEMANAGER")
    tenant = practice["id"]
    reply = control.tokens(tenants=[tenant])
    now = datetime.now(UTC)
    tokens = TokenSet(
        vendor="xero", client_id="counterpart-sandbox", access_token=reply["access_token"],
        refresh_token=reply["refresh_token"], expires_at=now + timedelta(minutes=30), changed_at=now,
    )  # fmt: skip
    db.session.add(tokens)
    db.session.flush()
    connection = Connection(
        app="xpm", account_id=tenant, account_name=practice["name"], state=ConnectionState.CONNECTED,
        token_set_id=tokens.id, enabled_at=now, state_changed_at=now, settings={}, reference={},
    )  # fmt: skip
    db.session.add(connection)
    db.session.commit()
    return tenant, connection.id
