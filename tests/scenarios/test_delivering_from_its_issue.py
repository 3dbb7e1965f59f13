"""An invoice is issued and asked for in one transaction, or not at all; and never in two currencies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, func, select

from portal import deliveries as shell
from portal.db import db
from portal.domain import invoices
from portal.domain.activity import Activity
from portal.domain.clients import Client
from portal.domain.deliveries import Delivery, DeliveryAttempt, DeliveryState
from portal.domain.invoices import Invoice
from portal.domain.invoices.models import NumberSeries
from portal.domain.schedule import BillingItem
from tests.cast import make_client, make_link
from tests.cast_deliveries import bill, told_of
from tests.cast_invoices import make_invoice, make_item
from tests.pretend_app import PRIYA
from tests.pretend_ledger import LedgerAccount
from tests.scenarios.loose_ledgers import (
    forgetful,
    invoice_of,
    now,
)

DAY = date(2026, 11, 3)


@pytest.fixture
def strict(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    """Refuses used numbers, cannot be asked for a sign, and forgets keys at once."""
    return forgetful(monkeypatch, refuses_used_numbers=True)


@pytest.fixture
def loose(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    """Protects nothing, and finds by number only."""
    return forgetful(monkeypatch)


class Died(BaseException):
    """What a process does that is killed: nothing of its transaction is ever on record."""


@contextmanager
def dying(at: int) -> Iterator[None]:
    """At the so-manieth statement."""
    met = [0]

    def count(*_what: Any) -> None:
        met[0] += 1
        if met[0] == at:
            raise Died

    event.listen(db.engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(db.engine, "before_cursor_execute", count)


def test_killed_at_any_statement_of_its_issuing_nothing_is_there_and_a_second_try_works(strict: LedgerAccount) -> None:
    """Fault row 1: the invoice, its number, its delivery and its log come together or not at all."""
    client = make_client("Acme Corp")
    make_link(client, strict.connection, "r-1")
    client_id, item_id = client.id, make_item(client, tax="15").id
    db.session.commit()
    before = _issued_facts()
    deaths = 0
    for at in range(1, 400):
        try:
            with dying(at):
                make_invoice(db.session.get_one(Client, client_id), db.session.get_one(BillingItem, item_id))
                db.session.commit()
        except Died:
            db.session.rollback()
            db.session.expire_all()
            deaths += 1
            assert _issued_facts() == before, f"killed at statement {at}"
            continue
        break
    assert deaths > 15
    shell.deliver_due(now())
    (invoice,) = db.session.scalars(select(Invoice))
    (delivery,) = db.session.scalars(select(Delivery))
    assert (invoice.number, delivery.mark, delivery.state) == ("INV-0001", invoice.mark, DeliveryState.DELIVERED)
    assert strict.app.numbers() == ["INV-0001"]
    assert [line for line in told_of(invoice) if "created in Ledger" in line] == ["Invoice INV-0001 created in Ledger"]


def _issued_facts() -> tuple[Any, ...]:
    """All that issuing an invoice changes."""
    tables = (Invoice, Delivery, DeliveryAttempt, Activity)
    counts = [db.session.scalar(select(func.count()).select_from(one)) for one in tables]
    states = list(db.session.scalars(select(BillingItem.state)))
    numbers = list(db.session.execute(select(NumberSeries.kind, NumberSeries.next)))
    db.session.rollback()
    return counts, states, numbers


def test_two_currencies_are_never_one_invoice_and_never_one_payment(strict: LedgerAccount) -> None:
    """Fault row 86: refused before anything is on record, and so before anything is sent."""
    client = make_client("Acme Corp")
    make_link(client, strict.connection, "r-1")
    items = [make_item(client, tax="15"), make_item(client, tax="15", currency="AUD")]
    db.session.commit()
    with pytest.raises(ValueError):
        make_invoice(client, *items)
    db.session.rollback()
    assert db.session.scalars(select(Delivery)).all() == []
    asked = bill(client, strict.connection).id
    db.session.commit()
    shell.deliver_due(now())
    with pytest.raises(ValueError, match="AUD cannot pay"):
        invoices.note_payment(invoice_of(asked), Decimal(5), DAY, by=PRIYA, now=now(), currency="AUD")
    db.session.rollback()
    assert invoice_of(asked).paid == 0
    assert strict.app.calls.count("payments") == 0
