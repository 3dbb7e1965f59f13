"""Doing a run from start to end: take it, read, match, plan, check, apply, send, finish.

Every step commits as it goes; the cursor is written last, together with the run's end, so a run killed anywhere is
simply done again from the old cursor, finding most of it already agreed.
"""

from __future__ import annotations

import logging

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, waiting
from portal.domain.activity import Verb
from portal.domain.apps import (
    ClientLink,
    Connection,
    Finding,
    LinkState,
    Outcome,
    PushState,
    RunKind,
    RunState,
    SyncRun,
)
from portal.domain.records import client_from_json
from portal.domain.runs import summary
from portal.sync import checking, runs
from portal.sync.applying import Applier
from portal.sync.applying_preview import apply_preview
from portal.sync.breaking_off import broke_off
from portal.sync.job import Job, note_sent, prepare
from portal.sync.matchbook import build_index
from portal.sync.previewing import Previewer
from portal.sync.reading import Known, Reading, known_links, read, read_reference
from portal.sync.runs import LeaseLost, Watch, clock
from portal.sync.sending import send

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
    if job.kind != RunKind.APPLY:
        read_reference(job.adapter, job.session, job.connection_id, job.started)
    known = known_links(job.connection_id)
    db.session.commit()
    reading = read(job.adapter, job.session, job.since, known, watch)
    try:
        if job.kind == RunKind.APPLY:
            apply_preview(job, known, reading)
        else:
            _sync(job, known, reading)
    finally:
        reading.close()


def _sync(job: Job, known: dict[str, Known], reading: Reading) -> None:
    watch = job.watch
    missing = checking.missing(known, reading) if job.since is None else []
    watch.phase("matching", reading.kept)
    context = job.context()
    index = build_index(job.connection_id, context.app, known, reading.loose_names, reading.seen)
    danger = checking.danger(known, reading, missing)
    db.session.commit()
    if job.kind == RunKind.PREVIEW:
        _preview(Previewer(job.run_id, context, index, watch), reading, missing)
        job.note = f"Run as a whole, this plan would be held: {danger.sentence(context.app)}." if danger.is_held else ""
        return
    if danger.is_held and not job.force:
        raise checking.Dangerous(danger.sentence(context.app))
    applier = Applier(job.run_id, context, index, watch)
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
    _match_again(job, applier, reading)
    applier.finish()
    if job.is_full:
        _close_gone_findings(job, reading)
    if not job.is_first:  # the first import is one way (XPM-1)
        _send_waiting(job)


def _preview(previewer: Previewer, reading: Reading, missing: list[str]) -> None:
    watch = previewer.watch
    watch.phase("planning", reading.kept + len(missing))
    for record in reading.records():
        previewer.look_at(record)
    for remote_id in missing:
        previewer.vanish(remote_id)
    previewer.waiting_to_be_sent()
    previewer.flush()


def _match_again(job: Job, applier: Applier, reading: Reading) -> None:
    """Records that waited for a person may match now: somebody here was renamed, or the pair was told apart."""
    waiting = list(
        db.session.scalars(
            select(Finding).where(Finding.connection_id == job.connection_id, Finding.state.in_(("open", "apart")))
        )
    )
    records = [
        client_from_json(one.record)
        for one in waiting
        if one.remote_id not in reading.seen and one.remote_id not in applier.index.linked
    ]
    db.session.commit()
    for record in records:
        applier.apply(record)
        job.watch.step(0)


def _close_gone_findings(job: Job, reading: Reading) -> None:
    """A full list without the record, or with it archived, ends what was open about it."""
    open_ones = db.session.scalars(
        select(Finding).where(Finding.connection_id == job.connection_id, Finding.state == "open")
    )
    for one in open_ones:
        if one.remote_id not in reading.seen:
            waiting.close_for(job.connection_id, one.remote_id, "gone", job.started)
    db.session.commit()


def _send_waiting(job: Job) -> None:
    waiting = list(
        db.session.scalars(
            select(ClientLink.id)
            .where(
                ClientLink.connection_id == job.connection_id,
                ClientLink.push_state.in_((PushState.READY, PushState.SENDING)),
                ClientLink.state == LinkState.LINKED,
            )
            .order_by(ClientLink.id)
        )
    )
    job.watch.phase("sending", len(waiting))
    for link_id in waiting:
        outcome = send(link_id, job.session, job.by)
        if outcome is not None and outcome != Outcome.UNCHANGED:
            note_sent(job, link_id, outcome)
        job.watch.step()


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
