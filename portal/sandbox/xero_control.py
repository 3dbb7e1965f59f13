"""Shortcuts for testers: apps, tokens without a browser, and the customer who disconnects."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from portal.sandbox import xero_tokens as tokens
from portal.sandbox.context import Refused, Sandbox, here
from portal.sandbox.control import body

control = Blueprint("xero_control", __name__, url_prefix="/control")
USUAL_SCOPES = (
    "openid",
    "profile",
    "email",
    "offline_access",
    "practicemanager",
    "practicemanager.client",
    "practicemanager.job",
    "practicemanager.staff",
    "practicemanager.time",
    "accounting.contacts",
    "accounting.invoices",
    "accounting.payments",
    "accounting.settings",
)


@control.post("/apps")
def register_app() -> tuple[Response, int]:
    """A client id and secret of one's own; `redirect_uris` beyond localhost."""
    values = body()
    client_id, secret = str(values.get("client_id", "")), str(values.get("client_secret", ""))
    if not client_id or not secret:
        raise Refused("Send client_id and client_secret.")
    tokens.register(here(), client_id, secret, list(values.get("redirect_uris", [])))
    return jsonify(client_id=client_id), 201


@control.post("/tokens")
def mint_tokens() -> Response:
    """A token reply: `client_id`, `tenants` (ids or names), `scopes`, all optional."""
    values = body(optional=True)
    client_id = str(values.get("client_id", tokens.DEFAULT_CLIENT))
    return jsonify(mint(here(), client_id, values.get("tenants"), values.get("scopes")))


@control.post("/revoke")
def revoke() -> Response:
    """The customer disconnects the app: one `tenant`, or everything with its tokens when none is named."""
    box, values = here(), body(optional=True)
    wanted = values.get("tenant")
    ended = tokens.disconnect(box, None, box.tenant(wanted).id if wanted else None)
    if values.get("tokens", wanted is None):
        tokens.kill_tokens(box, None)
    return jsonify(disconnected=ended)


def mint(box: Sandbox, client_id: str, tenants: list[str] | None, scopes: list[str] | None) -> dict[str, Any]:
    """Tokens without a browser: all tenants and the usual scopes unless told otherwise."""
    if tokens.app_named(box, client_id) is None:
        raise Refused(f"There is no app {client_id!r}.", 404)
    chosen = [box.tenant(wanted) for wanted in tenants] if tenants is not None else tokens.xero_tenants(box)
    wanted_scopes = scopes or list(USUAL_SCOPES)
    event, _ = tokens.consent(box, client_id, wanted_scopes, [tenant.id for tenant in chosen])
    with box.store.write() as db:
        return tokens.issue_tokens(box, db, client_id, " ".join(wanted_scopes), event)
