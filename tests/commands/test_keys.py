"""The portal's keys: made once, kept to their owner, rotated without losing a secret. Fault row 39."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import select, text

from portal import db as portal_db
from portal import keys, start
from portal.commands.keys import encrypted_columns
from portal.db import EncryptedText, db
from portal.domain.activity import Activity, Verb
from portal.domain.apps import TokenSet, VendorCredentials
from portal.domain.people import found_firm
from portal.keys import Vault
from tests.cast import now
from tests.commands.conftest import Run


@pytest.fixture
def settings(test_settings: Any, tmp_path: Path) -> Any:
    return replace(
        test_settings, database_url=f"sqlite:///{tmp_path / 'own.db'}", data_dir=tmp_path,
        secret_keys=(), encryption_keys=(),
    )  # fmt: skip


@pytest.fixture
def own(settings: Any, app: Flask) -> Iterator[Flask]:
    """A portal that made its own keys, with a secret in every column that can hold one or nearly so."""
    from app import create_app

    before = portal_db._vault
    portal = create_app(settings)
    with portal.app_context():
        found_firm("Marlow & Co", now=now())
        db.session.add(
            TokenSet(vendor="v", client_id="c", access_token="access", refresh_token="refresh", changed_at=now())
        )
        db.session.add(VendorCredentials(vendor="v", client_id="c", client_secret="shh", changed_at=now()))
        db.session.commit()
    yield portal
    with portal.app_context():
        db.engine.dispose()
    portal_db._vault = before  # the encryption in use belongs to the process: the portal under test gets its own back


def _closed(app: Flask) -> list[str]:
    with app.app_context():
        return [
            value
            for table, name in encrypted_columns()
            for value in db.session.scalars(text(f'SELECT "{name}" FROM "{table.name}"'))
            if value is not None
        ]


def test_keys_are_made_on_the_first_start_for_their_owner_alone(own: Flask, settings: Any) -> None:
    for name in (keys.SECRET_FILE, keys.ENCRYPTION_FILE):
        assert stat.S_IMODE((settings.keys_dir / name).stat().st_mode) == 0o600


def test_no_secret_stands_in_the_database_as_it_is(own: Flask) -> None:
    """Fault row 39: tokens never written in clear."""
    closed = _closed(own)
    assert len(closed) >= 4
    assert not {"access", "refresh", "shh"} & set(closed)


def test_rotating_closes_every_secret_with_the_new_key(own: Flask, settings: Any, run: Run) -> None:
    before = keys.encryption_keys(settings)
    done = run("keys", "rotate", app=own)
    assert done.exit_code == 0, done.output
    after = keys.encryption_keys(settings)
    assert after[1:] == before
    assert after[0] != before[0]
    newest = Vault((after[0],))
    assert {"access", "refresh", "shh"} <= {newest.open(value) for value in _closed(own)}
    assert f"{len(_closed(own))} secrets" in done.output
    with own.app_context():
        recorded = db.session.scalars(select(Activity).where(Activity.verb == Verb.KEYS_ROTATED)).one()
        counted = recorded.facts["count"]
    assert counted == len(_closed(own))


def test_the_old_key_still_opens_what_it_closed(own: Flask, settings: Any, run: Run) -> None:
    """Fault row 39: a running portal gets its new key first, and the secrets are closed again afterwards."""
    made = run("keys", "rotate", "--new-key-only", app=own)
    assert made.exit_code == 0, made.output
    restarted = Vault(keys.encryption_keys(settings))
    assert "access" in {restarted.open(value) for value in _closed(own)}
    assert run("keys", "rotate", "--re-encrypt-only", app=own).exit_code == 0
    newest = Vault(keys.encryption_keys(settings)[:1])
    assert "access" in {newest.open(value) for value in _closed(own)}


def test_a_start_with_other_keys_is_refused_in_plain_words(own: Flask, settings: Any) -> None:
    """Fault row 39: wrong key."""
    from app import create_app

    stranger = replace(settings, encryption_keys=(Fernet.generate_key().decode(),))
    with pytest.raises(start.CannotStart, match="not those this database was used with"):
        create_app(stranger)


def test_a_start_with_an_unusable_key_is_refused_in_plain_words(settings: Any) -> None:
    from app import create_app

    with pytest.raises(SystemExit, match="32 bytes in URL-safe base64"):
        create_app(replace(settings, encryption_keys=("too short",)))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("PORT", "eighty", "PORT"), ("XPM_API_URL", "http://far.example", "must begin with https://")],
)
def test_a_start_with_a_setting_that_cannot_be_used_is_refused_in_plain_words(
    settings: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    """Whoever starts it, a server or a command: no traceback."""
    from app import create_app

    monkeypatch.setenv("PORTAL_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=said):
        create_app(migrate=False)


def test_a_start_without_the_keys_that_were_there_is_refused(own: Flask, settings: Any) -> None:
    """Fault row 39: missing key. New ones are made, which do not fit."""
    from app import create_app

    (settings.keys_dir / keys.ENCRYPTION_FILE).unlink()
    with pytest.raises(start.CannotStart, match="keys directory that belongs to it"):
        create_app(settings)


def test_keys_from_the_environment_are_not_ours_to_change(run: Run) -> None:
    refused = run("keys", "rotate")
    assert refused.exit_code == 3
    assert "PORTAL_ENCRYPTION_KEYS" in refused.output


def test_every_encrypted_column_is_found() -> None:
    expected = {
        (table.name, one.name)
        for table in db.metadata.sorted_tables
        for one in table.columns
        if isinstance(one.type, EncryptedText)
    }
    assert {(table.name, name) for table, name in encrypted_columns()} == expected
    assert ("token_set", "refresh_token") in expected
