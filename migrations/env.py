"""How migrations run: all of them in one transaction, and by one process at a time.

A migration that is killed half way leaves the database as it was; a second process that starts meanwhile waits, and
then finds nothing left to do.
"""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from flask import current_app
from sqlalchemy import JSON, Connection, Enum, text

from portal.db import EncryptedText, ExactDecimal, UtcDateTime, db

LOCK = 0x436F756E  # any number that nobody else locks; this one spells "Coun"
NOT_IN_METADATA = ("client_search",)  # made by hand in a migration: a virtual table on SQLite


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """What autogenerate looks at."""
    return not (kind == "table" and name is not None and name.startswith(NOT_IN_METADATA))


def render_item(kind: str, item: Any, autogenerate: Any) -> str | Literal[False]:
    """Our own column types by their short names; an enumeration as the text it is kept as."""
    if kind != "type":
        return False
    if isinstance(item, UtcDateTime | EncryptedText | ExactDecimal):
        autogenerate.imports.add(f"from portal.db import {type(item).__name__}")
        return f"{type(item).__name__}()"
    if isinstance(item, JSON):
        autogenerate.imports.add("from portal.db import JsonValue")
        return "JsonValue"
    return f"sa.String({item.length})" if isinstance(item, Enum) else False


def run() -> None:
    options = {"include_name": include_name, **current_app.extensions["migrate"].configure_args}
    with db.engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        raw: Any = connection.connection.dbapi_connection
        if on_sqlite:
            raw.execute("PRAGMA foreign_keys = OFF")  # a table that is rebuilt is dropped for a moment
        try:
            context.configure(
                connection=connection,
                target_metadata=db.metadata,
                render_item=render_item,
                transactional_ddl=True,
                **options,
            )
            with context.begin_transaction():
                _lock(connection, on_sqlite)
                context.run_migrations()
                if on_sqlite:
                    _check_references(connection)
        finally:
            if on_sqlite:
                raw.execute("PRAGMA foreign_keys = ON")


def _lock(connection: Connection, on_sqlite: bool) -> None:
    """SQLite's write lock is taken when the transaction begins."""
    if not on_sqlite:
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _check_references(connection: Connection) -> None:
    broken = connection.execute(text("PRAGMA foreign_key_check")).first()
    if broken:
        raise RuntimeError(f"after the migration a row of {broken[0]} points at nothing; nothing was changed")


run()
