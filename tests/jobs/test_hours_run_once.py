"""Apps that are synced by the hour: one run an hour whatever the processes do, none caught up, a full look at night."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from jobs import hourly, nightly
from portal import sync
from portal.db import db
from portal.domain import connections
from portal.domain.apps import Connection, RunKind, RunState, RunTrigger, SyncRun
from portal.domain.nights import slot_start
from tests import cast
from tests.pretend_app import PRIYA, Books, record
from tests.strict_ledger import ledger

NINE = datetime(2026, 11, 2, 9, tzinfo=UTC)  # 22:00 in Auckland
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hourly, "start", lambda _run_id: None)
    monkeypatch.setattr(nightly, "start", lambda _run_id: None)


@pytest.fixture
def books(database: Any, monkeypatch: pytest.MonkeyPatch) -> Books:
    made = ledger(monkeypatch, [record("r-1", "Acme Corp")])
    made.connection.enabled_at = NINE - timedelta(minutes=20)
    db.session.commit()
    return made


def tick(now: datetime) -> int:
    """Runs started, each ended at once."""
    started = hourly.run(now)
    db.session.execute(update(SyncRun).where(SyncRun.id.in_(started)).values(state=RunState.DONE, ended_at=now))
    db.session.commit()
    return len(started)


def test_every_hour_has_one_run(books: Books) -> None:
    for minutes in range(0, 360, 7):
        tick(NINE + timedelta(minutes=minutes))
    asked = Counter(slot_start(one, HOUR) for one in db.session.scalars(select(SyncRun.asked_at)))
    assert asked == {NINE + HOUR * number: 1 for number in range(6)}
    assert {one.by_name for one in db.session.scalars(select(SyncRun))} == {"Hourly sync"}


def test_hours_that_went_by_are_not_caught_up(books: Books) -> None:
    assert tick(NINE) == 1
    assert tick(NINE + timedelta(hours=5, minutes=40)) == 1
    assert tick(NINE + timedelta(hours=5, minutes=50)) == 0


def test_a_clock_put_back_brings_no_hour_twice(books: Books) -> None:
    """Fault row 68."""
    assert tick(NINE) == 1
    assert tick(NINE + HOUR) == 1
    assert tick(NINE + timedelta(minutes=10)) == 0


def test_the_first_hour_is_the_one_after_the_connection_was_enabled(books: Books) -> None:
    books.connection.enabled_at = NINE + timedelta(minutes=5)
    db.session.commit()
    assert tick(NINE + timedelta(minutes=6)) == 0
    assert tick(NINE + HOUR) == 1


def test_a_paused_connection_has_no_hours_and_says_so(books: Books) -> None:
    assert connections.next_sync(books.connection, NINE + timedelta(minutes=10)) == NINE + HOUR
    books.connection.settings = {"nightly": False}
    db.session.commit()
    assert tick(NINE) == 0
    assert connections.next_sync(books.connection, NINE) is None


def test_an_app_synced_by_the_hour_has_no_night_and_one_synced_at_night_no_hours(books: Books) -> None:
    xpm = cast.make_connection(enabled_at=NINE - timedelta(days=3))
    db.session.commit()
    assert [db.session.get_one(SyncRun, one).connection_id for one in nightly.run(NINE)] == [xpm.id]
    assert [db.session.get_one(SyncRun, one).connection_id for one in hourly.run(NINE)] == [books.connection_id]


def test_two_processes_at_the_same_hour_make_one_run(app: Flask, books: Books) -> None:
    """ALL-3, JB-04."""
    made: list[int] = []
    gate = threading.Barrier(4)

    def process() -> None:
        with app.app_context():
            gate.wait()
            made.extend(hourly.run(NINE))
            db.session.remove()

    db.session.commit()
    threads = [threading.Thread(target=process) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def was_full(books: Books, now: datetime, clock: Any, trigger: RunTrigger = RunTrigger.HOUR, **values: Any) -> bool:
    clock.move_to(now)
    run, _joined = sync.request_run(books.connection, kind=RunKind.SYNC, trigger=trigger, by=PRIYA, now=now, **values)
    run_id = run.id
    db.session.commit()
    assert sync.work(run_id) == RunState.DONE
    return db.session.get_one(SyncRun, run_id).is_full


def test_the_weekly_look_at_everything_waits_for_the_night(books: Books, clock: Any) -> None:
    assert was_full(books, NINE, clock)  # the first, whenever it is
    week = NINE + timedelta(days=7)
    assert not was_full(books, week, clock)  # 22:00 there: due, and not yet night
    assert not was_full(books, week, clock, RunTrigger.PERSON)
    assert was_full(books, week, clock, RunTrigger.PERSON, full=True)
    assert not was_full(books, NINE + timedelta(days=14) - timedelta(hours=1), clock)
    assert was_full(books, NINE + timedelta(days=14, hours=3), clock)  # one in the morning


def test_nights_that_were_all_missed_do_not_put_it_off_for_ever(books: Books, clock: Any) -> None:
    assert was_full(books, NINE, clock)
    assert was_full(books, NINE + timedelta(days=15), clock)


def test_the_short_lists_are_read_once_a_day_and_when_a_person_asks(
    books: Books, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[datetime] = []
    reference = books.app.fetch_reference
    monkeypatch.setattr(
        books.app, "fetch_reference", lambda session: (read.append(datetime.now(UTC)), reference(session))[1]
    )
    for hours in range(30):
        was_full(books, NINE + HOUR * hours, clock)
    assert read == [NINE, NINE + HOUR * 20]
    was_full(books, NINE + HOUR * 30, clock, RunTrigger.PERSON)
    assert len(read) == 3


def test_the_next_sync_of_one_synced_at_night_is_the_next_midnight_there(books: Books) -> None:
    xpm = cast.make_connection(enabled_at=NINE)
    cast.make_firm().time_zone = "Pacific/Auckland"
    assert connections.next_sync(xpm, NINE) == datetime(2026, 11, 2, 11, tzinfo=UTC)
    gone = db.session.get_one(Connection, xpm.id)
    gone.state = "needs_reconnect"
    assert connections.next_sync(gone, NINE) is None
