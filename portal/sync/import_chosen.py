"""A preview of what somebody chose under Import, made by hand: nothing but its rows is written, no vendor is asked.

Applying it is the work of `applying_preview`, which reads what changed there since and matches anew, so that nobody
comes in twice (CL-51, CL-53).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import insert, literal, select
from sqlalchemy.orm import selectinload

from portal.db import JsonValue, db
from portal.domain import activity, findings, unlinked
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection, Outcome, RunItem, RunKind, RunState, RunTrigger, SyncRun, UnlinkedRecord
from portal.domain.carrying import Context
from portal.domain.clients import Client
from portal.domain.import_choices import CHOSEN, Choice, NothingChosen, Selection, What
from portal.domain.matching import Index, Kind, Match
from portal.domain.records import ClientRecord, RecordState, client_from_json
from portal.domain.unlinked import Slim
from portal.sync.applying import rows_of
from portal.sync.matchbook import build_index
from portal.sync.previewing import plan_of_new_link
from portal.sync.reading import known_links
from portal.sync.unlinked_records import OF_KIND

BATCH = 200
STAYS_OUT = "stays out of every sync until somebody brings it in"


class _Row(NamedTuple):
    """One row of the preview to be."""

    slim: Slim
    outcome: Outcome
    reason: str
    client_id: int | None = None
    is_chosen: bool = False  # without the matcher, or against it


def prepare_import(connection: Connection, selection: Selection, *, by: Actor, now: datetime) -> SyncRun:
    """The preview, in the caller's transaction; a finished run that can be ticked and applied like any other.

    Raises `NothingChosen` when nothing would come of it.
    """
    context = findings.context_for(connection, by=by, now=now)
    held = unlinked.held(connection.id)
    index = build_index(connection.id, context.app, known_links(connection.id), held)
    run = SyncRun(
        connection_id=connection.id, kind=RunKind.PREVIEW, trigger=RunTrigger.PERSON, state=RunState.DONE,
        by_id=by.user_id, by_name=by.name, asked_at=now, started_at=now, ended_at=now, phase=CHOSEN,
        cursor_after=connection.cursor, counts={},
    )  # fmt: skip
    db.session.add(run)
    db.session.flush()
    making = _Making(run.id, context, index)
    making.take_all(connection.id, selection)
    if not making.counts:
        raise NothingChosen(_nothing(selection, making.missing))
    run.counts = {outcome.value: count for outcome, count in making.counts.items()}
    run.done = run.total = sum(making.counts.values())
    run.message = _missing(making.missing)
    activity.record(
        Verb.SYNC_ASKED, by=by, now=now, connection_id=connection.id, app=context.app, what="preview of an import"
    )
    return run


def _nothing(selection: Selection, missing: int) -> str:
    if missing:
        return _missing(missing)
    if selection.chosen or selection.rest:
        return "None of these can come in as it is: each needs a choice of its own."
    return "Choose for at least one of them what is to become of it."


def _missing(count: int) -> str:
    if not count:
        return ""
    if count == 1:
        return "One of the records you chose waits no longer: somebody has linked it meanwhile, or it is gone there."
    return f"{count:,} of the records you chose wait no longer: they were linked meanwhile, or are gone there."


@dataclass
class _Making:
    """Collects the rows of one preview and writes them in batches."""

    run_id: int
    context: Context
    index: Index
    counts: Counter[Outcome] = field(default_factory=Counter)
    missing: int = 0
    _meant: dict[int, str] = field(default_factory=dict)  # client id -> the record chosen for it

    def take_all(self, connection_id: int, selection: Selection) -> None:
        """Single choices first: they come before what is said of all the rest."""
        chosen = dict(selection.chosen)
        if selection.rest and not selection.whole:
            chosen = {row_id: Choice(selection.rest) for row_id in selection.shown} | chosen
        found = unlinked.some(connection_id, chosen)
        self.missing = len(chosen) - len(found)
        found.sort(key=lambda row: (row.name_key, row.id))
        slim = [Slim(row.id, row.remote_id, row.name, row.near_key, row.state) for row in found]
        self._write([row for one in slim if (row := self._decide(one, chosen[one.id])) is not None])
        if selection.rest and selection.whole:
            every = Choice(selection.rest)
            for portion in unlinked.every(connection_id, selection.verdict, selection.words):
                rows = [self._decide(one, every) for one in portion if one.id not in chosen]
                self._write([row for row in rows if row is not None])

    def _decide(self, one: Slim, choice: Choice) -> _Row | None:
        """What the preview says of this record; None: nothing would come of it."""
        match = self.index.judge(one.remote_id, one.name, one.state, one.near_key)
        if one.state != RecordState.ACTIVE or match.kind == Kind.LINKED:
            return None
        if choice.what == What.LEAVE:
            return None if match.kind == Kind.IGNORE else _Row(one, Outcome.SKIPPED, STAYS_OUT, is_chosen=True)
        if choice.what == What.OWN and match.kind != Kind.CREATE:
            return _Row(one, Outcome.CREATED, f"a new client all the same: {match.reason}", is_chosen=True)
        if choice.what == What.LINK:
            return self._to_link(one, match, choice.client_id)
        if match.kind == Kind.CREATE:
            return _Row(one, Outcome.CREATED, match.reason)
        if match.kind == Kind.LINK:
            return self._to_link(one, match, match.client_id)
        if choice.what == What.PROPOSED or match.kind == Kind.IGNORE:
            return None
        return _Row(one, OF_KIND[match.kind], match.reason, match.client_id)

    def _to_link(self, one: Slim, match: Match, client_id: int | None) -> _Row | None:
        is_sole = match.client_id is not None and len(match.candidates) == 1
        client = db.session.get(Client, client_id or (match.client_id if is_sole else None) or 0)
        if client is None:
            return _Row(one, OF_KIND[match.kind], match.reason) if match.kind in OF_KIND else None
        own = next((link for link in client.links if link.connection_id == self.context.connection.id), None)
        if own is not None:
            return _Row(one, Outcome.TAKEN, f"{client.name} is already linked to {own.remote_name}", client.id)
        if client.id in self._meant:
            said = f"{client.name} was chosen for another record as well, {self._meant[client.id]}"
            return _Row(one, Outcome.TAKEN, said, client.id)
        self._meant[client.id] = one.name
        is_matched = match.kind == Kind.LINK and match.client_id == client.id
        reason = match.reason if is_matched else f"chosen by {self.context.by.name}"
        return _Row(one, Outcome.LINKED, reason, client.id, is_chosen=not is_matched)

    def _write(self, rows: list[_Row]) -> None:
        plain = [row for row in rows if row.outcome == Outcome.CREATED and not row.is_chosen]
        self._copy(plain)
        others = [row for row in rows if row.outcome != Outcome.CREATED or row.is_chosen]
        for start in range(0, len(others), BATCH):
            self._insert(others[start : start + BATCH])
        self.counts.update(row.outcome for row in rows)

    def _copy(self, rows: Iterable[_Row]) -> None:
        """New clients nobody is like, thousands perhaps: the database copies the records itself."""
        by_reason: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            by_reason[row.reason].append(row.slim.id)
        for reason, ids in by_reason.items():
            values: dict[str, Any] = {
                "run_id": literal(self.run_id), "outcome": literal(Outcome.CREATED, RunItem.outcome.type),
                "remote_id": UnlinkedRecord.remote_id, "name": UnlinkedRecord.name, "reason": literal(reason),
                "plan": literal([], JsonValue), "record": UnlinkedRecord.record, "is_included": literal(True),
                "left_out": literal([], JsonValue), "chosen": literal(False), "applied": literal(""),
            }  # fmt: skip
            found = select(*values.values()).where(UnlinkedRecord.id.in_(ids)).order_by(UnlinkedRecord.name_key)
            db.session.execute(insert(RunItem).from_select(list(values), found, include_defaults=False))

    def _insert(self, rows: list[_Row]) -> None:
        records = {
            row.id: client_from_json(row.record)
            for row in unlinked.some(self.context.connection.id, [one.slim.id for one in rows])
        }
        clients = self._clients({row.client_id for row in rows if row.outcome == Outcome.LINKED and row.client_id})
        made = [self._item(row, records[row.slim.id], clients.get(row.client_id or 0)) for row in rows]
        if made:
            db.session.execute(insert(RunItem), made)

    def _item(self, row: _Row, record: ClientRecord, client: Client | None) -> dict[str, Any]:
        plan = rows_of(plan_of_new_link(client, record, self.context)) if client is not None else []
        return {
            "run_id": self.run_id, "outcome": row.outcome, "client_id": row.client_id, "remote_id": record.remote_id,
            "name": record.name, "reason": row.reason, "plan": plan, "record": record.as_json(),
            "client_version": client.version if client is not None else None, "chosen": row.is_chosen,
            "is_included": row.outcome not in OF_KIND.values(), "left_out": [], "applied": "",
        }  # fmt: skip

    def _clients(self, ids: set[int]) -> dict[int, Client]:
        query = select(Client).where(Client.id.in_(ids)).options(
            selectinload(Client.contacts), selectinload(Client.groups), selectinload(Client.links)
        )  # fmt: skip
        return {client.id: client for client in db.session.scalars(query)}
