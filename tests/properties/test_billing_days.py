"""What holds for whatever days a service is billed on, in every time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.billing import day_of, first_period_from, periods_between
from portal.domain.nights import local_date, start_of

D = Decimal
DAYS = st.dates(date(1990, 1, 1), date(2080, 12, 31))
CADENCES = st.sampled_from(["day", "week", "month"])


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


def changes_of(name: str, year: int) -> list[date]:
    """The local dates on which a zone's clock is changed in a year, with the days before and after."""
    zone = ZoneInfo(name)
    noons = [datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in range(-1, 367)]
    offsets = [noon.astimezone(zone).utcoffset() for noon in noons]
    changed = [noon.date() for noon, (one, other) in zip(noons, pairwise(offsets), strict=False) if one != other]
    return [day + timedelta(days=n) for day in changed for n in (-1, 0, 1, 2)]


def is_due(due_on: date, now: datetime, zone: str) -> bool:
    return due_on <= local_date(now, zone)
