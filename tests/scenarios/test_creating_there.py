"""A client made here is created in the app: once, never beside one that is there already, and never behind a back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from portal import sync
from portal.db import db
from portal.domain import clients, findings, links, outgoing
from portal.domain.apps import Conflict, Outcome, OutgoingClient, OutgoingState, PushState
from portal.domain.records import Address, RecordState
from tests.pretend_app import PRIYA, Books, record
from tests.scenarios.outgoing import app_of, create, link_of, make, now, row_of, told
from tests.strict_ledger import ledger

pytestmark = pytest.mark.usefixtures("database", "clock")


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Books:
    return ledger(monkeypatch)


def test_a_client_made_here_goes_at_once_with_everything_and_is_linked(books: Books) -> None:
    """QBO-1, QB-06: name, address and phone; the id there makes the link."""
    client = make(
        phone="09 555 0101", address=Address("1 Quay St", "Auckland"),
        contacts=[{"name": "Ana Lee", "email": "ana@acme.example"}, {"name": "Sam Lee"}],
    )  # fmt: skip
    row = row_of(client)
    assert row is not None
    key = row.key
    assert create(client) == Outcome.CREATED_THERE
    there = app_of(books).one("Acme Corp")
    assert (there.phone, there.address.street, [one.name for one in there.contacts]) == (
        "09 555 0101", "1 Quay St", ["Ana Lee", "Sam Lee"],
    )  # fmt: skip
    link = link_of(client)
    assert (link.remote_id, link.made_by, link.push_state) == (there.remote_id, "created", PushState.NONE)
    assert link.created_as == key, "some apps know it by this for ever"
    assert row_of(client) is None
    assert "Acme Corp is to be created in Ledger" in told(client)
    assert "Acme Corp created in Ledger" in told(client)
    assert app_of(books).calls == ["find", "create"]
    books.done()
    run = books.done()
    assert run.counts.get("updated", 0) == run.counts.get("pushed", 0) == 0
    assert db.session.scalars(select(Conflict)).all() == []


def test_a_client_goes_out_only_where_new_ones_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """QB-04: the later moment is the other choice."""
    ledger(monkeypatch, settings={"new_clients": "first_invoice"})
    assert row_of(make()) is None


def test_one_of_exactly_this_name_is_linked_and_no_second_one_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """M3, DIG-7, QBO-2."""
    books = ledger(monkeypatch, [record("r-1", "Acme Corp")])
    client = make()
    assert create(client) == Outcome.LINKED
    assert link_of(client).remote_id == "r-1"
    assert row_of(client) is None
    assert app_of(books).sizes["create"] == []
    assert sync.send(link_of(client).id) == Outcome.UPDATED  # its phone and address are taken over
    assert client.phone == "09 555 0101"


def test_a_name_that_differs_in_capitals_is_asked_about_and_one_click_settles_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """QBO-5: never a second customer, both spellings shown, one click aligns and links."""
    books = ledger(monkeypatch, [record("r-1", "acme corp")])
    client = make()
    assert create(client) == Outcome.NEAR_MATCH
    row = row_of(client)
    assert row is not None
    assert (row.state, row.reason) == (OutgoingState.ASKS, "the names differ only in capital letters")
    (finding,) = findings.open_findings()
    assert (finding.kind, finding.remote_name, finding.client_name) == ("near_match", "acme corp", "Acme Corp")
    link = findings.align_and_link(finding, "here", by=PRIYA, now=now(), app="Ledger")
    db.session.commit()
    assert row_of(client) is None
    assert sync.send(link.id) == Outcome.PUSHED
    assert [one.name for one in app_of(books).records.values()] == ["Acme Corp"]


def test_aligning_sends_the_name_also_where_nothing_is_sent_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch, [record("r-1", "acme corp")], settings={"level": "nothing", "direction": "from_app"})
    client = make()
    create(client)
    link = findings.align_and_link(findings.open_findings()[0], "here", by=PRIYA, now=now(), app="Ledger")
    db.session.commit()
    assert sync.send(link.id) == Outcome.PUSHED
    assert app_of(books).records["r-1"].name == "Acme Corp"
    assert link_of(client).asked == []


def test_told_apart_it_is_created_where_the_vendor_lets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch, [record("r-1", "Acme Ltd")])
    books.done()
    client = make()
    assert create(client) == Outcome.NEAR_MATCH
    findings.tell_apart(findings.open_findings()[0], by=PRIYA, now=now(), app="Ledger")
    db.session.commit()
    row = row_of(client)
    assert row is not None
    assert row.state == OutgoingState.READY
    assert sync.create_due(now()) == 1
    assert {one.name for one in app_of(books).records.values()} == {"Acme Ltd", "Acme Corp"}


def test_told_apart_where_the_vendor_does_not_let_it_says_what_the_vendor_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger(monkeypatch, [record("r-1", "acme corp")])
    client = make()
    create(client)
    findings.tell_apart(findings.open_findings()[0], by=PRIYA, now=now(), app="Ledger")
    db.session.commit()
    assert create(client) == Outcome.TAKEN
    row = row_of(client)
    assert row is not None
    assert (row.state, row.reason) == (OutgoingState.ASKS, "The name is taken. Ledger says: Duplicate Name")


def test_a_name_that_belongs_to_another_client_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """M4."""
    books = ledger(monkeypatch, [record("r-1", "Acme Corp")])
    make("Acme Corp")
    books.done()
    second = make("Acme Corp")
    assert create(second) == Outcome.TAKEN
    (finding,) = findings.open_findings()
    assert (finding.kind, finding.client_id) == ("taken", second.id)
    assert finding.reason == "the record of this name in Ledger is linked to Acme Corp here"
    with pytest.raises(findings.NotOpen, match="it is linked to Acme Corp"):
        findings.import_as_new(finding, by=PRIYA, now=now())
    clients.edit(second, {"name": "Acme Corp Wellington"}, by=PRIYA, now=now())
    db.session.commit()
    assert create(second) == Outcome.CREATED_THERE
    assert findings.open_findings() == []  # nobody wants that name any more


def test_two_of_one_name_on_either_side_are_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """M7, M8."""
    ledger(monkeypatch, [record("r-1", "Acme Corp"), record("r-2", "Acme Corp"), record("r-3", "Beta Ltd")])
    client = make()
    assert create(client) == Outcome.AMBIGUOUS
    assert {one.remote_id for one in findings.open_findings()} == {"r-1", "r-2"}
    findings.link_to(findings.open_findings()[1], client, by=PRIYA, now=now(), app="Ledger")
    db.session.commit()
    assert row_of(client) is None
    make("Beta Ltd")
    assert create(make("Beta Ltd")) == Outcome.AMBIGUOUS


def test_one_that_is_archived_there_is_not_made_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch, [record("r-1", "Acme Corp", state=RecordState.ARCHIVED)])
    client = make()
    assert create(client) == Outcome.SKIPPED
    row = row_of(client)
    assert row is not None
    assert "make it active again there" in row.reason
    app_of(books).change("r-1", state=RecordState.ACTIVE)
    books.done()
    assert link_of(client).remote_id == "r-1"
    assert row_of(client) is None


def test_a_name_a_supplier_has_is_asked_about_in_the_vendors_words(books: Books) -> None:
    """6240: the names of customers, suppliers and employees are one list."""
    app_of(books).suppliers.add("acme corp")
    client = make()
    assert create(client) == Outcome.TAKEN
    row = row_of(client)
    assert row is not None
    assert row.reason == "The name is taken. Ledger says: Duplicate Name"
    app_of(books).suppliers.clear()
    outgoing.ask(client, books.connection, by=PRIYA, now=now())
    db.session.commit()
    assert create(client) == Outcome.CREATED_THERE  # under another key: the old one would bring the old refusal back


def test_it_can_be_taken_back_until_it_goes(books: Books) -> None:
    client = make()
    row = row_of(client)
    assert row is not None
    assert outgoing.take_back(row, by=PRIYA, now=now())
    db.session.commit()
    assert row_of(client) is None
    assert sync.create_due(now()) == 0
    assert told(client)[-1] == "Acme Corp is no longer to be created in Ledger"


def test_taken_back_while_it_goes_is_too_late_and_afterwards_it_has_gone(books: Books) -> None:
    client = make()
    row = row_of(client)
    assert row is not None
    row.state, row.lease_by, row.lease_until = OutgoingState.SENDING, "somebody", now() + timedelta(minutes=1)
    db.session.commit()
    with pytest.raises(outgoing.UnderWay):
        outgoing.take_back(row, by=PRIYA, now=now())
    assert row.connection.id == books.connection_id
    gone = delete(OutgoingClient).where(OutgoingClient.id == row.id)  # it went between the look and the press
    db.session.execute(gone.execution_options(synchronize_session=False))
    assert not outgoing.take_back(row, by=PRIYA, now=now())


def test_taking_it_back_also_takes_back_what_it_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch, [record("r-1", "Acme Corp")])
    make()
    books.done()
    second = make()
    create(second)
    row = row_of(second)
    assert row is not None
    outgoing.take_back(row, by=PRIYA, now=now())
    db.session.commit()
    assert findings.open_findings() == []


def test_asked_twice_is_asked_once_and_a_linked_client_is_not_asked_at_all(books: Books) -> None:
    client = make()
    first = row_of(client)
    assert first is not None
    assert outgoing.ask(client, books.connection, by=PRIYA, now=now()).id == first.id
    create(client)
    with pytest.raises(links.AlreadyLinked):
        outgoing.ask(client, books.connection, by=PRIYA, now=now())


def test_an_app_that_takes_no_clients_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch, creates_clients=False)
    client = make()
    assert row_of(client) is None
    with pytest.raises(outgoing.CannotCreate):
        outgoing.ask(client, books.connection, by=PRIYA, now=now())


def test_an_app_that_cannot_be_asked_for_a_name_waits_for_its_first_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch, [record("r-1", "acme corp"), record("r-2", "Beta Ltd")], finds_clients=False)
    client, beta = make(), make("Beta Ltd")
    assert sync.create_due(now()) == 0
    assert create(client) is None
    books.done()
    assert link_of(beta).remote_id == "r-2"
    assert sync.create_due(now()) == 1
    row = row_of(client)
    assert row is not None
    assert row.state == OutgoingState.ASKS  # the sync has listed who is there
    assert "find" not in app_of(books).calls


def test_an_archived_client_is_not_created(books: Books) -> None:
    client = make()
    clients.archive(client, by=PRIYA, now=now())
    db.session.commit()
    assert create(client) is None
    row = row_of(client)
    assert row is not None
    assert row.state == OutgoingState.ASKS
    assert app_of(books).records == {}
