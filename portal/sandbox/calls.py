"""What the vendors were asked: every call in order, kept in memory. "Exactly once" is counted here."""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

KEEP = 100_000
IDENTIFIER = re.compile(r"^(?:[0-9a-f]{8}-[0-9a-f]{4}-.*|J\d{4,}|\d+|[A-Z]{2,}[-_]?\d+)$", re.IGNORECASE)


@dataclass
class Call:
    """One request. `status` is None while the answer is still on its way, 0 when the connection was cut."""

    id: int
    time: float
    vendor: str
    tenant: str | None
    method: str
    path: str
    query: str
    idempotency_key: str | None
    fault: str | None = None
    status: int | None = None
    duration_ms: float | None = None
    bytes: int = 0


class CallLog:
    """The last hundred thousand calls."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=KEEP)
        self._lock = threading.Lock()
        self._last_id = 0

    def begin(self, **facts: Any) -> Call:
        """Note a call as it arrives, so that one that never gets an answer is seen too."""
        with self._lock:
            self._last_id += 1
            call = Call(id=self._last_id, **facts)
            self._calls.append(call)
        return call

    def find(
        self,
        vendor: str | None = None,
        path: str | None = None,
        since: float | None = None,
        after_id: int | None = None,
    ) -> list[Call]:
        """In order of arrival; `path` is a regular expression, `since` seconds by the sandbox's clock."""
        pattern = re.compile(path) if path else None
        with self._lock:
            calls = list(self._calls)
        return [
            call
            for call in calls
            if (not vendor or call.vendor == vendor)
            and (not pattern or pattern.search(call.path))
            and (since is None or call.time >= since)
            and (after_id is None or call.id > after_id)
        ]

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._calls.clear()

    def summary(self) -> list[dict[str, Any]]:
        """How often each vendor, method and kind of path was called; identifiers become {id}."""
        counted = Counter((call.vendor, call.method, template_of(call.path)) for call in self.find())
        return [
            {"vendor": vendor, "method": method, "path": path, "count": count}
            for (vendor, method, path), count in sorted(counted.items())
        ]


def template_of(path: str) -> str:
    """The path with its identifiers taken out."""
    return "/".join("{id}" if IDENTIFIER.match(part) else part for part in path.split("/"))


def as_json(call: Call) -> dict[str, Any]:
    """For the control API."""
    return asdict(call)
