"""What an invoice comes to, reckoned from its lines alone: discount, tax to the cent line by line, then the totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT, FOUR = Decimal("0.01"), Decimal("0.0001")
HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Sums:
    """All in the invoice's currency, two decimals."""

    net: Decimal
    tax: Decimal
    total: Decimal
    discount: Decimal


def cents(value: Decimal) -> Decimal:
    """To two decimals, halves away from zero."""
    return value.quantize(CENT, ROUND_HALF_UP)


def line_amount(quantity: Decimal, price: Decimal, rate: Decimal | None, off: Decimal | None) -> Decimal:
    """A line after its discount, which is a percentage or an amount."""
    whole = quantity * price
    if rate is not None:
        whole = whole * (HUNDRED - rate) / HUNDRED
    return cents(whole - (off or 0))


def line_tax(amount: Decimal, percent: Decimal, kind: str) -> Decimal:
    """The tax of one line. `kind` is the invoice's LineAmountTypes."""
    if kind == "NoTax":
        return Decimal("0.00")
    if kind == "Inclusive":
        return cents(amount * percent / (HUNDRED + percent))
    return cents(amount * percent / HUNDRED)


def sums(lines: Sequence[tuple[Decimal, Decimal, Decimal]], kind: str) -> Sums:
    """From (amount, tax, discount) of each line."""
    amounts = sum((amount for amount, _, _ in lines), Decimal("0.00"))
    tax = sum((one for _, one, _ in lines), Decimal("0.00"))
    off = sum((one for _, _, one in lines), Decimal("0.00"))
    if kind == "Inclusive":
        return Sums(amounts - tax, tax, amounts, off)
    return Sums(amounts, tax, amounts + tax, off)
