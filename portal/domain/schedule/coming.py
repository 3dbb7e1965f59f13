"""What is to be billed: of one client for its page, of everybody for the day's work. Reading, but for `due_items`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal_column, or_, select, union
from sqlalchemy.orm import joinedload

from portal.db import db
from portal.domain import activity, billing
from portal.domain.activity import Actor, Verb
from portal.domain.billing import Group
from portal.domain.clients import Client
from portal.domain.schedule import calendar
from portal.domain.schedule.changing import cancel_item
from portal.domain.schedule.models import BillingItem, ClientService, ItemState
from portal.domain.schedule.running import PAUSED_WHY, fell_due_in_the_pause
from portal.domain.schedule.words import day_words

HORIZON = timedelta(days=92)  # so far ahead a client's page looks
# Spelt as the partial index is, so that it serves.
IS_OPEN: ColumnElement[bool] = literal_column("billing_item.state = 'open'")
# Items that could not be billed when they were due.
HELD_UP = (IS_OPEN, BillingItem.__table__.c.problem != literal_column("''"))
KEY = re.compile(r"(i)(\d{1,9})|(s)(\d{1,9})p(\d{1,6})")


@dataclass(frozen=True, slots=True)
class Coming:
    """One line of the schedule: an item, or a period that has none yet. `key` finds it again (see `find`)."""

    key: str
    client_id: int
    client_service_id: int | None
    period: int | None
    name: str
    description: str
    quantity: Decimal
    unit: str
    price: Decimal
    discount: Decimal
    discount_is_percent: bool
    tax_rate_id: int | None
    service_id: int | None
    due_on: date | None
    is_automatic: bool
    pay_by: str
    reference: str
    currency: str
    notes: str
    part: str
    problem: str
    version: int
    amount: Decimal  # before tax

    def is_overdue(self, today: date) -> bool:
        """A manual item whose day has gone by (BS-03)."""
        return not self.is_automatic and self.due_on is not None and self.due_on < today


def upcoming(client_id: int, *, today: date, until: date | None = None) -> list[Group[Coming]]:
    """What comes by itself, as the invoices it will be (BS-02), up to `until`; and each service's next period, however
    far away. What a problem has held up is among it, with its day gone by."""
    until = until or today + HORIZON
    services = _running(client_id)
    items = [item for item in open_items(client_id) if item.is_automatic]
    paused = {service.id for service in services if service.paused_at is not None}
    found = [coming_of(item) for item in items if item.client_service_id not in paused]
    for service in services:
        if service.next_on is None:
            continue
        taken = calendar.taken_periods(service)
        found += [_period(service, n, day) for n, day in calendar.to_come(service, max(until, service.next_on), taken)]
    return billing.group(found)


def manual(client_id: int, *, today: date) -> list[Coming]:
    """What waits for a person: overdue first, then by day, what has no day last (BS-03)."""
    found = [coming_of(item) for item in open_items(client_id) if not item.is_automatic]
    return sorted(found, key=lambda one: (one.due_on or date.max, one.key))


def cancelled(client_id: int, limit: int = 50) -> list[BillingItem]:
    """The last ones somebody decided not to bill."""
    query = select(BillingItem).where(BillingItem.client_id == client_id, BillingItem.state == ItemState.CANCELLED)
    return list(db.session.scalars(query.order_by(BillingItem.id.desc()).limit(limit)))


def open_items(client_id: int) -> list[BillingItem]:
    query = select(BillingItem).where(BillingItem.client_id == client_id, BillingItem.state == ItemState.OPEN)
    return list(db.session.scalars(query.order_by(BillingItem.due_on, BillingItem.id)))


def services_of(client_id: int, *, ended: bool = False) -> list[ClientService]:
    """Running ones; with `ended` those that have ended, the newest first."""
    query = select(ClientService).where(ClientService.client_id == client_id).options(
        joinedload(ClientService.proposal)
    )  # fmt: skip
    if ended:
        return list(db.session.scalars(query.where(ClientService.ended_at.is_not(None)).order_by(
            ClientService.ended_at.desc()
        ).limit(50)))  # fmt: skip
    return list(db.session.scalars(query.where(ClientService.ended_at.is_(None)).order_by(ClientService.id)))


def service_of(client_id: int, service_id: int, *, lock: bool = False) -> ClientService | None:
    """This service of this very client."""
    query = select(ClientService).where(ClientService.id == service_id, ClientService.client_id == client_id)
    return db.session.scalar(query.with_for_update() if lock else query)


def _running(client_id: int) -> list[ClientService]:
    query = select(ClientService).where(ClientService.client_id == client_id, ClientService.ended_at.is_(None))
    return list(db.session.scalars(query.order_by(ClientService.id)))


def coming_of(item: BillingItem) -> Coming:
    """The line of an item."""
    return Coming(
        f"i{item.id}", item.client_id, item.client_service_id, item.period, item.name, item.description, item.quantity,
        item.unit, item.price, item.discount, item.discount_is_percent, item.tax_rate_id, item.service_id, item.due_on,
        item.is_automatic, item.pay_by, item.reference, calendar.currency_of(item), item.notes, item.part,
        item.problem, item.version, calendar.amount_of(item),
    )  # fmt: skip


def _period(service: ClientService, n: int, day: date) -> Coming:
    return Coming(
        f"s{service.id}p{n}", service.client_id, service.id, n, service.name, service.description, service.quantity,
        service.unit, service.price, service.discount, service.discount_is_percent, service.tax_rate_id,
        service.service_id, day, True, service.pay_by, service.reference, calendar.currency_of(service), "", "", "", 0,
        calendar.amount_of(service),
    )  # fmt: skip


def look(client_id: int, keys: Sequence[str]) -> list[Coming]:
    """These lines as they now stand, without making anything; what is gone or billed is left out."""
    found = []
    for key in dict.fromkeys(keys):
        item, service, n = _held(client_id, key)
        if item is not None and item.state == ItemState.OPEN:
            found.append(coming_of(item))
        elif item is None and service is not None and service.ended_at is None:
            found.append(_period(service, n, calendar.day_of(service, n)))
    return found


def find(client_id: int, keys: Sequence[str], *, by: Actor, now: datetime) -> list[BillingItem]:
    """The items of these lines, locked, periods made into items; what is gone or not this client's is left out."""
    found: list[BillingItem] = []
    for key in dict.fromkeys(keys):
        item, service, n = _held(client_id, key)
        if item is None and service is not None and service.ended_at is None:
            item = calendar.materialise(service, n, by=by, now=now)
        if item is not None:
            found.append(item)
    db.session.flush()
    ids = [item.id for item in found]
    locked = select(BillingItem).where(BillingItem.id.in_(ids)).order_by(BillingItem.id)
    return list(db.session.scalars(locked.with_for_update().execution_options(populate_existing=True)))


def _held(client_id: int, key: str) -> tuple[BillingItem | None, ClientService | None, int]:
    match = KEY.fullmatch(key)
    if match is None:
        return None, None, 0
    if match[1]:
        item = db.session.get(BillingItem, int(match[2]))
        return (item, None, 0) if item is not None and item.client_id == client_id else (None, None, 0)
    service, n = db.session.get(ClientService, int(match[4])), int(match[5])
    if service is None or service.client_id != client_id or not calendar.has_period(service, n):
        return None, None, 0
    query = select(BillingItem).where(BillingItem.client_service_id == service.id, BillingItem.period == n)
    return db.session.scalar(query), service, n


def hold(client_id: int, *, wait: bool = False) -> Client | None:
    """The client, locked for billing until the transaction ends. None when somebody else is billing it and `wait` is
    not asked for, or when there is no such client. (SQLite locks the whole file instead.)"""
    query = select(Client).where(Client.id == client_id).execution_options(populate_existing=True)
    return db.session.scalar(query.with_for_update(of=Client, skip_locked=not wait))


def due_items(client: Client, day: date, *, by: Actor, now: datetime) -> list[BillingItem]:
    """Everything of this client that is to be billed by itself up to this day, locked, periods made into items.

    Each keeps the day it was due. Call it with the client's row locked: the lock is what keeps two from doing the same.
    """
    services = select(ClientService).where(ClientService.client_id == client.id, ClientService.next_on <= day)
    for running in db.session.scalars(services.order_by(ClientService.id).with_for_update()).all():
        while running.next_on is not None and running.next_on <= day:
            calendar.materialise(running, running.billed_to, by=by, now=now)
    db.session.flush()
    query = (
        select(BillingItem)
        .where(BillingItem.client_id == client.id, _is_due(day, now))
        .order_by(BillingItem.due_on, BillingItem.id)
        .with_for_update(of=BillingItem)
        .options(joinedload(BillingItem.client_service))
    )
    found = []
    for item in db.session.scalars(query).all():
        service = item.client_service
        if service is not None and fell_due_in_the_pause(item, service, day + timedelta(days=1)):
            cancel_item(item, PAUSED_WHY, by=by, now=now)
        else:
            item.currency = item.currency or calendar.firm_currency()
            found.append(item)
    return found


def note_problem(group: Group[BillingItem], reason: str, *, retry_at: datetime, by: Actor, now: datetime) -> None:
    """No invoice came of what was due; it is tried again later by itself. The log says so once for each reason."""
    is_news = any(item.problem != reason for item in group.items)
    for item in group.items:
        item.problem, item.retry_at = reason, retry_at
    if is_news:
        activity.record(
            Verb.INVOICE_NOT_CREATED, by=by, now=now, client_id=group.client_id, day=day_words(group.on), reason=reason,
            items=[item.name for item in group.items],
        )  # fmt: skip


def forget_problem(items: Sequence[BillingItem]) -> None:
    """They were billed after all."""
    for item in items:
        item.problem, item.retry_at = "", None


def _is_due(day: date, now: datetime) -> Any:
    return and_(
        IS_OPEN, BillingItem.due_on <= day, BillingItem.is_automatic,
        or_(BillingItem.retry_at.is_(None), BillingItem.retry_at <= now),
    )  # fmt: skip


def due_clients(day: date, now: datetime, *, after: int = 0, limit: int = 200) -> list[int]:
    """Ids of clients with something to be billed by itself up to this day, ascending."""
    services = select(ClientService.client_id).where(ClientService.next_on <= day, ClientService.client_id > after)
    items = select(BillingItem.client_id).where(_is_due(day, now), BillingItem.client_id > after)
    both = union(services, items).subquery()
    return list(db.session.scalars(select(both.c.client_id).order_by(both.c.client_id).limit(limit)))


def has_due(day: date, now: datetime) -> bool:
    """Whether anything at all is to be billed by itself up to this day."""
    services = exists().where(ClientService.next_on <= day)
    items = exists().where(_is_due(day, now))
    return bool(db.session.scalar(select(or_(services, items))))


def overdue(today: date) -> Any:
    """Which clients have a manual item whose day has gone by, as a condition on `Client.id` (BS-03)."""
    return Client.id.in_(
        select(BillingItem.client_id).where(
            IS_OPEN, BillingItem.due_on < today, BillingItem.is_automatic.is_(False)
        )
    )  # fmt: skip


def problems(limit: int = 1001) -> int:
    """How many items could not be billed when they were due; counted up to `limit`."""
    rows = select(literal_column("1")).where(*HELD_UP).limit(limit).subquery()
    return db.session.scalar(select(func.count()).select_from(rows)) or 0
