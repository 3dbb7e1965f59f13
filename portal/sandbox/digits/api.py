"""The door of the Connect API: token, scope, limits, and how errors look."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, g, request

from portal.sandbox.context import Sandbox, here, hint
from portal.sandbox.digits import tokens
from portal.sandbox.limits import Verdict

ROOT = "/digits/v1"
LIMITS = {"concurrent": 1_000_000, "minute": 60, "day": 1_000_000_000, "app_minute": 180}
NEEDS = (("/ledger/", "ledger:read"), ("/source/", "source:sync"), ("/connection", "source:sync"))
MOST = 100
GRPC = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8}
JSON = "application/json"
blueprint = Blueprint("digits", __name__, url_prefix=ROOT)


class Trouble(Exception):
    """A refusal: status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def invalid(message: str) -> Trouble:
    """What was sent makes no sense."""
    return Trouble(400, "INVALID_ARGUMENT", message)


@blueprint.before_request
def check() -> Response | None:
    """Who calls, whether they may, and whether not too often."""
    box = here()
    access = _access(box)
    g.access = access
    needed = next((scope for part, scope in NEEDS if request.path.removeprefix(ROOT).startswith(part)), None)
    if needed and needed not in access.scopes:
        raise Trouble(403, "PERMISSION_DENIED", f"The token does not have the scope {needed}.")
    by_token = box.switches["digits_minute_counts"] == "token"
    g.counter = f"digits {access.digest}" if by_token else f"digits {access.client_id} {access.tenant}"
    g.verdict = box.limits.enter(
        access.tenant, counter=g.counter, app_counter=f"digits {access.client_id}", defaults=LIMITS
    )
    if g.verdict.problem:
        return Response(_busy(g.verdict.retry_after or 60), 429, content_type=JSON)
    if fault := hint("business_error"):
        raise invalid(str(fault.get("message", "The request cannot be carried out.")))
    return None


@blueprint.after_request
def count(response: Response) -> Response:
    """Limits as headers; the call is over when its answer is."""
    verdict: Verdict | None = g.get("verdict")
    if verdict is not None:
        box = here()
        response.headers.update(_limit_headers(box, g.access.tenant, verdict))
        if verdict.problem is None:
            limits, counter = box.limits, g.counter
            response.call_on_close(lambda: limits.leave(counter))
    return response


@blueprint.errorhandler(Trouble)
def refused(reason: Trouble) -> Response:
    """In the form the switch says, for want of an official word."""
    return error(reason.status, reason.code, str(reason))


@blueprint.route("/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def nowhere(rest: str) -> Response:
    """Nothing is here; not even what other methods would find."""
    raise Trouble(404, "NOT_FOUND", "There is nothing at this address.")


def error(status: int, code: str, message: str) -> Response:
    """An error answer: like the one documented for 429, as gRPC gateways do it, or not JSON at all."""
    form = here().switches["digits_error_form"]
    if form == "text":
        return Response(f"{message}\n", status, content_type="text/plain; charset=utf-8")
    if form == "grpc":
        return reply({"code": GRPC.get(status, 2), "message": message, "details": []}, status)
    return reply({"error": {"code": code, "message": message}}, status)


def reply(body: Any, status: int = 200) -> Response:
    """JSON."""
    return Response(json.dumps(body, ensure_ascii=False), status, content_type=JSON)


def sent(collection: str, most: int | None) -> list[dict[str, Any]]:
    """The objects of a sync call; raises Trouble when there are none to read, or too many."""
    body = request.get_json(silent=True, force=True)
    found = body.get(collection) if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise invalid(f"Send a JSON object with a list of {collection}.")
    if most is not None and len(found) > most:
        raise invalid(f"At most {most} {collection} may be sent at once.")
    return found


def page_asked() -> tuple[int, int]:
    """(limit, number after which to go on); raises Trouble for what makes no sense."""
    return page_wanted(request.args.get("limit"), request.args.get("cursor"))


def page_wanted(wanted: Any, cursor: Any) -> tuple[int, int]:
    """The same for a page that is asked for in a body."""
    try:
        limit = int(wanted or MOST)
        after = int(base64.b64decode(str(cursor or "MA=="), validate=True).decode())
    except (ValueError, TypeError, binascii.Error) as reason:
        raise invalid("limit must be a number, and cursor one that was given out here.") from reason
    if limit < 1 or (limit > MOST and here().switches["digits_limit_above_100"] == "refuse"):
        raise invalid(f"limit must be between 1 and {MOST}.")
    return min(limit, MOST), after


def page(name: str, rows: Sequence[Any], render: Callable[[Any], dict[str, Any]], limit: int, after: int) -> Response:
    """Up to `limit` of the rows (one more shows that there are others), each with its number as `n`."""
    rows = [] if hint("empty_list") else rows
    shown, more = rows[:limit], len(rows) > limit
    last = shown[-1]["n"] if shown else after
    if hint("repeat_page"):
        last, more = after, True
    filled = more or (shown and here().switches["digits_last_cursor"] == "filled")
    cursor = base64.b64encode(str(last).encode()).decode() if filled else ""
    return reply({name: [render(row) for row in shown], "next": {"cursor": cursor, "more": more}})


def tenant_of(box: Sandbox, environ: Mapping[str, Any]) -> str | None:
    """The business a call is for, which its token says."""
    access = tokens.check(box, tokens.bearer(environ.get("HTTP_AUTHORIZATION", "")))
    return access.tenant if access else None


def too_many(box: Sandbox, fault: Mapping[str, Any]) -> tuple[list[tuple[str, str]], bytes]:
    """The documented 429, for a fault: `retry_after` as a number, absent, date or garbage; a minute if not given."""
    wanted = fault.get("retry_after", 60)
    now = box.clock.seconds()
    seconds: Any = {"absent": None, "date": f"{box.clock.now():%Y-%m-%dT%H:%M:%SZ}", "garbage": "soon, we hope"}.get(
        str(wanted), wanted
    )
    if isinstance(seconds, str) and seconds.isdigit():
        seconds = int(seconds)
    reset = int(now) + (seconds if isinstance(seconds, int) else 60)
    headers = {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    return [("Content-Type", JSON), *headers.items()], _busy(seconds)


def _access(box: Sandbox) -> tokens.Access:
    if hint("token_expired"):
        raise Trouble(401, "UNAUTHENTICATED", "The access token has expired.")
    if revoked := hint("revoked"):
        raise Trouble(int(revoked.get("status", 401)), "UNAUTHENTICATED", "The app is not installed any more.")
    found = tokens.check(box, tokens.bearer(request.headers.get("Authorization", "")))
    if found is None or found.expired:
        state = "has expired" if found else "is missing or not valid"
        raise Trouble(401, "UNAUTHENTICATED", f"The access token {state}.")
    return found


def _limit_headers(box: Sandbox, tenant: str, verdict: Verdict) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(box.limits.allowed(tenant, LIMITS)["minute"]),
        "X-RateLimit-Remaining": str(0 if verdict.problem else min(verdict.minute_left, verdict.app_left)),
        "X-RateLimit-Reset": str(int(box.clock.seconds()) + (verdict.retry_after or verdict.minute_ends)),
    }


def _busy(seconds: Any) -> bytes:
    details = {} if seconds is None else {"retry_after": seconds}
    problem = {"code": "RATE_LIMIT_EXCEEDED", "message": "Rate limit exceeded. Try again later.", "details": details}
    return json.dumps({"error": problem}).encode()
