"""Delivering what is due: connection by connection, batch by batch, each for itself.

One slow or broken account never keeps another waiting longer than its own call takes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from jobs import queue
from portal import integrations
from portal.adapters.base import AdapterError, NeedsReconnect, Session, Stopped
from portal.adapters.ledger import Ledger
from portal.db import db
from portal.deliveries.carrying_invoices import Invoices
from portal.deliveries.carrying_payments import Payments
from portal.deliveries.courier import Courier
from portal.deliveries.holding import OUTAGE_WAIT, Leash
from portal.deliveries.new_customers import ask_for_many
from portal.deliveries.taking_over import take_over
from portal.deliveries.trips import Trip
from portal.domain import connections, deliveries, ledgers, workers
from portal.domain.activity import SYSTEM, Actor, Origin
from portal.domain.apps import Connection
from portal.domain.deliveries import Delivery
from portal.receivables.looking import look
from portal.sync.breaking_off import note_lost
from portal.sync.runs import clock

log = logging.getLogger(__name__)

AT_ONCE = 200  # rows taken in hand together, as many whole calls as fit into them
APP = Actor("System", Origin.APP)
LONG_UNREAD = timedelta(hours=1)  # beyond how often a ledger is read
COURIERS: tuple[type[Courier], ...] = (Invoices, Payments)

_at_work: set[int] = set()  # connections a thread of this process is delivering to
_lock = threading.Lock()


def deliver_soon(ids: Iterable[int]) -> None:
    """Deliver in the background; call it after the commit. Lost with its process it is found by the next tick."""
    wanted = list(ids)
    if wanted:
        queue.submit(deliver, wanted)


def start_due(now: datetime) -> int:
    """The job: for every connection with something due, a thread that delivers it. Gives how many were started."""
    started = 0
    for connection_id in _due_connections(now):
        with _lock:
            if connection_id in _at_work:
                continue
            _at_work.add(connection_id)
        queue.submit(_work, connection_id)
        started += 1
    return started


def go_on(now: datetime) -> int:
    """Between two ticks: when a process has died, what it had in hand goes on now. Gives how many deliveries."""
    workers.register(db.engine, lambda: now)
    freed = take_over(now)
    if freed:
        start_due(now)
    return freed


def _work(connection_id: int) -> None:
    try:
        deliver_connection(connection_id)
    finally:
        with _lock:
            _at_work.discard(connection_id)


def deliver_due(now: datetime | None = None) -> int:
    """Deliver everything that is due here and now, one connection after the other. Gives how many were taken up."""
    return sum(deliver_connection(one) for one in _due_connections(now or clock()))


def deliver(ids: Sequence[int], session: Session | None = None, by: Actor = APP) -> int:
    """Deliver these now, whenever they are due; gives how many were taken up."""
    rows = db.session.execute(select(Delivery.connection_id, Delivery.id).where(Delivery.id.in_(ids))).all()
    db.session.commit()
    by_connection: dict[int, list[int]] = {}
    for row in rows:
        by_connection.setdefault(row.connection_id, []).append(row.id)
    return sum(
        deliver_connection(connection_id, chosen, session=session, by=by)
        for connection_id, chosen in by_connection.items()
    )


def deliver_connection(
    connection_id: int, ids: Collection[int] | None = None, *, session: Session | None = None, by: Actor = APP,
    clock: Callable[[], datetime] = clock,
) -> int:  # fmt: skip
    """Everything that is due over this connection (or these), batch by batch. Gives how many were taken up.

    What concerns the whole account ends it: what was not reached then waits as long as the account must.
    """
    _read_back_first(connection_id, clock())
    trip = _trip(connection_id, session, by, clock, urgent=ids is not None)
    if trip is None:
        return 0
    done, later = 0, ask_for_many(connection_id, ids, by=by, now=clock())
    try:
        for courier in COURIERS:
            done += _carry_all(courier, trip, ids, later)
    except Stopped:
        log.info("deliveries to connection %s were handed back", connection_id)
    except NeedsReconnect as error:
        note_lost(connection_id, error.message, by if by.user_id else SYSTEM)
        db.session.commit()
    except AdapterError as error:
        log.info("deliveries to connection %s wait: %s", connection_id, error.message)
        _postpone(connection_id, error.retry_at or clock() + OUTAGE_WAIT, error.message)
    return done


def _read_back_first(connection_id: int, now: datetime) -> None:
    """Before anything goes out: has the ledger not been read for long, this portal was down or comes from a backup.

    What bears our signs there and is not known here is then taken up instead of being sent again (fault row 10).
    """
    connection = db.session.get(Connection, connection_id)
    is_due = False
    if connection is not None and connection.is_usable and connection.ways.ledger is not None:
        read_at = ledgers.settings_of(connection).invoices_read_at
        usual = integrations.ledger_for(connection).ledger.poll_every
        is_due = read_at is not None and now - read_at > usual + LONG_UNREAD
    db.session.commit()
    if is_due:
        look(connection_id)


def _carry_all(courier: type[Courier], trip: Trip, ids: Collection[int] | None, later: set[int]) -> int:
    """All but those for `later`."""
    batch = _batch_of(courier, trip.adapter)
    size = max(1, AT_ONCE // batch) * batch
    done, met = 0, set(later)
    while not queue.stopping.is_set():
        chunk = _next(courier.kind, trip, ids, size, met)
        if not chunk:
            break
        met |= set(chunk)
        done += courier.go(trip, chunk)
    return done


def _next(kind: str, trip: Trip, ids: Collection[int] | None, size: int, met: set[int]) -> list[int]:
    if ids is None:
        found = deliveries.due(trip.clock(), trip.connection_id, kind, size)
    else:
        found = [one for one in deliveries.of_kind(ids, kind) if one not in met][:size]
    db.session.commit()
    return [one for one in found if one not in met]


def _batch_of(courier: type[Courier], adapter: Ledger) -> int:
    return adapter.ledger.invoice_batch if courier is Invoices else adapter.ledger.payment_batch


def _trip(
    connection_id: int, session: Session | None, by: Actor, clock: Callable[[], datetime], *, urgent: bool
) -> Trip | None:
    """None when the connection has no access, or is none that holds invoices."""
    connection = db.session.get(Connection, connection_id)
    if connection is None or not connection.is_usable or connection.ways.ledger is None:
        db.session.commit()
        return None
    adapter, leash = integrations.ledger_for(connection), Leash()
    if session is None:
        session = integrations.open_session(connection, urgent=urgent, should_stop=leash.must_stop)
    app = connections.label(connection)
    db.session.commit()
    return Trip(connection_id, app, adapter, session, by, clock, leash, integrations.public_url())


def _due_connections(now: datetime) -> list[int]:
    take_over(now)
    deliveries.wake_linked(now)
    found = deliveries.due_connections(now)
    db.session.commit()
    return found


def _postpone(connection_id: int, until: datetime, why: str) -> None:
    """What waits for this account waits as long as the account must. Commits."""
    now = clock()
    db.session.execute(
        update(Delivery)
        .where(
            Delivery.connection_id == connection_id, Delivery.kind != deliveries.JOB,
            Delivery.state.in_(deliveries.OPEN), Delivery.next_at < until,
            or_(Delivery.lease_until.is_(None), Delivery.lease_until < now),
        )
        .values(next_at=until, reason=why[:500])
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    db.session.commit()
