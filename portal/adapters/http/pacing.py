"""Keeping a vendor's limits before the vendor has to say no. The rules are pure; who stores the counts differs.

Invariant: in any 60 seconds of the vendor's clock, however its windows lie, at most `per_minute` of our calls arrive.
A call counts from when it is let go until 60 seconds after it *ended*: it reached the vendor somewhere between, so
every call of a vendor's window that contains ours is still counted when the next one is let go.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Protocol

from portal.adapters.base import Allowance

MINUTE, SECOND = timedelta(seconds=60), timedelta(seconds=1)
DAY = timedelta(hours=24)
SHORT = timedelta(seconds=0.2)  # until another call of ours has likely ended
CIRCUIT_AFTER = 5  # failures in a row
CIRCUIT_FIRST, CIRCUIT_LONGEST = timedelta(seconds=30), timedelta(minutes=10)
NEW_WINDOW = 50  # the vendor's count of what is left rises by more than replies overtaking each other explain


class Why(StrEnum):
    """What a call has to wait for."""

    SLOT = "slot"
    MINUTE = "minute"
    DAY = "day"
    TOLD = "told"
    CIRCUIT = "circuit"
    RETRY = "retry"


@dataclass(frozen=True)
class Wait:
    until: datetime
    why: Why

    def sentence(self, vendor: str) -> str:
        """For people who watch."""
        return {
            Why.SLOT: f"Waiting for other calls to {vendor} to end.",
            Why.MINUTE: f"Waiting: {vendor} allows only so many calls a minute.",
            Why.DAY: f"Today's calls to {vendor} are used up.",
            Why.TOLD: f"Waiting: {vendor} asked us to slow down.",
            Why.CIRCUIT: f"{vendor} is not answering; waiting before the next try.",
            Why.RETRY: f"{vendor} did not answer properly; trying again in a moment.",
        }[self.why]


@dataclass(frozen=True)
class Slot:
    """Permission for one call."""

    number: int


@dataclass(frozen=True)
class Heard:
    """What an answer said about limits. `failed` is None when the call says nothing about the vendor's health."""

    minute_left: int | None = None
    day_left: int | None = None
    failed: bool | None = None


@dataclass(frozen=True)
class CallsToday:
    """What screens say about the daily allowance. `left` is what the vendor last said, else our own reckoning."""

    used: int
    left: int | None  # None: the vendor has no daily limit
    per_day: int | None
    blocked_until: datetime | None = None
    why: Why | None = None


class Budget(Protocol):
    """The calls one account may take, shared by everything that calls it."""

    def acquire(self, now: datetime, *, lasting: timedelta, urgent: bool) -> Slot | Wait:
        """Permission for a call of at most `lasting`, or what it must wait for."""

    def release(self, slot: Slot, now: datetime, heard: Heard) -> None:
        """The call has ended."""

    def block(self, now: datetime, until: datetime, why: Why) -> None:
        """Nobody calls before `until`."""


@dataclass
class Usage:
    """What one account has used, as far as we know."""

    recent: list[float] = field(default_factory=list)  # when calls of the last minute ended, seconds since 1970
    day_started: datetime | None = None
    day_calls: int = 0
    day_left: int | None = None  # what the vendor last said, less the calls since; None until it speaks
    blocked_until: datetime | None = None
    blocked_why: str = ""
    failures: int = 0  # in a row


def wait_for(usage: Usage, in_flight: int, now: datetime, allowance: Allowance, *, urgent: bool) -> Wait | None:
    """What the next call has to wait for; None when it may go. Forgets what is too old to matter."""
    if usage.blocked_until and usage.blocked_until > now:
        return Wait(usage.blocked_until, Why(usage.blocked_why or Why.TOLD))
    if in_flight >= allowance.concurrent or (usage.failures >= CIRCUIT_AFTER and in_flight):
        return Wait(now + SHORT, Why.SLOT)
    _start_day(usage, now)
    left = day_left(usage, allowance)
    if left is not None and left <= (0 if urgent else allowance.kept_for_people):
        return Wait((usage.day_started or now) + DAY, Why.DAY)
    horizon = (now - MINUTE).timestamp()
    usage.recent = sorted(at for at in usage.recent if at > horizon)
    surplus = len(usage.recent) + in_flight - allowance.per_minute + 1
    if surplus > len(usage.recent):
        return Wait(now + SHORT, Why.SLOT)
    if surplus > 0:
        return Wait(datetime.fromtimestamp(usage.recent[surplus - 1], UTC) + MINUTE, Why.MINUTE)
    return _wait_within_second(usage, in_flight, now, allowance)


def _wait_within_second(usage: Usage, in_flight: int, now: datetime, allowance: Allowance) -> Wait | None:
    if allowance.per_second is None:
        return None
    horizon = (now - SECOND).timestamp()
    last = [at for at in usage.recent[-allowance.per_second :] if at > horizon]
    surplus = len(last) + in_flight - allowance.per_second + 1
    if surplus <= 0:
        return None
    if surplus > len(last):
        return Wait(now + SHORT, Why.SLOT)
    return Wait(datetime.fromtimestamp(last[surplus - 1], UTC) + SECOND, Why.SLOT)


def count_start(usage: Usage, now: datetime) -> None:
    """A call is let go."""
    _start_day(usage, now)
    usage.day_calls += 1
    if usage.day_left is not None:
        usage.day_left -= 1


def count_end(usage: Usage, in_flight: int, now: datetime, allowance: Allowance, heard: Heard) -> None:
    """A call has ended; `in_flight` are the ones still under way."""
    usage.recent.append(now.timestamp())
    if heard.minute_left is not None:
        # Others use the same allowance: let their calls count as ours until the minute is over.
        ours_left = allowance.per_minute - len(usage.recent) - in_flight
        usage.recent.extend([now.timestamp()] * max(0, ours_left - max(0, heard.minute_left)))
    if heard.day_left is not None:
        if usage.day_left is not None and heard.day_left - usage.day_left > NEW_WINDOW:
            usage.day_started, usage.day_calls = now, in_flight + 1
        usage.day_left = heard.day_left
    if heard.failed is False:
        usage.failures = 0
    elif heard.failed:
        usage.failures += 1
        if usage.failures >= CIRCUIT_AFTER:
            rest = min(CIRCUIT_LONGEST, CIRCUIT_FIRST * 2 ** min(10, usage.failures - CIRCUIT_AFTER))
            usage.blocked_until, usage.blocked_why = now + rest, Why.CIRCUIT


def stop_until(usage: Usage, now: datetime, until: datetime, why: Why) -> None:
    """The vendor said when calls may go on; the later word counts."""
    if usage.blocked_until is None or usage.blocked_until < until or usage.blocked_until <= now:
        usage.blocked_until, usage.blocked_why = until, why
    if why is Why.DAY:
        usage.day_left = 0
        usage.day_started = until - DAY


def day_left(usage: Usage, allowance: Allowance) -> int | None:
    """Calls left today: the vendor's word, else our own count; None when nobody counts them."""
    if usage.day_left is not None:
        return usage.day_left
    return None if allowance.per_day is None else allowance.per_day - usage.day_calls


def today(usage: Usage, now: datetime, allowance: Allowance) -> CallsToday:
    """The state of the allowance, for screens; changes nothing."""
    shown = replace(usage)
    _start_day(shown, now)
    blocked = shown.blocked_until if shown.blocked_until and shown.blocked_until > now else None
    left = day_left(shown, allowance)
    return CallsToday(
        used=shown.day_calls,
        left=None if left is None else max(0, left),
        per_day=allowance.per_day,
        blocked_until=blocked,
        why=Why(shown.blocked_why) if blocked and shown.blocked_why else None,
    )


def _start_day(usage: Usage, now: datetime) -> None:
    if usage.day_started is None or now - usage.day_started >= DAY:
        usage.day_started, usage.day_calls, usage.day_left = now, 0, None


class MemoryBudget:
    """A budget of this process alone, for tests and for calls outside the database."""

    def __init__(self, allowance: Allowance | None = None) -> None:
        self.allowance = allowance or Allowance()
        self.usage = Usage()
        self._in_flight: set[int] = set()
        self._lock = threading.Lock()

    def acquire(self, now: datetime, *, lasting: timedelta, urgent: bool) -> Slot | Wait:
        with self._lock:
            wait = wait_for(self.usage, len(self._in_flight), now, self.allowance, urgent=urgent)
            if wait:
                return wait
            number = next(n for n in range(1, self.allowance.concurrent + 1) if n not in self._in_flight)
            self._in_flight.add(number)
            count_start(self.usage, now)
            return Slot(number)

    def release(self, slot: Slot, now: datetime, heard: Heard) -> None:
        with self._lock:
            self._in_flight.discard(slot.number)
            count_end(self.usage, len(self._in_flight), now, self.allowance, heard)

    def block(self, now: datetime, until: datetime, why: Why) -> None:
        with self._lock:
            stop_until(self.usage, now, until, why)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long the vendor asks us to wait: seconds or a date; None when it does not say or cannot be understood."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.replace(".", "", 1).isdigit():
        return timedelta(seconds=min(float(said), 30 * 86_400))
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, IndexError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), timedelta(days=30))


def limits_left(headers: Mapping[str, str], failed: bool | None) -> Heard:
    """What the limit headers say; a header that is missing or no number says nothing."""
    return Heard(_count(headers, "x-minlimit-remaining"), _count(headers, "x-daylimit-remaining"), failed)


def _count(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
