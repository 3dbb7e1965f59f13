"""A run as a row with a life: asked for, taken by one worker, watched, ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from jobs import queue
from portal import integrations
from portal.adapters.http import Wait
from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection, IllegalMove, Outcome, RunKind, RunState, RunTrigger, SyncRun
from portal.domain.claims import ME

PROGRESS_EVERY = 0.25  # seconds; writing it on every record costs more than the record
WHAT = {RunKind.SYNC: "sync", RunKind.PREVIEW: "preview", RunKind.APPLY: "applying of a preview"}
OPEN = (RunState.QUEUED, RunState.RUNNING)


at_work: set[str] = set()  # leases this process is working under; a lease of ours that is not here has lost its worker


class Stopped(Exception):
    """A person pressed Stop."""


class LeaseLost(Exception):
    """Another worker has taken this run over; whatever we still hold is not ours to write."""


class GoingDown(Exception):
    """This process is stopping; the run is handed back."""


def clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def request_run(
    connection: Connection, *, kind: RunKind, trigger: RunTrigger, by: Actor, now: datetime, full: bool = False,
    preview: SyncRun | None = None, force: bool = False, local_date: str | None = None, resumes: SyncRun | None = None,
) -> tuple[SyncRun, bool]:  # fmt: skip
    """A queued run in the caller's transaction, or the open one and True: a second press joins the first (AP-11)."""
    open_one = open_run(connection.id)
    if open_one is not None:
        return open_one, True
    run = SyncRun(
        connection_id=connection.id, kind=kind, trigger=trigger, by_id=by.user_id, by_name=by.name, asked_at=now,
        is_full=full, preview_id=preview.id if preview else None, force=force, local_date=local_date, counts={},
        resumes_id=resumes.id if resumes else None, attempt=resumes.attempt + 1 if resumes else 1,
    )  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.add(run)
    except IntegrityError:  # somebody was quicker by a moment: the unique index on open runs decided
        quicker = open_run(connection.id)
        if quicker is None:
            raise
        return quicker, True
    if resumes is None:
        activity.record(
            Verb.SYNC_ASKED, by=by, now=now, connection_id=connection.id,
            app=integrations.app_info(connection.app).name, what=WHAT[kind],
        )  # fmt: skip
    return run, False


def open_run(connection_id: int) -> SyncRun | None:
    return db.session.scalar(select(SyncRun).where(SyncRun.connection_id == connection_id, SyncRun.state.in_(OPEN)))


def start(run_id: int) -> None:
    """Hand a queued run to the background. Call it after the commit."""
    from portal.sync.working import work  # the worker imports this module

    queue.submit(work, run_id)


def ask_to_stop(run: SyncRun, *, by: Actor, now: datetime) -> bool:
    """Ask the worker to stop after the record in hand. False when the run is over already."""
    if not RunState(run.state).is_open:
        return False
    run.cancel_asked = True
    activity.record(Verb.SYNC_CANCELLED, by=by, now=now, connection_id=run.connection_id, app=run.connection.app)
    if run.state == RunState.QUEUED:
        run.state = RunState.CANCELLED
        run.ended_at = now
    return True


def release(run: SyncRun, *, by: Actor, now: datetime) -> SyncRun:
    """A person has looked at a held run and lets it go on. Raises `IllegalMove` when it is not held."""
    if run.state != RunState.HELD:
        raise IllegalMove("only a held run can be released")
    run.state = RunState.CANCELLED
    activity.record(
        Verb.SYNC_RELEASED, by=by, now=now, connection_id=run.connection_id, app=run.connection.app, reason=run.message
    )
    preview = db.session.get(SyncRun, run.preview_id) if run.preview_id else None
    made, _joined = request_run(
        run.connection, kind=run.kind, trigger=RunTrigger.PERSON, by=by, now=now, full=run.is_full, force=True,
        preview=preview, resumes=run,
    )  # fmt: skip
    return made


def take(run_id: int, now: datetime) -> str | None:
    """Make the queued run ours; the lease's name, or None when somebody else has it."""
    token = f"{ME}/{run_id}/{time.monotonic_ns()}"
    taken = db.session.execute(
        update(SyncRun)
        .where(SyncRun.id == run_id, SyncRun.state == RunState.QUEUED)
        .values(state=RunState.RUNNING, lease_by=token, started_at=now, heartbeat=SyncRun.heartbeat + 1)
    )
    db.session.commit()
    return token if taken.rowcount else None  # type: ignore[attr-defined]  # an UPDATE's result has a rowcount


class Watch:
    """Tells the world how far a run is, and tells the run when to stop. Writes at most four times a second."""

    def __init__(self, run_id: int, token: str, calls: Callable[[], int] = lambda: 0) -> None:
        self.run_id = run_id
        self.token = token
        self.calls = calls
        self.app = "the app"
        self.counts: dict[str, int] = {}
        self._phase, self._done, self._total = "waiting", 0, 0
        self._phase_started = time.monotonic()
        self._written = 0.0
        self._note = ""

    def phase(self, name: str, total: int = 0) -> None:
        """A new part of the run begins. Must not be called inside a transaction."""
        self._phase, self._done, self._total = name, 0, total
        self._phase_started = time.monotonic()
        self.write()

    def step(self, many: int = 1) -> None:
        """So many more are done. Must not be called inside a transaction; raises as `write` does."""
        self._done += many
        if many:
            self._note = ""
        if time.monotonic() - self._written >= PROGRESS_EVERY:
            self.write()

    def count(self, outcome: Outcome, many: int = 1) -> None:
        self.counts[outcome.value] = self.counts.get(outcome.value, 0) + many

    def should_stop(self) -> bool:
        """For a session that is waiting its turn: raises rather than saying True, so that the reason is known."""
        self.write()
        return False

    def waiting(self, wait: Wait) -> None:
        """The vendor's limit makes us wait; the screen says so, and until when."""
        self._note = wait.sentence(self.app)
        self.write()

    def write(self) -> None:
        """Raises `Stopped`, `LeaseLost` or `GoingDown`."""
        now = time.monotonic()
        spent = now - self._phase_started
        row = db.session.execute(
            update(SyncRun)
            .where(SyncRun.id == self.run_id, SyncRun.lease_by == self.token)
            .values(
                phase=self._phase,
                done=self._done,
                total=self._total,
                heartbeat=SyncRun.heartbeat + 1,
                rate=self._done / spent if spent > 0.2 else 0.0,
                calls=self.calls(),
                counts=self.counts,
                message=self._note,
            )
            .returning(SyncRun.cancel_asked)
        ).first()
        db.session.commit()
        self._written = now
        if row is None:
            raise LeaseLost
        if row.cancel_asked:
            raise Stopped
        if queue.stopping.is_set():
            raise GoingDown


def end(run_id: int, token: str, state: RunState, now: datetime, **values: Any) -> bool:
    """Close the run, unless it is no longer ours; in the caller's transaction."""
    ended = db.session.execute(
        update(SyncRun)
        .where(SyncRun.id == run_id, SyncRun.lease_by == token)
        .values(state=state, ended_at=now, lease_by=None, **values)
    )
    return bool(ended.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has a rowcount
