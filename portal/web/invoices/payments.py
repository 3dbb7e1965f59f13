"""Where the payments of an invoice stand in its ledger: recorded, on their way, or refused with the way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import url_for

from portal.domain import connections, deliveries
from portal.domain.deliveries import Delivery, DeliveryState, Standing
from portal.domain.deliveries.deployment import STANDINGS
from portal.domain.invoices import Invoice
from portal.domain.people import May
from portal.web import formats
from portal.web.guard import current_person

WORDS = {
    Standing.CREATED: ("recorded", ""), Standing.WAITING: ("on its way", "info"),
    Standing.FAILED: ("not recorded", "bad"), Standing.NEEDS_CHECK: ("being looked for", "warn"),
    Standing.OFF: ("not to be recorded", ""),
}  # fmt: skip


class Recorded(NamedTuple):
    """`tone` empty: it needs no attention."""

    words: str
    tone: str = ""


def recorded(invoice: Invoice, of_payments: Sequence[Delivery]) -> dict[int, Recorded]:
    """Payment -> how it stands in the invoice's ledger."""
    asked = {one.payment_id: STANDINGS[DeliveryState(one.state)] for one in of_payments}
    found = {}
    for one in invoice.payments:
        if one.id in asked:
            found[one.id] = Recorded(*WORDS[asked[one.id]])
        else:
            found[one.id] = Recorded("read there" if one.remote_id else "only here")
    return found


def unrecorded(invoice: Invoice, of_payments: Sequence[Delivery]) -> list[dict[str, Any]]:
    """Payments a ledger refused or may not have got, each with its reason, what to do, and where."""
    by_id = {one.id: one for one in invoice.payments if one.reversed_at is None}
    found = []
    for row in of_payments:
        standing, payment = STANDINGS[DeliveryState(row.state)], by_id.get(row.payment_id or 0)
        if payment is None or standing not in (Standing.FAILED, Standing.NEEDS_CHECK):
            continue
        app, is_refused = connections.label(row.connection), standing == Standing.FAILED
        advice = deliveries.payment_advice(row.cause if is_refused else "unknown", app)
        found.append(
            {
                "amount": formats.money(payment.amount, payment.currency), "app": app, "delivery_id": row.id,
                "is_refused": is_refused, "reason": row.reason, "advice": advice.text, "fix": _fix(row, advice.fix),
            }
        )  # fmt: skip
    return found


def _fix(row: Delivery, fix: str) -> tuple[str, str] | None:
    if fix == "mapping" and current_person().may(May.MANAGE_APPS):
        words = f"Invoice settings of {connections.label(row.connection)}"
        return words, url_for("apps.ledger", connection_id=row.connection_id)
    if fix == "connection" and current_person().may(May.SEE_APPS):
        return f"Open {connections.label(row.connection)}", url_for("apps.panel", connection_id=row.connection_id)
    return None


def stands_there(invoice: Invoice, of_payments: Sequence[Delivery]) -> bool:
    """Whether what a person marked as paid is, or may be, in the ledger: then it has to be taken back there."""
    by_hand = {one.id for one in invoice.payments if one.how == "person" and one.reversed_at is None}
    is_known = any(one.remote_id for one in invoice.payments if one.id in by_hand)
    there = (DeliveryState.DELIVERED, DeliveryState.SENDING, DeliveryState.UNKNOWN)
    return is_known or any(one.payment_id in by_hand and one.state in there for one in of_payments)
