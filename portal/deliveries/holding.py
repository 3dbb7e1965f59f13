"""Deliveries in hand: taking them by lease, keeping the lease, giving them back.

A lease is on each row, never on a connection. Whoever hangs longer than its lease writes nothing any more: every write
names the lease, and no call goes out once it is over (fault row 33).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import case, or_, select, update

from jobs import queue
from portal.adapters.base import AdapterError, NeedsReconnect, Stopped
from portal.db import db
from portal.domain import deliveries, workers
from portal.domain.activity import Actor
from portal.domain.claims import ME
from portal.domain.deliveries import Delivery, DeliveryState

LEASE = timedelta(minutes=5)  # longer than any one vendor call may take
MARGIN = 90.0  # seconds of it that must be left when a call begins
OUTAGE_WAIT = timedelta(minutes=1)
UNEXPECTED_WAIT = timedelta(minutes=2)
UNEXPECTED = "Counterpart met something unexpected; it tries again by itself."


@dataclass
class Hold:
    """One worker's lease on some deliveries. `ids` shrinks as they are done with."""

    token: str
    ids: set[int] = field(default_factory=set)
    _taken_at: float = field(default_factory=lambda: time.monotonic())

    def renewed(self) -> None:
        """The lease has just been written anew."""
        self._taken_at = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether a call that begins now might outlive the lease, by this process's own stopwatch."""
        return time.monotonic() - self._taken_at > LEASE.total_seconds() - MARGIN


@dataclass
class Leash:
    """What a session asks before every call: whether the process goes down, the lease at work runs out, or others may
    take this process for dead."""

    hold: Hold | None = None

    def must_stop(self) -> bool:
        if queue.stopping.is_set():
            return True
        return self.hold is not None and (self.hold.is_over or workers.is_doubtful())


def take(ids: Sequence[int], now: datetime, *, app: str, by: Actor) -> Hold:
    """Take these in hand; those somebody else has, or that are not to be sent, are left away. Commits.

    What is found in dead hands as sending may have arrived: its state becomes unknown.
    """
    hold = Hold(f"{ME}/deliver/{ids[0]}/{time.monotonic_ns()}")
    dead = set(
        db.session.scalars(select(Delivery.id).where(Delivery.id.in_(ids), Delivery.state == DeliveryState.SENDING))
    )
    was_sending = Delivery.state == DeliveryState.SENDING
    taken = db.session.execute(
        update(Delivery)
        .where(
            Delivery.id.in_(ids), Delivery.state.in_(deliveries.OPEN),
            or_(Delivery.lease_until.is_(None), Delivery.lease_until < now),
        )
        .values(
            lease_by=hold.token, lease_until=now + LEASE,
            state=case((was_sending, DeliveryState.UNKNOWN), else_=Delivery.state),
            looked=case((was_sending, 0), else_=Delivery.looked),
            reason=case((was_sending, deliveries.NO_ANSWER), else_=Delivery.reason),
        )
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    ).scalars()  # fmt: skip
    hold.ids |= set(taken)
    if dead & hold.ids:
        rows = rows_of(hold, dead & hold.ids)
        what = deliveries.carried(rows.values())
        for row in rows.values():
            deliveries.was_being_sent(row, what[row.id], app=app, by=by, now=now)
    db.session.commit()
    return hold


def rows_of(hold: Hold, ids: Collection[int]) -> dict[int, Delivery]:
    """These rows as far as they are still ours, locked until the transaction ends."""
    query = (
        select(Delivery)
        .where(Delivery.id.in_(ids), Delivery.lease_by == hold.token)
        .order_by(Delivery.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {one.id: one for one in db.session.scalars(query)}


def renew(hold: Hold, now: datetime) -> None:
    """Keep them for another while. Commits."""
    db.session.execute(
        update(Delivery)
        .where(Delivery.id.in_(hold.ids), Delivery.lease_by == hold.token)
        .values(lease_until=now + LEASE)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
    hold.renewed()


def give_back(
    hold: Hold, ids: Iterable[int] | None = None, *, until: datetime | None = None, why: str | None = None
) -> None:
    """As they were, to be tried again at `until` (None: when they were due). Commits.

    What was marked as sending, and certainly has not gone, waits again.
    """
    given = hold.ids if ids is None else set(ids)
    values: dict[str, object] = {"lease_by": None, "lease_until": None}
    if until is not None:
        values["next_at"] = until
    if why is not None:
        values["reason"] = why[:500]
    if given:
        db.session.execute(
            update(Delivery)
            .where(Delivery.id.in_(given), Delivery.lease_by == hold.token)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()
    hold.ids -= given


@contextmanager
def in_hand(hold: Hold, clock: Callable[[], datetime]) -> Iterator[None]:
    """Nothing stays in our hand when the work breaks off; what was being sent at that moment is looked for later."""
    try:
        yield
    except (Stopped, NeedsReconnect):
        db.session.rollback()
        give_back(hold)
        raise
    except AdapterError as error:
        db.session.rollback()
        give_back(hold, until=error.retry_at or clock() + OUTAGE_WAIT, why=error.message)
        raise
    except Exception:  # raised on: whoever called logs it
        db.session.rollback()
        give_back(hold, until=clock() + UNEXPECTED_WAIT, why=UNEXPECTED)
        raise
    except BaseException:  # a Ctrl-C: a lease nobody holds would keep everybody else waiting
        db.session.rollback()
        give_back(hold)
        raise
