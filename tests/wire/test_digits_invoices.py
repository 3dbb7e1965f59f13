"""Invoices in Digits: written once under their marks, refused with a reason, found again by the ledger's entries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from portal.adapters.base import Unavailable
from portal.adapters.digits import LEDGER, Digits
from portal.domain.records import InvoiceState, LedgerInvoice, ListKind
from tests.adapters.conftest import Door
from tests.wire.digits_paper import TAX_RETURNS, Paper

READINGS: tuple[tuple[dict[str, str], dict[str, Any]], ...] = (
    ({}, {}),
    ({"DIGITS_SOURCE_NAME": "accountId", "DIGITS_INVOICE_FORM": "pascal", "DIGITS_COUNTERPARTY": "id"},
     {"digits_transaction_source": "accountId", "digits_invoice_form": "pascal", "digits_row_amounts": "text",
      "digits_row_invoice": "number", "digits_entry_filters": "proven"}),
    ({"DIGITS_COUNTERPARTY": "name", "DIGITS_ENTRY_FILTERS": "proven", "DIGITS_SILENT_ANSWER": "written"},
     {"digits_counterparty_ids": "refused", "digits_sync_answers": "empty", "digits_entry_filters": "strict",
      "digits_row_amounts": "signed", "digits_error_form": "grpc"}),
)  # fmt: skip


@pytest.fixture
def paper(make_door: Callable[..., Door]) -> Paper:
    return Paper(make_door(Digits))


@pytest.fixture(params=READINGS, ids=["likely", "other", "third"])
def any_paper(make_door: Callable[..., Door], request: pytest.FixtureRequest) -> Paper:
    settings, switches = request.param
    door = make_door(Digits, **settings)
    door.sandbox.control.state(**switches)
    return Paper(door)


# Written and read back, however Digits turns out to read and write it


def test_an_invoice_is_booked_to_its_categories_and_owed_by_its_customer(any_paper: Paper) -> None:
    """DIG-6."""
    paper = any_paper
    lines = (paper.line("100", "15", "15"), paper.line("19.90", account=TAX_RETURNS, description="Return 2026"))
    invoice = paper.invoice("INV-7", *lines, reference="CLI-12")
    made = paper.one(invoice)
    assert (made.remote_id, made.number, made.total, made.due) == (invoice.mark, "INV-7", Decimal("134.90"), made.total)
    there = paper.there(invoice)
    assert (there["number"], there["issued"], there["due"]) == ("INV-7", "2026-11-01", "2026-11-20")
    assert (there["total"], there["state"], there["currency"]) == ("134.90", "open", "USD")
    assert there["customer"]["name"] == "Quay Cafe Ltd"
    assert [(one["type"], one["category"], one["amount"], one["description"]) for one in there["entries"]] == [
        ("Credit", "Bookkeeping", "100.00", "Monthly books"), ("Credit", "Tax Returns", "19.90", "Return 2026"),
        ("Credit", "GST Collected", "15.00", "Tax 15 %"),
        ("Debit", "Accounts Receivable", "134.90", f"Invoice INV-7, due 2026-11-20 (Counterpart {invoice.mark})"),
    ]  # fmt: skip


def test_an_invoice_is_found_by_its_number_and_by_its_mark(any_paper: Paper) -> None:
    paper = any_paper
    first, second = paper.invoice("INV-1"), paper.invoice("INV-11")
    assert all(isinstance(one, LedgerInvoice) for one in paper.create(first, second))
    (by_number,) = paper.find(["INV-1"])
    (by_mark,) = paper.find(marks=[first.mark])
    assert by_number == by_mark
    assert (by_mark.remote_id, by_mark.mark, by_mark.number) == (first.mark, first.mark, "INV-1")
    assert (by_mark.total, by_mark.issued_on, by_mark.customer_name) == (
        Decimal(115),
        date(2026, 11, 1),
        "Quay Cafe Ltd",
    )
    assert paper.find(["INV-2"], ["nobody"]) == []
    assert {one.number for one in paper.find(["INV-1", "INV-11"], [first.mark])} == {"INV-1", "INV-11"}


def test_an_invoice_reads_as_it_was_written(any_paper: Paper) -> None:
    invoice = any_paper.invoice()
    made = any_paper.one(invoice)
    read = any_paper.fetch(invoice)
    same = (
        "remote_id",
        "number",
        "due_on",
        "state",
        "currency",
        "total",
        "paid",
        "due",
        "issued_on",
        "mark",
        "customer_name",
    )
    assert [getattr(read, name) for name in same] == [getattr(made, name) for name in same]


def test_customers_that_came_from_digits_are_the_same_customers(any_paper: Paper) -> None:
    paper = any_paper
    held = next(one for one in paper.door.adapter.fetch_clients(paper.door.session(), None))
    invoice = paper.invoice(customer_id=held.remote_id, customer_key="", customer_name="Written otherwise here")
    paper.one(invoice)
    assert paper.there(invoice)["customer"] == {"id": held.remote_id, "name": held.name}
    names = [one.name for one in paper.door.adapter.fetch_clients(paper.door.session(), None)]
    assert names.count(held.name) == 1


def test_a_payment_made_here_is_on_its_invoice_there(any_paper: Paper) -> None:
    """DIG-11."""
    paper = any_paper
    invoice = paper.invoice()
    paper.one(invoice)
    (made,) = paper.pay(paper.payment(invoice, "15.50"))
    assert (made.remote_id, made.invoice_id, made.amount) == ("pay1", invoice.mark, Decimal("15.50"))
    assert [(one["mark"], one["amount"], one["day"]) for one in paper.there(invoice)["payments"]] == [
        ("pay1", "15.50", "2026-11-05")
    ]
    read = paper.fetch(invoice)
    assert (read.state, read.paid, read.due) == (InvoiceState.OPEN, Decimal("15.50"), Decimal("99.50"))
    paper.pay(paper.payment(invoice, "99.50", "pay2"))
    assert paper.there(invoice)["state"] == "paid"
    read = paper.fetch(invoice)
    assert (read.state, read.due) == (InvoiceState.PAID, Decimal(0))
    found = paper.door.adapter.find_payments(paper.door.session(), paper.payment(invoice))
    assert {(one.mark, one.amount) for one in found} == {("pay1", Decimal("15.50")), ("pay2", Decimal("99.50"))}


def test_the_look_at_all_of_them_shows_ours_with_our_payments_whatever_their_days(any_paper: Paper) -> None:
    paper = any_paper
    old, new = paper.invoice("INV-1", issued_on=date(2026, 3, 1)), paper.invoice("INV-2")
    paper.create(old, new)
    paper.pay(paper.payment(old, "15"))
    read = {one.number: one for one in paper.door.adapter.fetch_invoices(paper.door.session(), None) if one.mark}
    assert {name: one.due for name, one in read.items()} == {"INV-1": Decimal(100), "INV-2": Decimal(115)}


def test_others_invoices_are_told_where_digits_tells_invoices_apart(paper: Paper) -> None:
    paper.switch(digits_row_invoice="number")
    theirs = paper.control("POST", customer="Harbour Ltd", total="80.00", number="7", issued="2026-11-02")
    (read,) = paper.door.adapter.fetch_invoices(paper.door.session(), None)
    assert (read.remote_id, read.number, read.total, read.mark) == (theirs["id"], "7", Decimal(80), "")
    assert read.customer_name == "Harbour Ltd"


# Calls


def test_a_thousand_invoices_take_ten_calls_once_the_source_is_declared(paper: Paper) -> None:
    session = paper.door.session()
    invoices = [paper.invoice(f"INV-{number}") for number in range(1000)]
    for start in range(0, 1000, LEDGER.invoice_batch):
        outcomes = paper.door.adapter.create_invoices(session, invoices[start : start + LEDGER.invoice_batch])
        assert all(isinstance(one, LedgerInvoice) for one in outcomes)
    assert session.calls_made == 10
    counted = paper.counts()
    assert (counted["invoices"], counted["numbers_twice"], counted["changed_by_apps"]) == (1000, {}, {})


def test_the_source_is_declared_with_all_its_labels_and_once_in_a_process(make_door: Callable[..., Door]) -> None:
    """Digits deletes what a declaration leaves out; parties and invoices have to send the same one."""
    paper = Paper(make_door(Digits))
    (first,) = paper.door.sandbox.control.ask("GET", "digits/sources")
    paper.create(paper.invoice())
    paper.pay(paper.payment(paper.invoice(), "1"))
    assert not paper.door.calls("connection/sources")
    again = Paper(make_door(Digits))
    again.create(again.invoice("INV-9"))
    (second,) = again.door.sandbox.control.ask("GET", "digits/sources")
    assert first["labels"] == second["labels"]
    assert {"accounts_receivable", "sales_tax"} < {one["label"] for one in first["labels"]}
    assert paper.there(paper.invoice())["number"] == "INV-1"


def test_sources_that_digits_has_lost_are_declared_again_before_an_invoice(paper: Paper) -> None:
    with paper.door.sandbox.box.store.write() as db:
        db.execute("UPDATE digits_source SET body = json_set(body, '$.labels', json('[]'))")
    invoice = paper.invoice()
    assert paper.one(invoice).number == "INV-1"
    assert paper.writes() == 2


def test_a_lost_answer_about_the_source_leaves_no_invoice_in_doubt(make_door: Callable[..., Door]) -> None:
    settled = Paper(make_door(Digits))
    fresh = make_door(Digits)
    fresh.sandbox.control.fault("accept_then_drop", vendor="digits", path="connection/sources")
    with pytest.raises(Unavailable):
        fresh.adapter.create_invoices(fresh.session(), [settled.invoice()])
    assert not fresh.calls("source/transactions")


def test_without_a_chart_of_accounts_nothing_is_declared_nor_written(make_door: Callable[..., Door]) -> None:
    """Fault row 27: a short declaration would make Digits forget the labels of what is there."""
    settled = Paper(make_door(Digits))
    fresh = make_door(Digits)
    fresh.sandbox.control.fault("empty_list", vendor="digits", path="ledger/categories")
    with pytest.raises(Unavailable, match="chart of accounts"):
        fresh.adapter.create_invoices(fresh.session(), [settled.invoice()])
    assert not fresh.calls("connection/sources")


# Lists


def test_the_lists_say_what_a_service_can_be_booked_to_and_where_payments_can_go(paper: Paper) -> None:
    fitting = {(one.kind, one.code): one.name for one in paper.lists.entries if one.fits}
    assert fitting[ListKind.ACCOUNT, "4010"] == "Bookkeeping"
    assert fitting[ListKind.PAY_INTO, "2100"] == "Clearing"
    assert (ListKind.ACCOUNT, "6010") not in fitting
    rent = next(one for one in paper.lists.entries if one.name == "Rent")
    assert (rent.fits, rent.why_not) == (False, "This is not a category of income.")
    assert not next(one for one in paper.lists.entries if one.code == "6090").is_active


@pytest.mark.parametrize(
    ("name", "value"),
    [("DIGITS_SOURCE_NAME", "source"), ("DIGITS_INVOICE_FORM", "kebab"), ("DIGITS_COUNTERPARTY", "email"),
     ("DIGITS_ENTRY_FILTERS", "none"), ("DIGITS_SILENT_ANSWER", "maybe")],
)  # fmt: skip
def test_a_reading_there_is_not_is_refused_at_start(make_door: Callable[..., Door], name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        make_door(Digits, **{name: value})
