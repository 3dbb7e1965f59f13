"""A ledger that is ready to take invoices, and invoices on their way to it. All of it needs an app context.

`make_ready(connection)` maps one tax rate and one target; `bill(client, connection)` writes an issued invoice, as the
schedule leaves it, and asks for its delivery.
"""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from portal.db import db
from portal.domain import deliveries
from portal.domain.activity import Activity, Actor, Origin, sentence
from portal.domain.apps import Connection
from portal.domain.clients import Client
from portal.domain.deliveries import Delivery
from portal.domain.invoices import Invoice, InvoiceLine, Payment
from portal.domain.ledgers import LedgerEntry, LedgerSettings, TaxMapping
from portal.domain.library import TaxRate
from tests.cast import now

SCHEDULE = Actor("System", Origin.SCHEDULE)
PAY_INTO = "bank-1"


def make_ready(
    connection: Connection, *, target: str = "target-1", tax: str = "tax-1", pay_into: str = PAY_INTO, **settings: Any
) -> TaxRate:
    """One tax rate of 15 %, mapped to `tax`; every service goes to `target`."""
    ledger = connection.ways.ledger
    assert ledger is not None, f"{connection.app} holds no invoices"
    rate = db.session.scalar(select(TaxRate).where(TaxRate.percent == Decimal(15)))
    if rate is None:
        rate = TaxRate(name="GST 15 %", percent=Decimal(15), created_at=now())
        db.session.add(rate)
    db.session.add(
        LedgerSettings(
            connection_id=connection.id, creates=True, creates_since=[["2020-01-01T00:00:00+00:00", True]],
            default_target=target, pay_into=pay_into, lists_read_at=now(), **settings,
        )
    )  # fmt: skip
    entries = [(ledger.target, target, None), ("tax", tax, Decimal(15)), ("pay_into", pay_into, None)]
    for kind, remote_id, percent in entries:
        db.session.add(
            LedgerEntry(connection_id=connection.id, kind=kind, remote_id=remote_id, name=kind, percent=percent)
        )
    db.session.flush()
    db.session.add(TaxMapping(connection_id=connection.id, tax_rate_id=rate.id, remote_id=tax))
    db.session.flush()
    return rate


def make_issued(client: Client, connection: Connection | None = None, price: str = "100", **details: Any) -> Invoice:
    """An invoice of one line at 15 % on top, issued on the third of November."""
    rate = db.session.scalar(select(TaxRate).where(TaxRate.percent == Decimal(15)))
    net = Decimal(price)
    tax = (net * Decimal("0.15")).quantize(Decimal("0.01"))
    count = db.session.scalar(select(func.count()).select_from(Invoice)) or 0
    day = details.pop("on", date(2026, 11, 3))
    values = {
        "mark": uuid.uuid4().hex, "number": f"INV-{count + 1:04}", "client_id": client.id, "client_name": client.name,
        "connection_id": connection.id if connection else None, "issued_on": day, "due_on": day + timedelta(days=14),
        "currency": "NZD", "net": net, "tax": tax, "total": net + tax, "created_at": now(),
    } | details  # fmt: skip
    invoice = Invoice(**values)
    invoice.client = client
    invoice.lines.append(
        InvoiceLine(
            position=1, name="Annual accounts", description="For the year", quantity=Decimal(1), price=net, net=net,
            tax=tax, tax_rate_id=rate.id if rate else None, tax_name="GST 15 %", tax_percent=Decimal(15),
            discount=Decimal(0),
        )
    )  # fmt: skip
    db.session.add(invoice)
    db.session.flush()
    return invoice


def bill(client: Client, connection: Connection, price: str = "100", **details: Any) -> Delivery:
    """An invoice on its way to the ledger."""
    invoice = make_issued(client, connection, price, **details)
    return deliveries.ask(invoice, connection, by=SCHEDULE, now=now())


def pay(invoice: Invoice, connection: Connection, amount: str = "", by: Actor = SCHEDULE) -> Delivery:
    """A payment made here, on its way to the ledger."""
    payment = Payment(
        mark=uuid.uuid4().hex, invoice_id=invoice.id, amount=Decimal(amount or invoice.total),
        currency=invoice.currency, paid_on=invoice.issued_on, how="person", created_at=now(), reference="by bank",
    )  # fmt: skip
    db.session.add(payment)
    db.session.flush()
    asked = deliveries.ask_payment(payment, connection, by=by, now=now())
    assert asked is not None
    return asked


def told_of(invoice: Invoice) -> list[str]:
    """The invoice's log, oldest first."""
    query = select(Activity).where(Activity.invoice_id == invoice.id).order_by(Activity.id)
    return [sentence(one) for one in db.session.scalars(query)]
