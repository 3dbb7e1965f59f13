"""Tax rates, accounts, items and the like, read every hour and whenever somebody asks (XE-08)."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobs import queue
from portal import integrations
from portal.adapters.base import AdapterError, NeedsReconnect, Session
from portal.db import db
from portal.domain import activity, connections, deliveries, ledgers
from portal.domain.activity import Actor, Origin, Verb
from portal.domain.apps import Connection
from portal.domain.ledgers import readings
from portal.sync.breaking_off import note_lost
from portal.sync.runs import clock

EVERY = timedelta(hours=1)
BY = Actor("System", Origin.SCHEDULE)
UNEXPECTED = "Counterpart met something unexpected; it tries again by itself."
WORDS = {"new": "{} new", "changed": "{} changed", "gone": "{} no longer there"}


def read_lists_due(now: datetime) -> int:
    """Read the lists of every ledger whose last reading is an hour old, or was asked for and forgotten. Gives how many
    were read."""
    forgotten = set(readings.forgotten(readings.LISTS, now))
    due = [one.id for one in ledgers.in_use() if one.is_usable and (one.id in forgotten or _is_due(one, now))]
    db.session.commit()
    return sum(read_lists(connection_id, now) == "" for connection_id in due)


def read_lists_soon(connection_id: int) -> None:
    """Read them in the background. Call it after the commit of `readings.ask`."""
    queue.submit(read_and_tell, connection_id)


def read_and_tell(connection_id: int) -> None:
    """Read them, and put down what went wrong also where nobody has foreseen it."""
    try:
        read_lists(connection_id, clock(), urgent=True)
    except Exception:  # raised on: the queue logs it, and whoever waits at the page has to hear of it
        db.session.rollback()
        readings.ended(connection_id, readings.LISTS, now=clock(), error=UNEXPECTED)
        db.session.commit()
        raise


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
        readings.ended(connection_id, readings.LISTS, now=now, error=error.message)
        db.session.commit()
        return error.message
    connection = _again(connection_id)
    is_first = ledgers.settings_of(connection).lists_read_at is None
    if found := ledgers.keep(connection, told, now=now):
        deliveries.wake(connection, now=now)  # an account or a rate may be usable again
        if not is_first:
            activity.record(
                Verb.LEDGER_LISTS_READ, by=BY, now=now, connection_id=connection_id, summary=summary(found),
                app=connections.label(connection),
            )  # fmt: skip
    readings.ended(connection_id, readings.LISTS, now=now, found=found)
    db.session.commit()
    return ""


def summary(found: dict[str, int]) -> str:
    """'2 new, 1 no longer there'."""
    return ", ".join(words.format(found[what]) for what, words in WORDS.items() if found.get(what))


def _is_due(one: Connection, now: datetime) -> bool:
    read_at = ledgers.settings_of(one).lists_read_at
    return read_at is None or now - read_at >= EVERY


def _again(connection_id: int) -> Connection:
    connection = connections.get(connection_id, lock=True)
    assert connection is not None  # connections are never deleted
    return connection
