"""When services are billed: every day counted from the first one, in the firm's own calendar."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from portal.domain import billing
from portal.domain.billing import Start, day_of, first_day, periods_between

D = Decimal


@pytest.mark.parametrize(
    ("first", "every", "cadence", "n", "expected"),
    [
        (date(2026, 1, 31), 1, "month", 1, date(2026, 2, 28)),
        (date(2026, 1, 31), 1, "month", 2, date(2026, 3, 31)),
        (date(2026, 1, 31), 1, "month", 3, date(2026, 4, 30)),
        (date(2024, 1, 31), 1, "month", 1, date(2024, 2, 29)),
        (date(2024, 2, 29), 12, "month", 1, date(2025, 2, 28)),
        (date(2024, 2, 29), 12, "month", 4, date(2028, 2, 29)),
        (date(2096, 2, 29), 12, "month", 4, date(2100, 2, 28)),  # 2100 is no leap year
        (date(2024, 2, 29), 1, "month", 1, date(2024, 3, 29)),
        (date(2026, 8, 30), 6, "month", 1, date(2027, 2, 28)),
        (date(2026, 8, 30), 6, "month", 2, date(2027, 8, 30)),
        (date(2026, 12, 31), 1, "month", 1, date(2027, 1, 31)),
        (date(2026, 11, 30), 3, "month", 1, date(2027, 2, 28)),
        (date(2026, 12, 28), 1, "week", 1, date(2027, 1, 4)),
        (date(2024, 2, 26), 2, "week", 1, date(2024, 3, 11)),
        (date(2024, 2, 28), 1, "day", 1, date(2024, 2, 29)),
        (date(2025, 2, 28), 1, "day", 1, date(2025, 3, 1)),
        (date(2026, 1, 1), 10, "day", 3, date(2026, 1, 31)),
    ],
)
def test_months_end_and_leap_days_come_out_right(first: date, every: int, cadence: str, n: int, expected: date) -> None:
    assert day_of(first, every, cadence, n) == expected


def test_what_is_asked_for_in_halves_comes_to_the_same_as_in_one() -> None:
    whole = list(periods_between(date(2026, 1, 31), 1, "month", date(2026, 1, 1), date(2026, 12, 31)))
    halves = [
        *periods_between(date(2026, 1, 31), 1, "month", date(2026, 1, 1), date(2026, 6, 30)),
        *periods_between(date(2026, 1, 31), 1, "month", date(2026, 7, 1), date(2026, 12, 31)),
    ]
    assert whole == halves and len(whole) == 12


def test_a_calendar_that_ends_ends_the_periods() -> None:
    assert [n for n, _ in periods_between(date(9999, 11, 30), 1, "month", date(9999, 1, 1), date.max)] == [0, 1]


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({}, Start(date(2026, 3, 10))),
        ({"starts": "proposal_start", "proposal_start": date(2026, 5, 1)}, Start(date(2026, 5, 1))),
        ({"starts": "proposal_start"}, Start(date(2026, 3, 10))),
        ({"starts": "proposal_start", "proposal_start": date(2026, 1, 1)}, Start(date(2026, 3, 10))),
        ({"starts": "date", "starts_on": date(2026, 8, 31), "delay": 1}, Start(date(2026, 9, 30), 31)),
        ({"delay": 2, "cadence": "week"}, Start(date(2026, 3, 24))),
        ({"delay": 3, "cadence": "day"}, Start(date(2026, 3, 13))),
        ({"delay": 1}, Start(date(2026, 4, 10))),
    ],
)
def test_the_first_bill_comes_from_acceptance_start_or_date_and_waits_its_delay(given_: dict, expected: Start) -> None:
    assert first_day(date(2026, 3, 10), **given_) == expected


def test_a_delay_that_lands_in_a_short_month_keeps_the_end_of_the_month() -> None:
    first = first_day(date(2026, 1, 31), delay=1)
    days = [day_of(first.on, 1, "month", n, first.month_day) for n in range(4)]
    assert days == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)]


def test_a_cadence_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="fortnight"):
        day_of(date(2026, 1, 1), 1, "fortnight", 1)


def test_a_deposit_is_half_unless_said_and_never_more_than_the_price() -> None:
    assert billing.deposit_of(D(1001), None) == D("500.50")
    assert billing.deposit_of(D("0.01"), None) == D("0.01")
    assert billing.deposit_of(D(1001), None, 0) == D(501)
    assert billing.deposit_of(D(1000), D(300)) == D(300)
    with pytest.raises(ValueError, match="more than the price"):
        billing.deposit_of(D(1000), D(1001))


@pytest.mark.parametrize(
    ("discount", "is_percent", "percent", "expected"),
    [
        (D(0), False, D(0), (D(0), False)),
        (D(10), True, D(0), (D(10), True)),
        (D(0), False, D(10), (D(10), True)),
        (D(10), True, D(10), (D(19), True)),
        (D(100), False, D(10), (D(190), False)),
        (D("33.3333"), True, D("12.5"), (D("41.6666"), True)),
    ],
)
def test_the_discount_of_a_proposal_comes_off_what_is_left_of_a_line(
    discount: Decimal, is_percent: bool, percent: Decimal, expected: tuple[Decimal, bool]
) -> None:
    assert billing.discounts_together(D(1), D(1000), discount, is_percent, percent) == expected
