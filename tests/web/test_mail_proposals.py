"""A proposal by mail: put out with its first message, sent again with a new link, and never twice by accident."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from portal.domain import mail, proposals
from portal.domain.library import BillingType
from portal.domain.mail import MailState
from portal.domain.proposals import ProposalState
from tests.cast import COMMAND, make_client, now
from tests.cast_invoices import make_tax_rate
from tests.reading import Browser
from tests.web.post import AROHA, CONTACTS, TAMA, link_in, preview, rows, send_all

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def bob(sign_in_as) -> Browser:
    return sign_in_as("member")


@pytest.fixture
def proposal(clock, story) -> int:
    """A draft with one service."""
    with story():
        client = make_client("Acme Corp", contacts=CONTACTS)
        values = {"currency": "NZD", "expires_on": date(2026, 12, 3)}
        made = proposals.draft(client, "Accounts 2027", by=COMMAND, now=now(), **values)
        proposals.add_line(
            made, by=COMMAND, now=now(), name="Company set-up", price=Decimal(500), tax_rate_id=make_tax_rate().id,
            billing_type=BillingType.ON_ACCEPTANCE,
        )  # fmt: skip
        return made.id


def test_a_draft_is_put_out_with_its_first_message(box, bob, proposal, story) -> None:
    """PR-02."""
    page = bob.get(f"/proposals/{proposal}").click("Put out and send")
    assert "This puts it out for acceptance" in page.text
    assert "Subject Our proposal for Acme Corp" in preview(page)
    assert "Read and accept the proposal" in preview(page)
    after = page.submit("Put out and send")
    assert f"is on its way to Aroha Ngata <{AROHA}>." in after.said
    assert "Awaiting acceptance" in after.text
    send_all(story)
    link = link_in(box.mails[0])
    assert Browser(bob.app).get(link).h1 == "Accounts 2027"
    assert "Accounts 2027" in box.mails[0].text and "3 December 2026" in box.mails[0].text


def test_sending_again_makes_a_new_link_and_says_that_the_old_one_closes(box, bob, proposal, story) -> None:
    bob.get(f"/proposals/{proposal}/sending").submit("Put out and send")
    send_all(story)
    page = bob.get(f"/proposals/{proposal}").click("Send again")
    assert "the one before stops opening" in page.text
    page.submit("Send with a new link")
    send_all(story)
    old, new = (link_in(one) for one in box.mails)
    client = Browser(bob.app)
    assert (client.get(old).status, client.get(new).h1) == (404, "Accounts 2027")


def test_one_that_is_not_ready_is_not_put_out_and_nothing_is_sent(box, bob, proposal, story) -> None:
    with story():
        held = proposals.get(proposal)
        assert held is not None
        held.expires_on = date(2026, 1, 1)
    after = bob.get(f"/proposals/{proposal}/sending").submit("Put out and send")
    assert after.said == "Its last day has gone by. Give it a later one first."
    with story():
        assert rows() == []
        held = proposals.get(proposal)
        assert held is not None and held.state == ProposalState.DRAFT


def test_pressed_twice_it_is_put_out_and_sent_once(box, bob, proposal, story) -> None:
    """ST-09."""
    page = bob.get(f"/proposals/{proposal}/sending")
    page.submit("Put out and send")
    assert page.submit("Put out and send").said == "That form was sent already; nobody gets it twice."
    with story():
        assert [one.state for one in rows()] == [MailState.WAITING]


def test_an_accepted_or_lost_one_is_sent_to_nobody(box, bob, proposal, story) -> None:
    with story():
        held = proposals.get(proposal)
        assert held is not None
        proposals.mark_lost(held, "", by=COMMAND, now=now())
    page = bob.get(f"/proposals/{proposal}/sending")
    assert "is not open for acceptance, so it is sent to nobody." in page.said


def test_a_part_that_looks_again_does_not_use_up_the_link_shown_once(box, bob, proposal) -> None:
    bob.follow = False
    bob.post(f"/proposals/{proposal}/offer")
    bob.get(f"/proposals/{proposal}", block="mails")
    assert bob.get(f"/proposals/{proposal}").all("//input[@id='fresh-link']")


def test_without_a_mail_server_it_is_said_and_the_link_is_given_by_hand(bob, proposal, story) -> None:
    for address in (f"/proposals/{proposal}", f"/proposals/{proposal}/sending"):
        assert bob.get(address).text.count("This portal cannot send mail yet") == 1
    assert "Put out and send" not in bob.get(f"/proposals/{proposal}").links()
    left_open = bob.post(f"/proposals/{proposal}/sending", other=TAMA, subject="A", message="B")
    assert left_open.said == mail.NOT_YET
    assert "Out for acceptance" in bob.get(f"/proposals/{proposal}").submit("Put out for acceptance").text
    with story():
        assert rows() == []
