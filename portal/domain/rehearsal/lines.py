"""The lines that will be billed on days to come, read with a handful of queries however many services there are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Text, select, type_coerce

from portal.db import db
from portal.domain import billing, schedule
from portal.domain.schedule import BillingItem, ClientService

MANY = 500  # more ids than this are not named in a query; everything is read instead


class Planned(NamedTuple):
    """One line that will be billed."""

    client_id: int
    due_on: date
    pay_by: str
    reference: str
    currency: str
    name: str
    quantity: Decimal
    price: Decimal
    discount: Decimal
    discount_is_percent: bool
    tax_rate_id: int | None
    service_id: int | None
    unit: str = ""


_service = ClientService.__table__.c
_item = BillingItem.__table__.c
_LINE = ("name", "quantity", "price", "discount", "discount_is_percent", "tax_rate_id", "service_id")


def _columns(table: Any) -> list[Any]:
    front = [table.client_id, type_coerce(table.pay_by, Text), table.reference, table.currency]
    return [*front, *(table[name] for name in _LINE)]


def periods(day_from: date, day_to: date, clients: Collection[int] | None) -> Iterator[Planned]:
    cadence = (_service.id, _service.first_on, _service.every, type_coerce(_service.cadence, Text), _service.periods,
               _service.billed_to, _service.month_day)  # fmt: skip
    query = select(*cadence, *_columns(_service)).where(_service.next_on <= day_to)
    taken_query = (
        select(_item.client_service_id, _item.period)
        .join(ClientService, _item.client_service_id == _service.id)
        .where(_service.next_on <= day_to, _item.period >= _service.billed_to)
    )
    if clients is not None:
        query = query.where(_service.client_id.in_(clients))
        taken_query = taken_query.where(_service.client_id.in_(clients))
    taken = {(row[0], row[1]) for row in db.session.execute(taken_query)}
    currency = schedule.firm_currency()
    for (
        service_id,
        *rhythm,
        client_id,
        pay_by,
        reference,
        held,
        name,
        quantity,
        price,
        off,
        in_percent,
        tax,
        entry,
    ) in db.session.execute(query):
        for n, day in _days(day_from, day_to, *rhythm):
            if (service_id, n) not in taken:
                yield Planned(client_id, day, pay_by, reference, held or currency, name, quantity, price, off,
                              in_percent, tax, entry)  # fmt: skip


@lru_cache(maxsize=4096)
def _days(
    day_from: date, day_to: date, first_on: date, every: int, unit: str, periods: int | None, start: int,
    month_day: int | None,
) -> tuple[tuple[int, date], ...]:  # fmt: skip
    """Many services share their days, because many begin on the first of a month."""
    return tuple(
        billing.periods_between(
            first_on, every, unit, day_from, day_to, periods=periods, start=start, month_day=month_day
        )
    )


def items(day_from: date, day_to: date, clients: Collection[int] | None) -> Iterator[Planned]:
    paused = select(_service.id).where(_service.paused_at.is_not(None))
    query = select(_item.due_on, *_columns(_item)).where(
        schedule.IS_OPEN, _item.is_automatic, _item.due_on >= day_from, _item.due_on <= day_to,
        _item.client_service_id.is_(None) | _item.client_service_id.not_in(paused),
    )  # fmt: skip
    if clients is not None:
        query = query.where(_item.client_id.in_(clients))
    currency = schedule.firm_currency()
    for due_on, client_id, pay_by, reference, held, *line in db.session.execute(query):
        yield Planned(client_id, due_on, pay_by, reference, held or currency, *line)
