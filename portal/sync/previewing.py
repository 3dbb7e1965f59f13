"""The plan without the deed: what a run would do, row by row, kept so that a person can tick it and apply just that."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select

from portal.db import db
from portal.domain import links
from portal.domain.apps import ClientLink, LinkState, Outcome, PushState, RunItem
from portal.domain.carrying import Context
from portal.domain.clients import Client
from portal.domain.matching import Index, Kind, Match
from portal.domain.planning import Plan
from portal.domain.records import ClientRecord, client_from_json
from portal.sync.applying import OF_KIND, load, not_created_because, plan_for, rows_of
from portal.sync.runs import Watch

BATCH = 200
_ITEM = insert(RunItem.__table__)


class Previewer:
    """Collects a run's rows and writes them in batches; nothing else is written."""

    def __init__(self, run_id: int, context: Context, index: Index, watch: Watch) -> None:
        self.run_id = run_id
        self.context = context
        self.index = index
        self.watch = watch
        self._rows: list[dict[str, Any]] = []
        self._looked_at: set[str] = set()  # linked records that have their row, or need none

    def look_at(self, record: ClientRecord) -> None:
        """One record: what would happen to it."""
        match = self.index.match(record)
        if match.kind == Kind.LINKED:
            self._looked_at.add(record.remote_id)
            self._linked(record)
        elif match.kind in OF_KIND:
            self._add(OF_KIND[match.kind], record, match.reason, client_id=match.client_id)
        elif match.kind == Kind.LINK:
            self._link(record, match)
        elif match.kind == Kind.CREATE:
            reason = not_created_because(self.context)
            self._add(Outcome.SKIPPED if reason else Outcome.CREATED, record, reason or match.reason)

    def _linked(self, record: ClientRecord) -> None:
        client, link, contact_links = load(self.context.connection.id, record.remote_id)
        broken = links.broken_because(record, self.context.app)
        if broken:
            if link.state != LinkState.BROKEN:
                self._add(Outcome.BROKEN, record, broken, client_id=client.id, version=client.version)
            return
        made = plan_for(client, link, contact_links, record, self.context)
        outcome = self._outcome(made)
        if outcome is not None:
            reason = made.conflicts[0].why if made.conflicts else ""
            self._add(outcome, record, reason, client_id=client.id, version=client.version, plan=rows_of(made))

    def _outcome(self, made: Plan) -> Outcome | None:
        if made.conflicts:
            return Outcome.CONFLICT
        if made.pulls or made.gone or any(pair.here is None for pair in made.pairings):
            return Outcome.UPDATED
        only_here = any(pair.there is None for pair in made.pairings)
        sends = made.pushes or (only_here and self.context.connection.direction != "from_app")
        return Outcome.PUSHED if sends else None

    def _link(self, record: ClientRecord, match: Match) -> None:
        client = db.session.get_one(Client, match.client_id)
        link = ClientLink(connection_id=self.context.connection.id, client_id=client.id, agreed={})
        with db.session.no_autoflush:
            made = plan_for(client, link, [], record, self.context)
        self.index.take(client.id, match.candidates[0].name, record.remote_id)
        self._add(Outcome.LINKED, record, match.reason, client_id=client.id, version=client.version, plan=rows_of(made))

    def waiting_to_be_sent(self) -> None:
        """Records that did not change there, but whose client here did."""
        waiting = list(
            db.session.execute(
                select(ClientLink.remote_id, ClientLink.seen).where(
                    ClientLink.connection_id == self.context.connection.id,
                    ClientLink.state == LinkState.LINKED,
                    ClientLink.push_state.in_((PushState.READY, PushState.FAILED)),
                )
            )
        )
        for remote_id, last_seen in waiting:
            if remote_id not in self._looked_at and last_seen:
                self._linked(client_from_json(last_seen))

    def vanish(self, remote_id: str) -> None:
        client, link, _contacts = load(self.context.connection.id, remote_id)
        record = client_from_json(link.seen)
        self._add(
            Outcome.BROKEN, record, links.broken_because(None, self.context.app), client_id=client.id,
            version=client.version,
        )  # fmt: skip

    def _add(
        self, outcome: Outcome, record: ClientRecord, reason: str, *, client_id: int | None = None,
        version: int | None = None, plan: list[dict[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        included = outcome not in (Outcome.NEAR_MATCH, Outcome.AMBIGUOUS, Outcome.TAKEN, Outcome.SKIPPED)
        self._rows.append({
            "run_id": self.run_id, "outcome": outcome, "client_id": client_id, "remote_id": record.remote_id,
            "name": record.name, "reason": reason, "plan": plan or [], "record": record.as_json(),
            "client_version": version, "is_included": included, "left_out": [], "applied": "",
        })  # fmt: skip
        self.watch.count(outcome)
        if len(self._rows) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what was collected; one commit. Reports progress for it."""
        many, rows = len(self._rows), self._rows
        self._rows = []
        if rows:
            db.session.execute(_ITEM, rows)
        db.session.commit()
        self.watch.step(many)
