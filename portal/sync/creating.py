"""New clients, fifty to a transaction; when one of the fifty fails, each is tried on its own.

A client that exists has a commit of its own. New ones touch nothing that exists, so a batch that is undone has lost
nothing: a failure is still that client's alone, and a run killed within a batch simply brings those in again.
"""

from __future__ import annotations

import logging

from sqlalchemy import insert
from sqlalchemy.exc import OperationalError

from portal.db import db
from portal.domain import client_search, findings, waiting
from portal.domain.apps import Outcome, RunItem
from portal.domain.carrying import Context
from portal.domain.importing import Importer
from portal.domain.matching import Index, Match
from portal.domain.records import ClientRecord
from portal.sync.runs import Watch
from portal.sync.unlinked_records import Unlinked

log = logging.getLogger(__name__)

BATCH = 50


class Newcomers:
    """Collects the records to bring in and brings them in."""

    def __init__(self, run_id: int, context: Context, index: Index, watch: Watch, unlinked: Unlinked) -> None:
        self.run_id = run_id
        self.context = context
        self.index = index
        self.watch = watch
        self.unlinked = unlinked
        self._importer = Importer(context, run_id)
        self._waiting: list[tuple[ClientRecord, Match]] = []
        self._with_findings = findings.open_ids(context.connection.id)
        db.session.commit()

    def add(self, record: ClientRecord, match: Match) -> None:
        """`record` is to come in, for the reason matching gives. The transaction of the session must have ended."""
        self._waiting.append((record, match))
        if len(self._waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Bring in what waits. Raises OperationalError when the database itself is at fault."""
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            self._bring_in(batch)
        except OperationalError:
            raise
        except Exception:  # whatever it is, each record now gets its own try and its own reason
            log.warning("run %s: a batch of new clients failed, trying them one by one", self.run_id, exc_info=True)
            for one in batch:
                self._alone(one)

    def finish(self) -> None:
        """Make everything that came in findable, also what a killed run left. One commit."""
        self.flush()
        client_search.index_missing()
        db.session.commit()

    def _alone(self, one: tuple[ClientRecord, Match]) -> None:
        try:
            self._bring_in([one])
        except OperationalError:
            raise
        except Exception as error:  # whatever it is, it is this record's own; it is logged and told
            record, match = one
            log.exception("run %s could not bring in record %s", self.run_id, record.remote_id)
            reason = f"Counterpart could not bring in this record: {error}"[:500]
            db.session.execute(
                insert(RunItem),
                {"run_id": self.run_id, "outcome": Outcome.FAILED, "remote_id": record.remote_id, "name": record.name,
                 "reason": reason},
            )  # fmt: skip
            db.session.commit()
            self.watch.count(Outcome.FAILED)
            self.unlinked.note(record, match)  # so that the next run tries again

    def _bring_in(self, batch: list[tuple[ClientRecord, Match]]) -> None:
        """All of these or none."""
        with db.engine.begin() as connection:
            made = [(one.remote_id, self._importer.bring_in(one, connection, match.reason)) for one, match in batch]
        self._importer.index()
        for remote_id, client_id in made:
            self.index.linked[remote_id] = client_id
            if remote_id in self._with_findings:
                waiting.close_for(self.context.connection.id, remote_id, "imported", self.context.now)
        self.unlinked.came_in([remote_id for remote_id, _client_id in made])
        db.session.commit()
        self.watch.count(Outcome.CREATED, len(made))
