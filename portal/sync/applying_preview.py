"""Applying a preview: exactly the ticked rows. What moved since it was made is held back and said so."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import func, insert, select, update

from portal.db import db
from portal.domain import import_choices, waiting
from portal.domain.apps import ClientLink, Outcome, PushState, RunItem, SyncRun
from portal.domain.clients import Client
from portal.domain.links import AlreadyLinked
from portal.domain.matching import Index, Kind, Match
from portal.domain.records import ClientRecord, RecordState, client_from_json
from portal.sync.applying import Applier
from portal.sync.job import Job
from portal.sync.matchbook import build_index
from portal.sync.reading import Known, Reading
from portal.sync.sending_batches import send_all
from portal.sync.unlinked_records import OF_KIND, Unlinked

CHUNK = 200  # rows held at a time
EXPECTED = {Outcome.CREATED: Kind.CREATE, Outcome.LINKED: Kind.LINK}


@dataclass
class PreviewApplier:
    """`changed` maps each record that differs from what the portal knows to its present digest."""

    job: Job
    applier: Applier
    changed: dict[str, str]
    is_chosen: bool  # the preview was made of what somebody chose under Import
    to_send: list[int] = field(default_factory=list)

    def apply(self, item: RunItem) -> None:
        """One row. New clients are marked by `mark_created`, once their batch is in."""
        if item.outcome == Outcome.CREATED_THERE:  # shown so that it is known
            self._mark(item, "goes by itself")
            return
        record = client_from_json(item.record or {})
        if item.outcome in OF_KIND.values() or item.outcome == Outcome.OFFERED:
            self._put_on_the_list(item, record)
            return
        if not item.is_included or item.outcome == Outcome.SKIPPED:
            self._leave_out(item, record)
            return
        moved = self._moved(item, record)
        db.session.commit()
        if moved:
            self._hold_back(item, moved)
        elif item.chosen and record.remote_id not in self.applier.index.linked:
            self._as_chosen(item, record)
        elif item.outcome == Outcome.BROKEN and record.state == RecordState.ACTIVE:
            self.applier.vanish(record.remote_id)
            self._mark(item, Outcome.BROKEN.value)
        else:
            self._carry_out(item, record)

    def _carry_out(self, item: RunItem, record: ClientRecord) -> None:
        match = self.applier.index.match(record)
        if item.outcome == Outcome.CREATED and match.kind == Kind.CREATE:  # ticked, so whatever the settings say
            self.applier.bring_in(record, match)
            return
        outcome = self.applier.apply(record, set(item.left_out))
        self._mark(item, outcome.value if outcome else "done")
        if not item.left_out and not self.is_chosen:  # an import sends nothing by itself
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
        """Who this is, or whether it comes in, stays for a person to say; nothing is ticked for that."""
        match = self.applier.index.match(record)
        if match.kind in OF_KIND or (match.kind == Kind.CREATE and self.applier.offered_because):
            self.applier.apply(record)
        self._mark(item, "under Import" if item.outcome == Outcome.OFFERED else "under Matches")

    def _leave_out(self, item: RunItem, record: ClientRecord) -> None:
        """Not this time. A new client, or what somebody chose to leave out, not until somebody brings it in."""
        if item.outcome == Outcome.SKIPPED:
            is_for_good = item.is_included
        else:
            is_for_good = item.outcome == Outcome.CREATED and not self.is_chosen
        if is_for_good and record.remote_id not in self.applier.index.linked:
            reason = f"left out by {self.job.by.name}"
            waiting.leave_out(self.job.connection_id, record, reason=reason, by=self.job.by, now=self.job.started)
        if is_for_good and self.is_chosen:
            self.job.watch.count(Outcome.SKIPPED)
        is_left_waiting = self.is_chosen and not is_for_good
        self._mark(item, "left as it is" if is_left_waiting else "left out")

    def _as_chosen(self, item: RunItem, record: ClientRecord) -> None:
        """What a person decided without matching, or against it. The rest of the checks hold all the same."""
        reason = f"chosen by {self.job.by.name}"
        if item.client_id is None:
            self.applier.bring_in(record, Match(Kind.CREATE, reason))
            return
        try:
            outcome = self.applier.link_chosen(record, item.client_id, reason, set(item.left_out))
        except AlreadyLinked as taken:
            self._hold_back(item, str(taken))
            return
        self._mark(item, outcome.value if outcome else "done")

    def _hold_back(self, item: RunItem, why: str) -> None:
        values = {
            "run_id": self.job.run_id, "outcome": Outcome.HELD_BACK, "client_id": item.client_id,
            "remote_id": item.remote_id, "name": item.name, "reason": why,
        }  # fmt: skip
        db.session.execute(insert(RunItem), values)
        self._mark(item, f"held back: {why}")
        self.job.watch.count(Outcome.HELD_BACK)

    def _moved(self, item: RunItem, record: ClientRecord) -> str:
        """Why this row no longer holds; empty when it does."""
        digest = record.digest()
        row = self.applier.unlinked.rows.get(item.remote_id)
        if self.changed.get(item.remote_id, row.digest if row else digest) != digest:
            return "the record there was changed after the preview was made"
        if item.client_version is not None and item.client_id is not None:
            version = db.session.scalar(select(Client.version).where(Client.id == item.client_id))
            if version != item.client_version:
                return "the client here was changed after the preview was made"
        wanted, match = EXPECTED.get(Outcome(item.outcome)), self.applier.index.match(record)
        if wanted is None:
            return ""
        if match.kind == Kind.LINKED:
            return self._linked_meanwhile(item, match.client_id)
        if item.chosen or (match.kind == wanted and item.client_id in (None, match.client_id)):
            return ""
        return f"who it matches here changed after the preview was made: {match.reason}"

    def _linked_meanwhile(self, item: RunItem, client_id: int | None) -> str:
        """The record has found its client since; that is no news when it is the one that was meant (CL-53)."""
        if item.client_id in (None, client_id):
            return ""
        name = db.session.scalar(select(Client.name).where(Client.id == client_id))
        return f"the record was linked to {name} after the preview was made"

    def _mark(self, item: RunItem, word: str) -> None:
        """One commit, together with what was done so far."""
        db.session.execute(update(RunItem).where(RunItem.id == item.id).values(applied=word))
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


def apply_preview(job: Job, known: dict[str, Known], loose: Unlinked, reading: Reading) -> None:
    """`reading` is what changed there since the preview was made."""
    changed = {record.remote_id: record.digest() for record in reading.records()}
    context = job.context()
    applier = Applier(job.run_id, context, _index(job, context.app, known, loose, reading), job.watch, loose)
    is_chosen = import_choices.is_chosen(db.session.get_one(SyncRun, job.preview_id))
    total = db.session.scalar(select(func.count()).select_from(RunItem).where(RunItem.run_id == job.preview_id)) or 0
    db.session.commit()
    job.watch.phase("applying", total)
    rows = PreviewApplier(job, applier, changed, is_chosen)
    last = 0
    while chunk := _chunk(job, last):
        first, last = last + 1, chunk[-1].id
        for item in chunk:
            if not item.applied:
                rows.apply(item)
            job.watch.step()
        rows.mark_created(first, last)
    applier.finish()
    if rows.to_send:
        send_all(job, rows.to_send)


def _chunk(job: Job, after: int) -> list[RunItem]:
    """The next rows, let go by the session: commits do not make them stale, and what is noted on them is an UPDATE."""
    query = select(RunItem).where(RunItem.run_id == job.preview_id, RunItem.id > after).order_by(RunItem.id)
    found = list(db.session.scalars(query.limit(CHUNK).execution_options(populate_existing=True)))
    for item in found:
        db.session.expunge(item)
    db.session.commit()
    return found


def _index(job: Job, app: str, known: dict[str, Known], loose: Unlinked, reading: Reading) -> Index:
    """As a run's, with the preview's own unlinked records counted among the names."""
    index = build_index(job.connection_id, app, known, loose.rows, reading.loose_names, reading.seen)
    query = select(RunItem.remote_id, RunItem.name).where(RunItem.run_id == job.preview_id, RunItem.remote_id != "")
    counted = (known, reading.seen, loose.rows)
    index.add_loose_names(
        row.name for row in db.session.execute(query) if not any(row.remote_id in one for one in counted)
    )
    return index
