"""What tests in every folder build on.

`app`         the portal on a fresh, empty database (SQLite; PostgreSQL with TEST_DATABASE=postgresql). No context is
              pushed, so that requests get one of their own, as in real life.
`make_app`    another portal on the same database with other settings: `make_app(public_url="https://portal.example")`.
`database`    the same database with an app context around the test; gives the session. For tests of the domain.
`story`       `with story(): …` an app context that commits at its end. For building what a request will then see.
`clock`       stops the clock at NOON (a Tuesday noon in Auckland); `clock.shift(timedelta)` and `clock.move_to(at)`.

People and things to build with are in `tests/cast.py`; reading pages is in `tests/web/conftest.py`.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.databases import Postgres, PostgresTables, SqliteFile, chosen_database, memory_folder, server_folder

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy.orm import Session, scoped_session

    from portal.config import Settings

NOON = datetime(2026, 11, 2, 23, 0, tzinfo=UTC)  # 3 November, 12:00 in Auckland
SECRET_KEY = "a key for tests only, nothing else is signed with it"
OURS = {"_built", "postgres"}  # fixtures that give a test a database of ours, directly or through others
ENCRYPTION_KEY = "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="

# Kept between runs and for the processes that tests start: to compile it all anew takes a fifth of a run, each time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Garbage is looked for a hundred times less often than Python would: to load and rewrite the tests makes a great many
# objects that stay, and looking through them again and again took a fifteenth of the whole run.
gc.set_threshold(100_000, 20, 20)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL only what touches a database of ours runs; the rest would be the same test once more."""
    if chosen_database() != "postgresql":
        return
    sorted_out: dict[bool, list[pytest.Item]] = {True: [], False: []}
    for item in items:
        is_ours = OURS & set(getattr(item, "fixturenames", ())) or item.get_closest_marker("postgresql")
        sorted_out[bool(is_ours)].append(item)
    config.hook.pytest_deselected(items=sorted_out[False])
    items[:] = sorted_out[True]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hypothesis' summary loads the whole library, which takes a second, also where no test has used it."""
    config = session.config
    if "hypothesis" not in sys.modules and config.getoption("dist", "no") == "no":
        config.pluginmanager.unregister(name="hypothesispytest")


def pytest_unconfigure() -> None:
    """Garbage is looked for once more, as pytest and Python would five times over."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, worker_name: str) -> Iterator[Postgres]:
    """A PostgreSQL server with a database for this worker: TEST_POSTGRES_URL, else one started for these tests."""
    shared = tmp_path_factory.getbasetemp()
    session = shared if worker_name == "main" else shared.parent
    with Postgres.running(server_folder(session), f"counterpart_{worker_name}") as server:
        yield server


@pytest.fixture(scope="session")
def worker_name(request: pytest.FixtureRequest) -> str:
    return getattr(request.config, "workerinput", {}).get("workerid", "main")


@pytest.fixture(scope="session")
def test_settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of the portal under test, on the database chosen for this run."""
    from portal.config import Settings

    with memory_folder(tmp_path_factory.mktemp("portal")) as folder:
        url = f"sqlite:///{folder / 'portal.db'}"
        if chosen_database() == "postgresql":
            url = request.getfixturevalue("postgres").url
        yield Settings(
            data_dir=folder,
            database_url=url,
            public_url="http://localhost",
            scheduler=False,
            secret_keys=(SECRET_KEY,),
            encryption_keys=(ENCRYPTION_KEY,),
            log_level="WARNING",
        )


@pytest.fixture(scope="session")
def _built(test_settings: Settings) -> Iterator[tuple[Flask, Callable[[], None]]]:
    """The app, made once for all tests of this worker, and what empties its database."""
    from app import create_app

    portal = create_app(test_settings, migrate=False)
    with portal.app_context():
        build_tables()
    gc.freeze()  # what is loaded by now stays; nobody need look through it for garbage
    with closing(_tables(portal, test_settings)) as tables:
        yield portal, tables.empty


@pytest.fixture
def app(_built: tuple[Flask, Callable[[], None]]) -> Flask:
    portal, empty = _built
    empty()
    return portal


@pytest.fixture
def make_app(app: Flask, test_settings: Settings) -> Iterator[Callable[..., Flask]]:
    from app import create_app
    from portal import integrations
    from portal.db import db

    made: list[Flask] = []

    def make(**settings: Any) -> Flask:
        made.append(create_app(replace(test_settings, **settings), migrate=False))
        return made[-1]

    yield make
    for one in made:
        with one.app_context():
            db.engine.dispose()
    integrations.configure(test_settings)  # wired once a process, so the last portal made has them


@pytest.fixture
def database(app: Flask) -> Iterator[scoped_session[Session]]:
    from portal.db import db

    with app.app_context():
        yield db.session
        db.session.rollback()


@pytest.fixture
def story(app: Flask) -> Callable[[], AbstractContextManager[scoped_session[Session]]]:
    from portal.db import db

    @contextmanager
    def telling() -> Iterator[scoped_session[Session]]:
        with app.app_context():
            yield db.session
            db.session.commit()

    return telling


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> None:
    """Hashing takes a twentieth of a second on purpose; a thousand tests need not wait for it."""
    from argon2 import PasswordHasher

    from portal.domain.people import passwords

    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="session", autouse=True)
def _last_garbage() -> Iterator[None]:
    """What nobody closed is heard of while there is still a test to fail: looked for this rarely, it may take long."""
    yield
    gc.collect()


@pytest.fixture
def clock() -> Iterator[Any]:
    import time_machine

    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def build_tables() -> None:
    """The tables as an installation has them: by the migrations, once there are any. Within an app context."""
    from flask_migrate import upgrade
    from sqlalchemy import text

    from portal.db import db
    from portal.domain import client_search

    migrations = Path(__file__).parent.parent / "migrations" / "versions"
    if any(migrations.glob("*.py")):
        upgrade()
        return
    db.create_all()
    dialect = db.engine.dialect.name
    for statement in client_search.create_statements(dialect, with_trigrams=False):
        db.session.execute(text(statement))
    db.session.commit()


def _tables(portal: Flask, settings: Settings) -> SqliteFile | PostgresTables:
    from portal.db import db

    with portal.app_context():
        db.session.remove()
        engine = db.engine
    engine.dispose()
    return (
        PostgresTables(engine)
        if engine.dialect.name == "postgresql"
        else SqliteFile(settings.data_dir / "portal.db", engine)
    )
