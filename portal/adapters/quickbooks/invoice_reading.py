"""A QuickBooks invoice or payment in our words. The vendor has no field for a state: it follows from the amounts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from portal.adapters.quickbooks import marks, reading
from portal.adapters.quickbooks.exact import amount
from portal.adapters.quickbooks.replies import Plain
from portal.adapters.values import NotUnderstood, items, line, lines, quarantined
from portal.domain.records import (
    InvoiceState,
    LedgerInvoice,
    LedgerLine,
    LedgerPayment,
    Quarantined,
)
from portal.domain.text import BadText

NOTHING = Decimal(0)
SALES = "SALESITEMLINEDETAIL"  # the vendor has sent it as SALES_ITEM_LINE_DETAIL too


def invoice_or_quarantine(
    raw: object, home: str, payments: tuple[LedgerPayment, ...] | None = None
) -> LedgerInvoice | Quarantined:
    try:
        return invoice(raw, home, payments)
    except (NotUnderstood, BadText) as reason:
        return quarantined(raw, "Id", "DocNumber", str(reason))


def invoice(raw: object, home: str, payments: tuple[LedgerPayment, ...] | None = None) -> LedgerInvoice:
    """`home` is the company's currency, meant where an invoice names none. Raises `NotUnderstood` or `BadText`."""
    if not isinstance(raw, dict):
        raise NotUnderstood("It is not an invoice at all.")
    remote_id = line(raw, "Id")
    if not remote_id:
        raise NotUnderstood("It has no identifier.")
    if reading.is_deleted(raw):
        return _deleted(raw, remote_id)
    total, due, note = amount(raw, "TotalAmt"), amount(raw, "Balance"), lines(raw, "PrivateNote")
    if total is None:
        raise NotUnderstood("It has no total.")
    due = total if due is None else due
    tax = _tax(raw)
    customer = _object(raw, "CustomerRef")
    return LedgerInvoice(
        remote_id=remote_id,
        number=line(raw, "DocNumber"),
        state=_state(total, due, note),
        customer_id=line(customer, "value"),
        customer_name=line(customer, "name"),
        issued_on=_day(raw, "TxnDate"),
        due_on=_day(raw, "DueDate"),
        currency=_currency(raw, home),
        net=None if tax is None else total - tax,
        tax=tax,
        total=total,
        paid=total - due,
        due=due,
        reference=marks.reference_in(note),
        mark=marks.mark_in(note),
        revision=line(raw, "SyncToken"),
        changed_at=reading.changed_at(raw),
        lines=_lines(raw),
        payments=payments,
    )


def payments_of(raw: object, home: str) -> list[LedgerPayment]:
    """What a payment pays, one for each invoice; a void or unapplied one once, for no invoice. Raises as above."""
    if not isinstance(raw, dict):
        raise NotUnderstood("It is not a payment at all.")
    remote_id = line(raw, "Id")
    if not remote_id:
        raise NotUnderstood("It has no identifier.")
    note = lines(raw, "PrivateNote")
    total = amount(raw, "TotalAmt") or NOTHING
    parts: dict[str, Decimal] = {}
    for one in items(raw, "Line"):
        for link in items(one, "LinkedTxn"):
            if line(link, "TxnType").lower() == "invoice":
                paid = line(link, "TxnId")
                parts[paid] = parts.get(paid, NOTHING) + (amount(one, "Amount") or NOTHING)
    is_void = reading.is_deleted(raw) or (not total and not parts and marks.says_voided(note))
    return [
        LedgerPayment(
            remote_id=remote_id, invoice_id=paid, amount=part, currency=_currency(raw, home),
            paid_on=_day(raw, "TxnDate"), reference=line(raw, "PaymentRefNum") or marks.reference_in(note),
            mark=marks.mark_in(note), is_void=is_void,
        )
        for paid, part in (parts or {"": total}).items()
    ]  # fmt: skip


def payment_ids(raw: object) -> list[str]:
    """The payments an invoice says it is linked to. Raises `NotUnderstood` or `BadText`."""
    found = raw if isinstance(raw, dict) else {}
    links = [(line(one, "TxnType").lower(), line(one, "TxnId")) for one in items(found, "LinkedTxn")]
    return list(dict.fromkeys(linked for kind, linked in links if kind == "payment" and linked))


def _deleted(raw: Plain, remote_id: str) -> LedgerInvoice:
    """A stub: all that is known is that it is no more."""
    return LedgerInvoice(
        remote_id=remote_id, number=line(raw, "DocNumber"), state=InvoiceState.DELETED, customer_id="",
        customer_name="", issued_on=None, due_on=None, currency="", net=None, tax=None, total=NOTHING, paid=NOTHING,
        due=NOTHING, changed_at=reading.changed_at(raw),
    )  # fmt: skip


def _state(total: Decimal, due: Decimal, note: str) -> InvoiceState:
    if not total and not due and marks.says_voided(note):
        return InvoiceState.VOIDED
    return InvoiceState.OPEN if due > 0 else InvoiceState.PAID


def _tax(raw: Plain) -> Decimal | None:
    """Nothing where tax does not apply; None where the answer does not speak of tax."""
    detail = raw.get("TxnTaxDetail")
    if isinstance(detail, dict) and detail.get("TotalTax") is not None:
        return amount(detail, "TotalTax")
    return NOTHING if line(raw, "GlobalTaxCalculation") == "NotApplicable" else None


def _lines(raw: Plain) -> tuple[LedgerLine, ...]:
    """What is sold. The sum the vendor puts below it, discounts and remarks are no lines of ours."""
    found = []
    for one in items(raw, "Line"):
        if line(one, "DetailType").replace("_", "").upper() != SALES:
            continue
        detail = _object(one, "SalesItemLineDetail")
        sum_, quantity, price = amount(one, "Amount") or NOTHING, amount(detail, "Qty"), amount(detail, "UnitPrice")
        gross = amount(detail, "TaxInclusiveAmt")
        found.append(
            LedgerLine(
                description=lines(one, "Description"),
                quantity=Decimal(1) if quantity is None else quantity,
                price=sum_ if price is None else price,
                amount=sum_,
                tax=None if gross is None else gross - sum_,
                tax_id=line(_object(detail, "TaxCodeRef"), "value"),
                account_id=line(_object(detail, "ItemAccountRef"), "value"),
                item_id=line(_object(detail, "ItemRef"), "value"),
            )
        )
    return tuple(found)


def _currency(raw: Plain, home: str) -> str:
    return line(_object(raw, "CurrencyRef"), "value") or home


def _day(raw: Plain, name: str) -> date | None:
    """The ledger's calendar day, whatever zone is written behind it; None for what is no day."""
    text = line(raw, name)[:10]
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year in reading.YEARS else None


def _object(raw: Plain, name: str) -> Plain:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}
