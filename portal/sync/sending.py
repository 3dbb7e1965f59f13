"""Sending one client's changes to its record: look first, plan again, write, remember.

Looking first makes a repeat harmless: whatever an earlier, lost attempt achieved is found agreed and not sent twice.
The link's push columns are the outbox row, written in the same transaction as the change that caused it.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from jobs import queue
from portal import integrations
from portal.adapters.base import (
    AdapterError,
    ClientAdapter,
    NeedsReconnect,
    NotThere,
    RateLimited,
    Session,
    Unavailable,
    Unknown,
)
from portal.db import db
from portal.domain import activity, carrying, clients, findings, links
from portal.domain.activity import Actor, Origin, Verb
from portal.domain.apps import ClientLink, Connection, ConnectionState, LinkState, Outcome, PushState
from portal.domain.carrying import Context
from portal.domain.claims import ME
from portal.domain.clients import Client
from portal.domain.planning import Plan, Times
from portal.domain.records import ClientChange, ClientRecord, RecordState
from portal.sync.applying import load, plan_for
from portal.sync.breaking_off import note_lost
from portal.sync.runs import clock

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)  # longer than any one vendor call may take
ATTEMPTS = 8  # then a person is asked
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)


def send_soon(link_ids: list[int]) -> None:
    """Send in the background. Call it after the commit."""
    for link_id in link_ids:
        queue.submit(send, link_id)


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
    token = f"{ME}/push/{link_id}/{time.monotonic_ns()}"
    version = _claim(link_id, token, clock())
    if version is None:
        return None
    link = db.session.get_one(ClientLink, link_id)
    connection_id, remote_id = link.connection_id, link.remote_id
    connection = link.connection
    adapter = integrations.adapter_for(connection)
    context = findings.context_for(connection, by=by or Actor("System", Origin.APP), now=clock())
    try:
        if session is None:
            session = integrations.open_session(connection, urgent=True)
        db.session.commit()
        return _send(adapter, session, connection_id, remote_id, context, version)
    except AdapterError as error:
        db.session.rollback()
        return _failed(link_id, token, error, context)
    except Exception:
        db.session.rollback()
        _wait(link_id, token, clock() + FIRST_WAIT, "Counterpart met something unexpected; it tries again by itself.")
        raise


def _claim(link_id: int, token: str, now: datetime) -> int | None:
    """The push version claimed, or None."""
    row = db.session.execute(
        update(ClientLink)
        .where(
            ClientLink.id == link_id,
            ClientLink.push_state.in_((PushState.READY, PushState.SENDING)),
            or_(ClientLink.push_lease_until.is_(None), ClientLink.push_lease_until < now),
            ClientLink.state == LinkState.LINKED,
        )
        .values(push_state=PushState.SENDING, push_lease_by=token, push_lease_until=now + LEASE)
        .returning(ClientLink.push_version)
    ).first()
    db.session.commit()
    return row.push_version if row else None


def _send(
    adapter: ClientAdapter, session: Session, connection_id: int, remote_id: str, context: Context, version: int
) -> Outcome:
    try:
        record: ClientRecord | None = adapter.fetch_client(session, remote_id)
    except NotThere:
        record = None
    if record is None or record.state != RecordState.ACTIVE:
        return _broken(connection_id, remote_id, record, context, version)
    made = _planned(adapter, session, connection_id, record, context)
    client, link, contact_links = load(connection_id, remote_id)
    change = carrying.apply_here(client, link, contact_links, record, made, context, may_send=True)
    if change.is_empty():
        carrying.sent_done(client, link, version)
        db.session.commit()
        return Outcome.UPDATED if made.pulls else Outcome.UNCHANGED
    db.session.commit()
    after = adapter.update_client(session, remote_id, change)
    _remember(connection_id, remote_id, made, after, change, context, version)
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


def _remember(
    connection_id: int, remote_id: str, made: Plan, after: ClientRecord, change: ClientChange, context: Context,
    version: int,
) -> None:  # fmt: skip
    client, link, contact_links = load(connection_id, remote_id)
    carrying.settle_sent(client, link, contact_links, made, after, change, context, version)
    db.session.commit()


def _broken(connection_id: int, remote_id: str, record: ClientRecord | None, context: Context, version: int) -> Outcome:
    client, link, _contacts = load(connection_id, remote_id)
    links.mark_broken(client, link, links.broken_because(record, context.app), context)
    link.push_state = PushState.READY  # kept for when the link is mended
    link.push_lease_by = link.push_lease_until = None
    clients.refresh_sync_state(client)
    db.session.commit()
    return Outcome.BROKEN


def _failed(link_id: int, token: str, error: AdapterError, context: Context) -> Outcome:
    """Decide by the kind of failure whether to try again, and when (architecture: five errors and one unknown)."""
    now = clock()
    link = db.session.get_one(ClientLink, link_id)
    attempts = link.push_attempts + 1
    if isinstance(error, RateLimited):
        _wait(link_id, token, error.retry_at or now + LONGEST_WAIT, error.message, attempts=link.push_attempts)
    elif isinstance(error, NeedsReconnect):
        note_lost(link.connection_id, error.message, context.by)
        _wait(link_id, token, now + LONGEST_WAIT, f"{error.message} It is kept and goes out once reconnected.")
    elif isinstance(error, Unavailable | Unknown) and attempts < ATTEMPTS:
        wait = min(FIRST_WAIT * 2 ** (attempts - 1), LONGEST_WAIT)
        _wait(link_id, token, now + wait, error.message, attempts=attempts)
    else:
        _give_up(link, token, error, context)
    return Outcome.FAILED


def _wait(link_id: int, token: str, until: datetime, why: str, attempts: int | None = None) -> None:
    """Hand the record back, to be tried again at `until`; nothing happens when it is no longer ours."""
    values = {"push_state": PushState.READY, "push_next_at": until, "push_error": why[:500]}
    if attempts is not None:
        values["push_attempts"] = attempts
    db.session.execute(
        update(ClientLink)
        .where(ClientLink.id == link_id, ClientLink.push_lease_by == token)
        .values(push_lease_by=None, push_lease_until=None, **values)
    )
    db.session.commit()


def _give_up(link: ClientLink, token: str, error: AdapterError, context: Context) -> None:
    if link.push_lease_by != token:
        db.session.rollback()
        return
    reason = error.message if not error.vendor_text else f"{error.message} {context.app} says: {error.vendor_text}"
    link.push_state = PushState.FAILED
    link.push_error = reason[:500]
    link.push_lease_by = link.push_lease_until = None
    link.push_next_at = None
    client = db.session.get_one(Client, link.client_id)
    activity.record(
        Verb.CLIENT_PUSH_FAILED, by=context.by, now=context.now, client_id=client.id,
        connection_id=link.connection_id, app=context.app, reason=link.push_error,
    )  # fmt: skip
    clients.refresh_sync_state(client)
    db.session.commit()
