"""Every test begins with an empty database, whatever the one before it did to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from tests.databases import Postgres, PostgresTables, SqliteFile

TABLES = """
    CREATE TABLE client (id integer PRIMARY KEY, name text);
    CREATE TABLE invoice (id integer PRIMARY KEY, client_id integer NOT NULL REFERENCES client (id));
    CREATE TABLE version (number text);
    INSERT INTO version VALUES ('0009');
    CREATE VIRTUAL TABLE words USING fts5 (body);
"""
FILL = ("INSERT INTO client VALUES (7, 'Rimu Ltd')", "INSERT INTO invoice VALUES (9, 7)")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with closing(sqlite3.connect(tmp_path / "portal.db")) as file:
        file.executescript(TABLES)
    engine = create_engine(f"sqlite:///{tmp_path / 'portal.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def file(engine: Engine, tmp_path: Path) -> Iterator[SqliteFile]:
    with closing(SqliteFile(tmp_path / "portal.db", engine)) as file:
        yield file


def does(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def is_as_it_was(engine: Engine) -> bool:
    with engine.connect() as connection:
        counts = [connection.scalar(text(f"SELECT count(*) FROM {name}")) for name in ("client", "invoice", "words")]
        return counts == [0, 0, 0] and connection.scalars(text("SELECT * FROM version")).all() == ["0009"]


def test_rows_are_gone_and_ids_begin_at_one(file: SqliteFile, engine: Engine) -> None:
    does(engine, *FILL)
    file.empty()
    assert is_as_it_was(engine)
    does(engine, "INSERT INTO client (name) VALUES ('Kauri Ltd')")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT id FROM client")) == 1


def test_the_portals_connection_stays_open(file: SqliteFile, engine: Engine) -> None:
    does(engine, "CREATE TEMP TABLE mine (a)", *FILL)
    file.empty()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM mine")) == 0, "a connection's own table goes with it"


@pytest.mark.parametrize("change", ["DELETE FROM version", "UPDATE version SET number = '0001'",
                                    "INSERT INTO version VALUES ('0009')"])  # fmt: skip
def test_rows_that_were_there_from_the_beginning_come_back(file: SqliteFile, engine: Engine, change: str) -> None:
    does(engine, change)
    file.empty()
    assert is_as_it_was(engine)


def test_words_to_search_for_are_forgotten(file: SqliteFile, engine: Engine) -> None:
    find = "SELECT count(*) FROM words WHERE words MATCH 'rimu'"
    for _ in range(3):
        does(engine, "INSERT INTO words (body) VALUES ('rimu')")
        with engine.connect() as connection:
            assert connection.scalar(text(find)) == 1
        file.empty()
        with engine.connect() as connection:
            assert connection.scalar(text(find)) == 0
    assert is_as_it_was(engine)
    does(engine, "INSERT INTO words (words) VALUES ('integrity-check')")


@pytest.mark.parametrize("change", ["DROP TABLE invoice", "CREATE TABLE more (a)", "CREATE INDEX at ON client (name)",
                                    "CREATE TRIGGER never BEFORE INSERT ON client BEGIN SELECT RAISE(FAIL, 'no'); END",
                                    "ALTER TABLE client ADD COLUMN phone text"])  # fmt: skip
def test_another_definition_is_noticed(file: SqliteFile, engine: Engine, change: str) -> None:
    with engine.connect() as connection:
        before = connection.execute(text("SELECT name, sql FROM sqlite_master")).all()
    does(engine, change)
    file.empty()
    assert is_as_it_was(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name, sql FROM sqlite_master")).all() == before
    does(engine, *FILL)  # nothing is in its way


def test_another_file_in_its_place_is_noticed(file: SqliteFile, engine: Engine, tmp_path: Path) -> None:
    does(engine, *FILL)
    engine.dispose()
    (tmp_path / "portal.db").unlink()
    with closing(sqlite3.connect(tmp_path / "portal.db")) as other:
        other.executescript(TABLES + "INSERT INTO client VALUES (1, 'of another file');")
    file.empty()
    assert is_as_it_was(engine)


def test_a_connection_somebody_still_has_is_no_hindrance(file: SqliteFile, engine: Engine) -> None:
    """A thread that was killed, say, in the middle of a change."""
    left = engine.connect()
    left.execute(text("PRAGMA busy_timeout = 0"))
    left.execute(text("INSERT INTO client VALUES (7, 'Rimu Ltd')"))
    file.empty()
    assert is_as_it_was(engine)
    left.detach()
    left.close()


def test_nobody_finds_bytes_of_another_test_in_the_file(file: SqliteFile, engine: Engine, tmp_path: Path) -> None:
    does(engine, "INSERT INTO client VALUES (7, 'a secret of the test before')")
    file.empty()
    does(engine, "INSERT INTO client VALUES (8, 'mine')")
    raw = b"".join(one.read_bytes() for one in tmp_path.glob("portal.db*"))
    assert b"mine" in raw
    assert b"a secret" not in raw


@pytest.mark.postgresql
def test_on_postgresql_rows_are_gone_and_ids_begin_at_one(postgres: Postgres) -> None:
    engine = create_engine(postgres.url)
    does(engine, "CREATE TABLE tree (id serial PRIMARY KEY)",
         "CREATE TABLE leaf (id serial PRIMARY KEY, tree_id integer NOT NULL REFERENCES tree (id))")  # fmt: skip
    try:
        with closing(PostgresTables(engine)) as tables:
            for _ in range(3):
                does(engine, "INSERT INTO tree DEFAULT VALUES", "INSERT INTO leaf (tree_id) VALUES (1)")
                tables.empty()
                with engine.connect() as connection:
                    assert connection.execute(text("SELECT * FROM tree, leaf")).all() == []
            does(engine, "INSERT INTO tree DEFAULT VALUES", "DELETE FROM tree")
            tables.empty()
            with engine.connect() as connection:
                assert connection.scalar(text("SELECT nextval('tree_id_seq')")) == 1
    finally:
        does(engine, "DROP TABLE leaf, tree")
        engine.dispose()
