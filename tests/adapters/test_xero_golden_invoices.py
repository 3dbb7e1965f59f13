"""Invoices and payments as Xero writes them, and what they must become; what goes out; and its webhooks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portal.adapters.ledger import InvoiceRefused, WebhookRefused
from portal.adapters.values import NotUnderstood, amount, exact_json
from portal.adapters.xero import Xero, events, invoice_bodies, invoice_reading, reading, refusals
from portal.domain.records import (
    Address,
    Cause,
    InvoiceLineOut,
    InvoiceOut,
    InvoiceState,
    LedgerInvoice,
    LedgerLine,
    LedgerPayment,
    PaymentOut,
    Quarantined,
    TaxMode,
)
from tests.adapters.test_xero_golden import reply

WIRE = Path(__file__).parent / "golden" / "xero_invoices" / "invoices.wire.json"
KERERU = "025867f1-d741-4d6b-b1af-9ac774b59ba7"
FIRST = "243216c5-369e-4056-ac67-05388f86dc81"


def invoices(body: bytes | str | dict[str, Any]) -> list[LedgerInvoice | Quarantined]:
    found = reading.Envelope("Invoices", exact=True)
    found(reply(body))
    return [invoice_reading.invoice_or_quarantine(one) for one in found.entries]


def test_a_reply_becomes_these_invoices() -> None:
    first, paid, waiting, voided = invoices(WIRE.read_bytes())
    assert first == LedgerInvoice(
        remote_id=FIRST, number="INV-0041", state=InvoiceState.OPEN, customer_id=KERERU,
        customer_name="Kererū Orchards Ltd", issued_on=date(2026, 11, 20), due_on=date(2026, 12, 20), currency="NZD",
        net=Decimal("1000.00"), tax=Decimal("150.00"), total=Decimal("1150.00"), paid=Decimal("1000.30"),
        due=Decimal("99.70"), credited=Decimal("50.00"), reference="PO 77", mark="8c1d2e3f4a5b46d7",
        revision="/Date(1795219200940+0000)/", changed_at=datetime(2026, 11, 21, 0, 0, 0, 940_000, UTC),
        lines=(
            LedgerLine(
                "Annual accounts\nyear to 31 March", Decimal(3), Decimal("333.3333"), Decimal(1000), Decimal(150),
                "OUTPUT2", "210",
            ),
            LedgerLine("With thanks", Decimal(0), Decimal(0), Decimal(0)),
        ),
        payments=(
            LedgerPayment(
                "0d666415-cf77-43fa-80c7-56775591d426", FIRST, Decimal("1000.10"), "NZD", date(2026, 11, 20),
                "Card Visa 4242", "5f0c9a1be2d44c7f",
            ),
            LedgerPayment(
                "9f2c8a4e-1111-4a5b-8b6c-6d2f0a3b4c5d", FIRST, Decimal("0.20"), "NZD", date(2026, 11, 21), "Cheque 100"
            ),
        ),
    )  # fmt: skip
    assert isinstance(paid, LedgerInvoice)
    assert (paid.state, paid.total, paid.paid, paid.due, paid.currency) == (InvoiceState.PAID, 230, 230, 0, "AUD")
    assert (paid.number, paid.mark, paid.lines, paid.payments) == ("0042", "", None, ())
    assert (paid.issued_on, paid.due_on) == (date(2026, 7, 31), None)
    assert isinstance(waiting, LedgerInvoice)
    assert (waiting.state, waiting.number, waiting.customer_id) == (InvoiceState.DRAFT, "", "")
    assert (waiting.issued_on, waiting.payments) == (date(1969, 12, 31), None)
    assert isinstance(voided, LedgerInvoice)
    assert (voided.state, voided.due) == (InvoiceState.VOIDED, 0)


def test_amounts_never_pass_through_a_float() -> None:
    """Fault row 85."""
    text = (
        b'{"Invoices": [{"InvoiceID": "1", "Status": "AUTHORISED", "Total": 9999999999.99, "AmountDue": 0.10,'
        b' "AmountPaid": 9999999999.89}]}'
    )
    (found,) = invoices(text)
    assert isinstance(found, LedgerInvoice)
    assert (str(found.total), str(found.due), str(found.paid)) == ("9999999999.99", "0.10", "9999999999.89")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"InvoiceID": ""}, "no identifier"), ({"InvoiceID": reading.NO_ID}, "no identifier"),
     ({"Status": "LOST"}, "LOST"), ({"Status": None}, "Status"), ({"Total": None}, "no Total"),
     ({"Total": "ten"}, "not a number"),
     ({"Total": True}, "not a number"), ({"Total": "NaN"}, "no amount"), ({"Total": "1e30"}, "no amount"),
     ({"Total": [1]}, "not a number"), ({"LineItems": "none"}, "LineItems are not a list"),
     ({"InvoiceNumber": ["1"]}, "InvoiceNumber is not a text"), ({"Reference": "\ud800"}, "surrogate"),
     ({"Payments": [{"PaymentID": "1"}]}, "no Amount")],
)  # fmt: skip
def test_an_invoice_that_makes_no_sense_is_put_aside(wrong: dict[str, Any], reason: str) -> None:
    """Fault row 24."""
    good = {"InvoiceID": "1", "InvoiceNumber": "A", "Status": "AUTHORISED", "Total": 10}
    first, odd = invoices({"Invoices": [good, {**good, "InvoiceID": "2", **wrong}]})
    assert isinstance(first, LedgerInvoice)
    assert isinstance(odd, Quarantined)
    assert reason in odd.reason


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("/Date(1795132800000+0000)/", date(2026, 11, 20)),
        ("/Date(1795132800000+1300)/", date(2026, 11, 20)),  # the day is UTC's, whatever the offset says
        ("/Date(1795132800000)/", date(2026, 11, 20)),
        ("/Date(-86400000+0000)/", date(1969, 12, 31)),
        ("2026-11-20T00:00:00", date(2026, 11, 20)),
        ("", None),
        (None, None),
        ("soon", None),
        ("/Date(99999999999999999)/", None),
    ],
)
def test_a_day_is_the_day_xero_means(said: Any, meant: date | None) -> None:
    """Fault row 25."""
    assert invoice_reading.day({"Date": said}, "Date") == meant


def line(**changes: Any) -> InvoiceLineOut:
    wanted = InvoiceLineOut(
        "Annual accounts", Decimal("3"), Decimal("333.3333"), Decimal("0.10"), Decimal("999.90"), Decimal("149.99"),
        Decimal(15), tax_id="OUTPUT2", account_id="210", tracking={"office": "hamilton"},
    )  # fmt: skip
    return replace(wanted, **changes)


def out(**changes: Any) -> InvoiceOut:
    wanted = InvoiceOut(
        key="0f" * 16, mark="8c1d2e3f4a5b46d7", number="INV-0041", customer_id=KERERU, customer_key="",
        customer_name="Kererū Orchards Ltd", email="mere@kereru.example", address=Address("2 Hill Road", "Nelson"),
        issued_on=date(2026, 11, 20), due_on=date(2026, 12, 20), currency="NZD", tax_mode=TaxMode.EXCLUSIVE,
        lines=(line(),), net=Decimal("999.90"), tax=Decimal("149.99"), total=Decimal("1149.89"), reference="PO 77",
        memo="With thanks", sent=True, branding_id="theme", url="https://portal.example.co.nz/invoices/41#top",
    )  # fmt: skip
    return replace(wanted, **changes)


def test_an_invoice_goes_out_like_this() -> None:
    item = invoice_bodies.invoice(out(), with_link=True)
    assert json.loads(exact_json(item), parse_float=str) == {
        "Type": "ACCREC",
        "Contact": {"ContactID": KERERU},
        "InvoiceNumber": "INV-0041",
        "Reference": "PO 77",
        "Date": "2026-11-20",
        "DueDate": "2026-12-20",
        "LineAmountTypes": "Exclusive",
        "CurrencyCode": "NZD",
        "Status": "AUTHORISED",
        "SentToContact": True,
        "BrandingThemeID": "theme",
        "Url": "https://portal.example.co.nz/invoices/41#counterpart-8c1d2e3f4a5b46d7",
        "LineItems": [{
            "Description": "Annual accounts", "Quantity": 3, "UnitAmount": "333.3333", "DiscountAmount": "0.10",
            "AccountCode": "210", "TaxType": "OUTPUT2",
            "Tracking": [{"TrackingCategoryID": "office", "TrackingOptionID": "hamilton"}],
        }],
    }  # fmt: skip


def test_a_draft_is_never_marked_as_sent_and_nothing_empty_goes_out() -> None:
    bare = out(approved=False, reference="", branding_id="", url="", lines=(line(tracking={}, discount=Decimal(0)),))
    item = invoice_bodies.invoice(bare, with_link=True)
    assert item["Status"] == "DRAFT"
    assert not {"SentToContact", "Reference", "BrandingThemeID", "Url"} & set(item)
    assert not {"Tracking", "DiscountAmount", "ItemCode"} & set(item["LineItems"][0])


def test_decimals_go_out_with_exactly_their_digits() -> None:
    """Fault row 85."""
    values = {"a": Decimal("0.10"), "b": Decimal("1E+3"), "c": [Decimal("-9999999999.99")], "d": 'x"\ue000 0.1'}
    text = exact_json(values).decode()
    assert text == '{"a": 0.10, "b": 1000, "c": [-9999999999.99], "d": "x\\"\ue000 0.1"}'
    with pytest.raises(TypeError):
        exact_json({"a": Decimal("NaN")})


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"number": "x" * 256}, Cause.OTHER), ({"number": "Ō1"}, Cause.OTHER), ({"number": ""}, Cause.OTHER),
        ({"reference": "x" * 256}, Cause.OTHER), ({"customer_id": ""}, Cause.CUSTOMER_GONE),
        ({"lines": ()}, Cause.AMOUNT_NOT_ALLOWED), ({"lines": (line(tax_id=""),)}, Cause.TAX_MISSING),
        ({"lines": (line(account_id=""),)}, Cause.ACCOUNT_NOT_VALID),
        ({"lines": (line(description=" "),)}, Cause.OTHER), ({"lines": (line(description="x" * 4001),)}, Cause.OTHER),
        ({"lines": (line(price=Decimal("0.00001")),)}, Cause.AMOUNT_NOT_ALLOWED),
    ],
)  # fmt: skip
def test_what_xero_would_refuse_or_take_otherwise_is_refused_here(changes: dict[str, Any], cause: Cause) -> None:
    with pytest.raises(InvoiceRefused) as caught:
        invoice_bodies.invoice(out(**changes), with_link=True)
    assert caught.value.cause == cause
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("mark", ["8c1d2e3f4a5b46d7", "a b/c", "ō", "100%"])
def test_our_sign_is_read_back_from_a_link_and_from_nobody_elses(mark: str) -> None:
    assert invoice_bodies.mark_of_link(invoice_bodies.link(out(mark=mark))) == mark
    for theirs in (
        "",
        "https://x.example/",
        "https://x.example/#top",
        "not a link",
        "https://x.example/?counterpart-1",
    ):
        assert invoice_bodies.mark_of_link(theirs) == ""


def pay(**changes: Any) -> PaymentOut:
    wanted = PaymentOut(
        key="1f" * 16, mark="5f0c9a1be2d44c7f", invoice_id=FIRST, invoice_key="8c1d2e3f4a5b46d7", customer_id=KERERU,
        customer_key="", amount=Decimal("1000.10"), currency="NZD", paid_on=date(2026, 11, 20), method="Card",
        reference="Visa 4242", into_id="account",
    )  # fmt: skip
    return replace(wanted, **changes)


def test_a_payment_goes_out_like_this() -> None:
    assert json.loads(exact_json(invoice_bodies.payment(pay())), parse_float=str) == {
        "Invoice": {"InvoiceID": FIRST},
        "Account": {"AccountID": "account"},
        "Date": "2026-11-20",
        "Amount": "1000.10",
        "Reference": "Card Visa 4242 [5f0c9a1be2d44c7f]",
    }


def test_the_sign_of_a_payment_survives_words_of_any_length() -> None:
    for words in ("", "x" * 400, "[brackets] of others"):
        text = invoice_bodies.reference(pay(method="", reference=words))
        assert len(text) <= 255
        assert invoice_bodies.mark_of_reference(text)[1] == "5f0c9a1be2d44c7f"
    assert invoice_bodies.mark_of_reference("Cheque [12]") == ("Cheque [12]", "")


@pytest.mark.parametrize("changes", [{"amount": Decimal(0)}, {"amount": Decimal("-1")}, {"amount": Decimal("0.001")},
                                     {"into_id": ""}])  # fmt: skip
def test_payments_that_make_no_sense_are_not_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(InvoiceRefused):
        invoice_bodies.payment(pay(**changes))


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("Invoice # must be unique.", Cause.NUMBER_USED),
        ("The TaxType code 'X' cannot be used with account code 'Y'.", Cause.TAX_NOT_ALLOWED),
        ("The TaxType code X does not exist or cannot be used for this type of transaction.", Cause.TAX_MISSING),
        ("The TaxType code X does not exist or cannot be used for this type of transaction. The TaxType code 'X' cannot"
         " be used with account code '200'.", Cause.TAX_MISSING),
        ("The TaxType field is mandatory Account code must be specified", Cause.TAX_MISSING),
        ("Account code '200' is not a valid code for this document.", Cause.ACCOUNT_NOT_VALID),
        ("Account must be valid. Tax rate must be valid.", Cause.ACCOUNT_NOT_VALID),
        ("The document date cannot be before the period lock date, 31 Mar 2026", Cause.PERIOD_LOCKED),
        ("Payment amount exceeds the amount outstanding on this document", Cause.AMOUNT_NOT_ALLOWED),
        ("The line total 5.00 does not match the expected line total 6.00", Cause.AMOUNT_NOT_ALLOWED),
        ("Organisation is not subscribed to currency EUR", Cause.CURRENCY),
        ("The contact is archived and needs to be un-archived first", Cause.CUSTOMER_GONE),
        ("The Contact must contain at least 1 of the following elements to identify", Cause.CUSTOMER_GONE),
        ("The contact name X is already assigned to another contact.", Cause.NAME_TAKEN),
        ("A validation exception occurred", Cause.OTHER),
        ("", Cause.OTHER),
    ],
)  # fmt: skip
def test_the_kind_of_a_refusal_is_told_from_its_words(words: str, cause: Cause) -> None:
    told = refusals.refusal("INV-0041", words)
    assert (told.cause, told.vendor_text) == (cause, words)
    assert told.message.endswith(".")
    assert not told.message.endswith("..")


KEY = "sandbox-webhook-key-0001"
INTENT = b'{"events":[],"firstEventSequence": 0,"lastEventSequence": 0, "entropy": "SANDBOXENTROPYABCDEF"}'
SIGNED = "rks0X1KLFhqTa2akx/+kyeTpykcLWJFOSdGqBRLypCc="


def signed(body: bytes, key: str = KEY) -> dict[str, str]:
    return {"x-xero-signature": events.signature(body, key)}


def told(**changes: Any) -> bytes:
    event = {
        "resourceUrl": f"https://api.xero.com/api.xro/2.0/Invoices/{FIRST}", "resourceId": FIRST,
        "eventDateUtc": "2026-11-21T01:15:39.902", "eventType": "UPDATE", "eventCategory": "INVOICE",
        "tenantId": "c2cc9b6e-9458-4c7d-93cc-f02b81b0594f", "tenantType": "ORGANISATION",
    } | changes  # fmt: skip
    body = {"events": [event], "firstEventSequence": 1, "lastEventSequence": 1, "entropy": "S0m3r4Nd0mt3xt"}
    return json.dumps(body).encode()


def test_the_signature_is_that_of_the_example() -> None:
    assert events.signature(INTENT, KEY) == SIGNED
    assert events.read({"X-XERO-Signature": SIGNED}, INTENT, KEY) == []


@pytest.mark.parametrize(
    ("headers", "body", "key"),
    [
        ({}, INTENT, KEY), ({"x-xero-signature": ""}, INTENT, KEY), ({"x-xero-signature": SIGNED}, INTENT + b" ", KEY),
        ({"x-xero-signature": SIGNED}, INTENT.replace(b": 0", b":0"), KEY),  # spaces are signed too
        ({"x-xero-signature": SIGNED[:-2] + "d="}, INTENT, KEY), ({"x-xero-signature": SIGNED}, INTENT, "another"),
        ({"x-xero-signature": "é"}, INTENT, KEY), (signed(INTENT, ""), INTENT, ""),
        ({"x-xero-signature-2": SIGNED}, INTENT, KEY),
    ],
)  # fmt: skip
def test_nothing_is_believed_that_is_not_signed_with_our_key(headers: dict[str, str], body: bytes, key: str) -> None:
    """Fault row 47."""
    with pytest.raises(WebhookRefused):
        events.read(headers, body, key)


def test_an_event_tells_what_changed_and_not_what_it_is_now() -> None:
    body = told()
    (event,) = events.read(signed(body), body, KEY)
    assert (event.account_id, event.kind) == ("c2cc9b6e-9458-4c7d-93cc-f02b81b0594f", "invoice")
    assert (event.remote_id, event.what) == (FIRST, "update")
    assert event.happened_at == datetime(2026, 11, 21, 1, 15, 39, 902_000, UTC)


def test_the_same_event_has_the_same_name_in_whatever_delivery_it_comes() -> None:
    """Fault row 48."""
    first, again = told(), told().replace(b"S0m3r4Nd0mt3xt", b"another entropy")
    later = told(eventDateUtc="2026-11-21T01:15:40.000")
    loud = told(eventType="Update")
    names = [events.read(signed(body), body, KEY)[0].event_id for body in (first, again, later, loud)]
    assert names[0] == names[1] == names[3] != names[2]
    assert len(names[0]) <= 36


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({"eventCategory": "CONTACT"}, "client"), ({"eventCategory": "CREDITNOTE", "data": {}}, "credit note"),
     ({"eventCategory": "SUBSCRIPTION", "tenantType": "APPLICATION"}, "subscription"),
     ({"eventCategory": "NEW"}, "new"), ({"tenantId": "somebody else", "colour": "red"}, "invoice"),
     ({"eventDateUtc": "soon"}, "invoice")],
)  # fmt: skip
def test_events_of_other_kinds_and_accounts_are_told_as_what_they_are(changes: dict[str, str], kind: str) -> None:
    """Fault row 49."""
    body = told(**changes)
    (event,) = events.read(signed(body), body, KEY)
    assert event.kind == kind


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b'{"events": {}}', b'{"events": [1]}', b'{"events": null}', b'{"events": [{}]}',
     b'{"events": [', b"\xff\xfe", b'{"events": [], "events": []}', b'{"events":' + b"[" * 100_000,
     b" " * (1024 * 1024 + 1)],
)  # fmt: skip
def test_a_well_signed_body_that_is_not_xeros_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        events.read(signed(body), body, KEY)


def test_amounts_are_read_from_whatever_form_they_come_in() -> None:
    raw = {"a": 1, "b": "2.50", "c": Decimal("3.10"), "d": None, "e": "", "f": 0.1}
    assert [amount(raw, name) for name in "abcdef"] == [1, Decimal("2.50"), Decimal("3.10"), None, None, Decimal("0.1")]
    for wrong in ("Infinity", "1,000", True, {}, "1e400"):
        with pytest.raises(NotUnderstood):
            amount({"a": wrong}, "a")


def test_it_says_what_is_not_documented() -> None:
    said = " ".join(Xero.ledger.cautions)
    for part in ("voided or deleted", "payment at once", "square brackets", "memo"):
        assert part in said
