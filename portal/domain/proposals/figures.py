"""What an offer comes to: each line, and what is to be paid when, with tax, by the choice made.

Counted from the content alone (see `content`), so that an accepted offer can be shown again as it was. Tax is rounded
line by line here; an invoice may differ by a coin where its ledger rounds by rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from portal.domain import billing, money
from portal.domain.library.models import BillingType, PriceType
from portal.domain.proposals.content import Choice, Content, taken_lines
from portal.domain.proposals.models import Starts
from portal.domain.records import TaxMode

Line = dict[str, Any]
NOTHING = Decimal(0)


class When(StrEnum):
    """When something is to be paid, in the order it is shown."""

    AT_ONCE = "at_once"  # with the acceptance
    RECURRING = "recurring"
    LATER = "later"  # when the work is done: on completion, balances
    ESTIMATE = "estimate"


@dataclass(frozen=True)
class LineFigure:
    """`net` is without tax and after every discount, `off` what the discounts take; `net_to` ends a range."""

    net: Decimal
    tax: Decimal
    off: Decimal
    net_to: Decimal | None = None
    deposit: Decimal | None = None  # without tax

    @property
    def total(self) -> Decimal:
        return self.net + self.tax


@dataclass(frozen=True)
class Part:
    """What is to be paid at one occasion. `every` and `cadence` are set for what recurs.

    `is_open`: it can become more (a minimum price, an estimate by hours); `total_to`: but not more than that.
    `has_first_times`: what recurs is in it for the first time.
    """

    when: When
    net: Decimal
    tax: Decimal
    lines: tuple[str, ...]
    taxes: tuple[tuple[str, Decimal], ...] = ()  # by the name of the rate, in the order they are met
    every: int = 0
    cadence: str = ""
    is_open: bool = False
    total_to: Decimal | None = None
    has_first_times: bool = False

    @property
    def total(self) -> Decimal:
        return self.net + self.tax


@dataclass
class _Open:
    """A part while it is being put together; `most` are the same lines at the upper end of their ranges."""

    lines: list[money.Line] = field(default_factory=list)
    most: list[money.Line] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    is_open: bool = False
    has_range: bool = False
    has_first_times: bool = False


def parts(content: Content, choice: Choice, *, first_times: bool = True) -> list[Part]:
    """What is to be paid when. Raises `money.NotAllowed` for amounts nobody can be billed by.

    `first_times`: whether what recurs is also counted where it is paid for the first time.
    """
    held: dict[tuple[int, int, str], _Open] = {}
    for line in taken_lines(content, choice):
        _put(held, content, line, first_times=first_times)
    order = list(When)
    found = []
    for key in sorted(held):
        one, currency = held[key], content["currency"]
        sums = _total(one.lines, currency)
        most = _total(one.most, currency).total if one.has_range else None
        found.append(
            Part(
                order[key[0]], sums.net, sums.tax, tuple(one.names),
                tuple((rate.rate, rate.tax) for rate in sums.rates if rate.tax), key[1], key[2],
                is_open=one.is_open, total_to=most, has_first_times=one.has_first_times,
            )
        )  # fmt: skip
    return found


def figure(line: Line, content: Content) -> LineFigure:
    """What one line comes to. Raises `money.NotAllowed`."""
    currency = content["currency"]
    one = _as_line(line, content, Decimal(line["price"]))
    total = _total([one], currency)
    to = None
    if line["price_type"] == PriceType.RANGE and line["price_to"] is not None:
        to = _total([_as_line(line, content, Decimal(line["price_to"]))], currency).net
    deposit = None
    if line["billing_type"] == BillingType.DEPOSIT:
        deposit = _deposit(line, total.net, currency)
    return LineFigure(total.net, total.tax, money.rounded(one.discount, currency), to, deposit)


def begins_at_acceptance(line: Line, content: Content) -> bool:
    """Whether a recurring service is billed for the first time with the acceptance, whenever that is."""
    if line["delay"]:
        return False
    starts = line["starts"]
    return bool(starts == Starts.ACCEPTANCE or (starts == Starts.PROPOSAL_START and content["starts_on"] is None))


def worth(content: Content, choice: Choice) -> list[Part]:
    """An offer in the fewest figures: what recurs, by cadence, then all that is paid once, whenever that is.

    Raises `money.NotAllowed`.
    """
    found = parts(content, choice, first_times=False)
    recurring = [part for part in found if part.when == When.RECURRING]
    once = [part for part in found if part.when != When.RECURRING]
    return recurring + ([_as_one(once)] if once else [])


def _as_one(once: Sequence[Part]) -> Part:
    net, tax = sum((part.net for part in once), NOTHING), sum((part.tax for part in once), NOTHING)
    to = [part.total if part.total_to is None else part.total_to for part in once]
    ends = sum(to, NOTHING) if any(part.total_to is not None for part in once) else None
    names = tuple(name for part in once for name in part.lines)
    return Part(once[0].when, net, tax, names, is_open=any(part.is_open for part in once), total_to=ends)


def _put(held: dict[tuple[int, int, str], _Open], content: Content, line: Line, *, first_times: bool) -> None:
    if line["price_type"] == PriceType.INCLUDED:
        return
    billing_type = BillingType(line["billing_type"])
    currency = content["currency"]
    whole = _as_line(line, content, Decimal(line["price"]))
    if billing_type == BillingType.DEPOSIT:
        net = _total([whole], currency).net
        deposit = _deposit(line, net, currency)
        for when, amount, word in ((When.AT_ONCE, deposit, "deposit"), (When.LATER, net - deposit, "balance")):
            part = money.Line(Decimal(1), amount, Decimal(0), whole.tax_percent, whole.rate)
            _into(held, (list(When).index(when), 0, ""), part, part, f"{line['name']}, {word}")
        return
    when = {
        BillingType.ON_ACCEPTANCE: When.AT_ONCE, BillingType.RECURRING: When.RECURRING,
        BillingType.ON_COMPLETION: When.LATER, BillingType.ESTIMATE: When.ESTIMATE,
    }[billing_type]  # fmt: skip
    cadence = (line["every"], line["cadence"]) if when == When.RECURRING else (0, "")
    has_range = line["price_type"] == PriceType.RANGE
    most = _as_line(line, content, Decimal(line["price_to"] or 0)) if has_range else whole
    one = _into(held, (list(When).index(when), *cadence), whole, most, line["name"])
    one.has_range = one.has_range or has_range
    one.is_open = one.is_open or line["price_type"] == PriceType.MINIMUM or (when == When.ESTIMATE and not has_range)
    if first_times and when == When.RECURRING and begins_at_acceptance(line, content):
        first = _into(held, (list(When).index(When.AT_ONCE), 0, ""), whole, most, f"{line['name']}, first time")
        first.has_first_times = True
        first.has_range, first.is_open = first.has_range or has_range, first.is_open or one.is_open


def _into(
    held: dict[tuple[int, int, str], _Open], key: tuple[int, int, str], line: money.Line, most: money.Line, name: str
) -> _Open:
    one = held.setdefault(key, _Open())
    one.lines.append(line)
    one.most.append(most)
    one.names.append(name)
    return one


def _as_line(line: Line, content: Content, price: Decimal) -> money.Line:
    """With the line's own discount and the proposal's together, as the schedule will bill it."""
    currency = content["currency"]
    quantity = Decimal(line["quantity"])
    if line["price_type"] == PriceType.INCLUDED:
        return money.Line(quantity, Decimal(0))
    off, is_percent = billing.discounts_together(
        quantity, price, Decimal(line["discount"]), line["discount_is_percent"], Decimal(content["discount"]),
        money.places(currency),
    )  # fmt: skip
    amount = money.discount_of(quantity, price, off, is_percent, currency)
    return money.Line(quantity, price, amount, Decimal(line["tax_percent"]), line["tax"])


def _deposit(line: Line, net: Decimal, currency: str) -> Decimal:
    held = Decimal(line["deposit"]) if line["deposit"] is not None else None
    return billing.deposit_of(net, held, money.places(currency))


def _total(lines: list[money.Line], currency: str) -> money.Totals:
    return money.total_up(lines, mode=TaxMode.EXCLUSIVE, rounding=money.EACH_LINE, currency=currency)
