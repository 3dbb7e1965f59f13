"""How the last reading of a ledger went, and the one a person has just asked for: its lists, its invoices, one invoice.

The one invariant: a reading that was asked for is under way until it has ended, however it ended, or until nobody has
heard of it for so long that its process must be gone; then it may be asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.db import db
from portal.domain.activity import Actor
from portal.domain.ledgers.models import LedgerReading, LedgerRecord

LISTS, INVOICES = "lists", "invoices"
PATIENCE = timedelta(minutes=10)  # a first look may take that long; whoever says nothing for longer is gone


def of_invoice(remote_id: str) -> str:
    """What the reading of one invoice is kept under."""
    return f"invoice {remote_id}"


def get(connection_id: int, what: str) -> LedgerReading | None:
    return db.session.get(LedgerReading, (connection_id, what))


def is_under_way(reading: LedgerReading | None, now: datetime) -> bool:
    return reading is not None and reading.asked_at is not None and now - reading.asked_at < PATIENCE


def ask(connection_id: int, what: str, *, by: Actor, now: datetime) -> bool:
    """A person wants it read now. False: that is under way already, and is joined."""
    row = _locked(connection_id, what)
    if is_under_way(row, now):
        return False
    row.asked_at, row.asked_by = now, by.name
    return True


def ended(
    connection_id: int, what: str, *, now: datetime, error: str = "", found: Mapping[str, int] | None = None
) -> None:
    """It was read, or could not be: `error` says why. `found` is what came of it, in words and figures."""
    row = _locked(connection_id, what)
    row.asked_at, row.error, row.ended_at = None, error[:500], now
    if not error:
        row.read_at, row.found = now, dict(found or {})


def forgotten(what: str, now: datetime) -> list[int]:
    """Connections for which it was asked and never ended: the process that was to do it is gone."""
    query = select(LedgerReading.connection_id).where(
        LedgerReading.what == what, LedgerReading.asked_at <= now - PATIENCE
    )
    return list(db.session.scalars(query))


def _locked(connection_id: int, what: str) -> LedgerReading:
    kept = db.session.get(LedgerReading, (connection_id, what), with_for_update=True)
    if kept is not None:
        return kept
    made = LedgerReading(connection_id=connection_id, what=what, asked_by="", error="", found={})
    try:
        with db.session.begin_nested():
            db.session.add(made)
    except IntegrityError:  # somebody asked at the same moment
        return db.session.get_one(LedgerReading, (connection_id, what), with_for_update=True)
    return made


def record_of(connection_id: int, remote_id: str) -> LedgerRecord | None:
    """An invoice of the ledger as it was last read; None: it was not read yet."""
    return db.session.scalar(
        select(LedgerRecord).where(LedgerRecord.connection_id == connection_id, LedgerRecord.remote_id == remote_id)
    )
