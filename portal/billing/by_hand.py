"""Invoices that a person asks for now, whatever day their items were planned for (BS-04)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from portal.domain import billing, clients, invoices, schedule
from portal.domain.activity import Actor
from portal.domain.clients import Client
from portal.domain.invoices import Invoice
from portal.domain.schedule import BillingItem


@dataclass(frozen=True, slots=True)
class _Today:
    """An item as if it were planned for the day it is billed on."""

    item: BillingItem
    due_on: date
    currency: str

    @property
    def client_id(self) -> int:
        return self.item.client_id

    @property
    def pay_by(self) -> str:
        return self.item.pay_by

    @property
    def reference(self) -> str:
        return self.item.reference


def issue_now(
    client: Client, items: Sequence[BillingItem], *, by: Actor, now: datetime, memo: str = ""
) -> list[Invoice]:
    """Invoice these items today, in the caller's transaction: one invoice, or several where they must split (BS-08).

    Raises what `invoices.issue` raises.
    """
    clients.get(client.id, lock=True)
    today = schedule.today(now)
    groups = billing.group(_Today(item, today, schedule.currency_of(item)) for item in items)
    made = [
        invoices.issue(
            client, [one.item for one in group.items], on=today, by=by, now=now, is_automatic=False, memo=memo
        )
        for group in groups
    ]
    schedule.end_finished(client, by=by, now=now)
    return made
