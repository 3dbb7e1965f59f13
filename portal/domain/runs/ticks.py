"""The ticks of a preview: which records, and which of their fields, are to be applied.

A tick is a note on the reader's own working copy, not a change to a client: it leaves no Activity; applying does.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, case, func, select, update

from portal.db import db
from portal.domain.apps import Outcome, RunItem, SyncRun

# What a person may tick in a preview: the outcomes that applying it would bring about.
TICKABLE = (
    Outcome.CONFLICT, Outcome.BROKEN, Outcome.UPDATED, Outcome.PUSHED, Outcome.LINKED, Outcome.CREATED, Outcome.SKIPPED,
)  # fmt: skip


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
    return changed.rowcount  # type: ignore[attr-defined]  # an UPDATE's result has a rowcount


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
