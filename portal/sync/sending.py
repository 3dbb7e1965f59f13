"""Sending one client's changes to its record: look first, plan again, write, remember.

Looking first makes a repeat harmless: whatever an earlier, lost attempt achieved is found agreed and not sent twice.
The link's push columns are the outbox row, written in the same transaction as the change that caused it. Runs of apps
that take many records in one call send in `portal.sync.sending_batches`.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from datetime import datetime

from sqlalchemy import or_, select

from jobs import queue
from portal import integrations
from portal.adapters.base import AdapterError, ClientAdapter, Moved, NotThere, Session
from portal.db import db
from portal.domain import carrying, findings
from portal.domain.activity import Actor, Origin
from portal.domain.apps import ClientLink, Connection, ConnectionState, LinkState, Outcome, PushState
from portal.domain.carrying import Context
from portal.domain.clients import Client
from portal.domain.planning import Plan, Times
from portal.domain.records import ClientChange, ClientRecord, RecordChange, RecordState
from portal.sync.applying import load, plan_for
from portal.sync.in_hand import handed_back
from portal.sync.many import carried_by_runs, with_a_run
from portal.sync.outbox import FIRST_WAIT, InHand, broken, claim, failed, hand_back, key_of
from portal.sync.runs import clock

log = logging.getLogger(__name__)


def send_soon(link_ids: list[int]) -> None:
    """Send in the background; many for one app are taken along by a run of it. Call it after the commit."""
    if not link_ids:
        return
    rows = db.session.execute(select(ClientLink.id, ClientLink.connection_id).where(ClientLink.id.in_(link_ids))).all()
    carried = carried_by_runs(Counter(row.connection_id for row in rows))
    db.session.commit()
    for row in rows:
        if row.connection_id not in carried:
            queue.submit(send, row.id)


def send_due(now: datetime, limit: int = 50) -> int:
    """Send what is due and nobody is sending: what an earlier attempt or another process left. Gives how many."""
    due = list(
        db.session.scalars(
            select(ClientLink.id)
            .join(Connection, Connection.id == ClientLink.connection_id)
            .where(
                ClientLink.push_state.in_((PushState.READY, PushState.SENDING)),
                ClientLink.push_next_at <= now,
                or_(ClientLink.push_lease_until.is_(None), ClientLink.push_lease_until < now),
                ClientLink.state == LinkState.LINKED,
                Connection.state == ConnectionState.CONNECTED,
                Connection.id.not_in(with_a_run()),
            )
            .order_by(ClientLink.push_next_at)
            .limit(limit)
        )
    )
    db.session.commit()
    for link_id in due:
        send(link_id)
    return len(due)


def send(link_id: int, session: Session | None = None, by: Actor | None = None) -> Outcome | None:
    """Bring this record in step now. None when there was nothing to send or somebody else is at it."""
    held = next(iter(claim([link_id], clock())), None)
    if held is None:
        return None
    connection = db.session.get_one(ClientLink, link_id).connection
    adapter = integrations.adapter_for(connection)
    context = findings.context_for(connection, by=by or Actor("System", Origin.APP), now=clock())
    # The first import is one way, but a person's save meanwhile is no import (XPM-1, XPM-10).
    context = replace(context, connection=replace(context.connection, is_first=False))
    with handed_back(hand_back, held, FIRST_WAIT):
        try:
            if session is None:
                session = integrations.open_session(connection, urgent=True)
            db.session.commit()
            return look_and_send(adapter, session, held, context)
        except AdapterError as error:
            db.session.rollback()
            return failed(held, error, context)


def look_and_send(adapter: ClientAdapter, session: Session, held: InHand, context: Context) -> Outcome:
    """Read the record, plan, write; once more when it was changed there in between (fault row 90)."""
    try:
        return _send(adapter, session, held, context)
    except Moved:
        db.session.rollback()
        return _send(adapter, session, held, context)


def _send(adapter: ClientAdapter, session: Session, held: InHand, context: Context) -> Outcome:
    connection_id = context.connection.id
    try:
        record: ClientRecord | None = adapter.fetch_client(session, held.remote_id)
    except NotThere:
        record = None
    if record is None or record.state != RecordState.ACTIVE:
        return broken(connection_id, held, record, context)
    made = _planned(adapter, session, connection_id, record, context)
    client, link, contact_links = load(connection_id, held.remote_id)
    change = carrying.apply_here(client, link, contact_links, record, made, context, may_send=True)
    if change.is_empty():
        carrying.sent_done(client, link, held.version)
        db.session.commit()
        return Outcome.UPDATED if made.pulls else Outcome.UNCHANGED
    db.session.commit()
    (after,) = adapter.update_clients(session, [RecordChange(record, change, key_of(held, record, change))])
    if isinstance(after, NotThere):
        return broken(connection_id, held, None, context)
    if isinstance(after, AdapterError):
        raise after
    remember(held, made, after, change, context)
    return Outcome.CONFLICT if made.conflicts else Outcome.PUSHED


def _planned(
    adapter: ClientAdapter, session: Session, connection_id: int, record: ClientRecord, context: Context
) -> Plan:
    """The plan; when the order of a conflict is open, the vendor is asked what it changed since our change."""
    client, link, contact_links = load(connection_id, record.remote_id)
    made = plan_for(client, link, contact_links, record, context)
    uncertain = made.uncertain
    if not uncertain:
        return made
    times = [_changed_here(client, row.contact_key, row.field, contact_links) for row in uncertain]
    since = min((at for at in times if at is not None), default=None)
    db.session.rollback()
    if since is None:
        return made
    later = any(getattr(one, "remote_id", None) == record.remote_id for one in adapter.fetch_clients(session, since))
    client, link, contact_links = load(connection_id, record.remote_id)
    return plan_for(client, link, contact_links, record, context, Times(later_there=later, there_before=context.now))


def _changed_here(client: Client, contact_key: str, field: str, contact_links: list) -> datetime | None:
    thing: object = client
    if contact_key:
        contact_id = next((one.contact_id for one in contact_links if one.remote_id == contact_key), None)
        thing = next((one for one in client.contacts if one.id == contact_id), client)
    at = thing.origin_of(field).get("at")  # type: ignore[attr-defined]  # a client or a contact
    return datetime.fromisoformat(at) if at else None


def remember(held: InHand, made: Plan, after: ClientRecord, change: ClientChange, context: Context) -> None:
    """The app has taken the change. One commit."""
    client, link, contact_links = load(context.connection.id, held.remote_id)
    carrying.settle_sent(client, link, contact_links, made, after, change, context, held.version)
    db.session.commit()
