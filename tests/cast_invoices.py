"""Things to bill and invoices, for tests. All of it needs an app context.

`make_item(client, price="100")` is open and in nobody's schedule; `make_invoice(client, item, …)` issues it.
`copies_of(invoice, 100)` is for lists: as quick as a hundred rows can be.
"""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, inspect, select

from portal.db import db
from portal.domain import invoices
from portal.domain.clients import Client
from portal.domain.invoices import Invoice
from portal.domain.library import TaxRate
from portal.domain.schedule import BillingItem
from tests.cast import COMMAND, now

TODAY = date(2026, 11, 3)  # in Auckland, when the test's clock stands at noon


def make_tax_rate(percent: str = "15", name: str = "") -> TaxRate:
    """The rate of this name, made on first use."""
    name = name or f"GST {percent} %"
    found = db.session.scalar(select(TaxRate).where(TaxRate.name == name))
    if found is None:
        found = TaxRate(name=name, percent=Decimal(percent), created_at=now())
        db.session.add(found)
        db.session.flush()
    return found


def make_item(client: Client, name: str = "Annual accounts", price: str = "100", **details: Any) -> BillingItem:
    """To be billed by hand, without tax unless `tax` gives a percentage."""
    tax = details.pop("tax", None)
    details |= {"tax_rate_id": make_tax_rate(tax).id} if tax is not None else {}
    item = BillingItem(
        mark=uuid.uuid4().hex, client_id=client.id, name=name, price=Decimal(price), created_at=now(), **details
    )
    db.session.add(item)
    db.session.flush()
    return item


def make_invoice(client: Client, *items: BillingItem, **details: Any) -> Invoice:
    """Issued by a person on TODAY; of one item of 100.00 where none are given."""
    details = {"on": TODAY, "by": COMMAND, "now": now(), "is_automatic": False} | details
    return invoices.issue(client, items or [make_item(client)], **details)


def copies_of(invoice: Invoice, count: int) -> None:
    """As many more like it, each with a mark and a number of its own and without lines."""
    row = {one.key: getattr(invoice, one.key) for one in inspect(Invoice).column_attrs if one.key != "id"}
    each = ({"mark": uuid.uuid4().hex, "number": f"{invoice.number}-{place}"} for place in range(1, count + 1))
    db.session.execute(insert(Invoice), [row | one for one in each])
    invoices.kept.recount(TODAY)  # rows written like this tell nobody
