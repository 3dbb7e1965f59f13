"""What the screens say of an app follows from what the app says of itself: checked with one that is nobody's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal import sync
from portal.db import db
from portal.domain.activity import Activity, Verb
from portal.domain.apps import Connection, ConnectionState, Outcome, OutgoingClient, OutgoingState
from portal.domain.clients import Client
from portal.domain.records import ClientRecord
from tests.cast import make_client, make_connection, make_link, now, person
from tests.cast_apps import make_app, make_unlinked
from tests.cast_runs import make_finding, make_item, make_preview, make_run, make_tokens

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    calls: list[list[int]] = []
    monkeypatch.setattr(sync, "create_there_soon", calls.append)
    return calls


@pytest.fixture
def ledger(story: Callable[..., Any]) -> int:
    """A connected company file of the made-up ledger; its id."""
    with story():
        make_app()
        person("admin"), person("support")
        return make_connection("ledger", "Marlow Books", enabled_at=now(), token_set=make_tokens(vendor="harbour")).id


def test_the_panel_says_what_the_app_does_here_and_what_waits_under_import(
    sign_in_as: Any, ledger: int, story: Any
) -> None:
    """DG-02, DIG-2, QBO-3, QBO-6."""
    with story():
        connection = db.session.get_one(Connection, ledger)
        connection.reference = {"facts": {"Legal name": "Marlow & Co Ltd", "Company": "Marlow Books"}}
        connection.imported_at = connection.last_synced_at = now() - timedelta(minutes=10)
        make_unlinked(connection, ClientRecord("r-1", "Acme"))
    page = sign_in_as("support").get(f"/apps/{ledger}")
    assert "Company file Marlow Books connected" in page.text
    assert "Next 13:00, every hour" in page.text
    assert "Legal name Marlow & Co Ltd" in page.text
    assert "Calls today 0 Ledger sets no limit for a day" in page.text
    assert "Clients nobody here is linked to Only those chosen under Import" in page.text
    assert "When a new client goes out At once, when it is made here" in page.text
    assert "Direction Only from here to Ledger" in page.text
    assert "Sent to Ledger whenever it changes here Client name" in page.text
    assert "1 waits to be chosen or settled." in page.text
    assert page.links()["Import clients"] == f"/apps/{ledger}/import"
    assert "Make clients here first" in page.text
    assert page.text.count("Needs a live check") == 1
    assert "Sync now" in page.buttons()


def test_only_what_the_app_leaves_a_choice_about_can_be_chosen(sign_in_as: Any, ledger: int, app: Any) -> None:
    page = sign_in_as("admin").get(f"/apps/{ledger}/settings")
    assert {one.get("name") for one in page.all("//form[@id='form']//input[@type='radio']")} == {
        "intake", "new_clients", "level",
    }  # fmt: skip
    assert "Usual for Ledger: only those chosen under Import." in page.text
    assert "It syncs every hour." in page.text
    page = page.submit("Save", intake="all", new_clients="first_invoice")
    assert "Saved." in page.said
    assert page.submit("Save", intake="everyone").status == 422
    with app.app_context():
        held = db.session.get_one(Connection, ledger)
        assert (held.intake, held.new_clients, held.direction) == ("all", "first_invoice", "to_app")
        noted = db.session.scalar(select(Activity).where(Activity.verb == Verb.APP_SETTINGS_CHANGED))
        assert [one["label"] for one in noted.changes] == [
            "Clients nobody here is linked to", "When a new client goes out",
        ]  # fmt: skip


def test_before_enabling_it_says_that_nothing_comes_in_by_itself(sign_in_as: Any, story: Any) -> None:
    """AP-04, AP-05."""
    with story():
        make_app(intakes=make_app().intakes[:1])
        make_connection("ledger", "Marlow Books", state=ConnectionState.CHOOSING)
    page = sign_in_as("admin").get("/apps/1/enablement")
    assert "Nothing comes in by itself" in page.text
    assert "A client made here goes to Ledger at once, unless you choose otherwise below" in page.text
    assert "When a client is linked, imported or created there, not afterwards Address" in page.text
    assert page.submit("Enable").h1 == "Harbour Ledger · Marlow Books"


def test_apps_of_one_vendor_say_that_they_share_a_sign_in(sign_in_as: Any, ledger: int, story: Any) -> None:
    with story():
        sibling = make_app(slug="jobs", name="Harbour Jobs", short_name="Jobs")
        tokens = db.session.get_one(Connection, ledger).token_set
        make_connection("jobs", "Marlow Jobs", enabled_at=now(), token_set=tokens)
        make_app(slug="time", name="Harbour Time", short_name="Time", vendor=sibling.vendor)
    try:
        browser = sign_in_as("admin")
        text = browser.get("/apps").text
        assert "uses the same sign-in as Jobs" in text
        assert "It can use the same sign-in as Harbour Jobs and Harbour Ledger." in text or (
            "It can use the same sign-in as Harbour Ledger and Harbour Jobs." in text
        )
        assert "uses the same sign-in as Jobs · Marlow Jobs" in browser.get(f"/apps/{ledger}").text
        assert (
            "The sign-in stays here, because Jobs · Marlow Jobs uses it too."
            in browser.get(f"/apps/{ledger}/disconnection").text
        )
    finally:
        from tests.cast_apps import forget_app

        forget_app("jobs"), forget_app("time")


def test_settings_lead_to_the_panel_of_every_app(sign_in_as: Any, ledger: int, story: Any) -> None:
    """QBO-3: Settings, Integrations, Manage, Synchronization, Sync now."""
    browser = sign_in_as("admin")
    page = browser.get("/settings").click("Integrations")
    assert "Xero Practice Manager – not connected" in page.text
    page = page.click("Manage Harbour Ledger, Marlow Books")
    assert page.find("//nav//a[@aria-current='page'][contains(., 'Synchronization')]") is not None
    assert "Sync now" in page.buttons()
    assert sign_in_as("support").get("/settings/integrations").status == 403


def test_a_run_tells_what_was_created_there_and_what_waits_under_import(
    sign_in_as: Any, ledger: int, story: Any
) -> None:
    with story():
        connection = db.session.get_one(Connection, ledger)
        run = make_run(connection, counts={"created_there": 2, "offered": 31})
        make_item(run, "Kauri Trust", Outcome.OFFERED)
        make_item(run, "Beta Ltd", Outcome.CREATED_THERE)
        preview = make_preview(connection, counts={"created_there": 1, "offered": 1})
        make_item(preview, "Kauri Trust", Outcome.OFFERED)
        make_item(preview, "Beta Ltd", Outcome.CREATED_THERE)
        run_id, preview_id = run.id, preview.id
    browser = sign_in_as("support")
    page = browser.get(f"/apps/{ledger}")
    assert page.links()["31 wait under Import"] == f"/apps/{ledger}/runs/{run_id}?outcome=offered"
    assert [one.text for one in page.all("//table[contains(@class,'runs')]//th")][4:8] == [
        "Created", "Created there", "Updated", "Sent",
    ]  # fmt: skip
    page = browser.get(f"/apps/{ledger}/runs/{run_id}")
    assert page.links()["Choose it under Import"] == f"/apps/{ledger}/import?q=Kauri%20Trust"
    page = browser.get(f"/apps/{ledger}/previews/{preview_id}")
    assert "To create there" in page.text
    assert page.links()["To Import"] == f"/apps/{ledger}/import"


def test_a_new_client_says_where_it_goes(sign_in_as: Any, ledger: int, created: list[list[int]], story: Any) -> None:
    """QBO-1, QB-04."""
    page = sign_in_as("admin").get("/clients/new")
    assert "It is created in Ledger at once." in page.text
    page = page.submit("Create client", name="Acme Corp")
    assert page.said == "Acme Corp is created, as a lead. It is being created in Ledger."
    assert created == [[1]]
    assert "Ledger being created" in page.text


def test_one_that_asks_stands_under_matches_with_what_one_can_do(
    sign_in_as: Any, ledger: int, created: list[list[int]], story: Any
) -> None:
    with story() as session:
        client = make_client("Acme Corp")
        session.add(
            OutgoingClient(connection_id=ledger, client_id=client.id, key="k", state=OutgoingState.ASKS,
                           reason="Ledger has a record of this name that is archived", asked_at=now(), next_at=now())
        )  # fmt: skip
    browser = sign_in_as("support")
    assert browser.get("/").links()["client not created in an app"] == "/matches?kind=not_created"
    page = browser.get("/matches?kind=not_created")
    assert "Ledger has a record of this name that is archived." in page.text
    assert page.links()["Choose its record in Ledger"] == f"/clients/1/records/{ledger}"
    page.submit("Look again")
    assert created == [[1]]
    assert browser.get("/matches?kind=not_created").h1 == "Matches"
    with story() as session:
        session.get(OutgoingClient, 1).state = OutgoingState.FAILED
    browser.get("/matches").submit("Do not create it")
    with story() as session:
        assert session.get(OutgoingClient, 1) is None


def test_a_near_match_in_capitals_says_so_and_names_the_connection(sign_in_as: Any, ledger: int, story: Any) -> None:
    """QBO-5; fault row 38."""
    with story():
        make_connection("ledger", "Other Books", enabled_at=now())
        connection = db.session.get_one(Connection, ledger)
        make_finding(connection, ClientRecord("r-1", "ACME CORP"), candidates=(make_client("Acme Corp"),))
    page = sign_in_as("support").get("/matches")
    assert "names that differ in nothing but capital letters are not the same" in page.text
    assert "Harbour Ledger · Marlow Books" in page.text
    assert "They differ only in capital letters." in page.text
    assert {"Use Ledger (Marlow Books)’s spelling", "Use ours"} <= set(page.buttons())


def test_an_app_that_cannot_be_written_to_is_not_offered_our_spelling(sign_in_as: Any, story: Any) -> None:
    with story():
        make_app(writes_clients=False)
        connection = make_connection("ledger", "Marlow Books")
        make_finding(connection, ClientRecord("r-1", "ACME CORP"), candidates=(make_client("Acme Corp"),))
    assert "Use ours" not in sign_in_as("support").get("/matches").buttons()


def test_the_list_of_clients_tells_two_accounts_of_one_app_apart(sign_in_as: Any, ledger: int, story: Any) -> None:
    """Fault row 38."""
    with story():
        other = make_connection("ledger", "Other Books", enabled_at=now())
        client = make_client("Acme Corp")
        make_link(client, db.session.get_one(Connection, ledger), "r-1")
        make_link(client, other, "r-2")
        make_client("Beta")
    page = sign_in_as("admin").get("/clients")
    assert "Ledger (Marlow Books) Ledger (Other Books)" in page.text
    assert [one.text.strip() for one in page.all("//select[@name='app']/option")][1] == "In Ledger (Marlow Books)"
    assert "Acme Corp" not in page.browser.get("/clients", query={"app": f"not-{ledger}"}, block="rows").text
    with story() as session:
        assert session.scalar(select(Client.name).where(Client.id == 1)) == "Acme Corp"
