"""Telling whoever listens that something changed: one sender per vendor, in the background, to this machine only.

A vendor declares `webhooks=Hook(body=…, headers=…)` and says `tell(box, vendor, events)` after its change is committed.
Nothing is sent while no address is set. Failed deliveries come again, with the same body; tests make deliveries come
twice, in another order, one event at a time, or all at once after they were held back.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from portal.sandbox.context import Refused, Sandbox

LOOPBACK = ("localhost", "127.0.0.1", "::1")
GATHER_SECONDS = 0.05  # events of one act travel together
IDLE_SECONDS = 2.0  # then the thread ends
PATIENCE_SECONDS = 5.0  # a listener that takes longer has failed
KEPT = 1000
ORDERS = ("given", "reversed", "shuffled")
Event = dict[str, Any]


@dataclass
class Delivery:
    """One body on its way. `first` is the number of its first event, counted from 1 since the sandbox began."""

    body: bytes
    events: int
    first: int
    made: float  # seconds by the vendor's clock
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    due: float = 0.0  # by the monotonic clock
    attempts: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the control API."""
        text = self.body.decode(errors="replace")
        return {"id": self.id, "events": self.events, "body": text, "attempts": self.attempts, "over": self.over}


@dataclass(frozen=True)
class Hook:
    """How a vendor tells: `body(events, first)` makes one body of some events, `headers(body, secret, delivery)` signs
    it, anew for each attempt."""

    body: Callable[[list[Event], int], bytes]
    headers: Callable[[bytes, str, Delivery], Mapping[str, str]]
    at_most: int = 100  # events in one body


@dataclass
class Settings:
    """What testers may set. `copies`: how often each delivery is sent. `retry_after`: seconds until each next try."""

    url: str = ""
    secret: str = ""
    copies: int = 1
    order: str = "given"
    one_by_one: bool = False
    hold: bool = False
    retry_after: list[float] = field(default_factory=lambda: [1.0, 5.0, 30.0])


class Sender:
    """Events of one vendor. Its thread lives while there is something to send; it never touches the store."""

    def __init__(self, box: Sandbox, hook: Hook, key: str) -> None:
        self._clock, self._store, self._hook, self._key = box.clock, box.store, hook, f"webhooks.{key}"
        self._ready = threading.Condition()
        self._events: list[Event] = []
        self._open: list[Delivery] = []
        self._number = 1  # of the next event
        self._thread: threading.Thread | None = None
        self._stopped = False
        self.made: deque[Delivery] = deque(maxlen=KEPT)
        self.settings = Settings(**box.store.setting(self._key, {}))

    def change(self, values: Mapping[str, Any]) -> None:
        """Set some of the settings; without an address nothing is sent and what waits is forgotten."""
        known = {name: values[name] for name in Settings.__dataclass_fields__ if name in values}
        if strange := sorted(set(values) - set(known)):
            raise Refused(f"There is no {', '.join(strange)}; there are {', '.join(Settings.__dataclass_fields__)}.")
        if known.get("order", "given") not in ORDERS:
            raise Refused(f"order is one of {', '.join(ORDERS)}.")
        if (url := str(known.get("url") or "")) and urlsplit(url).hostname not in LOOPBACK:
            raise Refused("The sandbox tells listeners on this machine only.")
        with self._ready:
            self.settings = Settings(**{**vars(self.settings), **known})
            if not self.settings.url:
                self._events, self._open = [], []
            self._ready.notify_all()
        self._store.keep_setting(self._key, vars(self.settings))

    def tell(self, events: Sequence[Event]) -> None:
        """Something happened; said soon, unless nobody listens."""
        with self._ready:
            if self.settings.url and events:
                self._events.extend(events)
                self._wake()

    def release(self, order: str = "") -> int:
        """Let go what was held back, in this order; how many events."""
        with self._ready:
            count = len(self._events)
            self._pack(order or self.settings.order)
            self._wake()
        return count

    def again(self, count: int) -> int:
        """The last so many deliveries once more, as if their answers had been lost."""
        with self._ready:
            found = list(self.made)[-count:] if count else []
            self._open.extend(_twin(one) for one in found)
            self._wake()
        return len(found)

    def post(self, body: bytes, secret: str) -> int:
        """This body at once, signed with this secret; what the listener answered, 0 for nothing."""
        if not self.settings.url:
            raise Refused("No address is set for these webhooks.")
        return self._send(Delivery(body, 0, 0, self._clock.seconds()), secret)

    def wait(self, seconds: float) -> bool:
        """Until everything is said that is not held back; False when it took longer."""
        with self._ready:
            return self._ready.wait_for(lambda: not self._open and (self.settings.hold or not self._events), seconds)

    def stop(self) -> None:
        """Say nothing more."""
        with self._ready:
            self._stopped, self._events, self._open = True, [], []
            self._ready.notify_all()

    def _wake(self) -> None:
        self._ready.notify_all()
        if self._thread is None and not self._stopped:
            self._thread = threading.Thread(target=self._run, name=self._key, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while delivery := self._next():
            status = self._send(delivery, self.settings.secret)
            with self._ready:
                delivery.attempts.append({"at": self._clock.seconds(), "status": status})
                later = self.settings.retry_after[len(delivery.attempts) - 1 :][:1]
                delivery.over = 200 <= status < 300 or not later
                if delivery.over:
                    self._open = [one for one in self._open if one is not delivery]
                else:
                    delivery.due = time.monotonic() + later[0]
                self._ready.notify_all()

    def _next(self) -> Delivery | None:
        """The next one that is due; None when the thread may end. Events are packed a moment after the first came."""
        idle_until = time.monotonic() + IDLE_SECONDS
        with self._ready:
            while not self._stopped:
                if self._events and not self.settings.hold:
                    self._ready.wait(GATHER_SECONDS)
                    self._pack(self.settings.order)
                due = min((one.due for one in self._open), default=idle_until)
                if self._open and due <= time.monotonic():
                    return min(self._open, key=lambda one: one.due)
                if not self._open and time.monotonic() >= idle_until:
                    break
                self._ready.wait(max(0.01, due - time.monotonic()))
            self._thread = None
            return None

    def _pack(self, order: str) -> None:
        many = 1 if self.settings.one_by_one else self._hook.at_most
        packed = []
        for start in range(0, len(self._events), many):
            batch = self._events[start : start + many]
            body = self._hook.body(batch, self._number)
            packed.append(Delivery(body, len(batch), self._number, self._clock.seconds()))
            self._number += len(batch)
        self._events = []
        if order == "reversed":
            packed.reverse()
        elif order == "shuffled":
            random.Random(7).shuffle(packed)
        self.made.extend(packed)
        for one in packed:
            self._open += [one, *(_twin(one) for _ in range(1, self.settings.copies))]

    def _send(self, delivery: Delivery, secret: str) -> int:
        target = urlsplit(self.settings.url)
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        connection = kind(target.hostname or "", target.port, timeout=PATIENCE_SECONDS)
        path = f"{target.path or '/'}{'?' + target.query if target.query else ''}"
        try:
            headers = {"Content-Type": "application/json", **self._hook.headers(delivery.body, secret, delivery)}
            connection.request("POST", path, delivery.body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


def sender(box: Sandbox, vendor: str) -> Sender:
    """The sender of a vendor that has webhooks; raises Refused for any other."""
    hook = box.vendor(vendor).webhooks
    if hook is None:
        raise Refused(f"{box.vendor(vendor).title} has no webhooks.", 404)
    known = box.senders.get(vendor)
    return known or box.senders.setdefault(vendor, Sender(box, hook, vendor))


def tell(box: Sandbox, vendor: str, events: Sequence[Event]) -> None:
    """Something of this vendor changed, and is committed."""
    sender(box, vendor).tell(events)


def quiet(box: Sandbox, *, forget: bool = False) -> None:
    """Nobody is told anything any more: the sandbox ends, or starts over and does not know whom to tell (`forget`)."""
    for one in box.senders.values():
        one.stop()
    box.senders.clear()
    for vendor in box.vendors:
        if forget and vendor.webhooks:
            box.store.keep_setting(f"webhooks.{vendor.key}", {})


def _twin(one: Delivery) -> Delivery:
    """The same delivery once more."""
    return Delivery(one.body, one.events, one.first, one.made, one.id)
