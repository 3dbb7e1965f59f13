"""Pretend ledgers that protect little, and what stories about them need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from portal import deliveries as shell
from portal.db import db
from portal.domain.activity import Activity
from portal.domain.deliveries import Delivery, DeliveryAttempt, DeliveryState
from portal.domain.invoices import Invoice
from portal.domain.ledgers import LedgerRecord
from tests.cast import make_client, make_link
from tests.cast_deliveries import bill
from tests.pretend_app import record
from tests.pretend_ledger import LedgerAccount, pretend_ledger


def books_like(monkeypatch: pytest.MonkeyPatch, **rules: Any) -> LedgerAccount:
    return pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], **rules)


def forgetful(monkeypatch: pytest.MonkeyPatch, **rules: Any) -> LedgerAccount:
    """It forgets idempotency keys at once, and finds invoices by their number only."""
    made = books_like(monkeypatch, **rules)
    made.app.keeps_keys = False
    find = made.app.find_invoices
    monkeypatch.setattr(
        made.app, "find_invoices",
        lambda session, numbers, marks: [one for one in find(session, numbers, []) if one.number in numbers],
    )  # fmt: skip
    return made


def asked_of(books: LedgerAccount, count: int = 1) -> list[int]:
    client = make_client("Acme Corp")
    make_link(client, books.connection, "r-1")
    made = [bill(client, books.connection).id for _ in range(count)]
    db.session.commit()
    return made


def row(delivery_id: int) -> Delivery:
    db.session.expire_all()
    return db.session.get_one(Delivery, delivery_id)


def invoice_of(delivery_id: int) -> Invoice:
    return db.session.get_one(Invoice, row(delivery_id).invoice_id)


def now() -> datetime:
    return datetime.now(UTC)


def later(clock: Any, **by: float) -> None:
    clock.shift(timedelta(**by))
    shell.deliver_due(now())


def forgotten(ids: list[int]) -> None:
    """The rows as last night's backup has them."""
    db.session.execute(delete(DeliveryAttempt))
    db.session.execute(delete(LedgerRecord))
    db.session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(
            state=DeliveryState.WAITING, remote_id=None, remote_number="", adopted=False, attempts=0, sent_at=None,
            delivered_at=None, next_at=now(),
        )
    )  # fmt: skip
    db.session.execute(delete(Activity).where(Activity.invoice_id.is_not(None)))
    db.session.commit()


def numbered(ids: list[int], numbers: list[str]) -> None:
    invoice_ids = [row(one).invoice_id for one in ids]
    for value in ([f"x{one}" for one in numbers], numbers):
        for invoice_id, number in zip(invoice_ids, value, strict=True):
            db.session.execute(update(Invoice).where(Invoice.id == invoice_id).values(number=number))
    db.session.commit()
