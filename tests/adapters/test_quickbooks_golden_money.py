"""Invoices and payments as QuickBooks' documentation shows them and what they must become; and what goes out."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portal.adapters.http import Reply
from portal.adapters.ledger import InvoiceRefused
from portal.adapters.quickbooks import invoice_bodies, invoice_reading, marks
from portal.adapters.quickbooks.company import Company
from portal.adapters.quickbooks.exact import exact_json
from portal.adapters.values import NotUnderstood
from portal.domain.records import (
    Address,
    InvoiceLineOut,
    InvoiceOut,
    LedgerInvoice,
    PaymentOut,
    Quarantined,
    TaxMode,
)

FOLDER = Path(__file__).parent / "golden" / "quickbooks_money"
NZ = Company(
    country="NZ", home="NZD", has_currencies=False, numbers_itself=False, uses_tax=True, works_out_tax=False,
    closed_until=None, changed_at=None, read_at=datetime(2026, 11, 1, tzinfo=UTC),
)  # fmt: skip
US = replace(NZ, country="US", home="USD")
LINE = InvoiceLineOut(
    "Tax return", Decimal(3), Decimal("33.30"), Decimal(0), Decimal("99.90"), Decimal("14.99"), Decimal(15), tax_id="2",
    item_id="1",
)  # fmt: skip
OUT = InvoiceOut(
    key="k", mark="m-1", number="INV-1", customer_id="7", customer_key="", customer_name="Quay Cafe Ltd", email="",
    address=Address(), issued_on=date(2026, 11, 2), due_on=date(2026, 11, 20), currency="NZD",
    tax_mode=TaxMode.EXCLUSIVE, lines=(LINE,), net=Decimal("99.90"), tax=Decimal("14.99"), total=Decimal("114.89"),
)  # fmt: skip


def shown(one: LedgerInvoice | Quarantined) -> dict[str, Any]:
    """As the golden files have it: what is empty is left out, lines as short rows."""
    assert isinstance(one, LedgerInvoice)
    found = asdict(one)
    for row in found["lines"] or ():
        row.pop("account_id")
    lines = [
        [str(value) if isinstance(value, Decimal) else value for value in row.values()] for row in found["lines"] or ()
    ]
    texts = {name: str(value) for name, value in found.items() if value not in (None, "") and name != "lines"}
    texts.pop("credited")
    return texts | ({} if found["lines"] is None else {"lines": lines})


def test_the_documentations_invoices_become_these_records() -> None:
    data = (FOLDER / "invoices.wire.json").read_bytes()
    wire = Reply(200, {}, io.BytesIO(data), len(data)).json(exact=True)
    expected = json.loads((FOLDER / "invoices.records.json").read_text(encoding="utf-8"))
    found = [invoice_reading.invoice_or_quarantine(raw, "NZD") for raw in wire["QueryResponse"]["Invoice"]]
    assert [shown(one) for one in found] == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"TotalAmt": None}, "no total"),
        ({"TotalAmt": "a lot"}, "not a number"),
        ({"TotalAmt": True}, "not a number"),
        ({"Balance": [1]}, "not a number"),
        ({"TotalAmt": Decimal("1e30")}, "counts with"),
        ({"Id": ""}, "no identifier"),
        ({"Line": "none"}, "not a list"),
        ({"DocNumber": {"a": 1}}, "not a text"),
    ],
)
def test_an_invoice_that_makes_no_sense_is_set_aside_with_its_reason(change: dict[str, Any], reason: str) -> None:
    """Fault row 24."""
    raw = {"Id": "5", "DocNumber": "INV-5", "TotalAmt": 5, "Balance": 5, **change}
    found = invoice_reading.invoice_or_quarantine(raw, "NZD")
    assert isinstance(found, Quarantined)
    assert reason in found.reason


def test_numbers_may_come_as_text_and_fields_may_be_missing() -> None:
    """Fault row 24."""
    found = invoice_reading.invoice({"Id": 5, "TotalAmt": "10.50"}, "NZD")
    assert (found.remote_id, found.total, found.due, found.tax, found.lines) == (
        "5",
        Decimal("10.50"),
        found.total,
        None,
        (),
    )


def test_a_payment_for_two_invoices_is_two_of_ours() -> None:
    raw = {
        "Id": "9", "SyncToken": "0", "TotalAmt": Decimal("80.50"), "TxnDate": "2026-08-01", "PaymentRefNum": "1234",
        "CurrencyRef": {"value": "NZD"}, "PrivateNote": "[counterpart p-1]",
        "Line": [
            {"Amount": Decimal("55.00"), "LinkedTxn": [{"TxnId": "70", "TxnType": "Invoice"}],
             "LineEx": {"any": [{"name": "x", "value": {"Name": "txnId", "Value": "70"}}]}},
            {"Amount": 20, "LinkedTxn": [{"TxnId": "71", "TxnType": "Invoice"}]},
            {"Amount": 5, "LinkedTxn": [{"TxnId": "72", "TxnType": "CreditMemo"}]},
        ],
    }  # fmt: skip
    first, second = invoice_reading.payments_of(raw, "USD")
    assert (first.invoice_id, first.amount, first.reference, first.mark) == ("70", Decimal("55.00"), "1234", "p-1")
    assert (second.invoice_id, second.amount, second.paid_on) == ("71", Decimal(20), date(2026, 8, 1))
    (void,) = invoice_reading.payments_of({"Id": "9", "TotalAmt": 0, "Line": [], "PrivateNote": "Voided"}, "NZD")
    assert void.is_void and void.invoice_id == ""
    (loose,) = invoice_reading.payments_of({"Id": "9", "TotalAmt": 30, "Line": []}, "NZD")
    assert (loose.invoice_id, loose.amount, loose.is_void) == ("", Decimal(30), False)
    with pytest.raises(NotUnderstood):
        invoice_reading.payments_of({"TotalAmt": 5}, "NZD")


def test_an_invoice_goes_out_like_this() -> None:
    assert json.loads(exact_json(invoice_bodies.new_invoice(OUT, NZ))) == {
        "CustomerRef": {"value": "7"},
        "DocNumber": "INV-1",
        "TxnDate": "2026-11-02",
        "DueDate": "2026-11-20",
        "PrivateNote": "[counterpart m-1]",
        "GlobalTaxCalculation": "TaxExcluded",
        "Line": [
            {
                "DetailType": "SalesItemLineDetail", "Amount": 99.9, "Description": "Tax return",
                "SalesItemLineDetail": {
                    "ItemRef": {"value": "1"}, "Qty": 3, "UnitPrice": 33.3, "TaxCodeRef": {"value": "2"},
                },
            }
        ],
    }  # fmt: skip
    assert '"Amount":99.90' in exact_json(invoice_bodies.new_invoice(OUT, NZ))


def test_prices_with_tax_go_out_without_it_and_with_both_amounts() -> None:
    line = replace(LINE, quantity=Decimal(1), price=Decimal(115), net=Decimal(100), tax=Decimal(15))
    body = invoice_bodies.new_invoice(replace(OUT, lines=(line,), tax_mode=TaxMode.INCLUSIVE), NZ)
    (sent,) = body["Line"]
    assert (sent["Amount"], sent["SalesItemLineDetail"]["UnitPrice"]) == (100, 100)
    assert sent["SalesItemLineDetail"]["TaxInclusiveAmt"] == 115
    assert (sent["Description"], body["GlobalTaxCalculation"]) == ("Tax return", "TaxInclusive")


def test_an_american_invoice_goes_out_like_this() -> None:
    lines = (replace(LINE, tax_id="5"), replace(LINE, tax_id="NON", tax=Decimal(0)), replace(LINE, tax_id=""))
    body = invoice_bodies.new_invoice(replace(OUT, currency="USD", lines=lines), US)
    assert [one["SalesItemLineDetail"]["TaxCodeRef"]["value"] for one in body["Line"]] == ["TAX", "NON", "NON"]
    assert body["TxnTaxDetail"] == {"TxnTaxCodeRef": {"value": "5"}}
    assert "GlobalTaxCalculation" not in body
    told = invoice_bodies.new_invoice(replace(OUT, currency="USD", lines=(replace(LINE, tax_id="TAX"),)), US)
    assert "TxnTaxDetail" not in told


@pytest.mark.parametrize(
    ("quantity", "price", "discount", "net", "sent"),
    [
        ("2", "50", "0", "100", ("2", "50", "Tax return")),
        ("3", "33.333", "0", "100.00", ("1", "100.00", "Tax return\n3 × 33.333")),
        ("1", "99.999", "0", "100.00", ("1", "100.00", "Tax return")),
        ("4", "25", "10", "90", ("4", "22.50", "Tax return\n4 × 25, less 10")),
        ("1", "1000", "100", "900", ("1", "900.00", "Tax return\n1 × 1,000, less 100")),
        ("0.5", "12.345", "0", "6.17", ("0.5", "12.34", "Tax return\n0.5 × 12.345")),
        ("0", "50", "0", "0", ("0", "50", "Tax return")),
        ("-1", "30", "0", "-30", ("-1", "30", "Tax return")),
        ("2.7500", "80", "0", "220.0000", ("2.7500", "80", "Tax return")),
    ],
)
def test_amounts_are_quantity_times_price_or_the_text_says_how(
    quantity: str, price: str, discount: str, net: str, sent: tuple[str, str, str]
) -> None:
    """Fault row 85."""
    line = replace(LINE, quantity=Decimal(quantity), price=Decimal(price), discount=Decimal(discount), net=Decimal(net))
    (body,) = invoice_bodies.new_invoice(replace(OUT, lines=(line,)), NZ)["Line"]
    detail = body["SalesItemLineDetail"]
    assert (str(detail["Qty"]), str(detail["UnitPrice"]), body["Description"]) == sent
    assert detail["Qty"] * detail["UnitPrice"] == body["Amount"] == Decimal(net)


def test_a_currency_without_cents_is_divided_into_whole_coins() -> None:
    line = replace(LINE, quantity=Decimal(3), price=Decimal(100), discount=Decimal(1), net=Decimal(299), tax=Decimal(0))
    yen = replace(OUT, currency="JPY", lines=(line,))
    (body,) = invoice_bodies.new_invoice(yen, replace(NZ, has_currencies=True))["Line"]
    assert body["SalesItemLineDetail"]["Qty"] == 1


def test_a_payment_goes_out_like_this() -> None:
    wanted = PaymentOut(
        "k", "p-1", "70", "m-1", "7", "", Decimal("55.00"), "NZD", date(2026, 8, 1), method="Card", reference="ch_1",
    )  # fmt: skip
    assert json.loads(exact_json(invoice_bodies.new_payment(wanted, NZ))) == {
        "CustomerRef": {"value": "7"},
        "TotalAmt": 55.0,
        "TxnDate": "2026-08-01",
        "PaymentRefNum": "ch_1",
        "PrivateNote": "[counterpart p-1]\nReference: ch_1\nCard",
        "Line": [{"Amount": 55.0, "LinkedTxn": [{"TxnId": "70", "TxnType": "Invoice"}]}],
    }
    long = replace(wanted, reference="r" * 40, into_id="5")
    body = invoice_bodies.new_payment(long, replace(NZ, has_currencies=True))
    assert "PaymentRefNum" not in body
    assert (body["DepositToAccountRef"], body["CurrencyRef"]) == ({"value": "5"}, {"value": "NZD"})


def test_what_quickbooks_cannot_take_never_leaves() -> None:
    for change in (
        {"number": "N" * 22}, {"lines": ()}, {"approved": False}, {"customer_id": ""}, {"total": Decimal(-1)},
        {"currency": "USD"}, {"lines": (replace(LINE, item_id=""),)}, {"lines": (replace(LINE, tax_id=""),)},
        {"lines": (LINE,) * 751},
    ):  # fmt: skip
        with pytest.raises(InvoiceRefused) as refusal:
            invoice_bodies.new_invoice(replace(OUT, **change), NZ)
        assert refusal.value.message.endswith(".")


def test_our_sign_is_found_wherever_it_stands() -> None:
    said = marks.note("a-1", reference="PO 7", lines=("https://portal.example/1",))
    for note in (said, f"Voided - {said}", f"Call first\n{said}\nthen mail", said.upper().lower()):
        assert marks.mark_in(note) == "a-1"
    assert marks.reference_in(f"Voided - {said}") == "PO 7"
    assert marks.reference_in("Reference: somebody else's") == ""
    assert marks.mark_in("[another app a-1]") == ""
    assert len(marks.note("a-1", lines=("x" * 9000,))) == 4000
