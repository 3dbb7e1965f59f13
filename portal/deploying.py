"""Jobs out to a practice app, each exactly once, and what the app lets a job be made of.

As for invoices (`portal.deliveries`): by lease, the client first, looked for before it is sent again. The app takes no
key of ours, so the mark in a job is what tells whether it is there.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from jobs import queue
from portal import integrations
from portal.adapters.base import (
    AdapterError,
    NeedsReconnect,
    NotThere,
    RateLimited,
    Rejected,
    Session,
    Stopped,
    Unavailable,
)
from portal.adapters.jobs import Jobs
from portal.db import db
from portal.deliveries import attempts
from portal.deliveries.customers import customer_for
from portal.deliveries.holding import LEASE, Hold, Leash, in_hand, rows_of, take
from portal.domain import connections, deliveries
from portal.domain.activity import SYSTEM, Actor, Origin
from portal.domain.apps import ClientLink, Connection, ConnectionState, LinkState
from portal.domain.deliveries import Delivery, DeliveryState, Job
from portal.domain.job_choices import keep_choices
from portal.domain.proposals.deploying import STAFF, NotLinkedThere, job_out, wake_staffed
from portal.domain.records import JobOut, JobRecord
from portal.sync.breaking_off import note_lost
from portal.sync.outbox import said
from portal.sync.runs import clock

log = logging.getLogger(__name__)

APP = Actor("System", Origin.APP)
FIRST_LOOK = timedelta(seconds=10)  # after a lost answer
SETTLE_AFTER = timedelta(minutes=2)  # a look-up later than that shows what the lost call did
ATTEMPTS = 8


@dataclass(frozen=True)
class Parcel:
    """One job in hand; to `attempts` it is a parcel like any other."""

    id: int
    out: JobOut
    what: deliveries.Carried
    by: str


@dataclass
class Trip:
    """One worker's way to one account."""

    connection_id: int
    app: str
    adapter: Jobs
    session: Session
    leash: Leash


def deploy_soon(ids: Iterable[int]) -> None:
    """Deploy in the background; call it after the commit. Lost with its process it is found by the next tick."""
    wanted = list(ids)
    if wanted:
        queue.submit(deploy, wanted)


def deploy_due(now: datetime) -> int:
    """The job of the schedule: all that is due, connection by connection. Gives how many were taken up."""
    deliveries.wake_linked(now)
    wake_staffed(now)
    found = deliveries.due_connections(now, kinds=(deliveries.JOB,))
    db.session.commit()
    return sum(deploy_over(one, now) for one in found)


def deploy(ids: Collection[int], session: Session | None = None) -> int:
    """Deploy these now; gives how many were taken up."""
    query = select(Delivery.connection_id).where(Delivery.id.in_(ids), Delivery.kind == deliveries.JOB).distinct()
    found = list(db.session.scalars(query))
    db.session.commit()
    return sum(deploy_over(one, clock(), ids, session) for one in found)


def deploy_over(
    connection_id: int, now: datetime, ids: Collection[int] | None = None, session: Session | None = None
) -> int:
    """What is due over this connection, one by one, or these. What concerns the whole account ends it."""
    trip = _trip(connection_id, session, urgent=ids is not None)
    if trip is None:
        return 0
    if ids is None:
        wanted = deliveries.due(now, connection_id, deliveries.JOB, 100)
    else:
        wanted = [one for one in deliveries.of_kind(ids, deliveries.JOB) if _is_over(one, connection_id)]
    db.session.commit()
    done = 0
    try:
        for one in wanted:
            if queue.stopping.is_set():
                break
            done += _take_one(trip, one)
    except Stopped:
        log.info("jobs for connection %s were handed back", connection_id)
    except NeedsReconnect as error:
        note_lost(connection_id, error.message, SYSTEM)
        db.session.commit()
    except AdapterError as error:
        log.info("jobs for connection %s wait: %s", connection_id, error.message)
    return done


def takers() -> list[Connection]:
    """Every connected account that takes jobs, the first connected first."""
    query = select(Connection).where(Connection.state == ConnectionState.CONNECTED).order_by(Connection.id)
    return [one for one in db.session.scalars(query) if integrations.takes_jobs(one.app)]


def read_choices(connection_id: int, session: Session | None = None) -> str:
    """Read what a job of this account can be made of (XPM-7); gives why it did not work, empty when it did. Commits."""
    trip = _trip(connection_id, session, urgent=True)
    if trip is None:
        return "It is not connected."
    try:
        templates, categories = trip.adapter.fetch_job_choices(trip.session)
    except AdapterError as error:
        db.session.rollback()
        return said(error, trip.app)
    keep_choices(connection_id, templates, categories)
    db.session.commit()
    return ""


def read_all_choices(now: datetime) -> int:
    """The job of the schedule. Gives how many accounts were read."""
    ids = [one.id for one in takers()]
    db.session.commit()
    return sum(read_choices(one) == "" for one in ids)


def _trip(connection_id: int, session: Session | None, *, urgent: bool) -> Trip | None:
    """None when the connection has no access or takes no jobs."""
    connection = db.session.get(Connection, connection_id)
    if connection is None or not connection.is_usable or not integrations.takes_jobs(connection.app):
        db.session.commit()
        return None
    leash = Leash()
    adapter, app = integrations.jobs_for(connection), connections.label(connection)
    if session is None:
        session = integrations.open_session(connection, urgent=urgent, should_stop=leash.must_stop)
    db.session.commit()
    return Trip(connection_id, app, adapter, session, leash)


def _is_over(delivery_id: int, connection_id: int) -> bool:
    row = deliveries.get(delivery_id)
    return row is not None and row.connection_id == connection_id


def _take_one(trip: Trip, delivery_id: int) -> int:
    hold = take([delivery_id], clock(), app=trip.app, by=APP)
    if not hold.ids:
        return 0
    trip.leash.hold = hold
    with in_hand(hold, clock):
        _carry(trip, hold, delivery_id)
    hold.ids.clear()
    trip.leash.hold = None
    return 1


def _carry(trip: Trip, hold: Hold, delivery_id: int) -> None:
    parcel = _pack(trip, hold, delivery_id)
    if parcel is None:
        return
    row = rows_of(hold, [delivery_id])[delivery_id]
    may_be_there = row.state == DeliveryState.UNKNOWN or row.sent_at is not None
    db.session.rollback()
    if may_be_there:
        parcel = _look(trip, hold, parcel)
    if parcel is not None:
        _send(trip, hold, parcel)


def _pack(trip: Trip, hold: Hold, delivery_id: int) -> Parcel | None:
    """The job in the app's words; None when it has to wait for its client or for a person. Commits."""
    row = rows_of(hold, [delivery_id]).get(delivery_id)
    if row is None:
        return None
    link = _link(row)
    if link is None:
        client_id = row.client_id
        db.session.rollback()
        customer = customer_for(client_id, trip.connection_id, trip.session, by=APP, now=clock())
        row = rows_of(hold, [delivery_id])[delivery_id]
        link = _link(row)
        if link is None:
            _strand(trip, row, customer.why, customer.waits_until)
            return None
    what = deliveries.carried([row])[row.id]
    try:
        out = job_out(row, db.session.get_one(Job, row.job_id), link.remote_id)
    except NotLinkedThere as problem:
        deliveries.asks(row, what, STAFF, str(problem), app=trip.app, by=APP, now=clock())
        db.session.commit()
        return None
    parcel = Parcel(row.id, out, what, row.asked_by)
    db.session.commit()
    return parcel


def _strand(trip: Trip, row: Delivery, why: str, until: datetime | None) -> None:
    if until is not None:
        deliveries.waits(row, until, why, "customer")
    else:
        what = deliveries.carried([row])[row.id]
        deliveries.asks(row, what, "customer", why, app=trip.app, by=APP, now=clock())
    db.session.commit()


def _look(trip: Trip, hold: Hold, parcel: Parcel) -> Parcel | None:
    """Found: done with. Proved not to be there: the parcel, under another key. Not proved yet: None."""
    began = clock()
    found = trip.adapter.find_jobs(trip.session, parcel.out.client_id, mark=parcel.out.mark)
    there = trip.adapter.finish_job(trip.session, found[0], parcel.out) if found else None
    row = rows_of(hold, [parcel.id])[parcel.id]
    now = clock()
    if there is not None:
        attempts.looked([(_any(parcel), attempts.FOUND, there.remote_id, there.unfinished)], began, now, APP.name)
        _delivered(trip, row, parcel, there, adopted=True)
        return None
    attempts.looked([(_any(parcel), attempts.NOTHING, "", "")], began, now, APP.name)
    is_proved = deliveries.not_found(row, parcel.what, app=trip.app, settle_after=SETTLE_AFTER, by=APP, now=now)
    is_given_up = is_proved and row.attempts >= ATTEMPTS
    if is_given_up:
        why = f"{trip.app} was asked {row.attempts} times and gave no answer; nothing of it is there."
        deliveries.refused(row, parcel.what, "unavailable", why, app=trip.app, by=APP, now=now)
    again = replace(parcel, out=replace(parcel.out, key=row.key))
    db.session.commit()
    return again if is_proved and not is_given_up else None


def _send(trip: Trip, hold: Hold, parcel: Parcel) -> None:
    """One call, between two commits."""
    row = rows_of(hold, [parcel.id])[parcel.id]
    now = clock()
    row.state, row.sent_at, row.lease_until = DeliveryState.SENDING, now, now + LEASE
    row.attempts += 1
    row.reason = row.cause = ""
    began = attempts.begin([_any(parcel)], now, APP.name)[parcel.id]
    db.session.commit()
    hold.renewed()
    try:
        made: JobRecord | AdapterError = trip.adapter.create_job(trip.session, parcel.out)
    except (RateLimited, NeedsReconnect, Unavailable, Stopped) as error:
        db.session.rollback()
        row = rows_of(hold, [parcel.id])[parcel.id]
        row.state = DeliveryState.WAITING
        row.attempts -= 1
        attempts.end({began: (attempts.NOT_SENT, "", error.message)}, clock())
        db.session.commit()
        raise
    except AdapterError as error:
        made = error
    _record(trip, hold, parcel, made, began)


def _record(trip: Trip, hold: Hold, parcel: Parcel, made: JobRecord | AdapterError, began: int) -> None:
    row = rows_of(hold, [parcel.id]).get(parcel.id)
    now = clock()
    if row is None:  # another has taken it over: whatever we know of it is for them to find out
        db.session.rollback()
        return
    if not isinstance(made, AdapterError):
        attempts.end({began: (attempts.CREATED, made.remote_id, made.unfinished)}, now)
        _delivered(trip, row, parcel, made, adopted=False)
        return
    words = said(made, trip.app)
    if isinstance(made, Rejected | NotThere):
        attempts.end({began: (attempts.REFUSED, "", words)}, now)
        deliveries.refused(row, parcel.what, "other", words, app=trip.app, by=APP, now=now)
    else:
        attempts.end({began: (attempts.LOST, "", words)}, now)
        deliveries.unsure(row, parcel.what, words, app=trip.app, until=now + FIRST_LOOK, by=APP, now=now)
    db.session.commit()


def _delivered(trip: Trip, row: Delivery, parcel: Parcel, there: JobRecord, *, adopted: bool) -> None:
    """It is there; what it lacks stays on the row for a person to see. Commits."""
    deliveries.delivered(
        row, parcel.what, there.remote_id, app=trip.app, number=there.number, web_url=there.web_url, adopted=adopted,
        by=APP, now=clock(),
    )  # fmt: skip
    row.reason = there.unfinished[:500]
    db.session.commit()


def _any(parcel: Parcel) -> Any:
    """`attempts` asks a parcel for no more than ours has."""
    return parcel


def _link(row: Delivery) -> ClientLink | None:
    return db.session.scalar(
        select(ClientLink).where(
            ClientLink.connection_id == row.connection_id, ClientLink.client_id == row.client_id,
            ClientLink.state == LinkState.LINKED,
        )
    )  # fmt: skip
