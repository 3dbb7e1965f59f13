"""After a crash: runs whose worker is gone are closed and go on in a new run; partial ones resume in time.

Whether a worker is gone is not read off a clock, which may jump: its process is looked up when it ran on this machine,
and otherwise its heartbeat must have stood still for a while as this process's own stopwatch measures it.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from sqlalchemy import select, update

from portal import integrations
from portal.db import db
from portal.domain import activity
from portal.domain.activity import SYSTEM, Actor, Origin, Verb
from portal.domain.apps import Connection, ConnectionState, RunState, RunTrigger, SyncRun
from portal.domain.claims import ME, same_process_lives
from portal.sync.runs import OPEN, at_work, request_run, start

SILENCE = 90.0  # seconds without a heartbeat before a worker nobody can ask is held for gone; longest single wait is 65
LONG = timedelta(hours=1)  # XPM-11

_heard: dict[int, tuple[int, float]] = {}  # run id -> (heartbeat, when this process first saw it)


def recover(now: datetime) -> list[int]:
    """Put right what dead workers left. Gives the ids of runs started."""
    started = []
    for run in db.session.scalars(select(SyncRun).where(SyncRun.state == RunState.RUNNING)).all():
        if _is_gone(run):
            started += _resume(run, now, "Its process ended; the next run goes on from there.")
    resumable = select(SyncRun).where(
        SyncRun.state.in_((RunState.PARTIAL, RunState.INTERRUPTED)), SyncRun.resume_at <= now
    )
    for run in db.session.scalars(resumable).all():
        started += _resume(run, now, run.message)
    for run_id in _left_in_the_queue(now):
        started.append(run_id)
    for run_id in started:
        start(run_id)
    return started


def _is_gone(run: SyncRun) -> bool:
    if run.lease_by and run.lease_by.startswith(f"{ME}/"):
        return run.lease_by not in at_work
    alive = same_process_lives(run.lease_by.split("/")[0] if run.lease_by else None)
    if alive is not None:
        return not alive
    heartbeat, since = _heard.get(run.id, (-1, 0.0))
    if heartbeat != run.heartbeat:
        _heard[run.id] = (run.heartbeat, time.monotonic())
        return False
    return time.monotonic() - since > SILENCE


def _resume(run: SyncRun, now: datetime, message: str) -> list[int]:
    """Close this run for good and queue its successor, in one transaction; nothing when another process was quicker."""
    closed = db.session.execute(
        update(SyncRun)
        .where(SyncRun.id == run.id, SyncRun.state == run.state, SyncRun.heartbeat == run.heartbeat)
        .values(
            state=RunState.INTERRUPTED if run.state == RunState.RUNNING else run.state,
            resume_at=None,
            lease_by=None,
            ended_at=run.ended_at or now,
            message=message,
        )
    )
    if not closed.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result has a rowcount
        db.session.rollback()
        return []
    made_id = None
    if run.connection.state == ConnectionState.CONNECTED:
        preview = db.session.get(SyncRun, run.preview_id) if run.preview_id else None
        made, joined = request_run(
            run.connection, kind=run.kind, trigger=RunTrigger.RESUME, by=Actor(run.by_name, Origin.SYSTEM, run.by_id),
            now=now, full=run.is_full, preview=preview, force=run.force, local_date=run.local_date, resumes=run,
        )  # fmt: skip
        db.session.flush()
        made_id = None if joined else made.id
    db.session.commit()
    return [made_id] if made_id else []


def _left_in_the_queue(now: datetime) -> list[int]:
    """Queued runs nobody has started: their nudge was lost with its process."""
    patience = now - timedelta(seconds=20)
    ids = db.session.scalars(select(SyncRun.id).where(SyncRun.state == RunState.QUEUED, SyncRun.asked_at <= patience))
    return list(ids)


def alert_long_runs(now: datetime) -> int:
    """A run past the hour is told once to those who can act (XPM-11, AP-15). Gives how many."""
    overdue = db.session.scalars(
        select(SyncRun).where(SyncRun.state.in_(OPEN), SyncRun.alerted_at.is_(None), SyncRun.started_at <= now - LONG)
    ).all()
    for run in overdue:
        run.alerted_at = now
        connection = db.session.get_one(Connection, run.connection_id)
        activity.record(
            Verb.SYNC_LONG, by=SYSTEM, now=now, connection_id=connection.id,
            app=integrations.app_info(connection.app).name,
        )  # fmt: skip
    db.session.commit()
    return len(overdue)
