"""The safety catch: what a run would take away, counted before anything is written."""

from __future__ import annotations

from sqlalchemy import func, select

from portal.db import db
from portal.domain.apps import ClientLink
from portal.domain.planning import is_blank, values_of
from portal.domain.records import ClientRecord, RecordState, client_from_json
from portal.domain.safety_catch import Danger
from portal.sync.reading import Known, Reading

BATCH = 200


class Dangerous(Exception):
    """The safety catch held the run; the text says what it would have done."""


def missing(known: dict[str, Known], reading: Reading) -> list[str]:
    """Linked records a complete list no longer has; none when the list was not complete."""
    return [remote_id for remote_id, one in known.items() if not one.is_broken and reading.lacks(remote_id)]


def danger(known: dict[str, Known], reading: Reading, missing: list[str], *, means_gone: bool = True) -> Danger:
    """What the run would take away, of all that is linked. Counted before anything is written.

    `means_gone`: a record that is missing from the app's list is no longer there. Where it is not so, nothing happens
    to its link, and yet a list that lacks so many is one nobody should act upon. Clients created there from here do not
    count then: such an app may not list them before something is booked for them.
    """
    if not known:
        return Danger(0, 0, 0)
    linked = sum(1 for one in known.values() if not one.is_broken)
    orphaned, blanked = len(missing) if means_gone else 0, 0
    absent = 0 if means_gone else len(missing) - _created([known[one].link_id for one in missing])
    candidates: list[tuple[int, ClientRecord]] = []
    for record in reading.records():
        link = known.get(record.remote_id)
        if link is None or link.is_broken:
            continue
        if record.state != RecordState.ACTIVE:
            orphaned += 1
        elif any(is_blank(value) for value in values_of(record).values()):
            candidates.append((link.link_id, record))
        if len(candidates) == BATCH:
            blanked += _blanked(candidates)
            candidates = []
    return Danger(linked, blanked + _blanked(candidates), orphaned, absent)


def _created(link_ids: list[int]) -> int:
    """How many of these were created there from here."""
    count = 0
    for start in range(0, len(link_ids), BATCH):
        some = ClientLink.id.in_(link_ids[start : start + BATCH])
        query = select(func.count()).select_from(ClientLink).where(some, ClientLink.made_by == "created")
        count += db.session.scalar(query) or 0
    return count


def _blanked(candidates: list[tuple[int, ClientRecord]]) -> int:
    """How many of these records have lost something they held when they were last seen."""
    records = dict(candidates)
    rows = db.session.execute(select(ClientLink.id, ClientLink.seen).where(ClientLink.id.in_(list(records))))
    count = 0
    for link_id, seen in rows:
        if not seen:
            continue
        before, after = values_of(client_from_json(seen)), values_of(records[link_id])
        count += any(not is_blank(before.get(name)) and is_blank(value) for name, value in after.items())
    return count
