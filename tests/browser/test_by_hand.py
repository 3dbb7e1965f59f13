"""Without a mouse, without scripts, with large letters: the same work, by other means."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Browser, Locator, expect

from portal.demo import facts
from tests.browser.visitor import STICKING_OUT, Visitor
from tests.browser.world import World

# Text that is cut off: more of it than its box shows, and nothing to scroll or read it with.
CUT_OFF = """() => [...document.querySelectorAll("main *, header *, nav *")].filter((one) => {
  const style = getComputedStyle(one);
  if (!one.innerText || style.overflowX === "visible" || one.closest(".visually-hidden, .brand")) return false;
  return one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 2 && style.overflowX !== "auto";
}).map((one) => one.outerHTML.slice(0, 160))"""


def test_a_new_client_is_made_with_the_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.open("/clients")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.press("Escape")
    tab_to(visitor, page.get_by_role("link", name="New client"))
    page.keyboard.press("Enter")
    visitor.is_at("New client")
    visitor.look()
    tab_to(visitor, page.get_by_role("textbox", name=re.compile("^(Client )?[Nn]ame")).first)
    page.keyboard.type("Keyboard & Daughters Ltd")
    tab_to(visitor, page.locator("[name=phone]"))
    page.keyboard.type("09 555 0404")
    page.keyboard.press("Enter")
    visitor.is_at("Keyboard & Daughters Ltd")
    visitor.is_told(re.compile("Keyboard & Daughters Ltd|created", re.IGNORECASE))

    page.keyboard.press("/")
    page.keyboard.type("keyboard & dau")
    page.keyboard.press("Enter")
    visitor.is_at("Clients")
    tab_to(visitor, page.get_by_role("link", name="Keyboard & Daughters Ltd"))
    page.keyboard.press("Enter")
    visitor.is_at("Keyboard & Daughters Ltd")


def test_the_way_past_the_rail_is_the_first_stop_and_menus_close_with_escape(visitor: Visitor) -> None:
    page = visitor.open("/clients")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    menu = page.locator("details.who")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="My profile")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="My profile")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def test_the_daily_work_goes_on_without_scripts(connected: World, someone: Callable[..., Visitor]) -> None:
    """ALL-1: every page also works as plain links and forms."""
    ana = someone(None, java_script_enabled=False)
    page = ana.open("/clients")
    ana.sign_in("admin@example.com", facts.PASSWORD)
    ana.is_at("Clients")
    ana.look("without scripts")
    page.locator("#narrow [name=q]").fill("Aotea Contracting Limited")
    page.locator("#narrow [name=q]").press("Enter")
    ana.follow("Aotea Contracting Limited")
    ana.is_at("Aotea Contracting Limited")
    ana.look("without scripts")
    ana.follow("Edit", page.locator(".head"))
    page.locator("#form [name=phone]").fill("09 555 0505")
    ana.press("Save")
    ana.is_at("Aotea Contracting Limited")
    expect(page.locator(".sourced")).to_contain_text("09 555 0505")
    reload_until(ana, page.locator(".sending"), "Sent to XPM")
    assert connected.remote("Aotea Contracting Limited")["fields"]["Phone"] == "09 555 0505"

    ana.open("/apps")
    ana.follow("Marlow & Co", page.locator("main"))
    ana.press("Sync now")
    reload_until(
        ana, page.locator("#runs tbody tr:first-child"), re.compile("sync(?!.*under way)", re.DOTALL | re.IGNORECASE)
    )
    ana.look("without scripts")
    ana.press("Preview")
    ana.is_at(re.compile("^Preview of "))
    reload_until(ana, page.locator("#plan"), re.compile("Apply|Nothing to do"))
    ana.look("without scripts")
    page.locator("summary", has=page.locator(".face")).click()
    ana.press("Sign out")
    ana.is_at("Sign in")


def test_text_of_twice_the_size_fits_the_list_and_the_client(
    connected: World, large_print: Browser, someone: Callable[..., Visitor]
) -> None:
    """WCAG 1.4.4: nothing is cut off and nothing has to be scrolled sideways."""
    priya = someone("admin", browser=large_print)
    for path in ("/clients", "/clients/1", "/clients/1/edit", "/clients/1/apps", "/apps/1"):
        page = priya.open(path)
        size = page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
        assert size >= 2 * 14, "letters do not grow with the reader's setting"
        assert page.evaluate(STICKING_OUT) == [], f"{path} has to be scrolled sideways"
        assert page.evaluate(CUT_OFF) == [], path


def tab_to(visitor: Visitor, place: Locator, most: int = 80) -> None:
    """With Tab alone; wherever the focus stops on its way, one can see that it does."""
    expect(place).to_be_visible()
    for _ in range(most):
        visitor.page.keyboard.press("Tab")
        unseen = visitor.page.evaluate(
            """() => {
              const one = document.activeElement, style = getComputedStyle(one);
              const ringed = style.outlineStyle !== "none" || style.boxShadow !== "none";
              return ringed || one === document.body ? "" : one.outerHTML.slice(0, 160);
            }"""
        )
        assert not unseen, f"the focus is on this, and one cannot see it: {unseen}"
        if place.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {place}")


def reload_until(visitor: Visitor, place: Locator, words: str | re.Pattern[str]) -> None:
    """What a person without scripts does while something is under way."""
    for _ in range(60):
        if place.count() and re.search(words, place.first.text_content() or ""):
            return
        visitor.page.reload()
    raise AssertionError(f"{words} never showed at {visitor.page.url}")
