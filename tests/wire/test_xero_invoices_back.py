"""What became of invoices in Xero, read back; and payments, out and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from portal.adapters.base import NeedsReconnect, RateLimited, Unavailable, UnexpectedReply, Unknown
from portal.adapters.xero import Xero
from portal.domain.records import Cause, InvoiceState, LedgerInvoice, LedgerPayment, Quarantined
from tests.adapters.conftest import Door
from tests.wire.ledger_contract import only
from tests.wire.test_xero import JSON
from tests.wire.xero_ledger import Example, spoil, there


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    return make_door(Xero)


@pytest.fixture
def example(door: Door) -> Example:
    found = Example()
    found.made = door
    return found


def test_who_may_not_write_invoices_needs_to_connect_again(door: Door, example: Example) -> None:
    wanted = example.invoice(door, "X-1")
    scopes = [one for one in door.adapter.info.scopes if one != "accounting.invoices"]
    given = door.sandbox.control.tokens(scopes=scopes, tenants=[door.account["id"]])
    assert door.tokens is not None
    door.tokens.held = [given["access_token"]]
    with pytest.raises(NeedsReconnect):
        door.adapter.create_invoices(door.session(), [wanted])


@pytest.mark.parametrize(("fault", "error"), [("status", Unavailable), ("rate_limited", RateLimited)])
def test_reading_invoices_meets_the_troubles_of_any_reading(door: Door, fault: str, error: type[Exception]) -> None:
    spoil(door, fault, retry_after="9999")
    with pytest.raises(error):
        list(door.adapter.fetch_invoices(door.session(), None))


def test_invoices_that_change_while_the_pages_are_turned_come_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 26."""
    monkeypatch.setattr("portal.adapters.xero.paging.LARGEST_PAGE", 3)
    numbers = {f"X-{n}" for n in range(10)}
    for number in sorted(numbers):
        there(door, "POST", "invoices", {"number": number, "total": "10.00"})
    pages = door.adapter.fetch_invoices(door.session(), None)
    first = next(pages)
    there(door, "PATCH", f"invoices/{first.remote_id}", {"reference": "changed"})
    there(door, "POST", "invoices", {"number": "X-NEW", "total": "10.00"})
    found = [first.number, *(one.number for one in pages)]
    assert len(found) == len(set(found))
    assert numbers <= set(found)


def test_what_is_open_or_drafted_is_listed_without_what_is_paid_or_ended(door: Door) -> None:
    for number in ("OPEN", "PAID", "VOID"):
        there(door, "POST", "invoices", {"number": number, "total": "10.00"})
    there(door, "POST", "invoices", {"number": "DRAFT", "total": "10.00", "status": "DRAFT"})
    there(door, "POST", "invoices/PAID/pay", {})
    there(door, "POST", "invoices/VOID/void", {})
    assert {one.number for one in door.adapter.fetch_invoices(door.session(), None)} == {"OPEN", "DRAFT"}
    since = datetime.now(UTC) - timedelta(minutes=5)
    states = {one.number: one.state for one in door.adapter.fetch_invoices(door.session(), since)}
    assert states == {
        "OPEN": InvoiceState.OPEN, "PAID": InvoiceState.PAID, "VOID": InvoiceState.VOIDED, "DRAFT": InvoiceState.DRAFT,
    }  # fmt: skip


def test_nothing_changed_since_is_an_empty_list_in_both_ways_to_say_so(door: Door) -> None:
    there(door, "POST", "invoices", {"number": "X-1", "total": "10.00"})
    later = datetime.now(UTC) + timedelta(hours=1)
    for says_304 in (False, True):
        door.sandbox.control.state(xero_unchanged_answers_304=says_304)
        assert list(door.adapter.fetch_invoices(door.session(), later)) == []


def test_an_invoice_that_cannot_be_understood_is_put_aside_and_the_others_come(door: Door) -> None:
    """Fault row 24."""
    there(door, "POST", "invoices", {"number": "ODD", "total": "10.00"})
    there(door, "POST", "invoices", {"number": "FINE", "total": "11.00"})
    spoil(door, "rewrite", replace=[['"Total":10.00', '"Total":"ten"']])
    found = list(door.adapter.fetch_invoices(door.session(), None))
    assert {type(one) for one in found} == {LedgerInvoice, Quarantined}
    with pytest.raises(UnexpectedReply):
        door.adapter.find_invoices(door.session(), ["ODD"], [])  # it may be the very one


def test_an_invoice_says_where_a_person_sees_it(door: Door, example: Example) -> None:
    made = example.create(door, example.invoice(door, "X-1"))
    (found,) = door.adapter.find_invoices(door.session(), ["X-1"], [])
    alone = door.adapter.fetch_invoice(door.session(), made.remote_id)
    assert made.web_url == found.web_url == alone.web_url
    page = requests.get(made.web_url, timeout=10)
    assert page.status_code == 200
    assert "X-1" in page.text
    assert Xero.info.settings[-2].default == "https://go.xero.com"


def test_hundreds_of_long_numbers_are_looked_up_in_several_calls(door: Door) -> None:
    numbers = [f"{n:03d}-{'x' * 200}" for n in range(40)]
    there(door, "POST", "invoices", {"number": numbers[7], "total": "10.00"})
    session = door.session()
    assert [one.number for one in door.adapter.find_invoices(session, numbers, [])] == [numbers[7]]
    assert session.calls_made == 6


def test_a_credit_note_takes_off_what_is_due(door: Door) -> None:
    made = there(door, "POST", "invoices", {"number": "X-1", "total": "100.00"})
    there(door, "POST", "invoices/X-1/credit", {"amount": "30.00"})
    there(door, "POST", "invoices/X-1/pay", {"amount": "20.00"})
    found = door.adapter.fetch_invoice(door.session(), made["uuid"])
    assert (found.total, found.paid, found.credited, found.due) == (100, 20, 30, 50)
    there(door, "POST", "invoices/X-1/pay", {})
    assert door.adapter.fetch_invoice(door.session(), made["uuid"]).state == InvoiceState.PAID
    there(door, "POST", "invoices/X-1/unpay", {})
    assert door.adapter.fetch_invoice(door.session(), made["uuid"]).state == InvoiceState.OPEN


def test_many_payments_go_out_in_one_call_each_with_its_own_outcome(door: Door, example: Example) -> None:
    first, second = (example.create(door, example.invoice(door, number)) for number in ("X-1", "X-2"))
    wanted = [
        example.payment(door, first, Decimal("10.00"), "p1"),
        example.payment(door, second, second.total + 1, "p2"),
        replace(example.payment(door, first, Decimal("5.00"), "p3"), into_id=""),
        example.payment(door, second, second.total, "p4"),
    ]
    session = door.session()
    one, much, nowhere, whole = door.adapter.create_payments(session, wanted)
    assert session.calls_made == 1
    assert isinstance(one, LedgerPayment)
    assert (one.reference, one.mark) == ("Card Visa 4242", "mark-p1")
    assert much.cause == Cause.AMOUNT_NOT_ALLOWED
    assert nowhere.cause == Cause.ACCOUNT_NOT_VALID
    assert isinstance(whole, LedgerPayment)
    assert door.adapter.fetch_invoice(door.session(), second.remote_id).state == InvoiceState.PAID


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status"])
def test_a_payment_whose_answer_was_lost_is_found_by_its_mark_beside_others(
    door: Door, example: Example, kind: str
) -> None:
    """Fault row 61."""
    made = example.create(door, example.invoice(door, "X-1"))
    there(door, "POST", f"invoices/{made.remote_id}/pay", {"amount": "10.00", "reference": "by cheque"})
    wanted = example.payment(door, made, Decimal("10.00"))
    spoil(door, kind, "Payments", method="PUT", times=1)
    with pytest.raises(Unknown):
        only(door.adapter.create_payments(door.session(), [wanted]))
    found = door.adapter.find_payments(door.session(), wanted)
    assert sorted(one.mark for one in found) == ["", wanted.mark]
    again = only(door.adapter.create_payments(door.session(), [wanted]))  # under the same key
    assert again.mark == wanted.mark
    assert there(door, "GET", "invoices/counts")["payments"] == 2


def test_a_payment_that_was_taken_back_there_says_so(door: Door, example: Example) -> None:
    made = example.create(door, example.invoice(door, "X-1"))
    wanted = example.payment(door, made, Decimal("10.00"))
    only(door.adapter.create_payments(door.session(), [wanted]))
    there(door, "POST", f"invoices/{made.remote_id}/unpay", {})
    (found,) = door.adapter.find_payments(door.session(), wanted)
    assert found.is_void
    assert door.adapter.fetch_invoice(door.session(), made.remote_id).payments == ()


def test_payments_refused_as_a_whole_are_unknown_since_nothing_keeps_a_second_one_away(
    door: Door, example: Example
) -> None:
    made = example.create(door, example.invoice(door, "X-1"))
    wanted = [example.payment(door, made, Decimal("1.00"), key) for key in ("p1", "p2")]
    spoil(door, "status", "Payments", method="PUT", times=1, status=400, body="{}", headers=JSON)
    outcomes = door.adapter.create_payments(door.session(), wanted)
    assert [type(one) for one in outcomes] == [Unknown, Unknown]
    assert len([one for one in door.calls("Payments") if one["method"] == "PUT"]) == 1
