"""The door before the accounting API: well-formed address, token, company, limits; and a trace id on everything."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

from flask import Blueprint, Response, g, request

from portal.sandbox.context import Sandbox, here, hint
from portal.sandbox.quickbooks import faults, hooks, tokens, wire
from portal.sandbox.quickbooks.company import COMPANIES, Company
from portal.sandbox.quickbooks.wire import Fault

blueprint = Blueprint("quickbooks", __name__, url_prefix="/quickbooks/v3/company")
IN_PATH = re.compile(r"/v3/company/(\d+)")
RAW = frozenset('|{}^"')
# Per company. The day and the app have no limit of their own here.
LIMITS = {"concurrent": 10, "second": 10, "minute": 500, "batch_minute": 40, "day": 10**9, "app_minute": 10**9}
BAD_ADDRESS = (
    '<!doctype html><html lang="en"><head><title>HTTP Status 400 – Bad Request</title></head>'
    "<body><h1>HTTP Status 400 – Bad Request</h1></body></html>"
)


def company() -> Company:
    """The company file this request is for."""
    found: Company = g.quickbooks_company
    return found


def tenant_of(box: Sandbox, environ: Mapping[str, Any]) -> str | None:
    """The realm in the path."""
    found = IN_PATH.search(environ.get("PATH_INFO", ""))
    return found.group(1) if found else None


def too_many(box: Sandbox, action: Mapping[str, Any]) -> tuple[list[tuple[str, str]], bytes]:
    """What a `rate_limited` fault answers here."""
    headers, body = wire.throttled(box)
    wanted = str(action.get("retry_after", "absent"))
    values = {
        "date": formatdate(time.time() + float(action.get("seconds", 5)), usegmt=True),
        "garbage": "soon, we hope",
    }
    if wanted != "absent":
        headers = [*headers, ("Retry-After", values.get(wanted, wanted))]
    return headers, body


def bearer(box: Sandbox) -> tokens.Access:
    """The caller's token; raises Fault 3200 when it is missing, unknown or has run out."""
    if hint("token_expired"):
        raise unauthenticated("Token expired")
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    access = tokens.check_access(box, token.strip()) if kind.lower() == "bearer" else None
    if access is None:
        raise unauthenticated("Malformed bearer token: too short or too long")
    if access.expired:
        raise unauthenticated("Token expired")
    return access


def unauthenticated(detail: str) -> Fault:
    """401."""
    message = "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    return Fault("3200", message, detail, status=401, kind="AUTHENTICATION", gateway=True)


def unauthorized() -> Fault:
    """403: another company, or the app was disconnected."""
    message = "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403"
    return Fault("3100", message, None, status=403, kind="SERVICE", gateway=True)


@blueprint.before_request
def check() -> Response | None:
    """Everything that is refused before the service looks at the call."""
    if RAW & set(request.environ.get("QUERY_STRING", "")):
        return Response(BAD_ADDRESS, 400, content_type="text/html;charset=utf-8")
    box = here()
    realm = (request.view_args or {}).get("realm", "")
    call = request.environ.get("sandbox.call")
    if call:
        call.idempotency_key = request.args.get("requestid")
    _authorize(box, realm)
    g.quickbooks_company = COMPANIES[realm]
    if not _within(box, realm):
        headers, body = wire.throttled(box)
        return Response(body, 429, headers=headers)
    return _told_to_refuse() or _state(box)


@blueprint.after_request
def leave(response: Response) -> Response:
    """The slot is free when the answer is complete."""
    realm = g.get("quickbooks_entered")
    if realm:
        limits = here().limits
        response.call_on_close(lambda: limits.leave(realm))
    return response


@blueprint.after_app_request
def trace(response: Response) -> Response:
    """intuit_tid, by which the vendor's support finds a call; and whoever listens hears what was changed."""
    hooks.say(response)
    if request.path.startswith("/quickbooks/"):
        response.headers["intuit_tid"] = f"1-{secrets.token_hex(4)}-{secrets.token_hex(12)}"
    return response


@blueprint.errorhandler(Fault)
def refused(fault: Fault) -> Response:
    """In the shape the switches want."""
    return wire.refuse(fault)


def _authorize(box: Sandbox, realm: str) -> None:
    access = bearer(box)
    revoked = hint("revoked")
    if revoked and int(revoked.get("status", 403)) == 401:
        raise unauthenticated("Token revoked")
    here_too = access.live and access.realm == realm and realm in COMPANIES
    if revoked or not here_too or tokens.ACCOUNTING not in access.scopes:
        raise unauthorized()


def _within(box: Sandbox, realm: str) -> bool:
    """Count the call; False when it is one too many."""
    may = box.limits.allowed(realm, LIMITS)
    if request.path.endswith("/batch") and not box.limits.within(f"{realm} batch", 60, may["batch_minute"]):
        return False
    if not box.limits.within(f"{realm} second", 1, may["second"]):
        return False
    if box.limits.enter(realm, app_counter="quickbooks", defaults=LIMITS).problem:
        return False
    g.quickbooks_entered = realm
    return True


def _told_to_refuse() -> Response | None:
    """The fault in which everything is refused, inside a 200 unless it names a status."""
    fault = hint("business_error")
    if not fault:
        return None
    told = Fault(
        str(fault.get("code", "6000")),
        faults.BUSINESS,
        str(fault.get("message", "Business Validation Error: Something is wrong with this request")),
        status=int(fault.get("status", 200)),
        gateway=fault.get("shape") == "lower",
    )
    return wire.refuse(told)


def _state(box: Sandbox) -> Response | None:
    """A company whose subscription ended is read only; a person who lost their rights reaches nothing."""
    state = box.switches["quickbooks_company_state"]
    if state == "no_access":
        raise Fault(
            "120", "Authorization Failure", "-11014-You do not have access to this company.", status=401,
            kind="AuthorizationFault",
        )  # fmt: skip
    writes = request.method == "POST" and not request.path.endswith("/query")
    if state == "suspended" and writes:
        detail = "Subscription period has ended or canceled or there was a billing problem"
        raise Fault("6190", "Invalid Company Status", detail)
    return None
