"""Home: what needs a person, each figure leading to the list it counts."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.db import db
from portal.domain import mail
from portal.domain.apps import ConnectionState, RunKind, RunState, RunTrigger, SyncRun
from portal.domain.clients import Client, SyncState
from portal.domain.mail import moves
from tests import cast
from tests.at_scale import statements
from tests.cast_invoices import make_invoice


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


@pytest.fixture
def lost_mail(story) -> None:
    """Two messages that could not be sent, one of which was sent anew since, and one that may have arrived."""
    mail.send_as("billing@marlow.example")
    with story():
        invoice = make_invoice(cast.make_client("Acme"))
        for place, became in enumerate(("failed", "failed", "unsure", "failed")):
            row = mail.put_down(
                kind=mail.MailKind.INVOICE, key=f"k{place}", to=mail.Recipient("", f"a{place}@acme.example"),
                subject="Invoice", message="Here it is.", invoice=invoice, by=cast.COMMAND, now=cast.now(),
            )  # fmt: skip
            getattr(moves, became)(row, "The answer was lost.", by=cast.COMMAND, now=cast.now())
        anew = mail.put_down(
            kind=mail.MailKind.INVOICE, key="anew", to=mail.Recipient("", "a3@acme.example"), subject="Invoice",
            message="Here it is.", invoice=invoice, by=cast.COMMAND, now=cast.now(),
        )  # fmt: skip
        moves.sent(anew, by=cast.COMMAND, now=cast.now())
    mail.send_as("")


def test_messages_that_did_not_arrive_lead_whoever_may_decide_to_their_list(sign_in_as, lost_mail) -> None:
    browser = sign_in_as("admin")
    page = browser.get("/")
    assert tasks(page) == [("2", "messages could not be sent"), ("1", "message may not have arrived")]
    for what in ("messages could not be sent", "message may not have arrived"):
        there = page.click(what)
        assert there.path == "/settings/email"
        assert len(there.all("//section[@id='looks']//tbody/tr")) == 3
        assert "2 messages could not be sent. 1 message may or may not have arrived." in there.text


@pytest.mark.parametrize("role", ["member", "support"])
def test_who_cannot_open_that_list_is_not_asked(sign_in_as, lost_mail, role: str) -> None:
    assert tasks(sign_in_as(role).get("/")) == []


def test_lost_mail_costs_home_no_further_question(app, sign_in_as, trouble, lost_mail) -> None:
    browser = sign_in_as("admin")
    with app.app_context(), statements() as said:
        assert browser.client.get("/", base_url=browser.base).status_code == 200
    assert len([one for one in said if "outgoing_mail" in one]) == 1


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
