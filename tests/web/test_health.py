"""/healthz: whether the portal can do its work."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from flask import Flask

from tests import cast


def test_all_is_well(app: Flask, story) -> None:
    with story():
        cast.make_firm()
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})
    assert "Set-Cookie" not in answer.headers


def test_all_is_well_before_the_firm_is_set_up(app: Flask) -> None:
    assert app.test_client().get("/healthz").status_code == 200


def test_keys_that_do_not_fit_are_told(make_app, app: Flask, story) -> None:
    """Fault row 39."""
    with story():
        cast.make_firm()
    other = make_app(encryption_keys=(Fernet.generate_key().decode(),))
    answer = other.test_client().get("/healthz")
    assert (answer.status_code, answer.get_json()) == (
        503, {"status": "unavailable", "reason": "the encryption keys do not fit"},
    )  # fmt: skip
    make_app()


def test_tables_of_another_version_are_told(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 80."""
    from portal.domain import readiness

    monkeypatch.setattr(readiness, "_newest", lambda migrations: frozenset({"of tomorrow"}))
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.get_json()["reason"]) == (503, "the tables are not those of this version")


def test_a_database_that_does_not_answer_is_told_without_its_address(test_settings, tmp_path) -> None:
    from app import create_app

    nowhere = replace(test_settings, database_url="postgresql+psycopg://portal:secret@127.0.0.1:1/portal")
    answer = create_app(nowhere, migrate=False).test_client().get("/healthz")
    assert (answer.status_code, answer.get_json()["reason"]) == (503, "the database does not answer")
    assert "secret" not in answer.text
