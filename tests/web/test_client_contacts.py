"""The contacts of one client: added, edited, removed and put back, one of them the default."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from portal import sync
from portal.domain import clients
from portal.domain.activity import Actor, Origin
from portal.domain.apps import ContactLink
from portal.domain.clients import Client, Contact
from tests.cast import make_client, make_connection, make_link, now

BOB = Actor("Bob", Origin.SCREEN)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    calls: list[list[int]] = []
    monkeypatch.setattr(sync, "send_soon", lambda ids: calls.append(ids) if ids else None)
    return calls


@pytest.fixture
def alone(sent: list[list[int]]) -> None:
    """For tests that are not about sending."""


def test_contacts_are_added_edited_and_made_default(story, sign_in_as, sent) -> None:
    """CL-38."""
    with story():
        make_link(make_client("Acme", contacts=[{"name": "Jo", "email": "jo@acme.example"}]), make_connection())
    browser = sign_in_as("member")
    page = browser.get("/clients/1").click("Add contact").submit("Add contact", name="Kai", email="kai@acme.example")
    assert page.said == "Kai is added. It is being sent to XPM."
    page = browser.get("/clients/1/contacts/2").submit("Save", mobile="021", position="CFO")
    assert "Kai is saved." in page.said
    page = page.submit("Make default")
    assert page.said == "Kai is the default contact now."
    with story() as session:
        assert [(one.name, one.mobile, one.is_default) for one in session.get(Client, 1).contacts] == [
            ("Jo", "", False), ("Kai", "021", True),
        ]  # fmt: skip
    assert sent == [[1], [1]]


def test_a_contact_form_sent_twice_adds_one_contact(story, sign_in_as, alone) -> None:
    with story():
        make_client("Acme")
    page = sign_in_as("member").get("/clients/1/contacts/new")
    page.submit("Add contact", name="Jo")
    assert page.submit("Add contact", name="Jo").said == "That contact was added already."
    with story() as session:
        assert session.scalar(select(func.count()).select_from(Contact)) == 1


def test_removing_a_contact_can_be_undone_with_its_ties_to_the_app(story, sign_in_as, alone) -> None:
    with story() as session:
        client = make_client(
            "Acme", contacts=[{"name": "Jo", "email": "jo@acme.example", "mobile": "021"}, {"name": "Kai"}]
        )
        link = make_link(client, make_connection())
        session.add(ContactLink(client_link_id=link.id, contact_id=client.contacts[0].id, remote_id="c-1"))
    page = sign_in_as("member").get("/clients/1").submit("Remove")
    assert page.said == "Jo is removed here. Linked apps keep theirs. Undo"
    with story() as session:
        assert session.get(Client, 1).default_contact.name == "Kai"
        assert session.scalar(select(ContactLink)).contact_id is None
    undone = page.submit("Undo")
    assert undone.said.startswith("Jo is back.")
    with story() as session:
        jo = session.get(Client, 1).default_contact
        assert (jo.name, jo.email, jo.mobile) == ("Jo", "jo@acme.example", "021")
        assert session.scalar(select(ContactLink)).contact_id == jo.id
    assert page.submit("Undo").said == "That contact is back already."


def test_a_removal_of_another_client_cannot_be_undone_here(story, sign_in_as, alone) -> None:
    """Fault row 98."""
    with story() as session:
        acme = make_client("Acme", contacts=[{"name": "Jo"}])
        make_client("Beta", contacts=[{"name": "Kai"}])
        removed = clients.remove_contact(acme.contacts[0], by=BOB, now=now())
        session.flush()
        removed_id = removed.id
    browser = sign_in_as("member")
    assert browser.post(f"/clients/2/removals/{removed_id}/undo").status == 404
    for act in ("", "/removal", "/default"):
        assert browser.post(f"/clients/1/contacts/2{act}", name="X").status == 404
    assert browser.get("/clients/1/contacts/2").status == 404


def test_two_people_editing_one_contact_lose_nothing(story, sign_in_as, alone) -> None:
    """Fault row 89."""
    with story():
        make_client("Acme", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    page = sign_in_as("member").get("/clients/1/contacts/1")
    with story() as session:
        clients.edit_contact(session.get(Contact, 1), {"mobile": "1"}, by=BOB, now=now())
    page = page.submit("Save", mobile="2", phone="3")
    assert page.status == 409
    page = page.submit("Save with the ticked ones")
    assert page.said == "Jo is saved."
    with story() as session:
        jo = session.get(Contact, 1)
        assert (jo.mobile, jo.phone) == ("1", "3")


def test_an_odd_email_an_app_sent_does_not_block_other_changes(story, sign_in_as, alone) -> None:
    with story():
        make_client("Acme", contacts=[{"name": "Jo", "email": "n/a"}])
    page = sign_in_as("member").get("/clients/1/contacts/1").submit("Save", mobile="021")
    assert page.said == "Jo is saved."
