"""The list of clients: found while typing, narrowed by filters that stay, worked on in bulk, filled from a file."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.acts import find, names, upload
from tests.browser.visitor import Visitor


def test_the_list_follows_what_one_types_and_keeps_it_on_reload_and_on_the_way_back(visitor: Visitor) -> None:
    page = visitor.open("/clients")
    visitor.look()
    search(visitor).press_sequentially("aotea con")
    expect(page).to_have_url(re.compile(r"q=aotea\+con"))
    expect(names(visitor).first).to_have_text(re.compile("Aotea"))
    found = names(visitor).all_inner_texts()
    assert found and all("aotea con" in name.casefold() for name in found), found

    page.get_by_label("Status", exact=True).select_option(label="Lead")
    page.get_by_label("Manager", exact=True).select_option(label="No manager")
    chips = page.get_by_role("list", name="Filters in force").get_by_role("link")
    expect(chips.filter(has_text="Lead")).to_be_visible()
    expect(page).to_have_url(re.compile("status=lead"))
    visitor.look("narrowed")
    narrowed = page.url

    page.reload()
    expect(search(visitor)).to_have_value("aotea con")
    expect(names(visitor)).to_have_text(found)
    names(visitor).first.click()
    visitor.is_at(found[0])
    page.go_back()
    expect(page).to_have_url(narrowed)
    expect(search(visitor)).to_have_value("aotea con")
    expect(page.get_by_label("Status", exact=True)).to_have_value("lead")

    page.get_by_role("link", name=re.compile("^Remove filter: .*aotea con", re.IGNORECASE)).click()
    expect(page).to_have_url(re.compile(r"/clients\?(?!.*aotea).*status=lead"))
    expect(search(visitor)).to_have_value("")

    search(visitor).press_sequentially("nobody is called this")
    visitor.sees("No client matches")
    visitor.look("nothing found")


def test_a_row_opens_however_slowly_one_clicks_after_typing(visitor: Visitor) -> None:
    """A press and its release are a moment apart, in which the row must not be replaced."""
    row = find(visitor, "aotea").first
    name = row.inner_text()
    row.click(delay=600)
    visitor.is_at(name)


def test_clients_are_archived_in_bulk_and_brought_back_with_undo(visitor: Visitor) -> None:
    page = visitor.open("/clients?q=Ana-Sof")
    two = names(visitor).all_inner_texts()[:2]
    for name in two:
        page.get_by_role("checkbox", name=name, exact=True).check()
    bar = page.locator(".bulk")
    expect(bar).to_contain_text("2 selected")
    visitor.look("two selected")
    visitor.press("Archive", bar)
    for name in two:
        visitor.sees(name)
    visitor.look("question")
    page.get_by_role("button", name=re.compile("^Archive .*2 clients")).click()
    visitor.is_told(re.compile("2 clients"))
    visitor.look("done")
    done = page.url
    visitor.open("/clients?q=Ana-Sof")
    expect(names(visitor).first).to_be_visible()
    assert not set(two) & set(names(visitor).all_inner_texts())
    visitor.open(done)
    page.get_by_role("button", name="Undo").first.click()
    visitor.is_told(re.compile("back"))
    visitor.open("/clients?q=Ana-Sof")
    assert set(two) <= set(names(visitor).all_inner_texts())


def test_a_file_is_looked_at_before_it_comes_in_and_the_same_names_do_not_double_the_list(visitor: Visitor) -> None:
    """CL-44: a name that is here already waits for a choice."""
    rows = [
        ("Zephyr Sailmakers Ltd", "09 555 0300", "Ida Zephyr", "ida@zephyr.example"),
        ("Zephyr Sailmakers Ltd", "", "Otto Zephyr", "otto@zephyr.example"),
        ("Zircon Dental Lab", "09 555 0301", "Uma Zircon", "uma@zircon.example"),
        ("Zenith Nobody", "", "", ""),
    ]
    page = visitor.open("/clients")
    visitor.follow("Import")
    visitor.is_at("Import clients")
    visitor.look()
    upload(visitor, rows)
    visitor.is_at(re.compile("^Preview of "))
    visitor.sees("Cannot be imported")
    visitor.look()
    preview = page.url
    expect(find(visitor, "Zircon")).to_have_count(0)
    visitor.open(preview)
    visitor.press("Import 3 rows")
    visitor.is_at(re.compile("^Import of "))
    visitor.look("done")
    expect(find(visitor, "Zephyr")).to_have_text(["Zephyr Sailmakers Ltd"])

    visitor.open("/clients/imports")
    upload(visitor, rows[:3])
    visitor.is_told("name is here already")
    visitor.look("same names")
    visitor.press("Leave out", page.locator("section.notice"))
    visitor.sees("Left out")
    expect(find(visitor, "Zephyr")).to_have_text(["Zephyr Sailmakers Ltd"])


def search(visitor: Visitor) -> Locator:
    return visitor.page.locator("#narrow [name=q]")
