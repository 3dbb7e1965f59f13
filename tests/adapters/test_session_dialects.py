"""What differs from vendor to vendor in a call: its own headers, names for refusals, rests, and further limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from portal.adapters.base import AdapterError, Rejected, Stopped
from portal.adapters.http import Why
from tests.adapters.test_session import Call, reply


def test_a_call_may_carry_headers_of_its_own() -> None:
    call = Call(reply())
    call.get(headers={"If-Modified-Since": "2026-11-03T00:00:00"})
    call.put(headers={"Idempotency-Key": "k-1"})
    read, write = (one.headers for one in call.script.requests)
    assert read["If-Modified-Since"] == "2026-11-03T00:00:00"
    assert (write["Idempotency-Key"], write["Content-Type"]) == ("k-1", "application/json")
    assert read["Authorization"] == write["Authorization"] == "first token"


def test_a_refusal_that_means_more_than_its_status_has_its_own_name() -> None:
    class Special(AdapterError):
        pass

    call = Call(reply(400, b"somebody was quicker"), reply(400, b"nonsense"))
    meant = Special("Somebody was quicker.")
    named = replace(call.dialect, named=lambda one: meant if b"quicker" in one.content() else None)
    call.session._dialect = named
    with pytest.raises(Special):
        call.put()
    with pytest.raises(Rejected, match="nonsense"):
        call.put()
    assert call.sent == 2


def test_how_long_to_rest_may_be_said_elsewhere_than_in_a_header() -> None:
    """Fault row 17: Retry-After counts where there is one."""
    call = Call(reply(429, b"7"), reply(429, b"7", retry_after="3"), reply())
    call.session._dialect = replace(call.dialect, rest=lambda one: timedelta(seconds=int(one.content())))
    call.get()
    assert call.slept == pytest.approx(10, abs=0.1)


def test_calls_of_a_kind_are_paced_beside_the_accounts_own_limit() -> None:
    """Fault row 17."""
    call = Call(reply())
    for number in range(7):
        call.session.pace("batch", 3)
        call.get()
        assert call.slept == pytest.approx(number // 3 * 60, abs=0.1)
    call.session.pace("another kind", 3)
    assert call.slept == pytest.approx(120, abs=0.1)
    assert {one.why for one in call.waits} == {Why.MINUTE}


def test_waiting_for_a_kind_of_call_ends_when_asked_to_stop() -> None:
    asked: list[bool] = []

    def after_a_while() -> bool:
        asked.append(True)
        return len(asked) > 20

    call = Call(reply(), should_stop=after_a_while)
    call.session.pace("batch", 1)
    with pytest.raises(Stopped):
        call.session.pace("batch", 1)
    assert call.slept < 60
