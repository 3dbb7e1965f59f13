"""A second app joins a firm that has its clients in step with the first: what that costs, and what it leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from portal.adapters.base import Flow
from portal.db import db
from portal.domain.apps import ClientLink, PushState
from portal.domain.clients import Client
from portal.sync import send_due
from tests.cast import make_client, make_connection
from tests.pretend_app import INFO, Books, PretendApp, install, record
from tests.strict_ledger import ledger

pytestmark = pytest.mark.usefixtures("database")

MANY = 30  # more than are sent by themselves after a run


@pytest.fixture
def practice(monkeypatch: pytest.MonkeyPatch) -> Books:
    """Follows every field both ways, takes one record a call, and knows the names of all clients and nothing else."""
    fields = dict.fromkeys(INFO.client_fields, Flow.TWO_WAY)
    people = dict.fromkeys(INFO.contact_fields, Flow.TWO_WAY)
    app = PretendApp(
        replace(INFO, slug="practice", client_fields=fields, contact_fields=people, directions=("both",),
                levels=("everything",))
    )  # fmt: skip
    app.put(*(replace(record(f"p-{n}", f"Client {n:03}"), phone="", contacts=()) for n in range(MANY)))
    for number in range(MANY):
        make_client(f"Client {number:03}", address=record("", "").address)
    install(monkeypatch, app)
    made = make_connection("practice", "Marlow & Co", enabled_at=datetime.now(UTC), reference={})
    db.session.commit()
    books = Books(app, made.id)
    assert books.done().counts["linked"] == MANY
    books.done()
    app.calls.clear()
    return books


def waiting() -> int:
    return len(list(db.session.scalars(select(ClientLink.id).where(ClientLink.push_state != PushState.NONE))))


def test_a_ledger_that_joins_costs_the_practice_no_call(practice: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its phone numbers and people come here; the practice, a call a record, is not told of each."""
    books = ledger(monkeypatch, [record(f"r-{number}", f"Client {number:03}") for number in range(MANY)])
    assert books.done().counts["linked"] == MANY
    one = db.session.scalars(select(Client).where(Client.name == "Client 007")).one()
    assert (one.phone, len(one.contacts)) == ("09 555 0101", 1)
    assert (waiting(), send_due(datetime.now(UTC))) == (0, 0)
    practice.done()
    assert practice.app.calls == ["list"]


def test_what_a_ledger_filled_in_goes_along_with_the_next_change(
    practice: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = ledger(monkeypatch, [record("r-7", "Client 007")], directions=("both",))
    books.done()
    books.app.put(replace(books.app.records["r-7"], name="Bond Ltd", revision="1"))
    assert books.done().counts["updated"] == 1
    assert waiting() == 1
    practice.done()
    there = practice.app.records["p-7"]
    assert (there.name, there.phone) == ("Bond Ltd", "09 555 0101")
    assert practice.app.calls.count("write") == 1
