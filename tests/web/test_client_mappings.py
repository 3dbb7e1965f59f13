"""Which record of each app a client is, chosen by hand: by the people who may, and taken back if it was wrong."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from portal import sync
from portal.domain.activity import Activity, Verb
from portal.domain.apps import ClientLink, ContactLink, OutgoingClient, OutgoingState, PushState
from portal.domain.records import Address, ClientRecord, ContactRecord, RecordState
from tests.cast import make_client, make_connection, make_link, now, person
from tests.cast_apps import make_app, make_unlinked

FOUND = ClientRecord("r-1", "Acme Corp", contacts=(ContactRecord("c-1", "Jo", "jo@acme.example"),))
OTHER = ClientRecord("r-2", "Acme Corporation", address=Address("1 Kauri St", "Ōtaki"))
CHOICES = [
    {"remote_id": "t-1", "name": "Region", "options": [{"remote_id": "o-1", "name": "North"},
                                                        {"remote_id": "o-2", "name": "South"}]},
    {"remote_id": "t-2", "name": "Team", "options": [{"remote_id": "o-3", "name": "Tax"}]},
    {"remote_id": "t-3", "name": "Never shown", "options": []},
]  # fmt: skip


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    calls: list[list[int]] = []
    monkeypatch.setattr(sync, "send_soon", lambda ids: calls.append(ids) if ids else None)
    return calls


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    calls: list[list[int]] = []
    monkeypatch.setattr(sync, "create_there_soon", calls.append, raising=False)
    return calls


def choices_of(page, connection: int = 1) -> list[tuple[str, bool]]:
    """The words of each choice in a picker, and whether it can be chosen."""
    rows = page.all(f"//div[@id='options-{connection}']/label")
    return [(" ".join(row.text_content().split()), not row.xpath(".//input[@disabled]")) for row in rows]


def test_support_links_a_client_by_hand_and_it_is_brought_in_step(story, sign_in_as, sent) -> None:
    """CL-30."""
    with story():
        make_client("Acme")
        make_unlinked(make_connection(), FOUND, OTHER)
    page = sign_in_as("support").get("/clients/1/apps")
    assert "App client mappings" in page.text
    assert choices_of(page) == [("Not linked", True)]
    page = page.browser.get("/clients/1/records/1", query={"q": "acme"})
    assert choices_of(page) == [
        ("Not linked", True), ("Acme Corp Jo", True), ("Acme Corporation 1 Kauri St, Ōtaki", True),
    ]  # fmt: skip
    page = page.submit("Save", **{"record-1": "r-1"})
    assert page.said == "Acme is linked to Acme Corp in XPM. The two are being brought in step."
    assert sent == [[1]]
    with story() as session:
        link = session.get(ClientLink, 1)
        assert (link.remote_id, link.made_by, link.push_state) == ("r-1", "person", PushState.READY)


def test_while_one_types_only_the_choices_are_brought(story, sign_in_as) -> None:
    with story():
        make_client("Acme")
        make_unlinked(make_connection(), FOUND)
    part = sign_in_as("support").get("/clients/1/records/1", query={"q": "corp"}, block="options-1")
    assert not part.is_whole
    assert choices_of(part) == [("Not linked", True), ("Acme Corp Jo", True)]


def test_a_taken_record_says_by_whom_and_cannot_be_chosen(story, sign_in_as, sent) -> None:
    """CL-34."""
    with story():
        connection = make_connection()
        make_link(make_client("Beta"), connection, "r-1", remote_name=FOUND.name, seen=FOUND.as_json())
        make_client("Acme")
        make_unlinked(connection, OTHER)
    browser = sign_in_as("support")
    page = browser.get("/clients/2/records/1", query={"q": "acme"})
    assert choices_of(page)[1:] == [
        ("Acme Corporation 1 Kauri St, Ōtaki", True), ("Acme Corp taken by Beta", False),
    ]  # fmt: skip
    page = browser.post("/clients/2/links", **{"record-1": "r-1"})
    assert page.said == "Acme Corp in XPM is already linked to Beta. Nothing was saved."
    assert sent == []


def test_an_archived_record_is_shown_as_such_and_cannot_be_chosen(story, sign_in_as, sent) -> None:
    """M9, QB-09."""
    with story():
        make_client("Acme")
        make_unlinked(make_connection(), ClientRecord("r-1", "Acme Corp", RecordState.ARCHIVED))
    browser = sign_in_as("support")
    page = browser.get("/clients/1/records/1", query={"q": "acme"})
    assert choices_of(page)[1:] == [("Acme Corp archived there, so it cannot be chosen", False)]
    assert (
        "Acme Corp is archived in XPM, so it cannot be linked. Nothing was saved."
        in browser.post("/clients/1/links", **{"record-1": "r-1"}).said
    )
    assert sent == []


@pytest.mark.parametrize("record", ["r-9", "r-1' OR 1=1"])
def test_a_record_that_was_not_found_is_not_linked(story, sign_in_as, sent, record: str) -> None:
    """Fault row 107."""
    with story():
        make_client("Acme")
        make_unlinked(make_connection(), FOUND)
    page = sign_in_as("support").post("/clients/1/links", **{"record-1": record})
    assert page.said.startswith("That record is not among those known of XPM any more")
    assert sent == []


def test_linking_to_another_record_asks_first_and_says_what_changes(story, sign_in_as, sent) -> None:
    """DU-12, CL-33: a record of another name is fine and stays."""
    with story():
        connection = make_connection()
        make_link(make_client("Acme"), connection, "r-1", remote_name=FOUND.name, seen=FOUND.as_json())
        make_unlinked(connection, ClientRecord("r-2", "Bravo Trust"))
    browser = sign_in_as("support")
    page = browser.get("/clients/1/records/1", query={"q": "bravo"})
    assert choices_of(page)[1] == ("Acme Corp linked to this client", True)
    page = page.submit("Save", **{"record-1": "r-2"})
    assert page.status == 409
    assert "the link to Acme Corp is dropped and Bravo Trust is linked instead" in page.text
    assert "The names differ: that is kept, and no sync corrects it." in page.text
    with story() as session:
        assert session.scalars(select(ClientLink.remote_id)).all() == ["r-1"]
    page = page.submit("Save these links")
    assert page.said == "Acme is linked to Bravo Trust in XPM. The two are being brought in step."
    with story() as session:
        assert session.scalars(select(ClientLink.remote_id)).all() == ["r-2"]
    assert "the names differ, which is kept" in page.text


def test_one_save_serves_the_whole_block(story, sign_in_as, sent) -> None:
    with story():
        make_app()
        client = make_client("Acme")
        make_unlinked(make_connection(), FOUND)
        ledger = make_connection("ledger", "Acme Books", reference={"choices": CHOICES})
        make_unlinked(ledger, OTHER)
        make_link(client, make_connection(account_name="Second"), "r-7", remote_name="Acme")
    page = sign_in_as("admin").post("/clients/1/links", **{"record-1": "r-1", "record-2": "r-2", "record-3": "r-7"})
    assert page.said == (
        "Acme is linked to Acme Corp in XPM and Acme Corporation in Ledger. They are being brought in step."
    )
    with story() as session:
        assert session.scalar(select(func.count()).select_from(ClientLink)) == 3


def test_when_one_choice_cannot_be_saved_none_is(story, sign_in_as, sent) -> None:
    with story():
        make_app()
        make_client("Acme")
        make_unlinked(make_connection(), FOUND)
        make_connection("ledger", "Acme Books")
    page = sign_in_as("admin").post("/clients/1/links", **{"record-1": "r-1", "record-2": "gone"})
    assert "Nothing was saved." in page.said
    with story() as session:
        assert session.scalar(select(func.count()).select_from(ClientLink)) == 0


def test_two_accounts_of_one_app_never_mix(story, sign_in_as, sent) -> None:
    """Fault row 38."""
    with story():
        make_client("Acme")
        make_unlinked(make_connection(enabled_at=now()), FOUND)
        make_unlinked(make_connection(account_name="Harbour", enabled_at=now()), OTHER)
    browser = sign_in_as("support")
    page = browser.get("/clients/1/records/2", query={"q": "acme"})
    assert [words for words, _ in choices_of(page, 2)] == ["Not linked", "Acme Corporation 1 Kauri St, Ōtaki"]
    assert "not among those known of XPM (Harbour)" in browser.post("/clients/1/links", **{"record-2": "r-1"}).said
    said = browser.post("/clients/1/links", **{"record-2": "r-2"}).said
    assert said == "Acme is linked to Acme Corporation in XPM (Harbour). The two are being brought in step."


def test_what_every_later_invoice_carries_is_chosen_here_two_lists_at_most(story, sign_in_as, sent) -> None:
    """CL-32."""
    with story():
        make_app()
        ledger = make_connection("ledger", "Acme Books", reference={"choices": CHOICES})
        make_link(make_client("Acme"), ledger, "r-1", remote_name=FOUND.name, seen=FOUND.as_json())
    page = sign_in_as("support").get("/clients/1/apps")
    assert [one.get("name") for one in page.all("//form[@id='mappings-form']//select")] == [
        "choice-1-t-1", "choice-1-t-2",
    ]  # fmt: skip
    page = page.submit("Save", **{"choice-1-t-1": "o-2"})
    assert page.said == "What its invoices carry in Ledger is kept."
    assert page.find("//select[@name='choice-1-t-1']/option[@selected]").text == "South"
    with story() as session:
        assert session.get(ClientLink, 1).choices == {"t-1": "o-2"}
        noted = session.scalar(select(Activity).where(Activity.verb == Verb.OPTIONS_CHOSEN))
        assert (noted.changes[0]["label"], noted.changes[0]["new"]) == ("Region", "South")
    assert "Nothing was different" in page.submit("Save").said
    assert "Nothing was different" in page.submit("Save", **{"choice-1-t-2": "o-99"}).said
    page = page.submit("Save", **{"choice-1-t-1": ""})
    with story() as session:
        assert session.get(ClientLink, 1).choices == {}
    assert sent == []


def test_a_search_that_finds_nothing_says_what_to_try(story, sign_in_as) -> None:
    with story():
        make_client("Acme")
        make_connection()
    page = sign_in_as("support").get("/clients/1/records/1")
    assert "No client there has “Acme” in its name. Try fewer letters" in page.text


def test_letting_go_in_the_block_is_asked_about_and_can_be_taken_back(story, sign_in_as, sent) -> None:
    with story():
        make_link(make_client("Acme"), make_connection(), "r-1", remote_name="Acme", seen=FOUND.as_json())
    page = sign_in_as("support").get("/clients/1/apps").submit("Save", **{"record-1": ""})
    assert "the link to Acme is removed" in page.text
    page = page.submit("Save these links")
    assert page.said == "Acme is no longer linked to Acme in XPM. Both keep their values. Undo"
    assert page.submit("Undo").said == "Acme is linked again."


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


def test_a_client_is_created_in_an_app_now_once_however_often_one_presses(story, sign_in_as, created) -> None:
    """DIG-8, QBO-1; fault row 70."""
    with story():
        make_app()
        make_client("Acme")
        make_connection("ledger", "Acme Books", settings={"new_clients": "first_invoice"})
    page = sign_in_as("support").get("/clients/1/apps")
    assert "By itself it goes there with its first invoice." in page.text
    again = page.submit("Create it in Ledger now")
    assert "Acme is being created in Ledger." in again.said
    assert "being created in Ledger asked for by Sue Sharma" in again.text
    page.submit("Create it in Ledger now")
    assert created == [[1], [1]]
    with story() as session:
        assert session.scalar(select(func.count()).select_from(OutgoingClient)) == 1
    page = again.submit("Take it back")
    assert page.said == "Acme is not created in Ledger any more."
    assert "Create it in Ledger now" in page.buttons()


@pytest.mark.parametrize(
    ("state", "reason", "shown", "button"),
    [
        (OutgoingState.ASKS, "two have this name", "Ledger may have this client already", "Look again"),
        (OutgoingState.FAILED, "Ledger refused the name.", "Ledger did not create it", "Try again"),
    ],
)
def test_one_that_could_not_be_created_says_why_and_what_to_do(
    story, sign_in_as, created, state: OutgoingState, reason: str, shown: str, button: str
) -> None:
    with story() as session:
        make_app()
        client, ledger = make_client("Acme"), make_connection("ledger", "Acme Books")
        session.add(
            OutgoingClient(connection_id=ledger.id, client_id=client.id, key="k", state=state, reason=reason,
                           asked_at=now(), asked_by="Bob", next_at=now())
        )  # fmt: skip
    page = sign_in_as("support").get("/clients/1/apps")
    assert shown in page.text
    assert reason in page.text.replace("Two have", "two have")
    page.submit(button)
    assert created == [[1]]
    with story() as session:
        assert session.get(OutgoingClient, 1).state == OutgoingState.READY


def test_an_app_that_takes_no_new_clients_is_not_offered_any(story, sign_in_as, created) -> None:
    with story():
        make_app(creates_clients=False)
        make_client("Acme")
        make_connection("ledger", "Acme Books")
    page = sign_in_as("support").get("/clients/1/apps")
    assert "The portal never creates a client in Ledger." in page.text
    assert "Create it in Ledger now" not in page.buttons()
    assert "takes no new clients" in page.browser.post("/clients/1/creations", connection="1").said
    assert created == []


def test_members_do_not_link_and_see_how_it_stands(story, sign_in_as) -> None:
    """Fault row 98."""
    with story():
        make_link(make_client("Acme"), make_connection())
        make_connection(account_name="Other")
    browser = sign_in_as("member")
    page = browser.get("/clients/1/apps")
    assert not page.all("//form[@id='mappings-form']")
    assert "People with the role admin or support can link it." in page.text
    assert browser.get("/clients/1/records/1").status == 403
    for url in ("links", "links/1/removal", "unlinkings/1/undo", "creations", "creations/1/removal"):
        assert browser.post(f"/clients/1/{url}").status == 403


def test_a_link_of_another_client_cannot_be_removed_here(story, sign_in_as) -> None:
    """Fault row 98."""
    with story() as session:
        make_app()
        make_link(make_client("Acme"), make_connection())
        client, ledger = make_client("Beta"), make_connection("ledger", "Books")
        session.add(OutgoingClient(connection_id=ledger.id, client_id=client.id, key="k", asked_at=now()))
        person("support")
    browser = sign_in_as("support")
    assert browser.post("/clients/2/links/1/removal").status == 404
    assert "not on its way" in browser.post("/clients/1/creations/1/removal").said
    with story() as session:
        assert session.get(OutgoingClient, 1) is not None
