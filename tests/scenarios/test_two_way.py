"""From then on: changes travel both ways, one record's failure is its own, and nothing that loses is lost."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.db import db
from portal.domain import clients, links
from portal.domain.activity import Activity, Actor, Verb, sentence
from portal.domain.apps import Conflict, LinkState, Outcome, PushState, RunState, StaffLink
from portal.domain.clients import Client, SyncState
from portal.domain.records import Address
from portal.sync import search_records, send
from tests import cast
from tests.scenarios.conftest import PRIYA, World


@pytest.fixture
def harbour(world: World) -> World:
    """One client in step: Harbour Cafe Ltd with the contact Sam Lee."""
    there = world.control.create("Harbour Cafe Ltd", phone="09 555 0100", tenant=world.tenant)
    world.control.add_contact(there["uuid"], name="Sam Lee", email="sam@harbour.example", is_primary=True)
    world.done()
    world.done()
    return world


def test_a_save_here_arrives_there_at_once(harbour: World) -> None:
    """XPM-10, CL-35."""
    client = harbour.client("Harbour Cafe Ltd")
    link = harbour.edit(
        client, phone="09 555 0177", address=Address("1 Quay Street", "Auckland", "", "1010", "New Zealand")
    )
    assert client.sync_state == SyncState.PENDING
    assert send(link.id) == Outcome.PUSHED
    there = harbour.remote("Harbour Cafe Ltd")["fields"]
    assert (there["Phone"], there["Address"], there["PostCode"]) == ("09 555 0177", "1 Quay Street", "1010")
    db.session.refresh(client)
    assert client.sync_state == SyncState.IN_STEP
    sent = db.session.scalars(select(Activity).where(Activity.verb == Verb.CLIENT_PUSHED)).one()
    assert sentence(sent) == "Address and phone sent to XPM"


def test_our_own_change_does_not_come_back_as_theirs(harbour: World) -> None:
    client = harbour.client("Harbour Cafe Ltd")
    send(harbour.edit(client, phone="09 555 0177").id)
    run = harbour.done()
    assert run.counts.get("updated", 0) == 0
    assert harbour.client("Harbour Cafe Ltd").phone == "09 555 0177"


def test_a_change_there_comes_here_with_the_next_sync(harbour: World) -> None:
    """XPM-6."""
    uuid = harbour.link(harbour.client("Harbour Cafe Ltd")).remote_id
    harbour.control.change(uuid, phone="09 555 0188")
    run = harbour.done()
    assert run.counts["updated"] == 1
    client = harbour.client("Harbour Cafe Ltd")
    assert client.phone == "09 555 0188"
    assert client.origin_of("phone")["from"] == "XPM"
    assert client.origin_of("phone")["run"] == run.id


def test_contacts_travel_both_ways(harbour: World) -> None:
    """XPM-3, XPM-6."""
    client = harbour.client("Harbour Cafe Ltd")
    sam = client.contacts[0]
    assert (sam.name, sam.email, sam.is_default) == ("Sam Lee", "sam@harbour.example", True)
    clients.edit_contact(sam, {"mobile": "021 555 010"}, by=PRIYA, now=harbour.now())
    clients.add_contact(client, {"name": "Ana Šimić", "email": "ana@harbour.example"}, by=PRIYA, now=harbour.now())
    db.session.commit()
    send(harbour.link(client).id)
    there = {one["name"]: one for one in harbour.remote("Harbour Cafe Ltd")["contacts"]}
    assert there["Sam Lee"]["mobile"] == "021 555 010"
    assert there["Ana Šimić"]["email"] == "ana@harbour.example"
    harbour.done(full=True)
    assert [one.name for one in harbour.client("Harbour Cafe Ltd").contacts] == ["Sam Lee", "Ana Šimić"]


@pytest.mark.parametrize(("vendor_clock", "winner"), [(-60, "here"), (60, "there")])
def test_of_two_changes_to_one_field_the_later_wins_and_the_other_can_be_put_back(
    harbour: World, vendor_clock: int, winner: str
) -> None:
    """XPM-14; fault row 90. The app gives no times, so it is asked what it changed since our change."""
    client = harbour.client("Harbour Cafe Ltd")
    link = harbour.link(client)
    harbour.control.clock(advance_seconds=vendor_clock)
    harbour.control.change(link.remote_id, phone="theirs")
    harbour.control.clock(reset=True)
    harbour.edit(client, phone="ours")
    send(link.id)
    conflict = db.session.scalars(select(Conflict)).one()
    assert (conflict.here, conflict.there, conflict.winner) == ("ours", "theirs", winner)
    assert harbour.remote("Harbour Cafe Ltd")["fields"]["Phone"] == {"here": "ours", "there": "theirs"}[winner]
    loser = conflict.here if conflict.winner == "there" else conflict.there
    db.session.refresh(client)
    assert client.sync_state == SyncState.CONFLICT
    links.swap_conflict(conflict, by=PRIYA, now=harbour.now())
    db.session.commit()
    send(link.id)
    assert client.phone == loser
    assert harbour.remote("Harbour Cafe Ltd")["fields"]["Phone"] == loser
    db.session.refresh(client)
    assert client.sync_state == SyncState.IN_STEP


def test_changes_to_different_fields_on_both_sides_both_survive(harbour: World) -> None:
    client = harbour.client("Harbour Cafe Ltd")
    link = harbour.link(client)
    harbour.control.change(link.remote_id, fax="09 555 0144")
    send(harbour.edit(client, phone="09 555 0177").id)
    db.session.refresh(client)
    assert (client.phone, client.fax) == ("09 555 0177", "09 555 0144")
    assert db.session.scalars(select(Conflict)).all() == []


def test_what_the_app_owns_is_read_only_here(harbour: World) -> None:
    """XPM-7: website follows XPM whatever stands here."""
    uuid = harbour.link(harbour.client("Harbour Cafe Ltd")).remote_id
    harbour.control.change(uuid, website="https://harbour.example")
    harbour.done()
    client = harbour.client("Harbour Cafe Ltd")
    assert client.website == "https://harbour.example"
    send(harbour.edit(client, website="https://wrong.example").id)
    db.session.refresh(client)
    assert client.website == "https://harbour.example"
    assert harbour.remote("Harbour Cafe Ltd")["fields"]["Website"] == "https://harbour.example"


def test_partner_and_manager_travel_once_the_people_are_linked(harbour: World) -> None:
    """XPM-3, XPM-4, XPM-13."""
    alice = cast.person("admin")
    person = harbour.connection().reference["staff"][0]
    client = harbour.client("Harbour Cafe Ltd")
    link = harbour.edit(client, partner_id=alice.id)
    send(link.id)
    db.session.refresh(link)
    assert "not linked to a person in XPM" in link.held_fields["partner"]
    checks = links.checklist(client, link, app="XPM", run_since=None)
    assert any(check.ok is False and "Alice" in check.answer for check in checks)
    db.session.add(
        StaffLink(
            connection_id=harbour.connection_id,
            user_id=alice.id,
            remote_id=person["remote_id"],
            remote_name=person["name"],
        )
    )
    link.wants_push(harbour.now())
    db.session.commit()
    assert send(link.id) == Outcome.PUSHED
    assert person["remote_id"] in str(harbour.remote("Harbour Cafe Ltd")["fields"])


@pytest.mark.parametrize("end", ["archive", "delete", "merge"])
def test_a_record_that_ends_there_breaks_the_link_and_changes_nothing_here(harbour: World, end: str) -> None:
    """M9, XPM-9; fault row 28."""
    client = harbour.client("Harbour Cafe Ltd")
    link = harbour.link(client)
    if end == "merge":
        other = harbour.control.create("Survivor Ltd", tenant=harbour.tenant)
        harbour.control.merge(link.remote_id, into=other["uuid"])
    else:
        getattr(harbour.control, end)(link.remote_id)
    run = harbour.done()
    assert run.counts["broken"] == 1
    db.session.refresh(link)
    assert link.state == LinkState.BROKEN
    assert not client.is_archived
    harbour.control.clear_calls()
    harbour.edit(client, phone="1")
    assert send(link.id) is None
    assert harbour.calls() == []
    assert harbour.done().counts.get("broken", 0) == 0


def test_a_refused_change_is_that_clients_alone_and_says_why(harbour: World) -> None:
    """AP-16; fault row 13."""
    other = harbour.control.create("Other Ltd", tenant=harbour.tenant)
    harbour.done()
    first = harbour.edit(harbour.client("Harbour Cafe Ltd"), phone="1")
    second = harbour.edit(harbour.client("Other Ltd"), phone="2")
    harbour.control.fault(
        "status", vendor="xpm", method="PUT", times=1, status=200,
        body="<Response><Status>ERROR</Status><ErrorDescription>Phone is not allowed</ErrorDescription></Response>",
        headers={"Content-Type": "text/xml"},
    )  # fmt: skip
    run = harbour.done()
    assert run.state == RunState.DONE
    db.session.refresh(first)
    db.session.refresh(second)
    assert first.push_state == PushState.FAILED
    assert "Phone is not allowed" in first.push_error
    assert second.push_state == PushState.NONE
    assert harbour.control.client(other["uuid"])["fields"]["Phone"] == "2"
    assert harbour.client("Harbour Cafe Ltd").sync_state == SyncState.FAILED


def test_an_answer_lost_after_the_app_took_the_change_does_no_harm(harbour: World) -> None:
    """Fault rows 11 and 12, for a client."""
    client = harbour.client("Harbour Cafe Ltd")
    clients.add_contact(client, {"name": "Ana Lee"}, by=PRIYA, now=harbour.now())
    db.session.commit()
    link = harbour.link(client)
    harbour.control.fault("accept_then_drop", vendor="xpm", method="POST", times=1)
    send(link.id)
    db.session.refresh(link)
    assert link.push_state in (PushState.READY, PushState.NONE)
    if link.push_state == PushState.READY:
        send(link.id)
    names = [one["name"] for one in harbour.remote("Harbour Cafe Ltd")["contacts"]]
    assert sorted(names) == ["Ana Lee", "Sam Lee"]


def test_a_change_that_waits_is_still_sent_when_the_client_is_archived_meanwhile(harbour: World) -> None:
    """Fault row 93, CL-06: archiving here archives nothing there, and loses nothing on its way."""
    client = harbour.client("Harbour Cafe Ltd")
    link = harbour.edit(client, phone="09 555 0166")
    clients.archive(client, by=PRIYA, now=harbour.now())
    db.session.commit()
    assert send(link.id) == Outcome.PUSHED
    there = harbour.remote("Harbour Cafe Ltd")
    assert there["fields"]["Phone"] == "09 555 0166"
    assert not there["archived"]


def test_a_record_is_found_for_mapping_by_hand_with_who_holds_it(harbour: World) -> None:
    """CL-30, CL-34."""
    cast.make_client("Harbour Cafe")
    db.session.commit()
    harbour.control.create("harbour cafe", tenant=harbour.tenant)
    harbour.done()
    found = {one.name: holder and holder.name for one, holder in search_records(harbour.connection(), "harbour")}
    assert found == {"harbour cafe": None, "Harbour Cafe Ltd": "Harbour Cafe Ltd"}


def test_a_mapping_made_by_hand_to_another_name_survives_every_sync(world: World) -> None:
    """CL-33, M1: it is not corrected by name."""
    there = world.control.create("Entity B Ltd", tenant=world.tenant)
    world.control.create("Entity A Ltd", tenant=world.tenant)
    mine = cast.make_client("Entity A Limited")
    db.session.commit()
    world.done()
    record = next(one for one, _holder in search_records(world.connection(), "Entity B"))
    holder = world.link(world.client("Entity B Ltd"))
    links.unlink(holder, by=PRIYA, now=world.now())
    links.link(mine, world.connection(), record, by=PRIYA, now=world.now(), reason="chosen by Priya", made_by="person")
    db.session.commit()
    world.done(full=True)
    world.done(full=True)
    assert world.link(mine).remote_id == there["uuid"]


def test_a_link_taken_apart_by_a_person_is_not_made_again_by_name(harbour: World) -> None:
    alice = Actor.person(cast.person("admin"))
    client = harbour.client("Harbour Cafe Ltd")
    links.unlink(harbour.link(client), by=alice, now=harbour.now())
    db.session.commit()
    harbour.done(full=True)
    db.session.refresh(client)
    assert client.links == []
    assert db.session.scalars(select(Client.name)).all() == ["Harbour Cafe Ltd"]
    record, holder = search_records(harbour.connection(), "Harbour")[0]
    assert holder is None
    links.link(client, harbour.connection(), record, by=alice, now=harbour.now(), reason="chosen", made_by="person")
    db.session.commit()
    assert harbour.done(full=True).counts.get("created", 0) == 0
