"""The service library: services put in, changed, taken out and put back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import joinedload

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.library.models import BillingType, PriceType, Service
from portal.domain.text import fold, sort_key

# What a person may set, and how a log calls it.
FIELDS = {
    "name": "Name", "description": "Description", "price_type": "Kind of price", "price": "Price",
    "price_to": "Upper price", "unit": "Unit", "tax_rate_id": "Tax rate", "billing_type": "Billing", "every": "Every",
    "cadence": "Cadence", "deposit": "Deposit", "jobs": "Job settings",
}  # fmt: skip
PAGE = 100


class StaleService(Exception):
    """Somebody else changed this service since the form was opened."""

    def __init__(self, service: Service) -> None:
        super().__init__(f"{service.name} was changed meanwhile")
        self.service = service


class BadService(ValueError):
    """These values do not go together; `field` is the one to look at, the text says why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


def create_service(name: str, *, by: Actor, now: datetime, **fields: Any) -> Service:
    """A new service; fields as in `FIELDS`. Raises `BadService`."""
    values = _settled({"name": name, **fields})
    service = Service(name_key=sort_key(name), created_at=now, changed_at=now, **values)
    db.session.add(service)
    db.session.flush()
    activity.record(Verb.SERVICE_CREATED, by=by, now=now, service=name)
    return service


def edit_service(
    service: Service, values: Mapping[str, Any], *, by: Actor, now: datetime, expected_version: int | None = None
) -> list[str]:
    """Change the library's entry; nothing sold follows. Gives the labels of what changed.

    Raises `BadService`, and `StaleService` when `expected_version` is given and an older one.
    """
    if expected_version is not None and service.version != expected_version:
        raise StaleService(service)
    wanted = _settled({field: getattr(service, field) for field in FIELDS} | dict(values))
    changes = [
        {"field": field, "label": FIELDS[field], "old": _plain(getattr(service, field)), "new": _plain(value)}
        for field, value in wanted.items()
        if getattr(service, field) != value
    ]
    if not changes:
        return []
    for change in changes:
        setattr(service, change["field"], wanted[change["field"]])
    service.name_key = sort_key(service.name)
    service.changed_at = now
    service.version += 1
    what = activity.field_names(changes)
    activity.record(Verb.SERVICE_CHANGED, by=by, now=now, service=service.name, what=what, changes=changes)
    return [change["label"] for change in changes]


def archive_service(service: Service, *, by: Actor, now: datetime) -> bool:
    """It can be chosen no more; proposals and running services keep it. False when it was taken out before."""
    if service.archived_at is not None:
        return False
    service.archived_at = now
    service.version += 1
    activity.record(Verb.SERVICE_ARCHIVED, by=by, now=now, service=service.name)
    return True


def unarchive_service(service: Service, *, by: Actor, now: datetime) -> bool:
    """False when it was in the library all along."""
    if service.archived_at is None:
        return False
    service.archived_at = None
    service.version += 1
    activity.record(Verb.SERVICE_UNARCHIVED, by=by, now=now, service=service.name)
    return True


def get_service(service_id: int) -> Service | None:
    return db.session.get(Service, service_id)


def services(
    words: str = "", *, archived: bool = False, after: tuple[str, int] | None = None, limit: int = PAGE
) -> list[Service]:
    """By name; `after` is (name_key, id) of the last one shown. Gives one more than `limit` when there are more."""
    query = select(Service).options(joinedload(Service.tax_rate)).order_by(Service.name_key, Service.id)
    query = query.where(Service.archived_at.is_not(None) if archived else Service.archived_at.is_(None))
    if after is not None:
        query = query.where(tuple_(Service.name_key, Service.id) > after)
    for word in fold(words).split():
        query = query.where(Service.name_key.contains(word, autoescape=True))
    return list(db.session.scalars(query.limit(limit + 1)))


def every_service() -> list[Service]:
    """All that can be chosen, by name: for choices and exports."""
    query = select(Service).options(joinedload(Service.tax_rate)).where(Service.archived_at.is_(None))
    return list(db.session.scalars(query.order_by(Service.name_key, Service.id)))


def services_named(names: Iterable[str]) -> dict[str, Service]:
    """Those of exactly these names that are in the library; of two of one name the older."""
    query = select(Service).where(Service.name.in_(list(names)), Service.archived_at.is_(None))
    return {one.name: one for one in db.session.scalars(query.order_by(Service.id.desc()))}


def has_services() -> bool:
    """Whether the library was ever begun."""
    return db.session.scalar(select(Service.id).limit(1)) is not None


def _settled(values: dict[str, Any]) -> dict[str, Any]:
    """The values with what the kind of price and billing rule out taken away. Raises `BadService` (BS-01, 4.2)."""
    for field in values:
        if field not in FIELDS:
            raise ValueError(f"{field} is not a field of a service")
    values = {"price_type": PriceType.FIXED, "billing_type": BillingType.ON_ACCEPTANCE, **values}
    check_price(values)
    if values["price_type"] == PriceType.INCLUDED:
        values["price"] = Decimal(0)
    if values["price_type"] != PriceType.RANGE:
        values["price_to"] = None
    if values["billing_type"] != BillingType.DEPOSIT:
        values["deposit"] = None
    return values


def check_price(values: Mapping[str, Any]) -> None:
    """Whether price, kind of price and billing go together. Raises `BadService`."""
    price, to = values.get("price") or Decimal(0), values.get("price_to")
    kind, billing, deposit = values["price_type"], values["billing_type"], values.get("deposit")
    if not str(values.get("name", "")).strip():
        raise BadService("name", "Give the service a name.")
    if price < 0:
        raise BadService("price", "A price cannot be below nothing; take a discount off instead.")
    if kind == PriceType.RANGE and (to is None or to <= price):
        raise BadService("price_to", "A range ends above the price it begins with.")
    if billing == BillingType.DEPOSIT and kind != PriceType.FIXED:
        raise BadService("billing_type", "A deposit needs a fixed price.")
    if billing == BillingType.DEPOSIT and deposit is not None and not 0 < deposit < price:
        raise BadService("deposit", "A deposit is more than nothing and less than the price.")
    by_hand = (BillingType.ESTIMATE, BillingType.ON_COMPLETION)
    if kind in (PriceType.RANGE, PriceType.MINIMUM) and billing not in by_hand:
        raise BadService(
            "billing_type", "A price that is open upwards is billed by hand: on completion or as an estimate."
        )
    if values.get("every", 1) < 1:
        raise BadService("every", "Every 1 or more.")


def _plain(value: Any) -> Any:
    """As a log keeps it; settings of jobs in words, because ids tell nobody anything."""
    from portal.domain import job_choices  # it imports this package

    if isinstance(value, dict):
        return job_choices.words(value)
    return str(value) if isinstance(value, Decimal) else value
