"""Xero's sign-in: consent page, tokens, connections. One user, who may connect every Xero tenant of the sandbox."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from portal.sandbox import xero_tokens as tokens
from portal.sandbox.context import Sandbox, here, hint
from portal.sandbox.vendor import Switch, Vendor
from portal.sandbox.xero_control import control
from portal.sandbox.xero_gateway import bearer, json_reply, refuse

FAMILIES = ("openid", "profile", "email", "offline_access", "app.connections", "marketplace.billing")
BROAD = ("practicemanager", "practicemanager.read")
blueprint = Blueprint("xero_identity", __name__, url_prefix="/xero")


@blueprint.get("/identity/connect/authorize")
def ask() -> Response | BaseResponse | tuple[str, int]:
    """The page on which a person says which tenants the app may reach."""
    asked = _asked(request.args)
    if isinstance(asked, str):
        return render_template("consent_refused.html", reason=asked), 400
    if asked["response_type"] != "code":
        return _back(asked, error="unsupported_response_type")
    if asked["code_challenge"] and asked["code_challenge_method"] != "S256":
        return _back(asked, error="invalid_request", error_description="Transform algorithm not supported")
    unknown = [scope for scope in asked["scope"].split() if not _known(here(), scope)]
    if unknown or not asked["scope"].split():
        return _back(asked, error="invalid_scope")
    tenants = sorted(tokens.xero_tenants(here()), key=lambda tenant: tenant.kind != "PRACTICEMANAGER")
    ticked = {tenant.kind: tenant.id for tenant in reversed(tenants)}.values()  # the first of each kind
    scopes = asked["scope"].split()
    return Response(render_template("consent.html", asked=asked, scopes=scopes, tenants=tenants, ticked=ticked))


@blueprint.post("/identity/connect/authorize")
def decide() -> Response | BaseResponse | tuple[str, int]:
    """Allow or Deny; either way the browser goes back to the app."""
    box, asked = here(), _asked(request.form)
    if isinstance(asked, str):
        return render_template("consent_refused.html", reason=asked), 400
    if request.form.get("decision") != "allow":
        return _back(asked, error="access_denied", error_description="The user refused consent")
    allowed = {tenant.id for tenant in tokens.xero_tenants(box)}
    chosen = [tenant for tenant in request.form.getlist("tenant") if tenant in allowed]
    event, granted = tokens.consent(box, asked["client_id"], asked["scope"].split(), chosen)
    code = tokens.issue_code(
        box, asked["client_id"], asked["redirect_uri"], granted, asked["code_challenge"] or None, event
    )
    return _back(asked, code=code, scope=granted, session_state=event)


@blueprint.post("/connect/token")
def token() -> Response:
    """Exchange a code, or refresh."""
    box = here()
    client_id = _client(box)
    if client_id is None:
        return json_reply({"error": "invalid_client"}, 400)
    if hint("revoked"):
        return json_reply({"error": "invalid_grant"}, 400)
    try:
        return json_reply(_grant(box, client_id, request.form))
    except tokens.GrantRefused as refused:
        return json_reply({"error": str(refused)}, 400)


@blueprint.post("/connect/revocation")
def revocation() -> Response:
    """Ends the refresh token and all the user's connections to this app."""
    box = here()
    client_id = _client(box)
    if client_id is None:
        return json_reply({"error": "invalid_client"}, 400)
    if tokens.owner_of_refresh(box, request.form.get("token", "")) == client_id:
        tokens.kill_tokens(box, client_id)
        tokens.disconnect(box, client_id)
    return Response(status=200)


@blueprint.get("/.well-known/openid-configuration")
def discovery() -> Response:
    """Where everything is, in the sandbox's own addresses."""
    base = request.host_url.rstrip("/") + "/xero"
    return json_reply(
        {
            "issuer": "https://identity.xero.com",
            "authorization_endpoint": f"{base}/identity/connect/authorize",
            "token_endpoint": f"{base}/connect/token",
            "userinfo_endpoint": f"{base}/connect/userinfo",
            "revocation_endpoint": f"{base}/connect/revocation",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }
    )


@blueprint.get("/connect/userinfo")
def userinfo() -> Response:
    """Who consented."""
    access = bearer()
    if isinstance(access, Response):
        return access
    return json_reply({"sub": tokens.USER_ID.replace("-", ""), "xero_userid": tokens.USER_ID, **tokens.USER})


@blueprint.get("/connections")
@blueprint.get("/Connections")
def connections() -> Response:
    """The tenants this app may reach, or only those of one consent."""
    access = bearer()
    if isinstance(access, Response):
        return access
    box = here()
    rows = tokens.connections(box, access.client_id, request.args.get("authEventId"))
    return json_reply([_connection(box, row) for row in rows])


@blueprint.delete("/connections/<connection>")
@blueprint.delete("/Connections/<connection>")
def disconnect(connection: str) -> Response:
    """By the connection's own id; a tenant id is refused as the vendor does."""
    access = bearer()
    if isinstance(access, Response):
        return access
    box = here()
    if tokens.disconnect(box, access.client_id, connection=connection):
        return Response(status=204)
    if any(row["tenant"] == connection for row in tokens.connections(box, access.client_id)):
        return refuse(403, "Forbidden", "AuthenticationUnsuccessful")
    return Response(status=404)


def wipe(box: Sandbox) -> None:
    """Forget every consent, token and registered app but the standard one."""
    with box.store.write() as db:
        for table in ("xero_app", "xero_code", "xero_refresh", "xero_access", "xero_connection"):
            db.execute(f"DELETE FROM {table}")
    tokens.ensure_default_app(box)


def _asked(values: MultiDict[str, str]) -> dict[str, str] | str:
    """The authorize parameters, or why the request cannot even be answered by a redirect."""
    names = ("client_id", "redirect_uri", "scope", "state", "response_type", "code_challenge", "code_challenge_method")
    asked = {name: values.get(name, "") for name in names}
    app = tokens.app_named(here(), asked["client_id"])
    if app is None:
        return "unauthorized_client: the client id is not known here."
    if not _may_return_to(asked["redirect_uri"], app["redirects"]):
        return "invalid_redirect_uri: use http://localhost or http://127.0.0.1, or register the address first."
    return asked


def _may_return_to(uri: str, registered: str) -> bool:
    if uri in json.loads(registered):
        return True
    parts = urlsplit(uri)
    return parts.scheme in ("http", "https") and parts.hostname in ("localhost", "127.0.0.1")


def _known(box: Sandbox, scope: str) -> bool:
    if scope in BROAD:
        return bool(box.switches["broad_practicemanager_scopes"])
    return scope in FAMILIES or scope.startswith(("practicemanager.", "accounting."))


def _back(asked: dict[str, str], **answer: str) -> BaseResponse:
    extra = {"state": asked["state"]} if asked["state"] else {}
    joint = "&" if urlsplit(asked["redirect_uri"]).query else "?"
    return redirect(asked["redirect_uri"] + joint + urlencode({**answer, **extra}))


def _client(box: Sandbox) -> str | None:
    """The app that calls the token endpoint, by Basic header, form secret, or form id alone with PKCE."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
    else:
        client_id, secret = request.form.get("client_id", ""), request.form.get("client_secret", "")
    app = tokens.app_named(box, client_id)
    if app is None:
        return None
    public = not secret and kind.lower() != "basic" and "code_verifier" in request.form
    return client_id if public or secret == app["secret"] else None


def _grant(box: Sandbox, client_id: str, form: MultiDict[str, str]) -> dict[str, Any]:
    kind = form.get("grant_type")
    if kind == "authorization_code":
        return tokens.spend_code(
            box, client_id, form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier")
        )
    if kind == "refresh_token":
        return tokens.refresh(box, client_id, form.get("refresh_token", ""))
    raise tokens.GrantRefused("unsupported_grant_type")


def _connection(box: Sandbox, row: Any) -> dict[str, str]:
    tenant = box.tenant(row["tenant"])
    return {
        "id": row["id"],
        "authEventId": row["event"],
        "tenantId": tenant.id,
        "tenantType": tenant.kind,
        "tenantName": tenant.name,
        "createdDateUtc": _stamp(row["created"]),
        "updatedDateUtc": _stamp(row["updated"]),
    }


def _stamp(seconds: float) -> str:
    """Seven decimals and no zone."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}0"


VENDOR = Vendor(
    key="xero-identity",
    title="Xero sign-in",
    prefixes=("/xero/identity/", "/xero/connect/", "/xero/connections", "/xero/Connections", "/xero/.well-known/"),
    addresses={"XERO_API_URL": "/xero", "XERO_IDENTITY_URL": "/xero", "XERO_LOGIN_URL": "/xero"},
    blueprints=(blueprint, control),
    schema=tokens.SCHEMA,
    switches={
        "broad_practicemanager_scopes": Switch(True, "whether an app may ask for practicemanager and its .read"),
    },
    demo=lambda box, clients, seed: tokens.ensure_default_app(box),
    wipe=wipe,
)
