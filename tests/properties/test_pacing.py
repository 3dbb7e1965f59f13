"""What holds of a vendor's limits whenever calls are made and however long they take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.adapters.base import Allowance
from portal.adapters.http import Heard, MemoryBudget, Slot, Wait

START = datetime(2026, 11, 3, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def take(budget: MemoryBudget, now: datetime) -> Slot | Wait:
    return budget.acquire(now, lasting=timedelta(minutes=2), urgent=False)


@settings(max_examples=25, deadline=None)
@given(
    pauses=st.lists(st.floats(0, 4), min_size=100, max_size=150),
    lengths=st.lists(st.floats(0.01, 20), min_size=20, max_size=20),
    arrives=st.lists(st.floats(0, 1), min_size=20, max_size=20),
    phase=st.floats(0, 60),
)
def test_no_minute_of_the_vendors_ever_sees_more_calls_than_allowed(
    pauses: list[float], lengths: list[float], arrives: list[float], phase: float
) -> None:
    """Fault row 17: wherever the vendor's fixed window begins and however long calls take."""
    allowance = Allowance(concurrent=4, per_minute=12, per_day=10_000, kept_for_people=0)
    budget = MemoryBudget(allowance)
    now, arrivals = 0.0, []
    ending: list[tuple[float, Slot]] = []
    for count, pause in enumerate(pauses):
        now += pause
        for end, slot in sorted((one for one in ending if one[0] <= now), key=lambda one: one[0]):
            budget.release(slot, at(end), Heard())
        ending = [one for one in ending if one[0] > now]
        given_ = take(budget, at(now))
        if isinstance(given_, Slot):
            length = lengths[count % len(lengths)]
            arrivals.append(now + length * arrives[count % len(arrives)])
            ending.append((now + length, given_))
    windows: dict[int, int] = {}
    for moment in arrivals:
        window = int((moment + phase) // 60)
        windows[window] = windows.get(window, 0) + 1
    assert max(windows.values()) <= allowance.per_minute


@settings(max_examples=25, deadline=None)
@given(pauses=st.lists(st.floats(0, 0.3), min_size=60, max_size=90), phase=st.floats(0, 1))
def test_no_second_of_the_vendors_ever_sees_more_calls_than_allowed(pauses: list[float], phase: float) -> None:
    """Fault row 17."""
    budget = MemoryBudget(Allowance(concurrent=4, per_minute=10_000, per_second=5))
    now, windows = 0.0, {}
    for pause in pauses:
        now += pause
        slot = take(budget, at(now))
        if isinstance(slot, Slot):
            window = int(now + phase)
            windows[window] = windows.get(window, 0) + 1
            budget.release(slot, at(now + 0.01), Heard())
    assert max(windows.values()) <= 5
