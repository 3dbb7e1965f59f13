"""What deliveries carry, as logs name it: an invoice by its number, a payment by its amount, a job by its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.deliveries.models import Delivery, Job
from portal.domain.invoices.models import Invoice, Payment


@dataclass(frozen=True)
class Carried:
    """`facts` are those of its sentences; `app` is added by whoever records."""

    kind: str
    client_id: int
    invoice_id: int | None
    proposal_id: int | None
    facts: dict[str, Any]

    def record(self, verb: Verb, delivery: Delivery, *, by: Actor, now: Any, **facts: Any) -> None:
        """A line in the log of the client and the invoice."""
        activity.record(
            verb, by=by, now=now, client_id=self.client_id, invoice_id=self.invoice_id, proposal_id=self.proposal_id,
            connection_id=delivery.connection_id, **(self.facts | facts),
        )  # fmt: skip


def carried(rows: Iterable[Delivery]) -> dict[int, Carried]:
    """What each of these carries, by the delivery's id; three queries at most."""
    rows = list(rows)
    found = {}
    invoices = _by_id(Invoice, {row.invoice_id for row in rows})
    payments = _by_id(Payment, {row.payment_id for row in rows})
    jobs = _by_id(Job, {row.job_id for row in rows})
    for row in rows:
        if row.invoice_id is not None:
            one = invoices[row.invoice_id]
            found[row.id] = Carried(row.kind, row.client_id, one.id, one.proposal_id, {"number": one.number})
        elif row.payment_id is not None:
            paid = payments[row.payment_id]
            facts = {"amount": amount(paid.amount, paid.currency)}
            found[row.id] = Carried(row.kind, row.client_id, paid.invoice_id, None, facts)
        elif row.job_id is not None:
            job = jobs[row.job_id]
            found[row.id] = Carried(row.kind, row.client_id, None, job.proposal_id, {"job": job.name})
    return found


def amount(value: Decimal, currency: str) -> str:
    """As logs write money: 'NZD 1,150.00'."""
    text = f"{value:,.4f}".rstrip("0")
    whole, _point, rest = text.partition(".")
    return f"{currency} {whole}.{rest.ljust(2, '0')}"


def _by_id(model: Any, ids: set[int | None]) -> dict[int, Any]:
    wanted = ids - {None}
    return {one.id: one for one in db.session.scalars(select(model).where(model.id.in_(wanted)))} if wanted else {}
