"""Doing a run from start to end: take it, read, match, plan, check, apply, send, finish.

Every step commits as it goes; the cursor is written last, together with the run's end, so a run killed anywhere is
simply done again from the old cursor, finding most of it already agreed.
"""

from __future__ import annotations

import logging

from portal.db import db
from portal.domain import activity, unlinked
from portal.domain.activity import Verb
from portal.domain.apps import (
    Connection,
    RunKind,
    RunState,
    SyncRun,
)
from portal.domain.runs import summary
from portal.sync import checking, outbox, runs
from portal.sync.applying import Applier
from portal.sync.applying_preview import apply_preview
from portal.sync.breaking_off import broke_off
from portal.sync.creating_batches import create_all
from portal.sync.job import Job, prepare
from portal.sync.matchbook import build_index
from portal.sync.passing_on import pass_on
from portal.sync.previewing import Previewer
from portal.sync.reading import Known, Reading, known_links, read, read_reference
from portal.sync.runs import LeaseLost, Watch, clock
from portal.sync.sending_batches import send_all
from portal.sync.unlinked_records import Unlinked

log = logging.getLogger(__name__)


def work(run_id: int) -> RunState:
    """Do a queued run here and now; gives the state it ended in, or its present one when it was not ours to do."""
    token = runs.take(run_id, clock())
    if token is None:
        return RunState(db.session.get_one(SyncRun, run_id).state)
    runs.at_work.add(token)
    try:
        return _work(run_id, token)
    finally:
        runs.at_work.discard(token)


def _work(run_id: int, token: str) -> RunState:
    watch = Watch(run_id, token)
    try:
        job = prepare(run_id, watch)
        watch.calls = lambda: job.session.calls_made
        _do(job)
        return _ended(job, token)
    except LeaseLost:
        db.session.rollback()
        log.warning("run %s was taken over by another worker; this one lets go", run_id)
        return RunState(db.session.get_one(SyncRun, run_id).state)
    except Exception as error:  # noqa: BLE001  # whatever it was, the run's row has to say it
        db.session.rollback()
        return broke_off(run_id, token, watch, error)


def _do(job: Job) -> None:
    watch = job.watch
    watch.phase("reading")
    if job.kind != RunKind.APPLY and job.reads_reference:
        read_reference(job.adapter, job.session, job.connection_id, job.started)
    if job.kind != RunKind.PREVIEW:
        unlinked.adopt_findings(job.connection_id, job.started)
    known, loose = known_links(job.connection_id), Unlinked(job.connection_id, job.started)
    db.session.commit()
    reading = read(job.adapter, job.session, job.since, known, loose.rows, watch)
    try:
        if job.kind == RunKind.APPLY:
            apply_preview(job, known, loose, reading)
        else:
            _sync(job, known, loose, reading)
    finally:
        reading.close()
    if job.kind != RunKind.PREVIEW:
        pass_on(job.run_id, job.connection_id, clock())


def _sync(job: Job, known: dict[str, Known], loose: Unlinked, reading: Reading) -> None:
    watch = job.watch
    missing = checking.missing(known, reading)
    loose.leave_away(reading, known, job.info.lists_everything)
    watch.phase("matching", reading.kept)
    context = job.context()
    index = build_index(job.connection_id, context.app, known, loose.rows, reading.loose_names, reading.seen)
    danger = checking.danger(known, reading, missing, means_gone=job.info.lists_everything)
    db.session.commit()
    if not job.info.lists_everything:
        missing = []  # to be absent from its list says nothing about a record
    if job.kind == RunKind.PREVIEW:
        _preview(Previewer(job.run_id, context, index, watch), reading, loose, missing)
        job.note = f"Run as a whole, this plan would be held: {danger.sentence(context.app)}." if danger.is_held else ""
        return
    if danger.is_held and not job.force:
        raise checking.Dangerous(danger.sentence(context.app))
    applier = Applier(job.run_id, context, index, watch, loose, in_batches=True)
    loose.forget_gone()
    watch.phase("applying", reading.kept + len(missing) + len(reading.quarantined))
    for record in reading.records():
        applier.apply(record)
        watch.step()
    for remote_id in missing:
        applier.vanish(remote_id)
        watch.step()
    for item in reading.quarantined:
        applier.quarantine(item)
        watch.step()
    loose.match_again(applier, reading)
    applier.finish()
    if not job.is_first:  # the first import is one way (XPM-1)
        _send_waiting(job)


def _preview(previewer: Previewer, reading: Reading, loose: Unlinked, missing: list[str]) -> None:
    watch = previewer.watch
    watch.phase("planning", reading.kept + len(missing))
    for record in reading.records():
        previewer.look_at(record)
    for remote_id in missing:
        previewer.vanish(remote_id)
    previewer.waiting_to_be_chosen(loose, reading.seen)
    previewer.waiting_to_be_sent()
    previewer.waiting_to_be_created()
    previewer.flush()


def _send_waiting(job: Job) -> None:
    """What waits for this app: changes to its records, then clients it does not have yet."""
    waiting = outbox.waiting(job.connection_id)
    db.session.commit()
    send_all(job, waiting)
    create_all(job)


def _ended(job: Job, token: str) -> RunState:
    """Close the run and move the connection on, in one transaction. Raises `LeaseLost` when it is no longer ours."""
    now = clock()
    job.watch.phase("ending")
    connection = db.session.get_one(Connection, job.connection_id)
    read_up_to = job.session.by_vendor_clock(job.started)  # the vendor's stamps are by its own clock
    if job.kind == RunKind.SYNC:
        connection.cursor = read_up_to
        if job.since is None:
            connection.last_full_at = job.started
    if job.kind != RunKind.PREVIEW:
        connection.last_synced_at = now
        connection.imported_at = connection.imported_at or now
        run = db.session.get_one(SyncRun, job.run_id)
        activity.record(
            Verb.SYNC_ENDED, by=job.by, now=now, connection_id=connection.id, app=job.info.name, summary=summary(run)
        )
    ended = runs.end(
        job.run_id, token, RunState.DONE, now, counts=job.watch.counts, calls=job.session.calls_made, phase="done",
        message=" ".join(part for part in (job.note, _not_granted(job)) if part), cursor_after=read_up_to,
    )  # fmt: skip
    if not ended:
        raise LeaseLost
    db.session.commit()
    return RunState.DONE


def _not_granted(job: Job) -> str:
    """What the vendor would not let us read, while the rest went on; empty when it was nothing."""
    missing = sorted(job.session.not_granted)
    return f"{job.info.short_name} did not let us read {' and '.join(missing)}." if missing else ""
