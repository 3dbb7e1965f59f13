"""Which calls go wrong, and how. Rules live in memory: a restarted sandbox behaves."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from portal.sandbox.calls import Call

# What each action does. `hint` actions are acted out by the vendor itself, in its own words.
ACTIONS: dict[str, str] = {
    "status": "answer `status` with `body` and `headers` instead of doing anything",
    "rate_limited": "429; `retry_after`: a number, absent, date or garbage; `problem`: minute, day or concurrent",
    "latency": "do as asked, but answer `seconds` later; adds to whatever else goes wrong",
    "hang": "do nothing and stay silent for `seconds`",
    "drop": "do nothing and cut the connection",
    "accept_then_drop": "do as asked, then cut the connection without an answer",
    "accept_then_hang": "do as asked, then stay silent for `seconds` (an hour when not given)",
    "accept_then_status": "do as asked, then answer `status` (500) with `body`",
    "garbage": "answer with rubbish of one `garbage` kind",
    "redirect": "302 to `url`",
    "rewrite": "do as asked and change the text of the answer: `replace` is a list of [old, new]",
    "token_expired": "401, the access token has run out",
    "revoked": "the customer disconnected the app: 403 or 401 by `status`, invalid_grant on a refresh",
    "business_error": "200 with the vendor's error element and `message`",
    "empty_list": "lists are suddenly empty",
    "repeat_page": "every page links to itself as the next one",
    "stale": "reads do not yet see writes of the last `seconds`",
}
HINTS = frozenset({"token_expired", "revoked", "business_error", "empty_list", "repeat_page", "stale"})
MATCHERS = frozenset({"vendor", "tenant", "method", "path", "nth", "after", "times", "probability"})


class BadRule(ValueError):
    """The rule cannot be understood; the message says why."""


@dataclass
class Rule:
    """One fault. `nth` fires on exactly that matching call, `after` lets so many pass, `times` stops it."""

    id: int
    action: dict[str, Any]
    vendor: str | None = None
    tenant: str | None = None
    method: str | None = None
    path: str | None = None
    nth: int | None = None
    after: int = 0
    times: int | None = None
    probability: float = 1.0
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(7), repr=False)

    def claims(self, call: Call) -> bool:
        """Whether this call is hit; counts it either way."""
        if not self._matches(call):
            return False
        self.seen += 1
        due = self.seen == self.nth if self.nth is not None else self.seen > self.after
        if not due or (self.times is not None and self.fired >= self.times):
            return False
        if self.probability < 1 and self.dice.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def describe(self) -> dict[str, Any]:
        """For the control API."""
        names = ("id", "vendor", "tenant", "method", "path", "nth", "after", "times", "probability", "seen", "fired")
        return {**{name: getattr(self, name) for name in names}, "action": self.action}

    def _matches(self, call: Call) -> bool:
        return (
            (not self.vendor or self.vendor == call.vendor)
            and (not self.tenant or self.tenant == call.tenant)
            and (not self.method or self.method.upper() == call.method)
            and (not self.path or re.search(self.path, call.path) is not None)
        )


class Faults:
    """The rules in force, tried in the order they were added."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._last_id = 0

    def add(self, match: dict[str, Any], action: dict[str, Any]) -> Rule:
        """Add a rule; raises BadRule."""
        unknown = set(match) - MATCHERS
        if unknown:
            raise BadRule(f"Cannot match on {', '.join(sorted(unknown))}.")
        if action.get("kind") not in ACTIONS:
            raise BadRule(f"There is no action {action.get('kind')!r}; there are {', '.join(ACTIONS)}.")
        try:
            re.compile(match.get("path") or "")
        except re.error as reason:
            raise BadRule(f"The path is not a regular expression: {reason}.") from reason
        with self._lock:
            self._last_id += 1
            rule = Rule(id=self._last_id, action=dict(action), **match)
            self._rules.append(rule)
        return rule

    def take(self, call: Call) -> tuple[dict[str, Any] | None, float]:
        """What happens to this call: an action or None, and the seconds its answer is held back."""
        chosen: dict[str, Any] | None = None
        delay = 0.0
        with self._lock:
            for rule in self._rules:
                if chosen is not None and rule.action["kind"] != "latency":
                    continue
                if not rule.claims(call):
                    continue
                if rule.action["kind"] == "latency":
                    delay += float(rule.action.get("seconds", 1))
                else:
                    chosen = rule.action
        return chosen, delay

    def list(self) -> list[dict[str, Any]]:
        """Every rule with how often it matched and fired."""
        with self._lock:
            return [rule.describe() for rule in self._rules]

    def clear(self, rule_id: int | None = None) -> int:
        """Take away one rule, or all; how many went."""
        with self._lock:
            kept = [rule for rule in self._rules if rule_id is not None and rule.id != rule_id]
            gone, self._rules = len(self._rules) - len(kept), kept
        return gone
