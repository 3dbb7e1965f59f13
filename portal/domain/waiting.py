"""What waits, or was set aside, about a record nobody here is linked to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from portal.db import db
from portal.domain.activity import Actor
from portal.domain.apps import Finding
from portal.domain.records import ClientRecord

LEFT_OUT = "left_out"


def leave_out(connection_id: int, record: ClientRecord, *, reason: str, by: Actor, now: datetime) -> None:
    """A person has set this record aside: it stays out of every later sync until somebody links or imports it."""
    found = db.session.scalar(
        select(Finding).where(
            Finding.connection_id == connection_id, Finding.remote_id == record.remote_id, Finding.kind == LEFT_OUT
        )
    )
    if found is None:
        found = Finding(connection_id=connection_id, kind=LEFT_OUT, remote_id=record.remote_id, first_seen=now, times=0)
        db.session.add(found)
    found.remote_name = record.name
    found.record = record.as_json()
    found.reason = reason
    found.state = LEFT_OUT
    found.last_seen = now
    found.times += 1
    found.settled_at = now
    found.settled_by = by.name


def close_for(connection_id: int, remote_id: str, state: str, now: datetime, by: str = "System") -> None:
    """The cause is over: linked, imported, or gone there."""
    query = select(Finding).where(
        Finding.connection_id == connection_id, Finding.remote_id == remote_id, Finding.state.in_(("open", LEFT_OUT))
    )
    for found in db.session.scalars(query):
        found.state = state
        found.settled_at = now
        found.settled_by = by
