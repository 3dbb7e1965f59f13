"""Nights are local dates: one for each that exists, in every zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from portal.domain.nights import local_date, next_start, start_of


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("Pacific/Auckland", date(2026, 11, 23), "2026-11-23T00:00:00+13:00"),
        ("America/Santiago", date(2026, 9, 6), "2026-09-06T01:00:00-03:00"),  # midnight does not exist
        ("America/Havana", date(2026, 11, 1), "2026-11-01T00:00:00-04:00"),  # midnight comes twice: the first
        ("America/New_York", date(2026, 3, 9), "2026-03-09T00:00:00-04:00"),
        ("Asia/Kathmandu", date(2026, 1, 1), "2026-01-01T00:00:00+05:45"),
    ],
)
def test_a_night_begins_with_the_first_moment_of_its_date(zone: str, day: date, expected: str) -> None:
    assert start_of(day, zone).astimezone(ZoneInfo(zone)).isoformat() == expected


def test_a_date_the_calendar_skips_begins_where_the_next_one_does() -> None:
    assert start_of(date(2011, 12, 30), "Pacific/Apia") == start_of(date(2011, 12, 31), "Pacific/Apia")


def test_the_next_night_is_never_in_the_past() -> None:
    for zone in sorted(available_timezones())[::25]:
        for hour in range(0, 8784, 601):
            now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
            begins = next_start(now, zone)
            assert begins > now
            assert local_date(begins, zone) > local_date(now, zone)
