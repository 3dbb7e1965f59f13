"""A client made here is created in the app: once, never beside one that is there already, and never behind a back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from portal import sync
from portal.adapters.base import NeedsReconnect, RateLimited, Rejected, Unavailable
from portal.db import db
from portal.domain import clients, findings, links, outgoing
from portal.domain.activity import Activity, sentence
from portal.domain.apps import (
    ClientLink,
    Conflict,
    Finding,
    LinkState,
    Outcome,
    OutgoingClient,
    OutgoingState,
    PushState,
    RunItem,
    RunKind,
    RunState,
    SyncRun,
)
from portal.domain.clients import Client
from portal.domain.records import Address, RecordState
from tests.pretend_app import PRIYA, Books, record
from tests.strict_ledger import Ledger, ledger

pytestmark = pytest.mark.usefixtures("database", "clock")


def app_of(made: Books) -> Ledger:
    assert isinstance(made.app, Ledger)
    return made.app


def now() -> datetime:
    return datetime.now(UTC)


def make(name: str = "Acme Corp", **fields: Any) -> Client:
    """As the form for a new client does it."""
    contacts = fields.pop("contacts", [])
    client = clients.create(name, by=PRIYA, now=now(), contacts=contacts, **fields)
    outgoing.note_new(client, by=PRIYA, now=now())
    db.session.commit()
    return client


def row_of(client: Client) -> OutgoingClient | None:
    db.session.expire_all()
    return db.session.scalar(select(OutgoingClient).where(OutgoingClient.client_id == client.id))


def create(client: Client) -> Outcome | None:
    row = row_of(client)
    assert row is not None
    row_id = row.id
    db.session.commit()
    outcome = sync.create_there(row_id)
    db.session.expire_all()
    return outcome


def link_of(client: Client) -> ClientLink:
    return db.session.scalars(select(ClientLink).where(ClientLink.client_id == client.id)).one()


def told(client: Client) -> list[str]:
    lines = db.session.scalars(select(Activity).where(Activity.client_id == client.id).order_by(Activity.id))
    return [sentence(one) for one in lines]


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Books:
    return ledger(monkeypatch)


def test_a_client_made_here_goes_at_once_with_everything_and_is_linked(books: Books) -> None:
    """QBO-1, QB-06: name, address and phone; the id there makes the link."""
    client = make(
        phone="09 555 0101", address=Address("1 Quay St", "Auckland"),
        contacts=[{"name": "Ana Lee", "email": "ana@acme.example"}, {"name": "Sam Lee"}],
    )  # fmt: skip
    assert create(client) == Outcome.CREATED_THERE
    there = app_of(books).one("Acme Corp")
    assert (there.phone, there.address.street, [one.name for one in there.contacts]) == (
        "09 555 0101", "1 Quay St", ["Ana Lee", "Sam Lee"],
    )  # fmt: skip
    link = link_of(client)
    assert (link.remote_id, link.made_by, link.push_state) == (there.remote_id, "created", PushState.NONE)
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


def test_many_go_in_batches_without_a_look_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch, [record("r-1", "client 007")])
    books.done()
    app = app_of(books)
    app.calls.clear()
    made = [make(f"Client {number:03}") for number in range(65)]
    started: list[int] = []
    monkeypatch.setattr("portal.sync.many.start", started.append)
    rows = list(db.session.scalars(select(OutgoingClient.id)))
    sync.create_there_soon(rows, PRIYA)
    (run_id,) = started
    assert sync.create_due(now()) == 0  # the run has them
    assert sync.work(run_id) == RunState.DONE
    run = db.session.get_one(SyncRun, run_id)
    assert app.sizes["create"] == [30, 30, 4]
    assert app.calls.count("find") == 1  # only for the one that is nearly there
    assert (run.counts["created_there"], run.counts["near_match"]) == (64, 1)
    db.session.expire_all()
    assert sum(len(one.links) for one in made) == 64
    assert len(app.records) == 65
    assert "created_there" not in books.done().counts


def test_in_a_batch_each_refusal_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch)
    books.done()
    app = app_of(books)
    app.suppliers.add("client 1")
    app.refuse_one["Client 2"] = Rejected("Ledger refused it.", vendor_text="no twos")
    made = [make(f"Client {number}") for number in range(4)] + [make("client 3"), make("Client 0")]
    run = books.done()
    states = {one.name: row.state if (row := row_of(one)) else "linked" for one in made[:5]}
    assert states == {
        "Client 0": "linked", "Client 1": OutgoingState.ASKS, "Client 2": OutgoingState.FAILED, "Client 3": "linked",
        "client 3": OutgoingState.ASKS,
    }  # fmt: skip
    twin = row_of(made[5])
    assert twin is not None
    assert (twin.state, run.counts["created_there"], run.counts["taken"]) == (OutgoingState.ASKS, 2, 3)
    assert sorted(one.name for one in app.records.values()) == ["Client 0", "Client 3"]


def test_a_batch_whose_answer_was_lost_leaves_exactly_one_of_each(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    """Fault row 11."""
    books = ledger(monkeypatch)
    books.done()
    app = app_of(books)
    made = [make(f"Client {number}") for number in range(5)]
    app.lose("create")
    assert books.done().counts["failed"] == 5
    clock.shift(timedelta(minutes=2))
    books.done()
    sync.create_due(now())
    db.session.expire_all()
    assert len(app.records) == 5
    assert all(len(one.links) == 1 for one in made)
    assert db.session.scalars(select(OutgoingClient)).all() == []


def test_what_ends_a_run_hands_every_client_back(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch)
    books.done()
    for number in range(3):
        make(f"Client {number}")
    app_of(books).refuse("create", RateLimited("Enough.", retry_at=now() + timedelta(hours=1)))
    assert books.run().state == RunState.PARTIAL
    rows = list(db.session.scalars(select(OutgoingClient)))
    assert {(one.state, one.lease_by, one.attempts) for one in rows} == {(OutgoingState.READY, None, 0)}


def test_an_app_without_unique_names_is_looked_at_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """XPM has no key and no unique names: always look, one by one."""
    books = ledger(monkeypatch, batch=1)
    books.done()
    app = app_of(books)
    app.unique = False
    for number in range(3):
        make(f"Client {number}")
    app.calls.clear()
    assert books.done().counts["created_there"] == 3
    assert app.calls == ["list", "find", "create", "find", "create", "find", "create"]


def test_an_archived_client_is_not_created(books: Books) -> None:
    client = make()
    clients.archive(client, by=PRIYA, now=now())
    db.session.commit()
    assert create(client) is None
    row = row_of(client)
    assert row is not None
    assert row.state == OutgoingState.ASKS
    assert app_of(books).records == {}


def test_a_question_that_closed_by_itself_is_tried_again_with_the_next_run(
    monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    books = ledger(monkeypatch, [record("r-1", "Acme Ltd")])
    books.done()
    client = make()
    assert create(client) == Outcome.NEAR_MATCH
    clock.shift(timedelta(minutes=1))
    app_of(books).change("r-1", name="Somebody Else")
    books.done()
    clock.shift(timedelta(minutes=1))
    books.done()
    assert link_of(client).state == LinkState.LINKED
    assert db.session.scalars(select(Finding).where(Finding.state == "open")).all() == []


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


def test_a_preview_names_the_clients_that_would_be_created_and_applying_it_leaves_them_to_go_by_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    books = ledger(monkeypatch, [record("r-1", "Beta Ltd")])
    client, beta = make(), make("Beta Ltd")
    preview = books.run(RunKind.PREVIEW)
    rows = {one.name: one for one in db.session.scalars(select(RunItem).where(RunItem.run_id == preview.id))}
    assert {name: one.outcome for name, one in rows.items()} == {
        "Acme Corp": Outcome.CREATED_THERE, "Beta Ltd": Outcome.LINKED,
    }  # fmt: skip
    assert app_of(books).sizes["create"] == []
    books.apply(preview)
    db.session.expire_all()
    assert link_of(beta).remote_id == "r-1"
    assert row_of(client) is not None
    shown = db.session.scalars(select(RunItem).where(RunItem.run_id == preview.id, RunItem.name == "Acme Corp")).one()
    assert shown.applied == "goes by itself"
    assert create(client) == Outcome.CREATED_THERE
