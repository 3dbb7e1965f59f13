"""Migrations: up and down on both databases, restartable, by one process at a time, and equal to the models."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text

from portal import start
from portal.db import db
from tests.commands.conftest import Run, fresh_database
from tests.databases import Postgres

OTHERS = ("other_sqlite", pytest.param("other_postgres", marks=pytest.mark.postgresql))


@pytest.fixture
def empty(request: pytest.FixtureRequest) -> Flask:
    other: Flask = request.getfixturevalue(request.param)
    return other


def _tables() -> set[str]:
    with db.engine.connect() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


@pytest.mark.parametrize("empty", OTHERS, indirect=True)
def test_migrations_go_all_the_way_up_and_down_and_up_again(empty: Flask) -> None:
    with empty.app_context():
        upgrade()
        made = _tables()
        assert {table.name for table in db.metadata.sorted_tables} <= made
        downgrade(revision="base")
        assert _tables() == set()
        upgrade()
        assert _tables() == made


@pytest.mark.parametrize("empty", OTHERS, indirect=True)
def test_the_tables_are_what_the_models_say(empty: Flask) -> None:
    def our_own(_object: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        return not (kind == "table" and name is not None and name.startswith("client_search"))

    with empty.app_context():
        upgrade()
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": our_own})
            apart = compare_metadata(context, db.metadata)
    assert not apart, f"The models have moved on. Run: flask --app app db migrate -m 'what changed'\n{apart}"


@pytest.mark.parametrize("empty", OTHERS, indirect=True)
def test_a_migration_that_is_cut_short_leaves_nothing_behind_and_can_be_run_again(
    empty: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 80."""
    made: list[str] = []

    def power_cut(name: str, *_columns: Any, **_options: Any) -> None:
        made.append(name)
        if len(made) > 7:
            raise ConnectionAbortedError("the power was cut")
        create(name, *_columns, **_options)

    create = op.create_table
    with empty.app_context():
        monkeypatch.setattr(op, "create_table", power_cut)
        with pytest.raises(ConnectionAbortedError):
            upgrade()
        monkeypatch.setattr(op, "create_table", create)
        assert _tables() == set()
        upgrade()
        assert start.revisions()[0] == start.revisions()[1]


def test_the_portal_refuses_tables_of_a_later_version(app: Flask, run: Run) -> None:
    """Fault row 80: old code, new schema."""
    with app.app_context():
        db.session.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
        db.session.commit()
        with pytest.raises(start.CannotStart, match="later version of the portal"):
            start.prepare(app.extensions["settings"])
        try:
            refused = run("database", "upgrade")
            assert refused.exit_code == 4
            assert "Install that version again" in refused.output
        finally:
            db.session.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": start.revisions()[1]})
            db.session.commit()


def test_older_tables_are_brought_up_to_date_at_the_start(other_sqlite: Flask) -> None:
    """Fault row 80: new code, old schema."""
    with other_sqlite.app_context():
        upgrade(revision="0002")
        assert "client" not in _tables()
        start.prepare(other_sqlite.extensions["settings"])
        assert "client" in _tables()


def _start_portal(make: Callable[[], Any], gate: Any, results: Any) -> None:
    gate.wait()
    try:
        app = make()
        with app.app_context():
            results.put(start.revisions()[0])
            db.engine.dispose()
    except (Exception, SystemExit) as error:  # whatever it was is the test's answer
        results.put(repr(error))


def _together(make: Callable[[], Any], processes: int = 4) -> list[Any]:
    context = multiprocessing.get_context("fork")
    gate, results = context.Barrier(processes), context.Queue()
    started = [context.Process(target=_start_portal, args=(make, gate, results)) for _ in range(processes)]
    for one in started:
        one.start()
    answers = [results.get(timeout=60) for _ in started]
    for one in started:
        one.join(10)
    return answers


def test_four_workers_that_start_at_once_migrate_once(test_settings: Any, tmp_path: Path, app: Flask) -> None:
    from dataclasses import replace

    from app import create_app

    settings = replace(test_settings, database_url=f"sqlite:///{tmp_path / 'new.db'}", data_dir=tmp_path)
    with app.app_context():
        newest = start.revisions()[1]
        db.engine.dispose()
    assert _together(lambda: create_app(settings)) == [newest] * 4


@pytest.mark.postgresql
def test_four_workers_that_start_at_once_migrate_once_on_postgresql(
    test_settings: Any, postgres: Postgres, tmp_path: Path, app: Flask
) -> None:
    from dataclasses import replace

    from app import create_app

    with app.app_context():
        newest = start.revisions()[1]
        db.engine.dispose()
    with fresh_database(postgres) as url:
        settings = replace(test_settings, database_url=url, data_dir=tmp_path)
        assert _together(lambda: create_app(settings)) == [newest] * 4
