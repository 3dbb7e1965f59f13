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
from portal.domain.matching import Index
from portal.domain.records import ClientRecord
from portal.sync.runs import Watch

log = logging.getLogger(__name__)

BATCH = 50


class Newcomers:
    """Collects the records to bring in and brings them in."""

    def __init__(self, run_id: int, context: Context, index: Index, watch: Watch) -> None:
        self.run_id = run_id
        self.context = context
        self.index = index
        self.watch = watch
        self._importer = Importer(context, run_id)
        self._waiting: list[tuple[ClientRecord, str]] = []
        self._with_findings = findings.open_ids(context.connection.id)
        db.session.commit()

    def add(self, record: ClientRecord, reason: str) -> None:
        """`record` is to come in because of `reason`. The transaction of the session must have ended."""
        self._waiting.append((record, reason))
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

    def _alone(self, one: tuple[ClientRecord, str]) -> None:
        try:
            self._bring_in([one])
        except OperationalError:
            raise
        except Exception as error:
            record = one[0]
            log.exception("run %s could not bring in record %s", self.run_id, record.remote_id)
            reason = f"Counterpart could not bring in this record: {error}"[:500]
            db.session.execute(
                insert(RunItem),
                {"run_id": self.run_id, "outcome": Outcome.FAILED, "remote_id": record.remote_id, "name": record.name,
                 "reason": reason},
            )  # fmt: skip
            db.session.commit()
            self.watch.count(Outcome.FAILED)

    def _bring_in(self, batch: list[tuple[ClientRecord, str]]) -> None:
        """All of these or none."""
        with db.engine.begin() as connection:
            made = [(record.remote_id, self._importer.bring_in(record, connection, why)) for record, why in batch]
        self._importer.index()
        for remote_id, client_id in made:
            self.index.linked[remote_id] = client_id
            if remote_id in self._with_findings:
                waiting.close_for(self.context.connection.id, remote_id, "imported", self.context.now)
        db.session.commit()
        self.watch.count(Outcome.CREATED, len(made))
