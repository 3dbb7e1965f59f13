"""What holds for whatever lines an invoice has."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as some

from portal.domain import money
from portal.domain.records import TaxMode

RULES = (money.EACH_LINE, money.EACH_RATE)
amounts = some.decimals(min_value=-99999, max_value=99999, places=4)
quantities = some.decimals(min_value=0, max_value=999, places=4)
percents = some.decimals(min_value=0, max_value=100, places=4)
currencies = some.sampled_from(("NZD", "JPY", "KWD"))


@some.composite
def some_lines(draw: some.DrawFn) -> tuple[str, list[money.Line]]:
    currency = draw(currencies)
    rates = draw(some.lists(percents, min_size=1, max_size=3))
    lines = []
    for _ in range(draw(some.integers(1, 12))):
        quantity, price = draw(quantities), draw(amounts)
        off = money.discount_of(quantity, price, draw(percents), True, currency)
        lines.append(money.Line(quantity, price, off, draw(some.sampled_from(rates))))
    return currency, lines


@settings(deadline=None)
@given(some_lines(), some.sampled_from(list(TaxMode)), some.sampled_from(RULES))
def test_lines_and_rates_always_add_up_to_the_totals(
    told: tuple[str, list[money.Line]], mode: TaxMode, rounding: str
) -> None:
    currency, lines = told
    found = money.total_up(lines, mode=mode, rounding=rounding, currency=currency)
    assert found.total == found.net + found.tax
    for parts in (found.lines, found.rates):
        assert sum(one.net for one in parts) == found.net
        assert sum(one.tax for one in parts) == found.tax
    shown = sum(line.amount for line in found.lines)
    assert shown == (found.total if mode is TaxMode.INCLUSIVE else found.net)


@settings(deadline=None)
@given(some_lines(), some.sampled_from((TaxMode.EXCLUSIVE, TaxMode.INCLUSIVE)))
def test_no_tax_is_further_from_the_exact_one_than_half_a_coin(
    told: tuple[str, list[money.Line]], mode: TaxMode
) -> None:
    currency, lines = told
    half = Fraction(1, 2 * 10 ** money.places(currency))
    by_line = money.total_up(lines, mode=mode, rounding=money.EACH_LINE, currency=currency)
    by_rate = money.total_up(lines, mode=mode, rounding=money.EACH_RATE, currency=currency)
    exact = [_exact_tax(one.amount, line.tax_percent, mode) for one, line in zip(by_line.lines, lines, strict=True)]
    for one, wanted in zip(by_line.lines, exact, strict=True):
        assert abs(Fraction(one.tax) - wanted) <= half
    for rate in by_rate.rates:
        wanted = sum(tax for tax, line in zip(exact, lines, strict=True) if line.tax_percent == rate.percent)
        assert abs(Fraction(rate.tax) - wanted) <= half


@settings(deadline=None)
@given(quantities, amounts, percents, currencies)
def test_a_percentage_leaves_what_a_ledger_reckons_from_it(
    quantity: Decimal, price: Decimal, percent: Decimal, currency: str
) -> None:
    """Xero's words: quantity × price × (100 − discount) / 100, rounded."""
    off = money.discount_of(quantity, price, percent, True, currency)
    line = money.Line(quantity, price, off)
    found = money.total_up([line], mode=TaxMode.NONE, rounding=money.EACH_LINE, currency=currency)
    assert found.total == money.rounded(quantity * price * (100 - percent) / 100, currency)


@settings(deadline=None)
@given(quantities, some.decimals(min_value=0, max_value=99999, places=4), currencies)
def test_the_whole_line_as_an_amount_leaves_nothing(quantity: Decimal, price: Decimal, currency: str) -> None:
    whole = money.rounded(quantity * price, currency)
    off = money.discount_of(quantity, price, whole, False, currency)
    line = money.Line(quantity, price, off)
    assert money.total_up([line], mode=TaxMode.NONE, rounding=money.EACH_LINE, currency=currency).total == 0


@settings(max_examples=30, deadline=None)
@given(some_lines(), some.randoms())
def test_the_order_of_lines_does_not_change_what_they_come_to(
    told: tuple[str, list[money.Line]], random: object
) -> None:
    currency, lines = told
    mixed = list(lines)
    random.shuffle(mixed)  # type: ignore[attr-defined]  # hypothesis gives a Random
    for rounding in RULES:
        one, other = (
            money.total_up(each, mode=TaxMode.EXCLUSIVE, rounding=rounding, currency=currency)
            for each in (lines, mixed)
        )
        assert (one.net, one.tax, one.total) == (other.net, other.tax, other.total)


def _exact_tax(amount: Decimal, percent: Decimal, mode: TaxMode) -> Fraction:
    if mode is TaxMode.INCLUSIVE:
        return Fraction(amount) * Fraction(percent) / (100 + Fraction(percent))
    return Fraction(amount) * Fraction(percent) / 100
