"""What the business's books tell an app that listens: one event a call, signed with the time it was sent.

Names of the body's fields and of the events are anybody's guess.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import uuid
from typing import Any

from portal.sandbox import webhooks
from portal.sandbox.context import Sandbox
from portal.sandbox.digits import books

VENDOR = "digits"
Event = dict[str, Any]


def of_transaction(db: sqlite3.Connection, deal: int, verb: str) -> Event | None:
    """What is said when an invoice or a payment was written or taken away; None for any other transaction."""
    row = db.execute(
        "SELECT t.*, i.deal AS invoice, a.invoice AS of FROM digits_transaction t"
        " LEFT JOIN digits_invoice i ON i.deal = t.n LEFT JOIN digits_applied a ON a.deal = t.n WHERE t.n = ?",
        (deal,),
    ).fetchone()
    if row is None or (row["invoice"] is None and row["of"] is None):
        return None
    data: Event = {"id": books.ledger_id(row["digits_id"]), "externalId": row["ext"], "businessId": row["tenant"]}
    if row["of"] is not None:
        of = db.execute("SELECT ext FROM digits_transaction WHERE n = ?", (row["of"],)).fetchone()
        data["invoice"] = {"externalId": of["ext"]} if of else None
    return {"type": f"{'invoice' if row['invoice'] is not None else 'payment'}.{verb}", "data": data}


def tell(box: Sandbox, news: list[Event | None]) -> None:
    """After the change is committed."""
    stamp = f"{box.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    told = [{"id": str(uuid.uuid4()), "version": "v1", "occurredAt": stamp, **one} for one in news if one]
    if told:
        webhooks.tell(box, VENDOR, told)


def _body(events: list[Event], first: int) -> bytes:
    return json.dumps(events[0], ensure_ascii=False).encode()


def _headers(body: bytes, secret: str, delivery: webhooks.Delivery) -> dict[str, str]:
    """As documented; every attempt says the time at which its delivery was made."""
    moment = str(int(delivery.made))
    signed = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "User-Agent": "Digits-Webhooks/1.0", "Webhook-Timestamp": moment, "Webhook-Signature": f"v1={signed}",
    }  # fmt: skip


HOOK = webhooks.Hook(body=_body, headers=_headers, at_most=1)
