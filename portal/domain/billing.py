"""When services are billed, and which of what is due becomes one invoice. PURE.

Days are calendar days of the firm. Every day of a recurring service is counted from its first one, never from the one
before: what starts on the 31st stays at the end of the month, and what starts on 29 February comes back to it.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import lru_cache
from itertools import count, groupby
from operator import itemgetter
from typing import Generic, NamedTuple, Protocol, TypeVar

from portal.domain import money

DAYS = {"day": 1, "week": 7}
MONTH = "month"
NOTHING = Decimal(0)
HUNDRED = Decimal(100)
FINEST = Decimal("0.0001")


def day_of(first_on: date, every: int, cadence: str, n: int, month_day: int | None = None) -> date:
    """The day of period `n`, counted from 0. `cadence` is day, week or month; `every` so many of them pass in between.

    `month_day`: the day of the month that is meant, where `first_on` had to be an earlier one. Raises ValueError for
    an unknown cadence, OverflowError for a day past the year 9999.
    """
    if cadence == MONTH:
        return _months_on(first_on, every * n, month_day or first_on.day)
    if cadence not in DAYS:
        raise ValueError(f"{cadence} is no cadence")
    return first_on + timedelta(days=DAYS[cadence] * every * n)


def _months_on(start: date, months: int, day: int) -> date:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError("past the end of the calendar")
    if day > 28:
        day = min(day, monthrange(year, month + 1)[1])
    return date(year, month + 1, day)


@dataclass(frozen=True, slots=True)
class Start:
    """The first day of a recurring service, and the day of the month meant where that is a later one."""

    on: date
    month_day: int | None = None


def first_day(
    accepted_on: date, *, starts: str = "acceptance", proposal_start: date | None = None, starts_on: date | None = None,
    delay: int = 0, cadence: str = MONTH,
) -> Start:  # fmt: skip
    """When the first bill of a recurring service comes (behaviour reference 4.3).

    `starts` is acceptance, proposal_start or date; a day before the acceptance counts as the day of the acceptance,
    because nobody is billed for what was not agreed yet. `delay` cadence units pass before the first bill.
    """
    chosen = {"proposal_start": proposal_start, "date": starts_on}.get(starts)
    start = max(chosen or accepted_on, accepted_on)
    first = day_of(start, 1, cadence, delay)
    return Start(first, start.day if cadence == MONTH and first.day != start.day else None)


def first_period_from(first_on: date, every: int, cadence: str, day: date, month_day: int | None = None) -> int:
    """The first period that falls on `day` or after it."""
    if day <= first_on:
        return 0
    if cadence == MONTH:
        months = (day.year - first_on.year) * 12 + day.month - first_on.month
        n = months // every
    else:
        n = (day - first_on).days // (DAYS[cadence] * every)
    return n if day_of(first_on, every, cadence, n, month_day) >= day else n + 1


def periods_between(
    first_on: date, every: int, cadence: str, day_from: date, day_to: date, *, periods: int | None = None,
    start: int = 0, month_day: int | None = None,
) -> Iterator[tuple[int, date]]:  # fmt: skip
    """(period, its day) for all that fall between two days, both included. `periods`: so many there are in all.

    `start`: earlier periods are left out.
    """
    if day_to < first_on:
        return
    begin = max(start, first_period_from(first_on, every, cadence, day_from, month_day))
    for n in count(begin) if periods is None else range(begin, periods):
        try:
            day = day_of(first_on, every, cadence, n, month_day)
        except OverflowError:
            return
        if day > day_to:
            return
        yield n, day


def deposit_of(price: Decimal, deposit: Decimal | None, places: int = 2) -> Decimal:
    """The part of a fixed price that is billed at once; half of it unless an amount was given (BS-01).

    `places`: decimals of the currency's coin. Raises ValueError for one that is not between nothing and the price.
    """
    if deposit is None:
        return _to_the_coin(price / 2, places)
    if not 0 <= deposit <= price:
        raise ValueError("a deposit cannot be more than the price")
    return _to_the_coin(deposit, places)


def discounts_together(
    quantity: Decimal, price: Decimal, discount: Decimal, is_percent: bool, percent: Decimal, places: int = 2
) -> tuple[Decimal, bool]:
    """A line's own discount, and a percentage off what is left after it: as one discount, and whether in percent."""
    if not percent:
        return discount, is_percent
    if is_percent or not discount:
        left = (HUNDRED - discount) * (HUNDRED - percent) / HUNDRED
        return (HUNDRED - left).quantize(FINEST, ROUND_HALF_UP), True
    off = (_to_the_coin(quantity * price, places) - discount) * percent / HUNDRED
    return discount + _to_the_coin(off, places), False


@lru_cache(maxsize=8192)
def net_of(quantity: Decimal, price: Decimal, discount: Decimal, is_percent: bool, currency: str) -> Decimal:
    """What a line comes to before tax. `discount`: a percentage of it, or an amount off the whole line."""
    off = money.discount_of(quantity, price, discount, is_percent, currency) if discount else NOTHING
    return money.rounded(quantity * price - off, currency)


def _to_the_coin(amount: Decimal, places: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


class Billable(Protocol):
    """What can be put on an invoice: a billing item, or a period that is none yet."""

    @property
    def client_id(self) -> int: ...
    @property
    def due_on(self) -> date | None: ...
    @property
    def pay_by(self) -> str: ...
    @property
    def reference(self) -> str: ...
    @property
    def currency(self) -> str: ...


Item = TypeVar("Item", bound=Billable)


class Split(StrEnum):
    """Why what falls on one day becomes more than one invoice (BS-08)."""

    DAY = "day"
    PAY_BY = "pay_by"
    REFERENCE = "reference"
    CURRENCY = "currency"


SPLIT_WORDS = {
    Split.DAY: "they fall on different days",
    Split.PAY_BY: "they are paid in different ways",
    Split.REFERENCE: "they belong to different billing groups",
    Split.CURRENCY: "they are in different currencies",
}
_PLACES = {Split.DAY: 1, Split.PAY_BY: 2, Split.REFERENCE: 3, Split.CURRENCY: 4}


Key = tuple[int, date | None, str, str, str]
ALONE: frozenset[Split] = frozenset()


class Group(NamedTuple, Generic[Item]):
    """One future invoice. `apart`: why it is not one with the client's others of that day (or of all, by DAY)."""

    client_id: int
    on: date | None
    pay_by: str
    reference: str
    currency: str
    items: tuple[Item, ...]
    apart: frozenset[Split] = ALONE

    @property
    def key(self) -> Key:
        return self[:5]


def group(items: Iterable[Item]) -> list[Group[Item]]:
    """What becomes one invoice: same client, day, way of payment, billing group and currency (BS-08).

    In the order of clients and days; what has no day comes last.
    """
    held: dict[Key, list[Item]] = {}
    for item in items:
        key = (item.client_id, item.due_on, item.pay_by, item.reference, item.currency)
        if key in held:
            held[key].append(item)
        else:
            held[key] = [item]
    has_dayless = any(key[1] is None for key in held)
    order = sorted(held, key=_dayless_last) if has_dayless else sorted(held)
    found: list[Group[Item]] = []
    for _client_and_day, run in groupby(order, key=itemgetter(0, 1)):
        alike = list(run)
        apart = ALONE if len(alike) == 1 else _apart(alike)
        found += [Group(*key, tuple(held[key]), apart) for key in alike]
    return found


def _dayless_last(key: Key) -> tuple[int, date, str, str, str]:
    return (key[0], key[1] or date.max, *key[2:])


def _apart(keys: Sequence[Key]) -> frozenset[Split]:
    return frozenset(split for split, place in _PLACES.items() if len({key[place] for key in keys}) > 1)


def reasons_of(groups: Sequence[Group[Item]]) -> list[str]:
    """Why these are several invoices and not one, in words; empty for a single one."""
    if len(groups) < 2:
        return []
    keys = [one.key for one in groups]
    return [SPLIT_WORDS[split] for split, place in _PLACES.items() if len({key[place] for key in keys}) > 1]
