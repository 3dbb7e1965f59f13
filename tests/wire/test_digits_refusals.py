"""Refusals of invoices by Digits, each with its cause: before a call, and out of a call with others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from portal.adapters.base import AdapterError, NeedsReconnect
from portal.adapters.digits import Digits
from portal.adapters.ledger import InvoiceRefused
from portal.domain.records import Cause
from tests.adapters.conftest import Door
from tests.wire.digits_paper import SUBCONTRACTORS, Paper


@pytest.fixture
def paper(make_door: Callable[..., Door]) -> Paper:
    return Paper(make_door(Digits))


def refused(paper: Paper, invoice: Any) -> InvoiceRefused:
    (outcome,) = paper.create(invoice)
    assert isinstance(outcome, InvoiceRefused), outcome
    assert outcome.message.endswith(".")
    return outcome


def test_an_error_inside_a_200_is_a_refusal_with_digits_words(paper: Paper) -> None:
    """Fault row 13."""
    answer = json.dumps({"error": {"code": "INVALID", "message": "The books are closed through 2026-11-30."}})
    paper.spoil("status", status=200, body=answer, headers={"Content-Type": "application/json"})
    reason = refused(paper, paper.invoice())
    assert (reason.cause, reason.vendor_text) == (Cause.PERIOD_LOCKED, "The books are closed through 2026-11-30.")


def test_a_customer_that_is_not_there_any_more_is_said_so(paper: Paper) -> None:
    party = paper.door.sandbox.control.ask("POST", "digits/clients", {"name": "Gone Ltd"})["uuid"]
    paper.door.sandbox.control.ask("POST", f"digits/clients/{party}/delete", {})
    assert refused(paper, paper.invoice(customer_id=party, customer_key="")).cause == Cause.CUSTOMER_GONE
    assert refused(paper, paper.invoice(customer_id="", customer_key="")).cause == Cause.CUSTOMER_GONE


def test_a_category_that_was_closed_is_said_so(paper: Paper) -> None:
    paper.door.sandbox.control.ask("POST", "digits/categories/4010/close", {})
    reason = refused(paper, paper.invoice())
    assert (reason.cause, reason.vendor_text) == (Cause.ACCOUNT_NOT_VALID, "The category Bookkeeping is not active.")


def test_a_category_that_is_no_income_is_refused_before_it_goes_out(paper: Paper) -> None:
    invoice = paper.invoice("INV-1", paper.line("100", account=SUBCONTRACTORS))
    assert refused(paper, invoice).cause == Cause.ACCOUNT_NOT_VALID
    assert refused(paper, replace(invoice, lines=(replace(invoice.lines[0], account_id="gone"),))).cause == (
        Cause.ACCOUNT_NOT_VALID
    )
    assert paper.writes() == 0


def test_closed_books_are_said_so(paper: Paper) -> None:
    paper.door.sandbox.control.ask("POST", "digits/lock", {"until": "2026-11-01"})
    assert refused(paper, paper.invoice()).cause == Cause.PERIOD_LOCKED
    paper.one(paper.invoice("INV-2", issued_on=date(2026, 11, 2)))


def test_a_currency_the_books_do_not_take_is_said_so(paper: Paper) -> None:
    """Fault row 86."""
    paper.switch(digits_currency="USD")
    reason = refused(paper, paper.invoice(currency="NZD"))
    assert (reason.cause, "NZD" in reason.vendor_text) == (Cause.CURRENCY, True)


def test_tax_needs_a_category_and_a_setting_can_name_it(make_door: Callable[..., Door]) -> None:
    paper = Paper(make_door(Digits, DIGITS_TAX_CATEGORY="No such thing"))
    assert refused(paper, paper.invoice()).cause == Cause.TAX_MISSING
    paper.one(paper.invoice("INV-2", paper.line("100")))
    named = Paper(make_door(Digits, DIGITS_TAX_CATEGORY="clearing"))
    invoice = named.invoice("INV-3")
    named.one(invoice)
    assert "Clearing" in {one["category"] for one in named.there(invoice)["entries"]}


@pytest.mark.parametrize(("currency", "net", "total"), [("JPY", "1100", "1100"), ("KWD", "1.005", "1.005")])
def test_currencies_without_cents_and_with_mills_are_written_exactly(
    paper: Paper, currency: str, net: str, total: str
) -> None:
    """Fault row 85."""
    invoice = paper.invoice("INV-1", paper.line(net), currency=currency)
    paper.one(invoice)
    assert (paper.there(invoice)["total"], paper.there(invoice)["currency"]) == (total, currency)
    assert paper.fetch(invoice).total == Decimal(total)


@pytest.mark.parametrize(
    ("net", "currency"),
    [("0", "USD"), ("-5", "USD"), ("0.005", "USD"), ("1.5", "JPY"), ("9999999999999999", "USD"), ("NaN", "USD")],
)
def test_amounts_digits_cannot_keep_are_refused_before_they_go_out(paper: Paper, net: str, currency: str) -> None:
    """Fault row 85."""
    invoice = paper.invoice("INV-1", paper.line("1"), currency=currency)
    odd = replace(invoice, lines=(replace(invoice.lines[0], net=Decimal(net)),), total=Decimal(net), net=Decimal(net))
    if net == "NaN":
        odd = replace(odd, total=Decimal(5))
    assert refused(paper, odd).cause == Cause.AMOUNT_NOT_ALLOWED
    assert paper.writes() == 0


def test_a_discount_line_is_on_the_other_side_and_a_free_line_on_none(paper: Paper) -> None:
    """Fault row 85."""
    lines = (paper.line("100"), paper.line("-30", description="Loyalty"), paper.line("0", description="A free call"))
    invoice = paper.invoice("INV-1", *lines)
    paper.one(invoice)
    there = paper.there(invoice)
    assert there["total"] == "70.00"
    assert [(one["type"], one["description"]) for one in there["entries"]][:2] == [
        ("Credit", "Monthly books"), ("Debit", "Loyalty"),
    ]  # fmt: skip


def test_lines_that_do_not_add_up_are_refused(paper: Paper) -> None:
    assert refused(paper, paper.invoice(total=Decimal(114))).cause == Cause.AMOUNT_NOT_ALLOWED


def test_five_hundred_lines_are_one_invoice(paper: Paper) -> None:
    """Fault row 88."""
    invoice = paper.invoice("INV-1", *(paper.line("0.01", description=f"Line {n}") for n in range(500)))
    assert paper.one(invoice).total == Decimal(5)
    assert len(paper.there(invoice)["entries"]) == 501


def test_one_bad_invoice_of_a_hundred_is_found_and_the_others_are_there(paper: Paper) -> None:
    """Digits takes a call whole or not at all."""
    invoices = [paper.invoice(f"INV-{number}") for number in range(100)]
    invoices[37] = replace(invoices[37], customer_key="nobody")
    outcomes = paper.create(*invoices)
    assert [type(one).__name__ for one in outcomes].count("LedgerInvoice") == 99
    bad = outcomes[37]
    assert isinstance(bad, InvoiceRefused)
    assert (bad.cause, bad.vendor_text) == (Cause.CUSTOMER_GONE, "There is no party nobody.")
    assert paper.counts()["written_by_apps"] == 99
    assert paper.writes() <= 17


def test_a_refusal_that_is_about_all_of_them_does_not_cost_a_call_for_each(paper: Paper) -> None:
    paper.spoil("business_error", message="This source is not yours")
    outcomes = paper.create(*(paper.invoice(f"INV-{number}") for number in range(100)))
    assert {type(one) for one in outcomes} == {InvoiceRefused}
    assert {one.vendor_text for one in outcomes if isinstance(one, AdapterError)} == {"This source is not yours"}
    assert paper.writes() <= 8


def test_an_answer_lost_while_the_bad_one_is_looked_for_leaves_only_its_part_in_doubt(paper: Paper) -> None:
    invoices = [paper.invoice(f"INV-{number}") for number in range(4)]
    invoices[3] = replace(invoices[3], customer_key="nobody")
    paper.spoil("accept_then_drop", after=3, times=1)
    outcomes = paper.create(*invoices)
    assert [type(one).__name__ for one in outcomes] == ["LedgerInvoice", "LedgerInvoice", "Unknown", "Unavailable"]


def test_a_payment_needs_an_account_and_an_invoice_of_ours(paper: Paper) -> None:
    invoice = paper.invoice()
    paper.one(invoice)
    (no_account,) = paper.pay(paper.payment(invoice, into_id="gone"))
    (not_ours,) = paper.pay(paper.payment(invoice, invoice_key=""))
    (nothing,) = paper.pay(paper.payment(invoice, "0"))
    (void,) = paper.pay(paper.payment(invoice, mark="p9", invoice_key="nobody"))
    causes = [one.cause for one in (no_account, not_ours, nothing, void) if isinstance(one, InvoiceRefused)]
    assert causes == [Cause.ACCOUNT_NOT_VALID, Cause.OTHER, Cause.AMOUNT_NOT_ALLOWED, Cause.OTHER]


def test_access_that_ended_is_no_refusal_of_an_invoice(paper: Paper) -> None:
    """Fault row 35."""
    paper.spoil("revoked", status=401)
    with pytest.raises(NeedsReconnect):
        paper.create(paper.invoice())
