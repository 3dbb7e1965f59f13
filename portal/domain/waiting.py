"""What waits, or was set aside, about a record nobody here is linked to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update

from portal.db import db
from portal.domain import unlinked
from portal.domain.activity import Actor
from portal.domain.apps import Finding
from portal.domain.records import ClientRecord
from portal.domain.unlinked import LEFT_OUT, Noted

AT_ONCE = 400


def leave_out(connection_id: int, record: ClientRecord, *, reason: str, by: Actor, now: datetime) -> None:
    """A person has set this record aside: it stays out of every later sync until somebody links or imports it."""
    found = None
    for one in _about(connection_id, record.remote_id):
        if one.kind == LEFT_OUT:
            found = one
        elif one.state == "open":
            _settle(one, "gone", now, by.name)
    if found is None:
        found = Finding(connection_id=connection_id, kind=LEFT_OUT, remote_id=record.remote_id, first_seen=now, times=0)
        db.session.add(found)
    found.remote_name = record.name
    found.record = record.as_json()
    found.reason = reason
    found.last_seen = now
    found.times += 1
    _settle(found, LEFT_OUT, now, by.name)
    unlinked.note(connection_id, [Noted(record, LEFT_OUT, reason, None)], now)


def close_for(connection_id: int, remote_id: str, state: str, now: datetime, by: str = "System") -> None:
    """The cause is over: linked, imported, or gone there. The record no longer counts as one nobody is linked to."""
    for one in _about(connection_id, remote_id):
        if one.state in ("open", LEFT_OUT):
            _settle(one, state, now, by)
    unlinked.forget(connection_id, [remote_id])


def close_all(remote_ids: Sequence[str], connection_id: int, state: str, now: datetime, by: str) -> None:
    """As `close_for`, for several."""
    db.session.execute(
        update(Finding)
        .where(
            Finding.connection_id == connection_id, Finding.remote_id.in_(remote_ids),
            Finding.state.in_(("open", LEFT_OUT)),
        )
        .values(state=state, settled_at=now, settled_by=by)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    unlinked.forget(connection_id, list(remote_ids))


def no_longer_holds(connection_id: int, remote_ids: Sequence[str], now: datetime) -> None:
    """What was open about these records is over by itself: the records went, or match nobody any more."""
    for start in range(0, len(remote_ids), AT_ONCE):
        db.session.execute(
            update(Finding)
            .where(
                Finding.connection_id == connection_id, Finding.state == "open",
                Finding.remote_id.in_(remote_ids[start : start + AT_ONCE]),
            )
            .values(state="gone", settled_at=now, settled_by="System")
            .execution_options(synchronize_session=False)
        )  # fmt: skip


def _about(connection_id: int, remote_id: str) -> list[Finding]:
    query = select(Finding).where(Finding.connection_id == connection_id, Finding.remote_id == remote_id)
    return list(db.session.scalars(query))


def _settle(finding: Finding, state: str, now: datetime, by: str) -> None:
    finding.state = state
    finding.settled_at = now
    finding.settled_by = by
