"""The Matches screen: a person says who is who."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from portal import sync
from portal.db import db
from portal.domain import outgoing
from portal.domain.activity import SYSTEM, Activity, Verb
from portal.domain.apps import ClientLink, Connection, Finding
from portal.domain.clients import Client
from portal.web.matches import pieces
from tests.cast import make_client, make_connection, make_link, now, person
from tests.cast_runs import make_finding, make_record

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Links whose record is to be sent in the background."""
    ids: list[int] = []
    monkeypatch.setattr(sync, "send_soon", ids.extend)
    return ids


@pytest.fixture
def near(story: Any) -> int:
    """Acme Corp here, ACME Corp in the app; the finding's id."""
    with story():
        person("admin")
        client = make_client("Acme Corp", phone="09 555 0100", contacts=[{"name": "Tom", "email": "tom@acme.example"}])
        return make_finding(make_connection(), make_record("ACME Corp"), candidates=(client,)).id


def only_link() -> ClientLink:
    return db.session.scalars(select(ClientLink)).one()


def test_both_spellings_stand_side_by_side_with_the_difference_marked_and_named(sign_in_as: Any, near: int) -> None:
    """QBO-5, M6."""
    page = sign_in_as("support").get("/matches")
    assert page.all("//mark/text()") == ["CME", "cme"]
    assert "They differ only in capital letters" in page.text
    assert "aroha@ngata.example" in page.text
    assert "tom@acme.example" in page.text


def test_spaces_that_differ_are_marked_too() -> None:
    assert pieces("Acme  Corp", "Acme Corp") == [("Acme ", False), (" ", True), ("Corp", False)]


def test_another_word_is_marked_as_a_whole() -> None:
    assert pieces("Acme Limited", "Acme Ltd") == [("Acme ", False), ("Limited", True)]


def test_one_click_takes_the_apps_spelling_and_links(sign_in_as: Any, near: int, app: Any, sent: list[int]) -> None:
    """QBO-5."""
    page = sign_in_as("support").get("/matches").submit("Use XPM’s spelling")
    assert "ACME Corp in XPM is now linked to ACME Corp here" in page.said
    assert "Nothing waits for you here" in page.text
    with app.app_context():
        client = db.session.scalars(select(Client)).one()
        assert client.name == "ACME Corp"
        assert (only_link().client_id, sent) == (client.id, [only_link().id])
        assert db.session.scalar(select(Activity.actor_name).where(Activity.verb == Verb.NAMES_ALIGNED)) == "Sue Sharma"


def test_one_click_keeps_our_spelling_and_links(sign_in_as: Any, near: int, app: Any, sent: list[int]) -> None:
    """QBO-5."""
    page = sign_in_as("support").get("/matches").submit("Use ours")
    assert "now linked to Acme Corp here" in page.said
    with app.app_context():
        assert db.session.scalars(select(Client.name)).one() == "Acme Corp"
        assert only_link().push_state == "ready"


def test_a_second_click_on_an_old_page_is_told_and_changes_nothing(sign_in_as: Any, near: int, app: Any) -> None:
    """Fault row 70."""
    page = sign_in_as("support").get("/matches")
    page.submit("Use ours")
    assert "was already linked by Sue Sharma" in page.submit("Use XPM’s spelling").said
    with app.app_context():
        assert db.session.scalars(select(Client.name)).one() == "Acme Corp"


def test_a_link_can_be_taken_back_and_the_question_returns(sign_in_as: Any, near: int, app: Any) -> None:
    page = sign_in_as("support").get("/matches").submit("Use ours").submit("Unlink again")
    assert "the question is back on the list" in page.said
    assert "Use ours" in page.buttons()
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(ClientLink)) == 0


def test_different_clients_are_told_apart_for_good(sign_in_as: Any, near: int, app: Any) -> None:
    page = sign_in_as("support").get("/matches").submit("They are different clients")
    assert "is somebody else" in page.said
    with app.app_context():
        assert db.session.get_one(Finding, near).state == "apart"


def test_an_ambiguous_name_shows_every_candidate_and_links_the_chosen_one(
    sign_in_as: Any, story: Any, app: Any
) -> None:
    """M8."""
    with story():
        one = make_client("Kauri Trust", address_street="1 First Ave")
        two = make_client("Kauri Trust", address_street="2 Second Ave")
        make_finding(make_connection(), make_record("Kauri Trust"), "ambiguous", (one, two))
        wanted = two.id
    sue = sign_in_as("support")
    page = sue.get("/matches")
    assert "1 First Ave" in page.text
    assert "2 Second Ave" in page.text
    assert page.buttons().count("This is the one: link") == 2
    form = page.find(f"//form[.//input[@name='client'][@value='{wanted}']]")
    sue.post(form.get("action"), client=wanted)
    with app.app_context():
        assert only_link().client_id == wanted


def test_records_of_one_name_in_the_app_point_at_each_other(sign_in_as: Any, story: Any) -> None:
    """M7."""
    with story():
        connection = make_connection()
        make_finding(
            connection, make_record("Kauri Trust", "r-1"), "ambiguous", reason="2 records in XPM have exactly this name"
        )
        make_finding(connection, make_record("Kauri Trust", "r-2", phone="03 1"), "ambiguous", reason="2 records")
    page = sign_in_as("support").get("/matches")
    assert "1 other record in XPM has exactly this name" in page.text


def test_a_taken_name_shows_who_holds_it_and_can_only_come_in_as_new(sign_in_as: Any, story: Any, app: Any) -> None:
    """M4, CL-34."""
    with story():
        connection = make_connection()
        client = make_client("Acme Corp")
        make_link(client, connection, "r-9", remote_name="Acme Corp (old)")
        make_finding(connection, make_record("Acme Corp"), "taken", (client,))
    page = sign_in_as("support").get("/matches")
    assert "Linked to Acme Corp (old) in XPM already" in page.text
    assert "This is the one: link" not in page.buttons()
    done = page.submit("Import as new")
    assert "Acme Corp came in from XPM as a new client" in done.said
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Client)) == 2


def test_linking_a_client_that_is_linked_already_is_refused_with_who_holds_it(
    sign_in_as: Any, near: int, story: Any, app: Any
) -> None:
    """CL-34."""
    with story():
        client = db.session.scalars(select(Client)).one()
        make_link(client, db.session.scalars(select(Connection)).one(), "r-9", remote_name="Acme (other)")
    page = sign_in_as("support").post(f"/matches/{near}/links", client=1)
    assert "Acme Corp is already linked to Acme (other)" in page.said
    with app.app_context():
        assert db.session.get_one(Finding, near).state == "open"


def test_several_near_candidates_ask_which_is_meant(sign_in_as: Any, story: Any) -> None:
    with story():
        one, two = make_client("Acme Corp."), make_client("acme corp")
        make_finding(make_connection(), make_record("ACME Corp"), "near_match", (one, two))
    page = sign_in_as("support").get("/matches")
    assert "Use ours" not in page.buttons()
    assert page.buttons().count("This is the one: link") == 2
    finding = page.find("//article").get("id").removeprefix("finding-")
    assert "choose which" in page.browser.post(f"/matches/{finding}/links", spelling="here").said


def test_filters_by_kind_and_app_and_bulk_import_of_what_they_show(
    sign_in_as: Any, near: int, story: Any, app: Any
) -> None:
    with story():
        other = make_connection(account_name="Harbour Partners")
        for number in range(30):
            make_finding(other, make_record(f"Trust {number}", f"t-{number}", contacts=()), "ambiguous")
        other_id = other.id
    sue = sign_in_as("support")
    page = sue.get("/matches")
    assert "All kinds (31)" in page.text
    assert "Nearly the same name (1)" in page.text
    assert "Harbour Partners (30)" in page.text
    shown = sue.get(f"/matches?kind=ambiguous&connection={other_id}")
    assert len(shown.all("//article")) == 25
    assert len(shown.click("Next").all("//article")) == 5
    done = shown.submit("Import 30 records as new")
    assert "30 records came in as new clients" in done.said
    assert "Nothing of this kind waits" in done.text
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Client)) == 31
        assert db.session.get_one(Finding, near).state == "open"


def test_what_was_left_out_of_an_import_can_be_brought_in_later(sign_in_as: Any, story: Any, app: Any) -> None:
    with story():
        make_finding(make_connection(), make_record("Kauri Trust"), "left_out")
    sue = sign_in_as("support")
    assert "Kauri Trust" not in [one.text_content() for one in sue.get("/matches").all("//h2")]
    page = sue.get("/matches?kind=left_out")
    assert "Left out by Alice Ngata" in page.text
    assert "Import all as new…" not in page.text
    page.submit("Import as new")
    with app.app_context():
        assert db.session.scalars(select(Client.name)).one() == "Kauri Trust"


def test_an_empty_list_teaches_how_to_keep_it_empty(sign_in_as: Any, app: Any) -> None:
    """DU-13, QBO-6."""
    page = sign_in_as("support").get("/matches")
    assert "Nothing waits for you here" in page.text
    assert "make clients in one place" in page.text


def test_the_rail_counts_what_waits(sign_in_as: Any, near: int) -> None:
    page = sign_in_as("support").get("/matches")
    assert page.find("//nav[@id='rail']//a[@href='/matches']//b").text_content().startswith("1")


def test_members_settle_nothing(sign_in_as: Any, near: int) -> None:
    """Fault row 98."""
    bob = sign_in_as("member")
    assert bob.get("/matches").status == 403
    for url in (
        f"/matches/{near}/links",
        f"/matches/{near}/imports",
        f"/matches/{near}/separations",
        "/matches/imports",
    ):
        assert bob.post(url).status == 403


def test_what_is_not_there_is_not_found(sign_in_as: Any, near: int) -> None:
    """Fault row 98."""
    sue = sign_in_as("support")
    assert sue.post("/matches/999/links", spelling="here").status == 404
    assert sue.post(f"/matches/{near}/links", client=999).status == 404
    assert "already gone" in sue.post("/matches/unlinkings/999").said


def test_names_with_markup_stay_text(sign_in_as: Any, story: Any) -> None:
    """Fault rows 102, 103."""
    hostile = "<img src=x hx-get=/sign-out>"
    with story():
        client = make_client(hostile.upper())
        make_finding(make_connection(account_name=hostile), make_record(hostile), candidates=(client,), reason=hostile)
    page = sign_in_as("support").get("/matches")
    assert not page.all("//img | //*[@hx-get='/sign-out']")


class TestOneClient:
    """A client is one question, and a page about an invoice leads to just that one."""

    @pytest.fixture
    def acme(self, story: Any) -> int:
        """To be created in an app that has nearly the same name; another client waits beside it."""
        with story():
            connection = make_connection("quickbooks")
            acme = make_client("Acme Corp")
            make_finding(connection, make_record("ACME Corp", "r-1"), candidates=(acme,))
            other = make_client("Kauri Trust")
            make_finding(connection, make_record("KAURI Trust", "r-2"), candidates=(other,))
            for client in (acme, other):
                row = outgoing.ask(client, connection, by=SYSTEM, now=now())
                row.state, row.reason = "asks", "nearly the same name is there"
            return acme.id

    def test_it_shows_once_with_what_waits_for_it(self, sign_in_as: Any, acme: int) -> None:
        page = sign_in_as("admin").get("/matches")
        assert len(page.all("//article[.//h2[text()='ACME Corp' or text()='Acme Corp']]")) == 1
        assert "Acme Corp is to be created in QuickBooks, asked for by" in page.text
        assert page.all("//*[starts-with(@id, 'outgoing-')]")

    def test_the_list_of_those_not_created_still_has_everybody(self, sign_in_as: Any, acme: int) -> None:
        page = sign_in_as("admin").get("/matches?kind=not_created")
        assert len(page.all("//article")) == 2

    def test_a_page_about_one_client_shows_nobody_else(self, sign_in_as: Any, acme: int) -> None:
        alice = sign_in_as("admin")
        page = alice.get(f"/matches?about={acme}")
        assert "ACME Corp" in page.text
        assert "KAURI" not in page.text
        assert "About Acme Corp" in page.text
        page = page.submit("Use ours")
        assert "Nothing about Acme Corp waits any more" in page.text
        assert "KAURI" in page.click("Show all").text

    def test_one_of_several_who_may_be_meant_counts_too(self, sign_in_as: Any, story: Any) -> None:
        with story():
            one, two = make_client("Kauri Trust"), make_client("Kauri Trust")
            make_finding(make_connection(), make_record("Kauri Trust"), "ambiguous", (one, two))
            second, elsewhere = two.id, make_client("Acme Corp").id
        alice = sign_in_as("admin")
        assert "This is the one: link" in alice.get(f"/matches?about={second}").buttons()
        assert "This is the one: link" not in alice.get(f"/matches?about={elsewhere}").buttons()

    def test_two_records_like_one_client_point_at_each_other(self, sign_in_as: Any, story: Any) -> None:
        with story():
            connection, acme = make_connection(), make_client("Acme Corp")
            make_finding(connection, make_record("ACME Corp", "r-1"), candidates=(acme,))
            make_finding(connection, make_record("acme corp", "r-2"), candidates=(acme,))
        page = sign_in_as("admin").get("/matches")
        assert "Only one of them can be this client" in page.text
