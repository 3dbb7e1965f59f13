"""Which links a change concerns, what a person may ask to be sent, and the undo of an import that created clients."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import db
from portal.domain import activity, clients, links, outgoing
from portal.domain.apps import Conflict, ContactLink, OutgoingClient, PushState
from portal.domain.carrying import apply_here, side_of
from portal.domain.clients import Client, SyncState
from portal.domain.findings import context_for
from portal.domain.planning import Policy, Times, plan
from portal.domain.records import ClientRecord, ContactRecord
from tests.cast import COMMAND, make_client, make_connection, make_link, now, person
from tests.pretend_app import PRIYA
from tests.strict_ledger import ledger

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Client:
    """Linked to a ledger that is only told names, and to XPM, which follows everything."""
    books = ledger(monkeypatch)
    client = make_client("Acme", contacts=[{"name": "Ana Lee"}])
    make_link(client, books.connection)
    make_link(client, make_connection())
    return client


def asked(client: Client) -> set[str]:
    return {link.connection.app for link in client.links if link.push_state == PushState.READY}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"phone": "2"}, {"xpm"}),
        ({"name": "Acme Ltd"}, {"ledger", "xpm"}),
        ({"structure": "Trust"}, set()),
        ({"website": "https://acme.example"}, {"xpm"}),  # kept there: it puts the value right
    ],
)
def test_a_change_concerns_only_the_apps_that_carry_it(
    acme: Client, values: dict[str, str], expected: set[str]
) -> None:
    """CL-35, XP-20."""
    clients.edit(acme, values, by=PRIYA, now=now())
    assert asked(acme) == expected


def test_contacts_concern_only_the_apps_that_follow_them(acme: Client) -> None:
    clients.edit_contact(acme.contacts[0], {"email": "ana@acme.example"}, by=PRIYA, now=now())
    assert asked(acme) == {"xpm"}


def test_a_person_may_have_every_app_looked_at(acme: Client) -> None:
    assert len(clients.ask_for_push(acme, now())) == 2


def test_a_persons_word_is_kept_until_it_has_been_sent(acme: Client) -> None:
    link = next(one for one in acme.links if one.connection.app == "ledger")
    links.ask_to_send(link, ["phone"], by=PRIYA, now=now())
    links.ask_to_send(link, ["address"], by=PRIYA, now=now())
    assert (link.asked, link.push_state, acme.sync_state) == (["address", "phone"], PushState.READY, SyncState.PENDING)
    said = activity.sentence(activity.log(client_id=acme.id)[0])
    assert said == "Address to be sent to Ledger, whatever its settings say"


def test_what_an_app_keeps_or_does_not_take_cannot_be_asked_for(acme: Client) -> None:
    xpm = next(one for one in acme.links if one.connection.app == "xpm")
    for field in ("website", "structure", "nonsense"):
        with pytest.raises(links.CannotSend):
            links.ask_to_send(xpm, [field], by=PRIYA, now=now())
    assert xpm.push_state == PushState.NONE


def pulled(client: Client, connection: Any, name: str, *, by: Any) -> None:
    """A run or a look has found this name in the app."""
    link = next(one for one in client.links if one.connection_id == connection.id)
    link.agreed = {"name": client.name}
    record = ClientRecord(link.remote_id, name)
    context = context_for(connection, by=by, now=now())
    side = side_of(client, link, [], record, context.staff, context.app)
    made = plan(
        side, record, fields={"name": "two-way"}, contact_fields={}, times=Times(), policy=Policy("XPM", "both")
    )
    apply_here(client, link, [], record, made, context, may_send=False)


def test_a_value_one_app_told_is_a_change_for_the_others_and_not_for_itself(acme: Client) -> None:
    xpm = next(one.connection for one in acme.links if one.connection.app == "xpm")
    pulled(acme, xpm, "Acme Holdings", by=PRIYA)
    told, other = (next(one for one in acme.links if one.connection.app == app) for app in ("xpm", "ledger"))
    assert acme.name == "Acme Holdings"
    assert (told.push_state, other.push_state) == (PushState.NONE, PushState.READY)
    assert other.push_next_at is not None  # one look by itself: soon


def test_what_a_run_brought_goes_to_the_others_with_their_own_run(acme: Client) -> None:
    from tests.cast_runs import make_run

    xpm = next(one.connection for one in acme.links if one.connection.app == "xpm")
    pulled(acme, xpm, "Acme Holdings", by=replace(COMMAND, run_id=make_run(xpm).id))
    other = next(one for one in acme.links if one.connection.app == "ledger")
    assert (other.push_state, other.push_next_at) == (PushState.READY, None)


def met(client: Client, app: str, **details: Any) -> None:
    """A run or a look has found this record of the client in the app, and its plan is carried out."""
    link = next(one for one in client.links if one.connection.app == app)
    ties = list(db.session.scalars(select(ContactLink).where(ContactLink.client_link_id == link.id)))
    record = ClientRecord(link.remote_id, **({"name": client.name} | details))
    context = context_for(link.connection, by=PRIYA, now=now())
    side = side_of(client, link, ties, record, context.staff, context.app)
    policy = context.connection.policy(context.app)
    made = plan(
        side, record, fields=context.fields, contact_fields=context.contact_fields, times=Times(), policy=policy
    )
    apply_here(client, link, ties, record, made, context, may_send=False)
    db.session.flush()


def in_step(monkeypatch: pytest.MonkeyPatch, **details: Any) -> Client:
    """In step with XPM and linked to a ledger just now, of which nothing was read yet."""
    books = ledger(monkeypatch, settings={"direction": "both", "level": "everything"})
    client = make_client("Acme", **details)
    make_link(client, make_connection(imported_at=now()))
    met(client, "xpm", phone=client.phone)
    make_link(client, books.connection)
    for link in client.links:
        link.push_state = PushState.NONE
    return client


ANA = ContactRecord("c-1", "Ana Lee", "ana@acme.example")


def test_what_a_link_fills_in_here_is_no_news_for_the_other_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger's thousand phone numbers must not become a thousand calls to the practice."""
    client = in_step(monkeypatch)
    met(client, "ledger", phone="09 555 0101", contacts=(ANA,))
    assert (client.phone, [one.name for one in client.contacts]) == ("09 555 0101", ["Ana Lee"])
    assert asked(client) == set()


def test_what_a_link_fills_in_a_contact_here_is_no_news_either(monkeypatch: pytest.MonkeyPatch) -> None:
    client = in_step(monkeypatch, contacts=[{"name": "Ana Lee"}])
    met(client, "xpm", contacts=(replace(ANA, remote_id="x-1", email=""),))
    met(client, "ledger", contacts=(ANA,))
    assert client.contacts[0].email == "ana@acme.example"
    assert asked(client) == set()


def test_a_value_of_ours_that_a_link_replaces_is_news_for_the_other_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else keeps the name in step both ways here, so theirs is taken; whoever is told ours is told."""
    client = in_step(monkeypatch)
    xpm = next(one.connection for one in client.links if one.connection.app == "xpm")
    xpm.settings = {"direction": "to_app"}
    met(client, "ledger", name="Acme Holdings")
    assert (client.name, asked(client)) == ("Acme Holdings", {"xpm"})


def test_what_changes_in_an_app_after_the_link_is_news_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    client = in_step(monkeypatch)
    met(client, "ledger", phone="09 555 0101")
    met(client, "ledger", name="Acme Holdings", phone="09 555 0101")
    assert (client.name, asked(client)) == ("Acme Holdings", {"xpm"})


def test_a_contact_added_in_an_app_is_news_and_one_that_was_always_there_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection may be narrowed to names for a while; the people it leaves out meanwhile are no change there."""
    client = in_step(monkeypatch)
    xpm = next(one.connection for one in client.links if one.connection.app == "xpm")
    make_link(client, make_connection("xpm", "A second practice", imported_at=now()))
    xpm.settings = {"level": "name"}
    met(client, "xpm", contacts=(ANA,))
    assert client.contacts == []
    xpm.settings = {"level": "everything"}
    met(client, "xpm", contacts=(ANA,))
    assert (len(client.contacts), asked(client)) == (1, set())
    met(client, "xpm", contacts=(ANA, replace(ANA, remote_id="c-2", name="Ben Ihaka", email="")))
    assert (len(client.contacts), asked(client)) == (2, {"xpm"})


def test_the_value_that_lost_to_a_persons_word_is_given_back_to_the_app(acme: Client, database: Any) -> None:
    """XPM-14, over a connection that would not send it by itself."""
    link = next(one for one in acme.links if one.connection.app == "ledger")
    conflict = Conflict(
        link_id=link.id, client_id=acme.id, field="phone", here="ours", there="theirs", winner="here", why="asked",
        at=now(),
    )  # fmt: skip
    database.add(conflict)
    database.flush()
    links.swap_conflict(conflict, by=PRIYA, now=now(), app="Ledger")
    assert (acme.phone, link.asked, link.push_state) == ("theirs", ["phone"], PushState.READY)


def test_undoing_a_csv_import_takes_back_the_clients_that_were_to_go_out(
    monkeypatch: pytest.MonkeyPatch, database: Any
) -> None:
    from portal.domain.client_csv.undoing import _stays_here

    ledger(monkeypatch)
    client = clients.create("Acme", by=PRIYA, now=now())
    (row,) = outgoing.note_new(client, by=PRIYA, now=now())
    assert _stays_here(client, PRIYA, now())
    assert database.scalars(select(OutgoingClient)).all() == []
    (row,) = outgoing.note_new(client, by=PRIYA, now=now())
    row.lease_until = now() + timedelta(minutes=1)
    database.flush()
    assert not _stays_here(client, PRIYA, now())


def test_nobody_elses_contact_is_tied_by_settling_a_creation(monkeypatch: pytest.MonkeyPatch, database: Any) -> None:
    """A vendor that cuts a contact's name still has its one contact recognised, and its spelling is no change."""
    from portal.domain import carrying
    from portal.domain.planning import ANSWERED

    books = ledger(monkeypatch)
    person("admin")
    client = make_client("Acme", contacts=[{"name": "Ana Maria Lee", "email": "ana@acme.example"}])
    context = context_for(books.connection, by=PRIYA, now=now())
    sent = carrying.record_of(client, context)
    after = replace(sent, remote_id="n-1", contacts=(replace(sent.contacts[0], remote_id="c-1", name="Ana M. Lee"),))
    link = links.link(client, books.connection, after, by=PRIYA, now=now(), reason="created", made_by="created")
    carrying.settle_created(client, link, sent, after, context)
    database.flush()
    tie = database.scalars(select(ContactLink)).one()
    assert (tie.contact_id, tie.agreed["name"]) == (client.contacts[0].id, "Ana Maria Lee")
    assert tie.agreed[ANSWERED] == {"name": "Ana M. Lee"}
