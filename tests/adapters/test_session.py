"""Calling an account: what is tried again, what is waited for, and what each failure is called in the end."""

from __future__ import annotations

import contextlib
import io
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from portal.adapters.base import (
    AdapterError,
    Allowance,
    NeedsReconnect,
    NotThere,
    RateLimited,
    Rejected,
    Stopped,
    Unavailable,
    UnexpectedReply,
    Unknown,
)
from portal.adapters.http import (
    Abandoned,
    AnswerLost,
    Dialect,
    MemoryBudget,
    NotSent,
    Reply,
    Request,
    TooLarge,
    VendorSession,
    Wait,
    Why,
)
from tests.adapters.conftest import HeldTokens

START = datetime(2026, 11, 3, tzinfo=UTC)


def reply(status: int = 200, body: bytes = b"fine", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"content-type": "text/plain", **named}, io.BytesIO(body), len(body))


@dataclass
class Script:
    """A vendor that says these things in turn, the last one for ever."""

    says: list[Any]
    requests: list[Request] = field(default_factory=list)
    can_be_abandoned: list[bool] = field(default_factory=list)

    def send(self, request: Request, patience: object, should_stop: object) -> Reply:
        self.requests.append(request)
        self.can_be_abandoned.append(should_stop is not None)
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        assert isinstance(said, Reply)
        return reply(said.status, said.content(), **dict(said.headers))


class Call:
    """A session on a scripted vendor, with a clock that only waiting moves."""

    def __init__(self, *says: Any, allowance: Allowance | None = None, **values: Any) -> None:
        self.script = Script(list(says))
        self.slept = 0.0
        self.waits: list[Wait] = []
        self.tokens = HeldTokens(["first token", "second token", "third token"])
        self.budget = MemoryBudget(allowance)
        self.dialect = Dialect(
            "The Vendor", "https://vendor.example", lambda token, account: {"Authorization": token, "X": account},
            lambda one: one.content().decode() if one.status >= 400 else "", lasting=("wrong scope",),
        )  # fmt: skip
        values = {"now": self.now, "sleep": self.sleep, "on_wait": self.waits.append, "dice": random.Random(1)} | values
        self.session = VendorSession(self.script, self.dialect, "acc", self.tokens, self.budget, **values)  # type: ignore[arg-type]  # a script is transport enough

    def now(self) -> datetime:
        return START + timedelta(seconds=self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def get(self, **values: Any) -> Reply:
        return self.session.get("/things", **values)

    def put(self, **values: Any) -> Reply:
        return self.session.write("PUT", "/things/1", b"{}", "application/json", **values)

    @property
    def sent(self) -> int:
        return len(self.script.requests)


def test_a_call_carries_the_token_and_the_account() -> None:
    call = Call(reply())
    assert call.get().content() == b"fine"
    assert call.script.requests[0].headers == {"Authorization": "first token", "X": "acc"}
    assert call.script.requests[0].url == "https://vendor.example/things"
    assert call.session.calls_made == 1


@pytest.mark.parametrize("trouble", [reply(500), reply(502), reply(503), NotSent("is away"), AnswerLost("hung up")])
def test_a_read_is_tried_again_after_passing_trouble(trouble: Any) -> None:
    """Fault rows 19 and 21."""
    call = Call(trouble, trouble, reply())
    assert call.get().content() == b"fine"
    assert call.sent == 3
    assert call.slept > 0
    assert {one.why for one in call.waits} <= {Why.RETRY}


@pytest.mark.parametrize("trouble", [reply(500), NotSent("is away"), AnswerLost("hung up")])
def test_a_read_that_goes_on_failing_is_unavailable_after_a_few_tries(trouble: Any) -> None:
    """Fault row 19."""
    call = Call(trouble)
    with pytest.raises(Unavailable):
        call.get()
    assert call.sent == 4


def test_ten_bad_minutes_cost_a_bounded_number_of_calls() -> None:
    """Fault row 19: the circuit opens, and closes by itself once the vendor is back."""
    call = Call(reply(503))
    while call.slept < 600:
        with pytest.raises(Unavailable) as caught:
            call.get()
        if caught.value.retry_at:
            call.slept = (caught.value.retry_at - START).total_seconds()
        else:
            call.slept += 1
    assert call.sent < 25
    call.script.says = [reply()]
    assert call.get().status == 200
    assert call.get().status == 200


def test_retries_of_one_run_are_limited_altogether() -> None:
    calls = Call(*[one for _ in range(30) for one in (reply(500), reply())], reply(500))
    calls.budget = calls.session._budget = MemoryBudget(Allowance(per_minute=1000))
    while calls.sent < 100:
        try:
            calls.get()
        except Unavailable:
            break
    assert 40 < calls.sent < 55


@pytest.mark.parametrize("trouble", [reply(500), reply(503), AnswerLost("hung up")])
def test_a_write_whose_answer_is_lost_is_unknown_and_sent_once(trouble: Any) -> None:
    """Fault rows 11 and 12."""
    call = Call(trouble, reply())
    with pytest.raises(Unknown):
        call.put()
    assert call.sent == 1


def test_a_write_that_never_left_is_unavailable() -> None:
    call = Call(NotSent("cannot be reached"))
    with pytest.raises(Unavailable, match=r"The Vendor cannot be reached\."):
        call.put()
    assert call.sent == 1


def test_an_answer_to_a_write_that_cannot_be_understood_is_unknown() -> None:
    call = Call(reply(body=b"<html>"))
    with pytest.raises(Unknown):
        call.put(check=never_understood)
    call = Call(TooLarge("more than 16 MB"))
    with pytest.raises(Unknown):
        call.put()


def never_understood(one: Reply) -> None:
    raise UnexpectedReply("It makes no sense.", vendor_text=one.start())


def test_a_read_that_makes_no_sense_is_tried_again_and_then_kept_as_evidence() -> None:
    """Fault row 21."""
    call = Call(reply(body=b"<html>sorry</html>"))
    with pytest.raises(UnexpectedReply) as caught:
        call.get(check=never_understood)
    assert call.sent == 4
    assert caught.value.vendor_text == "<html>sorry</html>"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Rejected), (404, NotThere), (409, Rejected), (412, Rejected), (415, Rejected), (501, Rejected),
     (403, NeedsReconnect), (301, UnexpectedReply), (307, UnexpectedReply)],
)  # fmt: skip
def test_a_refusal_is_named_for_what_to_do_next_and_not_repeated(status: int, kind: type[AdapterError]) -> None:
    call = Call(reply(status, b"because"))
    with pytest.raises(kind) as caught:
        call.get()
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert call.sent == 1


def test_far_too_much_is_not_asked_for_again() -> None:
    """Fault row 20."""
    call = Call(TooLarge("more than 16 MB"))
    with pytest.raises(UnexpectedReply, match="far more than it should"):
        call.get()
    assert call.sent == 1


@pytest.mark.parametrize("write", [False, True])
def test_a_token_that_ran_out_is_renewed_once_and_the_call_repeated(write: bool) -> None:
    """Fault row 36."""
    call = Call(reply(401, b"TokenExpired: token expired"), reply())
    assert (call.put() if write else call.get()).status == 200
    assert [one.headers["Authorization"] for one in call.script.requests] == ["first token", "second token"]


def test_a_second_refusal_of_the_token_needs_a_person() -> None:
    """Fault row 35: no hammering."""
    call = Call(reply(401, b"AuthenticationUnsuccessful"))
    with pytest.raises(NeedsReconnect):
        call.get()
    assert call.sent == 2


def test_a_missing_scope_is_not_mended_by_a_fresh_token() -> None:
    call = Call(reply(401, b"Wrong scope for this"))
    with pytest.raises(NeedsReconnect):
        call.get()
    assert (call.sent, call.tokens.renewals) == (1, 0)


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ({"retry_after": "2"}, 2, 2.1),
        ({"retry_after": format_datetime(START + timedelta(seconds=30), usegmt=True)}, 30, 30.1),
        ({"retry_after": "soon, we hope"}, 6, 8.1),
        ({}, 6, 8.1),
        ({"x_rate_limit_problem": "Concurrent"}, 0.2, 0.6),
    ],
)
@pytest.mark.parametrize("write", [False, True])
def test_a_429_is_waited_for_as_long_as_the_vendor_says(said: dict, least: float, most: float, write: bool) -> None:
    """Fault row 17."""
    call = Call(reply(429, b"", **said), reply())
    assert (call.put() if write else call.get()).status == 200
    assert least <= call.slept <= most
    assert call.waits[0].why is Why.TOLD


def test_a_429_storm_ends_the_run_with_a_time_to_go_on() -> None:
    """Fault row 17."""
    call = Call(reply(429, b"", retry_after="2"))
    with pytest.raises(RateLimited) as caught:
        call.get()
    assert call.sent <= 6
    assert caught.value.retry_at > call.now()


@pytest.mark.parametrize("said", [{"retry_after": "3600"}, {"retry_after": "3600", "x_rate_limit_problem": "day"}])
def test_a_long_wait_is_not_sat_out(said: dict) -> None:
    """Fault rows 17 and 18: it says when to go on, and nobody else calls until then."""
    call = Call(reply(429, b"", **said))
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            call.get()
        assert caught.value.retry_at == START + timedelta(seconds=3600)
    assert call.sent == 1
    assert call.slept == 0


def test_a_daily_limit_without_a_time_is_looked_at_again_in_an_hour() -> None:
    """Fault row 18."""
    call = Call(reply(429, b"", x_rate_limit_problem="day"))
    with pytest.raises(RateLimited) as caught:
        call.get()
    assert timedelta(minutes=40) < caught.value.retry_at - START <= timedelta(hours=1)


def test_the_minute_is_kept_without_the_vendor_having_to_say_so() -> None:
    call = Call(reply(), allowance=Allowance(per_minute=10))
    for _ in range(25):
        call.get()
    assert 120 <= call.slept < 125
    assert {one.why for one in call.waits} == {Why.MINUTE}


def test_waiting_can_be_interrupted() -> None:
    asked: list[bool] = []

    def after_a_while() -> bool:
        asked.append(True)
        return len(asked) > 20

    call = Call(reply(429, b"", retry_after="60"), should_stop=after_a_while)
    with pytest.raises(Stopped):
        call.get()
    assert call.slept < 6


def test_nothing_is_called_once_asked_to_stop() -> None:
    call = Call(reply(), should_stop=lambda: True)
    with pytest.raises(Stopped):
        call.get()
    assert call.sent == 0


def test_being_stopped_while_a_read_arrives_is_no_failure_of_the_vendor() -> None:
    call = Call(Abandoned("was answering"))
    with pytest.raises(Stopped):
        call.get()
    assert call.budget.usage.failures == 0


def test_a_write_is_never_abandoned_half_way() -> None:
    call = Call(reply())
    call.get()
    call.put()
    assert call.script.can_be_abandoned == [True, False]


def test_a_moment_is_told_by_the_vendors_clock() -> None:
    """Fault row 29."""
    call = Call(reply(200, b"", date=format_datetime(START - timedelta(minutes=10), usegmt=True)))
    assert call.session.by_vendor_clock(START) == START
    call.get()
    assert call.session.by_vendor_clock(START) == START - timedelta(minutes=10)


def test_every_slot_is_given_back_whatever_happened() -> None:
    for said in (reply(), reply(500), reply(404), TooLarge("x"), NotSent("x"), AnswerLost("x")):
        call = Call(said)
        for write in (False, True):
            with contextlib.suppress(AdapterError):
                _ = call.put() if write else call.get()
        assert call.budget._in_flight == set()
