"""The largest invoice there can be, and a firm that has billed fifty thousand times: nothing grows with the table."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from portal import deliveries as shell
from portal.db import db, reading
from portal.domain import deliveries, invoices
from portal.domain.deliveries import Standing
from portal.domain.invoices import Filters, Invoice
from tests.at_scale import MANY, bill_many
from tests.cast import make_client, make_link
from tests.cast_invoices import make_invoice, make_item
from tests.pretend_app import record
from tests.pretend_ledger import LedgerAccount, pretend_ledger

SEEN_ON = date(2026, 12, 24)


@pytest.fixture
def books(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    return pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], refuses_used_numbers=True)


def issued(books: LedgerAccount, lines: int) -> Invoice:
    """An invoice of so many lines, each another amount, on its way to the ledger."""
    client = make_client("Acme Corp")
    make_link(client, books.connection, "r-1")
    items = [make_item(client, f"Service {place}", price=f"{place}.01", tax="15") for place in range(1, lines + 1)]
    invoice = make_invoice(client, *items)
    db.session.commit()
    return invoice


def test_five_hundred_lines_go_to_the_ledger_as_one_invoice(books: LedgerAccount) -> None:
    """Fault row 88."""
    invoice = issued(books, 500)
    shell.deliver_due(datetime.now(UTC))
    db.session.expire_all()
    assert deliveries.deployment(invoice).standing == Standing.CREATED
    (there,) = books.app.invoices.values()
    assert (there.number, there.total) == (invoice.number, invoice.total)
    assert invoice.net == sum((Decimal(f"{place}.01") for place in range(1, 501)), Decimal(0))
    assert sum((one.net for one in invoice.lines), Decimal(0)) == invoice.net
    assert sum((one.tax for one in invoice.lines), Decimal(0)) == invoice.tax
    assert invoice.net + invoice.tax == invoice.total


def test_more_lines_than_the_ledger_takes_are_never_sent_and_the_invoice_says_so(books: LedgerAccount) -> None:
    """Fault row 88: refused here, before anything leaves, in a plain sentence."""
    invoice = issued(books, 501)
    shell.deliver_due(datetime.now(UTC))
    db.session.expire_all()
    stands = deliveries.deployment(invoice)
    assert stands.standing == Standing.FAILED
    assert "takes at most 500 lines; this invoice has 501" in stands.reason
    assert (books.app.invoices, "invoices" in books.app.calls) == ({}, False)


def test_each_ledger_says_how_many_lines_it_takes() -> None:
    """Fault row 88."""
    from portal import integrations

    told = {one.info.slug: one.ledger.lines_at_most for one in integrations.OFFERED if getattr(one, "ledger", None)}
    assert told == {"digits": 500, "quickbooks": 750, "xero": 500}


def test_the_file_of_fifty_thousand_invoices_is_never_held_whole(database: Any, clock: Any) -> None:
    """Fault row 88."""
    bill_many(MANY)
    db.session.commit()
    lines = largest = 0
    with reading():
        for place, part in enumerate(invoices.csv(Filters(), as_of=SEEN_ON)):
            lines, largest = lines + part.count("\r\n"), max(largest, part.count("\r\n"))
            if place == 50:
                tracemalloc.start()
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (lines, largest) == (MANY + 1, 500)
    assert peak < 3_000_000  # fifty parts that stay are more than ten million
