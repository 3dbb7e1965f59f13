"""A pretend ledger that tells back: what is in it now, its webhooks, and what became of that here."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal.adapters.ledger import WebhookRefused
from portal.db import db
from portal.domain.invoices import Invoice, Payment
from portal.domain.records import InvoiceState, LedgerEvent, LedgerInvoice, LedgerPayment
from portal.receivables import looking
from tests.cast_deliveries import told_of
from tests.pretend_ledger import LedgerAccount

KEY = "what the vendor signs with"
STAMP = datetime(2026, 11, 4, 8, 0, tzinfo=UTC)
DAY = date(2026, 11, 4)
PAID_THERE = [
    "Invoice paid in Ledger: NZD 115.00 on 4 Nov 2026",
    "Invoice marked as paid automatically on 4 Nov 2026, paid by Ledger",
]


def fetch_invoices(app: Any, session: Any, since: datetime | None) -> Iterator[LedgerInvoice]:
    app.calls.append("list" if since else "list all")
    app._maybe_refuse("list")
    for one in list(app.invoices.values()):
        if one.state == InvoiceState.OPEN if since is None else (one.changed_at or since) >= since:
            yield one


def read_events(app: Any, headers: Any, body: bytes, secret: str) -> list[LedgerEvent]:
    if not hmac.compare_digest(headers.get("Signature", ""), signed(body, secret)):
        raise WebhookRefused("the signature does not fit")
    return [LedgerEvent(one["id"], one["account"], one["kind"], one["of"], "update", None) for one in json.loads(body)]


def signed(body: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def there(
    books: LedgerAccount, *payments: LedgerPayment, state: InvoiceState = InvoiceState.OPEN, **values: Any
) -> None:
    """How the ledger has it now."""
    paid = sum((one.amount for one in payments if not one.is_void), Decimal(0))
    one = books.app.invoices["invoice-1"]
    is_paid = paid >= one.total and state == InvoiceState.OPEN
    changed = {
        "payments": payments, "paid": paid, "due": one.total - paid, "changed_at": STAMP,
        "state": InvoiceState.PAID if is_paid else state,
    }  # fmt: skip
    books.app.invoices["invoice-1"] = replace(one, **changed | values)


def paid(amount: str = "115", remote_id: str = "p-1", **values: Any) -> LedgerPayment:
    return LedgerPayment(remote_id, "invoice-1", Decimal(amount), "NZD", DAY, **values)


def look(books: LedgerAccount) -> None:
    looking.look(books.connection.id)
    db.session.expire_all()


def new_lines(invoice: Invoice) -> list[str]:
    """What its log says after the delivery."""
    return told_of(invoice)[2:]


def ours() -> list[tuple[str, bool]]:
    """Payments here: the ledger's id, and whether it was taken back."""
    rows = db.session.scalars(select(Payment).order_by(Payment.id))
    return [(one.remote_id, one.reversed_at is not None) for one in rows]
