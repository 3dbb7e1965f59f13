"""Tax rates: added, chosen as the usual one, retired. Never renamed, their percentage never changed (XE-09)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.library.models import TaxRate

MOST_PERCENT = Decimal(100)


class RateTaken(Exception):
    """There is a tax rate of this name already, perhaps a retired one; a name always means the same percentage."""

    def __init__(self, rate: TaxRate) -> None:
        super().__init__(f"there is a tax rate {rate.name} already")
        self.rate = rate


def add_tax_rate(name: str, percent: Decimal, *, by: Actor, now: datetime, is_default: bool = False) -> TaxRate:
    """A new rate; `percent` is 15 for 15 %. The first one is the default of new services.

    Raises `RateTaken`, and ValueError for a percentage below 0 or above 100.
    """
    if not 0 <= percent <= MOST_PERCENT:
        raise ValueError(f"a tax rate of {percent} % was about to be added")
    taken = db.session.scalar(select(TaxRate).where(TaxRate.name == name))
    if taken is not None:
        raise RateTaken(taken)
    rate = TaxRate(name=name, percent=percent, is_default=False, created_at=now)
    db.session.add(rate)
    db.session.flush()
    activity.record(Verb.TAX_RATE_ADDED, by=by, now=now, rate=name, percent=str(percent))
    if is_default or default_tax_rate() is None:
        make_default(rate, by=by, now=now)
    return rate


def make_default(rate: TaxRate, *, by: Actor, now: datetime) -> bool:
    """New services start with this rate. False when they do already, or when it is retired."""
    if rate.is_default or rate.retired_at is not None:
        return False
    for other in db.session.scalars(select(TaxRate).where(TaxRate.is_default)):
        other.is_default = False
    rate.is_default = True
    db.session.flush()
    activity.record(Verb.TAX_RATE_DEFAULT, by=by, now=now, rate=rate.name)
    return True


def retire(rate: TaxRate, *, by: Actor, now: datetime) -> bool:
    """It can be chosen no more; what has it keeps it. False when it was retired before."""
    if rate.retired_at is not None:
        return False
    rate.retired_at = now
    rate.is_default = False
    activity.record(Verb.TAX_RATE_RETIRED, by=by, now=now, rate=rate.name)
    return True


def bring_back(rate: TaxRate, *, by: Actor, now: datetime) -> bool:
    """It can be chosen again, with what is mapped to it. False when it was not retired."""
    if rate.retired_at is None:
        return False
    rate.retired_at = None
    activity.record(Verb.TAX_RATE_BACK, by=by, now=now, rate=rate.name)
    return True


def tax_rate(rate_id: int) -> TaxRate | None:
    return db.session.get(TaxRate, rate_id)


def tax_rates(*, keep: Collection[int | None] = (), with_retired: bool = False) -> list[TaxRate]:
    """Those that can be chosen, by name, and those in `keep` whatever became of them."""
    rates = db.session.scalars(select(TaxRate).order_by(TaxRate.name))
    return [one for one in rates if with_retired or one.retired_at is None or one.id in keep]


def default_tax_rate() -> TaxRate | None:
    return db.session.scalar(select(TaxRate).where(TaxRate.is_default))
