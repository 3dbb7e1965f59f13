"""What Xero says of invoices and payments, in our words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from portal.adapters.values import NotUnderstood, Raw, amount, items, line, lines, quarantined
from portal.adapters.xero.invoice_bodies import mark_of_link, mark_of_reference
from portal.adapters.xero.reading import NO_ID, stamp
from portal.domain.records import (
    InvoiceState,
    LedgerInvoice,
    LedgerLine,
    LedgerPayment,
    Quarantined,
)
from portal.domain.text import BadText

SALE = "ACCREC"
STATES = {
    "DRAFT": InvoiceState.DRAFT,
    "SUBMITTED": InvoiceState.DRAFT,  # it waits for somebody's approval there
    "AUTHORISED": InvoiceState.OPEN,
    "PAID": InvoiceState.PAID,
    "VOIDED": InvoiceState.VOIDED,
    "DELETED": InvoiceState.DELETED,
}
NOUGHT = Decimal(0)


def invoice_or_quarantine(raw: object) -> LedgerInvoice | Quarantined:
    try:
        if not isinstance(raw, dict):
            raise NotUnderstood("It is not an object.")
        return invoice(raw)
    except (NotUnderstood, BadText) as reason:
        return quarantined(raw, "InvoiceID", "InvoiceNumber", str(reason))


def is_sale(raw: object) -> bool:
    """Bills and their numbers are somebody else's; what cannot be told is looked at."""
    return not isinstance(raw, dict) or str(raw.get("Type") or SALE).upper() == SALE


def invoice(raw: Raw) -> LedgerInvoice:
    """Raises `NotUnderstood` or `BadText`."""
    remote_id, said = line(raw, "InvoiceID"), line(raw, "Status").upper()
    if remote_id in ("", NO_ID):
        raise NotUnderstood("It has no identifier.")
    if said not in STATES:
        raise NotUnderstood(f"Its Status is {said[:40]!r}, which nobody has heard of.")
    contact = raw.get("Contact")
    who: Raw = contact if isinstance(contact, dict) else {}
    currency = line(raw, "CurrencyCode").upper()
    total = _needed(raw, "Total")
    paid, credited = amount(raw, "AmountPaid") or NOUGHT, amount(raw, "AmountCredited") or NOUGHT
    due = amount(raw, "AmountDue")
    return LedgerInvoice(
        remote_id=remote_id,
        number=line(raw, "InvoiceNumber"),
        state=STATES[said],
        customer_id=line(who, "ContactID"),
        customer_name=line(who, "Name"),
        issued_on=day(raw, "Date"),
        due_on=day(raw, "DueDate"),
        currency=currency,
        net=amount(raw, "SubTotal"),
        tax=amount(raw, "TotalTax"),
        total=total,
        paid=paid,
        due=total - paid - credited if due is None else due,
        credited=credited,
        reference=line(raw, "Reference"),
        mark=mark_of_link(line(raw, "Url")),
        revision=line(raw, "UpdatedDateUTC"),
        changed_at=stamp(raw.get("UpdatedDateUTC")),
        lines=_lines(raw),
        payments=_payments(raw, remote_id, currency),
    )


def payment(raw: Raw, currency: str = "", invoice_id: str = "") -> LedgerPayment:
    """`currency` and `invoice_id` where the payment itself does not say. Raises `NotUnderstood` or `BadText`."""
    remote_id = line(raw, "PaymentID")
    if remote_id in ("", NO_ID):
        raise NotUnderstood("It has no identifier.")
    told = raw.get("Invoice")
    paid: Raw = told if isinstance(told, dict) else {}
    words, mark = mark_of_reference(line(raw, "Reference"))
    return LedgerPayment(
        remote_id=remote_id,
        invoice_id=line(paid, "InvoiceID") or invoice_id,
        amount=_needed(raw, "Amount"),
        currency=line(paid, "CurrencyCode").upper() or currency,
        paid_on=day(raw, "Date"),
        reference=words,
        mark=mark,
        is_void=line(raw, "Status").upper() == "DELETED",
    )


def day(raw: Raw, name: str) -> date | None:
    """A calendar day, which travels as midnight UTC: never shifted by any zone. None for what is none."""
    moment = stamp(raw.get(name)) or stamp(raw.get(f"{name}String"))
    return moment.date() if moment else None


def _needed(raw: Raw, name: str) -> Decimal:
    found = amount(raw, name)
    if found is None:
        raise NotUnderstood(f"It has no {name}.")
    return found


def _lines(raw: Raw) -> tuple[LedgerLine, ...] | None:
    """None where they are not shown: a list that is not paged leaves them out, and every invoice has one."""
    listed = items(raw, "LineItems")
    return tuple(_line(one) for one in listed) if listed else None


def _line(raw: dict[str, Any]) -> LedgerLine:
    return LedgerLine(
        description=lines(raw, "Description"),
        quantity=_or_nought(raw, "Quantity"),
        price=_or_nought(raw, "UnitAmount"),
        amount=_or_nought(raw, "LineAmount"),
        tax=amount(raw, "TaxAmount"),
        tax_id=line(raw, "TaxType"),
        account_id=line(raw, "AccountCode"),
        item_id=line(raw, "ItemCode"),
    )


def _payments(raw: Raw, invoice_id: str, currency: str) -> tuple[LedgerPayment, ...] | None:
    """Payments that stand; None where this reply shows none at all."""
    if raw.get("Payments") is None:
        return None
    return tuple(payment(one, currency, invoice_id) for one in items(raw, "Payments"))


def _or_nought(raw: Raw, name: str) -> Decimal:
    """A line of words alone has no amounts."""
    return amount(raw, name) or NOUGHT
