"""The page a firm's client sees: opened by its link alone, accepted once, and only what was shown."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.db import db
from portal.domain import guesses, library, people, proposals
from portal.domain.invoices import Invoice
from portal.domain.library import BillingType
from portal.domain.proposals import Proposal, ProposalState
from tests.cast import COMMAND, make_client, make_firm, now

AUCKLAND = "Pacific/Auckland"
TERMS = "You pay within 14 days.\n\nWe keep your papers for seven years."


@pytest.fixture(autouse=True)
def _noon(clock) -> None:
    """At NOON."""


@pytest.fixture(autouse=True)
def _nothing_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending has its own tests."""
    monkeypatch.setattr("portal.web.proposals.carrying.deliveries.deliver_soon", lambda ids: None)


def put_out(**fields: Any) -> tuple[int, str]:
    """A proposal with a service that is billed at once and one every month; its id and its link's path."""
    make_firm(email="office@marlow.example")
    rate = library.default_tax_rate() or library.add_tax_rate("GST 15 %", Decimal(15), by=COMMAND, now=now())
    fields = {"currency": "NZD", "expires_on": date(2026, 12, 3), "terms": TERMS} | fields
    proposal = proposals.draft(make_client("Acme Corp"), "Accounts 2027", by=COMMAND, now=now(), **fields)
    for name, price, billing in (
        ("Company set-up", 500, BillingType.ON_ACCEPTANCE),
        ("Bookkeeping", 300, BillingType.RECURRING),
    ):
        proposals.add_line(
            proposal, by=COMMAND, now=now(), name=name, price=Decimal(price), billing_type=billing, tax_rate_id=rate.id
        )
    token = proposals.put_out(proposal, by=COMMAND, now=now(), zone=AUCKLAND)
    return proposal.id, f"/p/{token}"


def add_choices(proposal_id: int) -> None:
    proposal = proposals.get(proposal_id)
    assert proposal is not None
    proposals.edit(proposal, {"options": ["Basic", "Plus"]}, by=COMMAND, now=now())
    for name, price, more in (
        ("Full accounts", 200, {"option": 2}),
        ("Payroll", 40, {"is_optional": True, "is_taken": False}),
    ):
        proposals.add_line(proposal, by=COMMAND, now=now(), name=name, price=Decimal(price), **more)


def test_the_page_says_who_offers_what_to_whom_and_what_it_costs_with_tax(story, browser) -> None:
    with story():
        _, link = put_out(message="Kia ora Aroha,\n\nas we discussed.")
    page = browser.get(link)
    assert page.h1 == "Accounts 2027"
    assert "Proposal PROP-1 for Acme Corp" in page.text
    assert "Open for acceptance until 3 Dec 2026." in page.text
    assert "When you accept Before tax $800.00 GST 15 % $120.00 Total $920.00" in page.text
    assert "Every month Before tax $300.00 GST 15 % $45.00 Total $345.00" in page.text
    assert "We keep your papers for seven years." in page.text
    assert "office@marlow.example" in page.text
    assert "script" not in page.body


def test_the_link_is_kept_from_everybody_else(story, browser) -> None:
    """PP-12."""
    with story():
        _, link = put_out()
    headers = browser.get(link).headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "script-src" not in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Robots-Tag"] == "noindex, nofollow"


def test_a_client_accepts_on_the_page_and_is_told_what_happens_next(story, browser) -> None:
    with story():
        proposal_id, link = put_out()
    page = browser.get(link).submit("Accept proposal", name="Aroha Ngata", agreed="yes")
    assert page.h1 == "Thank you, Aroha Ngata"
    assert "You accepted Accounts 2027 for Acme Corp on 3 Nov 2026" in page.text
    assert "Invoice INV-0001 over $920.00 is made out, due on 17 Nov 2026." in page.text
    assert "Bookkeeping is next invoiced on 3 Dec 2026." in page.text
    with story():
        proposal = proposals.get(proposal_id)
        assert proposal is not None and proposal.state == ProposalState.ACCEPTED
        assert proposal.accepted["name"] == "Aroha Ngata"
        assert proposal.accepted["address"] == "127.0.0.1"
        assert proposal.accepted["terms"] == TERMS
    assert browser.get(link).h1 == "Thank you, Aroha Ngata"


def test_without_name_or_tick_nothing_is_accepted_and_the_page_says_what_is_missing(story, browser) -> None:
    with story():
        proposal_id, link = put_out()
    page = browser.get(link).submit("Accept proposal", agreed="yes")
    assert page.status == 422
    assert "Type your name below." in page.text
    page = page.submit("Accept proposal", name="Aroha Ngata", agreed=None)
    assert page.status == 422
    assert "Tick the box below" in page.text
    assert page.find("//input[@name='name']").get("value") == "Aroha Ngata"
    with story():
        assert proposals.get(proposal_id).state == ProposalState.AWAITING


def test_accepting_twice_makes_one_invoice(story, browser) -> None:
    with story():
        _, link = put_out()
    first = browser.get(link)
    first.submit("Accept proposal", name="Aroha Ngata", agreed="yes")
    again = first.submit("Accept proposal", name="Somebody Else", agreed="yes")
    assert again.h1 == "Thank you, Aroha Ngata"
    with story():
        assert db.session.scalar(select(func.count()).select_from(Invoice)) == 1


def test_a_page_that_has_become_old_is_shown_anew_instead_of_being_accepted(story, browser) -> None:
    with story():
        proposal_id, link = put_out()
    old = browser.get(link)
    with story():
        proposal = proposals.get(proposal_id)
        proposals.edit_line(proposal.lines[0], {"price": Decimal(600)}, by=COMMAND, now=now())
    page = old.submit("Accept proposal", name="Aroha Ngata", agreed="yes")
    assert page.status == 409
    assert "Please look once more before you accept" in page.text
    assert "$1,035.00" in page.text
    page = page.submit("Accept proposal", agreed="yes")
    assert page.h1 == "Thank you, Aroha Ngata"


def test_another_choice_than_the_one_shown_is_asked_about_first(story, browser) -> None:
    with story():
        proposal_id, link = put_out()
        add_choices(proposal_id)
    page = browser.get(link)
    assert "Plus $1,120.00 when you accept $345.00 every month" in page.text
    assert "Basic $920.00 when you accept" in page.text
    changed = page.submit("Accept proposal", name="Aroha Ngata", agreed="yes", option="2")
    assert changed.status == 409
    assert "Before tax $1,000.00" in changed.text
    taken = changed.submit("Accept proposal", agreed="yes")
    assert taken.h1 == "Thank you, Aroha Ngata"
    assert "Full accounts" in taken.text and "Payroll" not in taken.text


def test_the_totals_of_a_choice_are_shown_without_accepting_anything(story, browser) -> None:
    with story():
        proposal_id, link = put_out()
        add_choices(proposal_id)
        payroll = proposals.get(proposal_id).lines[-1].id
    page = browser.post(f"{link}/choice", option="2", take=str(payroll), name="Aroha")
    assert "Before tax $1,040.00" in page.text
    assert page.find("//input[@name='option'][@value='2']").get("checked") is not None
    assert "Aroha" not in page.response.request.url
    with story():
        assert proposals.get(proposal_id).state == ProposalState.AWAITING


@pytest.mark.parametrize(
    "query", ["?chosen=yes&option=9", "?chosen=yes&take=x", "?option=1", "?chosen=yes&take=999999999999999999999"]
)
def test_an_address_that_was_tampered_with_shows_the_offer_all_the_same(story, browser, query: str) -> None:
    with story():
        proposal_id, link = put_out()
        add_choices(proposal_id)
    assert browser.get(link + query).status == 200


def test_wrong_revoked_and_lost_links_are_all_alike(story, browser) -> None:
    with story():
        proposal_id, link = put_out()
    wrong = browser.get("/p/" + "x" * 43)
    with story():
        proposals.revoke(proposals.get(proposal_id), by=COMMAND, now=now())
    revoked = browser.get(link)
    assert (wrong.status, revoked.status) == (404, 404)
    assert wrong.body == revoked.body
    assert "Marlow" not in wrong.text
    assert browser.get("/p/short").body == wrong.body
    assert browser.post(f"{link}/acceptance", name="Aroha", agreed="yes").status == 404


def test_an_expired_link_says_so_and_accepts_nothing(story, browser, clock) -> None:
    with story():
        proposal_id, link = put_out(expires_on=date(2026, 11, 4))
    page = browser.get(link)
    clock.shift(timedelta(days=2))
    late = page.submit("Accept proposal", name="Aroha Ngata", agreed="yes")
    assert late.status == 410
    assert late.h1 == "This proposal is no longer open"
    assert "It was open until 4 Nov 2026." in late.text
    with story():
        assert proposals.get(proposal_id).state == ProposalState.AWAITING


def test_nobody_gets_to_try_many_links(story, browser, clock) -> None:
    with story():
        _, link = put_out()
    for number in range(guesses.ALLOWED):
        assert browser.get(f"/p/{number:043d}").status == 404
    assert browser.get("/p/" + "y" * 43).status == 429
    assert browser.get(link).status == 200
    clock.shift(guesses.WINDOW + timedelta(seconds=1))
    assert browser.get("/p/" + "y" * 43).status == 404


def test_the_first_look_is_put_on_record_but_not_the_firms_own(story, browser, sign_in_as) -> None:
    with story():
        proposal_id, link = put_out()
    sign_in_as("member").get(link)
    with story():
        assert proposals.get(proposal_id).first_seen_at is None
    browser.get(link)
    browser.get(link)
    with story():
        assert proposals.get(proposal_id).first_seen_at == now()


def test_the_page_can_be_accepted_over_tls_although_it_tells_no_referrer(story, app, make_app) -> None:
    """The page's own policy keeps browsers from sending a referrer; the origin check stands in for it."""
    with story():
        proposal_id, link = put_out()
    base = "https://portal.example"
    client = make_app(public_url=base).test_client()
    shown = client.get(link, base_url=base).get_data(as_text=True)
    sent = {name: shown.split(f'name="{name}" value="')[1].split('"')[0] for name in ("csrf_token", "shown")}
    answer = client.post(
        f"{link}/acceptance", base_url=base, data=sent | {"name": "Aroha Ngata", "agreed": "yes"},
        headers={"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    )  # fmt: skip
    assert answer.status_code == 303
    with story():
        assert proposals.get(proposal_id).state == ProposalState.ACCEPTED


def test_what_a_client_types_is_shown_as_text_and_never_as_markup(story, browser) -> None:
    """Fault row 84."""
    with story():
        _, link = put_out(message="<script>alert(1)</script>", terms="<b>bold</b>")
    page = browser.get(link)
    assert "<script>alert" not in page.body
    page = page.submit("Accept proposal", name="<i>Aroha</i>\u202e", agreed="yes")
    assert "<i>Aroha" not in page.body
    assert page.h1.startswith("Thank you, <i>Aroha</i>")


def test_an_acceptance_is_complete_although_the_firm_is_in_another_zone(story, browser) -> None:
    """A day is the firm's day: at noon in Auckland it is still yesterday in Greenwich."""
    with story():
        proposal_id, link = put_out()
    browser.get(link).submit("Accept proposal", name="Aroha Ngata", agreed="yes")
    with story():
        held: Proposal | None = proposals.get(proposal_id)
        assert held is not None
        assert [one.issued_on for one in proposals.outcome(held).invoices] == [date(2026, 11, 3)]


def test_a_phone_that_keeps_no_cookies_can_accept(story, browser) -> None:
    with story():
        proposal_id, link = put_out()
        add_choices(proposal_id)
    page = browser.get(link)
    browser.client = browser.app.test_client()
    page = page.submit("Show the total for my choice", option="2")
    browser.client = browser.app.test_client()
    page = page.submit("Accept proposal", name="Aroha Ngata", agreed="yes")
    assert page.h1 == "Thank you, Aroha Ngata"


def test_a_form_from_another_site_accepts_nothing(story, browser) -> None:
    with story():
        proposal_id, link = put_out()
    page = browser.get(link)
    shown = page.find("//input[@name='shown']").get("value")
    fields = {"shown": shown, "name": "Mallory", "agreed": "yes"}
    for told in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
        assert browser.post(f"{link}/acceptance", headers=told, **fields).status == 403
    with story():
        held = proposals.get(proposal_id)
        assert held is not None
        assert held.state == ProposalState.AWAITING


def test_a_proposal_of_an_archived_client_does_not_say_it_was_open_until_a_day_to_come(story, browser) -> None:
    with story():
        proposal_id, link = put_out()
        held = proposals.get(proposal_id)
        assert held is not None
        held.client.archived_at = now()
    page = browser.get(link)
    assert page.status == 410
    assert page.h1 == "This proposal is no longer open"
    assert "It was open until" not in page.text


def test_the_last_day_ends_in_the_zone_the_firm_has_now(story, browser, clock) -> None:
    """The firm moves from Auckland to Los Angeles while a link is out: it is open until the day is over there."""
    with story():
        _, link = put_out(expires_on=date(2026, 11, 4))
    clock.move_to(datetime(2026, 11, 4, 12, tzinfo=UTC))  # 5 November in Auckland, 4 November in Los Angeles
    assert browser.get(link).status == 410
    with story() as session:
        session.scalars(select(people.Firm)).one().time_zone = "America/Los_Angeles"
    page = browser.get(link)
    assert "Open for acceptance until 4 Nov 2026." in page.text
    assert page.submit("Accept proposal", name="Aroha Ngata", agreed="yes").h1 == "Thank you, Aroha Ngata"
