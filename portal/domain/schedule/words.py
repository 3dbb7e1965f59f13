"""How amounts and days read in the log, which is written once for everybody."""

from __future__ import annotations

from datetime import date
from typing import Any

from portal.domain import money
from portal.domain.schedule import calendar


def amount_words(held: Any) -> str:
    """'NZD 1,200.00', before tax."""
    return money.said(calendar.amount_of(held), calendar.currency_of(held))


def day_words(day: date | None) -> str:
    """'3 November 2026'."""
    return f"{day.day} {day:%B %Y}" if day else "no day"
