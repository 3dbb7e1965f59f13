"""Calling one account of a vendor: signed in, paced, counted, retried where that is safe, and named when it fails.

Reads are retried within a budget. A write is only ever repeated when the vendor said it did not do it (401, 429);
when its answer is lost it ends as `Unknown`.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NoReturn, Protocol

from portal.adapters.base import (
    AdapterError,
    NeedsReconnect,
    NotThere,
    RateLimited,
    Rejected,
    Stopped,
    Unavailable,
    UnexpectedReply,
    Unknown,
)
from portal.adapters.http.pacing import MINUTE, Budget, Heard, Slot, Wait, Why, limits_left, retry_after
from portal.adapters.http.reply import Reply, TooLarge, without_secrets
from portal.adapters.http.transport import QUICK, Abandoned, AnswerLost, Failure, NotSent, Patience, Request, Transport

log = logging.getLogger(__name__)
LONGEST_WAIT = timedelta(seconds=65)  # beyond it the run ends and goes on later
LONGEST_QUEUE = timedelta(minutes=10)  # for a slot, over all
GLANCE = 0.25  # seconds between looks at whether to stop
TRIES = 4
REFUSALS = 5  # 429s to one call
BACK_OFF, BACK_OFF_LONGEST = 1.0, 20.0  # seconds
RETRIES_A_RUN, RETRY_EARNED = 20.0, 0.1


class TokenSource(Protocol):
    """Where access tokens come from. Both may raise `NeedsReconnect` and `Unavailable`."""

    def current(self) -> str:
        """A token that is good for a while yet."""

    def renewed(self, refused: str) -> str:
        """Another token than the one the vendor has just refused."""


@dataclass(frozen=True)
class Dialect:
    """How one vendor's API is addressed and how it words its refusals."""

    vendor: str
    base_url: str
    headers: Callable[[str, str], Mapping[str, str]]  # access token, account id
    words: Callable[[Reply], str]  # the vendor's own words in a refusal, "" when there are none
    lasting: tuple[str, ...] = ()  # words of a 401 that a fresh token does not cure
    # A refusal that means more than its status says: the error to raise for it; None: go by the status.
    named: Callable[[Reply], AdapterError | None] = lambda reply: None
    # How long a 429 without Retry-After asks us to wait, when the vendor says so elsewhere or everywhere.
    rest: Callable[[Reply], timedelta | None] = lambda reply: None


Check = Callable[[Reply], None]


class VendorSession:
    """One run's way to one account. Use it from one thread; open another for another."""

    def __init__(
        self,
        transport: Transport,
        dialect: Dialect,
        account_id: str,
        tokens: TokenSource,
        budget: Budget,
        *,
        urgent: bool = False,
        should_stop: Callable[[], bool] | None = None,
        on_wait: Callable[[Wait], None] | None = None,
        before_call: Callable[[], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        dice: random.Random | None = None,
    ) -> None:
        self.account_id = account_id
        self.calls_made = 0
        self.not_granted: set[str] = set()
        self._transport = transport
        self._dialect = dialect
        self._tokens = tokens
        self._budget = budget
        self._urgent = urgent
        self._should_stop = should_stop or (lambda: False)
        self._on_wait = on_wait or (lambda wait: None)
        self._before_call = before_call or (lambda: None)
        self._now = now
        self._sleep = sleep
        self._dice = dice or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._retries = RETRIES_A_RUN
        self._skew = timedelta(0)
        self._paced: dict[str, deque[datetime]] = {}

    def by_vendor_clock(self, moment: datetime) -> datetime:
        return moment + self._skew

    def get(
        self, path: str, params: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None,
        patience: Patience = QUICK, check: Check | None = None,
    ) -> Reply:  # fmt: skip
        """Read. `check` raises `UnexpectedReply` for a body that is not what this call answers with.

        Such a body is tried again like any passing trouble.
        """
        return self._call("GET", path, params, None, headers or {}, patience, check)

    def write(
        self, method: str, path: str, body: bytes | None, content_type: str, *,
        params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None,
        patience: Patience = QUICK, check: Check | None = None,
    ) -> Reply:  # fmt: skip
        """Change something there. Raises `Unknown` when nobody can say whether it happened."""
        all_headers = {"Content-Type": content_type, **(headers or {})}
        return self._call(method, path, params, body, all_headers, patience, check)

    def pace(self, kind: str, per_minute: int) -> None:
        """Wait until another call of this kind fits into the minute; for limits beside the account's own.

        Kept for this session alone: one run an account is all that makes such calls in numbers.
        """
        now = self._now()
        times = self._paced.setdefault(kind, deque(maxlen=per_minute))
        if len(times) == per_minute and (left := times[0] + MINUTE - now) > timedelta(0):
            self._wait(Wait(now + left, Why.MINUTE), left.total_seconds())
        times.append(self._now())

    def _call(
        self, method: str, path: str, params: Mapping[str, str] | None, body: bytes | None,
        headers: Mapping[str, str], patience: Patience, check: Check | None,
    ) -> Reply:  # fmt: skip
        is_write = method != "GET"
        tries = refusals = 0
        has_renewed = False
        while True:
            tries += 1
            self._before_call()
            token = self._tokens.current()
            all_headers = {**self._dialect.headers(token, self.account_id), **headers}
            request = Request(method, self._dialect.base_url + path, all_headers, params, body)
            try:
                reply = self._exchange(request, patience)
            except Failure as failure:
                self._settle_failure(failure, is_write, tries)
                continue
            if reply.status == 401 and not has_renewed and not self._is_lasting(reply):
                has_renewed = True
                reply.close()
                self._tokens.renewed(token)
            elif reply.status == 429:
                refusals += 1
                self._slow_down(reply, refusals)
            elif reply.status >= 500 and reply.status != 501:
                self._settle_outage(reply, is_write, tries)
            elif self._is_good(reply, check, is_write, tries):
                self._retries = min(RETRIES_A_RUN, self._retries + RETRY_EARNED)
                return reply

    def _exchange(self, request: Request, patience: Patience) -> Reply:
        """One call inside the budget. Raises the transport's failures, and what waiting too long comes to."""
        lasting = timedelta(seconds=patience.connect + patience.read + patience.total)
        slot = self._slot(lasting)
        heard = Heard()
        try:
            self.calls_made += 1
            # A write is not abandoned half way: its answer is short, and without it nobody knows what happened.
            reply = self._transport.send(request, patience, self._should_stop if request.method == "GET" else None)
            heard = limits_left(reply.headers, reply.status >= 500)
            self._note_clock(reply)
            return reply
        except TooLarge as error:
            kind = UnexpectedReply if request.method == "GET" else Unknown
            raise kind(f"{self._dialect.vendor} sent far more than it should: {error}.") from error
        except (NotSent, AnswerLost):
            heard = Heard(failed=True)
            raise
        finally:
            self._budget.release(slot, self._now(), heard)

    def _slot(self, lasting: timedelta) -> Slot:
        queued = timedelta(0)
        while True:
            if self._should_stop():
                raise Stopped(f"Stopped before the next call to {self._dialect.vendor}.")
            now = self._now()
            given = self._budget.acquire(now, lasting=lasting, urgent=self._urgent)
            if isinstance(given, Slot):
                return given
            left = max(given.until - now, timedelta(milliseconds=20))
            queued += left
            if left > LONGEST_WAIT or queued > LONGEST_QUEUE:
                self._give_up(given)
            self._wait(given, left.total_seconds())

    def _give_up(self, wait: Wait) -> NoReturn:
        vendor = self._dialect.vendor
        if wait.why is Why.CIRCUIT:
            raise Unavailable(f"{vendor} has not been answering properly for a while.", retry_at=wait.until)
        raise RateLimited(wait.sentence(vendor), retry_at=wait.until)

    def _wait(self, wait: Wait, seconds: float) -> None:
        """Counts the naps rather than looking at a clock, which may stand still or jump."""
        if seconds > GLANCE:
            self._on_wait(wait)
        while seconds > 0:
            if self._should_stop():
                raise Stopped(f"Stopped while waiting for {self._dialect.vendor}.")
            nap = min(seconds, GLANCE)
            self._sleep(nap)
            seconds -= nap

    def _settle_failure(self, failure: Failure, is_write: bool, tries: int) -> None:
        """Return to try again, or raise what this comes to."""
        vendor = self._dialect.vendor
        if isinstance(failure, Abandoned):
            raise Stopped(f"Stopped while {vendor} was answering.") from failure
        if is_write and isinstance(failure, AnswerLost):
            raise Unknown(f"{vendor} {failure}; it may or may not have done it.") from failure
        if is_write or not self._may_retry(tries):
            raise Unavailable(f"{vendor} {failure}.") from failure
        self._back_off(tries)

    def _settle_outage(self, reply: Reply, is_write: bool, tries: int) -> None:
        vendor, words = self._dialect.vendor, self._words(reply)
        reply.close()
        if is_write:
            raise Unknown(
                f"{vendor} had a fault of its own ({reply.status}); it may or may not have done it.",
                status=reply.status, vendor_text=words,
            )  # fmt: skip
        if not self._may_retry(tries):
            raise Unavailable(
                f"{vendor} has a fault of its own ({reply.status}).", status=reply.status, vendor_text=words
            )
        self._back_off(tries)

    def _is_good(self, reply: Reply, check: Check | None, is_write: bool, tries: int) -> bool:
        """True: use it. False: it was nonsense, try again. Raises what anything else comes to."""
        if not 200 <= reply.status < 300:
            self._refuse(reply)
        if check is None:
            return True
        try:
            check(reply)
        except UnexpectedReply as error:
            reply.close()
            if is_write:
                raise Unknown(
                    f"{self._dialect.vendor} gave an answer that cannot be understood; it may or may not have done it.",
                    status=reply.status, vendor_text=error.vendor_text,
                ) from error  # fmt: skip
            if not self._may_retry(tries):
                raise
            self._back_off(tries)
            return False
        except BaseException:  # raised on: the connection is given back whatever ended the check
            reply.close()
            raise
        return True

    def _refuse(self, reply: Reply) -> NoReturn:
        vendor, status, words = self._dialect.vendor, reply.status, self._words(reply)
        start = reply.start()
        named = self._dialect.named(reply)
        reply.close()
        if named is not None:
            raise named
        if status == 401:
            raise NeedsReconnect(f"{vendor} no longer accepts this sign-in.", status=status, vendor_text=words)
        if status == 403:
            raise NeedsReconnect(f"{vendor} does not let us into this account.", status=status, vendor_text=words)
        if status == 404:
            raise NotThere(f"{vendor} does not know this record.", status=status, vendor_text=words)
        if 300 <= status < 400:
            raise UnexpectedReply(f"{vendor} wanted to send us elsewhere; we did not go.", status=status)
        if status < 200:
            raise UnexpectedReply(f"{vendor} gave no proper answer.", status=status, vendor_text=start)
        raise Rejected(f"{vendor} refused: {words or f'status {status}'}", status=status, vendor_text=words)

    def _slow_down(self, reply: Reply, refusals: int) -> None:
        """Block the account, for every process, as long as the vendor says; give up when that is long."""
        now = self._now()
        problem = reply.headers.get("x-rate-limit-problem", "").strip().lower()
        wait = retry_after(reply.headers, now) or self._dialect.rest(reply) or self._guess(problem, refusals)
        reply.close()
        why = Why.DAY if problem == "day" else Why.TOLD
        until = now + max(wait, timedelta(milliseconds=200))
        self._budget.block(now, until, why)
        if why is Why.DAY or wait > LONGEST_WAIT or refusals > REFUSALS:
            self._give_up(Wait(until, why))
        log.info("%s said 429 (%s); waiting %.1f s", self._dialect.vendor, problem[:20] or "?", wait.total_seconds())

    def _guess(self, problem: str, refusals: int) -> timedelta:
        """How long to wait when the vendor does not say, by the window that was passed."""
        if problem == "day":
            return timedelta(hours=1)
        first = 0.5 if problem == "concurrent" else 8.0
        return timedelta(seconds=min(60.0, first * 2 ** (refusals - 1)) * self._dice.uniform(0.75, 1))

    def _may_retry(self, tries: int) -> bool:
        return tries < TRIES and self._retries >= 1

    def _back_off(self, tries: int) -> None:
        self._retries -= 1
        seconds = self._dice.uniform(0, min(BACK_OFF_LONGEST, BACK_OFF * 2**tries))
        self._wait(Wait(self._now() + timedelta(seconds=seconds), Why.RETRY), seconds)

    def _is_lasting(self, reply: Reply) -> bool:
        words = self._words(reply).lower()
        return any(word.lower() in words for word in self._dialect.lasting)

    def _words(self, reply: Reply) -> str:
        return without_secrets(self._dialect.words(reply))[:500]

    def _note_clock(self, reply: Reply) -> None:
        """The Date header is stamped when the answer starts, however long it took to prepare and to arrive."""
        try:
            theirs = parsedate_to_datetime(reply.headers.get("date", ""))
        except (ValueError, IndexError, TypeError):  # no date, or none that can be read: what was known of it stays
            return
        if theirs.tzinfo is not None:
            self._skew = theirs - (self._now() - timedelta(seconds=reply.download_seconds))
