"""An app that exists only in tests: its records are a dictionary, its rules whatever a test needs.

    app = PretendApp(records=[record("r-1", "Acme Corp")]); with app.installed(monkeypatch): …

It answers as adapters do, so runs over it are real runs; it counts its calls instead of making any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from portal import integrations, sync
from portal.adapters.base import AdapterError, Allowance, AppInfo, Flow, Intake, Moment, NotThere
from portal.db import db
from portal.domain.activity import Actor, Origin
from portal.domain.apps import Connection, RunKind, RunState, RunTrigger, SyncRun, ways
from portal.domain.records import (
    Address,
    ClientRecord,
    ContactRecord,
    NewRecord,
    Quarantined,
    RecordChange,
    RecordState,
    Reference,
)
from tests.cast import make_connection, person

PRIYA = Actor("Priya Sharma", Origin.SCREEN)
INFO = AppInfo(
    slug="ledger", name="Pretend Ledger", short_name="Ledger", vendor="pretend", account_word="company",
    account_kinds=("COMPANY",), scopes=("clients",), allowance=Allowance(),
    client_fields={
        "name": Flow.TWO_WAY, "address": Flow.AT_LINK, "postal_address": Flow.AT_LINK, "phone": Flow.AT_LINK,
    },
    contact_fields={"name": Flow.AT_LINK, "email": Flow.AT_LINK, "phone": Flow.AT_LINK, "mobile": Flow.AT_LINK},
    intakes=(Intake.CHOSEN, Intake.ALL), directions=("to_app", "both", "from_app"),
    levels=("name", "nothing", "everything"), new_clients=(Moment.FIRST_INVOICE, Moment.AT_ONCE),
    sync_every=timedelta(hours=1),
)  # fmt: skip


def record(remote_id: str, name: str, **details: Any) -> ClientRecord:
    details = {
        "address": Address("4 Kauri St", "Auckland", "", "1010", "NZ"), "phone": "09 555 0101",
        "contacts": (ContactRecord(f"c-{remote_id}", f"Someone at {name}", "someone@example.com"),),
    } | details  # fmt: skip
    return ClientRecord(remote_id, name, **details)


@dataclass
class PretendApp:
    """`changed` names the records the next partial list tells of; a complete list tells of all."""

    info: AppInfo = INFO
    records: dict[str, ClientRecord] = field(default_factory=dict)
    broken: list[Quarantined] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    dialect: Any = None
    consent_origin: str = "https://pretend.example"

    def put(self, *records: ClientRecord) -> None:
        for one in records:
            self.records[one.remote_id] = one
            self.changed.add(one.remote_id)

    def archive(self, remote_id: str) -> None:
        self.put(replace(self.records[remote_id], state=RecordState.ARCHIVED))

    def fetch_clients(self, session: Any, since: datetime | None) -> Iterator[ClientRecord | Quarantined]:
        self.calls.append("list")
        told = set(self.records) if since is None else set(self.changed)
        self.changed = set() if since is not None else self.changed
        yield from self.broken
        yield from [one for remote_id, one in self.records.items() if remote_id in told]

    def fetch_client(self, session: Any, remote_id: str) -> ClientRecord:
        self.calls.append("read")
        if remote_id not in self.records:
            raise NotThere("gone")
        return self.records[remote_id]

    def find_clients(self, session: Any, name: str) -> list[ClientRecord]:
        self.calls.append("find")
        return [one for one in self.records.values() if one.name.casefold() == name.casefold()]

    def update_clients(self, session: Any, changes: Sequence[RecordChange]) -> list[ClientRecord | AdapterError]:
        self.calls.append("write")
        after = [replace(one.record, **one.change.fields) for one in changes]
        self.records |= {one.remote_id: one for one in after}
        return list(after)

    def create_clients(self, session: Any, news: Sequence[NewRecord]) -> list[ClientRecord | AdapterError]:
        self.calls.append("create")
        after = [replace(one.record, remote_id=f"new-{one.key}") for one in news]
        self.records |= {one.remote_id: one for one in after}
        return list(after)

    def fetch_reference(self, session: Any) -> Reference:
        return Reference()


@dataclass
class Books:
    """A connection to the pretend app, and runs over it done here and now."""

    app: PretendApp
    connection_id: int

    @property
    def connection(self) -> Connection:
        return db.session.get_one(Connection, self.connection_id)

    def run(self, kind: RunKind = RunKind.SYNC, **values: Any) -> SyncRun:
        values = {"trigger": RunTrigger.PERSON, "by": PRIYA, "now": datetime.now(UTC)} | values
        made, _joined = sync.request_run(self.connection, kind=kind, **values)
        db.session.commit()
        sync.work(made.id)
        db.session.expire_all()
        return db.session.get_one(SyncRun, made.id)

    def done(self, kind: RunKind = RunKind.SYNC, **values: Any) -> SyncRun:
        made = self.run(kind, **values)
        assert made.state == RunState.DONE, made.message
        return made

    def apply(self, preview: SyncRun) -> SyncRun:
        return self.done(RunKind.APPLY, preview=preview)


def install(monkeypatch: pytest.MonkeyPatch, app: PretendApp) -> None:
    """Among the apps there are, for this test."""
    calls = SimpleNamespace(
        account_id="company-1", calls_made=0, not_granted=set(), by_vendor_clock=lambda moment: moment
    )
    monkeypatch.setitem(integrations.APPS, app.info.slug, app)
    monkeypatch.setitem(ways._WAYS, app.info.slug, integrations._ways(app))
    monkeypatch.setattr(integrations, "open_session", lambda *_args, **_more: calls)


def books(
    monkeypatch: pytest.MonkeyPatch, records: Iterable[ClientRecord] = (), *, account: str = "Kauri Books Ltd",
    settings: dict[str, Any] | None = None, **rules: Any,
) -> Books:  # fmt: skip
    """A connected account of the pretend app; `rules` are the app's own (`lists_everything=False`)."""
    app = PretendApp(replace(INFO, **rules))
    app.put(*records)
    install(monkeypatch, app)
    person("admin")
    made = make_connection(app.info.slug, account, enabled_at=datetime.now(UTC), settings=settings or {}, reference={})
    db.session.commit()
    return Books(app, made.id)
