"""The largest invoice there can be, and a firm that has billed fifty thousand times: no page grows with it."""

from __future__ import annotations

from typing import Any

import pytest

from portal.domain import activity
from portal.domain.activity import Verb
from tests.at_scale import MANY, bill_many, statements
from tests.cast import COMMAND, make_client, now
from tests.cast_deliveries import make_issued
from tests.cast_invoices import make_invoice, make_item
from tests.reading import Browser


@pytest.mark.parametrize("path", ["/invoices/{}", "/invoices/{}/invoice.pdf"])
def test_an_invoice_of_five_hundred_lines_is_shown_with_as_few_questions_as_a_short_one(
    app: Any, story: Any, clock: Any, sign_in_as: Any, path: str
) -> None:
    """Fault row 88."""
    with story():
        client = make_client("Acme Corp")
        short = make_invoice(client).id
        long = make_invoice(client, *(make_item(client, f"Service {place}", tax="15") for place in range(500))).id
    alice: Browser = sign_in_as("admin")
    asked = {}
    for invoice_id in (short, long):
        with app.app_context(), statements() as said:
            answer = alice.client.get(path.format(invoice_id), base_url=alice.base)
        assert answer.status_code == 200
        asked[invoice_id] = len(said)
    assert asked[long] <= asked[short] + 1  # the rates of its taxes
    assert answer.data.startswith(b"%PDF-") if path.endswith("pdf") else b"Service 499" in answer.data


def test_a_page_of_fifty_thousand_invoices_is_as_small_as_any_and_adds_up_nothing(
    app: Any, story: Any, clock: Any, sign_in_as: Any
) -> None:
    """Fault row 88: every question to the table of invoices says how many rows it wants; sums are kept (`kept`)."""
    with story():
        bill_many(MANY)
    alice: Browser = sign_in_as("admin")
    deep = f"/invoices?after=2026-03-10~{MANY // 2}"
    pages = {
        "/invoices": "50,000", deep: "50,000", "/invoices?standing=open&sort=due": "16,666",
        "/invoices?sort=-amount": "50,000", "/invoices?q=ltd": "1,000+", "/invoices?since=2020-02-02": "1,000+",
    }  # fmt: skip
    for address, count in pages.items():
        with app.app_context(), statements() as said:
            page = alice.get(address)
        assert len(page.all("//tbody/tr")) == 50
        assert f"{count} invoices" in page.text
        assert len(page.response.data) < 20_000
        of_invoices = [one for one in said if "FROM invoice " in one or "JOIN invoice " in one]
        assert of_invoices
        assert [one for one in of_invoices if "LIMIT" not in one] == []
    with app.app_context(), statements() as said:
        assert alice.get("/").status == 200
    assert [one for one in said if "FROM invoice " in one and "LIMIT" not in one] == []


def test_its_log_is_read_page_by_page_and_no_line_is_lost(story: Any, clock: Any, sign_in_as: Any) -> None:
    """Fault row 87, of an invoice."""
    with story():
        invoice = make_issued(make_client("Acme Corp"))
        for place in range(2 * activity.PAGE + 1):
            activity.record(
                Verb.INVOICE_NOT_FOUND_YET, by=COMMAND, now=now(), client_id=invoice.client_id,
                invoice_id=invoice.id, number=f"N-{place}", app="Ledger",
            )  # fmt: skip
        invoice_id = invoice.id
    alice: Browser = sign_in_as("admin")
    page, seen = alice.get(f"/invoices/{invoice_id}"), []
    while True:
        seen += [
            " ".join("".join(one.itertext()).split()) for one in page.all("//ol[@class='log']/li[not(@class='day')]")
        ]
        following = page.all("//a[starts-with(normalize-space(), 'Earlier')]/@href")
        if not following:
            break
        page = alice.get(following[0])
    newest = 2 * activity.PAGE
    assert len(seen) == newest + 1
    for place, words in enumerate(seen):
        assert f"invoice N-{newest - place} in Ledger: not there" in words
