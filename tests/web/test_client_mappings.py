"""Which record of an app a client is, chosen by hand: by the people who may, and taken back if it was wrong."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from portal import sync
from portal.domain.apps import ClientLink, ContactLink, Finding, PushState
from portal.domain.records import ClientRecord, ContactRecord, RecordState
from tests.cast import make_client, make_connection, make_link, now

FOUND = ClientRecord("r-1", "Acme Corp", contacts=(ContactRecord("c-1", "Jo", "jo@acme.example"),))
OTHER = ClientRecord("r-2", "Acme Corporation")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    calls: list[list[int]] = []
    monkeypatch.setattr(sync, "send_soon", lambda ids: calls.append(ids) if ids else None)
    return calls


def seen_there(session, connection, *records: ClientRecord) -> None:
    """Records the last sync met and nobody here is linked to."""
    for record in records:
        session.add(
            Finding(connection_id=connection.id, kind="near_match", remote_id=record.remote_id, remote_name=record.name,
                    reason="near", record=record.as_json(), first_seen=now(), last_seen=now())
        )  # fmt: skip


def test_support_links_a_client_by_hand_and_it_is_brought_in_step(story, sign_in_as, sent) -> None:
    """CL-30."""
    with story() as session:
        make_client("Acme")
        seen_there(session, make_connection(), FOUND, OTHER)
    page = sign_in_as("support").get("/clients/1/apps").click("Choose the record")
    assert page.find("//input[@id='q']").get("value") == "Acme"
    assert page.buttons().count("Link to this one") == 2
    page = page.submit("Link to this one")
    assert page.said == "Acme is linked to Acme Corp in XPM. The two are being brought in step."
    assert sent == [[1]]
    with story() as session:
        link = session.get(ClientLink, 1)
        assert (link.remote_id, link.made_by, link.push_state) == ("r-1", "person", PushState.READY)


def test_a_taken_record_says_by_whom_and_cannot_be_chosen(story, sign_in_as, sent) -> None:
    """CL-34."""
    with story() as session:
        connection = make_connection()
        make_link(make_client("Beta"), connection, "r-1", remote_name=FOUND.name, seen=FOUND.as_json())
        make_client("Acme")
        seen_there(session, connection, OTHER)
    browser = sign_in_as("support")
    page = browser.get("/clients/2/records/1", query={"q": "acme"})
    assert "Taken by Beta" in page.text
    assert page.buttons().count("Link to this one") == 1
    page = browser.post("/clients/2/links", connection="1", record="r-1", q="acme")
    assert page.said == "Acme Corp is already linked to Beta. Nothing was linked."
    assert sent == []


def test_an_archived_record_cannot_be_chosen(story, sign_in_as) -> None:
    """M9."""
    with story():
        old = ClientRecord("r-1", "Acme Corp", RecordState.ARCHIVED)
        make_link(make_client("Beta"), make_connection(), "r-1", remote_name=old.name, seen=old.as_json())
        make_client("Acme")
    page = sign_in_as("support").get("/clients/2/records/1")
    assert "Link to this one" not in page.buttons()


@pytest.mark.parametrize("record", ["r-9", "", "r-1' OR 1=1"])
def test_a_record_that_was_not_found_is_not_linked(story, sign_in_as, sent, record: str) -> None:
    """Fault row 107."""
    with story() as session:
        make_client("Acme")
        seen_there(session, make_connection(), FOUND)
    page = sign_in_as("support").post("/clients/1/links", connection="1", record=record, q="acme")
    assert page.said.startswith("That record is not among the ones found any more.")
    assert sent == []


def test_linking_to_another_record_replaces_the_link_and_leaves_the_old_one_free(story, sign_in_as, sent) -> None:
    """DU-12."""
    with story() as session:
        connection = make_connection()
        make_link(make_client("Acme"), connection, "r-1", remote_name=FOUND.name, seen=FOUND.as_json())
        seen_there(session, connection, OTHER)
    browser = sign_in_as("support")
    page = browser.get("/clients/1/apps").click("Link to another record")
    assert "linked to this client" in page.text
    page.submit("Link to this one")
    with story() as session:
        assert session.scalars(select(ClientLink.remote_id)).all() == ["r-2"]
    assert browser.get("/clients/1/records/1").buttons().count("Link to this one") == 1


def test_a_search_that_finds_nothing_says_what_to_try(story, sign_in_as) -> None:
    with story():
        make_client("Acme")
        make_connection()
    assert "No record there has “Acme” in its name" in sign_in_as("support").get("/clients/1/records/1").text


def test_unlinking_keeps_both_sides_and_can_be_taken_back_exactly(story, sign_in_as, sent) -> None:
    agreed = {"phone": "1"}
    with story() as session:
        client = make_client("Acme", contacts=[{"name": "Jo"}])
        link = make_link(client, make_connection(), "r-1", agreed=agreed, seen=FOUND.as_json(), agreed_at=now())
        session.add(ContactLink(client_link_id=link.id, contact_id=1, remote_id="c-1", agreed={"name": "Jo"}))
    page = sign_in_as("support").get("/clients/1/apps").submit("Unlink")
    assert page.said == "Acme is no longer linked to Acme in XPM. Both keep their values. Undo"
    with story() as session:
        assert session.scalar(select(func.count()).select_from(ClientLink)) == 0
    assert page.submit("Undo").said == "Acme is linked again."
    with story() as session:
        link = session.scalar(select(ClientLink))
        assert (link.remote_id, link.agreed, link.seen["name"]) == ("r-1", agreed, "Acme Corp")
        tie = session.scalar(select(ContactLink))
        assert (tie.contact_id, tie.remote_id, tie.agreed) == (1, "c-1", {"name": "Jo"})
    assert "already" in page.submit("Undo").said


def test_members_do_not_link(story, sign_in_as) -> None:
    """Fault row 98."""
    with story():
        make_link(make_client("Acme"), make_connection())
    browser = sign_in_as("member")
    assert browser.get("/clients/1/records/1").status == 403
    for url in ("/clients/1/links", "/clients/1/links/1/removal", "/clients/1/unlinkings/1/undo"):
        assert browser.post(url).status == 403


def test_a_link_of_another_client_cannot_be_removed_here(story, sign_in_as) -> None:
    """Fault row 98."""
    with story():
        make_link(make_client("Acme"), make_connection())
        make_client("Beta")
    assert sign_in_as("support").post("/clients/2/links/1/removal").status == 404
