"""A picture of every screen, wide and narrow, light and dark, into docs/screens: `make screens`.

It walks through the demo once, from the first sign-in to a withdrawn permission, and takes its pictures on the way.
"""

from __future__ import annotations

import re
import shutil
import sys

from playwright.sync_api import Browser, expect, sync_playwright

from portal.demo import facts
from tests.browser.acts import (
    PANEL,
    add_item,
    allow,
    edit,
    map_xero,
    new_client,
    open_client,
    panel_of,
    read_lists,
    save_suggested_rates,
    sync_now,
    tile,
    upload,
)  # fmt: skip
from tests.browser.album import Album
from tests.browser.conftest import EMAILS, PROGRAMS, SWITCHES
from tests.browser.visitor import DESK, Visitor
from tests.browser.world import ROOT, World, running

FOLDER = ROOT / "docs" / "screens"
CLIENT = "Aoraki Legal Limited"


def main() -> int:
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        print("There is no Chromium on this machine; install the package chromium to take pictures.", file=sys.stderr)
        return 4
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with running() as world, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        album = Album(FOLDER)
        priya = _visitor(browser, world)
        for part in (
            _arriving, _importing, _a_ledger, _library, _invoicing, _accepting, _billing, _not_found_there, _proof,
            _clients, _matches_and_groups, _files, _people, _losing_access,
        ):  # fmt: skip
            part(album, priya, world)
        _others(album, browser, world)
        browser.close()
    album.write_index()
    size = sum(one.stat().st_size for one in FOLDER.iterdir())
    print(f"{len(album.titles)} screens, {size / 1e6:.1f} MB, in {FOLDER.relative_to(ROOT)}")
    return 0


def _visitor(browser: Browser, world: World) -> Visitor:
    return Visitor(browser.new_context(viewport=DESK, reduced_motion="reduce", color_scheme="light"), world.url)


def _arriving(album: Album, priya: Visitor, _world: World) -> None:
    priya.open("/sign-in")
    album.keep(priya, "sign-in", "Signing in")
    priya.sign_in(EMAILS["admin"], facts.PASSWORD)
    album.keep(priya, "home-at-first", "Home before anything is connected")


def _importing(album: Album, priya: Visitor, _world: World) -> None:
    priya.open("/apps")
    album.keep(priya, "apps-at-first", "Apps, nothing connected")
    priya.press("Connect to your account", tile(priya))
    allow(priya)
    priya.is_at("Enable Marlow & Co")
    album.keep(priya, "app-enable", "Enabling an account, with what will travel")
    priya.press("Enable")
    priya.is_at("Xero Practice Manager · Marlow & Co")
    album.keep(priya, "app-at-first", "An app before its first import")
    priya.press("Preview")
    apply = priya.page.get_by_role("button", name=re.compile("^Apply .* ticked$"))
    expect(apply).to_be_visible(timeout=60_000)
    album.keep(priya, "preview", "The preview of the first import")
    apply.click()
    expect(priya.page.locator("#run-progress")).to_contain_text(re.compile(r"[1-9][\d,]* of "))
    album.keep(priya, "preview-applying", "The preview while it is applied")
    expect(priya.page.locator("#plan")).to_contain_text("Applied by", timeout=120_000)
    album.keep(priya, "preview-applied", "The preview when it was applied")
    priya.follow("Everything that run did")
    priya.is_at(re.compile("^Preview applied"))
    album.keep(priya, "run", "What a run did")


def _a_ledger(album: Album, priya: Visitor, _world: World) -> None:
    priya.open("/apps")
    priya.press("Connect to your account", tile(priya, "QuickBooks"))
    priya.press("Connect")
    priya.is_at("Enable Marlow & Co")
    album.keep(priya, "ledger-enable", "Enabling a ledger")
    priya.press("Enable")
    panel = priya.page.url
    sync_now(priya)
    album.keep(priya, "ledger", "A ledger after its first sync")
    for path, name, title in (
        ("/import", "app-import", "Choosing which of an app's clients come in"),
        ("/settings", "ledger-settings", "Client settings of a ledger"),
    ):
        priya.page.goto(panel + path)
        album.keep(priya, name, title)
    priya.open("/settings/integrations")
    album.keep(priya, "integrations", "Integrations, under Settings")
    priya.open("/clients/import")
    album.keep(priya, "clients-from-app", "Importing from an app")


def _library(album: Album, priya: Visitor, _world: World) -> None:
    page = priya.open("/library")
    album.keep(priya, "library", "The library of services")
    page.locator("#main table a").nth(1).click()
    priya.is_at("Annual accounts")
    album.keep(priya, "library-service", "A service of the library")
    priya.open("/library/taxes")
    album.keep(priya, "library-taxes", "Tax rates")
    priya.open("/library/imports")
    album.keep(priya, "library-import", "Services from a file")


def _invoicing(album: Album, priya: Visitor, _world: World) -> None:
    panel_of(priya, "Xero", "Marlow & Co Ltd")
    priya.follow("Invoice settings", priya.page.locator(".tabs"))
    read_lists(priya, "Xero")
    album.keep(priya, "invoice-settings", "How invoices are created in a ledger, before anything is mapped")
    map_xero(priya)
    album.keep(priya, "invoice-settings-mapped", "How invoices are created in a ledger, mapped")


def _accepting(album: Album, priya: Visitor, world: World) -> None:
    page = priya.open("/proposals")
    album.keep(priya, "proposals", "Proposals")
    for path, name, title in (
        ("/proposals/new", "proposal-new", "A new proposal"),
        ("/proposals/2", "proposal", "A proposal that waits for its client"),
        ("/proposals/3/lines", "proposal-lines", "The services of a proposal"),
        ("/proposals/2/acceptance", "proposal-acceptance", "Accepting on a client's behalf"),
        (f"/p/{facts.PROPOSAL_TOKEN}", "offer", "A proposal as its client reads it"),
    ):
        priya.open(path)
        album.keep(priya, name, title)
    page.get_by_label("Your full name").fill("Aroha Ngata")
    page.locator("[name=agreed]").check()
    priya.press("Accept proposal")
    priya.is_at("Thank you, Aroha Ngata")
    album.keep(priya, "offer-accepted", "What its client reads after accepting")
    priya.open("/proposals/1")
    album.keep(priya, "proposal-accepted", "An accepted proposal, and what came of it")
    priya.open("/invoices")
    page.locator("#rows tbody tr").first.get_by_role("link", name=re.compile("^INV-")).click()
    number = page.locator("h1").inner_text().removeprefix("Invoice ")
    expect(page.locator("#live .log")).to_contain_text("created in Xero", timeout=60_000)
    album.keep(priya, "invoice", "An invoice in its ledger")
    world.control.ask("POST", f"xero/invoices/{number}/pay", {"amount": "1000.00"})
    expect(page.locator("#live .log")).to_contain_text("part paid")
    world.control.ask("POST", f"xero/invoices/{number}/pay", {})
    expect(page.locator("#live .log")).to_contain_text("Invoice paid in Xero")
    album.keep(priya, "invoice-paid", "An invoice paid in its ledger")
    priya.follow("certificate")
    album.keep(priya, "certificate", "The certificate of an invoice")
    priya.open("/invoices")
    album.keep(priya, "invoices", "Invoices")


def _billing(album: Album, priya: Visitor, _world: World) -> None:
    page = priya.page
    open_client(priya, "Aroha & Tama Ngata")
    priya.follow("Billing", page.locator(".tabs"))
    album.keep(priya, "client-billing", "A client's billing schedule")
    add_item(priya, "Advice", "300", "by hand, some other day", "Collected automatically")
    page.get_by_label("Select all that wait for you").check()
    priya.press("Invoice now")
    priya.is_at(re.compile("now$"))
    album.keep(priya, "client-invoice-now", "Checking what is invoiced now")
    priya.press("Next: review")
    priya.sees("This makes 2 invoices")
    album.keep(priya, "client-invoice-review", "How many invoices it makes, and why")
    priya.press("Issue (2 invoices)")
    priya.is_told("2 invoices are issued")
    album.keep(priya, "invoices-sending", "Two invoices, about to be sent by mail")
    priya.follow("Skip")
    album.keep(priya, "client-invoices", "A client's invoices")
    page.locator("main .list tbody a").first.click()
    page.get_by_label("Reason").select_option(label="Wrong amount")
    page.get_by_role("button", name=re.compile("^Void invoice")).click()
    priya.sees("Voided")
    album.keep(priya, "invoice-voided", "A voided invoice")


def _not_found_there(album: Album, priya: Visitor, world: World) -> None:
    world.control.at("quickbooks/customers").create("kauri stone ltd")
    panel_of(priya, "QuickBooks", "Marlow & Co")
    page = priya.page
    priya.follow("Invoice settings", page.locator(".tabs"))
    read_lists(priya, "QuickBooks")
    page.get_by_label("Product or service for services without their own").select_option(label="Advisory")
    priya.press("Save")
    save_suggested_rates(priya)
    new_client(priya, "Kauri Stone Ltd")
    priya.follow("Invoices", page.locator(".tabs"))
    page.get_by_label("Invoices of this client are created in").select_option(label="QuickBooks · Marlow & Co")
    priya.press("Save")
    add_item(priya, "Year-end accounts", "1200", "invoice it now")
    priya.press("Next: review")
    priya.press("Issue invoice")
    priya.follow("Skip")
    priya.sees("It is not in QuickBooks yet")
    album.keep(priya, "invoice-not-there", "An invoice whose client is spelled differently in the ledger")


def _proof(album: Album, priya: Visitor, _world: World) -> None:
    page = priya.open("/rehearsal")
    priya.follow("Next month")
    album.keep(priya, "rehearsal", "The rehearsal of what will be billed")
    priya.open("/certificates")
    priya.press("Compare now")
    expect(page.locator("#result")).to_be_visible()
    album.keep(priya, "certificates", "Each invoice once: compared with the ledger")


def _clients(album: Album, priya: Visitor, world: World) -> None:
    page = priya.open("/clients")
    album.keep(priya, "clients", "Clients")
    priya.open("/clients?q=ana-sof&status=lead")
    for box in page.locator("#rows tbody [name=id]").all()[:2]:
        box.check()
    album.keep(priya, "clients-found", "Clients found and ticked")
    priya.press("Archive", page.locator(".bulk"))
    priya.is_at(re.compile("Archive"))
    album.keep(priya, "clients-question", "Before many are archived")
    page.get_by_role("button", name=re.compile("^Archive .* clients")).click()
    priya.is_told(re.compile("2 clients"))
    album.keep(priya, "clients-done", "After many were archived")
    open_client(priya, CLIENT)
    album.keep(priya, "client", "A client")
    uuid = str(world.remote(CLIENT)["uuid"])
    world.control.change(uuid, Phone="04 555 0001")
    edit(priya, "phone", "04 555 0002")
    priya.is_at(CLIENT)
    expect(page.locator("#sync-state")).not_to_contain_text("Being sent")
    page.reload()
    album.keep(priya, "client-conflict", "A client with a conflict")
    here = page.url
    for path, name, title in (
        ("/edit", "client-edit", "Editing a client"),
        ("/apps", "client-apps", "How a client stands with each app"),
        ("/records/1?q=aoraki", "client-mapping", "Choosing the record that is this client"),
        ("/records", "client-records", "A client side by side with its records"),
        ("/alignments?line=phone&from=here", "client-value", "Before a value is used elsewhere"),
        ("/activity", "client-activity", "A client's activity"),
        ("/contacts/new", "contact-new", "A new contact"),
    ):
        page.goto(here + path)
        album.keep(priya, name, title)
    priya.open("/clients/new")
    page.locator("[name=name]").fill(CLIENT.upper())
    priya.press("Create client")
    priya.is_told("here already")
    album.keep(priya, "client-new", "A new client whose name is nearly here already")


def _matches_and_groups(album: Album, priya: Visitor, _world: World) -> None:
    page = priya.open("/matches")
    album.keep(priya, "matches", "Names that need a word")
    priya.open("/groups")
    album.keep(priya, "groups", "Groups")
    page.locator("#rows tbody a").first.click()
    priya.is_at(re.compile("."))
    expect(page.get_by_role("link", name="Show in the list of clients")).to_be_visible()
    album.keep(priya, "group", "A group")


def _files(album: Album, priya: Visitor, _world: World) -> None:
    page = priya.open("/clients/imports")
    album.keep(priya, "import", "Importing a file")
    rows = [("Zephyr Sailmakers Ltd", "09 555 0300", "Ida Zephyr", "ida@zephyr.example")]
    rows += [(CLIENT, "09 555 0301", "Uma Zircon", "uma@zircon.example"), ("Zenith Nobody", "", "", "")]
    upload(priya, rows)
    priya.is_at(re.compile("^Preview of "))
    album.keep(priya, "import-preview", "What every row of a file would do")
    priya.press("Leave out", page.locator("section.notice"))
    priya.sees("Left out")
    page.get_by_role("button", name=re.compile("^Import 1 row")).click()
    priya.is_at(re.compile("^Import of "))
    album.keep(priya, "import-done", "What every row of a file did")


def _people(album: Album, priya: Visitor, _world: World) -> None:
    for path, name, title in (
        ("/settings", "settings", "Settings of the firm"),
        ("/settings/email", "settings-email", "What the firm’s mail says"),
        ("/settings/team", "team", "The team"),
        ("/settings/team/new", "team-new", "Adding a person"),
        ("/settings/team/2", "team-person", "A person of the team"),
        ("/account", "account", "My profile"),
        ("/account/password", "account-password", "Changing a password"),
        ("/apps/1/settings", "app-settings", "Settings of an app"),
        ("/apps/xpm/credentials", "app-credentials", "Registering the portal with an app"),
        ("/apps/1/disconnection", "app-disconnect", "Before an app is disconnected"),
        ("/nothing-here", "not-found", "An address with nothing at it"),
    ):
        priya.open(path)
        album.keep(priya, name, title)


def _losing_access(album: Album, priya: Visitor, world: World) -> None:
    priya.open(PANEL)
    sync_now(priya)
    album.keep(priya, "app", "An app")
    priya.open("/")
    album.keep(priya, "home", "Home")
    world.control.revoke(world.practice)
    priya.open(PANEL)
    priya.press("Sync now")
    priya.is_told("has ended")
    priya.open(PANEL)
    album.keep(priya, "app-ended", "An app that took its permission back")
    priya.open("/apps")
    album.keep(priya, "apps", "Apps, one needs a person")


def _others(album: Album, browser: Browser, world: World) -> None:
    tom = _visitor(browser, world)
    tom.open("/sign-in")
    tom.sign_in(EMAILS["member"], facts.PASSWORD)
    tom.open("/settings")
    album.keep(tom, "not-allowed", "What a role does not reach")
    tom.open("/account")
    tom.press("Set up with my phone")
    tom.is_at("Set up a second factor")
    album.keep(tom, "second-factor", "Setting up a second factor")


if __name__ == "__main__":
    sys.exit(main())
