"""Home: what needs a person, each figure leading to the list it counts."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.db import db
from portal.domain.apps import ConnectionState, RunKind, RunState, RunTrigger, SyncRun
from portal.domain.clients import Client, SyncState
from tests import cast


@pytest.fixture
def trouble(story) -> None:
    """One of everything that can wait for a person."""
    with story() as session:
        lost = cast.make_connection(
            account_name="Old practice",
            state=ConnectionState.NEEDS_RECONNECT,
            state_reason="Somebody revoked it there.",
        )
        held = cast.make_connection(last_synced_at=cast.now())
        session.add(
            SyncRun(connection_id=held.id, kind=RunKind.SYNC, trigger=RunTrigger.NIGHT, state=RunState.HELD,
                    asked_at=cast.now(), message="It would empty the phone of 312 clients.")
        )  # fmt: skip
        for name in ("ACME", "BACME"):
            cast.make_finding(lost, name)
        cast.make_client("Acme", sync_state=SyncState.FAILED)
        cast.make_client("Bacme", sync_state=SyncState.FAILED)
        cast.make_client("Cacme", sync_state=SyncState.CONFLICT)
        cast.make_client("Gone", sync_state=SyncState.FAILED, status="archived", archived_at=cast.now())


def tasks(page) -> list[tuple[str, str]]:
    return [(one.xpath("./b")[0].text, one.xpath(".//a")[0].text) for one in page.all("//ul[@class='tasks']/li")]


def test_support_sees_everything_that_waits_the_most_pressing_first(sign_in_as, trouble) -> None:
    page = sign_in_as("support").get("/")
    assert tasks(page) == [
        ("1", "sync to decide about: Xero Practice Manager, Marlow & Co"),
        ("1", "app to connect again: Xero Practice Manager, Old practice"),
        ("2", "clients not synced"),
        ("1", "client with a conflict"),
        ("2", "matches to settle"),
    ]
    assert "Somebody revoked it there." in page.text
    assert "It would empty the phone of 312 clients." in page.text


def test_a_member_sees_what_concerns_clients(sign_in_as, trouble) -> None:
    page = sign_in_as("member").get("/")
    assert tasks(page) == [("2", "clients not synced"), ("1", "client with a conflict")]
    assert "Old practice" not in page.text


def test_every_figure_opens_the_list_it_counts(sign_in_as, trouble) -> None:
    browser = sign_in_as("support")
    for figure, what in tasks(browser.get("/")):
        page = browser.get("/").click(what)
        assert page.status == 200
        if page.path == "/clients":
            assert f"{figure} client" in page.text, "archived clients are in neither"


def test_the_apps_show_how_they_are(sign_in_as, trouble) -> None:
    page = sign_in_as("support").get("/")
    rows = [" ".join(row.text_content().split()) for row in page.all("//main//tbody/tr")]
    assert "waits for a decision" in rows[0]
    assert "held: It would empty the phone of 312 clients." in rows[0]
    assert "access ended" in rows[1]


def test_before_anything_is_there_the_page_says_where_to_begin(sign_in_as, story) -> None:
    page = sign_in_as("admin").get("/")
    assert "Start with your clients" in page.text
    assert page.links()["Connect an app"] == "/apps"
    assert "Connect an app" not in sign_in_as("member").get("/").links()


def test_when_nothing_waits_the_page_says_so(sign_in_as, story) -> None:
    with story():
        cast.make_client("Acme")
        assert db.session.scalar(select(Client)) is not None
    assert "Nothing. Every client that is linked is in step or on its way." in sign_in_as("support").get("/").text
