"""Accepted work becomes invoices: mapped, accepted on a phone, in the ledger once, paid, its log growing by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, StorageState, expect

from tests.browser.acts import add_item, map_xero, new_client, panel_of, read_lists, save_suggested_rates
from tests.browser.visitor import DESK, PHONE, Visitor
from tests.browser.world import World

OFFER, SIGNER = "Accounts and tax for the new year", "Sam Sumner"  # a draft of the demo
HERE, THERE = "Kauri Stone Ltd", "kauri stone ltd"  # one business, made in both places
SPLIT = "Fern & Field Ltd"
LATER = "by hand, some other day"


@pytest.fixture(scope="module")
def priya(connected: World, chromium: Browser, sign_ins: Callable[[str], StorageState]) -> Iterator[Visitor]:
    """The admin, while she sets things up."""
    context = chromium.new_context(
        storage_state=sign_ins("admin"), viewport=DESK, reduced_motion="reduce", color_scheme="light"
    )
    yield Visitor(context, connected.url)
    context.close()


@pytest.fixture(scope="module")
def xero(priya: Visitor) -> str:
    """Xero connected and mapped, invoices created there from now on; the address of its invoice settings."""
    page = priya.page
    panel_of(priya, "Xero", "Marlow & Co Ltd")
    priya.follow("Invoice settings", page.locator(".tabs"))
    priya.is_at("Invoice settings of Xero · Marlow & Co Ltd")
    read_lists(priya, "Xero")
    for one in ("Choose the sales account", "Map the tax rate GST 15 %", "Choose the account payments go to"):
        priya.sees(one)
    priya.look()
    map_xero(priya)
    expect(page.get_by_text("Not ready for invoices yet")).to_have_count(0)
    priya.look("mapped")
    return page.url


@pytest.fixture(scope="module")
def quickbooks(connected: World, priya: Visitor) -> str:
    """QuickBooks connected and mapped, and a customer there that somebody made by hand; the address of its panel."""
    connected.control.at("quickbooks/customers").create(THERE)
    panel_of(priya, "QuickBooks", "Marlow & Co")
    panel, page = priya.page.url, priya.page
    priya.follow("Invoice settings", page.locator(".tabs"))
    read_lists(priya, "QuickBooks")
    page.get_by_label("Product or service for services without their own").select_option(label="Advisory")
    priya.press("Save")
    priya.is_told("Saved. It holds from the next invoice on.")
    save_suggested_rates(priya)
    priya.is_content()
    return panel


def test_accepted_on_a_phone_in_the_ledger_at_once_and_paid_while_one_looks(
    connected: World, someone: Callable[..., Visitor], visitor: Visitor, xero: str
) -> None:
    """S001 to S003 in one go: the client taps, the rest happens by itself, and the page tells it as it happens."""
    assert xero
    page = visitor.open("/proposals")
    page.get_by_role("link", name=OFFER).click()
    visitor.is_at(OFFER)
    name = page.locator(".standing a").inner_text()
    visitor.press("Put out for acceptance")
    visitor.is_told(f"Out for acceptance: here is the link for {name}")
    link = page.locator("#fresh-link").input_value()

    client = someone(None, viewport=PHONE, has_touch=True)
    client.open(link)
    client.is_at(OFFER)
    client.look()
    client.page.get_by_label("Your full name").fill(SIGNER)
    client.page.get_by_label(re.compile("^I accept this proposal and its terms")).check()
    client.press("Accept proposal")
    client.is_at(f"Thank you, {SIGNER}")
    client.sees(re.compile(r"Invoice INV-\d+ over \$920\.00 is made out, due on"))
    client.look("accepted")
    client.open(link)
    client.is_at(f"Thank you, {SIGNER}")

    visitor.open("/invoices")
    visitor.look()
    row = page.locator("#rows tbody tr").filter(has_text=name)
    expect(row).to_have_count(1)
    row.get_by_role("link", name=re.compile("^INV-")).click()
    visitor.is_at(re.compile(r"^Invoice INV-\d+$"))
    number = page.locator("h1").inner_text().removeprefix("Invoice ")
    log = page.locator("#live .log")
    expect(log).to_contain_text(f"Invoice {number} created in Xero", timeout=60_000)
    expect(log).to_contain_text("Invoice deployed automatically")
    expect(log).to_contain_text("Invoice created automatically")
    visitor.look("created")
    (there,) = connected.control.ask("GET", f"xero/invoices?q={number}")
    assert (there["status"], there["total"], there["contact_name"]) == ("AUTHORISED", "920.00", name)

    page.evaluate("window.isTheSamePage = true")
    connected.control.ask("POST", f"xero/invoices/{number}/pay", {"amount": "500.00"})
    expect(log).to_contain_text(re.compile(r"Invoice part paid in Xero: \$500\.00 on .*, \$420\.00 left to pay"))
    expect(page.locator("#paying")).to_contain_text("$420.00 was paid in some other way")
    expect(page.locator("#voiding")).to_have_count(0)
    pay_on_xeros_page(connected, someone, number)
    expect(log).to_contain_text(re.compile(r"Invoice paid in Xero: \$420\.00 on "))
    expect(log).to_contain_text("Invoice marked as paid automatically on ")
    expect(page.locator(".figures")).to_contain_text("Paid")
    expect(page.get_by_role("button", name="Copy payment link")).to_have_count(0)
    expect(page.locator("#paying")).to_have_count(0)
    expect(page.locator("#paid-so-far tbody tr")).to_have_count(2)
    assert page.evaluate("window.isTheSamePage")
    visitor.look("paid")
    counts = connected.control.ask("GET", "xero/invoices/counts")
    assert counts["by_number"][number] == 1


def test_a_customer_spelled_with_other_capitals_is_told_settled_and_billed_once(
    connected: World, visitor: Visitor, quickbooks: str
) -> None:
    """QBO-2 to QBO-5: why, both spellings, the way out, and the same invoice again from the same place."""
    page = visitor.page
    new_client(visitor, HERE)
    visitor.follow("Invoices", page.locator(".tabs"))
    page.get_by_label("Invoices of this client are created in").select_option(label="QuickBooks · Marlow & Co")
    visitor.press("Save")
    visitor.is_told(f"Invoices of {HERE} are created in QuickBooks from now on.")
    add_item(visitor, "Year-end accounts", "1200", "invoice it now")
    visitor.is_at(f"Invoice {HERE} now")
    visitor.look()
    visitor.press("Next: review")
    visitor.sees("This would keep it from its ledger")
    visitor.sees(f"It is not settled which customer of QuickBooks {HERE} is: the names differ only in capital letters.")
    visitor.look()
    visitor.press("Issue invoice")
    visitor.is_told(re.compile(r"^Invoice INV-\d+ is issued\.$"))
    visitor.follow("Skip")

    visitor.sees("It is not in QuickBooks yet")
    visitor.sees(f"{HERE} is not linked to a customer in QuickBooks: the names differ only in capital letters.")
    spellings = page.locator(".story tbody tr")
    expect(spellings).to_contain_text(HERE)
    expect(spellings).to_contain_text(THERE)
    visitor.look("not found there")
    number, invoice = page.locator("h1").inner_text().removeprefix("Invoice "), page.url
    assert connected.control.ask("GET", f"quickbooks/invoices?q={number}") == []
    visitor.press("Create in QuickBooks")
    visitor.sees("It is not in QuickBooks yet")
    panel = (page.locator(".story form").first.get_attribute("action") or "").removesuffix("/runs")
    visitor.press("Sync now", page.locator(".story"))
    visitor.is_told(re.compile("QuickBooks is being read"))
    visitor.open(panel)  # with so little to read it may have ended by now
    expect(page.locator("#run-progress[hx-get]")).to_have_count(0, timeout=120_000)
    visitor.sees("Last synced")

    page.goto(invoice)
    visitor.follow("Link or tell apart")
    case = page.locator(".case").filter(has=page.get_by_role("heading", name=THERE, exact=True))
    visitor.press("Use ours", case)
    visitor.is_told(re.compile("QuickBooks"))
    page.goto(invoice)
    log = page.locator("#live .log")
    expect(log).to_contain_text(f"Invoice {number} created in QuickBooks", timeout=60_000)
    visitor.look("created after all")
    expect(page.locator(".story")).to_have_count(0)
    (there,) = connected.control.ask("GET", f"quickbooks/invoices?q={number}")
    assert Decimal(str(there["total"])) == 1380
    (customer,) = [
        one for one in connected.control.at("quickbooks/customers").clients(HERE, limit=50)
        if one["name"].casefold() == THERE
    ]  # fmt: skip
    assert customer["name"] == HERE


def test_two_ways_of_paying_are_two_invoices_said_before_and_one_is_voided(visitor: Visitor, xero: str) -> None:
    """BS-04, BS-08, IN-33: how many and why stands in the review; voiding keeps its reason."""
    assert xero
    page = visitor.page
    new_client(visitor, SPLIT)
    add_item(visitor, "Advice", "300", LATER)
    add_item(visitor, "Payroll set-up", "200", LATER, "Collected automatically")
    visitor.is_at(f"Billing of {SPLIT}")
    visitor.look()
    page.get_by_label("Select all that wait for you").check()
    visitor.press("Invoice now")
    visitor.is_at(f"Invoice {SPLIT} now")
    visitor.press("Next: review")
    visitor.sees("This makes 2 invoices")
    visitor.sees("They cannot be one, because ")
    visitor.sees("Invoice 1 of 2")
    visitor.look("of two")
    visitor.press("Issue (2 invoices)")
    visitor.is_told(re.compile(r"^2 invoices are issued: INV-\d+ and INV-\d+\.$"))
    visitor.is_at("Send 2 invoices")
    visitor.look()
    visitor.follow("Skip")
    visitor.is_at(SPLIT)
    expect(page.locator("main .list tbody tr")).to_have_count(2)
    visitor.look("with two")

    page.locator("main .list tbody a").first.click()
    visitor.is_at(re.compile(r"^Invoice INV-\d+$"))
    number = page.locator("h1").inner_text().removeprefix("Invoice ")
    log = page.locator("#live .log")
    expect(log).to_contain_text(f"Invoice {number} created in Xero", timeout=60_000)
    page.get_by_label("Reason").select_option(label="Wrong amount")
    page.locator("#voiding [name=note]").fill("agreed by phone")
    visitor.press(f"Void invoice {number}")
    visitor.sees("Wrong amount: agreed by phone. It still stands in Xero; void it there too.")
    expect(log).to_contain_text("Invoice voided by Priya Sharma: Wrong amount")
    visitor.look("voided")
    visitor.follow(SPLIT)
    expect(page.locator("main .list tbody tr")).to_have_count(1)


def pay_on_xeros_page(world: World, someone: Callable[..., Visitor], number: str) -> None:
    """Somebody at the ledger, in a browser of theirs, pays what is left."""
    clerk = someone(None)
    page = clerk.open(f"{world.sandbox_url}/xero-invoices?q={number}")
    page.get_by_role("button", name=re.compile("^Pay")).first.click()
