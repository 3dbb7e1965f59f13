"""A customer made in both places, and one made here: the ledger's own rules, in the ledger's own words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import select

from portal import integrations, sync
from portal.db import db
from portal.domain import clients, findings, outgoing
from portal.domain.apps import ClientLink, Conflict, Outcome, OutgoingClient, OutgoingState, PushState
from portal.domain.clients import Client
from portal.domain.records import Address
from tests import cast
from tests.scenarios.apps import EACH
from tests.scenarios.conftest import PRIYA, World

MakeWorld = Callable[..., AbstractContextManager[World]]
MANY = 120  # changes at once; more than any app takes in one call


@pytest.fixture(autouse=True)
def _nothing_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.queue.submit", lambda *_work: None)


@pytest.fixture
def books(make_world: MakeWorld) -> Iterator[World]:
    with make_world(app="quickbooks") as made:
        yield made


@pytest.fixture(params=EACH)
def each(make_world: MakeWorld, request: pytest.FixtureRequest) -> Iterator[World]:
    with make_world(app=request.param) as made:
        yield made


def make(world: World, name: str, **fields: Any) -> tuple[Client, int]:
    """As the form for a new client does it, and as a first invoice or an acceptance will; the row on its way out."""
    contacts = fields.pop("contacts", [])
    client = clients.create(name, by=PRIYA, now=world.now(), contacts=contacts, **fields)
    row = outgoing.ask(client, world.connection(), by=PRIYA, now=world.now())
    db.session.commit()
    return client, row.id


def test_the_same_name_in_both_is_linked_by_sync_now(books: World) -> None:
    """QBO-3, M3: made independently in both, no shared id; the run ends with what it linked."""
    (there,) = books.create_there("Acme Corp")
    client = cast.make_client("Acme Corp")
    db.session.commit()
    run = books.done()
    assert run.counts["linked"] == 1
    assert books.link(client).remote_id == there
    assert books.names_there() == ["Acme Corp"]


@pytest.mark.parametrize("side", ["here", "there"])
def test_names_that_differ_in_capitals_are_aligned_and_linked_with_one_click(books: World, side: str) -> None:
    """QBO-5."""
    (there,) = books.create_there("acme corp")
    client = cast.make_client("Acme Corp")
    db.session.commit()
    assert books.done().counts["near_match"] == 1
    assert client.links == []
    (finding,) = findings.open_findings()
    assert (finding.remote_name, finding.client_name) == ("acme corp", "Acme Corp")
    link = findings.align_and_link(finding, side, by=PRIYA, now=books.now(), app="QuickBooks")
    db.session.commit()
    sync.send(link.id)
    db.session.expire_all()
    name = "Acme Corp" if side == "here" else "acme corp"
    assert (client.name, books.name_there(there)) == (name, name)
    assert (books.link(client).push_state, books.link(client).asked) == (PushState.NONE, [])
    assert books.done().counts.get("linked", 0) == 0


def test_a_client_made_here_goes_at_once_and_the_unique_id_links_the_two(books: World) -> None:
    """QBO-1, QB-04: at once is how the app is set from the beginning."""
    client = clients.create(
        "Acme Corp", by=PRIYA, now=books.now(), phone="09 555 0101",
        address=Address("1 Quay St", "Auckland", "", "1010", "New Zealand"),
        contacts=[{"name": "Ana Lee", "email": "ana@acme.example"}],
    )  # fmt: skip
    (row,) = outgoing.note_new(client, by=PRIYA, now=books.now())
    db.session.commit()
    assert sync.create_there(row.id) == Outcome.CREATED_THERE
    there = books.remote("Acme Corp")
    assert books.link(client).remote_id == there["uuid"]
    assert "09 555 0101" in str(there)
    assert "1 Quay St" in str(there)
    assert "ana@acme.example" in str(there)
    books.done()
    run = books.done()
    assert run.counts.get("updated", 0) == run.counts.get("pushed", 0) == 0
    assert (client.phone, db.session.scalars(select(Conflict)).all()) == ("09 555 0101", [])


def test_a_name_refused_as_taken_leads_to_the_link(books: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """6240: the look-up was behind, the creation is refused, and the second look finds whom to link (fault row 16)."""
    (there,) = books.create_there("Acme Corp")
    adapter = integrations.adapter_for(books.connection())
    look = adapter.find_clients
    answers: list[Any] = [lambda *_asked: []]
    monkeypatch.setattr(adapter, "find_clients", lambda *asked: answers.pop()(*asked) if answers else look(*asked))
    client, row_id = make(books, "Acme Corp")
    assert sync.create_there(row_id) == Outcome.LINKED
    assert books.link(client).remote_id == there
    assert books.names_there() == ["Acme Corp"]


def test_a_name_a_supplier_has_is_asked_about(books: World) -> None:
    """Suppliers share the list of names."""
    books.control.ask("POST", "quickbooks/vendors", {"name": "Acme Corp", "tenant": books.tenant})
    _client, row_id = make(books, "Acme Corp")
    assert sync.create_there(row_id) == Outcome.TAKEN
    row = outgoing.get(row_id)
    assert row is not None
    assert row.state == OutgoingState.ASKS
    assert books.names_there() == []


def test_a_client_reaches_each_app_once_and_comes_to_rest_there(each: World) -> None:
    """XPM-12, DIG-7, QBO-1, and Xero with the first invoice: created, linked, and nothing left to do."""
    ana = {"name": "Ana Lee", "email": "a@acme.example"}
    client, row_id = make(each, "Acme Corp", phone="09 555 0101", contacts=[ana])
    outcome = sync.create_there(row_id)
    if outcome is None:
        each.done()
        outcome = sync.create_there(row_id)
    assert outcome == Outcome.CREATED_THERE
    if each.side.slug != "digits":  # it lists nobody without a transaction
        assert each.names_there() == ["Acme Corp"]
        assert each.remote("Acme Corp")["uuid"] == each.link(client).remote_id
    for _round in range(3):
        each.done()
    full = each.done(full=True)
    assert {key for key, many in full.counts.items() if many} <= {"unchanged"}
    db.session.expire_all()
    assert (client.name, client.phone, client.contacts[0].email) == ("Acme Corp", "09 555 0101", "a@acme.example")
    assert len(client.contacts) == 1
    assert db.session.scalars(select(Conflict)).all() == []
    assert db.session.scalars(select(ClientLink.push_state)).all() == [PushState.NONE]


def test_a_lost_answer_leaves_one_in_each_app(each: World) -> None:
    """Fault rows 11, 12 and 15: the app made it, the answer never came."""
    each.done()
    client, row_id = make(each, "Acme Corp")
    each.fault("accept_then_drop", path=each.side.writes, times=1)
    sync.create_there(row_id)
    each.control.clear_faults()
    db.session.expire_all()
    row = outgoing.get(row_id)
    if row is not None:
        row.next_at = each.now()
        db.session.commit()
        assert sync.create_due(each.now()) == 1
    if each.side.slug != "digits":
        assert each.names_there() == ["Acme Corp"]
        assert each.link(client).remote_id == each.remote("Acme Corp")["uuid"]
    assert each.link(client).made_by in ("created", "name")
    assert db.session.scalars(select(OutgoingClient)).all() == []


@pytest.mark.parametrize(("slug", "calls"), [("quickbooks", 4), ("xero", 3)])
def test_many_changes_go_out_in_few_calls(make_world: MakeWorld, slug: str, calls: int) -> None:
    """Thirty to a call, and fifty."""
    with make_world(clients=140, app=slug, wide=True) as books:
        books.done()
        linked = [link.client_id for link in books.links()][:MANY]
        assert len(linked) == MANY
        for number, client_id in enumerate(linked):
            client = clients.get(client_id)
            assert client is not None
            clients.edit(client, {"name": f"Renamed {number:03} Ltd"}, by=PRIYA, now=books.now())
        db.session.commit()
        books.control.clear_calls()
        assert books.done().counts["pushed"] == MANY
        written = [one for one in books.calls() if one["method"] in ("POST", "PUT")]
        assert len(written) == calls
        assert len(books.calls()) <= calls + 12
        assert sum(name.startswith("Renamed ") for name in books.names_there()) == MANY
