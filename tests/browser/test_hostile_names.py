"""Names are words, whatever they say (fault rows 102 and 103). They come by hand and from the other side."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.acts import PANEL, find, sync_now
from tests.browser.visitor import Visitor
from tests.browser.world import World

TRAP = "trap-door"
NASTY = (
    f"""Quux "><img src=/{TRAP} onerror=alert(1)><b hx-get="/{TRAP}" hx-trigger="load">"""
    """</b><script>alert(1)</script><p hx-on:click='alert(1)'>{{7*7}} ${7*7} Ltd, trustees for the whole estate"""
)
FIELDS = {
    "Phone": f'09"><i hx-get=/{TRAP}>',
    "Address": f"1 <script src=/{TRAP}></script> Road",
    "City": "'-alert(1)-'",
}
assert len(NASTY) > 120


def test_a_name_full_of_markup_is_words_on_every_page(visitor: Visitor, connected: World) -> None:
    """Fault rows 102 and 103."""
    page = visitor.page
    page.on("dialog", lambda dialog: (visitor.complaints.append("a script ran"), dialog.dismiss()))
    record = connected.control.create(
        NASTY, contacts=[{"name": f"Ida {NASTY[:90]}", "email": "ida@quux.example", "is_primary": True}], **FIELDS
    )
    visitor.open(PANEL)
    visitor.press("Preview")
    visitor.is_at(re.compile("^Preview of "))
    expect(page.locator("#plan")).to_contain_text(NASTY)
    visitor.look("hostile")
    page.go_back()
    visitor.follow("1 created", sync_now(visitor))
    visitor.sees(NASTY)
    visitor.look("hostile")

    row = find(visitor, "Quux")
    expect(row).to_have_text([NASTY])
    visitor.look("hostile")
    row.click()
    visitor.is_at(NASTY)
    visitor.look("hostile")
    here = page.url
    for tab in ("/edit", "/apps", "/activity"):
        page.goto(here + tab)
        visitor.sees("Quux")
        visitor.look("hostile")
    visitor.open("/clients/new")
    page.locator("[name=name]").fill(NASTY)
    with visitor.expecting(422):
        visitor.press("Create client")
        visitor.is_told("A client of exactly this name is here already")
    visitor.look("hostile")
    page.locator("[name=q]").first.fill(NASTY)
    page.keyboard.press("Enter")
    visitor.is_at("Clients")
    visitor.look("hostile search")

    assert not [one for one in visitor.requests if f"/{TRAP}" in one.split("?")[0]], "the name asked for something"
    assert connected.control.client(record["uuid"])["name"] == NASTY
