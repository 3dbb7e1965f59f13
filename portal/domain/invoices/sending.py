"""Taking one invoice to a ledger by hand, and to the client: its private address."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, ledgers
from portal.domain.activity import Actor, Verb
from portal.domain.deliveries import Delivery
from portal.domain.deliveries import ask as ask_delivery
from portal.domain.invoices.models import Invoice


class NoLedger(Exception):
    """The client has no ledger the invoice could go to; the text says what to do."""


def send_to_ledger(invoice: Invoice, *, by: Actor, now: datetime) -> Delivery:
    """A person wants this invoice in its client's ledger, whatever the switch says. Raises `NoLedger`."""
    choice = ledgers.choice_of(invoice.client)
    if choice.connection is None:
        raise NoLedger(f"{invoice.client_name} has no ledger. Connect one, or choose one on the client’s Invoices tab.")
    invoice.connection_id = choice.connection.id
    return ask_delivery(invoice, choice.connection, by=by, now=now)


def payment_token(invoice: Invoice, *, by: Actor, now: datetime) -> str:
    """A new secret for the invoice's private address; an older one stops working. Only its hash is kept (PP-12)."""
    token = secrets.token_urlsafe(24)
    invoice.pay_token = _hashed(token)
    activity.record(
        Verb.PAYMENT_LINK_MADE, by=by, now=now, client_id=invoice.client_id, invoice_id=invoice.id, user=by.name
    )
    return token


def by_payment_token(token: str) -> Invoice | None:
    return db.session.scalar(select(Invoice).where(Invoice.pay_token == _hashed(token)))


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
