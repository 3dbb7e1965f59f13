"""Xero keeps the contract of a ledger, and takes invoices as they are meant or says why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from portal.adapters.xero import Xero
from portal.domain.records import Cause, TaxMode
from tests.adapters.conftest import Door
from tests.wire.ledger_contract import LedgerContract
from tests.wire.xero_ledger import Example, XeroLedgerSide, refused, there, with_line


class TestXeroLedger(XeroLedgerSide):
    @pytest.fixture
    def door(self, make_door: Callable[..., Door]) -> Door:
        self.made = make_door(Xero)
        return self.made


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    return make_door(Xero)


@pytest.fixture
def example(door: Door) -> Example:
    found = Example()
    found.made = door
    return found


def test_a_tax_rate_that_does_not_go_with_the_account_is_said(door: Door, example: Example) -> None:
    came = refused(door, with_line(example.invoice(door, "X-1"), tax_id="INPUT2"))
    assert came.cause == Cause.TAX_NOT_ALLOWED
    assert "cannot be used with account code '200'" in came.vendor_text


def test_an_account_that_was_archived_or_is_for_costs_is_said(door: Door, example: Example) -> None:
    wanted = example.invoice(door, "X-1")
    assert refused(door, with_line(wanted, account_id="400")).cause == Cause.ACCOUNT_NOT_VALID
    assert refused(door, with_line(wanted, account_id="090")).cause == Cause.ACCOUNT_NOT_VALID
    there(door, "PATCH", "accounts/200", {"Status": "ARCHIVED"})
    came = refused(door, wanted)
    assert came.cause == Cause.ACCOUNT_NOT_VALID
    assert "is not a valid code for this document" in came.vendor_text
    archived = [one for one in door.adapter.fetch_lists(door.session()).entries if one.remote_id == "200"]
    assert [one.is_active for one in archived] == [False]


def test_a_tax_rate_that_was_deleted_is_said(door: Door, example: Example) -> None:
    wanted = example.invoice(door, "X-1")
    there(door, "PATCH", "tax-rates/OUTPUT2", {"Status": "DELETED"})
    assert refused(door, wanted).cause == Cause.TAX_MISSING


def test_a_line_without_a_tax_rate_is_not_sent_because_xero_would_take_one_of_its_own(
    door: Door, example: Example
) -> None:
    wanted, session = with_line(example.invoice(door, "X-1"), tax_id=""), door.session()
    (came,) = door.adapter.create_invoices(session, [wanted])
    assert (came.cause, session.calls_made) == (Cause.TAX_MISSING, 0)


def test_a_contact_that_was_archived_or_is_gone_is_said(door: Door, example: Example) -> None:
    wanted = example.invoice(door, "X-1")
    assert refused(door, replace(wanted, customer_id=LedgerContract.MISSING)).cause == Cause.CUSTOMER_GONE
    there(door, "POST", f"contacts/{wanted.customer_id}/archive", {})
    came = refused(door, wanted)
    assert came.cause == Cause.CUSTOMER_GONE
    assert "archived" in came.vendor_text


def test_closed_books_are_said(door: Door, example: Example) -> None:
    there(door, "POST", "lock", {"until": "2026-11-20"})
    assert refused(door, example.invoice(door, "X-1")).cause == Cause.PERIOD_LOCKED
    assert door.adapter.fetch_lists(door.session()).locked_until == date(2026, 11, 20)
    late = example.invoice(door, "X-1", issued_on=date(2026, 11, 21))
    assert example.create(door, late).number == "X-1"


def test_a_currency_the_organisation_does_not_use_is_said_and_another_one_is_kept(door: Door, example: Example) -> None:
    """Fault row 86."""
    assert refused(door, example.invoice(door, "X-1", currency="EUR")).cause == Cause.CURRENCY
    assert example.create(door, example.invoice(door, "X-2", currency="AUD")).currency == "AUD"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"price": Decimal("0.00001")}, "four decimals"),
        ({"quantity": Decimal("1.23456")}, "four decimals"),
        ({"price": Decimal("9999999999.99"), "quantity": Decimal(2)}, "9,999,999,999.99"),
    ],
)
def test_amounts_xero_would_round_or_refuse_are_not_sent(
    door: Door, example: Example, changes: dict[str, Any], words: str
) -> None:
    """Fault row 85."""
    session = door.session()
    (came,) = door.adapter.create_invoices(session, [with_line(example.invoice(door, "X-1"), **changes)])
    assert (came.cause, session.calls_made) == (Cause.AMOUNT_NOT_ALLOWED, 0)
    assert words in came.message


def test_an_invoice_of_less_than_nothing_is_refused(door: Door, example: Example) -> None:
    """Fault row 85."""
    wanted = example.invoice(door, "X-1")
    line = replace(wanted.lines[0], price=Decimal("-500"))
    assert refused(door, replace(wanted, lines=(line,))).cause == Cause.AMOUNT_NOT_ALLOWED


@pytest.mark.parametrize(
    ("quantity", "price", "discount", "net", "tax"),
    [
        ("3", "33.3333", "0", "100.00", "15.00"),
        ("0.3333", "100", "0", "33.33", "5.00"),
        ("1", "0.01", "0", "0.01", "0.00"),
        ("1", "0.10", "0", "0.10", "0.02"),  # 0.015 goes up
        ("7", "14.29", "0.03", "100.00", "15.00"),
        ("-2", "50", "0", "-100.00", "-15.00"),  # a quantity below zero becomes a price below zero
        ("1", "9999999999.99", "0", "9999999999.99", "1500000000.00"),
        ("1", "0", "0", "0.00", "0.00"),
    ],
)
def test_amounts_arrive_as_they_were_meant_to_the_cent(
    door: Door, example: Example, quantity: str, price: str, discount: str, net: str, tax: str
) -> None:
    """Fault row 85."""
    wanted = example.invoice(door, "X-1")
    odd = replace(
        wanted.lines[0], quantity=Decimal(quantity), price=Decimal(price), discount=Decimal(discount), net=Decimal(net),
        tax=Decimal(tax),
    )  # fmt: skip
    ballast = replace(odd, quantity=Decimal(1), price=Decimal(200), discount=Decimal(0))
    made = example.create(door, replace(wanted, lines=(odd, ballast)))
    assert (made.net, made.tax) == (Decimal(net) + 200, Decimal(tax) + 30)
    assert made.lines is not None
    assert (made.lines[0].amount, made.lines[0].tax) == (Decimal(net), Decimal(tax))
    again = door.adapter.fetch_invoice(door.session(), made.remote_id)
    assert again.lines is not None
    assert abs(again.lines[0].price) == abs(Decimal(price))


def test_an_invoice_without_tax_bears_none(door: Door, example: Example) -> None:
    wanted = example.invoice(door, "X-1", mode=TaxMode.NONE)
    bare = replace(wanted, lines=tuple(replace(one, tax_id="", tax=Decimal(0)) for one in wanted.lines))
    made = example.create(door, bare)
    assert (made.tax, made.total) == (0, sum(one.net for one in wanted.lines))


def test_everything_there_is_to_say_of_an_invoice_arrives(door: Door, example: Example) -> None:
    lists = door.adapter.fetch_lists(door.session()).entries
    theme = next(one.remote_id for one in lists if one.kind == "branding" and one.name == "Advisory")
    (category, *_rest) = door.adapter.fetch_reference(door.session()).choices
    wanted = example.invoice(door, "X-1", branding_id=theme, reference="PO 77", sent=True)
    wanted = with_line(wanted, tracking={category.remote_id: category.options[1].remote_id})
    made = example.create(door, wanted)
    held = there(door, "GET", f"invoices/{made.remote_id}")["fields"]
    assert (held["BrandingThemeID"], held["Reference"], held["SentToContact"]) == (theme, "PO 77", True)
    assert held["Lines"][0]["Tracking"] == [
        {"TrackingCategoryID": category.remote_id, "TrackingOptionID": category.options[1].remote_id}
    ]
    assert held["Url"] == "https://portal.example.co.nz/invoices/X-1#counterpart-mark-X-1"


def test_the_link_with_our_sign_can_be_left_out(make_door: Callable[..., Door], example: Example) -> None:
    door = make_door(Xero, XERO_INVOICE_LINKS="off")
    made = example.create(door, example.invoice(door, "X-1"))
    assert made.mark == ""
    assert "Url" not in there(door, "GET", f"invoices/{made.remote_id}")["fields"]


def test_the_contact_is_named_by_its_identifier_only_so_that_nothing_of_it_changes(
    door: Door, example: Example
) -> None:
    wanted = example.invoice(door, "X-1", customer_name="Renamed Here Ltd", email="new@example.com")
    before = there(door, "GET", f"contacts/{wanted.customer_id}")
    made = example.create(door, wanted)
    after = there(door, "GET", f"contacts/{wanted.customer_id}")
    assert made.customer_name == "Somebody Special Ltd"
    assert (after["name"], after["email"]) == (before["name"], before["email"])
