"""Creating clients there in a run: many in one call where the app takes many, else one by one.

The run has just read everything, so our own list says who is there, and the vendor's own rule that no two have one
name is the guard against what came in between. Whoever is not plainly new is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import select

from portal.adapters.base import AdapterError, Unknown
from portal.db import db
from portal.domain import carrying, outgoing
from portal.domain.apps import Connection, Outcome, RunItem
from portal.domain.carrying import Context
from portal.domain.clients import Client
from portal.domain.looking_there import Answer
from portal.domain.records import ClientRecord, NewRecord
from portal.domain.text import near_key
from portal.sync.asking_there import Wanted, judge, our_list
from portal.sync.creating_there import (
    InHand,
    claim,
    context_of,
    create_there,
    failed,
    hand_back,
    is_settled,
    take_answer,
)
from portal.sync.in_hand import all_handed_back, fill_and_write
from portal.sync.job import Job
from portal.sync.runs import clock

ALL = 100_000  # rows of one run
REASONS = {
    Outcome.CREATED_THERE: "made here, and now in {app} as well",
    Outcome.LINKED: "was to be created in {app}, and is there already under exactly this name",
}


def create_all(job: Job) -> None:
    """Create what waits for this app. Raises what ends the run: an outage, a used-up allowance, a person's Stop."""
    if not job.info.creates_clients:
        return
    outgoing.wake(job.connection_id, clock())
    db.session.commit()
    row_ids = outgoing.due(clock(), ALL, job.connection_id)
    db.session.commit()
    if not row_ids:
        return
    job.watch.phase("creating", len(row_ids))
    if job.info.batch > 1:
        Batches(job).create(row_ids)
        return
    for row_id in row_ids:
        _alone(job, row_id)


def _alone(job: Job, row_id: int) -> None:
    """As a single one is created: look there first."""
    row = outgoing.get(row_id)
    client_id = row.client_id if row else None
    db.session.commit()
    outcome = create_there(row_id, job.session, job.by)
    if client_id is not None:
        note_created(job, client_id, outcome)
    job.watch.step()


def note_created(job: Job, client_id: int, outcome: Outcome | None) -> None:
    """A row of the run about a client that was to be created there; one commit."""
    if outcome is None or outcome == Outcome.UNCHANGED or _is_noted(job, client_id, outcome):
        return
    client = db.session.get_one(Client, client_id)
    link = next((one for one in client.links if one.connection_id == job.connection_id), None)
    row = next((one for one in outgoing.for_client(client) if one.connection_id == job.connection_id), None)
    reason = row.reason if row is not None else REASONS.get(outcome, "").format(app=job.info.short_name)
    db.session.add(
        RunItem(
            run_id=job.run_id, outcome=outcome, client_id=client.id, remote_id=link.remote_id if link else "",
            name=client.name, reason=reason,
        )
    )  # fmt: skip
    db.session.commit()
    job.watch.count(outcome)


def _is_noted(job: Job, client_id: int, outcome: Outcome) -> bool:
    """Whether matching has met the same question in this run."""
    query = select(RunItem.id).where(
        RunItem.run_id == job.run_id, RunItem.outcome == outcome, RunItem.client_id == client_id
    )
    return db.session.scalar(query.limit(1)) is not None


class New(NamedTuple):
    held: InHand
    record: ClientRecord


@dataclass
class Batches:
    """Sorts out who is plainly new and creates them, as many in a call as the app takes."""

    job: Job
    context: Context = field(init=False)
    in_hand: dict[int, InHand] = field(default_factory=dict)  # ours, by row
    new: list[New] = field(default_factory=list)
    alone: list[int] = field(default_factory=list)  # rows to be looked at by themselves, afterwards

    def create(self, row_ids: list[int]) -> None:
        with all_handed_back(hand_back, self.in_hand.values):
            fill_and_write(row_ids, self.job.info.batch, self._sort_out, self.new, self._write)
        for row_id in self.alone:
            _alone(self.job, row_id)

    def _sort_out(self, row_ids: Sequence[int]) -> None:
        self.context = context_of(db.session.get_one(Connection, self.job.connection_id), self.job.by)
        taken = claim(row_ids, clock())
        self.in_hand |= {held.row_id: held for held in taken}
        self.job.watch.step(len(row_ids) - len(taken))
        names = {held.client_id: db.session.get_one(Client, held.client_id).name for held in taken}
        listed = our_list(self.job.connection_id, names.values()) if names else []
        db.session.commit()
        wanted_now = {near_key(one.record.name) for one in self.new}
        for held in taken:
            client = db.session.get_one(Client, held.client_id)
            if is_settled(client, held, self.context):
                self._done(held, None)
                continue
            name, near = names[held.client_id], near_key(names[held.client_id])
            found = [one for one in listed if one.name == name or (near and near_key(one.name) == near)]
            wanted = Wanted(held.client_id, name)
            verdict = judge(wanted, found, self.context, with_links=not self.job.info.finds_clients)
            if not held.is_fresh or verdict.answer != Answer.CREATE or not near or near in wanted_now:
                db.session.commit()
                del self.in_hand[held.row_id]
                hand_back(held)
                self.alone.append(held.row_id)
            else:
                wanted_now.add(near)
                self.new.append(New(held, carrying.record_of(client, self.context)))
                db.session.commit()

    def _write(self, size: int) -> None:
        batch = self.new[:size]
        del self.new[:size]
        news = [NewRecord(one.record, one.held.key) for one in batch]
        try:
            answers = self.job.adapter.create_clients(self.job.session, news)
        except Unknown as lost:  # some may be there now: each is looked for later
            for one in batch:
                self._done(one.held, failed(one.held, lost, self.context))
            return
        for one, answer in zip(batch, answers, strict=True):
            self._take(one, answer)

    def _take(self, one: New, answer: ClientRecord | AdapterError) -> None:
        adapter, session = self.job.adapter, self.job.session
        try:
            outcome = take_answer(adapter, session, one.held, one.record, answer, self.context)
        except AdapterError as error:
            db.session.rollback()
            outcome = failed(one.held, error, self.context)
        self._done(one.held, outcome)

    def _done(self, held: InHand, outcome: Outcome | None) -> None:
        self.in_hand.pop(held.row_id, None)
        note_created(self.job, held.client_id, outcome)
        self.job.watch.step()
