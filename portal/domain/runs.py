"""What runs did and what previews would do: the questions screens ask, and the ticks a person sets.

Every list is read by an index, in the order (outcome, id), so a run over ten thousand records pages as fast as a short
one. A tick is a note on the reader's own working copy, not a change to a client: it leaves no Activity; applying does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, update
from sqlalchemy.orm import defer

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection, IllegalMove, Outcome, RunItem, RunKind, RunState, SyncRun

LONG = timedelta(hours=1)  # XPM-11, AP-15: a run past this is not normal

# The order in which lists show outcomes: what needs a person first.
IN_ORDER = (
    Outcome.FAILED, Outcome.QUARANTINED, Outcome.CONFLICT, Outcome.NEAR_MATCH, Outcome.AMBIGUOUS, Outcome.TAKEN,
    Outcome.BROKEN, Outcome.HELD_BACK, Outcome.UPDATED, Outcome.PUSHED, Outcome.LINKED, Outcome.CREATED,
    Outcome.SKIPPED, Outcome.UNCHANGED,
)  # fmt: skip
# What a person may tick in a preview: the outcomes that applying it would bring about.
TICKABLE = (Outcome.CONFLICT, Outcome.BROKEN, Outcome.UPDATED, Outcome.PUSHED, Outcome.LINKED, Outcome.CREATED)
NEEDS_A_PERSON = (Outcome.NEAR_MATCH, Outcome.AMBIGUOUS, Outcome.TAKEN)

# Outcome -> (one, several) after the fact, and before it.
DID: dict[Outcome, tuple[str, str]] = {
    Outcome.CREATED: ("created", "created"),
    Outcome.LINKED: ("linked", "linked"),
    Outcome.UPDATED: ("updated", "updated"),
    Outcome.PUSHED: ("sent", "sent"),
    Outcome.CONFLICT: ("conflict", "conflicts"),
    Outcome.UNCHANGED: ("unchanged", "unchanged"),
    Outcome.NEAR_MATCH: ("near match", "near matches"),
    Outcome.AMBIGUOUS: ("ambiguous name", "ambiguous names"),
    Outcome.TAKEN: ("name already taken", "names already taken"),
    Outcome.BROKEN: ("broken link", "broken links"),
    Outcome.SKIPPED: ("left out", "left out"),
    Outcome.HELD_BACK: ("held back", "held back"),
    Outcome.FAILED: ("failed", "failed"),
    Outcome.QUARANTINED: ("not understood", "not understood"),
}
WOULD_DO: dict[Outcome, tuple[str, str]] = DID | {
    Outcome.CREATED: ("to create", "to create"),
    Outcome.LINKED: ("to link", "to link"),
    Outcome.UPDATED: ("to update", "to update"),
    Outcome.PUSHED: ("to send", "to send"),
    Outcome.UNCHANGED: ("nothing to do", "nothing to do"),
    Outcome.BROKEN: ("link that breaks", "links that break"),
}

STATE_WORDS: dict[RunState, str] = {
    RunState.QUEUED: "waiting to start",
    RunState.RUNNING: "under way",
    RunState.HELD: "held for a person",
    RunState.DONE: "finished",
    RunState.PARTIAL: "not finished yet, goes on by itself",
    RunState.FAILED: "did not work",
    RunState.CANCELLED: "stopped",
    RunState.INTERRUPTED: "cut short",
}

PHASES: dict[str, str] = {
    "waiting": "Waiting to start",
    "reading": "Reading records",
    "matching": "Working out who is who",
    "planning": "Working out what changed",
    "applying": "Bringing clients in step",
    "sending": "Sending our changes",
    "ending": "Finishing",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an open run is. `rate` is records a second; `seconds_left` None: nobody can tell yet."""

    phase_sentence: str
    done: int
    total: int
    rate: float
    seconds_left: int | None
    calls: int
    allowance: int
    used_today: int
    is_over_an_hour: bool
    running_for: timedelta


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


def counted(run: SyncRun) -> list[tuple[Outcome, int]]:
    """What the run counted, none of it zero, in the order of lists."""
    return [(outcome, run.counts[outcome.value]) for outcome in IN_ORDER if run.counts.get(outcome.value)]


def told(run: SyncRun) -> list[tuple[Outcome, str]]:
    """What came of a run, each with its words: ('12 updated', '1 conflict'). What stayed as it was is left away."""
    words = WOULD_DO if run.kind == RunKind.PREVIEW else DID
    return [
        (outcome, phrase(outcome, count, words))
        for outcome, count in reversed(counted(run))
        if outcome != Outcome.UNCHANGED
    ]


def summary(run: SyncRun) -> str:
    """'12 updated, 1 conflict and 2 near matches'; what stayed as it was is named only when nothing else happened."""
    phrases = [text for _, text in told(run)]
    if not phrases:
        same = run.counts.get(Outcome.UNCHANGED.value, 0)
        return f"nothing to change, {same:,} in step" if same else "nothing to change"
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]


def phrase(outcome: Outcome, count: int, words: dict[Outcome, tuple[str, str]] | None = None) -> str:
    """'1 near match', '2 near matches'."""
    return f"{count:,} {(words or DID)[outcome][count != 1]}"


def looked_at(run: SyncRun) -> int:
    """How many records the run came to a verdict about."""
    return sum(run.counts.values())


def took(run: SyncRun, now: datetime) -> timedelta | None:
    """How long it ran, or has been running; None before it started. Never negative, whatever the clock did."""
    if run.started_at is None:
        return None
    return max((run.ended_at or now) - run.started_at, timedelta())


def progress(run: SyncRun, now: datetime, *, used_today: int = 0, allowance: int = 0) -> Progress:
    """How far it is. The two figures are the vendor's allowance for the day and how much of it is used."""
    left = max(run.total - run.done, 0)
    running_for = took(run, now) or timedelta()
    return Progress(
        phase_sentence=PHASES.get(run.phase, PHASES["applying"]),
        done=run.done,
        total=run.total,
        rate=run.rate,
        seconds_left=round(left / run.rate) if run.rate > 0 and run.total else None,
        calls=run.calls,
        allowance=allowance,
        used_today=used_today,
        is_over_an_hour=RunState(run.state).is_open and running_for > LONG,
        running_for=running_for,
    )


def items(
    run: SyncRun, outcome: Outcome | None = None, after_id: int = 0, limit: int = 50, name: str = ""
) -> list[RunItem]:
    """Rows of one outcome or, outcome by outcome, of all; `after_id` is the last row already shown."""
    found: list[RunItem] = []
    for one, start in _stretches(run, outcome, after_id, IN_ORDER):
        query = _rows(run, one, name).where(RunItem.id > start).order_by(RunItem.id)
        found += db.session.scalars(query.limit(limit - len(found)))
        if len(found) >= limit:
            break
    return found


def items_before(
    run: SyncRun, outcome: Outcome | None, before_id: int, limit: int = 50, name: str = ""
) -> list[RunItem]:
    """The rows just above `before_id`, in the same order as `items`."""
    found: list[RunItem] = []
    for one, start in _stretches(run, outcome, before_id, tuple(reversed(IN_ORDER))):
        query = _rows(run, one, name).order_by(RunItem.id.desc())
        if start:
            query = query.where(RunItem.id < start)
        found += db.session.scalars(query.limit(limit - len(found)))
        if len(found) >= limit:
            break
    return found[::-1]


def item_page(
    run: SyncRun, outcome: Outcome | None = None, *, after: int = 0, before: int = 0, name: str = "", limit: int = 50
) -> ItemPage:
    """One page of rows, and from where the pages around it go on."""
    if before:
        rows = items_before(run, outcome, before, limit + 1, name)
        more_above, rows = len(rows) > limit, rows[-limit:]
        return ItemPage(rows, rows[0].id if rows and more_above else None, rows[-1].id if rows else None)
    rows = items(run, outcome, after, limit + 1, name)
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


def _rows(run: SyncRun, outcome: Outcome, name: str) -> Select[tuple[RunItem]]:
    """Without the record as read, which no list shows and which is the bulk of a row."""
    query = select(RunItem).where(RunItem.run_id == run.id, RunItem.outcome == outcome).options(defer(RunItem.record))
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


# --- previews ---------------------------------------------------------------------------------------------------------


def is_tickable(item: RunItem) -> bool:
    """Whether a person may still choose about this row: it would do something, and nothing was done about it yet."""
    return item.outcome in TICKABLE and not item.applied


def tickable_fields(item: RunItem) -> list[str]:
    """The keys of the fields that would travel."""
    return [row["key"] for row in item.plan if row["action"] not in ("keep", "hold", "later")]


def set_included(item: RunItem, included: bool) -> None:
    """Take a record into what is applied, or leave it out. Taking in one whose every field was left out takes all."""
    if not is_tickable(item):
        return
    item.is_included = included
    if included and not set(tickable_fields(item)) - set(item.left_out):
        item.left_out = []


def set_field_included(item: RunItem, field: str, included: bool) -> None:
    """The same for one field, by its key. A record with no field left is left out; one with a field is in."""
    fields = tickable_fields(item)
    if not is_tickable(item) or field not in fields:
        return
    left_out = set(item.left_out) if item.is_included else set(fields)
    left_out = left_out - {field} if included else left_out | {field}
    item.left_out = [key for key in fields if key in left_out]
    item.is_included = len(left_out) < len(fields)


def choose(item: RunItem, taken: bool, fields: set[str]) -> None:
    """What a person left ticked about a row: the row itself, and of its fields these.

    The box that was changed decides: unticking the row leaves it out, ticking its only field takes it in.
    """
    choosable = tickable_fields(item)
    wanted = fields & set(choosable)
    if taken != item.is_included and not (taken and wanted):
        set_included(item, taken)
        return
    for key in choosable:
        set_field_included(item, key, key in wanted)


def include_all(run: SyncRun, outcome: Outcome | None, included: bool) -> int:
    """Every row of an outcome, or of all, shown or not. Gives back how many that is."""
    wanted = TICKABLE if outcome is None else tuple(one for one in TICKABLE if one == outcome)
    changed = db.session.execute(
        update(RunItem)
        .where(RunItem.run_id == run.id, RunItem.outcome.in_(wanted), RunItem.applied == "")
        .values({RunItem.is_included: included} | ({RunItem.left_out: []} if included else {}))
    )
    return changed.rowcount  # type: ignore[attr-defined,no-any-return]  # an UPDATE's result has a rowcount


def ticked(run: SyncRun) -> dict[Outcome, tuple[int, int]]:
    """For each outcome that can be ticked: how many rows are, and how many could be."""
    rows = db.session.execute(
        select(
            RunItem.outcome,
            func.sum(_one_if(and_(RunItem.is_included, RunItem.applied == ""))),
            func.sum(_one_if(RunItem.applied == "")),
        )
        .where(RunItem.run_id == run.id, RunItem.outcome.in_(TICKABLE))
        .group_by(RunItem.outcome)
    )
    found = {Outcome(outcome): (int(chosen), int(open_)) for outcome, chosen, open_ in rows}
    return {outcome: found[outcome] for outcome in TICKABLE if outcome in found}


def _one_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)


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
