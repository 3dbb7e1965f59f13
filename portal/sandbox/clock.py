"""The sandbox's own clock. Everything a vendor stamps or lets expire reads this one, never the system's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any


class Clock:
    """Real time plus an offset (moved by tests) plus a skew (a vendor whose clock is wrong); may stand still."""

    def __init__(
        self, saved: dict[str, Any] | None = None, save: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        saved = saved or {}
        self._lock = threading.Lock()
        self._offset = float(saved.get("offset", 0.0))
        self._skew = float(saved.get("skew", 0.0))
        self._frozen_at: float | None = saved.get("frozen_at")
        self._save = save

    def seconds(self) -> float:
        """Seconds since 1970 by the vendor's clock."""
        base = time.time() + self._offset if self._frozen_at is None else self._frozen_at
        return base + self._skew

    def milliseconds(self) -> int:
        """The same in whole milliseconds, the unit of every stamp in the store."""
        return int(self.seconds() * 1000)

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def advance(self, seconds: float) -> None:
        """Move forward (or back, when negative); a frozen clock moves and stays frozen."""
        with self._lock:
            if self._frozen_at is not None:
                self._frozen_at += seconds
            else:
                self._offset += seconds
            self._store()

    def set(self, moment: datetime, *, freeze: bool = False) -> None:
        """Make it `moment` now (a naive value is UTC). Runs on from there unless frozen."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        wanted = aware.timestamp() - self._skew
        with self._lock:
            self._offset = wanted - time.time()
            self._frozen_at = wanted if freeze else None
            self._store()

    def freeze(self, frozen: bool) -> None:
        """Stop the clock where it is, or let it run on from there."""
        with self._lock:
            base = self.seconds() - self._skew
            self._offset = base - time.time()
            self._frozen_at = base if frozen else None
            self._store()

    def skew(self, seconds: float) -> None:
        """How far the vendor's clock is off, in seconds; negative means it is behind."""
        with self._lock:
            self._skew = seconds
            self._store()

    def reset(self) -> None:
        """Back to real time."""
        with self._lock:
            self._offset, self._skew, self._frozen_at = 0.0, 0.0, None
            self._store()

    def describe(self) -> dict[str, Any]:
        """What the control API shows."""
        return {
            "now": self.now().isoformat(),
            "offset_seconds": round(self._offset, 3),
            "skew_seconds": self._skew,
            "frozen": self._frozen_at is not None,
        }

    def _store(self) -> None:
        if self._save:
            self._save({"offset": self._offset, "skew": self._skew, "frozen_at": self._frozen_at})
