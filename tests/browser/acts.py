"""Things people do on several journeys, step by step as they do them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from playwright.sync_api import Locator, expect

from portal.domain.client_csv_columns import HEADINGS
from tests.browser.visitor import SETTLING, Visitor

PANEL = "/apps/1"
BRIEF = ("Client Name", "Phone", "Contact Name", "Contact Email")


def tile(visitor: Visitor, app: str = "Xero Practice Manager") -> Locator:
    """An app's own part of the Apps page."""
    return visitor.page.get_by_role("region", name=app, exact=True)


def connect(visitor: Visitor) -> None:
    """From the Apps page to the panel of the practice, over the vendor's consent page."""
    visitor.open("/apps")
    visitor.press("Connect to your account", tile(visitor))
    allow(visitor)
    visitor.is_at("Enable Marlow & Co")
    visitor.press("Enable")
    visitor.is_at("Xero Practice Manager · Marlow & Co")


def allow(visitor: Visitor) -> None:
    """On the vendor's page: yes, for the first practice."""
    expect(visitor.page.get_by_role("heading", level=1)).to_contain_text("Allow counterpart-sandbox")
    visitor.press("Allow access")


def sync_now(visitor: Visitor) -> Locator:
    """Press the button on the panel and watch until it is done; what it came to."""
    visitor.press("Sync now")
    done = visitor.page.locator("#run-progress .flash")
    expect(done).to_contain_text("Sync finished after", timeout=120_000)
    return done


def find(visitor: Visitor, words: str) -> Locator:
    """Type into the list's search until the list has followed; the rows it shows."""
    visitor.open("/clients")
    with visitor.page.expect_response(re.compile(r"/clients\?")):
        visitor.page.locator("#narrow [name=q]").fill(words)
    expect(visitor.page).to_have_url(re.compile("q="))
    expect(visitor.page.locator(SETTLING)).to_have_count(0)
    return names(visitor)


def names(visitor: Visitor) -> Locator:
    """The names in the list, each a link to its client."""
    return visitor.page.locator("#rows tbody a[id^=c]")


def open_client(visitor: Visitor, name: str) -> None:
    """By way of the list."""
    find(visitor, name).get_by_text(name, exact=True).click()
    visitor.is_at(name)


def edit(visitor: Visitor, field: str, value: str) -> None:
    """On a client's page: change one field and save."""
    visitor.follow("Edit", visitor.page.locator(".head"))
    visitor.is_at(re.compile("^Edit "))
    visitor.page.locator(f"#form [name={field}]").fill(value)
    visitor.press("Save")


def upload(visitor: Visitor, rows: Sequence[Sequence[str]]) -> None:
    """Upload a file of clients; each row is client, phone, contact and the contact's email."""
    text = io.StringIO()
    sheet = csv.DictWriter(text, HEADINGS)
    sheet.writeheader()
    for row in rows:
        sheet.writerow(dict(zip(BRIEF, row, strict=True)))
    visitor.page.get_by_label("CSV file").set_input_files(
        {"name": "new clients.csv", "mimeType": "text/csv", "buffer": text.getvalue().encode()}
    )
    visitor.press("Upload and look")


def panel_of(visitor: Visitor, app: str, account: str) -> None:
    """To the panel of an account; connect it first where nobody has."""
    visitor.open("/apps")
    connect_it = tile(visitor, app).get_by_role("button", name="Connect to your account")
    if not connect_it.count():
        tile(visitor, app).get_by_role("link", name=account, exact=True).click()
    else:
        connect_it.click()
        visitor.page.get_by_role("button", name=re.compile("^(Allow|Connect|Authorize)")).first.click()
        visitor.is_at(f"Enable {account}")
        visitor.press("Enable")
    visitor.is_at(f"{app} · {account}")


def new_client(visitor: Visitor, name: str) -> None:
    visitor.open("/clients/new")
    visitor.page.locator("#form [name=name]").fill(name)
    visitor.press("Create client")
    visitor.is_at(name)


def read_lists(visitor: Visitor, app: str) -> None:
    """On an app's invoice settings."""
    visitor.press("Read lists anew")
    told = visitor.page.locator("#lists-read")
    expect(told).to_contain_text("They are read by themselves every hour", timeout=60_000)
    expect(told).not_to_contain_text(f"Reading the lists of {app}")
    expect(visitor.page.locator(SETTLING)).to_have_count(0)


def map_xero(visitor: Visitor) -> None:
    """On Xero's invoice settings: everything it needs, and invoices are created there from now on."""
    visitor.page.get_by_label("Create invoices for new clients").check()
    visitor.page.get_by_label("Sales account for services without their own").select_option(label="200 · Sales")
    visitor.page.get_by_label("Account payments go to").select_option(label="090 · Business Bank Account")
    visitor.press("Save")
    visitor.is_told("Saved. It holds from the next invoice on.")
    save_suggested_rates(visitor)


def save_suggested_rates(visitor: Visitor) -> None:
    """Whatever suggests itself; what nothing suggests itself for is left as it is."""
    visitor.press("Save tax rates")
    visitor.is_told("Saved. Invoices that waited for it are tried again now.")


def add_item(visitor: Visitor, what: str, price: str, when: str, pays: str = "Paid by the client") -> None:
    """On any page of a client: a single thing to bill."""
    visitor.open(re.sub(r"(/clients/\d+).*", r"\1/billing", visitor.page.url.removeprefix(visitor.base)))
    visitor.follow("Create invoice")
    form = visitor.page.locator("#form")
    form.locator("[name=name]").fill(what)
    form.locator("[name=price]").fill(price)
    form.locator("[name=when]").select_option(label=when)
    form.locator("[name=pay_by]").select_option(label=pays)
    visitor.press("Next", form)
