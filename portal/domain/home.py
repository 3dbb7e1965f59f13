"""What needs a person, in figures: the home page's questions, and the marks on the rail.

Every figure is counted the way the list it leads to counts, so that the two never disagree (HO-02).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    bindparam,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import aliased, load_only

from portal.db import db
from portal.domain import outgoing
from portal.domain.apps import Connection, ConnectionState, Finding, OutgoingClient, RunKind, RunState, SyncRun
from portal.domain.claims import JobClaim
from portal.domain.clients import Client, SyncState
from portal.domain.people import Firm, FirmInShort

CAP = 1001  # figures are counted up to here; beyond, "1,000+" is shown


# What the frame around every page asks: one statement, built once, over the bare tables.
_firm = Firm.__table__.c
_finding, _connection, _run = Finding.__table__.c, Connection.__table__.c, SyncRun.__table__.c
_ONE: ColumnElement[int] = literal_column("1")
_OPEN_FINDINGS = select(func.count()).select_from(select(_ONE).where(_finding.state == "open").limit(CAP).subquery())


def _of_newest(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """This column of the newest run of a connection that was to change something."""
    newest = select(column).where(_run.connection_id == _connection.id, _run.kind != RunKind.PREVIEW)
    return newest.order_by(_run.id.desc()).limit(1).correlate(Connection.__table__).scalar_subquery()


_A_PERSON_IS_NEEDED = exists(
    select(_ONE).where(
        or_(_connection.state == ConnectionState.NEEDS_RECONNECT, _of_newest(_run.state) == RunState.HELD)
    )
)
_FRAME = (
    select(
        _firm.name,
        _firm.time_zone,
        _firm.locale,
        _firm.currency,
        _OPEN_FINDINGS.scalar_subquery(),
        _A_PERSON_IS_NEEDED,
    )
    .order_by(_firm.id)
    .limit(1)
)


class Marks(NamedTuple):
    """What the rail says beside its words: open findings, capped, and whether a connection has lost its access or a run
    waits for somebody's word."""

    findings: int = 0
    an_app_needs_a_person: bool = False


class Figures(NamedTuple):
    """What waits for somebody. Counted up to `CAP`; `expected` is of tomorrow's invoices, as far as rehearsed."""

    failed: int  # clients whose last change did not reach an app
    conflicts: int  # clients with a conflict nobody has looked at
    not_created: int  # clients an app was to be given and was not: it asks who they are, or has refused
    not_in_ledger: int  # invoices
    unsure: int  # invoices that may be in their ledger
    held_up: int  # items that could not be billed when they were due
    mail_failed: int  # messages that could not be sent
    mail_unsure: int  # messages that may not have arrived
    expected: int
    has_clients: bool


@dataclass(frozen=True)
class Health:
    """How one connected account is doing: its newest run, and whether one is under way."""

    connection: Connection
    newest: SyncRun | None
    is_under_way: bool

    @property
    def held(self) -> SyncRun | None:
        """The run that waits for a word."""
        return self.newest if self.newest is not None and self.newest.state == RunState.HELD else None

    @property
    def needs_reconnect(self) -> bool:
        return self.connection.state == ConnectionState.NEEDS_RECONNECT


def figures(tomorrow: date) -> Figures:
    """All of them at once. `tomorrow` is a day of the firm's calendar."""
    return Figures(*db.session.execute(_figures(), {"tomorrow": tomorrow.isoformat()}).one())


@lru_cache(maxsize=1)
def _figures() -> Select[*tuple[Any, ...]]:
    from portal.domain.invoices import narrowed  # they know of clients, and those of the figures here
    from portal.domain.mail import MailState, needs_a_look
    from portal.domain.rehearsal import AHEAD
    from portal.domain.schedule import coming

    client, out, claim = Client.__table__.c, OutgoingClient.__table__.c, JobClaim.__table__.c
    stuck = out.state.in_([_literal(state) for state in outgoing.STUCK])
    expected = select(claim.problem).where(
        claim.job == _literal(AHEAD), claim.due == bindparam("tomorrow"), claim.ended_at.is_not(None)
    )
    found = expected.scalar_subquery()
    return select(
        *(
            _capped(client.archived_at.is_(None), client.sync_state == _literal(state))
            for state in (SyncState.FAILED, SyncState.CONFLICT)
        ),
        _capped(stuck),
        *(_capped(*narrowed.standing_there(standing)) for standing in ("failed", "needs_check")),
        _capped(*coming.HELD_UP),
        *(_capped(*needs_a_look(state)) for state in (MailState.FAILED, MailState.UNKNOWN)),
        cast(func.coalesce(func.nullif(found, literal_column("''")), literal_column("'0'")), Integer),
        exists(select(_ONE).select_from(Client.__table__)),
    )  # fmt: skip


def _capped(*where: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows are like that, counted up to `CAP`."""
    rows = select(_ONE).where(*where).limit(literal_column(str(CAP), Integer)).subquery()
    return select(func.count()).select_from(rows).scalar_subquery()


def _literal(value: str) -> ColumnElement[Any]:
    """A word of ours within the statement, where indexes of a part of a table, and what is rare, can be seen by it."""
    return literal_column(f"'{value}'", Text)


def health() -> list[Health]:
    """Every connected account, by app and name."""
    return [Health(*row) for row in db.session.execute(_HEALTH)]


_newest = aliased(SyncRun)
_is_under_way = exists(
    select(_ONE).where(
        _run.connection_id == _connection.id,
        _run.state.in_([_literal(state) for state in (RunState.QUEUED, RunState.RUNNING)]),
    )
)
_HEALTH = (
    select(Connection, _newest, _is_under_way)
    .outerjoin(_newest, _newest.id == _of_newest(_run.id))
    .where(Connection.state.in_((ConnectionState.CONNECTED, ConnectionState.NEEDS_RECONNECT)))
    .order_by(Connection.app, Connection.account_name, Connection.id)
    .options(
        load_only(
            Connection.app, Connection.account_name, Connection.state, Connection.state_reason,
            Connection.last_synced_at, raiseload=True,
        ),
        load_only(_newest.kind, _newest.state, _newest.counts, _newest.message, raiseload=True),
    )
)  # fmt: skip


def frame() -> tuple[FirmInShort | None, Marks]:
    """The firm as every page names it, and the marks of the rail. None before the firm has been set up."""
    row = db.session.execute(_FRAME).first()
    return (None, Marks()) if row is None else (FirmInShort(*row[:4]), Marks(*row[4:]))
