"""Signing in at Intuit: consent to one company, tokens that rotate, giving the consent back."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from portal.adapters.base import NeedsReconnect, Rejected, Tokens, Unavailable
from portal.adapters.http import Transport
from portal.adapters.quickbooks import INFO, QuickBooks
from tests.adapters.conftest import CLIENT_ID, CLIENT_SECRET, Door
from tests.adapters.raw_server import saying
from tests.wire.quickbooks_company import door, spoil

__all__ = ["door"]  # a fixture of this file

MARLOW, HARBOUR = "9341453172846301", "9341453189920417"
BACK = "http://localhost:5000/apps/callback"
SECRET = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


def page_of(door: Door, back: str = BACK) -> str:
    return door.adapter.authorize_url(
        client_id=CLIENT_ID, state="some-state", challenge="c" * 43, redirect_uri=back, scopes=INFO.scopes
    )


def answer_of(door: Door, decision: str = "allow", realm: str = MARLOW) -> dict[str, str]:
    """What a person does at the vendor's page; what they are sent back with."""
    page = page_of(door)
    form = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', requests.get(page, timeout=5).text))
    answer = requests.post(
        page.partition("?")[0], data={**form, "realm": realm, "decision": decision}, allow_redirects=False, timeout=5
    )
    back = urlsplit(answer.headers["location"])
    return {name: values[0] for name, values in parse_qs(back.query).items()}


def exchange(door: Door, code: str) -> Tokens:
    return door.adapter.exchange(**SECRET, code=code, verifier="v" * 64, redirect_uri=BACK)


def test_a_consent_ends_in_tokens_and_the_company_that_was_chosen(door: Door) -> None:
    answer = answer_of(door, realm=HARBOUR)
    tokens = exchange(door, answer["code"])
    assert timedelta(minutes=59) < tokens.expires_at - datetime.now(UTC) <= timedelta(minutes=60)
    assert tokens.refresh_token
    (account,) = door.adapter.accounts(access_token=tokens.access_token, answer=answer)
    assert (account.remote_id, account.name) == (HARBOUR, "Harbour Street Advisers Inc")
    assert account.kind in INFO.account_kinds


def test_the_page_is_asked_for_without_what_intuit_does_not_know(door: Door) -> None:
    asked = parse_qs(urlsplit(page_of(door)).query)
    assert set(asked) == {"response_type", "client_id", "redirect_uri", "scope", "state"}
    assert asked["scope"] == ["com.intuit.quickbooks.accounting"]


@pytest.mark.parametrize("back", ["http://127.0.0.1:5000/apps/callback", "http://portal.example/apps/callback"])
def test_an_address_intuit_would_not_send_people_back_to_is_refused_before(door: Door, back: str) -> None:
    with pytest.raises(Rejected, match="QuickBooks"):
        page_of(door, back)


@pytest.mark.parametrize("realm", [None, "", "12a", "١٢٣", "../1", "9" * 31])
def test_a_company_that_is_no_number_is_refused_without_a_call(door: Door, realm: str | None) -> None:
    """Fault row 41."""
    with pytest.raises(Rejected, match="which company"):
        door.adapter.accounts(access_token="any", answer={} if realm is None else {"realmId": realm})
    assert not door.calls()


def test_a_company_of_another_consent_is_not_let_in(door: Door) -> None:
    """Fault rows 38 and 41."""
    answer = answer_of(door)
    tokens = exchange(door, answer["code"])
    with pytest.raises(NeedsReconnect):
        door.adapter.accounts(access_token=tokens.access_token, answer=answer | {"realmId": HARBOUR})


def test_a_code_is_spent_once(door: Door) -> None:
    """Fault row 41."""
    code = answer_of(door)["code"]
    exchange(door, code)
    with pytest.raises(NeedsReconnect):
        exchange(door, code)


def test_a_wrong_secret_is_said_to_be_one(door: Door) -> None:
    with pytest.raises(Rejected, match="client id and secret"):
        door.adapter.exchange(client_id=CLIENT_ID, client_secret="no", code="x", verifier="", redirect_uri=BACK)


def test_a_refresh_brings_another_pair_and_the_old_one_is_dead(door: Door) -> None:
    """Fault row 34."""
    first = exchange(door, answer_of(door)["code"])
    second = door.adapter.refresh(**SECRET, tokens=first)
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token
    with pytest.raises(NeedsReconnect):
        door.adapter.refresh(**SECRET, tokens=first)


def test_a_refresh_that_keeps_its_token_is_kept_too(door: Door) -> None:
    door.sandbox.control.state(quickbooks_rotate_every_refresh=False)
    first = exchange(door, answer_of(door)["code"])
    assert door.adapter.refresh(**SECRET, tokens=first).refresh_token == first.refresh_token


def test_a_sign_in_that_is_not_working_is_no_lost_connection(door: Door) -> None:
    """Fault row 37."""
    tokens = exchange(door, answer_of(door)["code"])
    spoil(door, "status", path="bearer", status=500, body="<html></html>")
    with pytest.raises(Unavailable):
        door.adapter.refresh(**SECRET, tokens=tokens)


def test_disconnecting_ends_the_consent_at_intuit(door: Door) -> None:
    tokens = exchange(door, answer_of(door)["code"])
    assert door.adapter.revoke(**SECRET, tokens=tokens, grant_id="", is_last=True)
    with pytest.raises(NeedsReconnect):
        door.adapter.refresh(**SECRET, tokens=tokens)


def test_a_consent_somebody_else_lives_by_is_not_ended(door: Door) -> None:
    tokens = exchange(door, answer_of(door)["code"])
    assert not door.adapter.revoke(**SECRET, tokens=tokens, grant_id="", is_last=False)
    assert door.adapter.refresh(**SECRET, tokens=tokens).access_token


def test_the_token_to_end_goes_out_as_json_with_the_portals_own_name() -> None:
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as server:
        adapter = QuickBooks(Transport(), lambda name: server.url)
        assert adapter.revoke(
            client_id="me", client_secret="secret", tokens=Tokens("access", "refresh", datetime.now(UTC)), grant_id="",
            is_last=True,
        )  # fmt: skip
    (head,) = server.requests
    assert head.startswith(b"POST /v2/oauth2/tokens/revoke HTTP/1.1")
    assert b"Content-Type: application/json" in head
    assert b"Authorization: Basic " + base64.b64encode(b"me:secret") in head


@pytest.mark.parametrize("status", [b"202 Accepted", b"400 Bad Request", b"500 Oops"])
def test_only_a_plain_yes_counts_as_disconnected(status: bytes) -> None:
    with saying(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n") as server:
        adapter = QuickBooks(Transport(), lambda name: server.url)
        with pytest.raises((Rejected, Unavailable)):
            adapter.revoke(
                client_id="me", client_secret="s", tokens=Tokens("a", "r", datetime.now(UTC)), grant_id="", is_last=True
            )


@pytest.mark.parametrize("ending", ["", "/"])
@pytest.mark.parametrize("with_paths", [False, True])
def test_addresses_may_come_with_their_paths_or_without(
    make_door: Callable[..., Door], sandbox: object, ending: str, with_paths: bool
) -> None:
    paths = {
        "QUICKBOOKS_API_URL": "/v3/company", "QUICKBOOKS_OAUTH_URL": "/oauth2/v1/tokens/bearer",
        "QUICKBOOKS_AUTHORIZE_URL": "/connect/oauth2", "QUICKBOOKS_REVOKE_URL": "/v2/oauth2/tokens/revoke",
    }  # fmt: skip
    base = f"{make_door(QuickBooks).sandbox.url}/quickbooks"
    door = make_door(QuickBooks, **{name: base + path * with_paths + ending for name, path in paths.items()})
    answer = answer_of(door)
    tokens = exchange(door, answer["code"])
    assert door.adapter.accounts(access_token=tokens.access_token, answer=answer)[0].name == "Marlow & Co"
    assert door.adapter.revoke(**SECRET, tokens=tokens, grant_id="", is_last=True)


def test_the_defaults_are_intuits_own_addresses() -> None:
    defaults = {one.name: one.default for one in INFO.settings}
    adapter = QuickBooks(Transport(), defaults.__getitem__)
    assert adapter.dialect.base_url == "https://quickbooks.api.intuit.com"
    assert adapter.consent_origin == "https://appcenter.intuit.com"
    url = adapter.authorize_url(client_id="a", state="s", challenge="", redirect_uri=BACK, scopes=INFO.scopes)
    assert url.startswith("https://appcenter.intuit.com/connect/oauth2?")
