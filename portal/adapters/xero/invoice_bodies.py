"""An invoice and a payment as Xero has to be told; amounts stay decimals until they are written."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote, urldefrag

from portal.adapters.xero.reading import NAME
from portal.adapters.xero.refusals import unsent
from portal.domain.records import Cause, InvoiceLineOut, InvoiceOut, PaymentOut, TaxMode

LONGEST_NUMBER, LONGEST_TEXT, LONGEST_DESCRIPTION = 255, 255, 4000
MOST = Decimal("9999999999.99")
SMALLEST = Decimal("0.0001")  # of a price and of a quantity
PRINTABLE = re.compile(r"[ -~]+")
MODES = {TaxMode.EXCLUSIVE: "Exclusive", TaxMode.INCLUSIVE: "Inclusive", TaxMode.NONE: "NoTax"}
# Our sign stands at the end of the link that leads from Xero's invoice here; a payment has no link, so it stands at the
# end of the payment's reference. The customer's reference on an invoice is left alone.
LINK_SIGN = "counterpart-"
REFERENCE_SIGN = re.compile(r"\s*\[([A-Za-z0-9_-]{6,64})\]$")

Item = dict[str, Any]


def invoice(one: InvoiceOut, *, with_link: bool) -> Item:
    """Raises `InvoiceRefused` for what Xero would not take, or would take otherwise than it is meant."""
    _check(one)
    item: Item = {
        "Type": "ACCREC",
        "Contact": {"ContactID": one.customer_id},  # anything more would change the contact
        "InvoiceNumber": one.number,
        "Reference": one.reference,
        "Date": one.issued_on.isoformat(),
        "DueDate": one.due_on.isoformat(),
        "LineAmountTypes": MODES[one.tax_mode],
        "CurrencyCode": one.currency,
        "Status": "AUTHORISED" if one.approved else "DRAFT",
        "SentToContact": one.sent if one.approved else None,  # only an approved one can be marked as sent
        "BrandingThemeID": one.branding_id,
        "Url": link(one) if with_link else "",
        "LineItems": [_line(line, one) for line in one.lines],
    }
    return {name: value for name, value in item.items() if value not in ("", None)}


def payment(one: PaymentOut) -> Item:
    """Raises `InvoiceRefused`."""
    if not one.into_id:
        raise unsent(f"No account is chosen that payments in {NAME} go to.", Cause.ACCOUNT_NOT_VALID)
    if one.amount <= 0 or one.amount != one.amount.quantize(Decimal("0.01")):
        raise unsent(
            f"{NAME} takes payments of more than nothing, in whole cents; this one is {one.amount:f}.",
            Cause.AMOUNT_NOT_ALLOWED,
        )
    return {
        "Invoice": {"InvoiceID": one.invoice_id},
        "Account": {"AccountID": one.into_id},
        "Date": one.paid_on.isoformat(),
        "Amount": one.amount,
        "Reference": reference(one),
    }


def link(one: InvoiceOut) -> str:
    """Where the invoice stands here, with our sign; empty when we have no address ourselves."""
    return f"{urldefrag(one.url).url}#{LINK_SIGN}{quote(one.mark, safe='')}" if one.url else ""


def mark_of_link(url: str) -> str:
    """Our sign in a link; empty when it is not ours."""
    sign = urldefrag(url).fragment
    return unquote(sign.removeprefix(LINK_SIGN)) if sign.startswith(LINK_SIGN) else ""


def reference(one: PaymentOut) -> str:
    sign = f"[{one.mark}]"
    words = " ".join(part for part in (one.method, one.reference) if part)[: LONGEST_TEXT - len(sign) - 1]
    return f"{words} {sign}".strip()


def mark_of_reference(text: str) -> tuple[str, str]:
    """The words of a payment's reference and our sign, which is empty when it is not ours."""
    found = REFERENCE_SIGN.search(text)
    return (text[: found.start()], found[1]) if found else (text, "")


def _check(one: InvoiceOut) -> None:
    if not PRINTABLE.fullmatch(one.number) or one.number != one.number.strip():
        raise unsent(f"{NAME} takes numbers of plain letters, digits and signs; {one.number!r} is none.", Cause.OTHER)
    for what, text, most in (("number", one.number, LONGEST_NUMBER), ("reference", one.reference, LONGEST_TEXT)):
        if len(text) > most:
            raise unsent(f"{NAME} takes a {what} of at most {most} letters; this one has {len(text)}.", Cause.OTHER)
    if not one.customer_id:
        raise unsent(f"{one.number} is for nobody {NAME} knows.", Cause.CUSTOMER_GONE)
    if not one.lines:
        raise unsent(f"{NAME} takes no invoice without a line.", Cause.AMOUNT_NOT_ALLOWED)


def _line(line: InvoiceLineOut, one: InvoiceOut) -> Item:
    quantity, price = line.quantity, line.price
    if quantity < 0:  # Xero takes a price below zero, and no quantity
        quantity, price = -quantity, -price
    _check_line(line, one, quantity, price)
    item: Item = {
        "Description": line.description,
        "Quantity": quantity,
        "UnitAmount": price,
        "DiscountAmount": line.discount or "",
        "ItemCode": line.item_id,
        "AccountCode": line.account_id,
        "TaxType": line.tax_id,
        "Tracking": [{"TrackingCategoryID": kind, "TrackingOptionID": what} for kind, what in line.tracking.items()],
    }
    return {name: value for name, value in item.items() if value not in ("", [])}


def _check_line(line: InvoiceLineOut, one: InvoiceOut, quantity: Decimal, price: Decimal) -> None:
    if not line.description.strip():
        raise unsent(f"{NAME} takes no line without words; one of {one.number} has none.", Cause.OTHER)
    if len(line.description) > LONGEST_DESCRIPTION:
        raise unsent(
            f"{NAME} takes {LONGEST_DESCRIPTION} letters in a line; one of {one.number} has {len(line.description)}.",
            Cause.OTHER,
        )
    if not line.tax_id and one.tax_mode != TaxMode.NONE:  # Xero would take the account's own rate
        raise unsent(f"{line.description} on {one.number} has no tax rate of {NAME}.", Cause.TAX_MISSING)
    if not line.account_id and not line.item_id:
        raise unsent(f"{line.description} on {one.number} has no account of {NAME}.", Cause.ACCOUNT_NOT_VALID)
    for what, value in (("price", price), ("quantity", quantity)):
        if value != value.quantize(SMALLEST):
            raise unsent(
                f"{NAME} takes four decimals in a {what}; {line.description} has {value:f}.", Cause.AMOUNT_NOT_ALLOWED
            )
    if abs(quantity * price) > MOST:
        raise unsent(f"{NAME} takes lines up to {MOST:,}; {line.description} is more.", Cause.AMOUNT_NOT_ALLOWED)
