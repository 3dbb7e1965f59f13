"""The nightly sync (XPM-10): once for every local date of the firm, for every app that is not synced by the hour."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from portal.db import db
from portal.domain import claims, connections
from portal.domain.activity import Actor, Origin
from portal.domain.apps import Connection, ConnectionState, RunKind, RunTrigger
from portal.domain.nights import local_date
from portal.domain.people import Firm
from portal.sync.runs import request_run, start

THE_NIGHT = Actor("Nightly sync", Origin.SCHEDULE)


def run(now: datetime) -> list[int]:
    """Claim the local date for each connection that has not had it yet. Gives the ids of the runs started.

    A portal that was down at midnight does it when it is back, once, not once per missed night (JB-02).
    """
    firm = db.session.scalar(select(Firm))
    if firm is None:
        return []
    today = local_date(now, firm.time_zone)
    started = []
    for connection in db.session.scalars(
        select(Connection).where(Connection.state == ConnectionState.CONNECTED).order_by(Connection.id)
    ).all():
        if not _is_due(connection, today.isoformat(), firm.time_zone):
            continue
        if claims.claim(f"nightly-sync:{connection.id}", today.isoformat(), now) is None:
            db.session.rollback()
            continue
        made, joined = request_run(
            connection, kind=RunKind.SYNC, trigger=RunTrigger.NIGHT, by=THE_NIGHT, now=now,
            local_date=today.isoformat(),
        )  # fmt: skip
        db.session.commit()  # the claim and the run stand together or not at all
        if not joined:
            started.append(made.id)
    db.session.commit()
    for run_id in started:
        start(run_id)
    return started


def _is_due(connection: Connection, today: str, zone: str) -> bool:
    """The first night is the one after the day the connection was enabled, and a paused connection has none."""
    if connection.enabled_at is None or connection.ways.sync_every is not None:
        return False  # one that is synced by the hour needs no night of its own
    if not connections.runs_at_night(connection):
        return False
    return local_date(connection.enabled_at, zone).isoformat() < today
