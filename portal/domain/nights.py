"""Nights and hours: which local date or slot is due, and when the next one begins. PURE.

A night is a date in the firm's zone, not an instant: where midnight does not exist the night begins with the first
moment of that date, where it comes twice it is still one date, and a date the calendar skips has none.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


def local_date(now: datetime, zone: str) -> date:
    """The date on the firm's wall at this instant."""
    return now.astimezone(ZoneInfo(zone)).date()


def start_of(day: date, zone: str) -> datetime:
    """The first instant of a local date, in UTC; for a date that does not exist, the first instant after it."""
    low = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=30)
    high = low + timedelta(hours=60)
    while high - low > timedelta(seconds=1):  # local dates never go backwards across a day's start
        middle = low + (high - low) / 2
        if local_date(middle, zone) >= day:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def next_start(now: datetime, zone: str) -> datetime:
    """When the next local date begins, in UTC."""
    return start_of(local_date(now, zone) + timedelta(days=1), zone)


def is_night(now: datetime, zone: str) -> bool:
    """Whether it is between midnight and five in the firm's zone, when nobody waits for long work to end."""
    return now.astimezone(ZoneInfo(zone)).hour < 5


def slot_start(now: datetime, every: timedelta) -> datetime:
    """When the present slot began; slots follow each other from the start of 1970 in UTC."""
    seconds = int(every.total_seconds())
    return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC)
