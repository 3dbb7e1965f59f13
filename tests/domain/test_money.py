"""What lines come to, by either rule ledgers round by."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portal.domain import money
from portal.domain.records import TaxMode
from tests.domain.money_cases import CASES, Case

RULES = (money.EACH_LINE, money.EACH_RATE)


def test_there_are_at_least_sixty_hard_cases() -> None:
    assert len(CASES) >= 60
    assert len({case.what for case in CASES}) == len(CASES)


@pytest.mark.parametrize("rounding", RULES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_every_hard_case_comes_to_what_was_reckoned_by_hand(case: Case, rounding: str) -> None:
    """Fault row 85."""
    found = money.total_up(case.lines, mode=case.mode, rounding=rounding, currency=case.currency)
    assert (found.net, found.tax) == (case.net(rounding), case.tax(rounding))
    assert found.total == found.net + found.tax
    assert sum(line.net for line in found.lines) == found.net
    assert sum(line.tax for line in found.lines) == found.tax
    assert all(line.amount.as_tuple().exponent == -money.places(case.currency) for line in found.lines)


def test_coins_that_rounding_leaves_go_to_the_largest_line() -> None:
    lines = [money.Line(Decimal(1), Decimal(price), tax_percent=Decimal(15)) for price in ("0.30", "90", "0.30")]
    found = money.total_up(lines, mode=TaxMode.EXCLUSIVE, rounding=money.EACH_RATE, currency="NZD")
    assert [line.tax for line in found.lines] == [Decimal("0.05"), Decimal("13.49"), Decimal("0.05")]
    assert found.tax == Decimal("13.59")


@pytest.mark.parametrize(
    ("quantity", "price", "discount", "is_percent", "reason"),
    [
        ("1", "100", "101", False, "more than the line comes to, NZD 100.00"),
        ("1", "100", "100.01", True, "100.01 % is more than the whole line"),
        ("1", "100", "-1", True, "cannot be less than 0"),
        ("1", "-100", "5", False, "more than the line comes to"),
        ("-1", "100", "0", False, "A quantity cannot be less than 0"),
        ("1.00001", "100", "0", False, "A quantity can have 4 decimals"),
        ("1", "0.00001", "0", False, "A price can have 4 decimals"),
        ("1", "10000000000000", "0", False, "at most 13 digits"),
        ("99999", "999999999", "0", False, "more than any ledger can hold"),
        ("NaN", "1", "0", False, "has to be a number"),
        ("1", "Infinity", "0", False, "has to be a number"),
    ],
)
def test_what_nobody_can_be_billed_by_is_refused_with_the_reason(
    quantity: str, price: str, discount: str, is_percent: bool, reason: str
) -> None:
    """Fault row 85."""
    with pytest.raises(money.NotAllowed, match=reason):
        money.discount_of(Decimal(quantity), Decimal(price), Decimal(discount), is_percent, "NZD")


@pytest.mark.parametrize(
    "line",
    [
        money.Line(Decimal(1), Decimal(10), discount=Decimal("10.01")),
        money.Line(Decimal(1), Decimal(10), discount=Decimal("-0.01")),
        money.Line(Decimal(1), Decimal(-10), discount=Decimal("1")),
        money.Line(Decimal(0), Decimal(10), discount=Decimal("1")),
        money.Line(Decimal(1), Decimal(10), tax_percent=Decimal(-1)),
        money.Line(Decimal(1), Decimal(10), discount=Decimal("NaN")),
        money.Line(Decimal(1), Decimal("9999999999999.99"), tax_percent=Decimal(15)),
    ],
)
def test_lines_that_cannot_be_are_never_summed_up(line: money.Line) -> None:
    """Fault row 85."""
    with pytest.raises(money.NotAllowed):
        money.total_up([line], mode=TaxMode.EXCLUSIVE, rounding=money.EACH_LINE, currency="NZD")


def test_currencies_have_as_many_decimals_as_their_smallest_coin() -> None:
    assert [money.places(one) for one in ("NZD", "USD", "JPY", "KRW", "KWD", "BHD")] == [2, 2, 0, 0, 3, 3]
    for wrong in ("", "nzd", "KIWI", "XYZ"):
        with pytest.raises(money.NotAllowed):
            money.places(wrong)


def test_no_sum_is_a_negative_zero() -> None:
    assert str(money.rounded(Decimal("-0.004"), "NZD")) == "0.00"
