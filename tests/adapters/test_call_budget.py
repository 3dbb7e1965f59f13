"""Several processes share one account's allowance through the database."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal.adapters.base import Allowance
from portal.adapters.http import Heard, Slot, Wait, Why
from portal.call_budget import SharedBudget, calls_today
from portal.db import apart
from portal.domain.apps import CallSlot

START = datetime(2026, 11, 3, tzinfo=UTC)
LASTING = timedelta(minutes=2)
ACCOUNT = "xero:practice"


@pytest.fixture
def engine(database: Any) -> Any:
    found = database.get_bind()
    database.commit()
    return found


def take(budget: SharedBudget, now: datetime = START, *, urgent: bool = False) -> Slot | Wait:
    return budget.acquire(now, lasting=LASTING, urgent=urgent)


def call(budget: SharedBudget, now: datetime = START, heard: Heard | None = None) -> None:
    slot = take(budget, now)
    assert isinstance(slot, Slot)
    budget.release(slot, now, heard or Heard())


def test_slots_are_shared_between_processes_and_given_back(engine: Any) -> None:
    one, other = (SharedBudget(engine, ACCOUNT, Allowance(concurrent=2)) for _ in range(2))
    assert take(one) == Slot(1)
    assert take(other) == Slot(2)
    third = take(one)
    assert isinstance(third, Wait)
    assert third.why is Why.SLOT
    other.release(Slot(2), START, Heard())
    assert take(one) == Slot(2)


def test_a_process_that_died_in_a_call_holds_its_slot_no_longer_than_a_call_may_take(engine: Any) -> None:
    dead, alive = (SharedBudget(engine, ACCOUNT, Allowance(concurrent=1)) for _ in range(2))
    take(dead)
    assert isinstance(take(alive, START + timedelta(seconds=119)), Wait)
    assert isinstance(take(alive, START + timedelta(seconds=121)), Slot)
    dead.release(Slot(1), START + timedelta(seconds=122), Heard())
    assert isinstance(take(dead, START + timedelta(seconds=123)), Wait), "the late one gives back nothing of others'"


def test_the_minute_is_shared(engine: Any) -> None:
    one, other = (SharedBudget(engine, ACCOUNT, Allowance(per_minute=4)) for _ in range(2))
    for budget in (one, other, one, other):
        call(budget)
    wait = take(other, START + timedelta(seconds=20))
    assert wait == Wait(START + timedelta(seconds=60), Why.MINUTE)
    assert isinstance(take(one, START + timedelta(seconds=61)), Slot)


def test_one_account_does_not_use_up_anothers_allowance(engine: Any) -> None:
    call(SharedBudget(engine, ACCOUNT, Allowance(per_minute=1)))
    assert isinstance(take(SharedBudget(engine, "xero:another", Allowance(per_minute=1))), Slot)


def test_background_work_leaves_calls_for_people_and_a_person_may_use_them(engine: Any) -> None:
    budget = SharedBudget(engine, ACCOUNT, Allowance(per_day=5, kept_for_people=3))
    call(budget)
    call(budget)
    wait = take(budget)
    assert wait == Wait(START + timedelta(days=1), Why.DAY)
    assert isinstance(take(budget, urgent=True), Slot)


def test_a_block_holds_for_every_process_until_it_ends(engine: Any) -> None:
    """Fault row 17."""
    until = START + timedelta(minutes=5)
    SharedBudget(engine, ACCOUNT, Allowance()).block(START, until, Why.TOLD)
    other = SharedBudget(engine, ACCOUNT, Allowance())
    assert take(other, START + timedelta(minutes=4)) == Wait(until, Why.TOLD)
    assert isinstance(take(other, until), Slot)


def test_an_open_circuit_is_everybodys(engine: Any) -> None:
    """Fault row 19."""
    one, other = (SharedBudget(engine, ACCOUNT, Allowance()) for _ in range(2))
    for _ in range(5):
        call(one, START, Heard(failed=True))
    wait = take(other, START)
    assert isinstance(wait, Wait)
    assert wait.why is Why.CIRCUIT


def test_screens_see_the_days_use(engine: Any, database: Any) -> None:
    allowance = Allowance(per_day=5000)
    nothing = calls_today(database(), ACCOUNT, allowance, START)
    assert (nothing.used, nothing.left, nothing.per_day) == (0, 5000, 5000)
    database.rollback()
    budget = SharedBudget(engine, ACCOUNT, allowance)
    call(budget)
    call(budget, START, Heard(day_left=3000))
    shown = calls_today(database(), ACCOUNT, allowance, START)
    assert (shown.used, shown.left, shown.blocked_until) == (2, 3000, None)


def test_eight_threads_never_have_more_calls_under_way_than_allowed(engine: Any) -> None:
    most, under_way, done, lock = 0, 0, 0, threading.Lock()
    deadline = time.monotonic() + 20

    def work() -> None:
        nonlocal most, under_way, done
        budget = SharedBudget(engine, ACCOUNT, Allowance(concurrent=2))
        made = 0
        while made < 3 and time.monotonic() < deadline:
            now = datetime.now(UTC)
            slot = take(budget, now)
            if isinstance(slot, Wait):
                time.sleep(0.005)
                continue
            with lock:
                under_way += 1
                most = max(most, under_way)
            time.sleep(0.002)
            with lock:
                under_way -= 1
                done += 1
            budget.release(slot, datetime.now(UTC), Heard())
            made += 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert done == 24
    assert most <= 2
    with apart(engine, only_read=True) as session:
        assert session.scalars(select(CallSlot).where(CallSlot.held_by.is_not(None))).all() == []
        assert len(session.scalars(select(CallSlot)).all()) == 2
