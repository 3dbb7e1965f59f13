"""Sending in a run: one by one where an app takes one record a call, many in one call where it takes many.

A run has just read what changed there, so what was last seen of a record is how it stands: the plan is made against
that and nothing is looked up first. Whoever was quicker there is found out when writing (`Moved`): then that one record
is read, planned again, so that a conflict shows, and sent once more (fault row 90).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import OperationalError

from portal.adapters.base import AdapterError, Moved, NotThere, Unknown
from portal.db import db
from portal.domain import carrying, findings
from portal.domain.apps import Connection, Outcome
from portal.domain.carrying import Context
from portal.domain.planning import Plan
from portal.domain.records import ClientChange, ClientRecord, RecordChange, client_from_json
from portal.sync.applying import load, plan_for
from portal.sync.in_hand import all_handed_back, fill_and_write
from portal.sync.job import Job, note_sent
from portal.sync.outbox import FIRST_WAIT, InHand, broken, claim, failed, hand_back, key_of
from portal.sync.runs import clock
from portal.sync.sending import look_and_send, remember, send

log = logging.getLogger(__name__)


def send_all(job: Job, link_ids: list[int]) -> None:
    """Send what waits over these links. Raises what ends the run: an outage, a used-up allowance, a person's Stop."""
    job.watch.phase("sending", len(link_ids))
    if job.info.batch > 1:
        Batches(job).send(link_ids)
        return
    for link_id in link_ids:
        _note(job, link_id, send(link_id, job.session, job.by))
        job.watch.step()


def _note(job: Job, link_id: int, outcome: Outcome | None) -> None:
    if outcome is not None and outcome != Outcome.UNCHANGED:
        note_sent(job, link_id, outcome)


@dataclass(frozen=True)
class Ready:
    """A record with its change, about to be written."""

    held: InHand
    record: ClientRecord
    made: Plan
    change: ClientChange


@dataclass
class Batches:
    """Fills batches with records that have something to be written, and writes them."""

    job: Job
    context: Context = field(init=False)
    in_hand: dict[int, InHand] = field(default_factory=dict)  # ours, by link
    ready: list[Ready] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context = self._context()

    def send(self, link_ids: list[int]) -> None:
        with all_handed_back(hand_back, self.in_hand.values):
            fill_and_write(link_ids, self.job.info.batch, self._prepare, self.ready, self._write)

    def _context(self) -> Context:
        connection = db.session.get_one(Connection, self.job.connection_id)
        context = findings.context_for(connection, by=self.job.by, now=clock())
        db.session.commit()
        return context

    def _prepare(self, link_ids: Sequence[int]) -> None:
        """Take these in hand and plan each; what has nothing to write is done with that."""
        self.context = self._context()
        taken = claim(link_ids, clock())
        self.in_hand |= {held.link_id: held for held in taken}
        self.job.watch.step(len(link_ids) - len(taken))
        for held in taken:
            try:
                ready = self._planned(held)
            except OperationalError:
                raise
            except Exception:  # whatever it is, it is this record's own
                db.session.rollback()
                log.exception("run %s could not plan what to send over link %s", self.job.run_id, held.link_id)
                hand_back(held, until=clock() + FIRST_WAIT, why="Counterpart met something unexpected; it tries again.")
                self._settled(held, Outcome.FAILED)
                continue
            if ready is not None:
                self.ready.append(ready)

    def _planned(self, held: InHand) -> Ready | None:
        """One commit. None when there was nothing to write, or it was looked at by itself."""
        client, link, contact_links = load(self.job.connection_id, held.remote_id)
        record = client_from_json(link.seen) if link.seen else None
        made = plan_for(client, link, contact_links, record, self.context) if record else None
        if record is None or made is None or made.uncertain:
            db.session.rollback()
            self._look(held)
            return None
        change = carrying.apply_here(client, link, contact_links, record, made, self.context, may_send=True)
        if change.is_empty():
            carrying.sent_done(client, link, held.version)
            db.session.commit()
            self._settled(held, Outcome.UPDATED if made.pulls else Outcome.UNCHANGED)
            return None
        db.session.commit()
        return Ready(held, record, made, change)

    def _write(self, size: int) -> None:
        batch = self.ready[:size]
        del self.ready[:size]
        changes = [RecordChange(one.record, one.change, key_of(one.held, one.record, one.change)) for one in batch]
        try:
            answers = self.job.adapter.update_clients(self.job.session, changes)
        except Unknown as lost:  # some may have been written: each is looked at again later
            for one in batch:
                self._settled(one.held, failed(one.held, lost, self.context))
            return
        for one, answer in zip(batch, answers, strict=True):
            self._settle(one, answer)

    def _settle(self, one: Ready, answer: ClientRecord | AdapterError) -> None:
        if isinstance(answer, Moved):
            self._look(one.held)
        elif isinstance(answer, NotThere):
            self._settled(one.held, broken(self.job.connection_id, one.held, None, self.context))
        elif isinstance(answer, AdapterError):
            self._settled(one.held, failed(one.held, answer, self.context))
        else:
            remember(one.held, one.made, answer, one.change, self.context)
            self._settled(one.held, Outcome.CONFLICT if one.made.conflicts else Outcome.PUSHED)

    def _look(self, held: InHand) -> None:
        """As a single save is sent: read the record as it stands, plan anew, write."""
        try:
            outcome = look_and_send(self.job.adapter, self.job.session, held, self.context)
        except AdapterError as error:
            db.session.rollback()
            outcome = failed(held, error, self.context)
        self._settled(held, outcome)

    def _settled(self, held: InHand, outcome: Outcome) -> None:
        self.in_hand.pop(held.link_id, None)
        _note(self.job, held.link_id, outcome)
        self.job.watch.step()
