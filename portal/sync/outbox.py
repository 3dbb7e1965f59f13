"""The outbox of changes to linked records: taking one in hand, handing it back, giving it up.

A link's push columns are its row in the outbox. Whoever sends holds a lease on it, so that two never send the same at
once; a lease that has run out may be taken by anybody, because every attempt finds out anew what is left to do.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import or_, select, update

from portal.adapters.base import AdapterError, Moved, NeedsReconnect, RateLimited, Unavailable, Unknown
from portal.db import db
from portal.domain import activity, clients, links
from portal.domain.activity import Verb
from portal.domain.apps import ClientLink, LinkState, Outcome, PushState
from portal.domain.carrying import Context
from portal.domain.claims import ME
from portal.domain.clients import Client
from portal.domain.records import ClientChange, ClientRecord
from portal.sync.applying import load
from portal.sync.breaking_off import note_lost
from portal.sync.runs import clock

LEASE = timedelta(minutes=5)  # longer than any one vendor call may take
ATTEMPTS = 8  # then a person is asked
FIRST_WAIT = timedelta(seconds=30)
UNSURE_WAIT = timedelta(seconds=90)  # before looking after a lost answer: look-ups may be a minute old (fault row 16)
LONGEST_WAIT = timedelta(hours=1)


class InHand(NamedTuple):
    """A link somebody is sending: under which lease, and what `push_version` it had when it was taken."""

    link_id: int
    remote_id: str
    version: int
    token: str


def claim(link_ids: Sequence[int], now: datetime) -> list[InHand]:
    """Take these in hand, in the order asked; those somebody else has, or that have nothing to send, are left away."""
    token = f"{ME}/push/{link_ids[0]}/{time.monotonic_ns()}"
    rows = db.session.execute(
        update(ClientLink)
        .where(
            ClientLink.id.in_(link_ids),
            ClientLink.push_state.in_((PushState.READY, PushState.SENDING)),
            or_(ClientLink.push_lease_until.is_(None), ClientLink.push_lease_until < now),
            ClientLink.state == LinkState.LINKED,
        )
        .values(push_state=PushState.SENDING, push_lease_by=token, push_lease_until=now + LEASE)
        .returning(ClientLink.id, ClientLink.remote_id, ClientLink.push_version)
        .execution_options(synchronize_session=False)
    ).all()
    db.session.commit()
    taken = {row.id: InHand(row.id, row.remote_id, row.push_version, token) for row in rows}
    return [taken[one] for one in link_ids if one in taken]


def key_of(held: InHand, record: ClientRecord, change: ClientChange) -> str:
    """The idempotency key: the same for the same change to the same state of the record, another for any other.

    A vendor answers a key it has seen with what it said then. So a change planned anew must not come under the old one.
    """
    fields = sorted((name, repr(value)) for name, value in change.fields.items())
    said = repr((record.revision, fields, [(repr(one), is_new) for one, is_new in change.contacts]))
    digest = hashlib.blake2b(said.encode(), digest_size=5).hexdigest()
    return f"u{held.link_id}-{held.version}-{digest}"


def failed(held: InHand, error: AdapterError, context: Context) -> Outcome:
    """Decide by the kind of failure whether to try again, and when (architecture: five errors and one unknown)."""
    now = clock()
    link = db.session.get_one(ClientLink, held.link_id)
    again = another_try(error, link.push_attempts + 1, now)
    if isinstance(error, NeedsReconnect):
        note_lost(link.connection_id, error.message, context.by)
    if again is not None:
        hand_back(held, until=again.at, why=again.why, attempts=again.attempts)
    else:
        _give_up(link, held, error, context)
    return Outcome.FAILED


class AnotherTry(NamedTuple):
    """`attempts` None: this one does not count, because it was not the record's fault."""

    at: datetime
    why: str
    attempts: int | None = None


def another_try(error: AdapterError, attempts: int, now: datetime) -> AnotherTry | None:
    """When to try again what has failed so at its `attempts`th time; None when a person has to look at it."""
    if isinstance(error, RateLimited):
        return AnotherTry(error.retry_at or now + LONGEST_WAIT, error.message)
    if isinstance(error, NeedsReconnect):
        return AnotherTry(now + LONGEST_WAIT, f"{error.message} It is kept and goes out once reconnected.")
    if isinstance(error, Unavailable | Unknown | Moved) and attempts < ATTEMPTS:
        first = UNSURE_WAIT if isinstance(error, Unknown) else FIRST_WAIT
        return AnotherTry(now + min(first * 2 ** (attempts - 1), LONGEST_WAIT), error.message, attempts)
    return None


def hand_back(
    held: InHand, *, until: datetime | None = None, why: str | None = None, attempts: int | None = None
) -> None:
    """To be tried again at `until` (None: as it was); nothing happens when it is no longer in our hand. One commit."""
    values: dict[str, object] = {"push_state": PushState.READY, "push_lease_by": None, "push_lease_until": None}
    if until is not None:
        values["push_next_at"] = until
    if why is not None:
        values["push_error"] = why[:500]
    if attempts is not None:
        values["push_attempts"] = attempts
    db.session.execute(
        update(ClientLink).where(ClientLink.id == held.link_id, ClientLink.push_lease_by == held.token).values(**values)
    )
    db.session.commit()


def broken(connection_id: int, held: InHand, record: ClientRecord | None, context: Context) -> Outcome:
    """The record cannot be written to; what waits is kept for when the link is mended. One commit."""
    client, link, _contacts = load(connection_id, held.remote_id)
    links.mark_broken(client, link, links.broken_because(record, context.app), context)
    link.push_state = PushState.READY
    link.push_lease_by = link.push_lease_until = None
    clients.refresh_sync_state(client)
    db.session.commit()
    return Outcome.BROKEN


def waiting(connection_id: int) -> list[int]:
    """Links of this connection with something to send."""
    query = (
        select(ClientLink.id)
        .where(
            ClientLink.connection_id == connection_id,
            ClientLink.push_state.in_((PushState.READY, PushState.SENDING)),
            ClientLink.state == LinkState.LINKED,
        )
        .order_by(ClientLink.id)
    )
    return list(db.session.scalars(query))


def _give_up(link: ClientLink, held: InHand, error: AdapterError, context: Context) -> None:
    if link.push_lease_by != held.token:
        db.session.rollback()
        return
    link.push_state = PushState.FAILED
    link.push_error = said(error, context.app)
    link.push_lease_by = link.push_lease_until = None
    link.push_next_at = None
    client = db.session.get_one(Client, link.client_id)
    activity.record(
        Verb.CLIENT_PUSH_FAILED, by=context.by, now=context.now, client_id=client.id,
        connection_id=link.connection_id, app=context.app, reason=link.push_error,
    )  # fmt: skip
    clients.refresh_sync_state(client)
    db.session.commit()


def said(error: AdapterError, app: str) -> str:
    """Why it did not work, with the vendor's own words where there are some."""
    return (error.message if not error.vendor_text else f"{error.message} {app} says: {error.vendor_text}")[:500]
