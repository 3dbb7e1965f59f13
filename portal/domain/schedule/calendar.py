"""Periods of recurring services: which come next, and how one becomes a billing item of its own.

A period stands in the table once somebody needs it: to bill it, to move it, to change it. From then on its item carries
its day, and the service's mark moves on to the first period without an item.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.db import db
from portal.domain import billing
from portal.domain.activity import Actor
from portal.domain.nights import local_date
from portal.domain.people import the_firm
from portal.domain.schedule.models import BillingItem, ClientService

COPIED = ("service_id", "name", "description", "quantity", "unit", "price", "discount", "discount_is_percent",
          "tax_rate_id", "facts")  # fmt: skip
FALLBACK_CURRENCY = "NZD"  # before there is a firm there is nothing to bill either


def mark_of(service: ClientService, what: int | str) -> str:
    """The mark of an item of this service: the same whenever and wherever it is made, so also in a restored copy."""
    return uuid.uuid5(uuid.UUID(service.mark), str(what)).hex


def fresh_mark() -> str:
    return uuid.uuid4().hex


def today(now: datetime) -> date:
    """The firm's date at this instant."""
    firm = the_firm()
    return local_date(now, firm.time_zone if firm else "UTC")


def firm_currency() -> str:
    firm = the_firm()
    return firm.currency if firm else FALLBACK_CURRENCY


def facts_of(held: Any) -> dict[str, Any]:
    """What a service, a proposal's line or a running service hands on (see `ServiceFacts`)."""
    return {name: getattr(held, name) for name in COPIED}


def day_of(service: ClientService, period: int) -> date:
    """The day this period falls on by the service's cadence. Raises ValueError for one that is not billed by dates."""
    if service.first_on is None:
        raise ValueError(f"{service.name} is not billed by dates")
    return billing.day_of(service.first_on, service.every, service.cadence, period, service.month_day)


def has_period(service: ClientService, period: int) -> bool:
    return service.first_on is not None and period >= 0 and (service.periods is None or period < service.periods)


def to_come(service: ClientService, day_to: date, taken: set[int], *, day_from: date | None = None) -> Iterator[
    tuple[int, date]
]:  # fmt: skip
    """(period, day) of what comes up to a day by itself; `taken`: periods that have an item of their own."""
    if service.first_on is None or service.next_on is None:
        return
    found = billing.periods_between(
        service.first_on, service.every, service.cadence, max(day_from or service.next_on, service.next_on), day_to,
        periods=service.periods, start=service.billed_to, month_day=service.month_day,
    )  # fmt: skip
    yield from ((n, day) for n, day in found if n not in taken)


def materialise(service: ClientService, period: int, *, by: Actor, now: datetime) -> BillingItem:
    """The billing item of this period, made when there is none. Two at once get the same one.

    Raises ValueError for a period the service does not have.
    """
    if not has_period(service, period):
        raise ValueError(f"{service.name} has no period {period}")
    wanted = select(BillingItem).where(BillingItem.client_service_id == service.id, BillingItem.period == period)
    held = db.session.scalar(wanted)
    if held is not None:
        return held
    item = BillingItem(
        mark=mark_of(service, period), client_id=service.client_id, client_service_id=service.id,
        proposal_id=service.proposal_id, period=period, due_on=day_of(service, period), is_automatic=True,
        currency=service.currency, pay_by=service.pay_by, reference=service.reference, created_at=now,
        created_by=by.name, **facts_of(service),
    )  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.add(item)
    except IntegrityError:
        return db.session.scalars(wanted).one()
    move_on(service)
    return item


def move_on(service: ClientService) -> None:
    """Let the mark stand on the first period without an item, and `next_on` on its day."""
    taken = taken_periods(service)
    n = service.billed_to
    while n in taken:
        n += 1
    service.billed_to = n
    stands_still = service.ended_at is not None or service.paused_at is not None or not has_period(service, n)
    service.next_on = None if stands_still else _day_or_none(service, n)


def taken_periods(service: ClientService) -> set[int]:
    query = select(BillingItem.period).where(
        BillingItem.client_service_id == service.id, BillingItem.period >= service.billed_to
    )
    return {n for n in db.session.scalars(query) if n is not None}


def _day_or_none(service: ClientService, period: int) -> date | None:
    try:
        return day_of(service, period)
    except OverflowError:  # past the end of the calendar nothing is billed
        return None


def currency_of(held: Any) -> str:
    return held.currency or firm_currency()


def amount_of(held: Any) -> Decimal:
    """Quantity times price less the discount, before tax."""
    return billing.net_of(held.quantity, held.price, held.discount, held.discount_is_percent, currency_of(held))
