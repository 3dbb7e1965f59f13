"""Customers, vendors and employees as rows: the JSON that is answered, and columns to find it by.

The three share one table because they share their names: none of them may have a name another one has.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from portal.sandbox.quickbooks import hooks
from portal.sandbox.quickbooks.wire import dump, stamp

Record = dict[str, Any]
ENTITIES = ("Customer", "Vendor", "Employee")
SUFFIX = " (deleted)"
A_DAY_MS = 86_400_000
GONE = -1  # the `active` of a deleted row, so that lists need not look at `gone`
# Column -> the property it answers for in a query, compared without case.
TEXTS = {
    "q_display": "DisplayName",
    "q_given": "GivenName",
    "q_middle": "MiddleName",
    "q_family": "FamilyName",
    "q_company": "CompanyName",
    "q_print": "PrintOnCheckName",
    "q_full": "FullyQualifiedName",
}
COLUMNS = (
    "tenant",
    "entity",
    "id",
    "active",
    "name_key",
    "base_key",
    "created",
    "updated",
    "written",
    "balance",
    "parent",
    *TEXTS,
    "q_email",
    "body",
)
TYPES = """tenant TEXT NOT NULL, entity TEXT NOT NULL, id INTEGER NOT NULL, active INTEGER NOT NULL,
    name_key TEXT NOT NULL, base_key TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    written INTEGER NOT NULL, balance REAL NOT NULL, parent INTEGER, q_display TEXT NOT NULL, q_given TEXT NOT NULL,
    q_middle TEXT NOT NULL, q_family TEXT NOT NULL, q_company TEXT NOT NULL, q_print TEXT NOT NULL,
    q_full TEXT NOT NULL, q_email TEXT NOT NULL, body TEXT NOT NULL, merged_into INTEGER,
    gone INTEGER NOT NULL DEFAULT 0"""
INDEXES = {
    name: f"CREATE INDEX IF NOT EXISTS {name} ON {columns}"
    for name, columns in {
        "qbo_name_state": "qbo_name (tenant, entity, active, id)",
        "qbo_name_state_updated": "qbo_name (tenant, entity, active, updated, id)",
        "qbo_name_id": "qbo_name (tenant, entity, id, active)",
        "qbo_name_updated": "qbo_name (tenant, entity, updated, id, active)",
        "qbo_name_key": "qbo_name (tenant, name_key)",
        "qbo_name_base": "qbo_name (tenant, base_key)",
        "qbo_name_display": "qbo_name (tenant, entity, q_display, active, id)",
        "qbo_name_email": "qbo_name (tenant, entity, q_email, active, id)",
        "qbo_name_parent": "qbo_name (tenant, parent)",
        "qbo_version_time": "qbo_version (tenant, replaced)",
    }.items()
}
SCHEMA = (
    f"CREATE TABLE IF NOT EXISTS qbo_name (n INTEGER PRIMARY KEY, {TYPES}, UNIQUE (tenant, id))",
    f"CREATE TABLE IF NOT EXISTS qbo_version ({TYPES}, replaced INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS qbo_request (
        tenant TEXT NOT NULL, requestid TEXT NOT NULL, at REAL NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (tenant, requestid))""",
    *INDEXES.values(),
)
TABLES = ("name", "version", "request")
INSERT = f"INSERT INTO qbo_name ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"


def key_of(name: str) -> str:
    """What two names must not share: case and spacing do not matter."""
    return " ".join(name.split()).casefold()


def base_name(name: str) -> str:
    """The name before it was made inactive."""
    return name.removesuffix(SUFFIX)


def row_of(tenant: str, entity: str, record: Record, created: int, updated: int, written: int) -> tuple[Any, ...]:
    """The columns of a record. Seconds, but `written` in milliseconds; sets the record's MetaData."""
    record["MetaData"] = {"CreateTime": stamp(created), "LastUpdatedTime": stamp(updated)}
    name, active = record["DisplayName"], bool(record["Active"])
    key = key_of(name)
    parent = record.get("ParentRef")
    return (
        tenant,
        entity,
        int(record["Id"]),
        int(active),
        key,
        key if active else key_of(base_name(name)),
        created,
        updated,
        written,
        float(record.get("Balance") or 0),
        int(parent["value"]) if parent else None,
        *(str(record.get(prop) or "").casefold() for prop in TEXTS.values()),
        str((record.get("PrimaryEmailAddr") or {}).get("Address", "")).casefold(),
        dump(record),
    )


def insert(db: sqlite3.Connection, tenant: str, entity: str, record: Record, now_ms: int) -> None:
    """A new row, with the next free Id unless the record has one."""
    record.setdefault("Id", str(next_id(db, tenant)))
    seconds = now_ms // 1000
    db.execute(INSERT, row_of(tenant, entity, record, seconds, seconds, now_ms))
    hooks.note(tenant, entity, record["Id"], "Create")


def save(db: sqlite3.Connection, row: sqlite3.Row, record: Record, now_ms: int, *, touch: bool = True) -> None:
    """Store a changed record over `row`. `touch` raises the SyncToken and moves the stamp."""
    if touch:
        record["SyncToken"] = str(int(record["SyncToken"]) + 1)
    keep_version(db, row, now_ms)
    updated = now_ms // 1000 if touch else row["updated"]
    values = row_of(row["tenant"], row["entity"], record, row["created"], updated, now_ms)
    db.execute(f"UPDATE qbo_name SET {', '.join(f'{name} = ?' for name in COLUMNS)} WHERE n = ?", (*values, row["n"]))
    if touch:
        hooks.note(row["tenant"], row["entity"], record["Id"], "Update")


def keep_version(db: sqlite3.Connection, row: sqlite3.Row, now_ms: int) -> None:
    """What this row was, for reads that lag behind; a day's worth."""
    names = f"{', '.join(COLUMNS)}, merged_into, gone"
    db.execute("DELETE FROM qbo_version WHERE tenant = ? AND replaced < ?", (row["tenant"], now_ms - A_DAY_MS))
    db.execute(
        f"INSERT INTO qbo_version ({names}, replaced) SELECT {names}, ? FROM qbo_name WHERE n = ? AND written < ?",
        (now_ms, row["n"], now_ms),
    )


def next_id(db: sqlite3.Connection, tenant: str) -> int:
    """One counter for all three kinds."""
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM qbo_name WHERE tenant = ?", (tenant,)).fetchone()
    return int(last) + 1


def find(db: sqlite3.Connection, tenant: str, entity: str, identifier: str) -> sqlite3.Row | None:
    """One row, in whatever state, or None."""
    if not identifier.isascii() or not identifier.isdigit() or len(identifier) > 18:
        return None
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM qbo_name WHERE tenant = ? AND entity = ? AND id = ?", (tenant, entity, int(identifier))
    ).fetchone()
    return row


def holder_of(db: sqlite3.Connection, tenant: str, name: str, *, inactive_blocks: bool, but: int = -1) -> str | None:
    """The Id of whoever has this name among customers, vendors and employees, or None. `but` is one's own row."""
    mine = "SELECT id FROM qbo_name WHERE tenant = ? AND gone = 0 AND n != ?"
    row = db.execute(f"{mine} AND name_key = ?", (tenant, but, key_of(name))).fetchone()
    if row is None and inactive_blocks:
        row = db.execute(f"{mine} AND base_key = ? AND merged_into IS NULL", (tenant, but, key_of(name))).fetchone()
    return str(row["id"]) if row else None


def loaded(row: sqlite3.Row) -> Record:
    """The record of a row."""
    record: Record = json.loads(row["body"])
    return record


def children(db: sqlite3.Connection, tenant: str, parent: str) -> Iterable[sqlite3.Row]:
    """Sub-customers, one level down."""
    return db.execute(
        "SELECT * FROM qbo_name WHERE tenant = ? AND parent = ? AND gone = 0 ORDER BY id", (tenant, int(parent))
    ).fetchall()
