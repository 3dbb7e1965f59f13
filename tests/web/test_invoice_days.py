"""An invoice is late from the first moment of the day after it was due, on the firm's own calendar, wherever it is."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from portal.domain.people import Firm
from tests.cast import make_client
from tests.cast_invoices import make_invoice
from tests.reading import Browser

DAYS = [
    pytest.param(date(2026, 12, 31), id="the end of a year"),
    pytest.param(date(2028, 2, 28), id="before a leap day"),
    pytest.param(date(2028, 2, 29), id="a leap day"),
    pytest.param(date(2027, 4, 3), id="a day of 25 hours comes"),
    pytest.param(date(2026, 9, 5), id="a day that begins at one"),
]
ZONES = ["Pacific/Auckland", "America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kathmandu", "America/Santiago"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("due", DAYS)
def test_it_is_overdue_from_midnight_on_the_firms_calendar(
    story: Any, clock: Any, sign_in_as: Any, zone: str, due: date
) -> None:
    """Fault row 74."""
    here = ZoneInfo(zone)
    begins = datetime.combine(due + timedelta(days=1), time(), here).astimezone(UTC)
    sign_in_as("admin")
    with story() as session:
        session.query(Firm).one().time_zone = zone
        make_invoice(make_client("Acme Corp"), on=due, due_on=due)
    shown = {}
    for word, at in (("before", begins - timedelta(minutes=1)), ("after", begins + timedelta(minutes=1))):
        clock.move_to(at)
        alice: Browser = sign_in_as("admin")
        shown[word] = (
            alice.get("/invoices?standing=overdue").all("//tbody/tr/td[2]/a/text()"),
            alice.get("/invoices").all("//tbody/tr/td/b/text()"),
            "Overdue" in alice.get("/invoices/1").text,
        )
    assert shown == {"before": ([], ["Issued"], False), "after": (["INV-0001"], ["Overdue"], True)}
