"""Invoices into QuickBooks: what arrives there, what it comes to, and how it is found again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from portal.adapters.base import NotThere, Unknown
from portal.adapters.quickbooks import QuickBooks
from portal.domain.records import Address, InvoiceState, LedgerInvoice, ListKind, TaxMode
from tests.adapters.conftest import Door
from tests.wire.quickbooks_books import (
    ADVISORY_ITEM,
    DUE,
    GST,
    HARBOUR,
    ISSUED,
    ZERO,
    _in_a_hurry,
    company,
    counts,
    create,
    created,
    fields,
    invoice,
    line,
    minutes_later,
)
from tests.wire.quickbooks_company import asked, door, made, somebody, spoil, switch

__all__ = ["_in_a_hurry", "door", "somebody"]  # fixtures of this file


def find(door: Door, *wanted: Any) -> list[LedgerInvoice]:
    numbers, marks = [one.number for one in wanted], [one.mark for one in wanted]
    return list(door.adapter.find_invoices(door.session(), numbers, marks))


def test_an_invoice_arrives_with_everything_it_was_given(door: Door, somebody: str) -> None:
    wanted = invoice(
        somebody, "INV-7", line("120.50", "2"), line("80", tax_id=ZERO, percent="0", item_id=ADVISORY_ITEM),
        reference="Proposal 12", memo="Thank you", term_id="3", sent=True, url="https://portal.example/invoices/7",
        address=Address("1 Quay Street\nLevel 3", "Nelson", "", "7010", "New Zealand"),
    )  # fmt: skip
    made_there = created(door, wanted)
    assert (made_there.number, made_there.mark, made_there.reference) == ("INV-7", "mark-INV-7", "Proposal 12")
    assert (made_there.state, made_there.customer_id) == (InvoiceState.OPEN, somebody)
    assert (made_there.issued_on, made_there.due_on, made_there.currency) == (ISSUED, DUE, "NZD")
    assert (made_there.net, made_there.tax, made_there.total) == (Decimal("321"), Decimal("36.15"), Decimal("357.15"))
    assert (made_there.paid, made_there.due) == (Decimal(0), Decimal("357.15"))
    assert [(one.quantity, one.price, one.item_id, one.tax_id) for one in made_there.lines or ()] == [
        (Decimal(2), Decimal("120.5"), "1", GST),
        (Decimal(1), Decimal(80), ADVISORY_ITEM, ZERO),
    ]
    there = fields(door, made_there.remote_id)
    assert there["BillAddr"]["Line2"] == "Level 3"
    assert there["CustomerMemo"] == {"value": "Thank you"}
    assert (there["SalesTermRef"], there["EmailStatus"]) == ({"value": "3"}, "EmailSent")
    assert "https://portal.example/invoices/7" in there["PrivateNote"]
    assert door.adapter.fetch_invoice(door.session(), made_there.remote_id) == made_there


def test_amounts_go_out_as_the_decimals_they_are(door: Door, somebody: str) -> None:
    """Fault row 85."""
    wanted = invoice(somebody, "INV-1", line("1234567890.15", net="1234567890.15", tax="185185183.52"))
    made_there = created(door, wanted)
    assert made_there.net == Decimal("1234567890.15")
    assert made_there.total == Decimal("1419753073.67")


@pytest.mark.parametrize(
    ("lines", "net", "tax"),
    [
        ([line("0.10", "3"), line("0.20")], "0.50", "0.08"),
        ([line("33.33"), line("33.33"), line("33.34")], "100.00", "15.00"),
        ([line("19.99", tax="3.00")] * 7, "139.93", "20.99"),  # each line rounded would be 21.00
        ([line("50", "3", discount="12.50")], "137.50", "20.63"),
        ([line("100", "3", discount="0.10")], "299.90", "44.99"),
        ([line("33.333", "3", net="100.00")], "100.00", "15.00"),
        ([line("12.345", "0.5", net="6.17", tax="0.93")], "6.17", "0.93"),
        ([line("85", "2.75")], "233.75", "35.06"),
        ([line("100"), line("-30")], "70", "10.50"),
        ([line("0")], "0", "0"),
    ],
)
def test_what_it_comes_to_is_what_quickbooks_works_out(
    door: Door, somebody: str, lines: list[Any], net: str, tax: str
) -> None:
    """Fault row 85."""
    found = created(door, invoice(somebody, "INV-1", *lines))
    assert (found.net, found.tax) == (Decimal(net), Decimal(tax))
    for one in found.lines or ():
        assert round(one.quantity * one.price, 2) == one.amount


def test_a_discount_is_told_in_the_line(door: Door, somebody: str) -> None:
    (only,) = created(door, invoice(somebody, "INV-1", line("50", "3", discount="12.51"))).lines or ()
    assert only.amount == Decimal("137.49")
    assert only.description == "Annual accounts 2026\n3 × 50, less 12.51"
    assert (only.quantity, only.price) == (Decimal(3), Decimal("45.83"))
    (odd,) = created(door, invoice(somebody, "INV-2", line("50", "3", discount="12.50"))).lines or ()
    assert (odd.quantity, odd.price) == (Decimal(1), Decimal("137.5"))


@pytest.mark.parametrize(
    ("gross", "net", "tax"), [("115", "100", "15"), ("100", "86.96", "13.04"), ("0.05", "0.04", "0.01")]
)
def test_prices_with_tax_in_them_come_to_the_same(door: Door, somebody: str, gross: str, net: str, tax: str) -> None:
    wanted = invoice(somebody, "INV-1", line(gross, net=net, tax=tax), tax_mode=TaxMode.INCLUSIVE)
    found = created(door, wanted)
    assert (found.net, found.tax, found.total) == (Decimal(net), Decimal(tax), Decimal(gross))
    assert fields(door, found.remote_id)["GlobalTaxCalculation"] == "TaxInclusive"


@pytest.mark.parametrize("gross", ["115", "100", "0.05"])
def test_the_other_reading_of_prices_with_tax_is_a_setting(make_door: Any, somebody: str, gross: str) -> None:
    door = make_door(QuickBooks, QUICKBOOKS_TAX_INCLUSIVE_LINES="gross")
    switch(door, tax_inclusive_lines="gross")
    net = round(Decimal(gross) * 100 / 115, 2)
    wanted = invoice(somebody, "INV-1", line(gross, net=net, tax=Decimal(gross) - net), tax_mode=TaxMode.INCLUSIVE)
    found = created(door, wanted)
    assert (found.net, found.total) == (net, Decimal(gross))
    assert [(one.quantity, one.price) for one in found.lines or ()] == [(1, Decimal(gross))]


def test_an_invoice_without_tax_says_so(door: Door, somebody: str) -> None:
    wanted = invoice(somebody, "INV-1", line(percent="0", tax="0", tax_id=""), tax_mode=TaxMode.NONE)
    found = created(door, wanted)
    assert (found.tax, found.total) == (Decimal(0), Decimal(100))
    assert fields(door, found.remote_id)["GlobalTaxCalculation"] == "NotApplicable"


def test_in_the_united_states_an_invoice_has_one_sales_tax(make_door: Any) -> None:
    door = make_door(QuickBooks)
    door.account = {**door.account, "id": HARBOUR}
    customer = str(company(door, "POST", "customers", {"name": "Pier Cafe Inc"}, realm=HARBOUR)["uuid"])
    lines = (line("100", percent="8.6", tax_id="2"), line("50", percent="0", tax_id="NON"))
    found = created(door, invoice(customer, "INV-1", *lines, currency="USD"))
    assert (found.net, found.tax, found.total) == (Decimal(150), Decimal("8.60"), Decimal("158.60"))
    assert [one.tax_id for one in found.lines or ()] == ["TAX", "NON"]
    (sent,) = [call for call in door.calls("/invoice$") if call["method"] == "POST"]
    assert sent["status"] == 200
    there = company(door, "GET", f"invoices/{found.remote_id}?tenant={HARBOUR}")["fields"]
    assert "GlobalTaxCalculation" not in there
    assert there["TxnTaxDetail"]["TxnTaxCodeRef"] == {"value": "2"}


def test_a_thousand_invoices_take_thirty_four_batches(door: Door, somebody: str) -> None:
    wanted = [invoice(somebody, f"INV-{number:04}") for number in range(1000)]
    session, size = door.session(), door.adapter.ledger.invoice_batch
    for start in range(0, 1000, size):
        outcomes = door.adapter.create_invoices(session, wanted[start : start + size])
        assert [one.number for one in outcomes] == [one.number for one in wanted[start : start + size]]
    assert len(door.calls("/batch$")) == 34
    assert counts(door)["invoices"] == 1000
    assert set(counts(door)["by_number"].values()) == {1}


def test_one_bad_item_of_a_batch_holds_nobody_up(door: Door, somebody: str) -> None:
    wanted = [invoice(somebody, f"INV-{number}") for number in range(5)]
    wanted[2] = invoice(somebody, "INV-2", line(item_id="9"))
    wanted[3] = invoice(somebody, "X" * 22)
    outcomes = create(door, *wanted)
    assert [isinstance(one, LedgerInvoice) for one in outcomes] == [True, True, False, False, True]
    assert [one.number for one in outcomes if isinstance(one, LedgerInvoice)] == ["INV-0", "INV-1", "INV-4"]
    assert counts(door)["invoices"] == 3


def test_an_item_the_answer_leaves_out_is_unknown(door: Door, somebody: str) -> None:
    spoil(door, "rewrite", path="/batch$", replace=[['"bId":"2"', '"bId":"7"']])
    outcomes = create(door, *(invoice(somebody, f"INV-{number}") for number in range(3)))
    assert [type(one).__name__ for one in outcomes] == ["LedgerInvoice", "Unknown", "LedgerInvoice"]


def test_an_answer_about_another_invoice_is_no_success(door: Door, somebody: str) -> None:
    spoil(door, "rewrite", path="/invoice$", replace=[["mark-INV-1", "mark-INV-9"]])
    (found,) = create(door, invoice(somebody, "INV-1"))
    assert isinstance(found, Unknown)


@pytest.mark.parametrize("many", [1, 3])
@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "garbage"])
def test_a_lost_answer_is_found_again_by_number(door: Door, somebody: str, kind: str, many: int) -> None:
    """Fault rows 4, 11 and 12."""
    wanted = [invoice(somebody, f"INV-{number}") for number in range(many)]
    spoil(door, kind, path="/(batch|invoice)$", times=1, garbage="truncated")
    with pytest.raises(Unknown):
        create(door, *wanted)
    found = find(door, *wanted)
    assert {(one.number, one.mark) for one in found} == {(one.number, one.mark) for one in wanted}
    assert counts(door)["invoices"] == many


def test_the_same_key_is_the_same_invoice_while_quickbooks_remembers(door: Door, somebody: str) -> None:
    """Fault row 14."""
    wanted = [invoice(somebody, f"INV-{number}") for number in range(3)]
    first, again = create(door, *wanted), create(door, *wanted)
    assert first == again
    assert counts(door)["invoices"] == 3
    company(door, "POST", "idempotency/forget")
    assert {one.number for one in find(door, *wanted)} == {"INV-0", "INV-1", "INV-2"}  # so nobody writes again


def test_where_keys_are_ignored_only_looking_protects(door: Door, somebody: str) -> None:
    """Fault row 15."""
    switch(door, requestid="ignored")
    wanted = invoice(somebody, "INV-1")
    created(door, wanted)
    assert [one.mark for one in find(door, wanted)] == [wanted.mark]
    created(door, wanted)  # whoever does not look writes it twice
    assert counts(door)["by_number"] == {"INV-1": 2}
    assert len(find(door, wanted)) == 2


def test_a_look_that_lags_behind_finds_it_later(door: Door, somebody: str) -> None:
    """Fault row 16."""
    switch(door, index_lag_seconds=60)
    wanted = invoice(somebody, "INV-1")
    created(door, wanted)
    assert find(door, wanted) == []
    door.sandbox.control.clock(advance_seconds=61)
    assert [one.mark for one in find(door, wanted)] == [wanted.mark]
    assert door.adapter.ledger.look_ups_settle_after > timedelta(seconds=60)


def test_an_error_inside_a_200_is_no_success(door: Door, somebody: str) -> None:
    """Fault row 13."""
    switch(door, faults_in_200=True)
    (found,) = create(door, invoice(somebody, "INV-1", line(tax_id="99")))
    assert not isinstance(found, LedgerInvoice)
    spoil(door, "business_error", message="Business Validation Error: Not today", path="/invoice$")
    (refused,) = create(door, invoice(somebody, "INV-2"))
    assert "Not today" in refused.message
    assert counts(door)["invoices"] == 0


def test_numbers_of_other_people_are_found_too_and_are_not_ours(door: Door, somebody: str) -> None:
    """Fault row 94."""
    company(door, "POST", "invoices", {"customer": somebody, "amount": 80, "number": "inv-1"})
    (found,) = find(door, invoice(somebody, "INV-1"))
    assert (found.mark, found.number) == ("", "inv-1")


def test_an_apostrophe_in_a_number_is_only_a_letter(door: Door, somebody: str) -> None:
    wanted = invoice(somebody, "Q4 O'Neil\\1")
    created(door, wanted)
    assert [one.number for one in find(door, wanted)] == ["Q4 O'Neil\\1"]


def test_a_hundred_numbers_are_one_question(door: Door, somebody: str) -> None:
    wanted = [invoice(somebody, f"INV-2026-{number:012}") for number in range(door.adapter.ledger.look_up_batch)]
    created(door, wanted[-1])
    before = len(door.calls("/query$"))
    assert len(find(door, *wanted)) == 1
    assert len(door.calls("/query$")) == before + 1


def test_where_quickbooks_numbers_itself_ours_is_known_by_its_sign(door: Door, somebody: str) -> None:
    company(door, "POST", "preferences", {"custom_numbers": False})
    wanted = invoice(somebody, "INV-1", line())
    found = created(door, wanted)
    assert found.number == "1001"
    assert found.mark == wanted.mark
    assert "Invoice INV-1" in fields(door, found.remote_id)["PrivateNote"]
    assert [one.remote_id for one in find(door, wanted)] == [found.remote_id]
    assert find(door, invoice(somebody, "INV-2")) == []


def test_a_change_of_who_numbers_invoices_loses_none(door: Door, somebody: str) -> None:
    company(door, "POST", "preferences", {"custom_numbers": False})
    wanted = invoice(somebody, "INV-1")
    made_there = created(door, wanted)
    company(door, "POST", "preferences", {"custom_numbers": True})
    minutes_later(door)
    assert [one.remote_id for one in find(door, wanted)] == [made_there.remote_id]


def test_the_sign_survives_what_people_write_around_it(door: Door, somebody: str) -> None:
    wanted = invoice(somebody, "INV-1")
    found = created(door, wanted)
    note = fields(door, found.remote_id)["PrivateNote"]
    company(door, "PATCH", f"invoices/{found.remote_id}", {"note": f"Call them first!\n{note}\nDone. JP"})
    assert door.adapter.fetch_invoice(door.session(), found.remote_id).mark == wanted.mark
    company(door, "POST", f"invoices/{found.remote_id}/void")
    after = door.adapter.fetch_invoice(door.session(), found.remote_id)
    assert (after.state, after.mark, after.due) == (InvoiceState.VOIDED, wanted.mark, Decimal(0))


def test_an_invoice_that_is_no_more_is_said_not_to_be(door: Door, somebody: str) -> None:
    found = created(door, invoice(somebody, "INV-1"))
    company(door, "POST", f"invoices/{found.remote_id}/delete")
    for remote_id in (found.remote_id, "987654", "not-a-number"):
        with pytest.raises(NotThere):
            door.adapter.fetch_invoice(door.session(), remote_id)


def test_lists_say_what_can_stand_on_an_invoice(door: Door) -> None:
    company(door, "POST", "preferences", {"closed_until": "2026-03-31"})
    session = door.session()
    found = door.adapter.fetch_lists(session)
    assert session.calls_made <= 7
    assert (found.currency, str(found.locked_until)) == ("NZD", "2026-03-31")
    taxes = {one.name: one for one in found.entries if one.kind is ListKind.TAX}
    assert {name: one.percent for name, one in taxes.items() if one.fits} == {
        "15% GST": Decimal(15), "Zero rated": Decimal(0), "Exempt": Decimal(0), "12.5% GST": Decimal("12.5"),
    }  # fmt: skip
    assert (taxes["12.5% GST"].is_active, taxes["GST on purchases"].fits) == (False, False)
    items = {one.name: one for one in found.entries if one.kind is ListKind.ITEM}
    assert items["Annual accounts"].fits and not items["Compliance"].fits
    assert not items["Old service"].is_active
    into = [one.name for one in found.entries if one.kind is ListKind.PAY_INTO]
    assert into == ["Undeposited Funds", "Business cheque account", "Savings account"]
    assert {one.name for one in found.entries if one.kind is ListKind.TERM} >= {"Net 30", "Due on receipt"}
    assert {one.kind for one in found.entries} == set(door.adapter.ledger.lists)
    assert all(one.why_not for one in found.entries if not one.fits)


def test_lists_of_an_american_company_name_its_sales_taxes(make_door: Any) -> None:
    door = make_door(QuickBooks)
    door.account = {**door.account, "id": HARBOUR}
    taxes = {one.remote_id: one for one in door.adapter.fetch_lists(door.session()).entries if one.kind == "tax"}
    assert {name: one.percent for name, one in taxes.items() if one.fits} == {
        "2": Decimal("8.6"), "3": Decimal("6.5"), "NON": Decimal(0),
    }  # fmt: skip
    company(door, "POST", "preferences", {"automated_tax": True}, realm=HARBOUR)
    taxes = {one.remote_id: one for one in door.adapter.fetch_lists(door.session()).entries if one.kind == "tax"}
    assert {name for name, one in taxes.items() if one.fits} == {"TAX", "NON"}


def test_nothing_that_exists_is_ever_changed(door: Door, somebody: str) -> None:
    found = created(door, invoice(somebody, "INV-1"))
    create(door, invoice(somebody, "INV-1", line("999"), key="another"))
    assert door.adapter.fetch_invoice(door.session(), found.remote_id).total == Decimal(115)
    for query in asked(door, "/(invoice|batch)$"):
        assert "operation" not in query and "include" not in query


def test_settings_are_read_once_for_many_calls(door: Door, somebody: str) -> None:
    for number in range(4):
        wanted = invoice(somebody, f"INV-{number}")
        find(door, wanted)
        created(door, wanted)
    assert len(door.calls("/preferences$")) == 1
    assert len(door.calls("/companyinfo/")) == 1


def test_what_goes_out_is_plain_json_with_exact_numbers(door: Door, somebody: str) -> None:
    from portal.adapters.quickbooks.exact import exact_json

    body = {"a": [Decimal("0.10"), Decimal("1E+3"), 1, None, True], "b": "“x”\n"}
    assert exact_json(body) == '{"a":[0.10,1000,1,null,true],"b":"“x”\\n"}'
    assert json.loads(exact_json(body))["b"] == "“x”\n"


def test_a_customer_made_here_can_be_billed_at_once(door: Door) -> None:
    before = datetime.now(UTC)
    found = created(door, invoice(made(door, "Brand New Ltd"), "INV-1"))
    assert found.customer_name == "Brand New Ltd"
    assert found.changed_at is not None and found.changed_at >= before - timedelta(seconds=2)
