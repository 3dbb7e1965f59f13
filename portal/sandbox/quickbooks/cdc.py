"""Change data capture: whole records that changed since a moment, once each, without pages."""

from __future__ import annotations

import sqlite3

from portal.sandbox.context import Sandbox, hint
from portal.sandbox.quickbooks import books, faults, search
from portal.sandbox.quickbooks.shelves import EMPTY, KNOWN, table
from portal.sandbox.quickbooks.wire import dump, moment, stamp

LOOK_BACK = 30 * 86_400


def asked(box: Sandbox, entities: str, since: str) -> tuple[list[str], int]:
    """(kinds, seconds since 1970); raises Fault."""
    if not entities.strip():
        raise faults.missing("entities")
    if not since.strip():
        raise faults.missing("changedSince")
    names = []
    for word in entities.split(","):
        name = KNOWN.get(word.strip().lower())
        if name is None or name in books.UNTRACKED:
            raise faults.not_queryable(f"Invalid entity {word.strip()}")
        names.append(name)
    try:
        start = moment(since)
    except ValueError as reason:
        raise faults.bad_date(since) from reason
    oldest = int(box.clock.seconds()) - LOOK_BACK
    if start < oldest and box.switches["quickbooks_cdc_too_old"] == "refused":
        raise faults.not_queryable("changedSince must not be more than 30 days ago")
    return names, max(start, oldest)


def found(box: Sandbox, db: sqlite3.Connection, tenant: str, names: list[str], since: int) -> str:
    """One element for each kind, {} when nothing changed."""
    most = int(box.switches["quickbooks_cdc_most"])
    room, parts = most, []
    for name in names:
        rows = [] if name in EMPTY or hint("empty_list") else _rows(box, db, tenant, name, since, room)
        if box.switches["quickbooks_cdc_cap"] == "total":
            room -= len(rows)
        parts.append(_element(box, name, rows))
    return ",".join(parts)


def _rows(box: Sandbox, db: sqlite3.Connection, tenant: str, name: str, since: int, room: int) -> list[sqlite3.Row]:
    comparison = ">=" if box.switches["quickbooks_cdc_inclusive"] else ">"
    return db.execute(
        f"SELECT id, active, merged_into, gone, updated, body FROM {table(box, name)} WHERE tenant = ? AND entity = ?"
        f" AND updated {comparison} ? ORDER BY updated, id LIMIT ?",
        (tenant, name, since, max(0, room)),
    ).fetchall()


def _element(box: Sandbox, name: str, rows: list[sqlite3.Row]) -> str:
    if not rows:
        return "{}"
    stubs = box.switches["quickbooks_cdc_inactive"] == "stub"
    hidden = box.switches["quickbooks_merged_shows"] == "gone"
    texts = []
    for row in rows:
        away = row["gone"] or (hidden and row["merged_into"] is not None) or (stubs and not row["active"])
        texts.append(_stub(row) if away else search.bodies(box, name, [row["body"]])[0])
    return f'{{"{name}":[{",".join(texts)}],"startPosition":1,"maxResults":{len(rows)},"totalCount":{len(rows)}}}'


def _stub(row: sqlite3.Row) -> str:
    when = {"LastUpdatedTime": stamp(row["updated"])}
    return dump({"domain": "QBO", "status": "Deleted", "Id": str(row["id"]), "MetaData": when})
