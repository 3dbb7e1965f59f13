"""When services are billed: every day counted from the first one, in the firm's own calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain import billing
from portal.domain.billing import Start, day_of, first_day, first_period_from, periods_between
from portal.domain.nights import local_date, start_of

D = Decimal
DAYS = st.dates(date(1990, 1, 1), date(2080, 12, 31))
CADENCES = st.sampled_from(["day", "week", "month"])


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


@settings(max_examples=200, deadline=None)
@given(DAYS, st.integers(1, 24), CADENCES, st.integers(0, 200))
def test_days_follow_each_other_and_a_month_never_has_two(first: date, every: int, cadence: str, n: int) -> None:
    days = [day_of(first, every, cadence, n + step) for step in range(4)]
    assert all(earlier < later for earlier, later in pairwise(days))
    if cadence == "month":
        months = [(day.year * 12 + day.month) for day in days]
        assert {later - earlier for earlier, later in pairwise(months)} == {every}
        assert all(day.day == first.day or (day + timedelta(days=1)).day == 1 for day in days)


@settings(max_examples=200, deadline=None)
@given(DAYS, st.integers(1, 24), CADENCES, DAYS)
def test_the_first_period_from_a_day_is_the_first_one(first: date, every: int, cadence: str, day: date) -> None:
    n = first_period_from(first, every, cadence, day)
    assert day_of(first, every, cadence, n) >= day
    assert n == 0 or day_of(first, every, cadence, n - 1) < day


@settings(max_examples=100, deadline=None)
@given(DAYS, st.integers(1, 6), CADENCES, DAYS, st.integers(0, 200), st.none() | st.integers(1, 30))
def test_between_two_days_nothing_is_missed_and_nothing_comes_twice(
    first: date, every: int, cadence: str, start: date, length: int, periods: int | None
) -> None:
    end = start + timedelta(days=length)
    found = list(periods_between(first, every, cadence, start, end, periods=periods))
    most = periods if periods is not None else first_period_from(first, every, cadence, end) + 2
    expected = [(n, day_of(first, every, cadence, n)) for n in range(most)]
    assert found == [(n, day) for n, day in expected if start <= day <= end]


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


def changes_of(name: str, year: int) -> list[date]:
    """The local dates on which a zone's clock is changed in a year, with the days before and after."""
    zone = ZoneInfo(name)
    noons = [datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in range(-1, 367)]
    offsets = [noon.astimezone(zone).utcoffset() for noon in noons]
    changed = [noon.date() for noon, (one, other) in zip(noons, pairwise(offsets), strict=False) if one != other]
    return [day + timedelta(days=n) for day in changed for n in (-1, 0, 1, 2)]


@pytest.mark.parametrize("year", [2026, 2011])
def test_a_day_is_the_firms_day_in_every_zone(year: int) -> None:
    """Fault rows 62 to 65 and 74: due from the first moment of the local day, whatever clocks do; a day that the place
    skips is due with the next one."""
    tried = 0
    for name in sorted(available_timezones() - {"localtime", "Factory"}):
        for day in {*changes_of(name, year), date(2024, 2, 29), date(year, 12, 31)}:
            begins = start_of(day, name)
            tried += 1
            assert local_date(begins - timedelta(seconds=2), name) < day, (name, day)
            assert local_date(begins, name) in (day, day + timedelta(days=1)), (name, day)
            assert is_due(day, begins, name) and not is_due(day, begins - timedelta(seconds=2), name)
    assert tried > 1500


def is_due(due_on: date, now: datetime, zone: str) -> bool:
    return due_on <= local_date(now, zone)
