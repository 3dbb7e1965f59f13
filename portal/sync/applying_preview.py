"""Applying a preview: exactly the ticked rows. What moved since it was made is held back and said so."""

from __future__ import annotations

from sqlalchemy import select

from portal.db import db
from portal.domain import findings
from portal.domain.apps import ClientLink, Outcome, PushState, RunItem
from portal.domain.clients import Client
from portal.domain.records import RecordState, client_from_json
from portal.sync.applying import Applier
from portal.sync.job import Job, note_sent
from portal.sync.matchbook import build_index
from portal.sync.reading import Known, Reading
from portal.sync.sending import send


def apply_preview(job: Job, known: dict[str, Known], reading: Reading) -> None:
    """`reading` is what changed there since the preview was made."""
    changed = {record.remote_id: record.digest() for record in reading.records()}
    context = job.context()
    loose = reading.loose_names
    rows = db.session.execute(
        select(RunItem.id, RunItem.remote_id, RunItem.name, RunItem.outcome).where(RunItem.run_id == job.preview_id)
    ).all()
    for row in rows:
        if row.remote_id not in known and row.remote_id not in reading.seen:
            loose[row.name] += 1
    index = build_index(job.connection_id, context.app, known, loose, reading.seen | {row.remote_id for row in rows})
    db.session.commit()
    applier = Applier(job.run_id, context, index, job.watch)
    job.watch.phase("applying", len(rows))
    to_send: list[int] = []
    for row in rows:
        _apply_row(job, applier, row.id, changed, to_send)
        job.watch.step()
    for link_id in to_send:
        outcome = send(link_id, job.session, job.by)
        if outcome is not None and outcome != Outcome.UNCHANGED:
            note_sent(job, link_id, outcome)


def _apply_row(job: Job, applier: Applier, item_id: int, changed: dict[str, str], to_send: list[int]) -> None:
    item = db.session.get_one(RunItem, item_id)
    if item.applied or item.record is None:
        db.session.commit()
        return
    record = client_from_json(item.record)
    if not item.is_included:
        item.applied = "left out"
        if item.outcome == Outcome.CREATED:
            findings.leave_out(job.connection_id, record, by=job.by, now=job.started)
        db.session.commit()
        return
    moved = _moved(item, record.digest(), changed)
    if moved:
        item.applied = f"held back: {moved}"
        db.session.add(
            RunItem(
                run_id=job.run_id,
                outcome=Outcome.HELD_BACK,
                client_id=item.client_id,
                remote_id=item.remote_id,
                name=item.name,
                reason=moved,
            )  # fmt: skip
        )
        db.session.commit()
        job.watch.count(Outcome.HELD_BACK)
        return
    left_out, vanished = set(item.left_out), item.outcome == Outcome.BROKEN and record.state == RecordState.ACTIVE
    db.session.commit()
    if vanished:
        applier.vanish(record.remote_id)
        outcome: Outcome | None = Outcome.BROKEN
    else:
        outcome = applier.apply(record, left_out)
    item = db.session.get_one(RunItem, item_id)
    item.applied = outcome.value if outcome else "done"
    link = db.session.scalar(
        select(ClientLink).where(
            ClientLink.connection_id == job.connection_id, ClientLink.remote_id == record.remote_id,
            ClientLink.push_state == PushState.READY,
        )
    )  # fmt: skip
    if link is not None and not job.is_first and not left_out:
        to_send.append(link.id)
    db.session.commit()


def _moved(item: RunItem, digest: str, changed: dict[str, str]) -> str:
    """Why this row no longer holds; empty when it does."""
    if changed.get(item.remote_id, digest) != digest:
        return "the record there was changed after the preview was made"
    if item.client_version is not None and item.client_id is not None:
        version = db.session.scalar(select(Client.version).where(Client.id == item.client_id))
        if version != item.client_version:
            return "the client here was changed after the preview was made"
    return ""
