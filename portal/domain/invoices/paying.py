"""Payments on invoices: marked by hand, read in a ledger, or collected; and taken back again.

The one invariant: `paid` is the sum of the payments that were not taken back, and nothing is counted twice (fault row
61): a payment that a ledger tells of is matched with ours before it is added.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from portal.db import db
from portal.domain import activity, connections, money
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection
from portal.domain.clients import count_items
from portal.domain.invoices.models import Invoice, InvoiceLine, Payment
from portal.domain.schedule.models import BillingItem

PERSON, LEDGER, COLLECTION = "person", "ledger", "collection"
METHODS = {
    "bank_transfer": "bank transfer", "direct_debit": "direct debit", "card": "card", "cash": "cash",
    "cheque": "cheque", "other": "another way",
}  # fmt: skip


class CannotSettle(ValueError):
    """This invoice cannot be marked as paid or unpaid; the text says why, and what to do, for a person."""


@dataclass(frozen=True)
class Noted:
    """A payment as it stands here, and whether it is new (`is_new`) or one we knew already."""

    payment: Payment
    is_new: bool


def mark_paid(
    invoice: Invoice,
    *,
    paid_on: date,
    method: str,
    reference: str,
    by: Actor,
    now: datetime,
    write_to_ledger: bool,
) -> Payment:
    """Everything that is left was paid, says a person (IN-30). `method` is a key of METHODS or words.

    `write_to_ledger`: the payment goes to the invoice's ledger as well. Raises `CannotSettle`.
    """
    locked(invoice)
    _must_be_open(invoice)
    left = invoice.total - invoice.paid
    words = METHODS.get(method, method) or METHODS["other"]
    payment = _add(invoice, left, paid_on, PERSON, by=by, now=now, method=words, reference=reference)
    _close(invoice, PERSON, by=by, now=now)
    _record(Verb.INVOICE_PAID_BY_HAND, invoice, payment, by=by, now=now, user=by.name)
    if write_to_ledger:
        _ask(payment, by=by, now=now)
    return payment


def set_unpaid(invoice: Invoice, *, by: Actor, now: datetime) -> None:
    """Take back what was marked by hand (IN-31). Raises `CannotSettle` for what was paid in a ledger or collected."""
    locked(invoice)
    if invoice.voided_at is not None or invoice.paid_at is None:
        raise CannotSettle(f"Invoice {invoice.number} is not marked as paid.")
    by_hand = [one for one in invoice.payments if one.how == PERSON and one.reversed_at is None]
    if invoice.paid_how != PERSON or not by_hand:
        raise CannotSettle(
            f"Invoice {invoice.number} was not marked as paid by hand. Take the payment back where it was made."
        )
    for payment in by_hand:
        _must_be_ours_alone(payment, by=by, now=now)
    for payment in by_hand:
        _reverse(payment, by=by, now=now)
    _record(Verb.INVOICE_UNPAID, invoice, by_hand[-1], by=by, now=now, user=by.name)


def note_payment(
    invoice: Invoice,
    amount: Decimal,
    paid_on: date,
    *,
    by: Actor,
    now: datetime,
    how: str = LEDGER,
    connection: Connection | None = None,
    remote_id: str | None = None,
    mark: str = "",
    method: str = "",
    reference: str = "",
    currency: str = "",
) -> Noted:
    """A payment a ledger tells of, or one that was collected; told any number of times, counted once (fault row 61).

    One we know by the ledger's id is left as it is. One of ours (`mark`), or a payment of the same amount that the
    ledger has not been matched with yet, gets the ledger's id. What a person marked as paid gives way to what the
    ledger then tells in parts. Raises ValueError for nothing, less than nothing, or another currency (fault row 86).
    """
    if currency and currency != invoice.currency:
        raise ValueError(f"a payment in {currency} cannot pay invoice {invoice.number} in {invoice.currency}")
    if amount <= 0:
        raise ValueError("a payment has to be more than nothing")
    locked(invoice)
    if connection is not None and remote_id:
        known = _known(connection, remote_id)
        if known is not None:
            return Noted(known, False)
        ours = _ours(invoice, amount, paid_on, mark)
        if ours is not None:
            ours.connection_id, ours.remote_id = connection.id, remote_id
            db.session.flush()
            return Noted(ours, False)
        _give_way(invoice, amount, by=by, now=now)
    payment = _add(
        invoice, amount, paid_on, how, by=by, now=now, method=method, reference=reference,
        mark="" if remote_id else mark, connection=connection, remote_id=remote_id,
    )  # fmt: skip
    is_whole = invoice.paid >= invoice.total
    if is_whole and invoice.paid_at is None:
        _close(invoice, how, by=by, now=now)
    _record(_verb(how, is_whole), invoice, payment, by=by, now=now, connection=connection)
    if how == LEDGER and is_whole:  # said in both ways: where it was paid, and what that made of it here (IN-31)
        _record(Verb.INVOICE_PAID, invoice, payment, by=by, now=now, connection=connection)
    return Noted(payment, True)


def reverse_payment(payment: Payment, *, by: Actor, now: datetime) -> bool:
    """It was taken back where it was made. False when that was known already."""
    invoice = payment.invoice
    locked(invoice)
    if payment.reversed_at is not None:
        return False
    _reverse(payment, by=by, now=now)
    connection = db.session.get(Connection, payment.connection_id) if payment.connection_id else None
    _record(Verb.INVOICE_PAYMENT_UNDONE_THERE, invoice, payment, by=by, now=now, connection=connection)
    return True


def payment_of(connection: Connection, remote_id: str) -> Payment | None:
    """The payment that the ledger knows under this id."""
    return _known(connection, remote_id)


def locked(invoice: Invoice) -> Invoice:
    """The invoice as the database has it now, nobody else's until the transaction ends."""
    db.session.flush()
    db.session.refresh(invoice, with_for_update=True)
    db.session.expire(invoice, ["payments"])
    return invoice


def _must_be_open(invoice: Invoice) -> None:
    if invoice.voided_at is not None:
        raise CannotSettle(f"Invoice {invoice.number} was voided; there is nothing to pay on it.")
    if invoice.paid_at is not None:
        raise CannotSettle(f"Invoice {invoice.number} is paid already.")


def _must_be_ours_alone(payment: Payment, *, by: Actor, now: datetime) -> None:
    """A payment that stands in the ledger, or may do so, cannot be taken back here alone; one still waiting is."""
    from portal.domain import deliveries  # it imports this package

    number = payment.invoice.number
    follows = f"The payment of invoice {number} stands in the ledger. Take it back there; this follows by itself."
    if payment.remote_id:
        raise CannotSettle(follows)
    for delivery in deliveries.of_payments(payment.invoice):
        if delivery.payment_id != payment.id or delivery.state == deliveries.DeliveryState.WITHDRAWN:
            continue
        try:
            if not deliveries.withdraw(delivery, "the invoice was set back to unpaid", by=by, now=now):
                raise CannotSettle(follows)
        except deliveries.UnderWay as reason:
            raise CannotSettle(f"Invoice {number} cannot be set back at this moment. {reason}") from reason


def _add(
    invoice: Invoice,
    amount: Decimal,
    paid_on: date,
    how: str,
    *,
    by: Actor,
    now: datetime,
    method: str = "",
    reference: str = "",
    mark: str = "",
    connection: Connection | None = None,
    remote_id: str | None = None,
) -> Payment:
    payment = Payment(
        mark=mark or uuid.uuid4().hex, invoice_id=invoice.id, amount=amount, currency=invoice.currency,
        paid_on=paid_on, method=method, reference=reference, how=how,
        connection_id=connection.id if connection else None, remote_id=remote_id, created_at=now, created_by=by.name,
    )  # fmt: skip
    invoice.payments.append(payment)
    invoice.paid += amount
    invoice.version += 1
    db.session.flush()
    return payment


def count_one_offs(invoice: Invoice, delta: int, *, by: Actor, now: datetime) -> None:
    """What was billed without a service keeps the client Active until its invoice is settled (BS-10, behaviour 1.1)."""
    query = (
        select(func.count())
        .select_from(InvoiceLine)
        .join(BillingItem, BillingItem.id == InvoiceLine.billing_item_id)
        .where(InvoiceLine.invoice_id == invoice.id, BillingItem.client_service_id.is_(None))
    )
    if found := db.session.scalar(query):
        reason = f"invoice {invoice.number} is {'settled' if delta < 0 else 'open again'}"
        count_items(invoice.client, delta * found, reason=reason, by=by, now=now)


def _close(invoice: Invoice, how: str, *, by: Actor, now: datetime) -> None:
    invoice.paid_at, invoice.paid_how = now, how
    if invoice.voided_at is None:
        count_one_offs(invoice, -1, by=by, now=now)


def _reverse(payment: Payment, *, by: Actor, now: datetime) -> None:
    invoice = payment.invoice
    payment.reversed_at = now
    invoice.paid -= payment.amount
    invoice.version += 1
    if invoice.paid_at is not None and invoice.paid < invoice.total:
        invoice.paid_at, invoice.paid_how = None, ""
        if invoice.voided_at is None:
            count_one_offs(invoice, 1, by=by, now=now)
    db.session.flush()


def _known(connection: Connection, remote_id: str) -> Payment | None:
    query = select(Payment).where(Payment.connection_id == connection.id, Payment.remote_id == remote_id)
    return db.session.scalar(query)


def _ours(invoice: Invoice, amount: Decimal, paid_on: date, mark: str) -> Payment | None:
    """Ours that the ledger now tells of: by our mark, else of the same amount, first one of the same day."""
    open_ones = [one for one in invoice.payments if one.reversed_at is None and not one.remote_id]
    if mark:
        marked = next((one for one in open_ones if one.mark == mark), None)
        if marked is not None:
            return marked
    same = [one for one in open_ones if one.amount == amount]
    return next((one for one in same if one.paid_on == paid_on), same[0] if same else None)


def _give_way(invoice: Invoice, amount: Decimal, *, by: Actor, now: datetime) -> None:
    """What a person marked as paid, and no ledger knows, makes room for what the ledger tells; the rest stays."""
    over = invoice.paid + amount - invoice.total
    by_hand = [one for one in invoice.payments if one.how == PERSON and one.reversed_at is None and not one.remote_id]
    for payment in by_hand:
        if over <= 0:
            return
        if _is_on_its_way(payment):
            continue
        payment.reversed_at = now
        invoice.paid -= payment.amount
        over -= payment.amount
        if over < 0:
            rest = _add(
                invoice, -over, payment.paid_on, PERSON, by=by, now=now, method=payment.method,
                reference=payment.reference,
            )  # fmt: skip
            rest.facts = {"rest_of": payment.id}


def _is_on_its_way(payment: Payment) -> bool:
    from portal.domain.deliveries import Delivery  # it imports this package

    return db.session.scalar(select(Delivery.id).where(Delivery.payment_id == payment.id).limit(1)) is not None


def _ask(payment: Payment, *, by: Actor, now: datetime) -> None:
    connection_id = payment.invoice.connection_id
    connection = db.session.get(Connection, connection_id) if connection_id else None
    if connection is None:
        return
    from portal.domain import deliveries  # it imports this package

    deliveries.ask_payment(payment, connection, by=by, now=now)


def _verb(how: str, is_whole: bool) -> Verb:
    if how == LEDGER:
        return Verb.INVOICE_PAID_THERE if is_whole else Verb.INVOICE_PART_PAID_THERE
    return Verb.INVOICE_PAID if is_whole else Verb.INVOICE_PART_PAID


def _record(
    verb: Verb,
    invoice: Invoice,
    payment: Payment,
    *,
    by: Actor,
    now: datetime,
    connection: Connection | None = None,
    **facts: Any,
) -> None:
    left = max(invoice.total - invoice.paid, Decimal(0))
    activity.record(
        verb, by=by, now=now, client_id=invoice.client_id, invoice_id=invoice.id,
        connection_id=connection.id if connection else None, number=invoice.number,
        amount=money.said(payment.amount, invoice.currency), left=money.said(left, invoice.currency),
        day=day_text(payment.paid_on), method=payment.method or METHODS["other"], reference=payment.reference,
        app=connections.label(connection) if connection else "", **facts,
    )  # fmt: skip


def day_text(day: date) -> str:
    """'3 Nov 2026': for logs and sentences."""
    return f"{day.day} {day:%b} {day.year}"
