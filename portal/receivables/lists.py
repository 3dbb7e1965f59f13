"""Tax rates, accounts, items and the like, read every hour and whenever somebody asks (XE-08)."""

from __future__ import annotations

from datetime import datetime, timedelta

from portal import integrations
from portal.adapters.base import AdapterError, NeedsReconnect, Session
from portal.db import db
from portal.domain import connections, deliveries, ledgers
from portal.domain.activity import Actor, Origin
from portal.domain.apps import Connection
from portal.sync.breaking_off import note_lost

EVERY = timedelta(hours=1)
BY = Actor("System", Origin.SCHEDULE)


def read_lists_due(now: datetime) -> int:
    """Read the lists of every ledger whose last reading is an hour old. Gives how many were read."""
    due = [one.id for one in ledgers.in_use() if one.is_usable and _is_due(one, now)]
    db.session.commit()
    return sum(read_lists(connection_id, now) == "" for connection_id in due)


def read_lists(connection_id: int, now: datetime, session: Session | None = None, *, urgent: bool = False) -> str:
    """Read them now; gives why it did not work, empty when it did. Commits; what was read before stays on failure."""
    connection = connections.get(connection_id)
    if connection is None or connection.ways.ledger is None:
        return ""
    adapter = integrations.ledger_for(connection)
    try:
        session = session or integrations.open_session(connection, urgent=urgent)
        db.session.commit()
        told = adapter.fetch_lists(session)
    except AdapterError as error:
        db.session.rollback()
        if isinstance(error, NeedsReconnect):
            note_lost(connection_id, error.message, BY)
        ledgers.note_failure(_again(connection_id), error.message)
        db.session.commit()
        return error.message
    connection = _again(connection_id)
    if ledgers.keep(connection, told, now=now):
        deliveries.wake(connection, now=now)  # an account or a rate may be usable again
    db.session.commit()
    return ""


def _is_due(connection: Connection, now: datetime) -> bool:
    read_at = ledgers.settings_of(connection).lists_read_at
    return read_at is None or now - read_at >= EVERY


def _again(connection_id: int) -> Connection:
    connection = connections.get(connection_id, lock=True)
    assert connection is not None  # connections are never deleted
    return connection
