"""One client beside its records in every app: what differs, which way it may go, and settling one value."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal import sync
from portal.domain import clients
from portal.domain.activity import Activity, Actor, Origin, Verb
from portal.domain.apps import ClientLink, Conflict, ContactLink, LinkState, PushState
from portal.domain.clients import Client
from portal.domain.records import Address, ClientRecord, ContactRecord
from tests.cast import make_client, make_connection, make_link, now, person
from tests.cast_apps import make_app

pytestmark = pytest.mark.usefixtures("clock")

PRIYA = Actor("Priya", Origin.SCREEN)
IN_XPM = ClientRecord(
    "r-1", "Acme Corp", address=Address("1 Kauri St", "Ōtaki"), phone="09 555 0199", website="https://acme.example",
    contacts=(ContactRecord("c-1", "Jo", "jo@acme.example"), ContactRecord("c-2", "Sam")),
)  # fmt: skip
IN_LEDGER = ClientRecord(
    "l-1", "ACME Corp", phone="09 555 0777", contacts=(ContactRecord("p-1", "Jo", "jo@ledger.example"),)
)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    calls: list[list[int]] = []
    monkeypatch.setattr(sync, "send_soon", lambda ids: calls.append(list(ids)) if ids else None)
    return calls


def two_apps(session: Any) -> Client:
    """Acme Corp in XPM (link 1) and in a ledger that takes phones and people when two are linked only (link 2)."""
    make_app()
    client = clients.create("Acme Corp", by=PRIYA, now=now(), phone="09 555 0101",
                            contacts=[{"name": "Jo", "email": "jo@acme.example"}])  # fmt: skip
    xpm = make_link(client, make_connection(), "r-1", seen=IN_XPM.as_json(), seen_at=now(),
                    agreed={"phone": "09 555 0101", "name": "Acme Corp"}, agreed_at=now())  # fmt: skip
    ledger = make_link(client, make_connection("ledger", "Acme Books"), "l-1", remote_name="ACME Corp",
                       seen=IN_LEDGER.as_json(), seen_at=now() - timedelta(hours=1))  # fmt: skip
    for link, remote_id in ((xpm, "c-1"), (ledger, "p-1")):
        session.add(ContactLink(client_link_id=link.id, contact_id=client.contacts[0].id, remote_id=remote_id))
    return client


def rows_of(page: Any) -> dict[str, list[str]]:
    """The client's own fields come first; a contact's field of the same name does not stand for them."""
    found: dict[str, list[str]] = {}
    for row in page.all("//table[contains(@class,'beside')]//tr[td]"):
        cells = [" ".join(cell.text_content().split()) for cell in row.xpath("td")]
        found.setdefault(" ".join(row.xpath("string(th)").split()), cells)
    return found


def test_every_field_stands_beside_its_value_in_each_app_and_says_what_differs(story, sign_in_as) -> None:
    """CL-31, XPM-6 to XPM-8: named apart, when read, which way it goes, who set the value here."""
    with story() as session:
        two_apps(session)
    page = sign_in_as("member").get("/clients/1/records")
    heads = [" ".join(one.text_content().split()) for one in page.all("//table//thead/tr/th")]
    assert heads == ["Field", "Here", "XPM read just now", "Ledger ACME Corp, read 1 h ago"]
    rows = rows_of(page)
    here, xpm, ledger = rows["Phone"]
    assert here.startswith("09 555 0101 Typed by Priya, 12:00")
    assert "differs 09 555 0199 Both ways: the later change wins changed there since the two agreed" in xpm
    assert "differs 09 555 0777 Only when linked, or when somebody asks" in ledger
    assert "differs" not in rows["Client name"][1]
    assert "differs ACME Corp To Ledger only: the connection is set so" in rows["Client name"][2]
    assert rows["Website"][2] == "–"
    assert "Contact Sam in XPM only: removed here, or not read yet" in page.text
    assert "differs jo@ledger.example Only when linked" in rows["Email"][2]
    assert "5 fields differ." in page.text


def test_a_client_that_is_nowhere_else_says_so(story, sign_in_as) -> None:
    with story():
        make_client("Acme")
    assert "Not linked to any app" in sign_in_as("support").get("/clients/1/records").text


def test_their_value_is_taken_here_after_one_has_seen_what_is_written_where(story, sign_in_as, sent) -> None:
    with story() as session:
        two_apps(session)
    page = sign_in_as("member").get("/clients/1/records")
    wanted = "/clients/1/alignments?line=phone&from=2&to=here"
    assert ("Take it here", wanted) in [(one.text, one.get("href")) for one in page.all("//td//a")]
    page = page.browser.get(wanted)
    assert page.h1 == "Use this for Phone?"
    places = [[" ".join(cell.text_content().split()) for cell in row] for row in page.all("//form//table//tbody/tr")]
    assert places == [
        ["", "Here", "09 555 0101", "09 555 0777"],
        ["", "XPM", "09 555 0199", "09 555 0777 goes there by itself, ticked or not, once it stands here"],
    ]
    page = page.submit("Write it where ticked")
    assert page.said == "Phone: Ledger’s value is used here. What goes to an app is being sent."
    assert "here it was 09 555 0101 Put it back…" in page.text
    with story() as session:
        client = session.get(Client, 1)
        assert client.phone == "09 555 0777"
        assert client.links[1].asked == []
    assert sent == [[1]]


def test_ours_is_sent_to_an_app_that_takes_it_only_when_asked(story, sign_in_as, sent) -> None:
    with story() as session:
        two_apps(session)
    page = sign_in_as("member").get("/clients/1/alignments?line=phone&from=here&to=2")
    page = page.submit("Write it where ticked")
    assert page.said == "Phone: our value is used in Ledger. What goes to an app is being sent."
    assert "ours was asked to go there and is on its way" in rows_of(page)["Phone"][2]
    with story() as session:
        assert session.get(ClientLink, 2).asked == ["phone"]
        assert session.get(Client, 1).phone == "09 555 0101"
        noted = session.scalar(select(Activity).where(Activity.verb == Verb.VALUE_CHOSEN))
        assert noted.changes[0] | {"takes": 0} == {
            "field": "phone", "label": "Phone in Ledger", "place": "in Ledger", "old": "09 555 0777",
            "new": "09 555 0101", "takes": 0,
        }  # fmt: skip
    assert sent == [[2]]


def test_a_value_goes_from_one_app_to_another_by_way_of_here(story, sign_in_as, sent) -> None:
    with story() as session:
        two_apps(session)
    browser = sign_in_as("member")
    page = browser.get("/clients/1/alignments?line=phone&from=1&to=here&to=2").submit("Write it where ticked")
    assert page.said.startswith("Phone: XPM’s value is used here and in Ledger.")
    with story() as session:
        assert session.get(Client, 1).phone == "09 555 0199"
        assert session.get(ClientLink, 2).asked == ["phone"]


def test_an_app_cannot_be_sent_a_value_that_does_not_stand_here(story, sign_in_as, sent) -> None:
    with story() as session:
        two_apps(session)
    page = sign_in_as("member").get("/clients/1/alignments?line=phone&from=1&to=2").submit("Write it where ticked")
    assert page.said == "Nothing was written: an app is sent what stands here, so the value has to be used here too."
    with story() as session:
        assert session.get(ClientLink, 2).asked == []
    assert sent == []


def test_what_moved_meanwhile_is_not_written(story, sign_in_as, sent) -> None:
    """Fault row 89."""
    with story() as session:
        two_apps(session)
    page = sign_in_as("member").get("/clients/1/alignments?line=phone&from=1&to=here")
    with story() as session:
        clients.edit(session.get(Client, 1), {"phone": "new"}, by=PRIYA, now=now())
    page = page.submit("Write it where ticked")
    assert page.said == "Phone was changed meanwhile, so nothing was written. This is how it stands."
    with story() as session:
        assert session.get(Client, 1).phone == "new"


def test_what_was_replaced_is_put_back_the_same_way(story, sign_in_as, sent) -> None:
    with story() as session:
        two_apps(session)
    browser = sign_in_as("member")
    browser.get("/clients/1/alignments?line=phone&from=2&to=here").submit("Write it where ticked")
    page = browser.get("/clients/1/records").click("Put it back…")
    assert "What stood here before 09 555 0101" in page.text
    page = page.submit("Write it where ticked")
    assert page.said.startswith("Phone: what stood here before is used here.")
    with story() as session:
        assert session.get(Client, 1).phone == "09 555 0101"


def test_a_contacts_value_is_settled_like_any_other(story, sign_in_as, sent) -> None:
    with story() as session:
        client = two_apps(session)
        contact_id = client.contacts[0].id
        client.links[0].seen = replace(IN_XPM, contacts=(ContactRecord("c-1", "Jo", "old@acme.example"),)).as_json()
    browser = sign_in_as("member")
    page = browser.get(f"/clients/1/alignments?line={contact_id}.email&from=here&to=1&to=2")
    assert page.h1 == "Use this for Jo: Email?"
    assert "stays: people of a record that is in Ledger already are not written; change it there" in page.text
    page.submit("Write it where ticked")
    with story() as session:
        assert session.get(ClientLink, 1).asked == ["c-1.email"]
        assert session.get(ClientLink, 2).asked == []
    browser.get(f"/clients/1/alignments?line={contact_id}.email&from=2&to=here").submit("Write it where ticked")
    with story() as session:
        assert session.get(Client, 1).contacts[0].email == "jo@ledger.example"


def test_what_an_app_refuses_is_told_and_need_not_be_sent(story, sign_in_as, sent) -> None:
    with story() as session:
        two_apps(session)
        link = session.get(ClientLink, 2)
        link.asked, link.push_state, link.push_error = ["phone"], PushState.FAILED, "Ledger refused the number."
    page = sign_in_as("member").get("/clients/1/records")
    assert "ours was asked to go there and was not taken" in rows_of(page)["Phone"][2]
    page = page.submit("Do not send it")
    assert page.said == "It is not sent to Ledger. Each side keeps its own."
    assert sent == [[2]]
    with story() as session:
        assert session.get(ClientLink, 2).asked == []
    assert page.browser.post("/clients/1/links/2/withdrawals").said == "There was nothing left to take back."
    assert page.browser.post("/clients/1/links/9/withdrawals").status == 404


def test_what_an_app_keeps_can_neither_be_taken_elsewhere_nor_sent_there(story, sign_in_as) -> None:
    """CL-36, XPM-7."""
    with story() as session:
        two_apps(session).website = "https://old.example"
    page = sign_in_as("member").get("/clients/1/alignments?line=website&from=here&to=1")
    assert "stays: XPM keeps it; change it there" in page.text
    assert "There is nowhere this could be written now." in page.text


def test_nothing_is_written_over_a_broken_link(story, sign_in_as, sent) -> None:
    with story() as session:
        two_apps(session)
        session.get(ClientLink, 2).state = LinkState.BROKEN
        session.get(ClientLink, 2).broken_why = "it was archived in Ledger"
    browser = sign_in_as("member")
    page = browser.get("/clients/1/alignments?line=phone&from=here&to=2")
    assert "stays: the link is broken: it was archived in Ledger" in page.text
    mark = page.find("//input[@name='mark']").get("value")
    page = browser.post("/clients/1/alignments", line="phone", **{"from": "here"}, to="2", mark=mark)
    assert "Nothing was written in Ledger: the link is broken" in page.said
    assert sent == []


def test_deciding_settles_the_conflict_there_was(story, sign_in_as, sent) -> None:
    """XPM-14."""
    with story() as session:
        client = two_apps(session)
        client.links[0].open_conflicts = 1
        session.add(Conflict(link_id=1, client_id=client.id, field="phone", here="1", there="2", winner="there",
                             why="changed on both sides", at=now()))  # fmt: skip
    browser = sign_in_as("member")
    assert "Phone was changed here and in XPM" in browser.get("/clients/1/records").text
    browser.get("/clients/1/alignments?line=phone&from=1&to=here").submit("Write it where ticked")
    with story() as session:
        assert session.get(Conflict, 1).state == "kept"


def test_looking_is_for_everybody_and_writing_for_those_who_edit(story, sign_in_as) -> None:
    """Fault row 98."""
    with story() as session:
        two_apps(session)
        person("support")
    browser = sign_in_as("support")
    page = browser.get("/clients/1/records")
    assert "Take it here" not in page.links()
    assert browser.get("/clients/1/alignments?line=phone&from=1").status == 403
    assert browser.post("/clients/1/alignments").status == 403


@pytest.mark.parametrize(
    "asked", ["line=phone&from=9", "line=nothing&from=here", "line=99.email&from=1", "line=phone&from=9.9", ""]
)
def test_a_value_there_is_not_leads_back(story, sign_in_as, asked: str) -> None:
    """Fault row 107."""
    with story() as session:
        two_apps(session)
    page = sign_in_as("member").get(f"/clients/1/alignments?{asked}")
    assert page.said == "That value is not there any more. This is how the client stands now."
