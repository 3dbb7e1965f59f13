"""Payments made here are recorded in the ledger against their invoice, each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal import deliveries as shell
from portal.adapters.ledger import InvoiceRefused
from portal.db import db
from portal.domain import deliveries
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.invoices import Invoice, Payment
from portal.domain.ledgers import LedgerSettings
from portal.domain.records import Cause
from tests.cast import make_client, make_link
from tests.cast_deliveries import bill, make_issued, pay, told_of
from tests.pretend_app import PRIYA, record
from tests.pretend_ledger import LedgerAccount, pretend_ledger

MANNERS = [
    pytest.param({"refuses_used_numbers": True}, id="refuses used numbers"),
    pytest.param({"writes_by_mark": True}, id="writes by mark"),
    pytest.param({}, id="neither"),
]


@pytest.fixture(params=MANNERS)
def books(database: Any, clock: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    return pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], **request.param)


@pytest.fixture
def plain(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    return pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], refuses_used_numbers=True)


def acme(books: LedgerAccount, remote_id: str = "r-1") -> Any:
    client = make_client("Acme Corp")
    make_link(client, books.connection, remote_id)
    return client


def row(delivery_id: int) -> Delivery:
    db.session.expire_all()
    return db.session.get_one(Delivery, delivery_id)


def now() -> datetime:
    return datetime.now(UTC)


def invoice_of(delivery: Delivery) -> Invoice:
    return db.session.get_one(Invoice, delivery.invoice_id)


def test_a_payment_made_here_waits_for_its_invoice_and_is_recorded_once(books: LedgerAccount, clock: Any) -> None:
    """Fault row 61's first half: the payment carries the ledger's id, so reading it back is not another one."""
    asked = bill(acme(books), books.connection)
    paid = pay(invoice_of(asked), books.connection)
    db.session.commit()
    books.app.refuse_invoice["INV-0001"] = InvoiceRefused("The books are locked.", cause=Cause.PERIOD_LOCKED)
    shell.deliver_due(now())
    assert row(paid.id).state == DeliveryState.WAITING
    assert books.app.payments == {}
    books.app.refuse_invoice.clear()
    deliveries.try_again(row(asked.id), by=PRIYA, now=now())
    db.session.commit()
    shell.deliver_due(now())
    shell.deliver_due(now())
    assert row(paid.id).state == DeliveryState.DELIVERED
    (there,) = books.app.payments.values()
    payment = db.session.scalars(select(Payment)).one()
    assert (payment.remote_id, payment.connection_id) == (there.remote_id, books.connection_id)
    assert told_of(invoice_of(row(asked.id)))[-1] == "Payment of NZD 115.00 recorded in Ledger"


def test_a_payment_whose_answer_was_lost_is_found_and_not_recorded_again(books: LedgerAccount, clock: Any) -> None:
    asked = bill(acme(books), books.connection)
    db.session.commit()
    shell.deliver_due(now())
    paid = pay(invoice_of(row(asked.id)), books.connection)
    db.session.commit()
    books.app.lose("payments")
    shell.deliver_due(now())
    assert row(paid.id).state == DeliveryState.UNKNOWN
    clock.shift(timedelta(minutes=2))
    shell.deliver_due(now())
    assert (row(paid.id).state, row(paid.id).adopted) == (DeliveryState.DELIVERED, True)
    assert len(books.app.payments) == 1
    assert told_of(invoice_of(row(asked.id)))[-2:] == [
        "Whether the payment of NZD 115.00 reached Ledger is not known yet; it is looked for",
        "Payment of NZD 115.00 found in Ledger and matched; it was not recorded again",
    ]


def test_payments_are_not_asked_for_where_the_ledger_is_not_to_have_them(plain: LedgerAccount) -> None:
    invoice = make_issued(acme(plain), None)
    payment = Payment(
        mark="m", invoice_id=invoice.id, amount=invoice.total, currency="NZD", paid_on=invoice.issued_on, how="person",
        created_at=now(),
    )  # fmt: skip
    db.session.add(payment)
    db.session.flush()
    assert deliveries.ask_payment(payment, plain.connection, by=PRIYA, now=now()) is None
    deliveries.ask(invoice, plain.connection, by=PRIYA, now=now())
    db.session.get_one(LedgerSettings, plain.connection_id).writes_payments = False
    assert deliveries.ask_payment(payment, plain.connection, by=PRIYA, now=now()) is None
