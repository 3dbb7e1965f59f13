"""Groups: kept in an app, shown here, with a primary contact that is chosen here."""

from __future__ import annotations

import pytest

from portal.db import db
from portal.domain import activity, groups
from portal.domain.activity import Activity, Actor
from portal.domain.clients import ClientGroup, Contact, Group
from portal.domain.groups import NotInGroup
from tests.cast import make_client, make_connection, now, person


def make_group(name: str = "Ngata family", members: int = 2) -> Group:
    """Each member has one contact, Contact 0 and so on."""
    connection = db.session.query(groups.Connection).first() or make_connection()
    group = Group(connection_id=connection.id, remote_id=name, name=name)
    db.session.add(group)
    db.session.flush()
    for number in range(members):
        contact = {"name": f"Contact {number}", "email": f"c{number}@x.example"}
        client = make_client(f"{name} {number:03}", contacts=[contact])
        db.session.add(ClientGroup(client_id=client.id, group_id=group.id))
    db.session.flush()
    return group


def contact_named(name: str) -> Contact:
    return db.session.query(Contact).filter_by(name=name).one()


def test_the_list_of_groups_says_where_each_comes_from_and_how_many_are_in_it(story, sign_in_as) -> None:
    with story():
        make_group("Ngata family", 3)
        make_group("Bay <b>group</b>", 0)
    page = sign_in_as("support").get("/groups")
    assert [" ".join(row.text_content().split()) for row in page.all("//tbody/tr")] == [
        "Bay <b>group</b> XPM · Marlow & Co 0 –",
        "Ngata family XPM · Marlow & Co 3 –",
    ]
    found = page.submit("Search", q="NGATA").all("//tbody/tr/td[1]")
    assert [one.text_content().strip() for one in found] == ["Ngata family"]
    assert "No group has this name" in page.submit("Search", q="100%").text
    assert sign_in_as().get("/groups?q=nga", block="rows").headers["HX-Replace-Url"] == "/groups?q=nga"


def test_without_groups_the_page_says_how_they_come(story, sign_in_as) -> None:
    with story():
        person()
    assert "Groups are kept in the practice app" in sign_in_as("member").get("/groups").text


def test_groups_and_members_come_in_pages(story, sign_in_as) -> None:
    with story():
        group = make_group(members=60)
        for number in range(55):
            make_group(f"Group {number:02}", 0)
        address = f"/groups/{group.id}"
    browser = sign_in_as()
    for first in (browser.get(address), browser.get("/groups")):
        second = first.click("Next")
        assert len(first.all("//tbody/tr")) == 50
        assert len(second.all("//tbody/tr")) in (6, 10)
        assert len(second.click("Previous").all("//tbody/tr")) == 50
    assert browser.get(f"{address}?after=%00~x").status == 200
    assert browser.get("/groups?after=zz~99999999999").status == 200


def test_a_group_cannot_be_filled_here_and_says_where_it_can(story, sign_in_as) -> None:
    """CL-60."""
    with story():
        group_id = make_group().id
    page = sign_in_as().get(f"/groups/{group_id}")
    assert page.h1 == "Ngata family"
    assert "This group is kept in Xero Practice Manager (Marlow & Co)." in page.text
    assert all(button == "Sign out" or button.startswith("Make primary contact: ") for button in page.buttons())
    assert page.links()["Show in the list of clients"] == f"/clients?group={group_id}"


def test_the_primary_contact_is_chosen_recorded_and_taken_back(story, sign_in_as) -> None:
    """CL-61."""
    with story():
        group_id = make_group().id
    browser = sign_in_as("member")
    page = browser.get(f"/groups/{group_id}").submit("Make primary contact: Contact 0")
    assert page.said.startswith("Contact 0 is the primary contact of Ngata family.")
    assert "Contact 0, c0@x.example of Ngata family 000" in page.text
    with story():
        told = db.session.query(Activity).order_by(Activity.id.desc()).first()
        assert activity.sentence(told) == "Contact 0 chosen as primary contact of the group Ngata family"
        assert told.client_id == contact_named("Contact 0").client_id
    page = page.submit("Undo")
    assert page.said.startswith("Nobody is the primary contact of Ngata family.")
    assert "Nobody yet." in page.text


def test_a_contact_from_outside_the_group_cannot_be_its_primary_contact(story, sign_in_as) -> None:
    """Fault row 98."""
    with story():
        group = make_group()
        stranger = make_client("Stranger", contacts=[{"name": "Stranger"}]).contacts[0]
        address = f"/groups/{group.id}/primary-contact/{stranger.id}"
        with pytest.raises(NotInGroup):
            groups.choose_primary_contact(group, stranger, by=Actor.person(person()), now=now())
    page = sign_in_as("member").post(address)
    assert "not in this group any more, so nothing was changed" in page.said
    assert sign_in_as("member").post("/groups/1/primary-contact/4711").status == 404
    assert sign_in_as("member").get("/groups/4711").status == 404
    assert sign_in_as("support").post(address).status == 403


def test_a_primary_contact_whose_client_left_the_group_is_pointed_out(story, sign_in_as) -> None:
    with story():
        group = make_group()
        contact = contact_named("Contact 1")
        groups.choose_primary_contact(group, contact, by=Actor.person(person()), now=now())
        db.session.delete(db.session.get_one(ClientGroup, (contact.client_id, group.id)))
        group_id = group.id
    assert "Not in this group any more" in sign_in_as().get(f"/groups/{group_id}").text


def test_a_primary_contact_without_an_address_is_pointed_out(story, sign_in_as) -> None:
    with story():
        group = make_group()
        contact_named("Contact 0").email = ""
        groups.choose_primary_contact(group, contact_named("Contact 0"), by=Actor.person(person()), now=now())
        group_id = group.id
    assert "No email address" in sign_in_as().get(f"/groups/{group_id}").text
