"""The database: the SQLAlchemy object, column types, and how a transaction begins.

The one rule to respect: on SQLite a transaction that will write takes the write lock when it begins, never half way
(a read that turns into a write fails at once with "database is locked"). So every transaction is a writing one,
unless the code runs inside `reading()`, in which a flush raises.
"""

from __future__ import annotations

import enum
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import JSON, BigInteger, DateTime, Enum, MetaData, Text, TypeDecorator, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from portal.keys import Vault

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
BUSY_TIMEOUT_MS = 10_000

_reading: ContextVar[bool] = ContextVar("reading", default=False)
_throughout: ContextVar[bool] = ContextVar("throughout", default=False)
_vault: Vault | None = None


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


# Enumerations are stored by value in a plain text column: readable in SQL, the words that partial indexes name, and no
# type to migrate. Set on the registry, because Flask-SQLAlchemy derives from Base and a map in the class stops that.
Base.registry.update_type_annotation_map(
    {enum.Enum: Enum(enum.Enum, native_enum=False, length=32, values_callable=lambda kind: [one.value for one in kind])}
)


class ReadingSession(FlaskSession):
    """On PostgreSQL a request that only reads opens no transaction: every statement sees what is committed, as it would
    within one, and the two trips to the server that begin and end a transaction are saved.
    """

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        engine = super().get_bind(*args, **kwargs)
        if _throughout.get() and isinstance(engine, Engine) and engine.dialect.name == "postgresql":
            return _without_transactions(engine)
        return engine


@lru_cache(maxsize=32)
def _without_transactions(engine: Engine) -> Engine:
    """The same engine and pool, whose connections commit every statement by itself."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


db = SQLAlchemy(model_class=Base, session_options={"class_": ReadingSession})


class WriteWhileReading(RuntimeError):
    """Code that promised only to read tried to write: a GET that changes something, say."""


@contextmanager
def reading(*, throughout: bool = False) -> Iterator[None]:
    """Within it, transactions only read and take no write lock. `throughout`: for the whole life of the session."""
    token, whole = _reading.set(True), _throughout.set(throughout)
    try:
        yield
    finally:
        _throughout.reset(whole)
        _reading.reset(token)


@contextmanager
def writing() -> Iterator[None]:
    """Within it, transactions may write again, for the rare write inside a reading request."""
    token, whole = _reading.set(False), _throughout.set(False)
    try:
        yield
    finally:
        _throughout.reset(whole)
        _reading.reset(token)


def is_reading() -> bool:
    """Whether this code runs inside `reading()`."""
    return _reading.get()


@contextmanager
def apart(engine: Engine, *, only_read: bool = False) -> Iterator[Session]:
    """A short transaction of its own, committed at the end, whatever the caller's session is in the middle of.

    For what must be on record at once and for every process: rotated tokens, counted calls. On SQLite the caller must
    not hold the write lock, or the two wait for each other until one fails.
    """
    mode = reading() if only_read else writing()
    with mode, Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


def lost_a_race(error: DBAPIError) -> bool:
    """Whether PostgreSQL undid this transaction only because another got in its way: doing it again may well work."""
    return getattr(error.orig, "sqlstate", None) in ("40001", "40P01")  # serialization failure, deadlock


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC on both databases. A naive one is a mistake and raises ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone was about to be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class EncryptedText(TypeDecorator[str]):
    """Text that is encrypted in the database and plain in Python. None stays NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else vault().close(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else vault().open(value)


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal kept as a whole number of ten-thousandths, so that both databases add and compare it exactly.

    For amounts of money (in units of their currency), prices, quantities and percentages. Raises ValueError for more
    than four decimals and for what does not fit into fourteen digits before the point.
    """

    impl = BigInteger
    cache_ok = True
    SCALE = Decimal(10_000)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        scaled = Decimal(value) * self.SCALE
        if not scaled.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) >= 10**18:
            raise ValueError("a decimal that cannot be kept exactly was about to be stored")
        return int(scaled)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / self.SCALE


JsonValue = JSON().with_variant(JSONB(), "postgresql")


def vault() -> Vault:
    """The encryption in use. Raises RuntimeError before `init` has run."""
    if _vault is None:
        raise RuntimeError("the database was used before the encryption keys were set")
    return _vault


def init(app: Flask, database_url: str, keys: Vault) -> None:
    """Attach the database to the app, with the settings each engine needs."""
    global _vault
    _vault = keys
    options: dict[str, Any] = {"json_serializer": _compact_json}
    if database_url.startswith("postgresql"):
        options |= {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10}
        options["connect_args"] = {"options": "-c lock_timeout=10000 -c statement_timeout=60000", "connect_timeout": 5}
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)


_compact_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # made once: it is called per row


@event.listens_for(Engine, "connect")
def _prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    if not isinstance(dbapi_connection, sqlite3.Connection):
        return
    dbapi_connection.isolation_level = None  # we say BEGIN ourselves, below
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # A checkpoint after every thousand pages, the default, makes a long import wait for the disk forty times as often.
    cursor.execute("PRAGMA wal_autocheckpoint = 8000")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.execute("PRAGMA cache_size = -32000")
    cursor.close()


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN" if _reading.get() else "BEGIN IMMEDIATE")


@event.listens_for(Session, "before_flush")
def _no_write_while_reading(session: Session, _context: object, _instances: object) -> None:
    if _reading.get() and (session.new or session.dirty or session.deleted):
        raise WriteWhileReading("a page that only shows things tried to change one")
