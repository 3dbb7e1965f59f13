"""Applying a preview: exactly the ticked rows. What moved since it was made is held back and said so."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, insert, select, update

from portal.db import db
from portal.domain import waiting
from portal.domain.apps import ClientLink, Outcome, PushState, RunItem
from portal.domain.clients import Client
from portal.domain.matching import Index, Kind
from portal.domain.records import ClientRecord, RecordState, client_from_json
from portal.sync.applying import OF_KIND, Applier
from portal.sync.job import Job, note_sent
from portal.sync.matchbook import build_index
from portal.sync.reading import Known, Reading
from portal.sync.sending import send

CHUNK = 200  # rows held at a time
EXPECTED = {Outcome.CREATED: Kind.CREATE, Outcome.LINKED: Kind.LINK}


@dataclass
class PreviewApplier:
    """`changed` maps each record that differs from what the portal knows to its present digest."""

    job: Job
    applier: Applier
    changed: dict[str, str]
    to_send: list[int]

    def apply(self, item: RunItem) -> None:
        """One row. New clients are marked by `mark_created`, once their batch is in."""
        record = client_from_json(item.record or {})
        if item.outcome in OF_KIND.values():
            self._put_on_the_list(item, record)
            return
        if not item.is_included:
            self._leave_out(item, record)
            return
        moved = self._moved(item, record)
        if moved:
            self._hold_back(item, moved)
            return
        left_out, outcome_planned, item_id = set(item.left_out), item.outcome, item.id
        db.session.commit()
        if outcome_planned == Outcome.BROKEN and record.state == RecordState.ACTIVE:
            self.applier.vanish(record.remote_id)
            self._mark(item_id, Outcome.BROKEN.value)
            return
        outcome = self.applier.apply(record, left_out)
        if outcome == Outcome.CREATED:
            return
        self._mark(item_id, outcome.value if outcome else "done")
        if not left_out:
            self._note_to_send(record.remote_id)

    def mark_created(self, first: int, last: int) -> None:
        """Say of the rows from id `first` to `last` which new clients have come in."""
        self.applier.newcomers.flush()
        rows = db.session.execute(
            select(RunItem.id, RunItem.remote_id).where(
                RunItem.run_id == self.job.preview_id, RunItem.id.between(first, last), RunItem.applied == "",
                RunItem.outcome == Outcome.CREATED,
            )
        ).all()  # fmt: skip
        linked = self.applier.index.linked
        for wanted, word in ((True, Outcome.CREATED.value), (False, Outcome.FAILED.value)):
            ids = [row.id for row in rows if (row.remote_id in linked) is wanted]
            if ids:
                db.session.execute(update(RunItem).where(RunItem.id.in_(ids)).values(applied=word))
        db.session.commit()

    def _put_on_the_list(self, item: RunItem, record: ClientRecord) -> None:
        """Who this is stays for a person to say; nothing is ticked for that, and nothing else is done."""
        item_id = item.id
        db.session.commit()
        if self.applier.index.match(record).kind in OF_KIND:
            self.applier.apply(record)
        self._mark(item_id, "under Matches")

    def _leave_out(self, item: RunItem, record: ClientRecord) -> None:
        item.applied = "left out"
        if item.outcome == Outcome.CREATED:
            reason = f"left out by {self.job.by.name}"
            waiting.leave_out(self.job.connection_id, record, reason=reason, by=self.job.by, now=self.job.started)
        db.session.commit()

    def _hold_back(self, item: RunItem, why: str) -> None:
        item.applied = f"held back: {why}"
        values = {
            "run_id": self.job.run_id, "outcome": Outcome.HELD_BACK, "client_id": item.client_id,
            "remote_id": item.remote_id, "name": item.name, "reason": why,
        }  # fmt: skip
        db.session.execute(insert(RunItem), values)
        db.session.commit()
        self.job.watch.count(Outcome.HELD_BACK)

    def _moved(self, item: RunItem, record: ClientRecord) -> str:
        """Why this row no longer holds; empty when it does."""
        digest = record.digest()
        if self.changed.get(item.remote_id, digest) != digest:
            return "the record there was changed after the preview was made"
        if item.client_version is not None and item.client_id is not None:
            version = db.session.scalar(select(Client.version).where(Client.id == item.client_id))
            if version != item.client_version:
                return "the client here was changed after the preview was made"
        wanted, match = EXPECTED.get(Outcome(item.outcome)), self.applier.index.match(record)
        if wanted is not None and match.kind not in (wanted, Kind.LINKED):
            return f"who it matches here changed after the preview was made: {match.reason}"
        return ""

    def _mark(self, item_id: int, word: str) -> None:
        db.session.execute(update(RunItem).where(RunItem.id == item_id).values(applied=word))
        db.session.commit()

    def _note_to_send(self, remote_id: str) -> None:
        """What a ticked row sends goes out at the end; the first import sends nothing (XPM-1)."""
        if self.job.is_first:
            return
        link_id = db.session.scalar(
            select(ClientLink.id).where(
                ClientLink.connection_id == self.job.connection_id, ClientLink.remote_id == remote_id,
                ClientLink.push_state == PushState.READY,
            )
        )  # fmt: skip
        db.session.commit()
        if link_id is not None:
            self.to_send.append(link_id)


def apply_preview(job: Job, known: dict[str, Known], reading: Reading) -> None:
    """`reading` is what changed there since the preview was made."""
    changed = {record.remote_id: record.digest() for record in reading.records()}
    applier = Applier(job.run_id, job.context(), _index(job, known, reading), job.watch)
    total = db.session.scalar(select(func.count()).select_from(RunItem).where(RunItem.run_id == job.preview_id)) or 0
    db.session.commit()
    job.watch.phase("applying", total)
    rows = PreviewApplier(job, applier, changed, [])
    last = 0
    while chunk := _chunk(job, last):
        first, last = last + 1, chunk[-1]
        for item_id in chunk:
            item = db.session.get_one(RunItem, item_id)
            if not item.applied:
                rows.apply(item)
            db.session.commit()
            job.watch.step()
        rows.mark_created(first, last)
    applier.finish()
    for link_id in rows.to_send:
        outcome = send(link_id, job.session, job.by)
        if outcome is not None and outcome != Outcome.UNCHANGED:
            note_sent(job, link_id, outcome)


def _chunk(job: Job, after: int) -> list[int]:
    query = select(RunItem.id).where(RunItem.run_id == job.preview_id, RunItem.id > after).order_by(RunItem.id)
    return list(db.session.scalars(query.limit(CHUNK)))


def _index(job: Job, known: dict[str, Known], reading: Reading) -> Index:
    """As a run's, with the preview's own unlinked records counted among the names."""
    rows = db.session.execute(
        select(RunItem.remote_id, RunItem.name, RunItem.outcome).where(RunItem.run_id == job.preview_id)
    ).all()
    loose = reading.loose_names
    for row in rows:
        if row.remote_id not in known and row.remote_id not in reading.seen:
            loose[row.name] += 1
    return build_index(
        job.connection_id, job.info.short_name, known, loose, reading.seen | {row.remote_id for row in rows}
    )
