"""Signing in, as far as vendors agree on it: how a token endpoint is asked, and what its answers mean."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from portal.adapters.base import AdapterError, NeedsReconnect, Rejected, Tokens, Unavailable
from portal.adapters.http import AnswerLost, Reply, Request, TooLarge
from portal.adapters.oauth import OAuth, Style

START = datetime(2026, 11, 3, tzinfo=UTC)
SECRET = {"client_id": "mine", "client_secret": "s3cret"}
HELD = Tokens("access-1", "refresh-1", START)
GOOD = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 1800, "scope": "a b"}


@dataclass
class Vendor:
    """A token endpoint that says one thing."""

    status: int = 200
    body: Any = field(default_factory=lambda: dict(GOOD))
    trouble: Exception | None = None
    asked: list[Request] = field(default_factory=list)

    def allow(self, *bases: str) -> None:
        pass

    def send(self, request: Request, patience: object) -> Reply:
        self.asked.append(request)
        if self.trouble:
            raise self.trouble
        data = self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()
        return Reply(self.status, {"content-type": "application/json"}, io.BytesIO(data), len(data))

    def sign_in(self, style: Style = Style.BASIC_FORM) -> OAuth:
        return OAuth(
            self, vendor="Vendor", authorize_url="https://v.example/authorize?kind=web",  # type: ignore[arg-type]  # all that is used of a transport
            token_url="https://v.example/token", style=style, access_life=900, now=lambda: START,
        )  # fmt: skip


def test_the_page_people_are_sent_to_carries_what_was_asked_and_nothing_twice() -> None:
    url = Vendor().sign_in().page(
        client_id="mine", state="st+a/te=", redirect_uri="https://p.example/back", scopes=("a", "b"), prompt="login"
    )  # fmt: skip
    assert parse_qs(urlsplit(url).query) == {
        "kind": ["web"], "response_type": ["code"], "client_id": ["mine"], "redirect_uri": ["https://p.example/back"],
        "scope": ["a b"], "state": ["st+a/te="], "prompt": ["login"],
    }  # fmt: skip


def test_some_want_a_form_with_the_secret_in_the_header() -> None:
    vendor = Vendor()
    vendor.sign_in().exchange(**SECRET, code="c&d", redirect_uri="https://p.example/back", code_verifier="v")
    (request,) = vendor.asked
    assert request.auth == ("mine", "s3cret")
    assert request.body is not None
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["authorization_code"], "code": ["c&d"], "redirect_uri": ["https://p.example/back"],
        "code_verifier": ["v"],
    }  # fmt: skip


def test_others_want_everything_as_json() -> None:
    vendor = Vendor()
    vendor.sign_in(Style.JSON).refresh(**SECRET, tokens=HELD)
    (request,) = vendor.asked
    assert request.auth is None
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body or b"") == {
        "grant_type": "refresh_token", "refresh_token": "refresh-1", "client_id": "mine", "client_secret": "s3cret",
    }  # fmt: skip
    assert "s3cret" not in repr(request)


def test_tokens_live_from_when_they_were_asked_for() -> None:
    made = Vendor().sign_in().refresh(**SECRET, tokens=HELD)
    assert (made.access_token, made.refresh_token, made.scope) == ("access-2", "refresh-2", "a b")
    assert made.expires_at == START + timedelta(seconds=1800)
    made = Vendor(body={**GOOD, "expires_in": "60"}).sign_in().refresh(**SECRET, tokens=HELD)
    assert made.expires_at == START + timedelta(seconds=60)


@pytest.mark.parametrize("life", [None, 0, -1, "soon", 10**12, True])
def test_a_life_that_makes_no_sense_is_the_vendors_usual_one(life: Any) -> None:
    made = Vendor(body={**GOOD, "expires_in": life}).sign_in().refresh(**SECRET, tokens=HELD)
    assert made.expires_at == START + timedelta(seconds=900)


@pytest.mark.parametrize("returned", [None, ""])
def test_without_a_new_refresh_token_the_old_one_goes_on(returned: Any) -> None:
    made = Vendor(body={**GOOD, "refresh_token": returned}).sign_in().refresh(**SECRET, tokens=HELD)
    assert made.refresh_token == "refresh-1"


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [(400, {"error": "invalid_grant", "error_description": "gone"}, NeedsReconnect),
     (400, {"error": {"code": "INVALID_GRANT", "message": "gone"}}, NeedsReconnect),
     (401, {"error": "invalid_client"}, Rejected), (401, {"error": {"code": "INVALID_CLIENT"}}, Rejected),
     (400, {"error": "unsupported_grant_type"}, Rejected), (400, {"error": {"message": "no code"}}, Unavailable),
     (400, "<html>", Unavailable), (500, {"error": "invalid_grant"}, Unavailable), (200, {}, Unavailable),
     (200, "<html>hello</html>", Unavailable), (200, {"access_token": 7}, Unavailable), (302, "", Unavailable),
     (429, {"error": "slow_down"}, Unavailable)],
)  # fmt: skip
def test_what_an_answer_means(status: int, body: Any, meaning: type[AdapterError]) -> None:
    """Fault rows 35 and 37: only a clear word ends a sign-in; everything else may pass, and nothing is sent twice."""
    vendor = Vendor(status, body)
    with pytest.raises(meaning):
        vendor.sign_in().refresh(**SECRET, tokens=HELD)
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("trouble", [AnswerLost("did not answer in time"), TooLarge("more than 1 MB")])
def test_a_lost_answer_may_pass_and_is_not_asked_for_again(trouble: Exception) -> None:
    """Fault row 37."""
    vendor = Vendor(trouble=trouble)
    with pytest.raises(Unavailable):
        vendor.sign_in().refresh(**SECRET, tokens=HELD)
    assert len(vendor.asked) == 1


def test_what_a_vendor_echoes_of_our_secrets_is_struck_out() -> None:
    """Fault row 40."""
    body = {"error": "invalid_grant", "error_description": "bad refresh_token=refresh-1&x"}
    with pytest.raises(NeedsReconnect) as caught:
        Vendor(400, body).sign_in().refresh(**SECRET, tokens=HELD)
    assert "refresh-1" not in caught.value.vendor_text
