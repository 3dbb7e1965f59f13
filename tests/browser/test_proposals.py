"""A proposal on its way: put out by the firm, accepted on a phone without scripts, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from portal.demo import facts
from tests.browser.visitor import PHONE, Visitor

LINK = f"/p/{facts.PROPOSAL_TOKEN}"
OFFERED = "Your books and accounts, looked after"


def test_a_client_accepts_on_a_phone_and_the_firm_sees_what_came_of_it(
    visitor: Visitor, someone: Callable[..., Visitor]
) -> None:
    """PR-04. The page is the same with and without scripts; here it has none."""
    seen = someone(None, viewport=PHONE)
    seen.open(LINK)
    seen.is_at(OFFERED)
    seen.look()
    aroha = someone(None, viewport=PHONE, java_script_enabled=False)
    page = aroha.open(LINK)
    aroha.is_at(OFFERED)
    page.get_by_label("Payroll").check()
    aroha.press("Show the total for my choice")
    expect(page).to_have_url(re.compile(r"take=\d+"))
    page.get_by_label("Your full name").fill("Aroha Ngata")
    with aroha.expecting(422):
        page.get_by_role("button", name="Accept proposal").click()
        aroha.sees("Tick the box below")
    page.get_by_label("I accept this proposal").check()
    page.get_by_role("button", name="Accept proposal").click()
    aroha.is_at("Thank you, Aroha Ngata")
    aroha.sees(re.compile(r"Invoice INV-\d+ over \$[\d,.]+ is made out"))
    aroha.look("accepted")
    seen.open(LINK)
    seen.is_at("Thank you, Aroha Ngata")
    seen.look("accepted")

    visitor.open("/proposals?q=books+and+accounts")
    visitor.is_at("Proposals")
    visitor.look("found")
    visitor.follow(OFFERED)
    visitor.sees("accepted by Aroha Ngata")
    visitor.look("accepted")
    visitor.page.get_by_role("link", name=re.compile(r"^INV-\d+$")).first.click()
    visitor.sees("Invoice created automatically")


def test_a_member_drafts_a_proposal_and_puts_it_out(visitor: Visitor, someone: Callable[..., Visitor]) -> None:
    tom = someone("member")
    page = tom.open("/proposals")
    tom.follow("New proposal")
    page.get_by_label("Search for the client").fill("redwood")
    tom.follow("Redwood Forestry Limited")
    tom.is_at("New proposal for Redwood Forestry Limited")
    tom.look()
    page.get_by_role("textbox", name="Name").fill("Books for the new year")
    tom.press("Make the draft")
    tom.is_at("Services of Books for the new year")
    page.get_by_role("checkbox", name="Bookkeeping").check()
    tom.press("Add the ticked services")
    tom.is_told("Bookkeeping is in the proposal.")
    tom.look()
    tom.follow("Bookkeeping")
    tom.look()
    page.go_back()
    tom.follow("Done")
    tom.press("Put out for acceptance")
    tom.is_told("Out for acceptance")
    tom.look("with its link")
    address = page.locator("#fresh-link").input_value()
    client = someone(None, viewport=PHONE)
    client.open(address)
    client.is_at("Books for the new year")
