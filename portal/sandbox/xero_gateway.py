"""The door in front of every Xero API: token, tenant, scope, limits. It answers in JSON whatever the API speaks."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, g, request

from portal.sandbox import xero_tokens as tokens
from portal.sandbox.context import Sandbox, here, hint
from portal.sandbox.limits import Verdict
from portal.sandbox.vendor import Tenant

EXPIRED = "TokenExpired: token expired at {:%m/%d/%Y %H:%M:%S}"
# path, method, the app's scopes -> may it? Each API has its own rules.
MayCall = Callable[[str, str, frozenset[str]], bool]


def guard(blueprint: Blueprint, tenant_kind: str, may_call: MayCall) -> None:
    """Put the door before every route of `blueprint`."""

    @blueprint.before_request
    def check() -> Response | None:
        box = here()
        access = _bearer(box)
        if isinstance(access, Response):
            return access
        tenant = _tenant(box, access, tenant_kind)
        if tenant is None:
            return refuse(403, "Forbidden", "AuthenticationUnsuccessful")
        if not may_call(request.path, request.method, access.scopes):
            return refuse(401, "Unauthorized", "AuthorizationUnsuccessful", "insufficent_scope")
        g.tenant, g.access = tenant, access
        g.verdict = box.limits.enter(tenant.id)
        return _too_many(g.verdict) if g.verdict.problem else None

    @blueprint.after_request
    def count(response: Response) -> Response:
        response.headers["Xero-Correlation-Id"] = str(uuid.uuid4())
        verdict: Verdict | None = g.get("verdict")
        if verdict is None:
            return response
        response.headers["X-MinLimit-Remaining"] = str(verdict.minute_left)
        response.headers["X-DayLimit-Remaining"] = str(verdict.day_left)
        response.headers["X-AppMinLimit-Remaining"] = str(verdict.app_left)
        if verdict.problem is None:
            limits, account = here().limits, g.tenant.id
            response.call_on_close(lambda: limits.leave(account))
        return response


def refuse(status: int, title: str, detail: str, challenge: str | None = None) -> Response:
    """The gateway's JSON error."""
    body: dict[str, Any] = {
        "Type": None,
        "Title": title,
        "Status": status,
        "Detail": detail,
        "Instance": str(uuid.uuid4()),
        "Extensions": {},
    }
    response = json_reply(body, status)
    if status == 401:
        response.headers["WWW-Authenticate"] = f"Bearer error={challenge or 'invalid_token'}"
    return response


def json_reply(body: Any, status: int = 200) -> Response:
    """Compact JSON with the vendor's content type."""
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json; charset=utf-8")


def bearer() -> tokens.Access | Response:
    """The caller's token for the endpoints without a tenant, or the refusal to send."""
    return _bearer(here())


def _bearer(box: Sandbox) -> tokens.Access | Response:
    if hint("token_expired"):
        return refuse(401, "Unauthorized", EXPIRED.format(box.clock.now()))
    revoked = hint("revoked")
    if revoked:
        status = int(revoked.get("status", 403))
        return refuse(status, "Forbidden" if status == 403 else "Unauthorized", "AuthenticationUnsuccessful")
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    found = tokens.check_access(box, token.strip()) if kind.lower() == "bearer" else None
    if found is None:
        return refuse(401, "Unauthorized", "AuthenticationUnsuccessful")
    if isinstance(found, tokens.Expired):
        return refuse(401, "Unauthorized", EXPIRED.format(datetime.fromtimestamp(found.at, UTC)))
    return found


def _tenant(box: Sandbox, access: tokens.Access, kind: str) -> Tenant | None:
    wanted = request.headers.get("Xero-Tenant-Id", "")
    for tenant in box.tenants:
        if tenant.id == wanted and tenant.kind == kind and tokens.is_connected(box, access.client_id, tenant.id):
            return tenant
    return None


def _too_many(verdict: Verdict) -> Response:
    response = Response(status=429)
    response.headers.remove("Content-Type")
    response.headers["X-Rate-Limit-Problem"] = str(verdict.problem)
    if verdict.retry_after is not None:
        response.headers["Retry-After"] = str(verdict.retry_after)
    return response
