"""When the practice takes the permission back. Runs after all others: in between, nothing is in step."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.acts import PANEL, allow, sync_now
from tests.browser.visitor import Visitor
from tests.browser.world import World


def test_after_access_was_withdrawn_connecting_again_goes_on_with_every_link(
    visitor: Visitor, connected: World
) -> None:
    page = visitor.open(PANEL)
    before = linked_clients(visitor)
    connected.control.revoke(connected.practice)
    visitor.press("Sync now")
    visitor.is_told("Access to Marlow & Co has ended")
    visitor.look("access ended")
    visitor.follow("Home", page.get_by_role("navigation", name="Main"))
    visitor.is_at("Home")
    visitor.sees(re.compile("Connect again|access (has )?ended|connected again", re.IGNORECASE))
    visitor.look("access ended")
    visitor.follow(re.compile("^Apps"), page.get_by_role("navigation", name="Main"))
    visitor.is_at("Apps")
    visitor.look("access ended")

    visitor.open(PANEL)
    visitor.press("Connect again")
    allow(visitor)
    visitor.is_at("Xero Practice Manager · Marlow & Co")
    expect(page.locator("#sync-facts ~ dl")).to_contain_text("connected")
    expect(sync_now(visitor)).not_to_contain_text("created")
    assert linked_clients(visitor) == before


def linked_clients(visitor: Visitor) -> str:
    label = visitor.page.locator("dt", has_text=re.compile("^Linked clients$"))
    return visitor.page.locator(".facts > div", has=label).locator("dd").inner_text()
