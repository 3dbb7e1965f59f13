"""The verbs of a client and its contacts: what they change, what they write down, what they ask of linked apps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from portal.domain import activity, clients, links, once
from portal.domain.activity import Activity, Actor, Origin, Verb
from portal.domain.apps import ClientLink, ContactLink, PushState
from portal.domain.clients import ClientStatus, StaleEdit, SyncState
from portal.domain.once import FormOnce
from portal.domain.records import Address
from tests.cast import make_client, make_connection, make_link, person

NOW = datetime(2026, 11, 2, 23, 0, tzinfo=UTC)
PRIYA = Actor("Priya", Origin.SCREEN)


def edit(client, **values) -> bool:
    return clients.edit(client, values, by=PRIYA, now=NOW)


def told(client_id: int) -> list[str]:
    return [activity.sentence(one) for one in activity.log(client_id=client_id)]


def test_a_new_client_is_a_lead_linked_to_nothing(database) -> None:
    client = clients.create("Acme", by=PRIYA, now=NOW, phone="09 1")
    assert (client.status, client.sync_state, client.version) == (ClientStatus.LEAD, SyncState.UNLINKED, 1)
    assert told(client.id) == ["Acme created"]
    assert client.origin_of("phone") == {"from": "Priya", "at": NOW.isoformat(timespec="seconds"), "how": "screen"}


def test_an_edit_notes_old_and_new_and_where_the_value_came_from(database) -> None:
    """CL-25."""
    client, bob = make_client("Acme", phone="1"), person("member")
    assert edit(client, phone="2", address=Address("1 Road"), manager_id=bob.id)
    line = activity.log(client_id=client.id)[0]
    assert line.changes == [
        {"field": "phone", "label": "Phone", "old": "1", "new": "2"},
        {"field": "address", "label": "Address", "old": [""] * 5, "new": ["1 Road", "", "", "", ""]},
        {"field": "manager", "label": "Manager", "old": None, "new": "Bob Tamihana"},
    ]
    assert client.origin_of("manager")["from"] == "Priya"
    assert client.version == 2


def test_an_edit_that_changes_nothing_leaves_no_trace(database) -> None:
    client = make_client("Acme", phone="1")
    assert edit(client, phone="1") is False
    assert (client.version, told(client.id)) == (1, [])


def test_an_edit_on_an_old_version_is_refused(database) -> None:
    """Fault row 89."""
    client = make_client("Acme")
    edit(client, phone="1")
    with pytest.raises(StaleEdit) as stale:
        clients.edit(client, {"phone": "2"}, by=PRIYA, now=NOW, expected_version=1)
    assert stale.value.client is client
    assert client.phone == "1"


@pytest.mark.parametrize("field", ["status", "version", "archived_at", "id", "was_active"])
def test_what_is_no_field_of_a_form_cannot_be_set(database, field: str) -> None:
    """Fault row 107."""
    with pytest.raises(ValueError, match="is not a field of a client"):
        edit(make_client("Acme"), **{field: 1})
    with pytest.raises(ValueError, match="is not a field of a client"):
        clients.create("Beta", by=PRIYA, now=NOW, **{field: 1})


def test_an_edit_asks_every_linked_app_that_takes_changes(database) -> None:
    """CL-35, XP-20."""
    client = make_client("Acme")
    takes = make_link(client, make_connection())
    reads_only = make_link(client, make_connection(account_name="B", settings={"direction": "from_app"}))
    off = make_link(client, make_connection(account_name="C", settings={"level": "nothing"}))
    edit(client, phone="2")
    assert [link.push_state for link in (takes, reads_only, off)] == [PushState.READY, PushState.NONE, PushState.NONE]
    assert client.sync_state == SyncState.PENDING


def test_archiving_stays_here_and_coming_back_follows_the_rules_of_the_day(database) -> None:
    """CL-06, CL-08, XPM-9."""
    client = make_client("Acme", status=ClientStatus.LEAD)
    link = make_link(client, make_connection())
    assert clients.archive(client, by=PRIYA, now=NOW)
    assert clients.archive(client, by=PRIYA, now=NOW) is False
    assert (client.status, link.push_state) == (ClientStatus.ARCHIVED, PushState.NONE)
    client.was_active = True
    assert clients.unarchive(client, by=PRIYA, now=NOW)
    assert client.status == ClientStatus.INACTIVE
    assert told(client.id) == [
        "Acme brought back from the archive as inactive",
        "Acme archived here; nothing was changed in connected apps",
    ]


def test_the_first_contact_is_the_default_and_another_takes_over_when_it_goes(database) -> None:
    """CL-38."""
    client = make_client("Acme")
    jo = clients.add_contact(client, {"name": "Jo"}, by=PRIYA, now=NOW)
    kai = clients.add_contact(client, {"name": "Kai"}, by=PRIYA, now=NOW)
    assert (jo.is_default, kai.is_default) == (True, False)
    clients.choose_default_contact(kai, by=PRIYA, now=NOW)
    assert client.default_contact is kai
    clients.remove_contact(kai, by=PRIYA, now=NOW)
    assert client.default_contact is jo


def test_a_removed_contact_comes_back_whole_and_only_once(database) -> None:
    client = make_client(
        "Acme", contacts=[{"name": "Jo", "email": "jo@acme.example", "position": "CEO"}, {"name": "Kai"}]
    )
    link = make_link(client, make_connection())
    database.add(ContactLink(client_link_id=link.id, contact_id=client.contacts[0].id, remote_id="c-1"))
    database.flush()
    removed = clients.remove_contact(client.contacts[0], by=PRIYA, now=NOW)
    assert database.scalar(select(ContactLink.contact_id)) is None
    jo = clients.restore_contact(client, removed, by=PRIYA, now=NOW)
    assert jo is not None
    assert (jo.email, jo.position, jo.is_default) == ("jo@acme.example", "CEO", True)
    assert database.scalar(select(ContactLink)).contact_id == jo.id
    assert clients.restore_contact(client, removed, by=PRIYA, now=NOW) is None


def test_the_worst_link_speaks_for_the_client(database) -> None:
    client = make_client("Acme")
    one = make_link(client, make_connection())
    other = make_link(client, make_connection(account_name="B"))
    for change, state in (
        ({}, SyncState.IN_STEP),
        ({"push_state": PushState.READY}, SyncState.PENDING),
        ({"open_conflicts": 1}, SyncState.CONFLICT),
        ({"push_state": PushState.FAILED}, SyncState.FAILED),
    ):
        for name, value in change.items():
            setattr(other, name, value)
        clients.refresh_sync_state(client)
        assert client.sync_state == state
    assert one.push_state == PushState.NONE


def test_names_alike_are_found_exact_ones_first_and_archived_ones_last(database) -> None:
    names = ["ACME Ltd", "Acme", "acme limited", "Acme Holdings"]
    near, exact, archived, _other = (make_client(name) for name in names)
    clients.archive(archived, by=PRIYA, now=NOW)
    assert clients.same_or_near("Acme") == [exact, near, archived]
    assert clients.same_or_near("…") == []


def test_a_form_is_acted_on_once(database) -> None:
    token = once.fresh()
    mark = once.claim(token, NOW)
    assert mark is not None
    mark.made = 7
    assert once.claim(token, NOW) is None
    assert once.made_of(token) == 7
    assert once.claim("short", NOW) is not None  # no usable token: as safe as any form
    once.forget_old(NOW + timedelta(days=3))
    assert database.scalars(select(FormOnce)).all() == []


def test_unlinking_is_taken_back_unless_the_record_found_another_client(database) -> None:
    """CL-34."""
    from portal.domain import link_undo

    acme, beta = make_client("Acme"), make_client("Beta")
    connection = make_connection()
    link = make_link(acme, connection, "r-1", agreed={"phone": "1"}, push_state=PushState.READY)
    noted = link_undo.unlink(link, by=PRIYA, now=NOW, app="XPM")
    again = link_undo.relink(acme, noted, by=PRIYA, now=NOW, app="XPM")
    assert (again.remote_id, again.agreed, again.push_state) == ("r-1", {"phone": "1"}, PushState.READY)
    noted = link_undo.unlink(again, by=PRIYA, now=NOW, app="XPM")
    make_link(beta, connection, "r-1")
    with pytest.raises(links.AlreadyLinked) as taken:
        link_undo.relink(acme, noted, by=PRIYA, now=NOW, app="XPM")
    assert taken.value.client is beta
    assert database.scalars(select(ClientLink.client_id)).all() == [beta.id]
    assert database.scalar(select(Activity).where(Activity.verb == Verb.CLIENT_UNLINKED)) is not None
