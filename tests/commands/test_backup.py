"""Backups are complete, consistent, private, and can be restored into either kind of database."""

from __future__ import annotations

import json
import stat
import threading
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from portal import backup
from portal.backup.contents import kind_of
from portal.db import db
from portal.domain import client_search
from portal.domain.apps import Connection, Outcome, RunItem, RunKind, RunState, RunTrigger, SyncRun, TokenSet
from portal.domain.clients import Client, Contact
from tests.cast import COMMAND, make_client, make_firm, now, person
from tests.commands.conftest import Run
from tests.conftest import NOON

Story = Callable[[], AbstractContextManager[Any]]
SECRET = "the-access-token-nobody-may-read"


@pytest.fixture
def furnished(app: Flask, story: Story) -> Flask:
    """A portal with something in most of its tables, awkward values among them."""
    with story() as session:
        make_firm()
        person("admin")
        for number in range(40):
            make_client(
                f"Kōwhai {number} “Ltd” \u2028 🌿",
                phone=f"09 555 {number:04d}",
                tax_registered=(None, True, False)[number % 3],
                contacts=[{"name": f"Pat {number}", "email": f"pat{number}@example.com"}],
            )
        connection = Connection(app="practice", account_id="a", account_name="Marlow", state_changed_at=now())
        tokens = TokenSet(vendor="v", client_id="c", access_token=SECRET, refresh_token=None, changed_at=now())
        session.add_all([connection, tokens])
        session.flush()
        runs = [
            SyncRun(
                connection_id=connection.id, kind=RunKind.SYNC, trigger=RunTrigger.NIGHT, state=RunState.DONE,
                asked_at=now(), rate=1 / 3, counts={"updated": 3, "created": 0},
            )
            for _ in range(2)
        ]  # fmt: skip
        session.add_all(runs)
        session.flush()
        runs[0].resumes_id = runs[1].id  # an earlier row that points at a later one
        session.add(
            RunItem(run_id=runs[0].id, outcome=Outcome.CREATED, name="x", record=None, plan=[{"b": 1, "a": [1.5]}])
        )
    return app


def _counts(app: Flask) -> dict[str, int]:
    with app.app_context():
        return {
            table.name: db.session.scalar(select(func.count()).select_from(table)) or 0
            for table in db.metadata.sorted_tables
        }


def _sums(path: Path) -> dict[str, tuple[int, str]]:
    return {entry.name: (entry.rows, entry.sha256) for entry in backup.read_manifest(path).tables}


def test_what_was_backed_up_is_what_comes_back(furnished: Flask, other_sqlite: Flask, run: Run, tmp_path: Path) -> None:
    """Fault row 82."""
    file, again = tmp_path / "a.zip", tmp_path / "b.zip"
    made = run("backup", "create", file)
    assert made.exit_code == 0, made.output
    restored = run("backup", "restore", file, app=other_sqlite)
    assert restored.exit_code == 0, restored.output
    assert _counts(other_sqlite) == _counts(furnished)
    assert run("backup", "create", again, app=other_sqlite).exit_code == 0
    assert _sums(again) == _sums(file)


@pytest.mark.postgresql
def test_sqlite_moves_to_postgresql_and_back_with_nothing_lost(
    furnished: Flask, other_postgres: Flask, other_sqlite: Flask, run: Run, tmp_path: Path
) -> None:
    """Fault row 81."""
    first, second, third = (tmp_path / name for name in ("1.zip", "2.zip", "3.zip"))
    assert run("backup", "create", first).exit_code == 0
    moved = run("backup", "restore", first, app=other_postgres)
    assert moved.exit_code == 0, moved.output
    assert run("backup", "create", second, app=other_postgres).exit_code == 0
    assert _sums(second) == _sums(first)
    with other_postgres.app_context():
        assert db.session.scalar(select(TokenSet.access_token)) == SECRET
        highest = db.session.scalar(select(func.max(Client.id)))
        assert make_client("The first one made after the move").id == highest + 1
        db.session.rollback()
    assert run("backup", "restore", second, app=other_sqlite).exit_code == 0
    assert run("backup", "create", third, app=other_sqlite).exit_code == 0
    assert _sums(third) == _sums(first)


def test_the_search_finds_restored_clients(furnished: Flask, other_sqlite: Flask, run: Run, tmp_path: Path) -> None:
    run("backup", "create", tmp_path / "a.zip")
    run("backup", "restore", tmp_path / "a.zip", app=other_sqlite)
    with other_sqlite.app_context():
        matching = client_search.matching("pat17@example", Client.id)
        assert matching is not None
        assert [client.phone for client in db.session.scalars(select(Client).where(matching))] == ["09 555 0017"]


def test_the_portal_starts_on_a_restored_database(
    furnished: Flask, other_sqlite: Flask, run: Run, tmp_path: Path, make_app: Callable[..., Flask]
) -> None:
    """Fault row 82."""
    from app import create_app

    run("backup", "create", tmp_path / "a.zip")
    run("backup", "restore", tmp_path / "a.zip", app=other_sqlite)
    served = create_app(other_sqlite.extensions["settings"])
    assert served.test_client().get("/healthz").json == {"status": "ok"}
    with served.app_context():
        db.engine.dispose()


def test_a_backup_taken_while_people_work_is_one_moment_of_it(furnished: Flask, tmp_path: Path) -> None:
    """Each client is written together with its contact; no backup may have one without the other. Fault row 82."""
    stop, written = threading.Event(), []

    def keep_writing() -> None:
        with furnished.app_context():
            while not stop.is_set():
                client = make_client(f"Busy {len(written)}", contacts=[{"name": f"Busy {len(written)}"}])
                db.session.commit()
                written.append(client.id)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        with furnished.app_context():
            for number in range(5):
                before = len(written)
                backup.create(db.engine, tmp_path / f"{number}.zip", now=NOON)
                while len(written) < before + 3:  # the writer was not held up
                    pass
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        rows = _rows(tmp_path / f"{number}.zip")
        named = {row["name"] for row in rows["client"] if row["name"].startswith("Busy")}
        assert named == {row["name"] for row in rows["contact"] if row["name"].startswith("Busy")}
        assert {row["client_id"] for row in rows["contact"]} <= {row["id"] for row in rows["client"]}


def _rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    with zipfile.ZipFile(path) as archive:
        return {
            entry.name: [dict(zip(entry.columns, json.loads(line), strict=True)) for line in archive.open(entry.path)]
            for entry in backup.read_manifest(path).tables
        }


def test_secrets_stay_closed_and_keys_stay_out(furnished: Flask, run: Run, tmp_path: Path) -> None:
    run("backup", "create", tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert SECRET.encode() not in everything
    assert not any(key.encode() in everything for key in furnished.extensions["settings"].encryption_keys)
    assert stat.S_IMODE((tmp_path / "a.zip").stat().st_mode) == 0o600


def test_a_database_in_use_is_not_written_over_by_mistake(
    furnished: Flask, run: Run, tmp_path: Path, story: Story
) -> None:
    run("backup", "create", tmp_path / "a.zip")
    with story():
        make_client("Came later")
    refused = run("backup", "restore", tmp_path / "a.zip")
    assert refused.exit_code == 4
    assert "--replace" in refused.output
    with furnished.app_context():
        assert db.session.scalar(select(func.count()).where(Client.name == "Came later")) == 1
    assert run("backup", "restore", tmp_path / "a.zip", "--replace").exit_code == 0
    with furnished.app_context():
        assert db.session.scalar(select(func.count()).where(Client.name == "Came later")) == 0
        assert db.session.scalar(select(func.count()).select_from(Contact)) == 40


def test_a_damaged_backup_changes_nothing(furnished: Flask, other_sqlite: Flask, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    run("backup", "create", file)
    broken = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        inside = archive.getinfo("tables/client.jsonl")
    start = inside.header_offset + 60
    broken[start : start + 40] = bytes(40)
    file.write_bytes(broken)
    refused = run("backup", "restore", file, app=other_sqlite)
    assert refused.exit_code == 4
    assert "damaged" in refused.output
    with other_sqlite.app_context():
        assert db.session.scalar(text("SELECT count(*) FROM sqlite_master")) == 0


def test_a_backup_that_was_changed_by_hand_is_refused(
    furnished: Flask, other_sqlite: Flask, run: Run, tmp_path: Path
) -> None:
    run("backup", "create", tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as old, zipfile.ZipFile(tmp_path / "b.zip", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"pat17@example.com", b"eve17@example.com"))
    refused = run("backup", "restore", tmp_path / "b.zip", app=other_sqlite)
    assert refused.exit_code == 4
    assert "contact is not what was written" in refused.output


def test_any_other_file_is_refused_in_plain_words(run: Run, tmp_path: Path) -> None:
    (tmp_path / "letter.zip").write_text("Dear Sir or Madam")
    refused = run("backup", "restore", tmp_path / "letter.zip")
    assert refused.exit_code == 4
    assert refused.output.startswith("letter.zip is not a backup that can be read")


def test_a_backup_that_fails_leaves_no_file(furnished: Flask, tmp_path: Path) -> None:
    def full_disk(_what: str, _done: int, _total: int) -> None:
        raise OSError(28, "No space left on device")

    with furnished.app_context(), pytest.raises(OSError, match="No space left"):
        backup.create(db.engine, tmp_path / "a.zip", now=NOON, progress=full_disk)
    assert list(tmp_path.iterdir()) == []


def test_a_restore_that_fails_half_way_leaves_the_database_as_it_was(
    furnished: Flask, run: Run, tmp_path: Path
) -> None:
    run("backup", "create", tmp_path / "a.zip")
    before = _counts(furnished)

    def pull_the_plug(what: str, _done: int, _total: int) -> None:
        if what == "Table contact":
            raise RuntimeError("the plug was pulled")

    with furnished.app_context(), pytest.raises(RuntimeError, match="the plug"):
        backup.restore(tmp_path / "a.zip", replace=True, migrate=lambda _revision: None, progress=pull_the_plug)
    assert _counts(furnished) == before


def test_keys_that_do_not_fit_the_backup_are_noticed_at_once(
    furnished: Flask, run: Run, tmp_path: Path, make_app: Callable[..., Flask]
) -> None:
    """Fault row 39."""
    from cryptography.fernet import Fernet

    run("backup", "create", tmp_path / "a.zip")
    stranger = make_app(
        database_url=f"sqlite:///{tmp_path / 's.db'}",
        encryption_keys=(Fernet.generate_key().decode(),),
        data_dir=tmp_path,
    )
    restored = run("backup", "restore", tmp_path / "a.zip", app=stranger)
    assert restored.exit_code == 3
    assert "encryption keys are not those" in restored.output or "do not open" in restored.output


def test_every_column_has_a_form_in_a_backup() -> None:
    """A new column type must be given one before it can be lost."""
    for table in db.metadata.sorted_tables:
        for one in table.columns:
            assert kind_of(one.type), f"{table.name}.{one.name}"


def test_an_existing_file_is_not_written_over_unasked(furnished: Flask, run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("precious")
    assert run("backup", "create", tmp_path / "a.zip").exit_code == 2
    assert (tmp_path / "a.zip").read_text() == "precious"


def test_what_is_restored_is_on_record_as_it_was(
    furnished: Flask, other_sqlite: Flask, run: Run, tmp_path: Path
) -> None:
    """Nothing is added to history by restoring it."""
    with furnished.app_context():
        from portal.domain import clients

        clients.edit(db.session.scalars(select(Client)).first(), {"phone": "1"}, by=COMMAND, now=NOON)
        db.session.commit()
    before = _counts(furnished)["activity"]
    run("backup", "create", tmp_path / "a.zip")
    run("backup", "restore", tmp_path / "a.zip", app=other_sqlite)
    assert _counts(other_sqlite)["activity"] == before >= 1
