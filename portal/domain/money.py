"""What lines come to: discounts, net, tax and totals, exactly, by either rule that ledgers round by. PURE.

The one invariant: net and tax of the lines add up to the totals, to the last coin. Halves are rounded away from zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from functools import lru_cache

from babel import Locale
from babel.numbers import get_currency_precision

from portal.domain.records import TaxMode

EACH_LINE = "each_line"  # tax of every line to the coin, then added
EACH_RATE = "each_rate"  # lines of one rate added, then its tax to the coin
MOST = Decimal(10) ** 13  # an amount has at most thirteen digits before the point
FINEST = 4  # decimals of a quantity, a price or a percentage, as they are kept
HUNDRED = Decimal(100)
SAID = re.compile(r"\b(?P<currency>[A-Z]{3}) (?P<amount>-?\d{1,3}(?:,\d{3})*(?:\.\d+)?)(?![\w,.]\d|\w)")
# Wide enough for any product of what is allowed here, so that nothing is rounded but where it says so.
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


class NotAllowed(ValueError):
    """A quantity, price, discount or currency nobody can be billed by; the text says why, for a person."""


@dataclass(frozen=True, slots=True)
class Line:
    """`price` is for one, `discount` an amount off the whole line; both with tax in them where the mode says so.

    Lines of the same `rate` and percentage are taxed together where the rule asks for it.
    """

    quantity: Decimal
    price: Decimal
    discount: Decimal = Decimal(0)
    tax_percent: Decimal = Decimal(0)
    rate: str = ""


@dataclass(frozen=True, slots=True)
class LineTotal:
    """`amount` is what the line shows: after its discount, and with tax in it where the mode is inclusive."""

    amount: Decimal
    net: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class RateTotal:
    """What is taxed at one rate, and the tax of it."""

    rate: str
    percent: Decimal
    net: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """In the order of the lines; `rates` in the order they are met."""

    lines: tuple[LineTotal, ...]
    net: Decimal
    tax: Decimal
    total: Decimal
    rates: tuple[RateTotal, ...]


def is_currency(code: str) -> bool:
    return code in Locale("en").currencies


@lru_cache(maxsize=256)
def places(currency: str) -> int:
    """Decimals of the smallest coin: 2 for most, 0 for yen, 3 for dinars. Raises `NotAllowed` for no currency."""
    if not is_currency(currency):
        raise NotAllowed(f"“{currency}” is not the code of a currency.")
    return get_currency_precision(currency)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """To the smallest coin, halves away from zero. Never a negative zero."""
    found = amount.quantize(Decimal(1).scaleb(-places(currency)), context=_EXACT)
    return found if found else abs(found)


def said(amount: Decimal, currency: str) -> str:
    """'NZD 1,150.00': for logs and sentences, the same in every language."""
    return f"{currency} {amount:,.{places(currency)}f}"


def amounts_in(text: str, write: Callable[[Decimal, str], str]) -> str:
    """The text with every amount that `said` wrote into it written another way, as a reader's own formats have it."""

    def anew(found: re.Match[str]) -> str:
        currency = found["currency"]
        return write(Decimal(found["amount"].replace(",", "")), currency) if is_currency(currency) else found[0]

    return SAID.sub(anew, text)


def discount_of(quantity: Decimal, price: Decimal, discount: Decimal, is_percent: bool, currency: str) -> Decimal:
    """The amount a discount takes off a whole line. Raises `NotAllowed`.

    A percentage gives what leaves the line at quantity × price × (100 − percent) / 100, rounded: what a ledger that is
    told the percentage comes to. Of a line below zero, a percentage takes its share; an amount cannot be taken off it.
    """
    _check(discount, "A discount", least=Decimal(0))
    with localcontext(_EXACT):
        gross = _gross(quantity, price)
        whole = rounded(gross, currency)
        if not is_percent:
            off = rounded(discount, currency)
            if off > max(whole, Decimal(0)):
                raise NotAllowed(
                    f"A discount of {said(off, currency)} is more than the line comes to, {said(whole, currency)}."
                )
        else:
            if discount > HUNDRED:
                raise NotAllowed(f"A discount of {discount.normalize():f} % is more than the whole line.")
            off = whole - rounded(gross * (HUNDRED - discount) / HUNDRED, currency)
        # With nothing left, what is below a coin goes too: half a coin would come back as a whole one.
        return gross.quantize(Decimal("0.0001")) if off and off == whole else off


def total_up(lines: Sequence[Line], *, mode: TaxMode, rounding: str, currency: str) -> Totals:
    """What each line and all of them come to. Raises `NotAllowed`.

    By `EACH_RATE` the coins that rounding leaves over go to the largest line of the rate, so that lines still add up.
    """
    with localcontext(_EXACT):
        amounts = [_amount(line, currency) for line in lines]
        taxes = [
            _tax(one, line.tax_percent, mode, rounding, currency) for line, one in zip(lines, amounts, strict=True)
        ]
        groups = _groups(lines)
        if rounding == EACH_RATE:
            for (_rate, percent), members in groups.items():
                _level(members, percent, amounts, taxes, mode, currency)
        nets = [one - tax if mode is TaxMode.INCLUSIVE else one for one, tax in zip(amounts, taxes, strict=True)]
        found = tuple(LineTotal(*each) for each in zip(amounts, nets, taxes, strict=True))
        rates = [_rate_total(rate, percent, members, found) for (rate, percent), members in groups.items()]
        zero = rounded(Decimal(0), currency)
        net, tax = sum(nets, zero), sum(taxes, zero)
    if abs(net + tax) >= MOST or abs(net) >= MOST:
        raise NotAllowed("The invoice comes to more than any ledger can hold.")
    return Totals(found, net, tax, net + tax, tuple(rates))


def _rate_total(rate: str, percent: Decimal, members: list[int], lines: Sequence[LineTotal]) -> RateTotal:
    first, *others = (lines[at] for at in members)
    net, tax = sum((one.net for one in others), first.net), sum((one.tax for one in others), first.tax)
    return RateTotal(rate, percent, net, tax)


def _groups(lines: Sequence[Line]) -> dict[tuple[str, Decimal], list[int]]:
    found: dict[tuple[str, Decimal], list[int]] = {}
    for at, line in enumerate(lines):
        found.setdefault((line.rate, line.tax_percent), []).append(at)
    return found


def _level(
    members: list[int], percent: Decimal, amounts: list[Decimal], taxes: list[Decimal], mode: TaxMode, currency: str
) -> None:
    """Make the taxes of one rate's lines add up to the tax of their sum."""
    whole = _tax(sum((amounts[at] for at in members), Decimal(0)), percent, mode, EACH_RATE, currency)
    left = whole - sum((taxes[at] for at in members), Decimal(0))
    largest = max(members, key=lambda at: abs(amounts[at]))  # the first of equals
    taxes[largest] += left


def _tax(amount: Decimal, percent: Decimal, mode: TaxMode, rounding: str, currency: str) -> Decimal:
    """Of one amount. Where tax is inside, one rule rounds the tax and the other what is left without it."""
    if mode is TaxMode.NONE:
        return rounded(Decimal(0), currency)
    if mode is TaxMode.EXCLUSIVE:
        return rounded(amount * percent / HUNDRED, currency)
    if rounding == EACH_RATE:
        return amount - rounded(amount * HUNDRED / (HUNDRED + percent), currency)
    return rounded(amount * percent / (HUNDRED + percent), currency)


def _amount(line: Line, currency: str) -> Decimal:
    _check(line.tax_percent, "A tax rate", least=Decimal(0))
    if not line.discount.is_finite():
        raise NotAllowed("A discount is not a number.")
    gross = _gross(line.quantity, line.price)
    amount = rounded(gross - line.discount, currency)
    is_past_zero = amount * gross < 0 or (not gross and amount)
    if is_past_zero or abs(amount) > abs(rounded(gross, currency)):
        raise NotAllowed("A discount takes off more than the line comes to, or adds to it.")
    return amount


def _gross(quantity: Decimal, price: Decimal) -> Decimal:
    """What a line comes to before its discount, to the last decimal. Raises `NotAllowed`."""
    _check(quantity, "A quantity", least=Decimal(0))
    _check(price, "A price")
    gross = _EXACT.multiply(quantity, price)
    if abs(gross) >= MOST:
        raise NotAllowed("A line comes to more than any ledger can hold.")
    return gross


def _check(value: Decimal, what: str, least: Decimal | None = None) -> None:
    if not value.is_finite() or abs(value) >= MOST:
        raise NotAllowed(f"{what} has to be a number of at most 13 digits.")
    if value != round(value, FINEST):
        raise NotAllowed(f"{what} can have {FINEST} decimals, not more.")
    if least is not None and value < least:
        raise NotAllowed(f"{what} cannot be less than {least}.")
