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
