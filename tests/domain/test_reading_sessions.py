"""Sessions of requests that only read: cheap to begin, unable to write, and gone when somebody may write again."""

from __future__ import annotations

import pytest
from flask import Flask

from portal.db import WriteWhileReading, db, reading, writing
from tests.cast import make_client


def has_transactions() -> bool:
    driver = db.session.connection().connection.dbapi_connection
    return not getattr(driver, "autocommit", False)  # the driver for SQLite leaves transactions to us


def test_a_request_that_only_reads_opens_no_transaction_where_that_costs_trips_to_a_server(app: Flask) -> None:
    is_server = app.config["SQLALCHEMY_DATABASE_URI"].startswith("postgresql")
    with app.app_context(), reading(throughout=True):
        assert has_transactions() is not is_server
    with app.app_context():
        assert has_transactions(), "the next one to use the connection gets transactions again"
    with app.app_context(), reading(throughout=True), writing():
        assert has_transactions(), "whoever may write, within a reading request too, needs them"


def test_reading_in_the_middle_of_other_work_sees_what_that_work_has_done(app: Flask) -> None:
    with app.app_context():
        client = make_client("Acme")
        with reading():
            assert db.session.get(type(client), client.id, populate_existing=True) is client
            assert has_transactions()
        db.session.rollback()


def test_a_page_that_only_reads_cannot_change_anything(app: Flask) -> None:
    with app.app_context(), reading(throughout=True), pytest.raises(WriteWhileReading):
        make_client("Acme")
