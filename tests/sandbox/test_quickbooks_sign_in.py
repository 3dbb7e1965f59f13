"""QuickBooks' consent for one company, and tokens whose values change."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from portal.sandbox.client import ControlError
from portal.sandbox.server import Running
from tests.sandbox.company_app import CompanyApp

APP = ("counterpart-sandbox", "sandbox-secret")
BACK = "http://localhost:5000/apps/quickbooks/callback"
SCOPE = "com.intuit.quickbooks.accounting"
MARLOW, HARBOUR = "9341453172846301", "9341453189920417"


def ask_for_consent(sandbox: Running, **changes: str) -> requests.Response:
    values = {
        "client_id": APP[0], "response_type": "code", "scope": SCOPE, "redirect_uri": BACK, "state": "s-1", **changes,
    }  # fmt: skip
    return requests.get(f"{sandbox.url}/quickbooks/connect/oauth2", params=values, timeout=10, allow_redirects=False)


def press(sandbox: Running, page: str, decision: str, realm: str = MARLOW) -> dict[str, str]:
    """Fill in the form as a browser would; the query it is sent back with."""
    form = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    answer = requests.post(
        f"{sandbox.url}/quickbooks/connect/oauth2",
        data={**form, "realm": realm, "decision": decision},
        timeout=10,
        allow_redirects=False,
    )
    assert answer.status_code == 302
    return back_with(answer)


def back_with(answer: requests.Response) -> dict[str, str]:
    assert answer.headers["Location"].startswith(BACK)
    return {key: values[0] for key, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def consent(sandbox: Running, realm: str = MARLOW, **changes: str) -> dict[str, str]:
    return press(sandbox, ask_for_consent(sandbox, **changes).text, "allow", realm)


def token_call(sandbox: Running, *, app: tuple[str, str] = APP, headers: Any = None, **form: str) -> requests.Response:
    return requests.post(
        f"{sandbox.url}/quickbooks/oauth2/v1/tokens/bearer", data=form, auth=app, headers=headers, timeout=10
    )


def exchange(sandbox: Running, code: str, **more: Any) -> requests.Response:
    return token_call(sandbox, grant_type="authorization_code", code=code, **{"redirect_uri": BACK, **more})


def refresh(sandbox: Running, token: str, **more: Any) -> requests.Response:
    return token_call(sandbox, grant_type="refresh_token", refresh_token=token, **more)


def info(sandbox: Running, access: str, realm: str = MARLOW) -> int:
    headers = {"Authorization": f"Bearer {access}", "Accept": "application/json"}
    root = f"{sandbox.url}/quickbooks/v3/company/{realm}"
    return requests.get(f"{root}/companyinfo/{realm}", headers=headers, timeout=10).status_code


def test_the_page_says_it_is_a_sandbox_and_offers_one_company_of_two(sandbox: Running) -> None:
    page = ask_for_consent(sandbox)
    assert page.status_code == 200
    for text in ("Sandbox: no real QuickBooks here", "Marlow &amp; Co", "Harbour Street Advisers Inc", SCOPE):
        assert text in page.text
    assert len(re.findall(r'type="radio" name="realm"', page.text)) == 2
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]


def test_yes_to_one_company_brings_its_realm_in_the_callback_only(sandbox: Running) -> None:
    back = consent(sandbox, HARBOUR)
    assert (back["state"], back["realmId"]) == ("s-1", HARBOUR)
    reply = exchange(sandbox, back["code"]).json()
    assert set(reply) == {
        "token_type",
        "access_token",
        "expires_in",
        "refresh_token",
        "x_refresh_token_expires_in",
    }
    assert (reply["token_type"], reply["expires_in"]) == ("bearer", 3600)
    assert reply["x_refresh_token_expires_in"] == 8726400
    assert reply["refresh_token"].startswith("RT1-")
    assert info(sandbox, reply["access_token"], HARBOUR) == 200
    assert info(sandbox, reply["access_token"], MARLOW) == 403


def test_no_brings_the_refusal_and_the_state(sandbox: Running) -> None:
    assert press(sandbox, ask_for_consent(sandbox).text, "deny") == {"error": "access_denied", "state": "s-1"}


@pytest.mark.parametrize(
    "changes", [{"client_id": "nobody"}, {"redirect_uri": "https://portal.example/back"}, {"redirect_uri": ""}]
)
def test_an_unknown_app_or_return_address_gets_no_redirect(sandbox: Running, changes: dict[str, str]) -> None:
    page = ask_for_consent(sandbox, **changes)
    assert page.status_code == 400
    assert "cannot be connected" in page.text


def test_a_registered_app_may_return_elsewhere(sandbox: Running) -> None:
    sandbox.control.ask(
        "POST",
        "quickbooks/apps",
        {"client_id": "mine", "client_secret": "s", "redirect_uris": ["https://portal.example/back"]},
    )
    assert ask_for_consent(sandbox, client_id="mine", redirect_uri="https://portal.example/back").status_code == 200


def test_unknown_scopes_and_other_flows_are_sent_back(sandbox: Running) -> None:
    assert back_with(ask_for_consent(sandbox, scope="everything"))["error"] == "invalid_scope"
    assert back_with(ask_for_consent(sandbox, response_type="token"))["error"] == "unsupported_response_type"


def test_a_code_works_once_soon_and_for_the_same_address(sandbox: Running) -> None:
    code = consent(sandbox)["code"]
    wrong = exchange(sandbox, code, redirect_uri="http://localhost:5000/elsewhere")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    assert exchange(sandbox, code).status_code == 200
    assert exchange(sandbox, code).json()["error"] == "invalid_grant"
    late = consent(sandbox)["code"]
    sandbox.control.clock(advance_seconds=301)
    assert exchange(sandbox, late).json()["error"] == "invalid_grant"


def test_a_wrong_secret_is_an_invalid_client(sandbox: Running) -> None:
    code = consent(sandbox)["code"]
    answer = exchange(sandbox, code, app=(APP[0], "guess"))
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    sandbox.control.state(quickbooks_invalid_client_status=400)
    assert exchange(sandbox, code, app=("nobody", "x")).status_code == 400
    assert exchange(sandbox, code).status_code == 200


def test_every_refresh_gives_another_token_and_kills_the_old_one_at_once(sandbox: Running) -> None:
    first = sandbox.control.tokens(vendor="quickbooks")
    second = refresh(sandbox, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    dead = refresh(sandbox, first["refresh_token"])
    assert dead.status_code == 400
    assert dead.json() == {"error": "invalid_grant", "error_description": "Incorrect or invalid refresh token"}
    assert info(sandbox, second["access_token"]) == info(sandbox, first["access_token"]) == 200


def test_without_the_switch_the_token_changes_about_once_a_day(sandbox: Running) -> None:
    sandbox.control.state(quickbooks_rotate_every_refresh=False)
    first = sandbox.control.tokens(vendor="quickbooks")["refresh_token"]
    assert refresh(sandbox, first).json()["refresh_token"] == first
    sandbox.control.clock(advance_seconds=86_400)
    second = refresh(sandbox, first).json()["refresh_token"]
    assert second != first
    assert refresh(sandbox, first).status_code == 400
    assert refresh(sandbox, second).json()["refresh_token"] == second


def test_the_old_token_may_be_given_some_hours(sandbox: Running) -> None:
    sandbox.control.state(quickbooks_old_refresh_hours=24)
    first = sandbox.control.tokens(vendor="quickbooks")["refresh_token"]
    second = refresh(sandbox, first).json()["refresh_token"]
    assert refresh(sandbox, first).json()["refresh_token"] == second
    sandbox.control.clock(advance_seconds=86_400)
    assert refresh(sandbox, first).status_code == 400


def test_tokens_run_out(sandbox: Running) -> None:
    token = sandbox.control.tokens(vendor="quickbooks")
    sandbox.control.clock(advance_seconds=3601)
    assert info(sandbox, token["access_token"]) == 401
    sandbox.control.clock(advance_seconds=8_726_400)
    assert refresh(sandbox, token["refresh_token"]).json()["error"] == "invalid_grant"


def test_the_five_years_are_told_to_whoever_asks(sandbox: Running) -> None:
    token = sandbox.control.tokens(vendor="quickbooks")["refresh_token"]
    header = {"x-include-refresh-token-hard-expires-in": "true"}
    reply = refresh(sandbox, token, headers=header).json()
    assert 0 <= 5 * 365 * 86_400 - reply["x_refresh_token_hard_expires_in"] < 60
    assert "x_refresh_token_hard_expires_in" not in refresh(sandbox, reply["refresh_token"]).json()


def test_an_id_token_names_the_app_in_a_list_and_the_realm(sandbox: Running) -> None:
    code = consent(sandbox, HARBOUR, scope=f"{SCOPE} openid email")["code"]
    reply = exchange(sandbox, code).json()
    payload = reply["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["aud"], claims["realmid"]) == ([APP[0]], HARBOUR)
    assert claims["iss"] == "https://oauth.platform.intuit.com/op/v1"
    headers = {"Authorization": f"Bearer {reply['access_token']}"}
    address = f"{sandbox.url}/quickbooks/v1/openid_connect/userinfo"
    user = requests.get(address, headers=headers, timeout=10).json()
    assert user == {"sub": claims["sub"], "email": "jo@marlow.example", "emailVerified": True}
    assert requests.get(address, timeout=10).status_code == 401


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_the_app_can_give_a_company_back(sandbox: Running, kind: str) -> None:
    token = sandbox.control.tokens(vendor="quickbooks")
    address = f"{sandbox.url}/quickbooks/v2/oauth2/tokens/revoke"
    assert requests.post(address, json={"token": token[kind]}, auth=(APP[0], "x"), timeout=10).status_code == 401
    assert requests.post(address, data={"token": token[kind]}, auth=APP, timeout=10).status_code == 400
    done = requests.post(address, json={"token": token[kind]}, auth=APP, timeout=10)
    assert (done.status_code, done.content) == (200, b"")
    assert info(sandbox, token["access_token"]) == 401
    assert refresh(sandbox, token["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_customer_who_disconnects_is_forbidden_and_cannot_be_refreshed(sandbox: Running) -> None:
    mine = sandbox.control.tokens(vendor="quickbooks", tenants=["Marlow & Co"])
    other = sandbox.control.tokens(vendor="quickbooks", tenants=[HARBOUR])
    sandbox.control.revoke("Marlow & Co", vendor="quickbooks")
    assert info(sandbox, mine["access_token"]) == 403
    assert refresh(sandbox, mine["refresh_token"]).json()["error"] == "invalid_grant"
    assert info(sandbox, other["access_token"], HARBOUR) == 200
    assert info(sandbox, sandbox.control.tokens()["access_token"]) == 401  # another vendor's token


def test_one_authorization_is_for_one_company(sandbox: Running) -> None:
    with pytest.raises(ControlError, match="one company"):
        sandbox.control.tokens(vendor="quickbooks", tenants=[MARLOW, HARBOUR])


def test_a_token_without_the_accounting_scope_reaches_no_books(sandbox: Running) -> None:
    token = sandbox.control.tokens(vendor="quickbooks", scopes=["openid"])
    answer = CompanyApp(sandbox, token).ask("GET", "preferences")
    fault = answer.json()["fault"]
    assert (answer.status_code, fault["error"][0]["code"], fault["type"]) == (403, "3100", "SERVICE")
