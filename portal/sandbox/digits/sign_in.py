"""Allowing an app into a business, and the token endpoint."""

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
from portal.sandbox.digits import api, tokens
from portal.sandbox.vendor import Tenant

blueprint = Blueprint("digits_sign_in", __name__, url_prefix=f"{api.ROOT}/oauth")
CAMEL = {
    "grantType": "grant_type",
    "clientId": "client_id",
    "clientSecret": "client_secret",
    "redirectUri": "redirect_uri",
    "refreshToken": "refresh_token",
}


@blueprint.get("/authorize")
def ask() -> Response | BaseResponse | tuple[str, int]:
    """The page on which a person chooses the business the app may reach."""
    asked = _asked(request.args)
    if isinstance(asked, str):
        return _impossible(asked)
    if asked["response_type"] != "code":
        return _back(asked, error="unsupported_response_type")
    scopes = asked["scope"].split()
    allowed = tokens.SCOPES + (tokens.GATED if here().switches["digits_gated_scopes"] else ())
    if not scopes or any(scope not in allowed for scope in scopes):
        return _back(asked, error="invalid_scope")
    return Response(render_template("digits_consent.html", asked=asked, scopes=scopes, tenants=businesses(here())))


@blueprint.post("/authorize")
def decide() -> Response | BaseResponse | tuple[str, int]:
    """Allow or Deny; either way the browser goes back to the app."""
    box, asked = here(), _asked(request.form)
    if isinstance(asked, str):
        return _impossible(asked)
    if request.form.get("decision") != "allow":
        return _back(asked, error="access_denied", error_description="The user denied access")
    chosen = request.form.get("tenant", "")
    if chosen not in {tenant.id for tenant in businesses(box)}:
        return _impossible("Go back and choose the business the app may reach.")
    tokens.install(box, asked["client_id"], chosen)
    return _back(asked, code=tokens.issue_code(box, asked["client_id"], chosen, asked["redirect_uri"], asked["scope"]))


@blueprint.post("/token")
def token() -> Response:
    """Exchange a code, refresh, or reach one's own business. JSON in either casing, or a form; snake_case out."""
    try:
        return api.reply(_grant(here(), _values()))
    except tokens.GrantRefused as refused:
        form = here().switches["digits_oauth_error"]
        if form == "text":
            return Response(f"{refused.about}\n", refused.status, content_type="text/plain; charset=utf-8")
        if form == "envelope":
            return api.error(refused.status, refused.code.upper(), refused.about)
        return api.reply({"error": refused.code, "error_description": refused.about}, refused.status)


def businesses(box: Sandbox) -> list[Tenant]:
    """Those the one person of the sandbox belongs to."""
    return [tenant for tenant in box.tenants if tenant.issuer == "digits"]


def _grant(box: Sandbox, sent: dict[str, str]) -> dict[str, Any]:
    app = tokens.app_named(box, sent.get("client_id", ""))
    if app is None or sent.get("client_secret") != app["secret"]:
        raise tokens.GrantRefused("invalid_client", "The client id or secret is wrong.", 401)
    kind, client_id = sent.get("grant_type"), app["client_id"]
    if hint("revoked"):
        raise tokens.GrantRefused("invalid_grant", "The app is not installed any more.")
    if kind == "authorization_code":
        return tokens.spend_code(box, client_id, sent.get("code", ""), sent.get("redirect_uri", ""))
    if kind == "refresh_token":
        return tokens.refresh(box, client_id, sent.get("refresh_token", ""))
    if kind == "client_credentials" and box.switches["digits_client_credentials"]:
        own = businesses(box)[0].id
        tokens.install(box, client_id, own)
        with box.store.write() as db:
            return tokens.issue(box, db, client_id, own, " ".join(tokens.SCOPES), refresh="none")
    raise tokens.GrantRefused("unsupported_grant_type", "This grant type is not supported.")


def _values() -> dict[str, str]:
    """What was sent, under its snake_case names."""
    found: Any = request.form
    if request.mimetype != "application/x-www-form-urlencoded":
        found = request.get_json(silent=True, force=True)
    values = {CAMEL.get(k, k): v for k, v in found.items() if isinstance(v, str)} if hasattr(found, "items") else {}
    if "client_id" not in values and here().switches["digits_basic_auth"]:
        values["client_id"], values["client_secret"] = _basic()
    return values


def _basic() -> tuple[str, str]:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (client_id, secret) if kind.lower() == "basic" else ("", "")


def _asked(values: MultiDict[str, str]) -> dict[str, str] | str:
    """The authorize parameters, or why the request cannot even be answered by a redirect."""
    asked = {name: values.get(name, "") for name in ("client_id", "redirect_uri", "scope", "state", "response_type")}
    app = tokens.app_named(here(), asked["client_id"])
    if app is None:
        return "The client id is not known here."
    if not _may_return_to(asked["redirect_uri"], json.loads(app["redirects"])):
        return (
            "The redirect URI is not registered: use localhost or 127.0.0.1 without a fragment, or register it first."
        )
    return asked


def _may_return_to(uri: str, registered: list[str]) -> bool:
    if uri in registered:
        return True
    parts = urlsplit(uri)
    local = parts.scheme in ("http", "https") and parts.hostname in ("localhost", "127.0.0.1")
    return local and not parts.fragment and "*" not in uri


def _impossible(reason: str) -> tuple[str, int]:
    return render_template("digits_consent.html", reason=reason), 400


def _back(asked: dict[str, str], **answer: str) -> BaseResponse:
    extra = {"state": asked["state"]} if asked["state"] else {}
    joint = "&" if urlsplit(asked["redirect_uri"]).query else "?"
    return redirect(asked["redirect_uri"] + joint + urlencode({**answer, **extra}))
