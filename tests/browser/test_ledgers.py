"""A ledger joins: a customer made in both places, one made here, and one that only the ledger knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, StorageState, expect

from tests.browser.acts import find, new_client, open_client, tile
from tests.browser.visitor import DESK, PHONE, Visitor
from tests.browser.world import World

CUSTOMERS = "quickbooks/customers"
BOTH, NEAR_HERE, NEAR_THERE = "Acme Corp", "Quill Paper Co", "quill paper co"
ONLY_THERE, ONLY_HERE = "Umbra Optics Pty", "Zenith Sails Ltd"


@pytest.fixture(scope="module")
def ledger(connected: World, chromium: Browser, sign_ins: Callable[[str], StorageState]) -> Iterator[str]:
    """The ledger connected after its customers and our clients were made apart; the address of its panel."""
    there = connected.control.at(CUSTOMERS)
    for name in (BOTH, NEAR_THERE, ONLY_THERE):
        there.create(name)
    context = chromium.new_context(
        storage_state=sign_ins("admin"), viewport=DESK, reduced_motion="reduce", color_scheme="light"
    )
    priya = Visitor(context, connected.url)
    for name in (BOTH, NEAR_HERE):
        new_client(priya, name)
    priya.open("/apps")
    priya.press("Connect to your account", tile(priya, "QuickBooks"))
    priya.page.get_by_role("button", name=re.compile("^(Allow|Connect|Authorize)")).first.click()
    priya.is_at("Enable Marlow & Co")
    priya.look("of a ledger")
    priya.press("Enable")
    priya.is_at("QuickBooks · Marlow & Co")
    yield priya.page.url
    context.close()


def test_a_customer_made_in_both_places_is_linked_by_sync_now(visitor: Visitor, connected: World, ledger: str) -> None:
    """QBO-3, QBO-5: Settings leads there too; capitals are asked about, and one click aligns and links."""
    page = visitor.open("/settings/integrations")
    visitor.look()
    row = page.locator("section, li, tr").filter(has_text="QuickBooks").last
    row.get_by_role("link", name=re.compile("^Manage")).first.click()
    visitor.is_at("QuickBooks · Marlow & Co")
    visitor.press("Sync now")
    done = page.locator("#run-progress .flash")
    expect(done).to_contain_text("Sync finished after", timeout=120_000)
    visitor.look("of a ledger, after a sync")
    assert customer(connected, BOTH)["name"] == BOTH
    open_client(visitor, BOTH)
    visitor.sees("QuickBooks in step")

    visitor.open("/matches")
    page.get_by_label("App", exact=True).select_option(index=2)
    visitor.press("Filter")
    case = page.locator(".case").filter(has=page.get_by_role("heading", name=NEAR_THERE, exact=True))
    expect(case).to_contain_text(NEAR_HERE)
    expect(case).to_contain_text("capital letters")
    visitor.press("Use ours", case)
    visitor.is_told(re.compile("QuickBooks"))
    expect(case).to_have_count(0)
    open_client(visitor, NEAR_HERE)
    expect(page.locator("#sync-state")).not_to_contain_text("Being sent")
    assert customer(connected, NEAR_HERE)["name"] == NEAR_HERE


def test_a_client_made_here_goes_there_at_once(visitor: Visitor, connected: World, ledger: str) -> None:
    """QBO-1: the link is there before anything else is."""
    assert ledger
    new_client(visitor, ONLY_HERE)
    visitor.is_told(re.compile("QuickBooks"))
    expect(visitor.page.locator("#sync-state")).to_contain_text("Created in QuickBooks", timeout=30_000)
    visitor.look("created there")
    assert customer(connected, ONLY_HERE)["name"] == ONLY_HERE
    visitor.follow("Apps", visitor.page.locator(".tabs"))
    visitor.look("with two apps")
    visitor.follow("Side by side", visitor.page.locator(".tabs"))
    visitor.is_at(f"{ONLY_HERE} side by side")
    visitor.look("of two apps")
    visitor.page.set_viewport_size(PHONE)
    visitor.sees("QuickBooks")


def test_a_record_only_the_ledger_knows_is_chosen_shown_and_imported(visitor: Visitor, ledger: str) -> None:
    """CL-50 to CL-53, DIG-9: nothing is written before it was shown, and a second time changes nothing."""
    page = visitor.open(f"{ledger}/import?q=Umbra")
    visitor.look()
    row = page.locator("#rows tr, .rows > *").filter(has_text=ONLY_THERE).first
    choose(row, "New client")
    visitor.press("Check and import…")
    visitor.is_at(re.compile("."))
    visitor.sees(ONLY_THERE)
    visitor.look("made by hand")
    plan = page.url
    expect(find(visitor, ONLY_THERE)).to_have_count(0)
    visitor.open(plan)
    page.get_by_role("button", name=re.compile("^(Apply|Import) ")).first.click()
    visitor.sees(re.compile("(Applied|Imported) by"))
    expect(find(visitor, ONLY_THERE)).to_have_count(1)
    visitor.open(f"{ledger}/import?q=Umbra")
    visitor.sees("linked")


def choose(row: Locator, words: str) -> None:
    row.get_by_role("combobox").select_option(label=words)


def customer(world: World, name: str) -> dict[str, object]:
    """The one customer of exactly this name there."""
    found = [one for one in world.control.at(CUSTOMERS).clients(name, limit=50) if one["name"] == name]
    assert len(found) == 1, f"{len(found)} customers there are called {name}"
    return found[0]
