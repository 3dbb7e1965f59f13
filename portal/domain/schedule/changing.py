"""Changing what is to be billed: its price, its day, by hand or by itself, not at all (BS-05 to BS-07).

A billed item never changes and never becomes open again (BS-09).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, billing, clients
from portal.domain.activity import Actor, Verb
from portal.domain.schedule import calendar
from portal.domain.schedule.models import BillingItem, ClientService, ItemState
from portal.domain.schedule.words import amount_words, day_words

EDITABLE = {
    "name": "Name", "description": "Description", "quantity": "Quantity", "price": "Price", "discount": "Discount",
    "discount_is_percent": "Kind of discount", "tax_rate_id": "Tax rate", "due_on": "Date",
    "is_automatic": "Billed automatically", "pay_by": "Payment method", "notes": "Notes",
}  # fmt: skip
OF_A_SERVICE = ("name", "description", "quantity", "price", "discount", "discount_is_percent", "tax_rate_id", "pay_by")


class NotOpen(Exception):
    """The item was billed or cancelled meanwhile; the text says which."""

    def __init__(self, item: BillingItem) -> None:
        super().__init__(f"{item.name} was {'billed' if item.state == ItemState.BILLED else 'cancelled'} already.")
        self.item = item


class StaleItem(Exception):
    """Somebody else changed this since the form was opened; `held` is as it now stands."""

    def __init__(self, held: BillingItem | ClientService) -> None:
        super().__init__(f"{held.name} was changed meanwhile")
        self.held = held


class PastDay(ValueError):
    """Nothing can be planned for a day that has gone by."""


def edit_item(
    item: BillingItem, values: Mapping[str, Any], *, by: Actor, now: datetime, expected_version: int | None = None
) -> list[str]:
    """Change fields of `EDITABLE` (BS-06); gives the names of what changed.

    A new deposit changes what is left for its balance (BS-01). Raises `NotOpen`, `StaleItem`, `PastDay` for an
    automatic item on a day gone by, ValueError for an automatic one without a day and for a deposit above the whole.
    """
    _must_be_open(item)
    if expected_version is not None and item.version != expected_version:
        raise StaleItem(item)
    was_price, was_day = item.price, item.due_on
    changes = _set(item, values, EDITABLE)
    if not changes:
        return []
    _must_have_a_day(item, was_day, now)
    if item.part == "deposit" and item.price != was_price:
        _recompute_balance(item, was_price, by=by, now=now)
    item.version += 1
    item.problem, item.retry_at = "", None
    what = activity.field_names(changes)
    _note(Verb.ITEM_CHANGED, item, by=by, now=now, what=what, changes=changes)
    return [change["label"] for change in changes]


def edit_service(
    service: ClientService, values: Mapping[str, Any], *, by: Actor, now: datetime, expected_version: int | None = None
) -> list[str]:
    """Change what its coming periods are billed by (PR-03); items somebody touched already stay as they are.

    Raises `StaleItem`, ValueError for a field that cannot be changed.
    """
    if expected_version is not None and service.version != expected_version:
        raise StaleItem(service)
    changes = _set(service, values, {name: EDITABLE[name] for name in OF_A_SERVICE})
    if not changes:
        return []
    service.version += 1
    activity.record(
        Verb.ITEM_CHANGED, by=by, now=now, client_id=service.client_id, proposal_id=service.proposal_id,
        item=service.name, what=activity.field_names(changes), changes=changes,
    )  # fmt: skip
    return [change["label"] for change in changes]


def _set(held: Any, values: Mapping[str, Any], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    changes = []
    for field, value in values.items():
        if field not in labels:
            raise ValueError(f"{field} cannot be changed here")
        old = getattr(held, field)
        if old != value:
            setattr(held, field, value)
            changes.append({"field": field, "label": labels[field], "old": _plain(old), "new": _plain(value)})
    return changes


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _must_have_a_day(item: BillingItem, was_day: date | None, now: datetime) -> None:
    if not item.is_automatic:
        return
    if item.due_on is None:
        raise ValueError("what is billed automatically needs a date")
    if item.due_on != was_day and item.due_on < calendar.today(now):
        raise PastDay(f"{day_words(item.due_on)} has gone by already.")


def _recompute_balance(deposit: BillingItem, was: Any, *, by: Actor, now: datetime) -> None:
    """What the deposit takes more or less, its balance takes less or more."""
    query = select(BillingItem).where(
        BillingItem.client_service_id == deposit.client_service_id, BillingItem.part == "balance"
    )
    balance = db.session.scalar(query.with_for_update())
    if balance is None:
        return
    if balance.state != ItemState.OPEN:
        raise NotOpen(balance)
    whole = was + balance.price
    try:
        billing.deposit_of(whole, deposit.price)
    except ValueError:
        deposit.price = was
        raise
    old, balance.price = balance.price, whole - deposit.price
    balance.version += 1
    change = {"field": "price", "label": "Price", "old": str(old), "new": str(balance.price)}
    _note(Verb.ITEM_CHANGED, balance, by=by, now=now, what="Price", changes=[change])


def schedule_items(items: Iterable[BillingItem], on: date, *, by: Actor, now: datetime) -> None:
    """On that day an invoice is raised without further question (BS-05). Raises `NotOpen`, `PastDay`."""
    if on < calendar.today(now):
        raise PastDay(f"{day_words(on)} has gone by already.")
    for item in items:
        _must_be_open(item)
        item.due_on, item.is_automatic = on, True
        item.problem, item.retry_at = "", None
        item.version += 1
        _note(Verb.ITEM_SCHEDULED, item, by=by, now=now, day=day_words(on))


def schedule_item(item: BillingItem, on: date, *, by: Actor, now: datetime) -> None:
    schedule_items([item], on, by=by, now=now)


def make_manual(items: Sequence[BillingItem], *, by: Actor, now: datetime) -> None:
    """They wait for a person from now on, and keep their day; a group goes as a whole (BS-06). Raises `NotOpen`."""
    for item in items:
        _must_be_open(item)
    for item in items:
        if item.is_automatic:
            item.is_automatic = False
            item.problem, item.retry_at = "", None
            item.version += 1
            _note(Verb.ITEM_MADE_MANUAL, item, by=by, now=now)


def delay(items: Iterable[BillingItem], on: date, *, by: Actor, now: datetime) -> None:
    """Bill these later; what comes after them stays where it is (BS-07). Raises `NotOpen`, `PastDay`."""
    for item in items:
        edit_item(item, {"due_on": on}, by=by, now=now)


def cancel_item(item: BillingItem, reason: str, *, by: Actor, now: datetime) -> None:
    """It is never billed, unless somebody reopens it. Raises `NotOpen`."""
    _must_be_open(item)
    item.state = ItemState.CANCELLED
    item.version += 1
    _note(Verb.ITEM_CANCELLED, item, by=by, now=now, reason=reason)
    if item.client_service_id is None:
        clients.count_items(item.client, -1, reason=f"{item.name} is not to be billed", by=by, now=now)


def reopen_item(item: BillingItem, *, by: Actor, now: datetime) -> None:
    """Take a cancellation back. One whose day has gone by waits for a person. Raises `NotOpen` for any other."""
    if item.state != ItemState.CANCELLED:
        raise NotOpen(item)
    item.state = ItemState.OPEN
    if item.is_automatic and item.due_on is not None and item.due_on < calendar.today(now):
        item.is_automatic = False
    item.version += 1
    _note(Verb.ITEM_REOPENED, item, by=by, now=now)
    if item.client_service_id is None:
        clients.count_items(item.client, 1, reason=f"{item.name} is to be billed", by=by, now=now)


def _must_be_open(item: BillingItem) -> None:
    if item.state != ItemState.OPEN:
        raise NotOpen(item)


def _note(verb: Verb, item: BillingItem, *, by: Actor, now: datetime, **facts: Any) -> None:
    activity.record(
        verb, by=by, now=now, client_id=item.client_id, proposal_id=item.proposal_id, item=item.name,
        amount=amount_words(item), **facts,
    )  # fmt: skip
