"""A run that did not get to its end: stopped, handed back, held, to be continued, or failed."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError

from jobs import queue
from portal import integrations
from portal.adapters.base import AdapterError, NeedsReconnect, RateLimited, Unavailable
from portal.db import db
from portal.domain import activity, connections
from portal.domain.activity import Actor, Origin, Verb
from portal.domain.apps import RunState, SyncRun
from portal.sync import runs
from portal.sync.checking import Dangerous
from portal.sync.runs import GoingDown, Stopped, Watch, clock

log = logging.getLogger(__name__)

RETRY_FIRST = timedelta(minutes=2)
RETRY_LONGEST = timedelta(hours=1)
RETRIES = 12  # of a run that keeps meeting an outage; then a person is told


def broke_off(run_id: int, token: str, watch: Watch, error: Exception) -> RunState:
    """Decide what an unfinished run is: stopped, handed back, held, to be continued, or failed."""
    now = clock()
    run = db.session.get_one(SyncRun, run_id)
    state, message, resume_at = _judge(run, error, now)
    if state == RunState.HELD:
        activity.record(
            Verb.SYNC_HELD, by=Actor(run.by_name, Origin.APP, run.by_id, run_id), now=now,
            connection_id=run.connection_id, app=integrations.app_info(run.connection.app).name, reason=message,
        )  # fmt: skip
    if isinstance(error, NeedsReconnect):
        note_lost(run.connection_id, error.message, Actor(run.by_name, Origin.APP, run.by_id, run_id))
    runs.end(run_id, token, state, now, message=message, resume_at=resume_at, counts=watch.counts, calls=watch.calls())
    db.session.commit()
    return state


def note_lost(connection_id: int, reason: str, by: Actor) -> None:
    """The vendor no longer lets us in: the connection waits for a person, in the caller's transaction."""
    connection = connections.get(connection_id, lock=True)
    if connection is not None:
        connections.lost(connection, reason, app=integrations.app_info(connection.app).name, by=by, now=clock())


def _judge(run: SyncRun, error: Exception, now: datetime) -> tuple[RunState, str, datetime | None]:
    if isinstance(error, Stopped):
        return RunState.CANCELLED, "Stopped; what was done until then stays.", None
    if isinstance(error, GoingDown) or queue.stopping.is_set():
        return RunState.INTERRUPTED, "Counterpart was stopped; the sync goes on when it is back.", now
    if isinstance(error, Dangerous):
        return RunState.HELD, str(error), None
    if isinstance(error, RateLimited):
        return RunState.PARTIAL, f"{error.message} It goes on by itself.", error.retry_at
    if isinstance(error, Unavailable) and run.attempt < RETRIES:
        wait = min(RETRY_FIRST * 2 ** (run.attempt - 1), RETRY_LONGEST)
        return RunState.PARTIAL, f"{error.message} It tries again by itself.", max(now + wait, error.retry_at or now)
    if isinstance(error, DBAPIError) and run.attempt < RETRIES:
        log.warning("run %s: the database failed", run.id, exc_info=error)
        message = "The database could not be used for a while; what was done until then stays. It goes on by itself."
        return RunState.PARTIAL, message, now + RETRY_FIRST
    if isinstance(error, AdapterError):
        said = f" The app says: {error.vendor_text[:300]}" if error.vendor_text else ""
        return RunState.FAILED, error.message + said, None
    reference = uuid.uuid4().hex[:8]
    log.exception("run %s failed, reference %s", run.id, reference)
    return RunState.FAILED, f"Counterpart met something unexpected. The log has it under {reference}.", None
