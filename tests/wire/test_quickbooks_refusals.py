"""What QuickBooks refuses of invoices and payments, and the cause each refusal is given (behaviour IN-13)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from portal.adapters.base import NeedsReconnect, RateLimited, Unavailable, Unknown
from portal.adapters.ledger import InvoiceRefused
from portal.adapters.quickbooks import QuickBooks
from portal.domain.records import Address, Cause, LedgerInvoice, TaxMode
from tests.adapters.conftest import Door
from tests.wire.quickbooks_books import (
    CATEGORY,
    HARBOUR,
    OLD_ITEM,
    OLD_RATE,
    PURCHASES,
    _in_a_hurry,
    company,
    counts,
    create,
    created,
    invoice,
    line,
    minutes_later,
    pay,
    payment,
    refused,
)
from tests.wire.quickbooks_company import door, made, somebody, spoil, switch, there

__all__ = ["_in_a_hurry", "door", "somebody"]  # fixtures of this file


@pytest.mark.parametrize("code", ["610", "2500", "6250"])
def test_a_customer_made_inactive_is_told_as_such_whatever_the_code(door: Door, somebody: str, code: str) -> None:
    switch(door, inactive_customer=code)
    there(door, "POST", f"/{somebody}/archive")
    found = refused(door, invoice(somebody))
    assert found.cause is Cause.CUSTOMER_GONE
    assert found.vendor_text in found.message or found.vendor_text.rstrip(".") in found.message


def test_a_customer_who_was_deleted_is_gone(door: Door, somebody: str) -> None:
    there(door, "POST", f"/{somebody}/delete")
    assert refused(door, invoice(somebody)).cause is Cause.CUSTOMER_GONE
    assert refused(door, invoice("")).cause is Cause.CUSTOMER_GONE


@pytest.mark.parametrize("item", [OLD_ITEM, "999"])
def test_a_product_that_is_gone_or_inactive_is_told_as_such(door: Door, somebody: str, item: str) -> None:
    assert refused(door, invoice(somebody, "INV-1", line(item_id=item))).cause is Cause.ACCOUNT_NOT_VALID


def test_a_line_without_product_would_be_left_out_and_is_never_sent(door: Door, somebody: str) -> None:
    found = refused(door, invoice(somebody, "INV-1", line(item_id="")))
    assert found.cause is Cause.ACCOUNT_NOT_VALID
    assert not door.calls("/invoice$")
    assert refused(door, invoice(somebody, "INV-2", line(item_id=CATEGORY))).cause is Cause.OTHER


def test_an_account_made_inactive_takes_its_products_along(door: Door, somebody: str) -> None:
    company(door, "POST", "lists/accounts/1/archive")
    found = refused(door, invoice(somebody))
    assert found.vendor_text.startswith("Object Not Found")
    assert "inactive" in found.message


@pytest.mark.parametrize(("code", "cause"), [(OLD_RATE, Cause.TAX_NOT_ALLOWED), ("99", Cause.TAX_NOT_ALLOWED)])
def test_a_tax_rate_that_is_gone_is_told_as_such(door: Door, somebody: str, code: str, cause: Cause) -> None:
    assert refused(door, invoice(somebody, "INV-1", line(tax_id=code))).cause is cause


def test_a_tax_rate_deleted_since_is_told_as_such(door: Door, somebody: str) -> None:
    company(door, "POST", "lists/tax-codes/2/delete")
    assert refused(door, invoice(somebody)).cause is Cause.TAX_NOT_ALLOWED


def test_a_rate_for_purchases_cannot_stand_on_a_sale(door: Door, somebody: str) -> None:
    found = refused(door, invoice(somebody, "INV-1", line(tax_id=PURCHASES)))
    assert found.cause is Cause.TAX_MISSING
    assert "cannot be used on a sale" in found.message


def test_lines_without_tax_rate_are_told_before_they_are_sent(door: Door, somebody: str) -> None:
    found = refused(door, invoice(somebody, "INV-1", line(tax_id="")))
    assert found.cause is Cause.TAX_MISSING
    assert "“Annual accounts 2026”" in found.message
    assert not door.calls("/invoice$")


def test_a_company_without_tax_wants_no_rates_and_takes_no_tax(door: Door, somebody: str) -> None:
    company(door, "POST", "preferences", {"uses_tax": False})
    found = created(door, invoice(somebody, "INV-1", line(tax_id="", tax="0")))
    assert (found.tax, found.total) == (Decimal(0), Decimal(100))
    assert refused(door, invoice(somebody, "INV-2")).cause is Cause.TAX_NOT_ALLOWED


def test_two_sales_taxes_on_one_american_invoice_are_refused_here(make_door: Any) -> None:
    door = make_door(QuickBooks)
    door.account = {**door.account, "id": HARBOUR}
    wanted = invoice("1", "INV-1", line(tax_id="2"), line(tax_id="3"), currency="USD")
    assert refused(door, wanted).cause is Cause.TAX_NOT_ALLOWED
    assert refused(door, replace(wanted, lines=(line(tax_id="2"),), tax_mode=TaxMode.INCLUSIVE)).cause is (
        Cause.TAX_NOT_ALLOWED
    )


@pytest.mark.parametrize("password", [False, True])
def test_a_closed_period_is_told_with_its_date(door: Door, somebody: str, password: bool) -> None:
    company(door, "POST", "preferences", {"closed_until": "2026-11-02", "closed_with_password": password})
    found = refused(door, invoice(somebody))
    assert found.cause is Cause.PERIOD_LOCKED
    assert "2 November 2026" in found.message
    created(door, invoice(somebody, "INV-2", issued_on=date(2026, 11, 3)))


def test_a_period_closed_a_moment_ago_is_quickbooks_own_refusal(door: Door, somebody: str) -> None:
    created(door, invoice(somebody, "INV-1"))
    company(door, "POST", "preferences", {"closed_until": "2026-11-02"})
    found = refused(door, invoice(somebody, "INV-2"))
    assert (found.cause, found.status) == (Cause.PERIOD_LOCKED, 400)


def test_a_number_in_use_names_its_holder_where_quickbooks_warns(door: Door, somebody: str) -> None:
    """Fault row 94."""
    switch(door, refuses_used_numbers=True)
    theirs = company(door, "POST", "invoices", {"customer": somebody, "amount": 80, "number": "INV-1"})
    found = refused(door, invoice(somebody))
    assert (found.cause, found.holder_id) == (Cause.NUMBER_USED, theirs["uuid"])
    assert counts(door)["by_number"] == {"INV-1": 1}


def test_a_number_too_long_is_never_sent(door: Door, somebody: str) -> None:
    created(door, invoice(somebody, "N" * 21))
    found = refused(door, invoice(somebody, "N" * 22))
    assert "21 characters" in found.message
    assert len([call for call in door.calls("/invoice$") if call["method"] == "POST"]) == 1


def test_another_currency_than_the_companys_is_never_sent(door: Door, somebody: str) -> None:
    """Fault row 86."""
    found = refused(door, invoice(somebody, currency="USD"))
    assert found.cause is Cause.CURRENCY
    assert "USD" in found.message and "NZD" in found.message
    assert not door.calls("/invoice$")


def test_another_currency_than_the_customers_is_told_as_such(door: Door, somebody: str) -> None:
    """Fault row 86."""
    company(door, "POST", "preferences", {"multi_currency": True})
    assert refused(door, invoice(somebody, currency="USD")).cause is Cause.CURRENCY
    assert created(door, invoice(somebody, "INV-2")).currency == "NZD"


def test_amounts_that_quickbooks_does_not_take(door: Door, somebody: str) -> None:
    """Fault row 85."""
    assert refused(door, invoice(somebody, "INV-1", line("-5"))).cause is Cause.AMOUNT_NOT_ALLOWED
    spoil(door, "business_error", path="/invoice$", code="6070", status=400, message="Amount calculation incorrect")
    assert refused(door, invoice(somebody, "INV-2")).cause is Cause.AMOUNT_NOT_ALLOWED
    assert counts(door)["invoices"] == 0


@pytest.mark.parametrize(
    ("code", "message", "cause"),
    [
        ("6100", "Invalid line tax code", Cause.TAX_NOT_ALLOWED),
        ("6240", "The name supplied already exists. : null", Cause.NAME_TAKEN),
        ("6000", "Business Validation Error: Make sure all your transactions have a VAT rate", Cause.TAX_MISSING),
        ("6000", "Business Validation Error: Autre chose", Cause.OTHER),
        ("5020", "Permission denied", Cause.OTHER),
        ("6190", "Subscription ended", Cause.OTHER),
        ("2010", "Property Name:Colour", Cause.OTHER),
    ],
)
@pytest.mark.parametrize("shape", ["usual", "lower"])
def test_codes_become_causes_in_either_shape(
    door: Door, somebody: str, code: str, message: str, cause: Cause, shape: str
) -> None:
    spoil(door, "business_error", path="/invoice$", code=code, message=message, status=400, shape=shape)
    found = refused(door, invoice(somebody))
    assert (found.cause, found.vendor_text) == (cause, message)


def test_drafts_and_empty_invoices_are_refused_here(door: Door, somebody: str) -> None:
    assert "drafts" in refused(door, invoice(somebody, approved=False)).message
    assert "lines" in refused(door, replace(invoice(somebody), lines=())).message
    assert "address" in refused(door, invoice(somebody, address=Address("x" * 501, "Nelson"))).message
    assert not door.calls("/invoice$")


def test_a_whole_batch_refused_is_explained_in_three_questions(door: Door, somebody: str) -> None:
    there(door, "POST", f"/{somebody}/archive")
    other = made(door, "Somebody Else Ltd")
    wanted = [invoice(somebody, "INV-0"), invoice(other, "INV-1", line(item_id=OLD_ITEM)), invoice(other, "INV-2")]
    before = len(door.calls("/query$"))
    outcomes = create(door, *wanted)
    assert len(door.calls("/query$")) == before + 3
    assert isinstance(outcomes[0], InvoiceRefused) and outcomes[0].cause is Cause.CUSTOMER_GONE
    assert isinstance(outcomes[1], InvoiceRefused) and outcomes[1].cause is Cause.ACCOUNT_NOT_VALID
    assert isinstance(outcomes[2], LedgerInvoice)


def test_an_explanation_that_cannot_be_had_loses_no_outcome(door: Door, somebody: str) -> None:
    spoil(door, "status", path="/query$", status=503)
    outcomes = create(door, invoice(somebody, "INV-0", line(item_id=OLD_ITEM)), invoice(somebody, "INV-1"))
    assert isinstance(outcomes[0], InvoiceRefused) and outcomes[0].cause is Cause.OTHER
    assert isinstance(outcomes[1], LedgerInvoice)


def test_a_payment_for_an_invoice_that_is_gone(door: Door, somebody: str) -> None:
    found = created(door, invoice(somebody))
    company(door, "POST", f"invoices/{found.remote_id}/delete")
    refusal = pay(door, payment(found))
    assert isinstance(refusal, InvoiceRefused)
    assert "no longer" in refusal.message


def test_a_payment_of_more_than_is_open_or_of_nothing_is_refused(door: Door, somebody: str) -> None:
    """Fault row 53."""
    found = created(door, invoice(somebody))
    too_much = pay(door, payment(found, "500"))
    assert isinstance(too_much, InvoiceRefused)
    nothing = pay(door, payment(found, "0"))
    assert isinstance(nothing, InvoiceRefused) and nothing.cause is Cause.AMOUNT_NOT_ALLOWED
    other = pay(door, replace(payment(found), currency="USD"))
    assert isinstance(other, InvoiceRefused) and other.cause is Cause.CURRENCY
    assert counts(door)["payments"] == 0


@pytest.mark.parametrize(
    ("kind", "values", "error"),
    [
        ("status", {"status": 503}, Unknown),
        ("garbage", {"garbage": "html"}, Unknown),
        ("drop", {}, Unknown),
        ("rate_limited", {"retry_after": "3600"}, RateLimited),
        ("revoked", {}, NeedsReconnect),
        ("business_error", {"code": "140", "message": "Company locked", "status": 400}, Unavailable),
    ],
)
def test_what_concerns_them_all_is_raised(
    door: Door, somebody: str, kind: str, values: dict[str, Any], error: type[Exception]
) -> None:
    """Fault rows 12, 17, 19, 21 and 35."""
    for path in ("/batch$", "/invoice$"):
        spoil(door, kind, path=path, **values)
    for wanted in ([invoice(somebody)], [invoice(somebody, f"INV-{number}") for number in range(3)]):
        with pytest.raises(error):
            create(door, *wanted)


def test_faults_answered_for_every_item_at_once_are_told_for_each(door: Door, somebody: str) -> None:
    minutes_later(door)
    wanted = [invoice(somebody, f"INV-{number}", line(item_id="999")) for number in range(3)]
    outcomes = create(door, *wanted)
    assert [one.cause for one in outcomes if isinstance(one, InvoiceRefused)] == [Cause.ACCOUNT_NOT_VALID] * 3
    assert sum((Decimal(1) for _ in outcomes), Decimal(0)) == 3
