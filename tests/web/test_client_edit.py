"""Editing clients and contacts: what may be typed, whose value stands, and that nothing typed is lost."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select

from portal import sync
from portal.domain import activity, clients
from portal.domain.activity import Actor, Origin
from portal.domain.apps import ClientLink, PushState
from portal.domain.clients import Client, ClientStatus
from portal.domain.once import FormOnce
from portal.domain.records import Address
from tests.cast import make_client, make_connection, make_link, make_user, now, person

BOB = Actor("Bob", Origin.SCREEN)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    calls: list[list[int]] = []
    monkeypatch.setattr(sync, "send_soon", lambda ids: calls.append(ids) if ids else None)
    return calls


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, sent) -> None:
    """For tests that are not about sending."""


def count(session, table) -> int:
    return session.scalar(select(func.count()).select_from(table))


# New


def test_a_new_client_is_a_lead_with_its_first_contact_as_default(story, sign_in_as) -> None:
    with story():
        person("member")
    page = sign_in_as("member").get("/clients/new")
    page = page.submit(
        "Create client", name="  Acme Corp ", structure="Company", phone="09 1", address_street="1 Road\r\nUnit 2",
        address_city="Ōtaki", postal_same="y", website="acme.example", tax_registered="yes", manager_id="1",
        contact_name="Jo", contact_email="jo@acme.example",
    )  # fmt: skip
    assert page.h1 == "Acme Corp"
    assert "is created, as a lead" in page.said
    with story() as session:
        client = session.scalar(select(Client))
        assert client.status == ClientStatus.LEAD
        assert client.address == client.postal_address == Address("1 Road\nUnit 2", "Ōtaki")
        assert (client.tax_registered, client.manager.name, client.website) == (True, "Bob Tamihana", "acme.example")
        assert [(one.name, one.is_default) for one in client.contacts] == [("Jo", True)]


@pytest.mark.parametrize("typed", ["Acme Corp", "ACME corp."])
def test_a_name_that_is_here_or_nearly_here_is_asked_about_first(story, sign_in_as, typed: str) -> None:
    with story():
        make_client("Acme Corp", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    browser = sign_in_as("member")
    page = browser.get("/clients/new").submit("Create client", name=typed, phone="09 7")
    assert page.status == 422
    assert page.links()["Acme Corp"] == "/clients/1"
    assert "Jo, jo@acme.example" in page.text
    page = page.submit("Create anyway")
    assert page.h1 == typed
    with story() as session:
        assert session.get(Client, 2).phone == "09 7"  # nothing typed was lost on the way


def test_a_form_sent_twice_makes_one_client(story, sign_in_as) -> None:
    browser = sign_in_as("member")
    page = browser.get("/clients/new")
    page.submit("Create client", name="Acme")
    again = page.submit("Create client", name="Acme")
    assert again.h1 == "Acme"
    assert "That form was sent already; here is the client it made." in again.said
    with story() as session:
        assert count(session, Client) == count(session, FormOnce) == 1


def test_a_name_is_needed_and_everything_else_stays_as_typed(sign_in_as) -> None:
    page = sign_in_as("member").get("/clients/new").submit("Create client", name="   ", phone="09 1", contact_email="x")
    assert page.status == 422
    assert page.errors()["name"] == "Give the client a name."
    assert "does not read as an email address" in page.errors()["contact_email"]
    assert page.find("//input[@name='phone']").get("value") == "09 1"


def test_a_contact_without_a_name_is_asked_for_one(sign_in_as) -> None:
    page = (
        sign_in_as("member").get("/clients/new").submit("Create client", name="Acme", contact_email="jo@acme.example")
    )
    assert page.errors() == {"contact_name": "Give the contact a name, or empty its other fields."}


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("name", "a" * 256, "256 characters long; at most 255 fit"),
        ("name", "Ac\x00me", "cannot be stored (NUL)"),
        ("name", "Ac\x07me", "control character 07"),
        ("phone", "1" * 51, "at most 50"),
        ("address_street", "x" * 501, "at most 500"),
        ("postal_country", "x" * 101, "at most 100"),
        ("contact_email", "jo@", "does not read as an email address"),
        ("contact_email", "jo@acme example", "does not read as an email address"),
    ],
)
def test_what_cannot_be_stored_is_said_at_its_field(sign_in_as, field: str, typed: str, said: str) -> None:
    """Fault row 84."""
    values = {"name": "Acme", "contact_name": "Jo"} | {field: typed}
    page = sign_in_as("member").post("/clients/new", **values)
    assert page.status == 422
    assert said in page.errors()[field]


@pytest.mark.parametrize(
    "name",
    [
        "𝔄cme 🥝",
        "شركة\u202eالمثال",
        "a\u200bb",
        "<script>alert(1)</script>",
        "';-- DROP",
        "=cmd()",
        '" onmouseover="x',
        "a" * 255,
    ],
)
def test_unusual_names_are_stored_letter_by_letter(story, sign_in_as, name: str) -> None:
    """Fault rows 84 and 102."""
    sign_in_as("member").post("/clients/new", name=name)
    with story() as session:
        assert session.scalar(select(Client.name)) == name


def test_line_breaks_in_a_name_cannot_reach_a_header_or_the_log(story, sign_in_as) -> None:
    """Fault row 105."""
    sign_in_as("member").post("/clients/new", name="Acme\r\nSet-Cookie: x=1")
    with story() as session:
        assert session.scalar(select(Client.name)) == "Acme Set-Cookie: x=1"


def test_fields_the_form_does_not_have_are_ignored(story, sign_in_as) -> None:
    """Fault row 107: mass assignment."""
    browser = sign_in_as("member")
    extra = {"status": "active", "archived_at": "2026-01-01", "version": "99", "was_active": "1", "id": "77",
             "sync_state": "in_step", "active_items": "5", "origins": "{}"}  # fmt: skip
    browser.post("/clients/new", name="Acme", **extra)
    browser.post("/clients/1/edit", name="Acme", phone="1", **extra)
    with story() as session:
        client = session.scalar(select(Client))
        assert (client.id, client.status, client.was_active, client.active_items) == (1, ClientStatus.LEAD, False, 0)
        assert client.version == 1  # the second form claimed another version, so it was asked, not saved


def test_a_manager_must_be_somebody_of_the_team(story, sign_in_as) -> None:
    """Fault row 107."""
    with story():
        make_user("Gone", "gone@marlow.example", is_active=False)
    page = sign_in_as("member").post("/clients/new", name="Acme", manager_id="1")
    assert page.status == 422
    assert "manager_id" in page.errors()


# Edit


def edit_page(browser, client_id: int = 1):
    return browser.get(f"/clients/{client_id}/edit")


def test_saving_changes_what_was_typed_and_nothing_else(story, sign_in_as, alone) -> None:
    with story():
        make_client("Acme", phone="1", fax="2", tax_registered=False)
    page = edit_page(sign_in_as("member")).submit("Save", phone="09 1")
    assert page.said == "Saved."
    with story() as session:
        client = session.get(Client, 1)
        assert (client.phone, client.fax, client.tax_registered) == ("09 1", "2", False)
        line = activity.log(client_id=1)[0]
        assert line.changes == [{"field": "phone", "label": "Phone", "old": "1", "new": "09 1"}]
        assert (line.actor_name, line.origin) == ("Bob Tamihana", Origin.SCREEN)


def test_saving_without_a_change_says_so_and_leaves_no_line(story, sign_in_as, alone) -> None:
    with story():
        make_client("Acme", address=Address("1 Road\r\nUnit 2"), phone=" odd\tnumber ")
    page = edit_page(sign_in_as("member")).submit("Save", address_street="1 Road\r\nUnit 2", phone="odd number")
    assert page.said == "Nothing was changed, so nothing was saved."
    with story():
        assert activity.log(client_id=1) == []


def test_a_value_an_app_once_sent_is_not_judged_while_nobody_touches_it(story, sign_in_as, alone) -> None:
    with story():
        make_client("Acme", phone="1" * 80)
    assert edit_page(sign_in_as("member")).submit("Save", fax="2").said == "Saved."
    with story() as session:
        assert session.get(Client, 1).phone == "1" * 80


def test_saving_a_mapped_client_sends_that_one_record_at_once(story, sign_in_as, sent) -> None:
    """CL-35, XPM-10, AP-12."""
    with story():
        make_link(make_client("Acme"), make_connection())
        make_link(make_client("Beta"), make_connection(account_name="Other"))
    page = edit_page(sign_in_as("member")).submit("Save", phone="09 1")
    assert page.said == "Saved. It is being sent to XPM."
    assert sent == [[1]]
    with story() as session:
        assert session.get(ClientLink, 1).push_state == PushState.READY
        assert session.get(ClientLink, 2).push_state == PushState.NONE


def test_saving_a_mapped_client_unchanged_sends_nothing(story, sign_in_as, sent) -> None:
    with story():
        make_link(make_client("Acme"), make_connection())
    edit_page(sign_in_as("member")).submit("Save")
    assert sent == []


def test_fields_an_app_owns_are_shown_with_their_owner_and_cannot_be_posted(story, sign_in_as, sent) -> None:
    """CL-36, XPM-7, fault row 107."""
    with story():
        make_link(make_client("Acme", website="https://acme.example", tax_registered=True), make_connection())
    browser = sign_in_as("member")
    page = edit_page(browser)
    assert not page.all("//input[@name='website']")
    assert not page.all("//select[@name='tax_registered']")
    assert "https://acme.example Kept by Xero Practice Manager; change it there." in page.text
    assert "Read from XPM once, at the first import." in page.text  # the structure, which may be edited
    browser.post("/clients/1/edit", name="Acme", structure="Trust", website="evil.example", tax_registered="no",
                 version="1", base=page.find("//input[@name='base']").get("value"))  # fmt: skip
    with story() as session:
        client = session.get(Client, 1)
        assert (client.website, client.tax_registered, client.structure) == ("https://acme.example", True, "Trust")


@pytest.mark.parametrize("state", ["needs_reconnect", "disconnected"])
def test_without_a_working_connection_the_fields_can_be_edited_here(story, sign_in_as, sent, state: str) -> None:
    with story():
        make_link(make_client("Acme"), make_connection(state=state))
    assert edit_page(sign_in_as("member")).submit("Save", website="acme.example").said.startswith("Saved.")
    with story() as session:
        assert session.get(Client, 1).website == "acme.example"


def change_meanwhile(story, **values) -> None:
    with story() as session:
        clients.edit(session.get(Client, 1), values, by=BOB, now=now())


def test_two_people_editing_at_once_lose_nothing(story, sign_in_as, alone) -> None:
    """Fault row 89: the second sees both versions and says, field by field, whose is to stand."""
    with story():
        make_client("Acme", phone="1", fax="1", structure="Trust")
    page = edit_page(sign_in_as("member"))
    change_meanwhile(story, phone="2", structure="Company")
    page = page.submit("Save", phone="3", fax="3")
    assert page.status == 409
    assert page.h1 == "Acme was changed meanwhile"
    rows = {row.xpath("string(.//label)"): " ".join(row.text_content().split()) for row in page.all("//tbody/tr")}
    assert "changed by both" in rows["Phone"]
    assert "2 changed meanwhile by Bob" in rows["Phone"]
    assert "not changed meanwhile" in rows["Fax"]
    assert "as it stood when you opened the form" in rows["Company structure"]
    ticked = [box.get("value") for box in page.all("//input[@name='mine'][@checked]")]
    assert ticked == ["fax"]
    with story() as session:
        assert session.get(Client, 1).phone == "2"
    page = page.submit("Save with the ticked ones", mine=["phone", "fax"])
    assert page.said == "Saved."
    with story() as session:
        client = session.get(Client, 1)
        assert (client.phone, client.fax, client.structure) == ("3", "3", "Company")


def test_a_third_change_while_one_is_choosing_is_shown_again(story, sign_in_as, alone) -> None:
    """Fault row 89."""
    with story():
        make_client("Acme", phone="1")
    page = edit_page(sign_in_as("member"))
    change_meanwhile(story, phone="2")
    page = page.submit("Save", phone="3")
    change_meanwhile(story, phone="4")
    page = page.submit("Save with the ticked ones", mine="phone")
    assert page.status == 409
    assert "4 changed meanwhile by Bob" in page.text
    page.submit("Save with the ticked ones", mine="phone")
    with story() as session:
        assert session.get(Client, 1).phone == "3"


def test_the_other_persons_version_can_be_kept_whole(story, sign_in_as, alone) -> None:
    with story():
        make_client("Acme", phone="1")
    page = edit_page(sign_in_as("member"))
    change_meanwhile(story, phone="2")
    page = page.submit("Save", phone="3").submit("Save with the ticked ones")
    assert page.said == "Nothing was changed, so nothing was saved."
    with story() as session:
        assert session.get(Client, 1).phone == "2"


def test_a_contact_added_meanwhile_does_not_stand_in_the_way_of_the_details(story, sign_in_as, alone) -> None:
    with story():
        make_client("Acme", phone="1")
    page = edit_page(sign_in_as("member"))
    with story() as session:
        clients.add_contact(session.get(Client, 1), {"name": "Jo"}, by=BOB, now=now())
    assert page.submit("Save", phone="3").said == "Saved."


def test_a_form_whose_memory_was_tampered_with_is_asked_not_obeyed(story, sign_in_as, alone) -> None:
    with story():
        make_client("Acme", phone="1")
    browser = sign_in_as("member")
    for base in ("", "[]", "{", json.dumps({"phone": {"a": 1}, "address": "x", "name": 5})):
        page = browser.post("/clients/1/edit", name="Acme", phone="9" * 60, version="0", base=base)
        assert page.status == 422
        page = browser.post("/clients/1/edit", name="Acme", phone="9", version="0", base=base)
        assert page.status == 409
