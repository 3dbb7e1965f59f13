"""The records nobody here is linked to, during a run: kept in batches, and all matched anew at its end.

Somebody here may have been renamed, linked or told apart since, so every record that waits is looked at in every run,
in memory, and written only where something about it changed.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import insert

from portal.db import db
from portal.domain import findings, unlinked, waiting
from portal.domain.apps import Outcome, RunItem
from portal.domain.matching import Kind, Match
from portal.domain.records import ClientRecord
from portal.domain.unlinked import Change, Held, Noted, verdict_of
from portal.sync.reading import Reading

if TYPE_CHECKING:
    from portal.sync.applying import Applier

BATCH = 200
OF_KIND = {Kind.NEAR_MATCH: Outcome.NEAR_MATCH, Kind.AMBIGUOUS: Outcome.AMBIGUOUS, Kind.TAKEN: Outcome.TAKEN}
ASKED = frozenset(kind.value for kind in OF_KIND)  # verdicts a person has to settle


class Unlinked:
    """`rows` is what is kept, by remote id. Nothing is written before `flush` or `match_again`."""

    def __init__(self, connection_id: int, now: datetime) -> None:
        self.connection_id = connection_id
        self.now = now
        self.rows: dict[str, Held] = unlinked.held(connection_id)
        self._judged: set[str] = set()  # in this run, from the record as it is now
        self._notes: list[Noted] = []
        self._over: list[str] = []  # questions about these have answered themselves
        self._gone: list[str] = []

    def leave_away(self, reading: Reading, known: Container[str], lists_everything: bool) -> None:
        """Records that are linked, or that a complete list no longer has, count no more; `forget_gone` writes it."""
        self._gone = [
            remote_id
            for remote_id in self.rows
            if remote_id in known or (lists_everything and reading.lacks(remote_id))
        ]
        for remote_id in self._gone:
            del self.rows[remote_id]

    def forget_gone(self) -> None:
        """One commit."""
        if self._gone:
            unlinked.forget(self.connection_id, self._gone)
            waiting.no_longer_holds(self.connection_id, self._gone, self.now)
            self._gone = []
        db.session.commit()

    def note(self, record: ClientRecord, match: Match) -> None:
        """Keep this record with what matching says of it; written together with others."""
        verdict = verdict_of(record.state, match)
        self._end_question(record.remote_id, verdict)
        self._notes.append(Noted(record, verdict, match.reason, match.client_id))
        self._judged.add(record.remote_id)

    def flush(self, *, at_least: int = 1) -> None:
        """Write what was noted, once it is so much; one commit. The session must be in no transaction."""
        if len(self._notes) + len(self._over) < at_least:
            return
        notes, self._notes = self._notes, []
        self.rows.update(unlinked.note(self.connection_id, notes, self.now))
        waiting.no_longer_holds(self.connection_id, self._over, self.now)
        self._over = []
        db.session.commit()

    def came_in(self, remote_ids: list[str]) -> None:
        """They are linked now, in the caller's transaction."""
        known = [remote_id for remote_id in remote_ids if self.rows.pop(remote_id, None) is not None]
        if known:
            unlinked.forget(self.connection_id, known)

    def match_again(self, applier: Applier, reading: Reading) -> None:
        """Every record that waits, by the names and links as they are now. The session must be in no transaction."""
        applier.new_links.flush()
        applier.newcomers.flush()
        self.flush()
        to_apply, met, changes = self._judge_all(applier, reading)
        if met:
            known = findings.met_again(self.connection_id, met, self.now)
            to_apply += [remote_id for remote_id in met if remote_id not in known]
            self._count_again(applier, {one: met[one] for one in known})
        unlinked.refresh(self.connection_id, changes)
        waiting.no_longer_holds(self.connection_id, self._over, self.now)
        self._over = []
        db.session.commit()
        for start in range(0, len(to_apply), BATCH):
            records = unlinked.records(self.connection_id, to_apply[start : start + BATCH])
            db.session.commit()
            for record in records:
                applier.apply(record)
                applier.watch.step(0)
        applier.new_links.flush()
        applier.newcomers.flush()
        self.flush()

    def _judge_all(self, applier: Applier, reading: Reading) -> tuple[list[str], dict[str, Match], list[Change]]:
        """What is to be applied after all, what still waits for a person, and whose verdict is another than it was."""
        to_apply: list[str] = []
        met: dict[str, Match] = {}
        changes: list[Change] = []
        offered, comes_in = 0, not applier.offered_because
        for remote_id, row in self.rows.items():
            match = applier.index.judge(remote_id, row.name, row.state, row.near_key)
            verdict = verdict_of(row.state, match)
            is_same = (verdict, match.reason, match.client_id) == (row.verdict, row.reason, row.client_id)
            if is_same and remote_id in self._judged:
                continue
            if match.kind == Kind.LINKED:
                continue  # came in during this run
            if match.kind == Kind.LINK or (match.kind == Kind.CREATE and comes_in):
                to_apply.append(remote_id)
            elif match.kind in OF_KIND and is_same:
                met[remote_id] = match
            elif match.kind in OF_KIND:
                to_apply.append(remote_id)
            else:
                offered += match.kind == Kind.CREATE and remote_id in reading.seen and remote_id not in self._judged
                if not is_same:
                    self._end_question(remote_id, verdict)
                    changes.append(Change(remote_id, verdict, match.reason, match.client_id))
        if offered:
            applier.watch.count(Outcome.OFFERED, offered)
        return to_apply, met, changes

    def _count_again(self, applier: Applier, met: dict[str, Match]) -> None:
        """A row of the run for each that still waits, as for one that is new."""
        rows = [
            {"run_id": applier.run_id, "outcome": OF_KIND[match.kind], "client_id": match.client_id,
             "remote_id": remote_id, "name": self.rows[remote_id].name, "reason": match.reason}
            for remote_id, match in met.items()
        ]  # fmt: skip
        if rows:
            db.session.execute(insert(RunItem), rows)
        for match in met.values():
            applier.watch.count(OF_KIND[match.kind])

    def _end_question(self, remote_id: str, verdict: str) -> None:
        """What was asked about this record is over, if its verdict is now one that asks nothing."""
        before = self.rows.get(remote_id)
        if before is not None and before.verdict in ASKED and verdict not in ASKED:
            self._over.append(remote_id)
