"""Xero's consent page, tokens and connections."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from portal.sandbox.server import Running

APP = ("counterpart-sandbox", "sandbox-secret")
BACK = "http://localhost:5000/apps/xero/callback"
SCOPE = "openid profile email offline_access practicemanager.client"
VERIFIER = "a-verifier-of-more-than-forty-three-characters-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def ask_for_consent(sandbox: Running, **changes: str) -> requests.Response:
    values = {
        "response_type": "code", "client_id": APP[0], "redirect_uri": BACK, "scope": SCOPE, "state": "s-1",
        "code_challenge": CHALLENGE, "code_challenge_method": "S256", **changes,
    }  # fmt: skip
    return requests.get(
        f"{sandbox.url}/xero/identity/connect/authorize", params=values, timeout=10, allow_redirects=False
    )


def press(sandbox: Running, page: str, decision: str, tenants: list[str] | None = None) -> dict[str, str]:
    """Fill in the form of the page as a browser would; the query the browser is sent back with."""
    hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page)
    ticked = re.findall(r'name="tenant" value="([^"]+)" checked', page)
    form = [
        *hidden,
        *[("tenant", tenant) for tenant in (ticked if tenants is None else tenants)],
        ("decision", decision),
    ]
    answer = requests.post(
        f"{sandbox.url}/xero/identity/connect/authorize", data=form, timeout=10, allow_redirects=False
    )
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(BACK)
    return {key: values[0] for key, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def consent(sandbox: Running, **changes: str) -> str:
    """A code."""
    back = press(sandbox, ask_for_consent(sandbox, **changes).text, "allow")
    assert back["state"] == "s-1"
    return back["code"]


def exchange(sandbox: Running, code: str, verifier: str = VERIFIER, **more: Any) -> requests.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": verifier}
    return requests.post(f"{sandbox.url}/xero/connect/token", data=form, timeout=10, **(more or {"auth": APP}))


def refresh(sandbox: Running, token: str) -> requests.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return requests.post(f"{sandbox.url}/xero/connect/token", data=form, auth=APP, timeout=10)


def connections(sandbox: Running, token: str, **query: str) -> Any:
    return requests.get(
        f"{sandbox.url}/xero/connections", headers={"Authorization": f"Bearer {token}"}, params=query, timeout=10
    )


def claims(token: str) -> dict[str, Any]:
    head, body, signature = token.split(".")
    assert signature
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["alg"] == "RS256"
    return dict(json.loads(base64.urlsafe_b64decode(body + "==")))


def test_the_consent_page_says_it_is_a_sandbox_and_lists_accounts_and_scopes(sandbox: Running) -> None:
    page = ask_for_consent(sandbox)
    assert page.status_code == 200
    for text in ("Sandbox: no real Xero here", "Marlow &amp; Co", "Marlow &amp; Co Ltd", "Harbour Street Advisers"):
        assert text in page.text
    assert "practicemanager.client" in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "<script" not in page.text
    assert "style=" not in page.text


def test_allowing_gives_tokens_that_reach_the_ticked_accounts(sandbox: Running) -> None:
    tokens = exchange(sandbox, consent(sandbox)).json()
    assert tokens["expires_in"] == 1800
    assert tokens["token_type"] == "Bearer"
    assert {"access_token", "refresh_token", "id_token", "scope"} <= set(tokens)
    found = connections(sandbox, tokens["access_token"]).json()
    assert {(one["tenantName"], one["tenantType"]) for one in found} == {
        ("Marlow & Co", "PRACTICEMANAGER"), ("Marlow & Co Ltd", "ORGANISATION"),
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}", found[0]["createdDateUtc"])
    event = claims(tokens["access_token"])["authentication_event_id"]
    assert len(connections(sandbox, tokens["access_token"], authEventId=event).json()) == 2
    assert connections(sandbox, tokens["access_token"], authEventId="another").json() == []


def test_the_access_token_looks_like_the_real_one(sandbox: Running) -> None:
    found = claims(exchange(sandbox, consent(sandbox)).json()["access_token"])
    assert found["exp"] - found["nbf"] == 1800
    assert found["iss"] == "https://identity.xero.com"
    assert found["scope"] == SCOPE.split()
    assert {"aud", "client_id", "sub", "auth_time", "xero_userid", "global_session_id", "jti"} <= set(found)


def test_denying_sends_the_person_back_with_access_denied(sandbox: Running) -> None:
    back = press(sandbox, ask_for_consent(sandbox).text, "deny")
    assert back["error"] == "access_denied"
    assert back["state"] == "s-1"
    assert "code" not in back


def test_an_unknown_app_or_a_foreign_return_address_gets_no_redirect(sandbox: Running) -> None:
    assert ask_for_consent(sandbox, client_id="nobody").status_code == 400
    assert ask_for_consent(sandbox, redirect_uri="https://evil.example/back").status_code == 400


def test_an_unknown_scope_is_refused(sandbox: Running) -> None:
    answer = ask_for_consent(sandbox, scope="openid something.else")
    assert "error=invalid_scope" in answer.headers["Location"]


def test_a_wrong_pkce_verifier_is_refused_and_the_right_one_still_works(sandbox: Running) -> None:
    code = consent(sandbox)
    wrong = exchange(sandbox, code, "x" * 50)
    assert (wrong.status_code, wrong.json()) == (400, {"error": "invalid_grant"})
    assert exchange(sandbox, code).status_code == 200


def test_a_code_works_once_and_for_five_minutes(sandbox: Running) -> None:
    code = consent(sandbox)
    assert exchange(sandbox, code).status_code == 200
    assert exchange(sandbox, code).json() == {"error": "invalid_grant"}
    late = consent(sandbox)
    sandbox.control.clock(advance_seconds=301)
    assert exchange(sandbox, late).json() == {"error": "invalid_grant"}


def test_the_secret_may_come_in_the_form_and_a_wrong_one_is_refused(sandbox: Running) -> None:
    form = {"grant_type": "authorization_code", "redirect_uri": BACK, "code_verifier": VERIFIER}
    form |= {"client_id": APP[0], "client_secret": APP[1], "code": consent(sandbox)}
    url = f"{sandbox.url}/xero/connect/token"
    assert requests.post(url, data=form, timeout=10).status_code == 200
    wrong = requests.post(url, data={**form, "client_secret": "guess"}, timeout=10)
    assert (wrong.status_code, wrong.json()) == (400, {"error": "invalid_client"})


def test_every_refresh_gives_a_new_pair_and_the_old_token_may_be_replayed_for_half_an_hour(sandbox: Running) -> None:
    first = exchange(sandbox, consent(sandbox)).json()
    second = refresh(sandbox, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    sandbox.control.clock(advance_seconds=29 * 60)
    assert refresh(sandbox, first["refresh_token"]).status_code == 200
    sandbox.control.clock(advance_seconds=2 * 60)
    late = refresh(sandbox, first["refresh_token"])
    assert (late.status_code, late.json()) == (400, {"error": "invalid_grant"})
    assert refresh(sandbox, second["refresh_token"]).status_code == 200


def test_a_refresh_token_dies_after_sixty_days_without_use(sandbox: Running) -> None:
    tokens = exchange(sandbox, consent(sandbox)).json()
    sandbox.control.clock(advance_seconds=59 * 86_400)
    renewed = refresh(sandbox, tokens["refresh_token"])
    assert renewed.status_code == 200
    sandbox.control.clock(advance_seconds=61 * 86_400)
    assert refresh(sandbox, renewed.json()["refresh_token"]).json() == {"error": "invalid_grant"}


def test_an_access_token_expires_after_half_an_hour_and_says_when(sandbox: Running) -> None:
    token = exchange(sandbox, consent(sandbox)).json()["access_token"]
    sandbox.control.clock(advance_seconds=1801)
    answer = connections(sandbox, token)
    assert answer.status_code == 401
    assert re.fullmatch(r"TokenExpired: token expired at \d\d/\d\d/\d{4} \d\d:\d\d:\d\d", answer.json()["Detail"])
    assert answer.headers["WWW-Authenticate"] == "Bearer error=invalid_token"


def test_without_offline_access_there_is_no_refresh_token(sandbox: Running) -> None:
    tokens = exchange(sandbox, consent(sandbox, scope="practicemanager.client.read")).json()
    assert "refresh_token" not in tokens
    assert "id_token" not in tokens


def test_scopes_add_up_over_consents(sandbox: Running) -> None:
    consent(sandbox, scope="offline_access practicemanager.client")
    tokens = exchange(sandbox, consent(sandbox, scope="offline_access practicemanager.staff")).json()
    assert set(tokens["scope"].split()) == {"offline_access", "practicemanager.client", "practicemanager.staff"}


def test_disconnecting_goes_by_the_connection_and_not_by_the_tenant(sandbox: Running) -> None:
    token = exchange(sandbox, consent(sandbox)).json()["access_token"]
    one = connections(sandbox, token).json()[0]
    headers = {"Authorization": f"Bearer {token}"}

    def remove(what: str) -> int:
        return requests.delete(f"{sandbox.url}/xero/connections/{what}", headers=headers, timeout=10).status_code

    assert remove(one["tenantId"]) == 403
    assert remove(one["id"]) == 204
    assert remove(one["id"]) == 404
    assert len(connections(sandbox, token).json()) == 1


def test_connecting_again_keeps_the_connection_and_moves_its_date(sandbox: Running) -> None:
    token = exchange(sandbox, consent(sandbox)).json()["access_token"]
    before = connections(sandbox, token).json()[0]
    sandbox.control.clock(advance_seconds=60)
    after = connections(sandbox, exchange(sandbox, consent(sandbox)).json()["access_token"]).json()[0]
    assert after["id"] == before["id"]
    assert after["createdDateUtc"] == before["createdDateUtc"]
    assert after["updatedDateUtc"] > before["updatedDateUtc"]


def test_revoking_ends_the_refresh_token_and_every_connection(sandbox: Running) -> None:
    tokens = exchange(sandbox, consent(sandbox)).json()
    url = f"{sandbox.url}/xero/connect/revocation"
    answer = requests.post(url, data={"token": tokens["refresh_token"]}, auth=APP, timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")
    assert refresh(sandbox, tokens["refresh_token"]).json() == {"error": "invalid_grant"}
    assert connections(sandbox, tokens["access_token"]).status_code == 401


def test_the_discovery_document_names_the_sandbox(sandbox: Running) -> None:
    found = requests.get(f"{sandbox.url}/xero/.well-known/openid-configuration", timeout=10).json()
    assert found["token_endpoint"] == f"{sandbox.url}/xero/connect/token"


def test_token_calls_are_recorded(sandbox: Running) -> None:
    exchange(sandbox, consent(sandbox))
    assert [call["method"] for call in sandbox.control.calls(path="connect/token")] == ["POST"]


@pytest.mark.parametrize("client", ["tester", "another"])
def test_any_registered_app_can_be_given_tokens(sandbox: Running, client: str) -> None:
    sandbox.control.ask("POST", "apps", {"client_id": client, "client_secret": "s"})
    tokens = sandbox.control.tokens(client_id=client, tenants=["Marlow & Co"], scopes=["practicemanager.client"])
    assert claims(tokens["access_token"])["client_id"] == client
    assert len(connections(sandbox, tokens["access_token"]).json()) == 1
