"""From nothing to a firm whose clients are in step: connect, look, choose, apply, watch. Runs before all others."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from portal.demo import facts
from tests.browser.acts import allow, find, tile
from tests.browser.visitor import Visitor
from tests.browser.world import World

LEFT_OUT = "Aotea Bakery Limited"
LET_IN = "Anchor Kauri Catering Ltd"


def test_a_firm_connects_looks_at_its_first_import_and_watches_it_happen(
    world: World, someone: Callable[..., Visitor]
) -> None:
    """XPM-1, XPM-2, XPM-11, and the promise that nothing happens before it was shown."""
    priya = someone(None)
    page = priya.page
    priya.open("/")
    priya.is_at("Sign in")
    priya.sign_in("admin@example.com", facts.PASSWORD)
    priya.is_at("Home")
    priya.look("not connected")
    priya.follow("Apps", page.get_by_role("navigation", name="Main"))
    priya.is_at("Apps")
    priya.look("not connected")

    priya.press("Connect to your account", tile(priya))
    allow(priya)
    priya.is_at("Enable Marlow & Co")
    priya.sees(world.practice)
    assert not world.control.calls(vendor="xpm", limit=10), "something was read before the account was enabled"
    priya.look()
    priya.press("Enable")
    priya.is_at("Xero Practice Manager · Marlow & Co")
    priya.is_told("Ready for the first import")
    priya.look("not imported")

    priya.press("Preview")
    priya.is_at(re.compile("^Preview of "))
    apply = page.get_by_role("button", name=re.compile(r"^Apply [\d,]+ ticked$"))
    expect(apply).to_be_visible(timeout=60_000)
    priya.look("of the first import")
    before = _number(apply.inner_text())
    plan = page.url
    _find_in_plan(priya, LEFT_OUT)
    page.get_by_role("checkbox", name=f"Include {LEFT_OUT}").uncheck()
    expect(apply).to_have_text(f"Apply {before - 1:,} ticked")
    expect(find(priya, LET_IN)).to_have_count(0)
    priya.open(plan)
    apply.click()
    expect(page.locator("#run-progress progress")).to_be_visible()
    expect(page.locator("#run-progress")).to_contain_text(re.compile(r"[1-9][\d,]* of [\d,]+ "))
    priya.look("while applying")
    done = page.locator("#plan .notice")
    expect(done).to_contain_text("Applied by Priya Sharma", timeout=120_000)
    expect(page.locator("#run-progress progress")).to_have_count(0)
    created = done.get_by_role("link", name=re.compile("created"))
    expect(done).to_contain_text(re.compile(r"\d+ linked"))
    count = created.inner_text().removesuffix(" created")
    priya.look("applied")
    created.click()
    priya.is_at(re.compile("^Preview applied"))
    expect(page.locator(".tabs [aria-current]")).to_have_text(f"Created {count}")
    priya.look()

    expect(find(priya, LET_IN)).to_have_text([LET_IN])
    expect(find(priya, LEFT_OUT)).to_have_count(0)


def _find_in_plan(visitor: Visitor, name: str) -> None:
    visitor.page.get_by_role("searchbox", name="Part of a name").fill(name)
    visitor.press("Find")
    visitor.page.wait_for_url(re.compile("q="))
    visitor.sees(name)


def _number(words: str) -> int:
    return int(re.sub(r"\D", "", words))
