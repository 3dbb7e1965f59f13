"""What the practice of `benchmarks.practice` has billed: any number of invoices, the same ones every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, text

from benchmarks.practice import BATCH, NOW
from portal.db import db
from portal.domain.apps import Connection, ConnectionState
from portal.domain.clients import Client
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.invoices import Invoice, kept

TODAY = NOW.date()
DAYS = 6 * 365  # the invoices are of this many days
STATES = (
    (DeliveryState.DELIVERED, 9_940), (DeliveryState.WAITING, 20), (DeliveryState.FAILED, 20), (DeliveryState.ASKS, 10),
    (DeliveryState.UNKNOWN, 10),
)  # fmt: skip


def fill(invoices: int) -> None:
    """Bill the clients that are there: of six years, a tenth open, a hundredth voided, two in a thousand stuck."""
    dice = random.Random(200_000)
    ledgers = _ledgers()
    clients = [(row.id, row.name) for row in db.session.execute(select(Client.id, Client.name).order_by(Client.id))]
    for start in range(1, invoices + 1, BATCH):
        made = [_invoice(dice, number, invoices, clients, ledgers) for number in range(start, start + BATCH)]
        made = made[: invoices + 1 - start]
        db.session.execute(insert(Invoice), made)
        db.session.execute(insert(Delivery), list(_deliveries(dice, made)))
    kept.recount(TODAY)  # rows written like this tell nobody
    db.session.commit()
    if db.engine.dialect.name == "postgresql":
        for table in ("invoice", "delivery"):
            given = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            db.session.execute(text(given))
    db.session.execute(text("ANALYZE"))
    db.session.commit()


def _ledgers() -> list[int]:
    made = [
        Connection(app=app, state=ConnectionState.CONNECTED, account_id=f"books-{app}", account_name="Marlow & Co",
                   state_changed_at=NOW, enabled_at=NOW)
        for app in ("xero", "quickbooks")
    ]  # fmt: skip
    db.session.add_all(made)
    db.session.flush()
    return [one.id for one in made]


def _invoice(
    dice: random.Random, number: int, invoices: int, clients: list[tuple[int, str]], ledgers: list[int]
) -> dict[str, Any]:
    client_id, name = dice.choice(clients)
    issued = TODAY - timedelta(days=DAYS - number * DAYS // invoices)
    total = Decimal(dice.randint(1_000, 900_000)) / 100
    age = (TODAY - issued).days
    is_open = dice.random() < (0.9 if age < 14 else 0.5 if age < 60 else 0.06)
    is_part = is_open and dice.random() < 0.05
    is_voided = not is_open and dice.random() < 0.01
    ended = NOW - timedelta(days=max(age - 20, 0))
    return {
        "id": number, "mark": f"mark-{number}", "number": f"INV-{number:06}", "client_id": client_id,
        "client_name": name, "connection_id": dice.choices([*ledgers, None], [70, 25, 5])[0], "source": "portal",
        "issued_on": issued, "due_on": issued + timedelta(days=dice.choice((7, 14, 20, 30))), "is_automatic": True,
        "currency": "AUD" if dice.random() < 0.03 else "NZD", "net": total, "tax": Decimal(0), "total": total,
        "paid": Decimal(0) if is_voided else total / 2 if is_part else Decimal(0) if is_open else total,
        "paid_at": None if is_open or is_voided else ended, "paid_how": "" if is_open or is_voided else "ledger",
        "voided_at": ended if is_voided else None, "created_at": NOW - timedelta(days=age),
    }  # fmt: skip


def _deliveries(dice: random.Random, made: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    states, weights = [state for state, _ in STATES], [weight for _, weight in STATES]
    for one in made:
        if one["connection_id"] is None:
            continue
        state = dice.choices(states, weights)[0]
        is_there = state is DeliveryState.DELIVERED
        yield {
            "kind": "invoice", "connection_id": one["connection_id"], "client_id": one["client_id"],
            "invoice_id": one["id"], "key": f"key-{one['id']}", "mark": one["mark"], "state": state,
            "remote_id": f"there-{one['id']}" if is_there else None, "remote_number": one["number"] if is_there else "",
            "made_at": one["created_at"], "delivered_at": one["created_at"] if is_there else None,
        }  # fmt: skip


def place_of_page_1000() -> tuple[date, int]:
    """Where page 1,000 of the list, newest first, begins; with fewer invoices, the last whole page."""
    count = db.session.scalar(text("SELECT count(*) FROM invoice WHERE voided_at IS NULL")) or 0
    before = max(0, min(999 * 50, count - 51) - 1)
    query = (
        select(Invoice.issued_on, Invoice.id)
        .where(Invoice.voided_at.is_(None))
        .order_by(Invoice.issued_on.desc(), Invoice.id.desc())
        .limit(1)
        .offset(before)
    )
    row = db.session.execute(query).one()
    return row.issued_on, row.id
