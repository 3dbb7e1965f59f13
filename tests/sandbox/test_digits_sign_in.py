"""Allowing an app into a Digits business, and its tokens."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from portal.sandbox.server import Running

BACK = "http://localhost:5000/apps/digits/callback"
SCOPE = "source:sync ledger:read"
APP = {"client_id": "counterpart-sandbox", "client_secret": "sandbox-secret"}


def ask_for_consent(sandbox: Running, **changes: str) -> requests.Response:
    values = {
        "response_type": "code", "client_id": APP["client_id"], "redirect_uri": BACK, "scope": SCOPE,
        "state": "s/1+2=", **changes,
    }  # fmt: skip
    url = f"{sandbox.url}/digits/v1/oauth/authorize"
    return requests.get(url, params=values, timeout=10, allow_redirects=False)


def press(sandbox: Running, page: str, decision: str, business: str = "") -> dict[str, str]:
    """Fill in the form as a browser would; the query the browser is sent back with."""
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    (checked,) = re.findall(r'type="radio" name="tenant" value="([^"]+)" checked', page)
    form = {**hidden, "tenant": business or checked, "decision": decision}
    url = f"{sandbox.url}/digits/v1/oauth/authorize"
    answer = requests.post(url, data=form, timeout=10, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(BACK)
    return {key: values[0] for key, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def consent(sandbox: Running, business: str = "") -> str:
    back = press(sandbox, ask_for_consent(sandbox).text, "allow", business)
    assert back["state"] == "s/1+2="
    return back["code"]


def token(sandbox: Running, form: bool = False, **values: Any) -> requests.Response:
    url = f"{sandbox.url}/digits/v1/oauth/token"
    return requests.post(url, timeout=10, **{"data" if form else "json": {**APP, **values}})


def exchange(sandbox: Running, code: str, **changes: Any) -> requests.Response:
    return token(sandbox, **{"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **changes})


def refresh(sandbox: Running, held: str) -> requests.Response:
    return token(sandbox, grant_type="refresh_token", refresh_token=held)


def company(sandbox: Running, access: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {access}"}
    return requests.get(f"{sandbox.url}/digits/v1/company", headers=headers, timeout=10)


def test_the_consent_page_says_it_is_a_sandbox_and_lists_businesses_and_scopes(sandbox: Running) -> None:
    page = ask_for_consent(sandbox)
    assert page.status_code == 200
    for text in ("Sandbox: no real Digits here", "Marlow &amp; Co", "Harbour Street Advisers", "source:sync"):
        assert text in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "<script" not in page.text
    assert "style=" not in page.text


def test_allowing_gives_tokens_for_the_chosen_business_alone(sandbox: Running) -> None:
    other = next(
        one["id"] for one in sandbox.control.tenants()
        if (one["vendor"], one["name"]) == ("digits", "Harbour Street Advisers")
    )  # fmt: skip
    tokens = exchange(sandbox, consent(sandbox, other)).json()
    assert set(tokens) == {"access_token", "refresh_token", "expires_in", "token_type", "scope"}
    assert (tokens["expires_in"], tokens["token_type"], tokens["scope"]) == (3600, "Bearer", SCOPE)
    assert company(sandbox, tokens["access_token"]).json()["company"]["name"] == "Harbour Street Advisers"


def test_denying_sends_the_person_back_with_access_denied(sandbox: Running) -> None:
    back = press(sandbox, ask_for_consent(sandbox).text, "deny")
    assert (back["error"], back["state"]) == ("access_denied", "s/1+2=")
    assert "code" not in back


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "nobody"}, {"redirect_uri": "https://evil.example/back"}, {"redirect_uri": f"{BACK}#there"}],
)
def test_an_unknown_app_or_address_gets_no_redirect(sandbox: Running, changes: dict[str, str]) -> None:
    answer = ask_for_consent(sandbox, **changes)
    assert answer.status_code == 400
    assert "This app cannot be installed" in answer.text


def test_a_registered_address_elsewhere_is_fine(sandbox: Running) -> None:
    values = {"client_id": "mine", "client_secret": "s", "redirect_uris": ["https://portal.example/back"]}
    sandbox.control.ask("POST", "digits/apps", values)
    page = ask_for_consent(sandbox, client_id="mine", redirect_uri="https://portal.example/back")
    assert page.status_code == 200
    assert ask_for_consent(sandbox, client_id="mine", redirect_uri="https://portal.example/back/").status_code == 400


@pytest.mark.parametrize("scope", ["", "ledger.read", "source:sync organization:sync"])
def test_an_unknown_or_gated_scope_is_refused(sandbox: Running, scope: str) -> None:
    assert "error=invalid_scope" in ask_for_consent(sandbox, scope=scope).headers["Location"]


def test_the_code_is_base64_with_its_padding(sandbox: Running) -> None:
    assert re.fullmatch(r"[A-Za-z0-9+/]+=+", consent(sandbox))


def test_a_code_works_once_for_ten_minutes_and_one_address(sandbox: Running) -> None:
    code = consent(sandbox)
    wrong = exchange(sandbox, code, redirect_uri="http://localhost:5000/elsewhere")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    assert exchange(sandbox, code).status_code == 200
    assert exchange(sandbox, code).json()["error"] == "invalid_grant"
    late = consent(sandbox)
    sandbox.control.clock(advance_seconds=601)
    assert exchange(sandbox, late).json()["error"] == "invalid_grant"


def test_a_wrong_secret_or_grant_type_is_refused(sandbox: Running) -> None:
    code = consent(sandbox)
    wrong = exchange(sandbox, code, client_secret="guess")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert token(sandbox, grant_type="password").json()["error"] == "unsupported_grant_type"
    assert requests.post(f"{sandbox.url}/digits/v1/oauth/token", data=b"[", timeout=10).status_code == 401
    assert exchange(sandbox, code).status_code == 200


def test_camel_case_and_forms_are_understood_and_answered_in_snake_case(sandbox: Running) -> None:
    camel = {
        "grantType": "authorization_code", "clientId": APP["client_id"], "clientSecret": APP["client_secret"],
        "code": consent(sandbox), "redirectUri": BACK,
    }  # fmt: skip
    first = requests.post(f"{sandbox.url}/digits/v1/oauth/token", json=camel, timeout=10).json()
    assert "refresh_token" in first
    form = token(sandbox, form=True, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert "access_token" in form.json()
    again = token(sandbox, grant_type="", grantType="refresh_token", refreshToken=first["refresh_token"])
    assert "access_token" in again.json()


def test_http_basic_counts_only_when_the_switch_says_so(sandbox: Running) -> None:
    url = f"{sandbox.url}/digits/v1/oauth/token"
    auth = (APP["client_id"], APP["client_secret"])
    body = {"grant_type": "client_credentials"}
    assert requests.post(url, json=body, auth=auth, timeout=10).status_code == 401
    sandbox.control.state(digits_basic_auth=True)
    assert requests.post(url, json=body, auth=auth, timeout=10).status_code == 200


def test_client_credentials_reach_the_first_business_without_a_refresh_token(sandbox: Running) -> None:
    tokens = token(sandbox, grant_type="client_credentials").json()
    assert "refresh_token" not in tokens
    assert company(sandbox, tokens["access_token"]).json()["company"]["name"] == "Marlow & Co"
    sandbox.control.state(digits_client_credentials=False)
    assert token(sandbox, grant_type="client_credentials").json()["error"] == "unsupported_grant_type"


def test_an_access_token_lives_an_hour(sandbox: Running) -> None:
    tokens = exchange(sandbox, consent(sandbox)).json()
    sandbox.control.clock(advance_seconds=3599)
    assert company(sandbox, tokens["access_token"]).status_code == 200
    sandbox.control.clock(advance_seconds=2)
    late = company(sandbox, tokens["access_token"])
    assert (late.status_code, late.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    renewed = refresh(sandbox, tokens["refresh_token"]).json()
    assert company(sandbox, renewed["access_token"]).status_code == 200


def test_a_refresh_gives_a_new_refresh_token_and_the_old_one_keeps_working(sandbox: Running) -> None:
    first = exchange(sandbox, consent(sandbox)).json()
    second = refresh(sandbox, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    sandbox.control.clock(advance_seconds=400 * 86_400)
    assert refresh(sandbox, first["refresh_token"]).status_code == 200
    assert refresh(sandbox, second["refresh_token"]).status_code == 200


def test_by_switch_a_refresh_ends_the_old_token_or_gives_none(sandbox: Running) -> None:
    first = exchange(sandbox, consent(sandbox)).json()["refresh_token"]
    sandbox.control.state(digits_refresh_returns="absent")
    assert "refresh_token" not in refresh(sandbox, first).json()
    sandbox.control.state(digits_refresh_returns="same")
    assert refresh(sandbox, first).json()["refresh_token"] == first
    sandbox.control.state(digits_refresh_returns="new", digits_refresh_ends_old=True)
    second = refresh(sandbox, first).json()["refresh_token"]
    assert refresh(sandbox, first).json()["error"] == "invalid_grant"
    assert refresh(sandbox, second).status_code == 200


def test_uninstalling_in_one_business_ends_its_tokens_and_no_others(sandbox: Running) -> None:
    mine = sandbox.control.tokens(vendor="digits", tenants=["Marlow & Co"])
    theirs = sandbox.control.tokens(vendor="digits", tenants=["Harbour Street Advisers"])
    sandbox.control.revoke("Marlow & Co", vendor="digits")
    assert company(sandbox, mine["access_token"]).status_code == 401
    assert refresh(sandbox, mine["refresh_token"]).json()["error"] == "invalid_grant"
    assert company(sandbox, theirs["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("form", "kind", "text"),
    [("oauth", "application/json", '"error": "invalid_grant"'), ("envelope", "application/json", '"INVALID_GRANT"'),
     ("text", "text/plain", "The refresh token is not valid.")],
)  # fmt: skip
def test_errors_of_the_token_endpoint_come_in_the_form_of_the_switch(
    sandbox: Running, form: str, kind: str, text: str
) -> None:
    sandbox.control.state(digits_oauth_error=form)
    answer = refresh(sandbox, "nonsense")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith(kind)
    assert text in answer.text


def test_tokens_without_a_browser_are_for_one_business_and_the_asked_scopes(sandbox: Running) -> None:
    tokens = sandbox.control.tokens(vendor="digits", scopes=["ledger:read"])
    assert tokens["scope"] == "ledger:read"
    with pytest.raises(Exception, match="one business"):
        sandbox.control.tokens(vendor="digits", tenants=["Marlow & Co", "Harbour Street Advisers"])
    with pytest.raises(Exception, match="no app"):
        sandbox.control.tokens(vendor="digits", client_id="nobody")


def test_a_revoked_app_is_told_so_when_it_refreshes(sandbox: Running) -> None:
    held = sandbox.control.tokens(vendor="digits")["refresh_token"]
    sandbox.control.fault("revoked", vendor="digits", path="oauth/token", times=1)
    assert refresh(sandbox, held).json()["error"] == "invalid_grant"
    assert refresh(sandbox, held).status_code == 200
