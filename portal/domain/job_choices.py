"""What a job in a practice app can be made of, as last read (XPM-7), and what the library says of it (XP-16).

Settings of a service are, per connection, the app's ids of a template and a category. What a service leaves out is as
the proposal says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import exists, select

from portal.db import db
from portal.domain import connections
from portal.domain.apps import Connection, ConnectionState
from portal.domain.ledgers.models import LedgerEntry
from portal.domain.records import JobCategory, JobTemplate, NamedRecord

TEMPLATE, CATEGORY = "job_template", "job_category"  # kinds of entries read from the app
KINDS = {"template": TEMPLATE, "category": CATEGORY}
LISTS = {"job templates": TEMPLATE, "job categories": CATEGORY}  # as an app's reference lists are called
Settings = Mapping[str, Mapping[str, str]]  # connection id -> template and category


def keep_choices(connection_id: int, templates: Iterable[JobTemplate], categories: Iterable[JobCategory]) -> None:
    """What jobs there can be made of, as just read; what is there no more stays, inactive."""
    _keep(connection_id, TEMPLATE, {one.remote_id: one.name for one in templates})
    _keep(connection_id, CATEGORY, {one.remote_id: one.name for one in categories})


def keep_listed(connection_id: int, lists: Mapping[str, Iterable[NamedRecord]]) -> None:
    """The same from the lists a sync has read, so that the first sync of a practice is enough to set up jobs."""
    for name, kind in LISTS.items():
        _keep(connection_id, kind, {one.remote_id: one.name for one in lists.get(name, ())})


def _keep(connection_id: int, kind: str, told: Mapping[str, str]) -> None:
    """Nothing told is no news: an app that keeps a list from us gives an empty one."""
    if not told:
        return
    held = {one.remote_id: one for one in _entries([connection_id]) if one.kind == kind}
    for remote_id, name in told.items():
        entry = held.get(remote_id)
        if entry is None:
            entry = LedgerEntry(connection_id=connection_id, kind=kind, remote_id=remote_id, name=name, facts={})
            db.session.add(entry)
        entry.name, entry.is_active = name, True
    for remote_id, entry in held.items():
        if remote_id not in told:
            entry.is_active = False


def job_choices(connection_id: int, kind: str, keep: str = "") -> list[tuple[str, str]]:
    """(id, name) of the templates or categories a new job can have, by name; `keep` whatever became of it."""
    entries = [one for one in _entries([connection_id]) if one.kind == kind]
    found = [
        (one.remote_id, one.name if one.is_active else f"{one.name} (no longer there)")
        for one in entries
        if one.is_active or one.remote_id == keep
    ]
    return sorted(found, key=lambda one: one[1].lower())


def offering() -> list[Connection]:
    """Connected accounts whose templates or categories have been read, the first connected first."""
    has_entries = exists().where(LedgerEntry.connection_id == Connection.id, LedgerEntry.kind.in_((TEMPLATE, CATEGORY)))
    query = select(Connection).where(Connection.state == ConnectionState.CONNECTED, has_entries)
    return list(db.session.scalars(query.order_by(Connection.id)))


def named(connection_id: int, kind: str, remote_id: str) -> tuple[str, bool]:
    """What an entry is called there, and whether a job can still have it. One nobody has heard of has no name."""
    query = select(LedgerEntry.name, LedgerEntry.is_active).where(
        LedgerEntry.connection_id == connection_id, LedgerEntry.kind == kind, LedgerEntry.remote_id == remote_id
    )
    row = db.session.execute(query).first()
    return (row.name, bool(row.is_active)) if row is not None else ("", False)


def words(settings: Settings) -> str:
    """What a service says of its jobs, for a log: “XPM: template GST Return, category GST”."""
    ids = [int(one) for one in settings if one.isdecimal()]
    known = {(one.connection_id, one.kind, one.remote_id): one.name for one in _entries(ids)}
    said = []
    for connection_id in sorted(ids):
        connection = db.session.get(Connection, connection_id)
        held = settings[str(connection_id)]
        parts = [
            f"{name} {known.get((connection_id, kind, held[name]), 'that is no longer there')}"
            for name, kind in KINDS.items()
            if held.get(name)
        ]
        if parts and connection is not None:
            said.append(f"{connections.label(connection)}: {', '.join(parts)}")
    return "; ".join(said)


def _entries(connection_ids: Iterable[int]) -> list[LedgerEntry]:
    query = select(LedgerEntry).where(
        LedgerEntry.connection_id.in_(list(connection_ids)), LedgerEntry.kind.in_((TEMPLATE, CATEGORY))
    )
    return list(db.session.scalars(query))
