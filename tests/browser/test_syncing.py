"""One client in two places: a change on either side arrives at the other, and what loses is kept."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.acts import PANEL, edit, open_client, sync_now
from tests.browser.visitor import Visitor
from tests.browser.world import World

SENT = re.compile(r"\bSent to XPM")  # not: is being sent


def test_a_change_here_arrives_at_the_other_side_by_itself(visitor: Visitor, connected: World) -> None:
    """XPM-10: saving a linked client sends that one record at once."""
    name = "Aoraki Legal Limited"
    open_client(visitor, name)
    visitor.look()
    visitor.follow("Edit", visitor.page.locator(".head"))
    visitor.is_at(f"Edit {name}")
    visitor.look()
    visitor.page.locator("#form [name=phone]").fill("04 555 0177")
    visitor.press("Save")
    visitor.is_at(name)
    visitor.is_told(SENT)
    assert phone_there(connected, name) == "04 555 0177"
    expect(fact(visitor, "Phone")).to_contain_text(re.compile("^04 555 0177 .*Priya Sharma"))
    visitor.look("after a change")
    visitor.follow("Activity", visitor.page.locator(".tabs"))
    visitor.is_at(f"Activity of {name}")
    visitor.sees("04 555 0177")
    visitor.look()


def test_a_change_on_the_other_side_is_here_after_sync_now(visitor: Visitor, connected: World) -> None:
    name = "Aotea Dental Limited"
    page = visitor.open(f"{connected.sandbox_url}/clients?q=Aotea+Dental")
    visitor.follow(name)
    page.get_by_label("Phone").first.fill("03 555 0188")
    visitor.press("Save the details")
    expect(page.get_by_label("Phone").first).to_have_value("03 555 0188")

    visitor.open(PANEL)
    done = sync_now(visitor)
    visitor.look("after a sync")
    visitor.follow("1 updated", done)
    visitor.is_at(re.compile("^Sync of "))
    visitor.look("what was updated")
    visitor.follow(name, page.locator(".list"))
    visitor.is_at(name)
    expect(fact(visitor, "Phone")).to_contain_text(re.compile("^03 555 0188 .*From XPM"))


def test_what_loses_a_conflict_is_shown_and_can_be_put_back(visitor: Visitor, connected: World) -> None:
    """XPM-14: both sides changed one field; nothing is lost, and a person decides with one click."""
    name = "Aoraki Vineyards Limited"
    record = connected.remote(name)
    open_client(visitor, name)
    connected.control.change(str(record["uuid"]), Phone="07 555 0001")
    edit(visitor, "phone", "07 555 0002")
    visitor.is_at(name)
    expect(visitor.page.locator("#sync-state")).not_to_contain_text("Being sent")
    visitor.page.reload()
    conflict = visitor.page.locator(".conflict")
    expect(conflict).to_contain_text("Phone was changed here and in")
    expect(conflict).to_contain_text("07 555 0001")
    expect(conflict).to_contain_text("07 555 0002")
    visitor.look("conflict")
    other = {"07 555 0001": "07 555 0002", "07 555 0002": "07 555 0001"}[phone_there(connected, name)]
    visitor.press("Put back", conflict)
    visitor.is_told(SENT)
    expect(conflict).to_have_count(0)
    assert phone_there(connected, name) == other
    expect(fact(visitor, "Phone")).to_contain_text(other)


def test_a_near_match_is_aligned_and_linked_in_one_click(visitor: Visitor, connected: World) -> None:
    """QBO-5: names that differ only in capital letters wait for a word, and one click settles it."""
    page = visitor.open("/matches")
    case = page.locator(".case").filter(has=page.get_by_role("heading", name="McKenzie Motors Ltd", exact=True))
    expect(case).to_contain_text("They differ only in capital letters")
    visitor.look()
    visitor.press("Use XPM’s spelling", case)
    visitor.is_told("McKenzie Motors Ltd")
    expect(case).to_have_count(0)
    open_client(visitor, "McKenzie Motors Ltd")
    visitor.sees("XPM in step")
    visitor.follow("Apps", page.locator(".tabs"))
    visitor.is_at("Apps of McKenzie Motors Ltd")
    visitor.look()


def fact(visitor: Visitor, label: str) -> Locator:
    """What stands beside a label on a client's page, with where it came from."""
    label_of = visitor.page.locator("dt", has_text=re.compile(f"^{label}$"))
    return visitor.page.locator(".sourced > div", has=label_of).locator("dd")


def phone_there(world: World, name: str) -> object:
    fields = world.remote(name)["fields"]
    assert isinstance(fields, dict)
    return fields["Phone"]
