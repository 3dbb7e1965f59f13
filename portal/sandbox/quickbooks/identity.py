"""QuickBooks Online's sign-in: one person says yes to one company; then codes, tokens and who they are."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from portal.sandbox.context import Sandbox, here, hint
from portal.sandbox.quickbooks import keys, tokens, wire
from portal.sandbox.quickbooks.company import COMPANIES
from portal.sandbox.quickbooks.gate import bearer
from portal.sandbox.quickbooks.wire import Fault

blueprint = Blueprint("quickbooks_identity", __name__, url_prefix="/quickbooks")
PLAIN_JSON = "application/json;charset=utf-8"


@blueprint.get("/connect/oauth2")
def ask() -> Response | BaseResponse | tuple[str, int]:
    """The page on which a person chooses the company."""
    asked = _asked(request.args)
    if isinstance(asked, str):
        return render_template("quickbooks_refused.html", reason=asked), 400
    if asked["response_type"] != "code":
        return _back(asked, error="unsupported_response_type")
    scopes = asked["scope"].split()
    if not scopes or set(scopes) - set(tokens.SCOPES):
        return _back(asked, error="invalid_scope")
    page = render_template("quickbooks_consent.html", asked=asked, scopes=scopes, companies=COMPANIES.values())
    return Response(page)


@blueprint.post("/connect/oauth2")
def decide() -> Response | BaseResponse | tuple[str, int]:
    """Connect or not; either way the browser goes back to the app, with the realm when it is yes."""
    box, asked = here(), _asked(request.form)
    if isinstance(asked, str):
        return render_template("quickbooks_refused.html", reason=asked), 400
    realm = request.form.get("realm", "")
    if request.form.get("decision") != "allow":
        return _back(asked, error="access_denied")
    if realm not in COMPANIES:
        return render_template("quickbooks_refused.html", reason="Choose a company."), 400
    code = tokens.issue_code(box, asked["client_id"], asked["redirect_uri"], asked["scope"], realm)
    return _back(asked, code=code, realmId=realm)


@blueprint.post("/oauth2/v1/tokens/bearer")
def token() -> Response:
    """Exchange a code, or refresh."""
    box = here()
    client_id = _client(box)
    if client_id is None:
        return _json({"error": "invalid_client"}, int(box.switches["quickbooks_invalid_client_status"]))
    try:
        if hint("revoked"):
            raise tokens.GrantRefused
        return _json(_grant(box, client_id, request.form))
    except tokens.GrantRefused as refused:
        return _json({"error": refused.error, "error_description": refused.about}, 400)


@blueprint.post("/v2/oauth2/tokens/revoke")
def revoke() -> Response:
    """The app gives a company back; the body is JSON."""
    box = here()
    client_id = _client(box)
    if client_id is None:
        return _json({"error": "invalid_client"}, int(box.switches["quickbooks_invalid_client_status"]))
    body = request.get_json(silent=True)
    given = body.get("token") if isinstance(body, dict) else None
    if not isinstance(given, str) or not tokens.revoke(box, client_id, given):
        return _json({"error": "invalid_request"}, 400)
    return Response(status=200)


@blueprint.get("/v1/openid_connect/userinfo")
def userinfo() -> Response:
    """Who consented, as far as the scopes reach."""
    try:
        access = bearer(here())
    except Fault:
        return _json({"error": "invalid_token"}, 401)
    if "openid" not in access.scopes or not access.live:
        return _json({"error": "insufficient_scope"}, 403)
    wanted = {"sub"}
    for scope, names in (
        ("email", ("email", "emailVerified")),
        ("profile", ("givenName", "familyName")),
        ("phone", ("phoneNumber", "phoneNumberVerified")),
        ("address", ("address",)),
    ):
        wanted |= set(names) if scope in access.scopes else set()
    return _json({name: value for name, value in tokens.USER.items() if name in wanted})


@blueprint.get("/.well-known/<any(openid_configuration, openid_sandbox_configuration):which>/")
def discovery(which: str) -> Response:
    """Where everything is, in the sandbox's own addresses."""
    base = request.host_url.rstrip("/") + "/quickbooks"
    return _json(
        {
            "issuer": keys.ISSUER,
            "authorization_endpoint": f"{base}/connect/oauth2",
            "token_endpoint": f"{base}/oauth2/v1/tokens/bearer",
            "userinfo_endpoint": f"{base}/v1/openid_connect/userinfo",
            "revocation_endpoint": f"{base}/v2/oauth2/tokens/revoke",
            "jwks_uri": f"{base}/op/v1/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile", "address", "phone"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        }
    )


@blueprint.get("/op/v1/jwks")
def jwks() -> Response:
    """The key id tokens are signed with."""
    return _json({"keys": [keys.public()]})


def _asked(values: MultiDict[str, str]) -> dict[str, str] | str:
    """The authorize parameters, or why the request cannot even be answered by a redirect."""
    names = ("client_id", "redirect_uri", "scope", "state", "response_type")
    asked = {name: values.get(name, "") for name in names}
    app = tokens.app_named(here(), asked["client_id"])
    if app is None:
        return "The client id is not known here."
    if asked["redirect_uri"] not in json.loads(app["redirects"]) and not _is_local(asked["redirect_uri"]):
        return "The redirect_uri is not registered for this app. Use http://localhost or http://127.0.0.1 here."
    return asked


def _is_local(uri: str) -> bool:
    parts = urlsplit(uri)
    return parts.scheme in ("http", "https") and parts.hostname in ("localhost", "127.0.0.1")


def _back(asked: dict[str, str], **answer: str) -> BaseResponse:
    extra = {"state": asked["state"]} if asked["state"] else {}
    joint = "&" if urlsplit(asked["redirect_uri"]).query else "?"
    return redirect(asked["redirect_uri"] + joint + urlencode({**answer, **extra}))


def _client(box: Sandbox) -> str | None:
    """The app, by its Basic header."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    app = tokens.app_named(box, client_id)
    return client_id if app is not None and secret == app["secret"] else None


def _grant(box: Sandbox, client_id: str, form: MultiDict[str, str]) -> dict[str, Any]:
    kind, made = form.get("grant_type"), box.clock.seconds()
    if kind == "authorization_code":
        reply, realm, scope = tokens.spend_code(box, client_id, form.get("code", ""), form.get("redirect_uri", ""))
        if "openid" in scope.split():
            reply["id_token"] = keys.id_token(int(made), client_id, realm, tokens.USER["sub"])
    elif kind == "refresh_token":
        reply, made = tokens.refresh(box, client_id, form.get("refresh_token", ""))
    else:
        raise tokens.GrantRefused("unsupported_grant_type", "The grant type is not supported")
    if request.headers.get("x-include-refresh-token-hard-expires-in", "").lower() == "true":
        reply["x_refresh_token_hard_expires_in"] = int(made + tokens.HARD_LIFE - box.clock.seconds())
    return reply


def _json(body: Any, status: int = 200) -> Response:
    return Response(wire.dump(body), status, content_type=PLAIN_JSON)
