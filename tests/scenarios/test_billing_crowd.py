"""Many processes bill the same day at once, and some are killed on the way: each thing due becomes one invoice."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from benchmarks import billing_day
from portal.config import Settings
from portal.db import db

ITEMS = 100  # `python -m benchmarks.billing_day` does a thousand


def test_eight_workers_and_two_schedulers_bill_each_thing_once_and_number_without_gaps(
    app: Flask, test_settings: Settings, tmp_path: Path
) -> None:
    """Fault rows 69 and 72, of the day's billing."""
    with app.app_context():
        billing_day.fill(ITEMS)
        db.session.remove()
        db.engine.dispose()
    outcome = billing_day.in_a_process_of_its_own(
        test_settings.database_url, tmp_path, ITEMS, workers=8, schedulers=2, kills=3, seed=4
    )
    assert outcome.is_right, outcome
