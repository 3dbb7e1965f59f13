"""Webhooks: checked on the bytes as they came, stored first, answered at once, worked on afterwards.

An event says that something changed, never what it is now: handling it reads the invoice. So events may come twice,
late or in any order, and one that never comes is made up for by looking (fault rows 42 to 44, 46 to 49).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError

from portal import integrations
from portal.adapters.base import AdapterError
from portal.db import db
from portal.domain import connections
from portal.domain.apps import Connection
from portal.domain.ledgers import WebhookEvent
from portal.domain.records import LedgerEvent
from portal.receivables.looking import look_at
from portal.receivables.settling import may_be_on_its_way

log = logging.getLogger(__name__)

AT_ONCE = 100  # events worked on at one tick
KINDS = ("invoice", "payment")
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
SHORT_WAIT, WAITS = timedelta(seconds=5), 7  # ten minutes in all: a lost answer is cleared up long before
ATTEMPTS = 10  # then looking at the whole ledger has long found it


def take(app: str, headers: Mapping[str, str], body: bytes, now: datetime) -> int:
    """Check and store what a vendor sent; gives how many new events that were. One commit.

    Raises `WebhookRefused` when the signature does not fit, KeyError for an app that sends no webhooks.
    """
    adapter = integrations.ledger_of(app)
    if not adapter.ledger.has_webhooks:
        raise KeyError(app)
    events = adapter.read_events(headers, body, integrations.webhook_key(adapter.info.vendor))
    accounts = _accounts(app)
    fresh = sum(_store(app, event, accounts.get(event.account_id), now) for event in events)
    db.session.commit()
    return fresh


def handle_due(now: datetime) -> int:
    """Work on stored events; several about one invoice are one look. Gives how many were handled."""
    row = WebhookEvent
    query = (
        select(row.id, row.connection_id, row.kind, row.remote_id)
        .where(row.handled_at.is_(None), or_(row.next_at.is_(None), row.next_at <= now))
        .order_by(row.id)
        .limit(AT_ONCE)
    )
    waiting = list(db.session.execute(query))
    db.session.commit()
    groups: dict[tuple[int, str, str], list[int]] = {}
    for one in waiting:
        groups.setdefault((one.connection_id, one.kind, one.remote_id), []).append(one.id)
    for (connection_id, kind, remote_id), ids in groups.items():
        _handle(connection_id, kind, remote_id, ids, now)
    return len(waiting)


def _handle(connection_id: int, kind: str, remote_id: str, ids: list[int], now: datetime) -> None:
    if kind == "invoice" and may_be_on_its_way(connection_id, remote_id) and _wait(ids, now):
        return
    try:
        outcome = look_at(connection_id, kind, remote_id)
    except AdapterError as error:
        db.session.rollback()
        _put_off(ids, error.message, now)
        return
    except Exception:  # it is this event's own, and logged; the others go on
        db.session.rollback()
        log.exception("an event about %s %s could not be handled", kind, remote_id)
        _put_off(ids, "Counterpart met something unexpected; it tries again by itself.", now)
        return
    _end(ids, outcome, now)


def _wait(ids: list[int], now: datetime) -> bool:
    """Something of ours is being sent there, and this may be it, told before our own call was answered (fault row 44).

    It waits for that; False when it has waited often enough.
    """
    events = db.session.scalars(select(WebhookEvent).where(WebhookEvent.id.in_(ids))).all()
    waiting = [one for one in events if one.attempts < WAITS]
    for event in waiting:
        event.next_at = now + SHORT_WAIT * 2**event.attempts
        event.attempts += 1
        event.outcome = "waits for what is being sent"
    db.session.commit()
    return len(waiting) == len(ids)


def _end(ids: list[int], outcome: str, now: datetime) -> None:
    db.session.execute(
        update(WebhookEvent)
        .where(WebhookEvent.id.in_(ids), WebhookEvent.handled_at.is_(None))  # another worker may have been quicker
        .values(handled_at=now, outcome=outcome[:200])
    )
    db.session.commit()


def _put_off(ids: list[int], why: str, now: datetime) -> None:
    for event in db.session.scalars(select(WebhookEvent).where(WebhookEvent.id.in_(ids))).all():
        event.attempts += 1
        event.outcome = why[:200]
        event.next_at = now + min(FIRST_WAIT * 2 ** (event.attempts - 1), LONGEST_WAIT)
        if event.attempts >= ATTEMPTS:
            event.handled_at = now
    db.session.commit()


def _accounts(app: str) -> dict[str, Connection]:
    return {one.account_id: one for one in connections.of_app(app)}


def _store(app: str, event: LedgerEvent, connection: Connection | None, now: datetime) -> bool:
    """Whether it is new. What is none of ours is kept too, handled with the reason, so that it can be seen (row 49)."""
    if _count_again(app, event):
        return False
    why = ""
    if connection is None:
        why = "an account that is not connected here"
    elif event.kind not in KINDS:
        why = "nothing this portal follows"
    row = WebhookEvent(
        app=app, event_id=event.event_id, account_id=event.account_id, kind=event.kind, remote_id=event.remote_id,
        connection_id=connection.id if connection else None, what=event.what, happened_at=event.happened_at,
        received_at=now, times=1, attempts=0, handled_at=now if why else None, outcome=why,
    )  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.add(row)
    except IntegrityError:  # the same event, sent to us twice at once
        _count_again(app, event)
        return False
    return not why


def _count_again(app: str, event: LedgerEvent) -> bool:
    """Whether this event had come before; then it is counted."""
    known = db.session.execute(
        update(WebhookEvent)
        .where(WebhookEvent.app == app, WebhookEvent.event_id == event.event_id)
        .values(times=WebhookEvent.times + 1)
    )
    return bool(known.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has a rowcount
