"""Finding runs and their rows. Every list is read by an index, in the order (outcome, id).

So a run over ten thousand records pages as fast as a short one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import defer

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection, IllegalMove, Outcome, RunItem, RunKind, RunState, SyncRun
from portal.domain.clients import Client
from portal.domain.runs.words import IN_ORDER, STATE_WORDS


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Some rows of a run. `after` and `before` are the ids to continue from; None: that was the end, the beginning."""

    rows: list[RunItem]
    before: int | None
    after: int | None


def get(connection_id: int, run_id: int) -> SyncRun | None:
    """The run, if it is one of this connection's."""
    run = db.session.get(SyncRun, run_id)
    return run if run is not None and run.connection_id == connection_id else None


def recent(connection: Connection, limit: int = 20, before: int | None = None) -> list[SyncRun]:
    """Newest first. `before` is the id of the last run already shown."""
    query = select(SyncRun).where(SyncRun.connection_id == connection.id).order_by(SyncRun.id.desc()).limit(limit)
    return list(db.session.scalars(query if before is None else query.where(SyncRun.id < before)))


def latest_open(connection: Connection) -> SyncRun | None:
    query = select(SyncRun).where(
        SyncRun.connection_id == connection.id, SyncRun.state.in_((RunState.QUEUED, RunState.RUNNING))
    )
    return db.session.scalar(query)


def latest(connection: Connection) -> SyncRun | None:
    """The newest run that was to change something: previews do not count."""
    return db.session.scalar(
        select(SyncRun)
        .where(SyncRun.connection_id == connection.id, SyncRun.kind != RunKind.PREVIEW)
        .order_by(SyncRun.id.desc())
        .limit(1)
    )


def latest_ended(connection: Connection) -> SyncRun | None:
    """The newest run that looked at everything it was to look at, for 'last synced'."""
    return db.session.scalar(
        select(SyncRun)
        .where(
            SyncRun.connection_id == connection.id,
            SyncRun.kind != RunKind.PREVIEW,
            SyncRun.state.in_((RunState.DONE, RunState.PARTIAL)),
        )
        .order_by(SyncRun.id.desc())
        .limit(1)
    )


def held(connection: Connection) -> SyncRun | None:
    """The run that waits for a person's word; None when a later one has made it pointless."""
    run = latest(connection)
    return run if run is not None and run.state == RunState.HELD else None


def leave(run: SyncRun, *, app: str, by: Actor, now: datetime) -> None:
    """A person has looked at a held run and wants none of it: nothing was changed and nothing will be.

    Raises `IllegalMove` when the run is not held (any more).
    """
    if run.state != RunState.HELD:
        raise IllegalMove(f"a run that is {STATE_WORDS[RunState(run.state)]} cannot be left")
    run.state = RunState.CANCELLED
    run.message = f"{by.name} looked at the plan and left it. Nothing was changed."
    activity.record(Verb.SYNC_CANCELLED, by=by, now=now, connection_id=run.connection_id, app=app)


def overtaken_by(preview: SyncRun) -> SyncRun | None:
    """The newest later run that may have changed what this preview saw; its own applications do not count."""
    return db.session.scalar(
        select(SyncRun)
        .where(
            SyncRun.connection_id == preview.connection_id,
            SyncRun.id > preview.id,
            SyncRun.kind != RunKind.PREVIEW,
            SyncRun.state.in_((RunState.RUNNING, RunState.DONE, RunState.PARTIAL, RunState.CANCELLED)),
            or_(SyncRun.preview_id.is_(None), SyncRun.preview_id != preview.id),
        )
        .order_by(SyncRun.id.desc())
        .limit(1)
    )


def application(preview: SyncRun) -> SyncRun | None:
    """The newest run that applied this preview."""
    return db.session.scalar(
        select(SyncRun)
        .where(
            SyncRun.connection_id == preview.connection_id, SyncRun.id > preview.id, SyncRun.preview_id == preview.id
        )
        .order_by(SyncRun.id.desc())
        .limit(1)
    )


def items(
    run: SyncRun,
    outcome: Outcome | None = None,
    after_id: int = 0,
    limit: int = 50,
    name: str = "",
    *,
    with_record: bool = False,
) -> list[RunItem]:
    """Rows of one outcome or, outcome by outcome, of all; `after_id` is the last row already shown.

    `with_record`: also the record as read, which is the bulk of a row and which few lists show.
    """
    found: list[RunItem] = []
    for one, start in _stretches(run, outcome, after_id, IN_ORDER):
        query = _rows(run, one, name, with_record).where(RunItem.id > start).order_by(RunItem.id)
        found += db.session.scalars(query.limit(limit - len(found)))
        if len(found) >= limit:
            break
    return found


def items_before(
    run: SyncRun,
    outcome: Outcome | None,
    before_id: int,
    limit: int = 50,
    name: str = "",
    *,
    with_record: bool = False,
) -> list[RunItem]:
    """The rows just above `before_id`, in the same order as `items`."""
    found: list[RunItem] = []
    for one, start in _stretches(run, outcome, before_id, tuple(reversed(IN_ORDER))):
        query = _rows(run, one, name, with_record).order_by(RunItem.id.desc())
        if start:
            query = query.where(RunItem.id < start)
        found += db.session.scalars(query.limit(limit - len(found)))
        if len(found) >= limit:
            break
    return found[::-1]


def item_page(
    run: SyncRun,
    outcome: Outcome | None = None,
    *,
    after: int = 0,
    before: int = 0,
    name: str = "",
    limit: int = 50,
    with_record: bool = False,
) -> ItemPage:
    """One page of rows, and from where the pages around it go on."""
    if before:
        rows = items_before(run, outcome, before, limit + 1, name, with_record=with_record)
        more_above, rows = len(rows) > limit, rows[-limit:]
        return ItemPage(rows, rows[0].id if rows and more_above else None, rows[-1].id if rows else None)
    rows = items(run, outcome, after, limit + 1, name, with_record=with_record)
    more_below, rows = len(rows) > limit, rows[:limit]
    return ItemPage(rows, rows[0].id if rows and after else None, rows[-1].id if rows and more_below else None)


def every_item(run: SyncRun, outcome: Outcome | None = None, name: str = "", portion: int = 500) -> Iterator[RunItem]:
    """All rows, read in portions, for an export."""
    last = 0
    while rows := items(run, outcome, last, portion, name):
        last = rows[-1].id
        yield from rows


def item(run: SyncRun, item_id: int) -> RunItem | None:
    """The row, if it is one of this run's."""
    found = db.session.get(RunItem, item_id)
    return found if found is not None and found.run_id == run.id else None


def some_items(run: SyncRun, ids: list[int]) -> list[RunItem]:
    """Those of these rows that are this run's."""
    return list(db.session.scalars(select(RunItem).where(RunItem.id.in_(ids), RunItem.run_id == run.id)))


def names_here(items: list[RunItem]) -> dict[int, str]:
    """The present names of the clients these rows are about, by client id."""
    ids = {one.client_id for one in items if one.client_id is not None}
    rows = db.session.execute(select(Client.id, Client.name).where(Client.id.in_(ids)))
    return {row.id: row.name for row in rows}


def _rows(run: SyncRun, outcome: Outcome, name: str, with_record: bool) -> Select[tuple[RunItem]]:
    query = select(RunItem).where(RunItem.run_id == run.id, RunItem.outcome == outcome)
    if not with_record:
        query = query.options(defer(RunItem.record))
    if name:
        query = query.where(RunItem.name.icontains(name, autoescape=True))
    return query


def _stretches(
    run: SyncRun, outcome: Outcome | None, from_id: int, order: tuple[Outcome, ...]
) -> list[tuple[Outcome, int]]:
    """Which outcomes to read one after the other, each with the id to start at (0: from its end)."""
    if outcome is not None:
        return [(outcome, from_id)]
    present: list[Outcome] = [one for one in order if one != Outcome.UNCHANGED]
    if not from_id:
        return [(one, 0) for one in present]
    start = db.session.get(RunItem, from_id)
    if start is None or start.run_id != run.id or start.outcome not in present:
        return []
    at = present.index(Outcome(start.outcome))
    return [(present[at], from_id), *((one, 0) for one in present[at + 1 :])]
