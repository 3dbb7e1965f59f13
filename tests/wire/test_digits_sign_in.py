"""Signing in at Digits: a JSON token endpoint, one business a token, no way to give the permission back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from portal.adapters.base import NeedsReconnect, Rejected, Tokens
from portal.adapters.digits import INFO, Digits
from tests.adapters.conftest import CLIENT_ID, CLIENT_SECRET, Door

BACK = "http://localhost:5000/apps/callback"
SECRET = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    return make_door(Digits)


def consent(door: Door, decision: str = "allow") -> dict[str, str]:
    """What a person does at Digits; what they come back with."""
    url = door.adapter.authorize_url(
        client_id=CLIENT_ID, state="some+state/=", challenge="not sent", redirect_uri=BACK, scopes=INFO.scopes
    )
    page = urlsplit(url)
    asked = {name: values[0] for name, values in parse_qs(page.query).items()}
    assert set(asked) == {"response_type", "client_id", "redirect_uri", "scope", "state"}
    assert url.startswith(door.adapter.consent_origin)
    form = {**asked, "decision": decision, "tenant": door.account["id"], "business": door.account["id"]}
    answer = requests.post(f"{page.scheme}://{page.netloc}{page.path}", data=form, allow_redirects=False, timeout=5)
    back = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    assert back["state"] == "some+state/="
    return back


def exchange(door: Door, code: str) -> Tokens:
    return door.adapter.exchange(**SECRET, code=code, verifier="not sent", redirect_uri=BACK)


@pytest.mark.parametrize("form", ["wrapped", "flat"])
def test_a_consent_ends_in_tokens_and_the_business(door: Door, form: str) -> None:
    """DIG-1."""
    door.sandbox.control.state(digits_company_form=form)
    tokens = exchange(door, consent(door)["code"])
    assert timedelta(minutes=59) < tokens.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    assert set(tokens.scope.split()) == set(INFO.scopes)
    (account,) = door.adapter.accounts(access_token=tokens.access_token, answer={})
    assert (account.remote_id, account.name, account.kind) == (door.account["id"], "Marlow & Co", "BUSINESS")


def test_a_business_without_an_identifier_goes_by_its_name(door: Door) -> None:
    door.sandbox.control.state(digits_company_has_id=False)
    (account,) = door.adapter.accounts(access_token=door.token(), answer={})
    assert account.remote_id == account.name == "Marlow & Co"


def test_a_code_is_good_once(door: Door) -> None:
    """Fault row 41."""
    code = consent(door)["code"]
    exchange(door, code)
    with pytest.raises(NeedsReconnect):
        exchange(door, code)


def test_a_consent_that_was_refused_brings_no_code(door: Door) -> None:
    assert consent(door, "deny")["error"] == "access_denied"


@pytest.mark.parametrize("returns", ["new", "same", "absent"])
def test_whichever_refresh_token_comes_back_the_next_refresh_works(door: Door, returns: str) -> None:
    door.sandbox.control.state(digits_refresh_returns=returns, digits_refresh_ends_old=returns == "new")
    tokens = exchange(door, consent(door)["code"])
    for _round in range(2):
        again = door.adapter.refresh(**SECRET, tokens=tokens)
        assert again.refresh_token
        assert (again.refresh_token == tokens.refresh_token) == (returns != "new")
        tokens = again
    assert door.adapter.accounts(access_token=tokens.access_token, answer={})


@pytest.mark.parametrize("form", ["oauth", "envelope"])
def test_an_app_that_was_uninstalled_needs_a_person(door: Door, form: str) -> None:
    """Fault row 35."""
    door.sandbox.control.state(digits_oauth_error=form)
    tokens = exchange(door, consent(door)["code"])
    door.sandbox.control.revoke(vendor="digits")
    with pytest.raises(NeedsReconnect):
        door.adapter.refresh(**SECRET, tokens=tokens)


@pytest.mark.parametrize("form", ["oauth", "envelope"])
def test_our_own_wrong_secret_is_no_reason_to_reconnect(door: Door, form: str) -> None:
    door.sandbox.control.state(digits_oauth_error=form)
    tokens = exchange(door, consent(door)["code"])
    with pytest.raises(Rejected, match="client id and secret"):
        door.adapter.refresh(client_id=CLIENT_ID, client_secret="mistyped", tokens=tokens)


def test_a_permission_cannot_be_given_back_and_nobody_pretends(door: Door) -> None:
    """AP-08."""
    tokens = exchange(door, consent(door)["code"])
    assert door.adapter.revoke(**SECRET, tokens=tokens, grant_id="", is_last=True) is False


def test_addresses_digits_would_not_send_people_back_to_are_said_at_once(door: Door) -> None:
    with pytest.raises(Rejected, match="Digits"):
        door.adapter.authorize_url(
            client_id=CLIENT_ID, state="s", challenge="", redirect_uri="http://127.0.0.1:5000/x", scopes=INFO.scopes
        )
