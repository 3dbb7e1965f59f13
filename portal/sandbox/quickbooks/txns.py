"""Invoices and payments as rows: the JSON that is answered, and columns to find it by. One counter numbers both."""

from __future__ import annotations

import json
import sqlite3
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from portal.sandbox.quickbooks import hooks
from portal.sandbox.quickbooks.wire import dump, stamp

Record = dict[str, Any]
ENTITIES = ("Invoice", "Payment")
GONE = -1  # the `active` of a deleted row
A_DAY_MS = 86_400_000
NO_CENTS = ("JPY", "KRW", "VND", "CLP", "ISK")
COLUMNS = (
    "tenant", "entity", "id", "active", "number", "customer", "txn_date", "due_date", "term", "balance", "total",
    "note", "created", "updated", "written", "body",
)  # fmt: skip
TYPES = """tenant TEXT NOT NULL, entity TEXT NOT NULL, id INTEGER NOT NULL, active INTEGER NOT NULL,
    number TEXT NOT NULL, customer TEXT NOT NULL, txn_date TEXT NOT NULL, due_date TEXT NOT NULL, term TEXT NOT NULL,
    balance REAL NOT NULL, total REAL NOT NULL, note TEXT NOT NULL, created INTEGER NOT NULL,
    updated INTEGER NOT NULL, written INTEGER NOT NULL, body TEXT NOT NULL, merged_into INTEGER,
    gone INTEGER NOT NULL DEFAULT 0"""
INDEXES = {
    name: f"CREATE INDEX IF NOT EXISTS {name} ON {columns}"
    for name, columns in {
        "qbo_txn_state": "qbo_txn (tenant, entity, active, id)",
        "qbo_txn_state_updated": "qbo_txn (tenant, entity, active, updated, id)",
        "qbo_txn_updated": "qbo_txn (tenant, entity, updated, id)",
        "qbo_txn_created": "qbo_txn (tenant, entity, active, created, id)",
        "qbo_txn_number": "qbo_txn (tenant, entity, number, active)",
        "qbo_txn_customer": "qbo_txn (tenant, entity, customer, active)",
        "qbo_txn_balance": "qbo_txn (tenant, entity, active, balance, updated, id)",
        "qbo_txn_version_time": "qbo_txn_version (tenant, replaced)",
    }.items()
}
SCHEMA = (
    f"CREATE TABLE IF NOT EXISTS qbo_txn (n INTEGER PRIMARY KEY, {TYPES}, UNIQUE (tenant, id))",
    f"CREATE TABLE IF NOT EXISTS qbo_txn_version ({TYPES}, replaced INTEGER NOT NULL)",
    *INDEXES.values(),
)
TABLES = ("txn", "txn_version")
INSERT = f"INSERT INTO qbo_txn ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"


def row_of(tenant: str, entity: str, record: Record, created: int, updated: int, written: int) -> tuple[Any, ...]:
    """The columns of a record. Seconds, but `written` in milliseconds; sets the record's MetaData."""
    record["MetaData"] = {"CreateTime": stamp(created), "LastUpdatedTime": stamp(updated)}
    return (
        tenant, entity, int(record["Id"]), 1, str(record.get("DocNumber") or "").casefold(),
        str((record.get("CustomerRef") or {}).get("value", "")), str(record.get("TxnDate") or ""),
        str(record.get("DueDate") or ""), str((record.get("SalesTermRef") or {}).get("value", "")),
        float(record.get("Balance") or 0), float(record.get("TotalAmt") or 0), str(record.get("PrivateNote") or ""),
        created, updated, written, dump(record),
    )  # fmt: skip


def insert(db: sqlite3.Connection, tenant: str, entity: str, record: Record, now_ms: int) -> None:
    """A new row; listeners will hear of it."""
    seconds = now_ms // 1000
    db.execute(INSERT, row_of(tenant, entity, record, seconds, seconds, now_ms))
    hooks.note(tenant, entity, record["Id"], "Create")


def save(
    db: sqlite3.Connection, row: sqlite3.Row, record: Record, now_ms: int, verb: str = "Update", *, touch: bool = True
) -> None:
    """Store a changed record over `row`. `touch` raises the SyncToken and moves the stamp."""
    keep_version(db, row, now_ms)
    if touch:
        record["SyncToken"] = str(int(record["SyncToken"]) + 1)
    updated = now_ms // 1000 if touch else row["updated"]
    values = row_of(row["tenant"], row["entity"], record, row["created"], updated, now_ms)
    db.execute(f"UPDATE qbo_txn SET {', '.join(f'{name} = ?' for name in COLUMNS)} WHERE n = ?", (*values, row["n"]))
    if touch:
        hooks.note(row["tenant"], row["entity"], record["Id"], verb)


def remove(db: sqlite3.Connection, row: sqlite3.Row, now_ms: int) -> None:
    """Gone for good: only the changes still have a stub of it."""
    keep_version(db, row, now_ms)
    db.execute(
        "UPDATE qbo_txn SET gone = 1, active = ?, updated = ?, written = ? WHERE n = ?",
        (GONE, now_ms // 1000, now_ms, row["n"]),
    )
    hooks.note(row["tenant"], row["entity"], str(row["id"]), "Delete")


def keep_version(db: sqlite3.Connection, row: sqlite3.Row, now_ms: int) -> None:
    """What this row was, for look-ups that lag behind; a day's worth."""
    names = f"{', '.join(COLUMNS)}, merged_into, gone"
    db.execute("DELETE FROM qbo_txn_version WHERE tenant = ? AND replaced < ?", (row["tenant"], now_ms - A_DAY_MS))
    db.execute(
        f"INSERT INTO qbo_txn_version ({names}, replaced) SELECT {names}, ? FROM qbo_txn WHERE n = ? AND written < ?",
        (now_ms, row["n"], now_ms),
    )


def next_id(db: sqlite3.Connection, tenant: str) -> int:
    """One counter for all transactions."""
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM qbo_txn WHERE tenant = ?", (tenant,)).fetchone()
    return int(last) + 1


def next_number(db: sqlite3.Connection, tenant: str) -> str:
    """What the company numbers its next invoice: one more than the highest that is all digits."""
    (last,) = db.execute(
        "SELECT max(CAST(number AS INTEGER)) FROM qbo_txn WHERE tenant = ? AND entity = 'Invoice' AND active = 1"
        " AND number != '' AND number NOT GLOB '*[^0-9]*' AND length(number) < 12",
        (tenant,),
    ).fetchone()
    return str(int(last or 1000) + 1)


def find(db: sqlite3.Connection, tenant: str, entity: str, identifier: str) -> sqlite3.Row | None:
    """One row that is not deleted, or None."""
    if not identifier.isascii() or not identifier.isdigit() or len(identifier) > 18:
        return None
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM qbo_txn WHERE tenant = ? AND id = ? AND entity = ? AND gone = 0",
        (tenant, int(identifier), entity),
    ).fetchone()
    return row


def holder_of(db: sqlite3.Connection, tenant: str, number: str, but: int = -1) -> sqlite3.Row | None:
    """The invoice that has this number, or None. `but` is one's own row."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM qbo_txn WHERE tenant = ? AND entity = 'Invoice' AND number = ? AND active = 1 AND n != ?",
        (tenant, number.casefold(), but),
    ).fetchone()
    return row


def loaded(row: sqlite3.Row) -> Record:
    """The record of a row."""
    record: Record = json.loads(row["body"])
    return record


def exact(value: Any) -> Decimal:
    """A JSON number as it was written; raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is no number")
    try:
        found = Decimal(str(value))
    except InvalidOperation as reason:
        raise ValueError(f"{value!r} is no number") from reason
    if not found.is_finite():
        raise ValueError(f"{value!r} is no number")
    return found


def rounded(value: Decimal, currency: str) -> Decimal:
    """To the currency's smallest coin, halves away from nought."""
    return value.quantize(Decimal(1) if currency in NO_CENTS else Decimal("0.01"), ROUND_HALF_UP)


def plain(value: Decimal) -> int | float:
    """As JSON writes it: 100, 99.5."""
    return int(value) if value == value.to_integral_value() else float(value)
