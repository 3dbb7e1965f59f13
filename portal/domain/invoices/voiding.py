"""Invoices that are to count no more: voided here by a person, or voided or deleted in their ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from portal.db import db
from portal.domain import activity, connections
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection
from portal.domain.invoices.models import Invoice
from portal.domain.invoices.paying import count_one_offs, locked

REASONS = {
    "duplicate": "Issued twice",
    "wrong_amount": "Wrong amount",
    "wrong_client": "Wrong client",
    "wrong_date": "Wrong date",
    "not_going_ahead": "The work is not going ahead",
    "written_off": "Will not be paid",
    "other": "Another reason",
}


class CannotVoid(ValueError):
    """This invoice cannot be voided; the text says why, and what to do, for a person."""


@dataclass(frozen=True)
class Voided:
    """`there`: names of the apps whose ledgers hold the invoice. It has to be voided there by hand, since voiding here
    changes no ledger (IN-35)."""

    there: tuple[str, ...]


def void(invoice: Invoice, reason: str, note: str, *, by: Actor, now: datetime) -> Voided:
    """For good (IN-33, IN-34). `reason` is a key of REASONS. What has not gone out yet is withdrawn.

    Raises `CannotVoid` for an invoice that is paid, part paid, being collected, being sent, or voided already.
    """
    if reason not in REASONS:
        raise CannotVoid("Choose one of the reasons.")
    locked(invoice)
    if invoice.voided_at is not None:
        raise CannotVoid(f"Invoice {invoice.number} was voided already.")
    if invoice.paid > 0:
        raise CannotVoid(
            f"Something was paid on invoice {invoice.number}, so it cannot be voided. Take the payment back first."
        )
    outcome = _withdraw(invoice, by=by, now=now)
    _close(invoice, "person", reason, note, by=by, now=now)
    activity.record(
        Verb.INVOICE_VOIDED, by=by, now=now, client_id=invoice.client_id, invoice_id=invoice.id,
        user=by.name, reason=REASONS[reason], note=note, number=invoice.number,
    )  # fmt: skip
    return outcome


def voided_there(invoice: Invoice, connection: Connection, *, by: Actor, now: datetime) -> bool:
    """The ledger voided it, so it is void here (IN-35). False when it was so already."""
    return _ended_there(Verb.INVOICE_VOIDED_THERE, "voided_there", invoice, connection, by=by, now=now)


def deleted_there(invoice: Invoice, connection: Connection, *, by: Actor, now: datetime) -> bool:
    """The ledger deleted it, so it is void here. False when it was so already."""
    return _ended_there(Verb.INVOICE_DELETED_THERE, "deleted_there", invoice, connection, by=by, now=now)


def _ended_there(
    verb: Verb, reason: str, invoice: Invoice, connection: Connection, *, by: Actor, now: datetime
) -> bool:
    locked(invoice)
    if invoice.voided_at is not None:
        return False
    _close(invoice, "ledger", reason, "", by=by, now=now)
    activity.record(
        verb, by=by, now=now, client_id=invoice.client_id, invoice_id=invoice.id, connection_id=connection.id,
        app=connections.label(connection), number=invoice.number,
    )  # fmt: skip
    return True


def _close(invoice: Invoice, who: str, reason: str, note: str, *, by: Actor, now: datetime) -> None:
    if invoice.paid_at is None:
        count_one_offs(invoice, -1, by=by, now=now)
    invoice.voided_at, invoice.voided_by = now, who
    invoice.void_reason, invoice.void_note = reason, note
    invoice.version += 1
    db.session.flush()


def _withdraw(invoice: Invoice, *, by: Actor, now: datetime) -> Voided:
    from portal.domain import deliveries  # it imports this package

    there = []
    for delivery in deliveries.of(invoice):
        if delivery.state == deliveries.DeliveryState.WITHDRAWN:
            continue
        try:
            if not deliveries.withdraw(delivery, "the invoice was voided", by=by, now=now):
                there.append(connections.label(delivery.connection))
        except deliveries.UnderWay as reason:
            raise CannotVoid(f"Invoice {invoice.number} cannot be voided at this moment. {reason}") from reason
    return Voided(tuple(there))
