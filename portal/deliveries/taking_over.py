"""After a crash: the leases of a process that is gone end at once, so that the next one goes on.

What a process held that has ended for certain is free. Of one that was only not heard of nobody knows what it still
does: what it was sending is looked for, and may be sent anew only after the moment its lease would have ended anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import case, select, update

from portal.db import db, reading
from portal.domain import deliveries, workers
from portal.domain.apps import OutgoingClient, OutgoingState
from portal.domain.deliveries import Delivery, DeliveryState
from portal.sync.outbox import UNSURE_WAIT

log = logging.getLogger(__name__)

A_MOMENT = timedelta(microseconds=1)


def take_over(now: datetime) -> int:
    """Free what the dead had in hand; gives how many deliveries that were. Commits; call it every few seconds."""
    with reading():  # as a rule there is nothing to do, and nobody has to wait for it
        held, creating = _held(now)
        gone = workers.gone(held | creating)
        db.session.commit()
    if not gone.ended and not gone.silent:
        return 0
    freed = _free(gone.ended & held, now) + _free(gone.silent & held, now, certain=False)
    _free_creations(gone.ended & creating, now)
    db.session.commit()
    if freed:
        log.warning("%s deliveries were in the hands of a process that is gone; they go on", freed)
    return freed


def _held(now: datetime) -> tuple[set[str], set[str]]:
    """Leases on deliveries, and on clients that are being created there."""
    delivering = (
        select(Delivery.lease_by)
        .where(Delivery.state.in_(deliveries.OPEN), Delivery.lease_by.is_not(None), Delivery.lease_until >= now)
        .distinct()
    )
    creating = (
        select(OutgoingClient.lease_by)
        .where(OutgoingClient.state == OutgoingState.SENDING, OutgoingClient.lease_until >= now)
        .distinct()
    )
    return {one for one in db.session.scalars(delivering) if one}, {one for one in db.session.scalars(creating) if one}


def _free(holders: Collection[str], now: datetime, *, certain: bool = True) -> int:
    """`certain` False: whoever held them may come back, and may be in the middle of a call until its lease is over."""
    if not holders:
        return 0
    values: dict[str, object] = {"lease_until": now - A_MOMENT}
    if not certain:
        sending = Delivery.state == DeliveryState.SENDING
        values["sent_at"] = case((sending, Delivery.lease_until), else_=Delivery.sent_at)
    freed = db.session.execute(
        update(Delivery)
        .where(Delivery.lease_by.in_(holders), Delivery.lease_until >= now)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return int(freed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has a rowcount


def _free_creations(holders: Collection[str], now: datetime) -> None:
    """Clients that were being created there: looked for when a look-up can be trusted to show them (fault row 16)."""
    if holders:
        db.session.execute(
            update(OutgoingClient)
            .where(OutgoingClient.lease_by.in_(holders), OutgoingClient.lease_until >= now)
            .values(lease_until=now - A_MOMENT, next_at=now + UNSURE_WAIT)
            .execution_options(synchronize_session=False)
        )
