"""Creating a client in the app while things go wrong: answers lost, processes gone, somebody quicker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from portal import sync
from portal.adapters.base import NeedsReconnect, RateLimited, Rejected, Unavailable
from portal.db import db
from portal.domain import clients, links, outgoing
from portal.domain.apps import (
    Outcome,
    OutgoingClient,
    OutgoingState,
    PushState,
)
from tests.pretend_app import PRIYA, Books, record
from tests.scenarios.outgoing import app_of, create, link_of, make, now, row_of, told
from tests.strict_ledger import ledger

pytestmark = pytest.mark.usefixtures("database", "clock")


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Books:
    return ledger(monkeypatch)


def test_somebody_who_was_quicker_there_is_linked(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the creation somebody typed the customer in there."""
    app = app_of(books)
    look, looks = app.find_clients, []

    def late(session: Any, name: str) -> Any:
        found = look(session, name)
        if not looks:
            app.put(record("r-9", "Acme Corp", revision="0"))
        looks.append(name)
        return found

    monkeypatch.setattr(app, "find_clients", late)
    client = make()
    assert create(client) == Outcome.LINKED
    assert link_of(client).remote_id == "r-9"
    assert list(app.records) == ["r-9"]


@pytest.mark.parametrize("was_done", [True, False])
def test_an_answer_lost_is_looked_at_when_a_look_can_be_trusted(books: Books, clock: Any, was_done: bool) -> None:
    """Fault rows 11, 12, 15 and 16: the look-up is a minute behind; still exactly one."""
    app = app_of(books)
    app.unseen_for = timedelta(seconds=60)
    app.lose("create", done=was_done)
    client = make()
    assert create(client) == Outcome.FAILED
    row = row_of(client)
    assert row is not None
    assert row.next_at is not None
    assert (row.state, row.lease_by) == (OutgoingState.READY, None)
    assert row.next_at - now() >= timedelta(seconds=90)
    assert outgoing.may_be_there(row)
    assert sync.create_due(now()) == 0
    clock.shift(timedelta(seconds=91))
    assert sync.create_due(now()) == 1
    assert len(app.records) == 1
    assert link_of(client).remote_id == app.one("Acme Corp").remote_id


def test_a_process_that_died_while_creating_leaves_exactly_one(books: Books, clock: Any) -> None:
    """Fault row 72, without the vendor's help: no key, no unique names."""
    app = app_of(books)
    app.unique = False
    client = make()
    row = row_of(client)
    assert row is not None
    app.put(record("made-by-the-dead", "Acme Corp", revision="0"))
    row.state, row.lease_by, row.lease_until = OutgoingState.SENDING, "gone/create/1/1", now() + timedelta(minutes=5)
    db.session.commit()
    assert sync.create_due(now()) == 0  # it may yet be alive
    books.done(full=True)
    clock.shift(timedelta(minutes=6))
    sync.create_due(now())
    assert len(app.records) == 1
    assert link_of(client).remote_id == "made-by-the-dead"
    assert row_of(client) is None


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (RateLimited("Enough for now.", retry_at=datetime(2026, 11, 3, 5, tzinfo=UTC)), None),
        (Unavailable("It cannot be reached."), timedelta(seconds=30)),
        (NeedsReconnect("Access ended."), timedelta(hours=1)),
    ],
)
def test_what_passes_is_waited_for(books: Books, error: Any, wait: timedelta | None) -> None:
    """Fault rows 17, 19 and 35."""
    app_of(books).refuse("find", error)
    client = make()
    assert create(client) == Outcome.FAILED
    row = row_of(client)
    assert row is not None
    assert row.state == OutgoingState.READY
    assert row.next_at == (now() + wait if wait else error.retry_at)
    if isinstance(error, NeedsReconnect):
        assert books.connection.state == "needs_reconnect"
        assert sync.create_due(now() + timedelta(days=1)) == 0
        assert row_of(make("Beta Ltd")) is not None  # kept until somebody connects again


def test_a_refusal_says_why_and_can_be_tried_again(books: Books) -> None:
    app_of(books).refuse_one["Acme:Corp"] = Rejected("Ledger refused it.", vendor_text="no colons")
    client = make("Acme:Corp")
    assert create(client) == Outcome.FAILED
    row = row_of(client)
    assert row is not None
    assert (row.state, row.reason) == (OutgoingState.FAILED, "Ledger refused it. Ledger says: no colons")
    assert any("was not created in Ledger: Ledger refused it." in line for line in told(client))
    clients.edit(client, {"name": "Acme Corp"}, by=PRIYA, now=now())
    db.session.commit()
    assert create(client) == Outcome.CREATED_THERE


def test_a_change_made_while_it_goes_goes_after_it(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    app, client = app_of(books), make()
    write = app.create_clients

    def a_person_saves(session: Any, news: Any) -> Any:
        clients.edit(client, {"name": "Acme Corp Ltd"}, by=PRIYA, now=now())
        db.session.commit()
        return write(session, news)

    monkeypatch.setattr(app, "create_clients", a_person_saves)
    assert create(client) == Outcome.CREATED_THERE
    assert link_of(client).push_state == PushState.READY
    assert sync.send(link_of(client).id) == Outcome.PUSHED
    assert app.one("Acme Corp Ltd")


def test_a_run_that_sees_the_new_record_first_links_it_and_nothing_is_doubled(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.done()
    app, client = app_of(books), make()
    write = app.create_clients

    def a_run_comes_by(session: Any, news: Any) -> Any:
        answers = write(session, news)
        monkeypatch.setattr(app, "create_clients", write)
        books.done()
        return answers

    monkeypatch.setattr(app, "create_clients", a_run_comes_by)
    assert create(client) == Outcome.CREATED_THERE
    assert link_of(client).remote_id == app.one("Acme Corp").remote_id
    assert row_of(client) is None


def test_a_client_linked_by_hand_meanwhile_is_said_to_have_been_made_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    books = ledger(monkeypatch, [record("r-1", "Entity A")])
    books.done()
    app, client = app_of(books), make()
    write = app.create_clients

    def a_person_links(session: Any, news: Any) -> Any:
        links.link(client, books.connection, app.records["r-1"], by=PRIYA, now=now(), reason="chosen", app="Ledger")
        db.session.commit()
        return write(session, news)

    monkeypatch.setattr(app, "create_clients", a_person_links)
    assert create(client) == Outcome.SKIPPED
    assert link_of(client).remote_id == "r-1"
    assert any("is one too many" in line for line in told(client))


def test_a_stale_lease_counts_as_an_attempt(books: Books) -> None:
    client = make()
    past = now() - timedelta(seconds=1)
    db.session.execute(update(OutgoingClient).values(state=OutgoingState.SENDING, lease_by="gone", lease_until=past))
    db.session.commit()
    app_of(books).refuse("find", RateLimited("Enough.", retry_at=now() + timedelta(hours=1)))
    create(client)
    row = row_of(client)
    assert row is not None
    assert (row.attempts, outgoing.may_be_there(row)) == (1, True)
