"""Jobs in the practice app: what a service's jobs are made of, set up in a proposal, deployed when it is accepted."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.acts import new_client, open_client
from tests.browser.visitor import Visitor
from tests.browser.world import World

CLIENT, PROPOSAL = "Kea Lane Studios Ltd", "Year end of the studios"


def test_a_proposal_sets_up_its_job_in_the_practice_app(visitor: Visitor, connected: World) -> None:
    """XPM-12, XP-15, XP-16, XP-17. The client is nobody there before."""
    page = visitor.open("/library?q=Company+set-up")
    visitor.follow("Company set-up")
    visitor.is_at("Company set-up")
    page.get_by_label("Job template").select_option("New Client Onboarding")
    visitor.look("with what its jobs are made of")
    visitor.press("Save")
    visitor.is_told("Saved.")

    new_client(visitor, CLIENT)
    open_client(visitor, CLIENT)
    client = re.search(r"/clients/(\d+)", page.url)
    assert client is not None
    visitor.open(f"/proposals/new?client={client[1]}")
    page.get_by_role("textbox", name="Name").fill(PROPOSAL)
    visitor.press("Make the draft")
    visitor.is_at(f"Services of {PROPOSAL}")
    page.get_by_role("checkbox", name="Company set-up").check()
    visitor.press("Add the ticked services")
    visitor.is_told("Company set-up is in the proposal.")
    visitor.follow("Done")

    visitor.follow("Jobs in the practice app")
    visitor.is_at(f"Jobs of {PROPOSAL}")
    visitor.look("before")
    page.get_by_label("Set up jobs when this proposal is accepted").check()
    page.get_by_label("Category").select_option("Company Secretarial")
    page.get_by_label("Budget").fill("1,200")
    visitor.press("Save")
    visitor.is_told("Saved.")
    visitor.sees("What an acceptance would set up")
    visitor.sees("as the library says of its services")
    visitor.sees(f"CLI-{client[1]}")
    visitor.look("with what it comes to")
    visitor.follow(PROPOSAL)

    visitor.press("Put out for acceptance")
    visitor.is_told("Out for acceptance")
    visitor.follow("Accept on their behalf")
    page.get_by_label("Who accepted").fill("Mere Kea")
    page.locator("#form input[type=checkbox][name=agreed]").check()
    visitor.press(f"Accept for {CLIENT}")
    section = page.locator("#job-section")
    expect(section).to_contain_text("Set up", timeout=60_000)
    expect(section.get_by_role("link", name=re.compile(r"^J\d+ in XPM"))).to_have_attribute(
        "href", re.compile("^https://practicemanager")
    )
    visitor.look("with its job")

    there = connected.remote(CLIENT)
    (job,) = connected.control.ask("GET", f"jobs?client={there['uuid']}")
    assert (job["Name"], job["ClientOrderNumber"]) == (PROPOSAL, f"CLI-{client[1]}")
    assert job["Tasks"], "those of the template"
    open_client(visitor, CLIENT)
    visitor.sees("XPM in step")
