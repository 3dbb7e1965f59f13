"""What needs a person, in figures: the home page's questions, and the marks on the rail."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, literal, select

from portal.db import db
from portal.domain.apps import Connection, ConnectionState, Finding, RunState, SyncRun
from portal.domain.clients import Client, SyncState

CAP = 1001  # figures are counted up to here; beyond, "1,000+" is shown


@dataclass(frozen=True)
class Waiting:
    """How much waits for a person, by kind; each figure stops at `CAP`."""

    findings: int
    failed: int
    conflicts: int
    reconnect: tuple[Connection, ...]
    held: tuple[SyncRun, ...]

    @property
    def is_nothing(self) -> bool:
        return not (self.findings or self.failed or self.conflicts or self.reconnect or self.held)


def waiting() -> Waiting:
    needing = select(Connection).where(Connection.state == ConnectionState.NEEDS_RECONNECT).order_by(Connection.id)
    return Waiting(
        findings=open_findings(),
        failed=_capped(Client, Client.sync_state == SyncState.FAILED),
        conflicts=_capped(Client, Client.sync_state == SyncState.CONFLICT),
        reconnect=tuple(db.session.scalars(needing)),
        held=tuple(held_runs()),
    )


def open_findings() -> int:
    """Near, ambiguous and taken names nobody has settled yet."""
    return _capped(Finding, Finding.state == "open")


def an_app_needs_a_person() -> bool:
    """Whether a connection has lost its access, or a run waits for somebody's word."""
    lost = exists().where(Connection.state == ConnectionState.NEEDS_RECONNECT)
    if db.session.scalar(select(literal(1)).where(lost)):
        return True
    return bool(held_runs())


def connections() -> list[Connection]:
    """Every connection in use, for its health."""
    query = (
        select(Connection)
        .where(Connection.state.in_((ConnectionState.CONNECTED, ConnectionState.NEEDS_RECONNECT)))
        .order_by(Connection.app, Connection.account_name)
    )
    return list(db.session.scalars(query))


def last_run(connection: Connection) -> SyncRun | None:
    query = select(SyncRun).where(SyncRun.connection_id == connection.id).order_by(SyncRun.id.desc()).limit(1)
    return db.session.scalar(query)


def held_runs() -> list[SyncRun]:
    """The latest run of a connection, where it was held and nothing came after it."""
    runs = (last_run(connection) for connection in connections())
    return [run for run in runs if run is not None and run.state == RunState.HELD]


def has_clients() -> bool:
    return db.session.scalar(select(literal(1)).select_from(Client).limit(1)) is not None


def _capped(table: type, *conditions: ColumnElement[bool]) -> int:
    rows = select(literal(1)).select_from(table).where(*conditions).limit(CAP).subquery()
    return db.session.scalar(select(func.count()).select_from(rows)) or 0
