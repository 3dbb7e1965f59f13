"""Stories over the real portal and the sandbox on a real port.

`world` is a portal wired to a sandbox, with the firm, its people and a connection to the practice already made:
`world.control` changes the other side, `world.sync()` runs a sync here and now, `world.calls()` counts calls.
`make_world(app="quickbooks")` is the same for another app, `world.also("xero")` one more connection beside it, and
`any_world` the world of each app in turn, with as much travelling by itself as the app offers.
`flying` makes waiting take no time: whoever naps moves the clock of everybody, the sandbox's included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from portal import integrations
from portal.config import Settings
from portal.db import db
from portal.domain import clients, connections
from portal.domain.activity import Activity, Actor, Origin, Verb
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
    ways_of,
)
from portal.domain.clients import Client
from portal.domain.records import AccountRecord
from portal.sandbox.client import Control
from portal.sandbox.server import Running, running_sandbox
from portal.sandbox.vendor import addresses
from tests import cast
from tests.scenarios.apps import EACH, SIDES, XPM, Side

Result = TypeVar("Result")
PRIYA = Actor("Priya Sharma", Origin.SCREEN)
CLIENT_ID, CLIENT_SECRET = "counterpart-sandbox", "sandbox-secret"
WIDE = {"intake": "all", "direction": "both", "level": "everything"}
PLENTY = 1_000_000
LIFTED = {"minute": PLENTY, "day": PLENTY, "app_minute": PLENTY, "second": PLENTY, "batch_minute": PLENTY}


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
    side: Side = XPM

    def now(self) -> datetime:
        return datetime.now(UTC)

    def connection(self) -> Connection:
        return db.session.get_one(Connection, self.connection_id)

    def also(self, app: str, account: str | None = None, **settings: Any) -> World:
        """One more connection of the same portal: the first account of the app, or this one."""
        return World(self.app, self.control, *connect(self.control, app, account, settings), SIDES[app])

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

    def create_there(self, *names: str, **fields: Any) -> list[str]:
        """Somebody types these in; their identifiers there."""
        return [str(self._there("POST", values={"name": one, **fields})["uuid"]) for one in names]

    def change_there(self, remote_id: str, **fields: Any) -> None:
        self._there("PATCH", f"/{remote_id}", fields)

    def rename_there(self, remote_id: str, name: str) -> None:
        self._there("POST", f"/{remote_id}/rename", {"name": name})

    def end_there(self, remote_id: str, how: str, into: str = "") -> None:
        """`how` is archive, delete or merge (into another one)."""
        self._there("POST", f"/{remote_id}/{how}", {"into": into} if into else {})

    def name_there(self, remote_id: str) -> str:
        return str(self.control.at(self.side.records).client(remote_id, self.tenant)["name"])

    def names_there(self) -> list[str]:
        """Of all that are in use there, in order."""
        every = self.control.at(self.side.records).clients(tenant=self.tenant, limit=1000)
        return sorted(one["name"] for one in every if not (one["archived"] or one.get("deleted")))

    def _there(self, method: str, path: str = "", values: dict[str, Any] | None = None) -> Any:
        return self.control.ask(method, self.side.records + path, {"tenant": self.tenant, **(values or {})})

    def fault(self, kind: str, path: str = "", **values: Any) -> None:
        """For calls to this account, by default those that read records."""
        values = {"vendor": self.side.vendor, "tenant": self.tenant} | values
        self.control.fault(kind, path=path or self.side.lists, **values)

    def sign_in_fault(self, kind: str, **values: Any) -> None:
        """For requests of new tokens; these name no account."""
        self.control.fault(kind, **{"vendor": self.side.sign_in, "path": self.side.token_path} | values)

    def answer_with(self, *records: str) -> None:
        """From now on the list there is these texts, whatever is in them."""
        *before, last = self.side.listing(*records)
        headers = {"Content-Type": self.side.media}
        for body in before:
            self.fault("status", status=200, body=body, headers=headers, times=1)
        self.fault("status", status=200, body=last, headers=headers)

    def remote(self, name: str) -> dict[str, Any]:
        """The one record of this name there."""
        there = self.control.at(self.side.records)
        found = [one for one in there.clients(name, tenant=self.tenant, limit=200) if one["name"] == name]
        assert len(found) == 1, f"{len(found)} records are called {name}"
        return there.client(found[0]["uuid"], self.tenant)

    def client(self, name: str) -> Client:
        return db.session.scalars(select(Client).where(Client.name == name)).one()

    def names(self) -> list[str]:
        """Of all clients here, in order."""
        return sorted(db.session.scalars(select(Client.name)))

    def link(self, client: Client) -> ClientLink:
        query = select(ClientLink).where(
            ClientLink.client_id == client.id, ClientLink.connection_id == self.connection_id
        )
        return db.session.scalars(query).one()

    def links(self) -> list[ClientLink]:
        query = select(ClientLink).where(ClientLink.connection_id == self.connection_id).order_by(ClientLink.id)
        return list(db.session.scalars(query))

    def picture(self) -> tuple[Any, ...]:
        """All that a run which came to nothing must leave as it was."""
        db.session.expire_all()
        links = [(one.remote_id, one.remote_name, one.state, one.agreed, one.seen_digest) for one in self.links()]
        connection = self.connection()
        return self.names(), links, connection.cursor, connection.last_full_at, connection.state

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
        """Of this app's own, whichever account they were for."""
        return self.control.calls(vendor=self.side.vendor, path=path, limit=5000)

    def token_calls(self) -> int:
        return len(self.control.calls(vendor=self.side.sign_in, path=self.side.token_path, limit=5000))

    def token_set(self) -> TokenSet:
        db.session.expire_all()
        found = self.connection().token_set
        assert found is not None
        return found

    def run_out(self) -> None:
        """The access token is over."""
        self.token_set().expires_at = self.now()
        db.session.commit()

    def reconnect(self) -> None:
        """A person signs in again and reaches the same account."""
        connection = self.connection()
        account = AccountRecord(connection.account_id, connection.account_name, "")
        tokens = mint(self.control, self.side.slug, self.tenant)
        connections.reconnect(connection, account, tokens, app=self.side.slug, by=PRIYA, now=self.now())
        db.session.commit()

    def told(self, verb: Verb) -> int:
        """How often this was recorded about this connection."""
        query = select(func.count()).where(Activity.verb == verb, Activity.connection_id == self.connection_id)
        return db.session.scalar(query) or 0

    def apart(self, act: Callable[[], Result]) -> Result:
        """As a request or another worker would do it: with nothing of this test's session."""
        db.session.remove()
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(act).result()


@pytest.fixture
def make_world(
    app: Flask, test_settings: Settings, running: Running
) -> Iterator[Callable[..., AbstractContextManager[World]]]:
    """`clients`: how many the app is filled with. `wide`: as much travels by itself as the app offers."""
    portal = app

    @contextmanager
    def make(clients: int = 0, app: str = "xpm", wide: bool = False, **environment: str) -> Iterator[World]:
        control, side = running.control, SIDES[app]
        control.reset(clients=clients)
        control.limits(**LIFTED)
        for tenant in running.box.tenants if not clients else ():
            load = running.box.vendor(tenant.vendor).load
            assert load is not None
            load(running.box, tenant, 0, 7)
        if clients and side is not XPM:
            control.load(clients, vendor=side.vendor)
        given = addresses(running.url) | registered() | environment
        integrations.configure(replace(test_settings, environment=given))
        with portal.app_context():
            cast.person("admin")
            yield World(portal, control, *connect(control, app, settings=WIDE if wide else {}), side)

    yield make
    integrations.configure(test_settings)


@pytest.fixture
def world(make_world: Callable[..., AbstractContextManager[World]]) -> Iterator[World]:
    with make_world() as made:
        yield made


@pytest.fixture(params=EACH)
def any_world(
    make_world: Callable[..., AbstractContextManager[World]], flying: Flying, request: pytest.FixtureRequest
) -> Iterator[World]:
    with make_world(app=request.param, wide=True) as made:
        yield made


class Flying:
    """Time that passes only when somebody waits, for the portal and the sandbox alike; `passed` is in seconds."""

    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller
        self.passed = 0.0
        self.by_itself = False  # then whoever naps really does

    def __call__(self, seconds: float) -> None:
        if self.by_itself:
            return time.sleep(seconds)
        self.passed += seconds
        return self._traveller.shift(timedelta(seconds=seconds))

    def to(self, moment: datetime | None) -> None:
        """Until then, and a second more."""
        assert moment is not None
        self(max(0.0, (moment - datetime.now(UTC)).total_seconds()) + 1)


@pytest.fixture
def flying(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flying]:
    with time_machine.travel(datetime.now(UTC), tick=True) as traveller:
        flown, opened = Flying(traveller), integrations.open_session
        monkeypatch.setattr("portal.adapters.http.session.GLANCE", 5.0)  # a look at the run's row costs more than a nap
        monkeypatch.setattr(integrations, "open_session", lambda *a, **k: opened(*a, **{"sleep": flown, **k}))
        yield flown


def registered() -> dict[str, str]:
    """How the portal is known to the sandbox's vendors."""
    vendors = {offered.info.vendor.upper() for offered in integrations.OFFERED}
    return {f"{one}_CLIENT_ID": CLIENT_ID for one in vendors} | {
        f"{one}_CLIENT_SECRET": CLIENT_SECRET for one in vendors
    }


def connect(
    control: Control, app: str = "xpm", account: str | None = None, settings: dict[str, Any] | None = None
) -> tuple[str, int]:
    """Connect to an account of the sandbox, by default the app's first; the tenant and the connection's id."""
    info, side = integrations.app_info(app), SIDES[app]
    accounts = [one for one in control.tenants() if one["vendor"] == side.vendor and one["kind"] in info.account_kinds]
    found = next(one for one in accounts if account in (None, one["id"], one["name"]))
    connection = Connection(
        app=app, account_id=found["id"], account_name=found["name"], state=ConnectionState.CONNECTED,
        token_set=mint(control, app, found["id"]), enabled_at=datetime.now(UTC), state_changed_at=datetime.now(UTC),
        settings=_offered(app, settings or {}), reference={},
    )  # fmt: skip
    db.session.add(connection)
    db.session.commit()
    return found["id"], connection.id


def mint(control: Control, app: str, account: str) -> TokenSet:
    """The sign-in of a consent for this account, good for half an hour; in the session, not committed."""
    info = integrations.app_info(app)
    reply = control.tokens(vendor=info.vendor, tenants=[account], scopes=list(info.scopes))
    now = datetime.now(UTC)
    tokens = TokenSet(
        vendor=info.vendor, client_id=CLIENT_ID, access_token=reply["access_token"],
        refresh_token=reply["refresh_token"], expires_at=now + timedelta(minutes=30), changed_at=now,
        scope=" ".join(info.scopes),
    )  # fmt: skip
    db.session.add(tokens)
    return tokens


def _offered(app: str, settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if value in ways_of(app).allowed(key)}
