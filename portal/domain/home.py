"""What needs a person, in figures: the home page's questions, and the marks on the rail.

Every figure is counted the way the list it leads to counts, so that the two never disagree (HO-02).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, exists, func, literal_column, or_, select

from portal.db import db
from portal.domain import client_list, outgoing, runs
from portal.domain.apps import Connection, ConnectionState, Finding, OutgoingClient, RunKind, RunState, SyncRun
from portal.domain.client_list import Filters
from portal.domain.clients import SyncState
from portal.domain.people import Firm, FirmInShort

CAP = 1001  # figures are counted up to here; beyond, "1,000+" is shown


# What the frame around every page asks: one statement, built once, over the bare tables.
_firm = Firm.__table__.c
_finding, _connection, _run = Finding.__table__.c, Connection.__table__.c, SyncRun.__table__.c
_ONE: ColumnElement[int] = literal_column("1")
_OPEN_FINDINGS = select(func.count()).select_from(select(_ONE).where(_finding.state == "open").limit(CAP).subquery())
_NEWEST_STATE = (
    select(_run.state)
    .where(_run.connection_id == _connection.id, _run.kind != RunKind.PREVIEW)
    .order_by(_run.id.desc())
    .limit(1)
    .correlate(Connection.__table__)
    .scalar_subquery()
)
_A_PERSON_IS_NEEDED = exists(
    select(_ONE).where(or_(_connection.state == ConnectionState.NEEDS_RECONNECT, _NEWEST_STATE == RunState.HELD))
)
_FRAME = (
    select(_firm.name, _firm.time_zone, _firm.locale, _OPEN_FINDINGS.scalar_subquery(), _A_PERSON_IS_NEEDED)
    .order_by(_firm.id)
    .limit(1)
)


class Marks(NamedTuple):
    """What the rail says beside its words: open findings, capped, and whether a connection has lost its access or a run
    waits for somebody's word."""

    findings: int = 0
    an_app_needs_a_person: bool = False


@dataclass(frozen=True)
class Health:
    """How one connected account is doing: its newest run, the one under way, the one that waits for a word."""

    connection: Connection
    newest: SyncRun | None
    under_way: SyncRun | None
    held: SyncRun | None

    @property
    def needs_reconnect(self) -> bool:
        return self.connection.state == ConnectionState.NEEDS_RECONNECT


def open_findings() -> int:
    """Near, ambiguous and taken names nobody has settled yet."""
    return db.session.scalar(_OPEN_FINDINGS) or 0


def failed_clients() -> int:
    return client_list.count(Filters(sync=SyncState.FAILED.value), cap=CAP)


def conflicts() -> int:
    """Clients with a conflict nobody has looked at."""
    return client_list.count(Filters(sync=SyncState.CONFLICT.value), cap=CAP)


def not_created() -> int:
    """Clients an app was to be given and was not, because it asks who they are or has refused."""
    rows = select(_ONE).where(OutgoingClient.state.in_(outgoing.STUCK)).limit(CAP).subquery()
    return db.session.scalar(select(func.count()).select_from(rows)) or 0


def has_clients() -> bool:
    return client_list.has_any()


def health() -> list[Health]:
    """Every connected account, by app and name."""
    return [
        Health(one, runs.latest(one), runs.latest_open(one), runs.held(one))
        for one in db.session.scalars(
            select(Connection)
            .where(Connection.state.in_((ConnectionState.CONNECTED, ConnectionState.NEEDS_RECONNECT)))
            .order_by(Connection.app, Connection.account_name, Connection.id)
        )
    ]


def frame() -> tuple[FirmInShort | None, Marks]:
    """The firm as every page names it, and the marks of the rail. None before the firm has been set up."""
    row = db.session.execute(_FRAME).first()
    return (None, Marks()) if row is None else (FirmInShort(*row[:3]), Marks(*row[3:]))
