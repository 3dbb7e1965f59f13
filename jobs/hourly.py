"""Apps that are synced by the hour: once in every slot of theirs, in whichever process comes first."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from portal.db import db
from portal.domain import claims, connections
from portal.domain.activity import Actor, Origin
from portal.domain.apps import Connection, ConnectionState, RunKind, RunTrigger
from portal.domain.nights import slot_start
from portal.sync.runs import request_run, start

THE_HOUR = Actor("Hourly sync", Origin.SCHEDULE)


def run(now: datetime) -> list[int]:
    """Claim the present slot for each connection that has not had it yet. Gives the ids of the runs started.

    A slot that went by while nothing ran is gone: the next one reads what changed since, whenever that was.
    """
    started = []
    usable = select(Connection).where(Connection.state == ConnectionState.CONNECTED).order_by(Connection.id)
    for connection in db.session.scalars(usable).all():
        every = connection.ways.sync_every
        if every is None or not _is_due(connection, now, every):
            continue
        slot = slot_start(now, every)
        if claims.claim(f"hourly-sync:{connection.id}", slot.isoformat(), now) is None:
            db.session.rollback()
            continue
        made, joined = request_run(connection, kind=RunKind.SYNC, trigger=RunTrigger.HOUR, by=THE_HOUR, now=now)
        db.session.commit()  # the claim and the run stand together or not at all
        if not joined:
            started.append(made.id)
    db.session.commit()
    for run_id in started:
        start(run_id)
    return started


def _is_due(connection: Connection, now: datetime, every: timedelta) -> bool:
    """The first slot is the one after that in which the connection was enabled; a paused connection has none."""
    if connection.enabled_at is None or not connections.runs_at_night(connection):
        return False
    return connection.enabled_at < slot_start(now, every)
