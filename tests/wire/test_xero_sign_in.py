"""Signing in at Xero: consent, tokens, accounts, giving permission back."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from portal.adapters.base import NeedsReconnect, Rejected, Tokens, Unavailable
from portal.adapters.oauth import challenge_for, redirect_problem
from portal.adapters.xero_sign_in import claims
from tests.adapters.conftest import CLIENT_ID, CLIENT_SECRET, PRACTICE, SCOPES, Door

VERIFIER = "v" * 64
BACK = "http://localhost:5000/apps/callback"
SECRET = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


def consent(door: Door, tenants: tuple[str, ...] = (PRACTICE,)) -> str:
    """What a person does at the vendor's page; the code they come back with."""
    url = door.adapter.authorize_url(
        client_id=CLIENT_ID, state="some-state", challenge=challenge_for(VERIFIER), redirect_uri=BACK,
        scopes=door.adapter.info.scopes,
    )  # fmt: skip
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    form = [*asked.items(), ("decision", "allow"), *(("tenant", one) for one in tenants)]
    page = urlsplit(url)
    answer = requests.post(f"{page.scheme}://{page.netloc}{page.path}", data=form, allow_redirects=False, timeout=5)
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["state"] == ["some-state"]
    return back["code"][0]


def exchange(door: Door, code: str, verifier: str = VERIFIER) -> Tokens:
    return door.adapter.exchange(**SECRET, code=code, verifier=verifier, redirect_uri=BACK)


def test_the_challenge_is_the_hash_of_the_verifier() -> None:
    expected = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    assert challenge_for(VERIFIER) == expected


def test_a_consent_ends_in_tokens_and_the_ticked_practice(door: Door) -> None:
    tokens = exchange(door, consent(door))
    assert timedelta(minutes=29) < tokens.expires_at - datetime.now(UTC) <= timedelta(minutes=30)
    assert set(tokens.scope.split()) >= set(SCOPES)  # the vendor adds what earlier consents allowed
    assert tokens.subject
    assert tokens.grant_event == claims(tokens.access_token)["authentication_event_id"]
    (account,) = door.adapter.accounts(access_token=tokens.access_token, answer={})
    assert (account.remote_id, account.name, account.kind) == (PRACTICE, "Marlow & Co", "PRACTICEMANAGER")
    assert account.grant_id not in ("", PRACTICE)


def test_accounts_of_another_kind_are_left_out(door: Door) -> None:
    everything = [one["id"] for one in door.sandbox.control.tenants()]
    tokens = exchange(door, consent(door, tuple(everything)))
    assert {one.kind for one in door.adapter.accounts(access_token=tokens.access_token, answer={})} == {
        "PRACTICEMANAGER"
    }


def test_only_what_was_ticked_this_time_is_offered(door: Door) -> None:
    other = next(one["id"] for one in door.sandbox.control.tenants() if one["name"] == "Harbour Street Advisers")
    exchange(door, consent(door, (PRACTICE,)))
    tokens = exchange(door, consent(door, (other,)))
    assert [one.remote_id for one in door.adapter.accounts(access_token=tokens.access_token, answer={})] == [other]


def test_a_code_is_good_once_and_with_its_own_verifier(door: Door) -> None:
    """Fault row 41."""
    code = consent(door)
    exchange(door, code)
    with pytest.raises(NeedsReconnect):
        exchange(door, code)
    with pytest.raises(NeedsReconnect):
        exchange(door, consent(door), verifier="w" * 64)


def test_tokens_rotate(door: Door) -> None:
    first = exchange(door, consent(door))
    second = door.adapter.refresh(**SECRET, tokens=first)
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token


def test_a_dead_refresh_token_needs_a_person(door: Door) -> None:
    """Fault row 35."""
    tokens = exchange(door, consent(door))
    door.sandbox.control.revoke()
    with pytest.raises(NeedsReconnect) as caught:
        door.adapter.refresh(**SECRET, tokens=tokens)
    assert caught.value.vendor_text == "invalid_grant"


def test_our_own_wrong_secret_is_no_reason_to_reconnect(door: Door) -> None:
    tokens = exchange(door, consent(door))
    with pytest.raises(Rejected, match="client id and secret"):
        door.adapter.refresh(client_id=CLIENT_ID, client_secret="mistyped", tokens=tokens)


@pytest.mark.parametrize(
    "fault",
    [{"kind": "status", "status": 500}, {"kind": "status", "status": 200, "body": "<html>hello</html>"},
     {"kind": "garbage", "garbage": "html"}, {"kind": "drop"}, {"kind": "status", "status": 400, "body": "<html>"},
     {"kind": "rate_limited", "retry_after": 5}, {"kind": "status", "status": 302, "headers": {"Location": "/x"}}],
)  # fmt: skip
def test_trouble_at_the_token_endpoint_passes(door: Door, fault: dict) -> None:
    """Fault row 37."""
    tokens = exchange(door, consent(door))
    door.sandbox.control.fault(fault.pop("kind"), vendor="xero-identity", path="connect/token", **fault)
    with pytest.raises(Unavailable):
        door.adapter.refresh(**SECRET, tokens=tokens)
    assert len(door.sandbox.control.calls(path="connect/token")) == 2, "one exchange, one refresh, no repeats"


def test_permission_for_one_account_can_be_given_back(door: Door) -> None:
    everything = tuple(one["id"] for one in door.sandbox.control.tenants())
    tokens = exchange(door, consent(door, everything))
    first, second = door.adapter.accounts(access_token=tokens.access_token, answer={})
    assert door.adapter.revoke(**SECRET, tokens=tokens, grant_id=first.grant_id, is_last=False)
    assert door.adapter.accounts(access_token=tokens.access_token, answer={}) == [second]
    assert door.adapter.revoke(**SECRET, tokens=tokens, grant_id=first.grant_id, is_last=False)


@pytest.mark.parametrize(
    ("address", "is_fine"),
    [("https://portal.example/apps/callback", True), ("http://localhost:5000/apps/callback", True),
     ("http://127.0.0.1:5000/apps/callback", False), ("http://portal.example/apps/callback", False)],
)  # fmt: skip
def test_xero_sends_people_back_to_https_or_localhost_only(door: Door, address: str, is_fine: bool) -> None:
    assert bool(redirect_problem("Xero", address)) != is_fine
    if not is_fine:
        with pytest.raises(Rejected, match="Xero"):
            door.adapter.authorize_url(
                client_id=CLIENT_ID, state="s", challenge="c", redirect_uri=address, scopes=("openid",)
            )


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.W10.c", "..", "a.eyJ4Ijo.c"])
def test_a_token_that_says_nothing_about_itself_is_no_trouble(token: str) -> None:
    assert claims(token) == {}


def test_tokens_do_not_show_themselves() -> None:
    """Fault row 40."""
    assert "secret" not in repr(Tokens("secret-access", "secret-refresh", datetime.now(UTC)))
