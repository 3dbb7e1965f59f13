"""Exactly one nightly run for every local date that exists, whatever the clock, the zone and the processes do."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select, update

from jobs import nightly, schedule
from portal.db import db
from portal.domain.apps import Connection, RunState, SyncRun
from portal.domain.claims import JobClaim
from portal.domain.people import Firm
from tests import cast

TICK = timedelta(minutes=13)  # coarser than in life, and never on the hour


@pytest.fixture
def night_watch(database, monkeypatch: pytest.MonkeyPatch):
    """Ticks through time in a zone; every run asked for ends at once. Gives the local dates that had a run."""
    monkeypatch.setattr(nightly, "start", lambda _run_id: None)

    def watch(zone: str, start: datetime, end: datetime, step: timedelta = TICK) -> Counter[str]:
        firm = cast.make_firm()
        firm.time_zone = zone
        cast.make_connection(enabled_at=start - timedelta(days=3))
        db.session.commit()
        now = start
        while now < end:
            tick(now)
            now += step
        return dates()

    return watch


def tick(now: datetime) -> None:
    for run_id in nightly.run(now):
        db.session.execute(update(SyncRun).where(SyncRun.id == run_id).values(state=RunState.DONE, ended_at=now))
        db.session.commit()


def dates() -> Counter[str]:
    return Counter(db.session.scalars(select(SyncRun.local_date)))


def days(first: date, last: date) -> dict[str, int]:
    return {(first + timedelta(days=n)).isoformat(): 1 for n in range((last - first).days + 1)}


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/New_York", date(2026, 3, 9)),
        ("Australia/Sydney", date(2026, 10, 5)),
        ("Europe/Berlin", date(2026, 3, 30)),
        ("Pacific/Auckland", date(2026, 9, 28)),
        ("America/Santiago", date(2026, 9, 6)),
        ("Africa/Cairo", date(2026, 4, 24)),
        ("Asia/Beirut", date(2026, 3, 29)),
        ("America/Havana", date(2026, 3, 8)),
        ("America/Havana", date(2026, 11, 1)),
        ("Atlantic/Azores", date(2026, 10, 25)),
        ("America/Santiago", date(2026, 4, 5)),
    ],
)
def test_the_nights_around_a_clock_change_have_one_run_each(night_watch, zone: str, day: date) -> None:
    """Fault rows 62, 63 and 64, with a process that runs through the change."""
    place = ZoneInfo(zone)
    start = datetime(day.year, day.month, day.day, 12, tzinfo=place).astimezone(UTC) - timedelta(days=2)
    seen = night_watch(zone, start, start + timedelta(days=4), timedelta(minutes=23))
    assert seen == {**days(day - timedelta(days=2), day + timedelta(days=2))}


def test_a_date_the_calendar_skipped_has_no_run(night_watch) -> None:
    """Fault row 65."""
    start = datetime(2011, 12, 28, 20, tzinfo=UTC)
    seen = night_watch("Pacific/Apia", start, datetime(2012, 1, 1, 12, tzinfo=UTC))
    assert "2011-12-30" not in seen
    assert seen["2011-12-29"] == seen["2011-12-31"] == 1
    assert set(seen.values()) == {1}


def test_a_zone_changed_just_before_midnight_neither_doubles_nor_skips(night_watch) -> None:
    """Fault row 66."""
    start = datetime(2026, 5, 4, 11, 0, tzinfo=UTC)  # 4 May, 23:00 in Auckland
    night_watch("Pacific/Auckland", start, datetime(2026, 5, 4, 11, 59, tzinfo=UTC))
    db.session.execute(update(Firm).values(time_zone="Europe/Berlin"))
    db.session.commit()
    now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    while now < datetime(2026, 5, 6, 12, tzinfo=UTC):
        tick(now)
        now += TICK
    assert dates() == {"2026-05-04": 1, "2026-05-05": 1, "2026-05-06": 1}


def test_a_portal_that_was_down_at_midnight_runs_once_when_it_is_back(night_watch) -> None:
    """Fault row 67, JB-02."""
    place = ZoneInfo("Pacific/Auckland")
    down = datetime(2026, 5, 4, 23, 50, tzinfo=place).astimezone(UTC)
    night_watch("Pacific/Auckland", down - timedelta(hours=2), down)
    back = datetime(2026, 5, 7, 6, 0, tzinfo=place).astimezone(UTC)
    tick(back)
    tick(back + timedelta(minutes=1))
    assert dates() == {"2026-05-04": 1, "2026-05-07": 1}


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(days=1), -timedelta(hours=1), -timedelta(days=1)])
def test_a_clock_that_jumps_gives_no_date_two_runs(night_watch, jump: timedelta) -> None:
    """Fault row 68."""
    start = datetime(2026, 5, 4, 11, 50, tzinfo=UTC)
    night_watch("Pacific/Auckland", start, start + timedelta(minutes=30))
    for moment in (start + timedelta(minutes=30) + jump, start + timedelta(minutes=40), start + timedelta(days=1)):
        tick(moment)
        tick(moment + timedelta(minutes=1))
    assert set(dates().values()) == {1}


def test_the_first_night_is_the_one_after_the_app_was_connected(database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "start", lambda _run_id: None)
    cast.make_firm()
    enabled = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)  # 14:00 in Auckland
    cast.make_connection(enabled_at=enabled)
    db.session.commit()
    tick(enabled + timedelta(minutes=1))
    assert dates() == {}
    tick(enabled + timedelta(hours=12))
    assert dates() == {"2026-05-05": 1}


def test_a_paused_or_broken_connection_has_no_night(database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "start", lambda _run_id: None)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    cast.make_connection(account_name="Paused", enabled_at=long_ago, settings={"nightly": False})
    cast.make_connection(account_name="Lost", enabled_at=long_ago, state="needs_reconnect")
    db.session.commit()
    tick(datetime(2026, 5, 4, 13, tzinfo=UTC))
    assert dates() == {}


def test_a_run_longer_than_a_day_is_not_joined_by_a_second_one(database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 71."""
    monkeypatch.setattr(nightly, "start", lambda _run_id: None)
    cast.make_connection(enabled_at=datetime(2026, 1, 1, tzinfo=UTC))
    db.session.commit()
    nightly.run(datetime(2026, 5, 4, 13, tzinfo=UTC))
    nightly.run(datetime(2026, 5, 5, 13, tzinfo=UTC))
    runs = list(db.session.scalars(select(SyncRun)))
    assert len(runs) == 1
    assert runs[0].local_date == "2026-05-05"


def test_six_processes_in_the_same_minute_make_one_run(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 69, with threads that share nothing but the database."""
    started: list[int] = []
    monkeypatch.setattr(nightly, "start", started.append)
    with app.app_context():
        cast.make_connection(enabled_at=datetime(2026, 1, 1, tzinfo=UTC))
        db.session.commit()
    barrier = threading.Barrier(6)

    def one() -> None:
        with app.app_context():
            barrier.wait()
            nightly.run(datetime(2026, 5, 4, 13, tzinfo=UTC))
            db.session.remove()

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        assert len(started) == 1
        assert len(list(db.session.scalars(select(SyncRun)))) == 1
        assert len(list(db.session.scalars(select(JobClaim)))) == 1


def test_a_job_that_always_fails_stops_no_other_and_is_tried_less_and_less_often(
    database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 73."""
    tried: list[str] = []

    def broken(_now: datetime) -> None:
        tried.append("broken")
        raise RuntimeError("always")

    jobs = (
        schedule.Job("broken", "", None, broken),
        schedule.Job("sound", "", None, lambda _now: tried.append("sound")),
    )
    monkeypatch.setattr(schedule, "JOBS", jobs)
    monkeypatch.setattr(schedule, "_failures", {})
    now = datetime(2026, 5, 4, 13, tzinfo=UTC)
    for second in range(0, 120, 10):
        schedule.tick(now + timedelta(seconds=second))
    assert tried.count("sound") == 12
    assert tried.count("broken") == 3  # at 0, 30 and 90 seconds


def test_a_job_with_a_slot_runs_once_a_slot(database, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[datetime] = []
    monkeypatch.setattr(schedule, "JOBS", (schedule.Job("tidy", "", timedelta(hours=6), ran.append),))
    now = datetime(2026, 5, 4, 13, tzinfo=UTC)
    for minute in range(0, 12 * 60, 30):
        schedule.tick(now + timedelta(minutes=minute))
    assert len(ran) == 3
    assert isinstance(db.session.scalar(select(Connection.id)), int | None)
