"""The plan without the deed: what a run would do, row by row, kept so that a person can tick it and apply just that."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select

from portal.db import db
from portal.domain import carrying, links, outgoing, unlinked
from portal.domain.apps import ClientLink, LinkState, Outcome, PushState, RunItem
from portal.domain.carrying import Context
from portal.domain.clients import Client
from portal.domain.import_choices import waits_because
from portal.domain.matching import Index, Kind, Match
from portal.domain.planning import Plan
from portal.domain.records import ClientRecord, client_from_json
from portal.sync.applying import load, plan_for, rows_of
from portal.sync.runs import Watch
from portal.sync.unlinked_records import OF_KIND, Unlinked

BATCH = 200
NOT_TICKED = (Outcome.NEAR_MATCH, Outcome.AMBIGUOUS, Outcome.TAKEN, Outcome.OFFERED, Outcome.CREATED_THERE)
_ITEM = insert(RunItem.__table__)


class Previewer:
    """Collects a run's rows and writes them in batches; nothing else is written."""

    def __init__(self, run_id: int, context: Context, index: Index, watch: Watch) -> None:
        self.run_id = run_id
        self.context = context
        self.index = index
        self.watch = watch
        self._rows: list[dict[str, Any]] = []
        self._looked_at: set[str] = set()  # records that have their row, or need none
        self._offered_because = waits_because(context.connection, context.app)

    def look_at(self, record: ClientRecord) -> None:
        """One record: what would happen to it."""
        match = self.index.match(record)
        self._looked_at.add(record.remote_id)
        if match.kind == Kind.LINKED:
            self._linked(record)
        elif match.kind in OF_KIND:
            self._add(OF_KIND[match.kind], record, match.reason, client_id=match.client_id)
        elif match.kind == Kind.LINK:
            self._link(record, match)
        elif match.kind == Kind.CREATE:
            reason = self._offered_because
            self._add(Outcome.OFFERED if reason else Outcome.CREATED, record, reason or match.reason)

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
        made = plan_of_new_link(client, record, self.context)
        self.index.take(client.id, match.candidates[0].name, record.remote_id)
        self._add(Outcome.LINKED, record, match.reason, client_id=client.id, version=client.version, plan=rows_of(made))

    def waiting_to_be_chosen(self, loose: Unlinked, seen: set[str]) -> None:
        """Records nobody is linked to that were read and are as they were."""
        ids = [
            remote_id
            for remote_id, row in loose.rows.items()
            if remote_id in seen
            and remote_id not in self._looked_at
            and self.index.judge(remote_id, row.name, row.state, row.near_key).kind != Kind.IGNORE
        ]
        for start in range(0, len(ids), BATCH):
            for record in unlinked.records(loose.connection_id, ids[start : start + BATCH]):
                self.look_at(record)

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

    def waiting_to_be_created(self) -> None:
        """Clients on their way into the app that are nobody there yet. They go by themselves, so there is no tick."""
        known = set(self.index.linked.values())
        for client in outgoing.on_their_way(self.context.connection.id):
            if client.id not in known:
                reason = f"made here; it is created in {self.context.app} by itself"
                record = carrying.record_of(client, self.context)
                self._add(Outcome.CREATED_THERE, record, reason, client_id=client.id, version=client.version)

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
        included = outcome not in NOT_TICKED
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


def plan_of_new_link(client: Client, record: ClientRecord, context: Context) -> Plan:
    """What would travel if these two were linked now."""
    link = ClientLink(connection_id=context.connection.id, client_id=client.id, agreed={})
    with db.session.no_autoflush:
        return plan_for(client, link, [], record, context)
