"""How many calls an account may take: at once, a minute, a day. Fixed windows, as the vendor keeps them."""

from __future__ import annotations

import math
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.sandbox.clock import Clock
from portal.sandbox.store import Store

MINUTE, DAY = 60, 86_400
UNLIMITED = 10**9
DEFAULTS: dict[str, int] = {
    "concurrent": 5,
    "minute": 60,
    "day": 5000,
    "app_minute": 10_000,
    "second": UNLIMITED,
    "batch_minute": UNLIMITED,
}


@dataclass
class Usage:
    """What one account has used of its present windows."""

    in_flight: int = 0
    minute_window: int = -1
    minute: int = 0
    day_window: int = -1
    day: int = 0


@dataclass(frozen=True)
class Verdict:
    """Whether a call may go on. `problem` is None when it may; `retry_after` is None where the vendor sends none."""

    problem: str | None
    retry_after: int | None
    minute_left: int
    day_left: int
    app_left: int
    minute_ends: int = 0  # seconds until the minute's window is over


@dataclass
class Limits:
    """Counts per account, in memory; the allowances are stored."""

    store: Store
    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _usage: dict[str, Usage] = field(default_factory=dict)
    _allowed: dict[str, dict[str, int]] = field(default_factory=dict)
    _windows: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._allowed = self.store.setting("limits", {})

    def allowed(self, account: str, defaults: Mapping[str, int] | None = None) -> dict[str, int]:
        """The allowances of one account: its own, else those set for all, else the vendor's (Xero's, when None)."""
        return {**DEFAULTS, **(defaults or {}), **self._allowed.get("*", {}), **self._allowed.get(account, {})}

    def change(self, account: str | None, values: dict[str, int]) -> None:
        """Set allowances for one account, or for all when None."""
        with self._lock:
            key = account or "*"
            self._allowed[key] = {**self._allowed.get(key, {}), **values}
        self.store.keep_setting("limits", self._allowed)

    def reset(self) -> None:
        """Vendor's allowances, nothing used."""
        with self._lock:
            self._allowed, self._usage, self._windows = {}, {}, {}
        self.store.keep_setting("limits", {})

    def clear_usage(self) -> None:
        """Nothing used yet; calls still in flight stay counted."""
        with self._lock:
            self._usage = {key: Usage(in_flight=use.in_flight) for key, use in self._usage.items()}
            self._windows = {}

    def enter(
        self, account: str, *, counter: str = "", app_counter: str = "app", defaults: Mapping[str, int] | None = None
    ) -> Verdict:
        """Ask for one call. When `problem` is None the caller must `leave` later, by the same counter.

        `counter` is what is counted when that is not the account (a token, say), `defaults` are a vendor's allowances.
        """
        counter = counter or account
        with self._lock:
            now, use, may = self.clock.seconds(), self._current(counter), self.allowed(account, defaults)
            app = self._current(app_counter)
            problem, wait = self._problem(counter, app_counter, now, use, app, may)
            if problem is None:
                use.in_flight += 1
                use.minute += 1
                use.day += 1
                app.minute += 1
            return Verdict(
                problem,
                wait,
                max(0, may["minute"] - use.minute),
                max(0, may["day"] - use.day),
                max(0, may["app_minute"] - app.minute),
                _left(now, MINUTE, counter),
            )

    def within(self, counter: str, length: int, most: int) -> bool:
        """Count one more in the present window of `length` seconds; False, and not counted, when `most` are used."""
        with self._lock:
            window = _window(self.clock.seconds(), length, counter)
            known, used = self._windows.get(counter, (window, 0))
            used = used if known == window else 0
            if used < most:
                self._windows[counter] = (window, used + 1)
            return used < most

    def leave(self, account: str) -> None:
        """The call's answer is complete."""
        with self._lock:
            use = self._usage.get(account)
            if use and use.in_flight:
                use.in_flight -= 1

    def describe(self) -> dict[str, Any]:
        """Allowances and use, for the control API."""
        with self._lock:
            used = {
                key: {"in_flight": use.in_flight, "minute": use.minute, "day": use.day}
                for key in list(self._usage)
                for use in [self._current(key)]
            }
            return {"defaults": DEFAULTS, "changed": self._allowed, "used": used}

    def _problem(
        self, account: str, app_counter: str, now: float, use: Usage, app: Usage, may: dict[str, int]
    ) -> tuple[str | None, int | None]:
        if use.in_flight >= may["concurrent"]:
            return "concurrent", None
        if use.day >= may["day"]:
            return "day", _left(now, DAY, account)
        if use.minute >= may["minute"]:
            return "minute", _left(now, MINUTE, account)
        if app.minute >= may["app_minute"]:
            return "appminute", _left(now, MINUTE, app_counter)
        return None, None

    def _current(self, account: str) -> Usage:
        use = self._usage.setdefault(account, Usage())
        now = self.clock.seconds()
        if (minute := _window(now, MINUTE, account)) != use.minute_window:
            use.minute_window, use.minute = minute, 0
        if (day := _window(now, DAY, account)) != use.day_window:
            use.day_window, use.day = day, 0
        return use


def _phase(length: int, account: str) -> int:
    """Each account's windows start at a moment of their own."""
    return zlib.crc32(account.encode()) % length


def _window(now: float, length: int, account: str) -> int:
    return int((now + _phase(length, account)) // length)


def _left(now: float, length: int, account: str) -> int:
    """Whole seconds until the window ends, at least one."""
    return max(1, math.ceil(length - (now + _phase(length, account)) % length))
