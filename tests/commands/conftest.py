"""Running commands as an operator does, and second databases to restore into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.databases import Postgres

if TYPE_CHECKING:
    from click.testing import Result
    from flask import Flask

Run = Callable[..., "Result"]


@pytest.fixture
def run(app: Flask) -> Run:
    """`run("users", "list")` on the portal under test; `run("…", app=other)` on another."""

    def running(*args: str, app: Flask = app, given: str | None = None) -> Result:
        return app.test_cli_runner().invoke(args=[str(one) for one in args], input=given)

    return running


@pytest.fixture
def other_sqlite(make_app: Callable[..., Flask], tmp_path: Path) -> Flask:
    """A portal that has never started: no tables, another data directory, the same keys."""
    return make_app(database_url=f"sqlite:///{tmp_path / 'other.db'}", data_dir=tmp_path)


@pytest.fixture
def other_postgres(make_app: Callable[..., Flask], postgres: Postgres, tmp_path: Path) -> Iterator[Flask]:
    """The same on an empty PostgreSQL database, gone at the end."""
    with fresh_database(postgres) as url:
        other = make_app(database_url=url, data_dir=tmp_path)
        yield other
        from portal.db import db

        with other.app_context():
            db.session.remove()
            db.engine.dispose()


def fresh_database(postgres: Postgres) -> Any:
    """A context with the address of a new, empty database on the server of these tests."""
    from contextlib import contextmanager
    from uuid import uuid4

    import psycopg
    from sqlalchemy import make_url

    address = make_url(postgres.url).set(drivername="postgresql").render_as_string(hide_password=False)
    name = f"other_{uuid4().hex[:12]}"

    @contextmanager
    def made() -> Iterator[str]:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        try:
            yield make_url(postgres.url).set(database=name).render_as_string(hide_password=False)
        finally:
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    return made()
