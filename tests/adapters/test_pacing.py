"""The vendor's limits are kept before the vendor has to say no."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from portal.adapters.base import Allowance
from portal.adapters.http import Heard, MemoryBudget, Slot, Wait, Why
from portal.adapters.http.pacing import limits_left, retry_after, today

START = datetime(2026, 11, 3, tzinfo=UTC)
LASTING = timedelta(minutes=2)


def take(budget: MemoryBudget, now: datetime, *, urgent: bool = False) -> Slot | Wait:
    return budget.acquire(now, lasting=LASTING, urgent=urgent)


def call(budget: MemoryBudget, now: datetime, heard: Heard | None = None) -> None:
    slot = take(budget, now)
    assert isinstance(slot, Slot)
    budget.release(slot, now, heard or Heard())


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_the_wait_ends_when_the_oldest_call_is_a_minute_old() -> None:
    budget = MemoryBudget(Allowance(per_minute=2))
    call(budget, START)
    call(budget, at(10))
    wait = take(budget, at(20))
    assert wait == Wait(at(60), Why.MINUTE)
    assert isinstance(take(budget, at(60.001)), Slot)


def test_no_more_calls_at_once_than_allowed() -> None:
    budget = MemoryBudget(Allowance(concurrent=2))
    slots = [take(budget, START), take(budget, START)]
    assert [one.number for one in slots if isinstance(one, Slot)] == [1, 2]
    third = take(budget, START)
    assert isinstance(third, Wait)
    assert third.why is Why.SLOT
    assert isinstance(slots[0], Slot)
    budget.release(slots[0], at(1), Heard())
    assert take(budget, at(1)) == Slot(1)


def test_what_the_vendor_says_is_left_is_believed_when_it_is_less() -> None:
    """Another installation uses the same allowance."""
    budget = MemoryBudget(Allowance(per_minute=60))
    call(budget, START, Heard(minute_left=1))
    call(budget, at(1))
    wait = take(budget, at(2))
    assert isinstance(wait, Wait)
    assert wait.why is Why.MINUTE
    assert isinstance(take(budget, at(61.1)), Slot)


def test_background_work_leaves_calls_of_the_day_for_people() -> None:
    budget = MemoryBudget(Allowance(per_day=10, kept_for_people=4))
    for number in range(6):
        call(budget, at(number))
    wait = take(budget, at(10))
    assert wait == Wait(START + timedelta(days=1), Why.DAY)
    assert isinstance(take(budget, at(10), urgent=True), Slot)


def test_a_smaller_daily_allowance_than_we_thought_is_noticed() -> None:
    """Fault row 18: the Starter tier has 1,000 a day."""
    budget = MemoryBudget(Allowance(per_day=5000, kept_for_people=250))
    call(budget, START, Heard(day_left=251))
    call(budget, at(1), Heard(day_left=250))
    wait = take(budget, at(2))
    assert isinstance(wait, Wait)
    assert wait.why is Why.DAY


def test_the_vendors_new_day_is_noticed_from_what_it_says() -> None:
    budget = MemoryBudget(Allowance(per_day=1000, kept_for_people=10))
    call(budget, START, Heard(day_left=11))
    slot = take(budget, at(5), urgent=True)
    assert isinstance(slot, Slot)
    budget.release(slot, at(5), Heard(day_left=999))
    assert isinstance(take(budget, at(6)), Slot)
    shown = today(budget.usage, at(6), budget.allowance)
    assert (shown.used, shown.left) == (2, 998)


def test_after_a_day_the_count_begins_anew() -> None:
    budget = MemoryBudget(Allowance(per_day=1, kept_for_people=0))
    call(budget, START)
    assert isinstance(take(budget, START + timedelta(hours=23)), Wait)
    assert isinstance(take(budget, START + timedelta(hours=24, seconds=1)), Slot)


def test_the_circuit_opens_after_failures_in_a_row_and_closes_by_itself() -> None:
    """Fault row 19."""
    budget = MemoryBudget()
    for number in range(5):
        call(budget, at(number), Heard(failed=True))
    wait = take(budget, at(5))
    assert wait == Wait(at(34), Why.CIRCUIT)
    first = take(budget, at(35))
    assert isinstance(first, Slot)
    one_at_a_time = take(budget, at(35))
    assert isinstance(one_at_a_time, Wait)
    budget.release(first, at(36), Heard(failed=True))
    assert take(budget, at(37)) == Wait(at(96), Why.CIRCUIT)
    call(budget, at(97), Heard(failed=False))
    call(budget, at(98), Heard(failed=True))
    assert isinstance(take(budget, at(99)), Slot)


def test_the_circuits_rest_does_not_grow_beyond_ten_minutes() -> None:
    budget = MemoryBudget(Allowance(per_minute=10_000))
    now = START
    for _ in range(60):
        call(budget, now, Heard(failed=True))
        last, now = now, max(now, budget.usage.blocked_until or now)
    assert now - last == timedelta(minutes=10)


def test_screens_are_told_how_long_the_account_rests() -> None:
    budget = MemoryBudget(Allowance(per_day=1000))
    call(budget, START)
    budget.block(START, at(3600), Why.DAY)
    shown = today(budget.usage, at(10), budget.allowance)
    assert (shown.used, shown.left, shown.blocked_until, shown.why) == (1, 0, at(3600), Why.DAY)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("2", 2), ("3600", 3600), (" 22 ", 22), ("1.5", 1.5), ("99999999999", 30 * 86_400), ("", None),
        ("soon, we hope", None), ("-5", None), ("٣", None), ("0", 0),
        (format_datetime(START + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(START - timedelta(seconds=90), usegmt=True), 0),
        ("Tue, 99 Foo 2026 00:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_understood_in_every_form(said: str, seconds: float | None) -> None:
    """Fault row 17."""
    assert retry_after({"retry-after": said}, START) == (None if seconds is None else timedelta(seconds=seconds))


def test_limit_headers_that_are_no_numbers_say_nothing() -> None:
    heard = limits_left({"x-minlimit-remaining": "many", "x-daylimit-remaining": "4539"}, failed=False)
    assert heard == Heard(None, 4539, False)


def test_a_second_that_is_used_up_is_waited_for_and_no_longer() -> None:
    budget = MemoryBudget(Allowance(per_minute=500, per_second=2))
    for _ in range(2):
        call(budget, START)
    wait = take(budget, START + timedelta(seconds=0.4))
    assert wait == Wait(START + timedelta(seconds=1), Why.SLOT)
    assert isinstance(take(budget, START + timedelta(seconds=1)), Slot)


def test_a_vendor_without_a_daily_limit_never_makes_anybody_wait_for_tomorrow() -> None:
    allowance = Allowance(per_minute=100_000, per_day=None, kept_for_people=250)
    budget = MemoryBudget(allowance)
    for second in range(6000):
        call(budget, at(second))
    told = today(budget.usage, at(6000), allowance)
    assert (told.used, told.left, told.per_day) == (6000, None, None)
    assert isinstance(take(budget, at(6000)), Slot)
