"""Invoices and payments as they go to Digits, entries as they come back, and signed events, by example."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from babel.numbers import get_currency_precision

from portal.adapters.base import Rejected
from portal.adapters.digits import chart, events, paperwork, wire
from portal.adapters.digits.chart import Category, Declared
from portal.adapters.digits.entries import Found
from portal.adapters.digits.wire import Readings
from portal.adapters.ledger import InvoiceRefused, WebhookRefused
from portal.domain.records import (
    Address,
    Cause,
    InvoiceLineOut,
    InvoiceOut,
    InvoiceState,
    LedgerEvent,
    PaymentOut,
    TaxMode,
)

FOLDER = Path(__file__).parent / "golden" / "digits"
LIKELY = {one.name: one.default for one in wire.SETTINGS}
INCOME = Category("7b6a0f0e-0001", "Service income", "Income", "SalesRevenue", "4000", True)
BANK = Category("7b6a0f0e-0002", "Checking", "Assets", "BankAccounts", "1010", True)
DECLARED = Declared({one.remote_id: one.label for one in (INCOME, BANK)}, True, 0.0)
INVOICE = InvoiceOut(
    key="k1", mark="inv-1001", number="1001", customer_id="d-77", customer_key="cust-77",
    customer_name="Northwind Dental LLC", email="", address=Address(), issued_on=date(2026, 6, 1),
    due_on=date(2026, 6, 20), currency="USD", tax_mode=TaxMode.EXCLUSIVE, reference="CLI-7",
    lines=(
        InvoiceLineOut(
            "Monthly bookkeeping", quantity=Decimal(1), price=Decimal(500), discount=Decimal(0), net=Decimal(500),
            tax=Decimal("43.75"), tax_percent=Decimal("8.75"), account_id=INCOME.remote_id,
        ),
    ),
    net=Decimal(500), tax=Decimal("43.75"), total=Decimal("543.75"),
)  # fmt: skip
PAYMENT = PaymentOut(
    key="k2", mark="pay-9", invoice_id="inv-1001", invoice_key="inv-1001", customer_id="d-77", customer_key="cust-77",
    amount=Decimal("543.75"), currency="USD", paid_on=date(2026, 6, 3), method="Card", reference="ch_1",
    into_id=BANK.remote_id,
)  # fmt: skip


def forms(**settings: str) -> Readings:
    return wire.readings((LIKELY | settings).__getitem__)


def golden(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "settings"),
    [("likely", {}), ("other", {"DIGITS_SOURCE_NAME": "accountId", "DIGITS_INVOICE_FORM": "pascal"})],
)
def test_an_invoice_and_its_payment_go_out_like_this(name: str, settings: dict[str, str]) -> None:
    sent = [
        paperwork.invoice(INVOICE, DECLARED, forms(**settings)),
        paperwork.payment(PAYMENT, DECLARED, forms(**settings)),
    ]
    assert {"transactions": sent} == golden(f"transactions.{name}.json")


def test_debits_and_credits_balance_in_every_transaction() -> None:
    for name in ("likely", "other"):
        for one in golden(f"transactions.{name}.json")["transactions"]:
            sides = {"Debit": 0, "Credit": 0}
            for entry in one["entries"]:
                sides[entry["type"]] += entry["amount"]["amount"]
            assert sides["Debit"] == sides["Credit"] > 0


@pytest.mark.parametrize(
    ("setting", "reference"), [("digitsId", {"digitsId": "d-77"}), ("id", {"id": "d-77"}),
                               ("name", {"externalId": {"issuer": "counterpart", "id": "ledger-d-77"}})],
)  # fmt: skip
def test_a_customer_that_is_not_ours_is_named_as_the_setting_says(setting: str, reference: dict[str, Any]) -> None:
    sent = paperwork.invoice(replace(INVOICE, customer_key=""), DECLARED, forms(DIGITS_COUNTERPARTY=setting))
    assert sent["counterparty"] == reference
    assert {json.dumps(one["counterparty"]) for one in sent["entries"]} == {json.dumps(reference)}


def test_minor_units_are_those_of_the_currency() -> None:
    """Fault row 85."""
    every = ("USD", "EUR", "NZD", "GBP", *paperwork.NO_CENTS, *paperwork.MILLS)
    for code in set(every) - {"UYI"}:  # an index unit that babel counts with the pesos
        assert paperwork.places(code) == get_currency_precision(code) or code in ("IQD",), code
    assert paperwork.minor(Decimal("12.30"), "USD") == 1230
    assert paperwork.minor(Decimal("1.2300"), "KWD") == 1230
    assert paperwork.major(1230, "JPY") == Decimal(1230)
    for odd, code in (("12.305", "USD"), ("0.5", "JPY"), ("Infinity", "USD"), ("1E+15", "USD")):
        with pytest.raises(InvoiceRefused):
            paperwork.minor(Decimal(odd), code)


@pytest.mark.parametrize(
    ("words", "cause"),
    [("There is no party c7.", Cause.CUSTOMER_GONE), ("unknown counterparty", Cause.CUSTOMER_GONE),
     ("The source does not declare the label x.", Cause.ACCOUNT_NOT_VALID),
     ("category is archived", Cause.ACCOUNT_NOT_VALID),
     ("The books are closed through May.", Cause.PERIOD_LOCKED), ("period locked", Cause.PERIOD_LOCKED),
     ("Debits and credits must balance.", Cause.AMOUNT_NOT_ALLOWED), ("currency not supported", Cause.CURRENCY),
     ("invalid tax", Cause.TAX_MISSING), ("no", Cause.OTHER), ("", Cause.OTHER)],
)  # fmt: skip
def test_what_digits_says_points_to_a_cause(words: str, cause: Cause) -> None:
    made = paperwork.refusal(Rejected("x", status=400, vendor_text=words), alone=True)
    assert (made.cause, made.vendor_text, made.status) == (cause, words, 400)
    assert made.message.endswith(".")


# Back


def test_entries_become_our_invoice_with_our_payment_and_somebody_elses() -> None:
    found = Found()
    for row in golden("entries.wire.json")["entryDetails"]:
        found.take(row)
    ours = found.invoice("inv-1001")
    assert ours is not None
    assert (ours.remote_id, ours.number, ours.state, ours.total, ours.paid, ours.due) == (
        "inv-1001", "1001", InvoiceState.OPEN, Decimal("543.75"), Decimal("43.75"), Decimal(500),
    )  # fmt: skip
    assert (ours.issued_on, ours.currency, ours.customer_name) == (date(2026, 6, 1), "USD", "Northwind Dental LLC")
    (payment,) = ours.payments or ()
    assert (payment.mark, payment.invoice_id, payment.paid_on) == ("pay-9", "inv-1001", date(2026, 6, 3))
    (other,) = found.elsewhere()
    assert (other.remote_id, other.number, other.total, other.due_on) == ("t-3", "77", Decimal(80), date(2026, 7, 1))
    assert [(one.remote_id, one.reason) for one in found.odd] == [
        ("t-4", "Its amount is not a whole number of minor units."),
        ("t-5", "It does not say whether it is a debit or a credit."),
    ]


def test_a_row_that_comes_twice_counts_once() -> None:
    """Fault row 26: a transaction written anew moves to the end of the list while it is read."""
    found = Found()
    for row in golden("entries.wire.json")["entryDetails"] * 2:
        found.take(row)
    ours = found.invoice("inv-1001")
    assert ours is not None
    assert (ours.total, ours.paid) == (Decimal("543.75"), Decimal("43.75"))
    assert len(list(found.elsewhere())) == 1


def test_tax_goes_to_the_liability_that_looks_like_it_or_that_the_setting_names() -> None:
    def liability(number: str, name: str, subtype: str = "", is_active: bool = True) -> Category:
        return Category(number, name, "Liabilities", subtype, number, is_active)

    books = [
        liability("2000", "Accounts Payable"), liability("2190", "Old VAT", is_active=False),
        liability("2200", "Sales Tax Payable"), liability("2300", "Other", "TaxesPayable"),
    ]  # fmt: skip
    assert [getattr(chart.tax_category_of(books, wanted), "number", None) for wanted in ("", "other", "2300", "x")] == [
        "2200", "2300", "2300", None,
    ]  # fmt: skip
    assert chart.tax_category_of(books[:2], "") is None


def test_categories_of_one_name_cannot_be_told_apart_by_a_label() -> None:
    twin = replace(INCOME, remote_id="7b6a0f0e-0003", number="4100")
    (first, second, bank_as_target, bank) = chart.entries([INCOME, twin, BANK])
    assert [one.fits for one in (first, second, bank_as_target, bank)] == [False, False, False, True]
    assert "another category of this name" in first.why_not


# Events. The signature of the sheet: hex of HMAC-SHA256 over "{timestamp}.{body}".

SECRET, STAMP = "whsec-example", 1_780_315_200
BODY = (
    b'{"id":"evt_1","type":"invoice.updated","version":"v1","occurredAt":"2026-06-01T12:00:00Z",'
    b'"data":{"id":"t-1","externalId":"inv-1001","businessId":"b-1"}}'
)
SIGNED = "9d05a57a79631db18bc76944a01d4bd23d58980cd507c38a2c84e1f6a5c31dce"  # of all this, by openssl dgst -hmac
NOW = datetime.fromtimestamp(STAMP, UTC)


def signature(body: bytes = BODY, secret: str = SECRET, stamp: object = STAMP) -> str:
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


def headers(sign: str, stamp: object = STAMP) -> dict[str, str]:
    return {"Webhook-Timestamp": str(stamp), "Webhook-Signature": sign}


def read(sign: str, body: bytes = BODY, stamp: object = STAMP, now: datetime = NOW) -> list[LedgerEvent]:
    return events.read(headers(sign, stamp), body, SECRET, now)


def test_a_signed_event_says_what_changed() -> None:
    assert signature() == SIGNED
    (event,) = read(f"v1={SIGNED}")
    assert event == LedgerEvent("evt_1", "b-1", "invoice", "inv-1001", "updated", datetime(2026, 6, 1, 12, tzinfo=UTC))


def test_header_names_come_in_any_case_and_with_several_signatures() -> None:
    both = {"WEBHOOK-TIMESTAMP": str(STAMP), "webhook-signature": f"v0=abc, v1=00, v1={signature()}"}
    assert events.read(both, BODY, SECRET, NOW)


@pytest.mark.parametrize(
    "sign",
    ["", "v1=", signature(), f"v2={signature()}", f"v1={signature(secret='another')}", f"v1={signature(BODY + b' ')}",
     f"v1={signature(stamp=STAMP + 1)}", "v1=é", f"v1={signature().upper()}x"],
)  # fmt: skip
def test_a_signature_that_does_not_fit_is_refused(sign: str) -> None:
    """Fault row 47: none, wrong secret, other scheme, changed body, header of another event."""
    with pytest.raises(WebhookRefused, match="signature"):
        read(sign)


@pytest.mark.parametrize("apart", [timedelta(minutes=-6), timedelta(minutes=6), timedelta(days=7)])
def test_an_event_of_another_time_is_refused_both_ways(apart: timedelta) -> None:
    """Fault rows 47 and 48."""
    with pytest.raises(WebhookRefused, match="too long ago, or in the future"):
        read(f"v1={signature()}", now=NOW + apart)
    assert read(f"v1={signature()}", now=NOW + apart / abs(apart) * timedelta(minutes=4))


def test_an_old_event_with_a_fresh_time_does_not_fit_its_signature() -> None:
    """Fault row 48."""
    later = STAMP + 7 * 86_400
    with pytest.raises(WebhookRefused, match="signature"):
        read(f"v1={signature()}", stamp=later, now=datetime.fromtimestamp(later, UTC))


@pytest.mark.parametrize("stamp", ["", "soon", "-5", "1e9", "²", "9" * 13])
def test_an_event_without_a_time_is_refused(stamp: str) -> None:
    with pytest.raises(WebhookRefused, match="when it was sent"):
        read(f"v1={signature(stamp=stamp)}", stamp=stamp)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"id": "1"}', b'{"id":"1","id":"2","type":"x"}', b'{"id":NaN,"type":"x"}', b"[" * 100_000,
     b'{"id":{"x":1},"type":"invoice.paid"}', b"\xff"],
)  # fmt: skip
def test_a_signed_body_that_makes_no_sense_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookRefused, match="cannot be understood"):
        read(f"v1={signature(body)}", body)


def test_a_body_that_is_too_long_is_refused_unread_and_so_is_one_without_a_secret() -> None:
    huge = b"x" * (events.MOST_BYTES + 1)
    with pytest.raises(WebhookRefused, match="longer"):
        read(f"v1={signature(huge)}", huge)
    with pytest.raises(WebhookRefused, match="no signing secret"):
        events.read(headers(f"v1={signature(secret='')}"), BODY, "", NOW)


@pytest.mark.parametrize(
    ("told", "kind", "remote_id", "account"),
    [({"eventId": "e", "eventType": "party.merged", "data": {"id": 7}}, "client", "7", ""),
     ({"id": "e", "type": "bill.created", "businessId": "b"}, "bill", "", "b"),
     ({"id": "e", "type": "unheard-of", "data": [], "occurredAt": "soon"}, "unheard-of", "", ""),
     ({"id": "e", "type": "invoice.paid", "data": {"externalId": {"id": "inv-9"}}}, "invoice", "inv-9", "")],
)  # fmt: skip
def test_events_of_other_kinds_and_in_other_words_are_told_as_they_are(
    told: dict[str, Any], kind: str, remote_id: str, account: str
) -> None:
    """Fault row 49."""
    body = json.dumps(told).encode()
    (event,) = read(f"v1={signature(body)}", body)
    assert (event.event_id, event.kind, event.remote_id, event.account_id) == ("e", kind, remote_id, account)
