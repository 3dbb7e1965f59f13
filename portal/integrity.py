"""Whether the database can be trusted: looked over on request, and watched while the portal runs.

Once SQLite has said that its file is damaged, nothing is written to it any more until an operator has looked: every
further write would be built on rubbish. Reading goes on, so that people see what there is and a backup can be tried.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, event, exc, func, select, text
from sqlalchemy.engine import Engine, ExceptionContext

from portal.db import db, is_reading

DAMAGED_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
ADVICE = (
    "The database file is damaged, so nothing is written to it any more. Stop the portal, keep a copy of the file as "
    "it is, and restore the latest backup (docs/operating.md, “When the database is damaged”)."
)

_damage: str | None = None


class DatabaseDamaged(Exception):
    """The database is damaged and must not be written to; the text says what to do."""


def damage() -> str | None:
    """What SQLite said when it met damage; None while all is well."""
    return _damage


def is_damage(error: BaseException | None) -> bool:
    """Whether an error of the driver means that the file itself is damaged."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.DatabaseError) and code is not None and code & 0xFF in DAMAGED_CODES


def forget() -> None:
    """Believe the database again: another file was put in its place."""
    global _damage
    _damage = None


@event.listens_for(Engine, "handle_error")
def _notice(context: ExceptionContext) -> None:
    global _damage
    if is_damage(context.original_exception):
        _damage = str(context.original_exception)


@event.listens_for(Engine, "begin", insert=True)
def _refuse_writes(connection: Connection) -> None:
    if _damage is not None and connection.dialect.name == "sqlite" and not is_reading():
        raise DatabaseDamaged(ADVICE)


def refuse_damaged_file(database_url: str) -> None:
    """Look over an SQLite file before anything uses it. Raises `DatabaseDamaged`; other databases pass."""
    path = database_url.removeprefix("sqlite:///")
    if path == database_url or not Path(path).is_file():
        return
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        found = str(error)
    if found != "ok":
        raise DatabaseDamaged(f"{ADVICE} SQLite says: {found}.")


def problems(connection: Connection, metadata: MetaData | None = None) -> list[str]:
    """Everything wrong that a thorough look finds, in sentences; empty when nothing is."""
    try:
        if connection.dialect.name == "sqlite":
            return _sqlite_problems(connection)
        return _postgresql_problems(connection, metadata or db.metadata)
    except exc.DatabaseError as error:
        return [f"The database could not be read to the end: {error.orig}."]


def _sqlite_problems(connection: Connection) -> list[str]:
    found = [f"The file: {row[0]}" for row in connection.execute(text("PRAGMA integrity_check(20)")) if row[0] != "ok"]
    for row in connection.execute(text("PRAGMA foreign_key_check")):
        found.append(f"Row {row[1]} of the table {row[0]} points at a row of {row[2]} that does not exist.")
    return found


def _postgresql_problems(connection: Connection, metadata: MetaData) -> list[str]:
    """Read every value, count by table and by index, and look for rows that point nowhere."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    found = []
    for table in metadata.sorted_tables:
        _prefer(connection, tables=True)
        everything = func.sum(func.length(text(f"{connection.dialect.identifier_preparer.format_table(table)}::text")))
        by_table = connection.execute(select(func.count(), everything).select_from(table)).one()[0]
        _prefer(connection, tables=False)
        by_index = connection.scalar(select(func.count()).select_from(table))
        if by_table != by_index:
            found.append(f"The table {table.name} has {by_table} rows, but its index knows {by_index}.")
        found += _pointing_nowhere(connection, table)
    return found


def _prefer(connection: Connection, *, tables: bool) -> None:
    on, off = ("on", "off") if tables else ("off", "on")
    connection.execute(text(f"SET LOCAL enable_seqscan = {on}"))
    for kind in ("indexscan", "indexonlyscan", "bitmapscan"):
        connection.execute(text(f"SET LOCAL enable_{kind} = {off}"))


def _pointing_nowhere(connection: Connection, table: Any) -> list[str]:
    found = []
    for key in table.foreign_keys:
        other = key.column.table.alias("other")
        lost = (
            select(func.count())
            .select_from(table.outerjoin(other, key.parent == other.c[key.column.name]))
            .where(key.parent.is_not(None), other.c[key.column.name].is_(None))
        )
        count = connection.scalar(lost)
        if count:
            found.append(f"{count} rows of {table.name} point at rows of {key.column.table.name} that do not exist.")
    return found
